"""Every shipped scenario is played against the real daemon: what it expects is seen, what it says is in the books.

A daemon has several links, and the SMSC of each of them has a scenario of its own: none disturbs the others.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from smsgw.simulator import certificates, scenario as scenarios, steps
from smsgw.simulator.rehearsal import Outcome, Place, Rehearsal, settings_of
from smsgw.simulator.scenario import Scenario
from smsgw.simulator.smsc import Smsc, SmscSettings
from tests.peers.programs import free_port
from tests.system.books import Books
from tests.system.daemon import PATIENCE_S, Daemon, daemon_of

_TOGETHER: Final = 9
_ALL: Final = [scenarios.find(name) for name in scenarios.shipped()]
_ALIKE: Final = [one for one in _ALL if not one.service]
# those with settings of their own for the service have the daemon for themselves
_GROUPS: Final = [_ALIKE[at : at + _TOGETHER] for at in range(0, len(_ALIKE), _TOGETHER)] + [
    [one] for one in _ALL if one.service
]
_COUNTED: Final = {
    "codes": "codes c join mos m on m.id = c.mo where m.link",
    "incomplete": "mos where incomplete = 1 and link",
    "unmatched": "receipts where mt is null and link",
    "receipts": "receipts where link",
    "asked": "operations where status = 'done' and link",
    "alerts": "alerts where link",
}


class Stage:
    """One link's SMSC and what is played on it."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.outcomes: list[Outcome] = []
        self.link: dict[str, Any] = {}
        self._outside = free_port()
        folder = folder / "authorities" / scenario.name
        folder.mkdir(parents=True)
        self._authority, key = certificates.make(folder, "127.0.0.1")
        tls = certificates.context(self._authority, key) if scenario.smsc.tls else None
        self.smsc = Smsc(settings_of(scenario, SmscSettings(), tls))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Start it, and know the link's settings."""
        filled = {"{authority}": str(self._authority), "{gateway}": f"127.0.0.1:{self._outside}"}
        for name, value in self.scenario.link.items():
            self.link[name] = filled.get(value, value) if isinstance(value, str) else value
        try:
            if self.scenario.smsc.listens:
                self.link["port"] = await self.smsc.start()
            else:
                self.link["host"] = None
            yield
        finally:
            await self.smsc.stop()

    async def play(self, books: Books) -> str:
        """Play; return what was not as it should be."""
        place = Place(gateway=("127.0.0.1", self._outside))
        met = await Rehearsal(self.scenario, self.smsc, place, self.outcomes.append).play()
        if not met:
            told = "\n".join(f"  {one.number} {one.met} {one.said}" for one in self.outcomes)
            return f"{self.scenario.name}:\n{told}"
        deadline = time.monotonic() + PATIENCE_S / 2
        while not self.scenario.records.items() <= (found := await _records(books, self.scenario.name)).items():
            if time.monotonic() > deadline:
                return f"{self.scenario.name}: {found}, not {self.scenario.records}"
            await asyncio.sleep(0.05)
        return ""


async def _records(books: Books, link: str) -> dict[str, int]:
    """Count codes, messages by their status, and what was decided about MOs, of one link."""
    found = dict.fromkeys(("queued", "accepted", "refused", "delivered", "failed"), 0)
    for table, column in (("mts", "status"), ("mos", "outcome")):
        query = f"select {column}, count(*) from {table} where link = '{link}' group by {column}"
        found |= dict(await books.rows(query))
    for name, query in _COUNTED.items():
        found[name] = await books.number(f"select count(*) from {query} = '{link}'")
    return found


@pytest.mark.parametrize("group", _GROUPS, ids=lambda group: f"{group[0].name}-to-{group[-1].name}")
async def test_each_ends_as_it_should(tmp_path: Path, group: Sequence[Scenario]) -> None:
    stages = [Stage(one, tmp_path) for one in group]
    async with AsyncExitStack() as stack:
        for stage in stages:
            await stack.enter_async_context(stage.opened())
        links = {stage.scenario.name: stage.link for stage in stages}
        daemon: Daemon = await stack.enter_async_context(daemon_of(tmp_path, links, service=group[0].service))
        daemon.start()
        await daemon.until_told("app.started")
        books = Books(file=daemon.database)
        wrong = [one for one in await asyncio.gather(*(stage.play(books) for stage in stages)) if one]
        assert not wrong, "\n".join(wrong) + daemon.tail()
        assert await daemon.stop() == 0
        assert not daemon.lines(), "it has printed beside its log"


def test_there_is_one_for_each_class_of_misbehaviour() -> None:
    """The words of the steps: what no shipped scenario uses, nobody has tried."""
    used = {type(step) for one in _ALL for step in one.steps}
    unused = {word for word, kind in steps.BY_WORD.items() if kind not in used}
    assert unused <= {"offer", "wait"}
    assert all(one.description.endswith(".") and one.records for one in _ALL)


async def simulate(*words: str) -> tuple[int, str]:
    """Run the command; return its exit status, and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "smsgw",
        "simulate",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_the_command_plays_one_and_reports(tmp_path: Path) -> None:
    port = free_port()
    async with daemon_of(tmp_path, {"one": {"port": port, "receipts": True}}) as daemon:
        daemon.start()
        status, said = await simulate("--port", str(port), "--scenario", "good-citizen")
    assert status == 0, said
    assert "✓ the gateway has answered ESME_ROK" in said
    assert "as it should be: 4 of 4 expectations" in said
    assert "the gateway's link file must have: receipts = true" in said


async def test_the_command_says_what_was_not_seen(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'description = "Nobody comes."\n[smsc]\ntls = true\n'
        '[[steps]]\ndo = "expect bound"\nwithin_s = 0.1\n[[steps]]\ndo = "drop"\n'
    )
    status, said = await simulate("--port", "0", "--scenario", str(file))
    assert status == 1
    assert "✗ expected within 0.1 s to be bound: transceiver; seen: none" in said
    assert "not as it should be: 1 of 1 expectations, at step 1; 1 step(s) were left out" in said
    assert "its certificate, for tls_ca_file: /" in said


async def test_the_command_lists_them_and_names_mistakes(tmp_path: Path) -> None:
    status, said = await simulate("--list")
    assert status == 0
    assert all(one.name in said and one.description[:20] in said for one in _ALL)
    file = tmp_path / "mine.toml"
    file.write_text('description = "x"\n[[steps]]\ndo = "drp"\n')
    status, said = await simulate("--scenario", str(file))
    assert (status, said.count("\n")) == (78, 1)
    assert said.startswith(f'smsgw: {file}: step 1: do: "drp" is not allowed; allowed are alert, ')
    status, said = await simulate("--scenario", "hang", "--gateway", "nowhere")
    assert (status, "--gateway" in said) == (78, True)
