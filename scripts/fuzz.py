"""Spoils PDUs and pours parts, and prints what came of it; ends with a traceback when anything is not as defined."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from smsgw.kit import logs
from tests.flows import flood
from tests.flows.world import world
from tests.servers.engines import Engine
from tests.smpp import fuzz


def main() -> None:
    """Run all of it."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("-n", type=int, default=650_000, help="spoiled PDUs")
    words.add_argument("-p", type=int, default=100_000, help="parts that never complete")
    words.add_argument("-s", type=int, default=1, help="seed of the spoiled PDUs")
    chosen = words.parse_args()
    logs.configure("plain", "error")

    before = flood.memory_kib()
    told = fuzz.run(chosen.n, chosen.s)
    grown = flood.memory_kib() - before
    print(f"{told.frames:,} spoiled PDUs in {told.seconds:.0f} s, {told.sessions:,} sessions: no crash")
    print(f"  read whole {told.received:,}, refused {told.refused:,}, no frame without an event or an answer")
    print(
        f"  most held {told.most_held:,} octets, most output {told.most_output:,}; memory grew {grown / 1024:.1f} MiB"
    )
    print(
        f"{fuzz.truncations():,} truncations and {fuzz.splits():,} splits of {len(fuzz.GOLDEN)} golden PDUs: as defined"
    )

    poured = asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_pour(chosen.p))
    print(f"{poured.parts:,} parts that never complete in {poured.seconds:.0f} s: all on disk, none answered early")
    print(f"  memory grew {poured.grown_kib / 1024:.1f} MiB meanwhile")
    grown_mib = poured.given_up_grown_kib / 1024
    print(f"  {poured.messages:,} messages given up in {poured.give_up_seconds:.0f} s, memory grew {grown_mib:.1f} MiB")


async def _pour(count: int) -> flood.Flood:
    with tempfile.TemporaryDirectory(prefix="smsgw-fuzz-") as folder:
        async with world(Engine(dialect="sqlite", place=f"{folder}/smsgw.db")) as one:
            return await flood.pour(one, count)


if __name__ == "__main__":
    main()
