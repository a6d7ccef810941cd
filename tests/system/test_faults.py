"""A store that cannot write: operators are asked to try again, visitors too, and all goes on by itself when it can."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.disk import FaultyDisk
from tests.peers import octets
from tests.peers.plain_smsc import Line, Mo, PlainSmsc
from tests.servers.postgres import PostgresServer
from tests.system.books import Books
from tests.system.daemon import PATIENCE_S, Daemon, daemon_of
from tests.waiting import until

NUMBER = "359888000001"


class Fault(NamedTuple):
    """How a store stops to write, and how it begins again."""

    begin: Callable[[], object]
    end: Callable[[], object]
    books: Books
    environment: dict[str, str] = {}  # noqa: RUF012 - never changed
    store: dict[str, str] = {}  # noqa: RUF012 - as above


@pytest.fixture
def disk(tmp_path: Path) -> FaultyDisk:
    """A disk for the database that fails on demand."""
    if shutil.which("cc") is None:
        pytest.fail("a C compiler is missing; apt-get install gcc libc6-dev")
    return FaultyDisk.build(tmp_path, pattern="*/smsgw.db*")


@pytest.fixture(params=["disk_full", "locked", "server_away"])
def fault(request: pytest.FixtureRequest) -> Fault:
    """Each of the ways."""
    chosen: Fault = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def disk_full(disk: FaultyDisk, tmp_path: Path) -> Fault:
    """The disk has no room."""
    books = Books(file=tmp_path / "smsgw.db")
    return Fault(lambda: disk.fail("full"), disk.heal, books, environment=disk.environment)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Fault]:
    """Another process keeps the database locked for longer than anybody waits."""
    with closing(_other_process(tmp_path)) as other:
        yield Fault(lambda: other.execute("begin immediate"), other.rollback, Books(file=tmp_path / "smsgw.db"))


@pytest.fixture
def server_away(postgres_server: PostgresServer, postgres_dsn: str) -> Iterator[Fault]:
    """PostgreSQL crashes, and is started again some time later."""
    with ExitStack() as away:

        def begin() -> None:
            postgres_server.stop("immediate")
            away.callback(postgres_server.start)

        yield Fault(begin, away.close, Books(dsn=postgres_dsn), store={"engine": "postgres", "dsn": postgres_dsn})


def _other_process(folder: Path) -> sqlite3.Connection:
    (folder / "smsgw.db").touch(0o600)
    return sqlite3.connect(folder / "smsgw.db", isolation_level=None)


async def is_alive(smsc: PlainSmsc, line: Line) -> bool:
    """Whether an enquire_link is answered."""
    number = line.request(octets.ENQUIRE_LINK)
    await smsc.until(lambda: number in {pdu.sequence for pdu in line.heard_of(octets.ENQUIRE_LINK_RESP)})
    return not line.closed


async def settled(daemon: Daemon, books: Books, mos: list[Mo], *smscs: PlainSmsc) -> None:
    """Check that each message, from a number of its own, is acknowledged, and has bought and got one code."""
    once = {mo.source: 1 for mo in mos}
    for smsc in smscs:
        await smsc.until(lambda smsc=smsc: smsc.idle)  # type: ignore[misc]  # mypy can't type a lambda's default
    await until(lambda: sum(len(smsc.codes) for smsc in smscs) == len(mos), PATIENCE_S, daemon.tail)
    assert await daemon.stop() == 0
    assert all(mo.acknowledged for mo in mos)
    assert {number: len(set(codes)) for smsc in smscs for number, codes in smsc.codes.items()} == once
    assert dict(await books.rows("select msisdn, count(*) from codes group by msisdn")) == once


async def test_all_goes_on_by_itself_when_the_store_writes_again(tmp_path: Path, fault: Fault) -> None:
    main = {"store": {"busy_timeout_s": 0.3, **fault.store}, "web": {"port": 0, "verify_timeout_s": 1.0}}
    async with (
        PlainSmsc() as smsc,
        PlainSmsc() as other,
        daemon_of(tmp_path, {"one": {"port": smsc.port}, "two": {"port": other.port}}, main=main) as daemon,
    ):
        daemon.start(fault.environment)
        line, other_line = await smsc.until_bound(), await other.until_bound()
        first = smsc.put(NUMBER)
        await smsc.until(lambda: NUMBER in smsc.codes)
        [code] = smsc.codes[NUMBER]
        assert (await daemon.verify(code)).status == 303

        fault.begin()
        mos = [smsc.put(f"359888{number:06}") for number in range(100, 130)]
        await smsc.until(lambda: all(octets.TRY_AGAIN in mo.answers for mo in mos))
        answered = await daemon.verify(code)
        assert answered.status == 503
        assert "try again in a minute" in answered.body
        assert await is_alive(other, other_line)
        assert await is_alive(smsc, line)
        other_line.drop()  # this one cannot begin a session now, and must do so later
        assert not any(mo.acknowledged for mo in mos)
        assert {status for mo in mos for status in mo.answers} == {octets.TRY_AGAIN}

        fault.end()
        await smsc.until(lambda: all(mo.acknowledged for mo in mos))
        assert (await daemon.verify(code)).place == "http://shop.example/in"
        await other.until_bound()
        last = other.put("359889000001")
        assert not line.closed
        assert [entry for entry in daemon.entries if "Traceback" in str(entry)] == []
        await settled(daemon, fault.books, [first, *mos, last], smsc, other)


async def test_what_comes_again_while_the_store_is_slow_is_bought_once(tmp_path: Path) -> None:
    """The SMSC gives up waiting for the answer, delivers again on the same connection, and gets both answers."""
    link = {"smsc_response_timer_s": 0.2}
    with closing(_other_process(tmp_path)) as other:
        async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port, **link}}) as daemon:
            daemon.start()
            line = await smsc.until_bound()
            other.execute("begin immediate")
            mos = [smsc.put(f"359888{number:06}") for number in range(20)]
            late, later = mos[:10], mos[10:]
            await asyncio.sleep(0.3)  # longer than the SMSC waits
            for mo in late:
                line.deliver(mo)
            await is_alive(smsc, line)  # they have been read
            other.rollback()
            await smsc.until(lambda: all(len(mo.answers) == 2 for mo in late))
            await smsc.until(lambda: all(mo.acknowledged for mo in later))
            for mo in later:  # their answers came, but too late for this SMSC
                line.deliver(mo)
            await smsc.until(lambda: all(len(mo.answers) == 2 for mo in mos))
            assert {status for mo in mos for status in mo.answers} == {octets.OK}
            await settled(daemon, Books(file=daemon.database), mos, smsc)


async def test_after_a_failed_fsync_nothing_is_acknowledged(tmp_path: Path, disk: FaultyDisk) -> None:
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        daemon.start(disk.environment)
        await smsc.until_bound()
        first = smsc.put(NUMBER)
        await smsc.until(lambda: smsc.idle and NUMBER in smsc.codes)

        disk.fail("fsync")
        mos = [smsc.put(f"359888{number:06}") for number in range(100, 130)]
        assert await daemon.ended() == 74
        [line] = daemon.lines()
        assert line == "smsgw: SQLite: disk I/O error (SQLITE_IOERR_FSYNC)"
        assert len(daemon.told("store.broken", level="critical")) == 1
        assert [mo.answers for mo in mos] == [[]] * len(mos)

        disk.heal()
        daemon.start(disk.environment)
        await settled(daemon, Books(file=daemon.database), [first, *mos], smsc)


async def test_a_full_disk_at_the_start_is_one_clear_line(tmp_path: Path, disk: FaultyDisk) -> None:
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        disk.fail("full")
        daemon.start(disk.environment)
        status = await daemon.ended()
        assert (status, len(daemon.lines())) == (75, 1)
        assert daemon.lines()[0].startswith("smsgw: SQLite: ")

        disk.heal()
        daemon.start(disk.environment)
        await settled(daemon, Books(file=daemon.database), [smsc.put(NUMBER)], smsc)
