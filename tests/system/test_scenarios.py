"""Every shipped scenario is played against the real daemon: what it expects is seen, what it says is in the books."""

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import pytest

from smsgw.errors import TextError
from smsgw.settings import LinkSettings
from smsgw.simulator import certificates, scenario as scenarios
from smsgw.simulator.rehearsal import Outcome, Place, Rehearsal, settings_of
from smsgw.simulator.scenario import Scenario
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.text import coding
from tests.peers.programs import free_port
from tests.system.books import Books
from tests.system.daemon import PATIENCE_S, Daemon, daemon_of

# What a scenario needs of the daemon that it may not have yet: the setting, or the data_coding.
_CODINGS: Final = {"alphabets-more": (5, 6, 7, 10, 14, 0x10, 0x18, 0xF0)}
_COUNTED: Final = {
    "codes": "codes",
    "incomplete": "mos where incomplete = 1",
    "unmatched": "receipts where mt is null",
    "receipts": "receipts",
    "asked": "operations where status = 'done'",
    "alerts": "alerts",
}
_NAMES: Final = scenarios.shipped()


def _fill(table: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """Put in what only the run knows."""
    filled = {}
    for name, value in table.items():
        filled[name] = values.get(value, value) if isinstance(value, str) else value
    return filled


def _missing(scenario: Scenario) -> str:
    """Return what the daemon cannot do yet that this scenario is about."""
    unknown = [name for name in scenario.link if name not in LinkSettings.__struct_fields__]
    if unknown:
        return f"links have no {', '.join(unknown)} yet"
    for one in _CODINGS.get(scenario.name, ()):
        try:
            coding.decode("SUN".encode("utf-16-be") if one == 0x18 else b"SUN", one)
        except TextError:
            return f"data_coding {one} is not read yet"
    return ""


@pytest.mark.parametrize("name", _NAMES)
async def test_it_ends_as_it_should(tmp_path: Path, name: str) -> None:
    scenario = scenarios.find(name)
    if missing := _missing(scenario):
        pytest.skip(missing)
    authority, key = certificates.make(tmp_path, "127.0.0.1")
    tls = certificates.context(authority, key) if scenario.smsc.tls else None
    smsc = Smsc(settings_of(scenario, SmscSettings(), tls))
    port = await smsc.start() if scenario.smsc.listens else 1
    outside = free_port()
    link = {"port": port} | _fill(scenario.link, {"{authority}": str(authority), "{gateway}": f"127.0.0.1:{outside}"})
    if not scenario.smsc.listens:
        link["host"] = ""
    outcomes: list[Outcome] = []
    try:
        async with daemon_of(tmp_path, {"one": link}, service=scenario.service) as daemon:
            daemon.start()
            if not scenario.smsc.listens:
                await daemon.until_told("link.listening")
            rehearsal = Rehearsal(scenario, smsc, Place(gateway=("127.0.0.1", outside)), outcomes.append)
            met = await rehearsal.play()
            assert met, "\n".join(f"{one.number} {one.met} {one.said}" for one in outcomes) + daemon.tail()
            books = Books(file=daemon.database)
            await _until(books, scenario.records, daemon)
            assert await daemon.stop() == 0
            assert not [entry for entry in daemon.entries if entry.get("level") == "critical" or "line" in entry]
    finally:
        await smsc.stop()


async def _until(books: Books, records: dict[str, int], daemon: Daemon) -> None:
    deadline = time.monotonic() + PATIENCE_S / 2
    while not records.items() <= (found := await _records(books)).items():
        assert time.monotonic() < deadline, f"{found}, not {records}: {daemon.tail()}"
        await asyncio.sleep(0.02)


async def _records(books: Books) -> dict[str, int]:
    """Count codes, messages by their status, and what was decided about MOs."""
    found = dict.fromkeys(("queued", "accepted", "refused", "delivered", "failed"), 0)
    for status, count in await books.rows("select status, count(*) from mts group by status"):
        found[status] = count
    for outcome, count in await books.rows(
        "select outcome, count(*) from mos where outcome is not null group by outcome"
    ):
        found[outcome] = count
    for name, query in _COUNTED.items():
        found[name] = await books.number(f"select count(*) from {query}")
    return found
