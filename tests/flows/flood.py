"""A flood of parts that never complete, through the real receive flow and store: what it costs, and that it ends."""

import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from tests.flows.world import LINK, SECOND, World, changed, parts

_BATCH: Final = 400
_TEXT: Final = "SUN " + "я" * 140  # three parts, of which the last never comes
_SUBSCRIBERS: Final = 7_000
_MOST_GIVEN_UP: Final = 10_000  # of one link in one go


class Flood(Struct, frozen=True, kw_only=True):
    """What happened."""

    parts: int
    seconds: float  # until all were on disk
    grown_kib: int  # of memory, from the first thousands on
    messages: int  # that were given up afterwards
    give_up_seconds: float
    given_up_grown_kib: int


async def pour(one: World, count: int) -> Flood:
    """Receive so many parts, then let their time pass."""
    first, second, _ = parts(_TEXT)
    began, before = time.perf_counter(), 0
    for at in range(0, count, _BATCH):
        arrivals = [
            one.arrival(
                pdu=changed(
                    second if number % 2 else first,
                    source_addr=f"35988{number // 2 % _SUBSCRIBERS:07}",
                    short_message=_numbered(second if number % 2 else first, number // 2 // _SUBSCRIBERS),
                )
            )
            for number in range(at, min(at + _BATCH, count))
        ]
        assert set(await one.take(*arrivals)) == {None}
        if at // _BATCH == 10:  # the caches are warm
            before = memory_kib()
    seconds, grown = time.perf_counter() - began, memory_kib() - (before or memory_kib())
    assert not one.sent, "nothing is answered before its time"

    began, before, given_up = time.perf_counter(), memory_kib(), 0
    one.clock.advance(int(LINK.part_expiry_s) * SECOND)
    while found := await one.receiver.give_up_parts():
        given_up += found
        assert len(one.sent) <= _MOST_GIVEN_UP
        one.sent.clear()
    return Flood(
        parts=count,
        seconds=seconds,
        grown_kib=grown,
        messages=given_up,
        give_up_seconds=time.perf_counter() - began,
        given_up_grown_kib=memory_kib() - before,
    )


def memory_kib() -> int:
    """Return the memory that this process holds."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ValueError("no VmRSS")


def _numbered(pdu: object, reference: int) -> bytes:
    """Return a part's octets with another reference."""
    octets = bytearray(getattr(pdu, "short_message", b""))
    octets[3] = reference & 0xFF
    return bytes(octets)
