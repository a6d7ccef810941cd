"""SIGTERM: no new messages, what is in flight is finished, unbind, exit status 0; all within the budget."""

import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults.disk import FaultyDisk
from tests.peers import octets
from tests.peers.octets import Pdu
from tests.peers.plain_smsc import Line, PlainSmsc, correct
from tests.system.books import Books
from tests.system.daemon import Daemon, daemon_of
from tests.waiting import until

_SLACK_S: Final = 4.0  # a slow machine's, beyond the budget


class Holding:
    """An SMSC's way to answer that keeps submits waiting until it is told to let go."""

    def __init__(self, smsc: PlainSmsc) -> None:
        self.held: list[tuple[Line, Pdu]] = []
        self._smsc = smsc

    def __call__(self, line: Line, pdu: Pdu) -> int | None:
        if pdu.command == octets.SUBMIT_SM:
            self.held.append((line, pdu))
            return None
        return correct(line, pdu)

    def let_go(self) -> None:
        self._smsc.answer = correct
        for line, pdu in self.held:
            self._smsc.respond(line, pdu)


def _budget(seconds: float) -> dict[str, Any]:
    return {"stop_timeout_s": seconds}


async def test_it_finishes_what_is_in_flight_and_takes_nothing_new(tmp_path: Path) -> None:
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}, main=_budget(20.0)) as daemon:
        smsc.answer = holding = Holding(smsc)
        daemon.start()
        line = await smsc.until_bound()
        before = [smsc.put(f"359888{number:06}") for number in range(10)]
        await smsc.until(lambda: len(holding.held) == 10 and all(mo.acknowledged for mo in before))

        daemon.signal(signal.SIGTERM)
        after = smsc.put("359889000000")  # the signal may still be on its way: then it is just one more
        await smsc.until(lambda: after.acknowledged or octets.TRY_AGAIN in after.answers)
        late = smsc.put("359889000001")
        await smsc.until(lambda: octets.TRY_AGAIN in late.answers)
        assert line.heard_of(octets.UNBIND) == []

        holding.let_go()
        assert await daemon.ended() == 0
        assert len(line.heard_of(octets.UNBIND)) == 1
        assert line.heard[-1].command == octets.UNBIND
        assert not late.acknowledged
        books = Books(file=daemon.database)
        assert await books.number("select count(*) from mts where status = 'accepted'") >= 10
        assert await books.number("select count(*) from mos") == 10 + after.acknowledged


async def test_under_load_nothing_is_lost_and_nothing_is_bought_twice(tmp_path: Path) -> None:
    async with PlainSmsc(window=50) as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        mos = [smsc.put(f"359888{number:06}") for number in range(2000)]
        for round_ in range(3):
            daemon.start()
            await smsc.until_bound()
            enough = 200 * (round_ + 1)
            await smsc.until(lambda enough=enough: len(smsc.submitted) >= enough)  # type: ignore[misc]  # a default
            assert await daemon.stop() == 0
        daemon.start()
        await smsc.until(lambda: smsc.idle and len(smsc.codes) == len(mos))
        assert await daemon.stop() == 0
        assert [len(codes) for codes in smsc.codes.values()] == [1] * len(mos)
        books = Books(file=daemon.database)
        assert await books.number("select count(*) from codes") == len(mos)
        # An orderly end leaves nothing in doubt: the answer to the unbind proves all acknowledgements.
        assert await books.rows("select * from mo_uncertain") == []


async def test_a_dead_smsc_does_not_hold_it_longer_than_the_budget(tmp_path: Path) -> None:
    async with PlainSmsc() as smsc, PlainSmsc() as alive:
        ports = {"dead": {"port": smsc.port}, "alive": {"port": alive.port}}
        async with daemon_of(tmp_path, ports, main=_budget(1.0)) as daemon:
            daemon.start()
            line, alive_line = await smsc.until_bound(), await alive.until_bound()
            smsc.answer = lambda *_: None  # from now on it answers nothing, not even the unbind
            mo = smsc.put("359888000001")
            await smsc.until(lambda: mo.acknowledged and line.heard_of(octets.SUBMIT_SM))
            began = time.monotonic()
            assert await daemon.stop() == 0
            assert 0.9 <= time.monotonic() - began < 1.0 + _SLACK_S
            assert len(alive_line.heard_of(octets.UNBIND)) == 1

            # Nobody knows what became of the answer, so it is sent again.
            smsc.answer = correct
            daemon.start()
            await smsc.until(lambda: "359888000001" in smsc.codes)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(tmp_path: Path, second: signal.Signals) -> None:
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}, main=_budget(60.0)) as daemon:
        smsc.answer = holding = Holding(smsc)
        daemon.start()
        await smsc.until_bound()
        mo = smsc.put("359888000001")
        await smsc.until(lambda: holding.held and mo.acknowledged)
        daemon.signal(signal.SIGTERM)
        late = smsc.put("359889000001")
        await smsc.until(lambda: late.answers)  # it is stopping now, and waits for what is in flight
        daemon.signal(second)
        assert await daemon.ended() == 1
        [line] = daemon.lines()
        assert line.startswith("smsgw: told again to stop: ended at once")

        smsc.answer = correct
        daemon.start()
        await smsc.until(lambda: {"359888000001", "359889000001"} <= smsc.codes.keys())
        assert await daemon.stop() == 0


async def test_a_lost_write_during_the_stop_is_told(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.fail("a C compiler is missing; apt-get install gcc libc6-dev")
    disk = FaultyDisk.build(tmp_path, pattern="*/smsgw.db*")
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}, main=_budget(5.0)) as daemon:
        smsc.answer = holding = Holding(smsc)
        daemon.start(disk.environment)
        await smsc.until_bound()
        mo = smsc.put("359888000001")
        await smsc.until(lambda: holding.held and mo.acknowledged)
        daemon.signal(signal.SIGTERM)
        late = smsc.put("359889000001")
        await smsc.until(lambda: late.answers)
        disk.fail("fsync")
        holding.let_go()  # the result of what was in flight cannot be recorded
        assert await daemon.ended() == 74
        assert daemon.lines() == ["smsgw: SQLite: disk I/O error (SQLITE_IOERR_FSYNC)"]
        assert len(daemon.told("store.broken", level="critical")) == 1


@pytest.mark.parametrize("moment", ["key.made", "web.listening", "bind"])
async def test_a_signal_during_the_start_is_obeyed(tmp_path: Path, moment: str) -> None:
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}, main=_budget(1.0)) as daemon:
        smsc.answer = lambda *_: None  # the bind is never answered
        daemon.start()
        if moment == "bind":
            await smsc.until(lambda: smsc.lines and smsc.lines[0].heard)
        else:
            await until(lambda: moment in daemon.tail(), 20)
        began = time.monotonic()
        assert await daemon.stop() == 0
        assert time.monotonic() - began < 1.0 + _SLACK_S
        assert daemon.lines() == []


async def test_a_signal_before_it_listens_to_signals_ends_it_too(tmp_path: Path) -> None:
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        daemon.start()
        assert await daemon.stop() in {0, -signal.SIGTERM}


async def test_it_stops_although_the_store_does_not_write(tmp_path: Path) -> None:
    """The results of what was sent cannot be recorded: they are forgotten, and the messages sent again."""
    main = _budget(1.0) | {"store": {"busy_timeout_s": 0.2}}
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}, main=main) as daemon:
        smsc.answer = holding = Holding(smsc)
        daemon.start()
        await smsc.until_bound()
        mo = smsc.put("359888000001")
        await smsc.until(lambda: holding.held and mo.acknowledged)
        with closing(sqlite3.connect(daemon.database, isolation_level=None)) as other:
            other.execute("begin immediate")
            holding.let_go()
            began = time.monotonic()
            assert await daemon.stop() == 0
            assert time.monotonic() - began < 10.0 + _SLACK_S
        assert await _queued(daemon) == 1
        daemon.start()
        await smsc.until(lambda: len(smsc.submitted) == 2)
        await until(lambda: daemon.told("mt.accepted"), 20)
        assert await daemon.stop() == 0
        assert await _queued(daemon) == 0


async def _queued(daemon: Daemon) -> int:
    return await Books(file=daemon.database).number("select count(*) from mts where status = 'queued'")
