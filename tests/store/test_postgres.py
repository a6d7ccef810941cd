"""What the contract cannot say, because only PostgreSQL has it: a server that goes away, several writers at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

import asyncpg
import pytest

from smsgw.errors import StartError, StoreBroken, StoreConflict, StoreUnavailable
from smsgw.store import migrate, postgres
from smsgw.store.postgres import PostgresDatabase, PostgresLimits, mapped
from smsgw.store.queries import load
from tests.servers.postgres import PostgresServer

CONTRACT: Final = Path(__file__).parent / "contract"


@asynccontextmanager
async def opened(dsn: str, limits: PostgresLimits | None = None) -> AsyncIterator[PostgresDatabase]:
    database = await PostgresDatabase.open(dsn, load(CONTRACT / "sql", "postgres"), limits=limits)
    try:
        await migrate.migrate(database, CONTRACT / "migrations", now_ms=0)
        yield database
    finally:
        await database.close()


async def put(database: PostgresDatabase, name: str) -> None:
    async with database.write() as transaction:
        await transaction.execute("things.insert", id=name, size=1, picture=None)


async def names(database: PostgresDatabase) -> list[str]:
    async with database.read() as reader:
        return [name for name, _ in await reader.fetch("things.all")]


async def outside(dsn: str, sql: str) -> list[asyncpg.Record]:
    """What somebody else does to the database."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close()


# --- opening --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda dsn: dsn.replace("user=smsgw", "user=stranger"), "stranger"),
        (lambda dsn: dsn.replace("test_", "missing_"), "missing_"),
        (lambda dsn: dsn.replace("postgresql://", "http://"), "scheme"),
    ],
)
async def test_a_wrong_dsn_is_told_in_one_line(postgres_dsn: str, wrong: Callable[[str], str], why: str) -> None:
    with pytest.raises(StartError, match=why) as caught:
        await PostgresDatabase.open(wrong(postgres_dsn), {})
    assert caught.value.exit_status == 78
    assert "\n" not in str(caught.value)


async def test_a_server_that_is_away_may_come_back(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await PostgresDatabase.open(f"postgresql:///any?host={tmp_path}&user=smsgw", {})


async def test_a_server_without_fsync_is_refused(postgres_server: PostgresServer, postgres_dsn: str) -> None:
    async def fsync(value: str) -> None:
        await outside(postgres_dsn, f"alter system set fsync = {value}")
        await outside(postgres_dsn, "select pg_reload_conf()")
        async with asyncio.timeout(30):
            while (await outside(postgres_dsn, "show fsync"))[0]["fsync"] != value:
                pass

    await fsync("off")
    try:
        with pytest.raises(StartError, match="fsync = off"):
            await PostgresDatabase.open(postgres_dsn, {})
    finally:
        await fsync("on")


async def test_a_commit_waits_for_the_disk_whatever_the_database_says(postgres_dsn: str) -> None:
    name = urlsplit(postgres_dsn).path.removeprefix("/")
    await outside(postgres_dsn, f"alter database {name} set synchronous_commit = off")
    async with opened(postgres_dsn) as database, database._lent() as connection:
        assert await connection.fetchval("show synchronous_commit") == "on"


# --- several at once ------------------------------------------------------------------------------------------------


async def test_several_write_at_once(postgres_dsn: str) -> None:
    async with opened(postgres_dsn) as database:
        async with database.write() as first, database.write() as second:
            await first.execute("things.insert", id="a", size=1, picture=None)
            await second.execute("things.insert", id="b", size=1, picture=None)
        assert await names(database) == ["a", "b"]


async def test_of_two_that_wait_for_each_other_one_may_try_again(postgres_dsn: str) -> None:
    name = urlsplit(postgres_dsn).path.removeprefix("/")
    await outside(postgres_dsn, f"alter database {name} set deadlock_timeout = '20ms'")
    both = asyncio.Barrier(2)

    async def grow(one: str, other: str) -> None:
        async with database.write() as transaction:
            await transaction.execute("things.grow", id=one, size=1, by=1)
            await both.wait()
            await transaction.execute("things.grow", id=other, size=1, by=1)

    async with opened(postgres_dsn) as database:
        await put(database, "a")
        await put(database, "b")
        outcomes = await asyncio.gather(grow("a", "b"), grow("b", "a"), return_exceptions=True)
        [error] = [outcome for outcome in outcomes if outcome is not None]
        assert isinstance(error, StoreUnavailable)


async def test_a_row_that_another_holds_is_waited_for_only_so_long(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, PostgresLimits(lock_wait_ms=30)) as database:
        await put(database, "a")
        async with database.write() as first:
            await first.execute("things.grow", id="a", size=1, by=1)
            with pytest.raises(StoreUnavailable, match="55P03"):
                async with database.write() as second:
                    await second.execute("things.grow", id="a", size=1, by=1)


async def test_there_are_only_so_many_connections(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, PostgresLimits(connections=1, connect_ms=500)) as database:
        async with database.write():
            with pytest.raises(StoreUnavailable):
                await put(database, "a")
        await put(database, "a")


# --- a server that goes away ----------------------------------------------------------------------------------------


async def test_a_lost_connection_is_replaced(postgres_server: PostgresServer, postgres_dsn: str) -> None:
    async def cut_off() -> None:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="a", size=1, picture=None)
            await outside(
                postgres_server.dsn("postgres"),
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'smsgw'",
            )
            await transaction.execute("things.insert", id="b", size=1, picture=None)

    async with opened(postgres_dsn) as database:
        with pytest.raises(StoreUnavailable):
            await cut_off()
        await put(database, "c")
        assert await names(database) == ["c"]


@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_the_store_comes_back_with_the_server(
    postgres_server: PostgresServer, postgres_dsn: str, how: str
) -> None:
    async with opened(postgres_dsn) as database:
        await put(database, "a")
        with stopped(postgres_server, how):
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    await put(database, "b")
                with pytest.raises(StoreUnavailable):
                    await names(database)
        await put(database, "c")
        assert await names(database) == ["a", "c"]


@contextmanager
def stopped(server: PostgresServer, how: str) -> Iterator[None]:
    server.stop("immediate" if how == "immediate" else "fast")
    try:
        yield
    finally:
        server.start()


async def test_a_transaction_that_forgets_itself_loses_its_locks(postgres_dsn: str) -> None:
    async def forget() -> None:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="a", size=1, picture=None)
            async with asyncio.timeout(30):
                while await outside(postgres_dsn, "select 1 from pg_stat_activity where state = 'idle in transaction'"):
                    pass
            await transaction.execute("things.insert", id="b", size=1, picture=None)

    async with opened(postgres_dsn, PostgresLimits(idle_ms=30)) as database:
        with pytest.raises(StoreUnavailable):
            await forget()
        await put(database, "a")


Fate = Literal["passes", "waits", "loses its answer", "is lost", "is swallowed"]


class Wire:
    """A socket between us and the server, where something may happen to COMMIT."""

    COMMIT: Final = b"Q\0\0\0\x0bcommit\0"  # the message as it is on the wire

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self._server = server
        self._folder = folder
        self._tasks: set[asyncio.Task[None]] = set()
        self.commit: Fate = "passes"
        self.waits = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self._cut_at_answer = False

    def dsn(self, dsn: str) -> str:
        """How to connect through here."""
        return dsn.replace(str(self._server.socket.parent), str(self._folder))

    async def __aenter__(self) -> Self:
        self._socket = await asyncio.start_unix_server(self._serve, self._folder / ".s.PGSQL.5432")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, questions: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._server.socket)
        back = asyncio.create_task(self._carry(from_server, answers))
        forth = asyncio.create_task(self._ask(questions, to_server, back))
        self._tasks |= {back, forth}

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while (data := await source.read(65_536)) and not self._cut_at_answer:
                target.write(data)
        finally:
            target.close()

    async def _ask(
        self, questions: asyncio.StreamReader, to_server: asyncio.StreamWriter, back: "asyncio.Task[None]"
    ) -> None:
        while data := await questions.read(65_536):
            fate = self.commit if data == self.COMMIT else "passes"
            self._cut_at_answer = fate == "loses its answer"
            if fate == "waits":
                self.waits.set()
                await self.may_go_on.wait()
            if fate in ("passes", "waits", "loses its answer"):
                to_server.write(data)
            elif fate == "is lost":
                back.cancel()
        to_server.close()


@pytest.mark.parametrize(("what", "there"), [("loses its answer", ["a"]), ("is lost", [])])
async def test_a_connection_lost_during_the_commit_leaves_it_open(
    postgres_server: PostgresServer,
    postgres_dsn: str,
    tmp_path: Path,
    what: Fate,
    there: list[str],
) -> None:
    """Both look the same from here: that is why whoever tries again must be idempotent."""
    async with Wire(tmp_path, postgres_server) as wire, opened(wire.dsn(postgres_dsn)) as database:
        wire.commit = what
        with pytest.raises(StoreUnavailable, match="not known whether"):
            await put(database, "a")
        wire.commit = "passes"
        assert await names(database) == there
        await put(database, "b")
        assert await names(database) == [*there, "b"]


async def test_a_cancelled_commit_is_known_when_the_task_ends(
    postgres_server: PostgresServer, postgres_dsn: str, tmp_path: Path
) -> None:
    async with Wire(tmp_path, postgres_server) as wire, opened(wire.dsn(postgres_dsn)) as database:
        wire.commit = "waits"
        task = asyncio.create_task(put(database, "a"))
        await wire.waits.wait()
        for _ in range(5):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        wire.may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await outside(postgres_dsn, "select id from things") != []


async def test_a_server_that_goes_dumb_is_given_up(
    postgres_server: PostgresServer, postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_SLACK_MS", 50)
    limits = PostgresLimits(statement_ms=200)
    async with Wire(tmp_path, postgres_server) as wire, opened(wire.dsn(postgres_dsn), limits) as database:
        wire.commit = "is swallowed"
        async with asyncio.timeout(2):  # without giving up, its pool would wait as long as for a new connection
            with pytest.raises(StoreUnavailable, match="not known whether"):
                await put(database, "a")
        wire.commit = "passes"
        await put(database, "b")
        assert await names(database) == ["b"]


async def test_to_close_does_not_wait_for_ever(postgres_dsn: str) -> None:
    async def forget() -> None:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="a", size=1, picture=None)
            await database.close()
            await transaction.execute("things.insert", id="b", size=1, picture=None)

    async with opened(postgres_dsn, PostgresLimits(statement_ms=50)) as database:
        with pytest.raises(StoreUnavailable):
            await forget()


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (ConnectionRefusedError(), StoreUnavailable),
        (TimeoutError(), StoreUnavailable),
        (asyncpg.ConnectionDoesNotExistError("gone"), StoreUnavailable),
        (asyncpg.CannotConnectNowError("starting up"), StoreUnavailable),
        (asyncpg.AdminShutdownError("bye"), StoreUnavailable),
        (asyncpg.TooManyConnectionsError("full"), StoreUnavailable),
        (asyncpg.DiskFullError("full"), StoreUnavailable),
        (asyncpg.SerializationError("again"), StoreUnavailable),
        (asyncpg.DeadlockDetectedError("again"), StoreUnavailable),
        (asyncpg.LockNotAvailableError("locked"), StoreUnavailable),
        (asyncpg.QueryCanceledError("deadline"), StoreUnavailable),
        (asyncpg.ReadOnlySQLTransactionError("standby"), StoreUnavailable),
        (asyncpg.InvalidPasswordError("changed meanwhile"), StoreUnavailable),
        (asyncpg.UniqueViolationError("twice"), StoreConflict),
        (asyncpg.ForeignKeyViolationError("alone"), StoreConflict),
        (asyncpg.CheckViolationError("wrong"), StoreConflict),
        (asyncpg.DataCorruptedError("torn"), StoreBroken),
        (asyncpg.IndexCorruptedError("torn"), StoreBroken),
        (asyncpg.CharacterNotInRepertoireError("NUL"), ValueError),
        (asyncpg.UndefinedTableError("mistake"), asyncpg.UndefinedTableError),
        (asyncpg.PostgresSyntaxError("mistake"), asyncpg.PostgresSyntaxError),
        (asyncpg.InterfaceError("mistake"), asyncpg.InterfaceError),
    ],
)
def test_each_answer_has_a_meaning(error: Exception, meaning: type[Exception]) -> None:
    found = type(mapped(error))
    assert found is meaning or (meaning is StoreUnavailable and issubclass(found, meaning))


async def test_errors_do_not_quote_what_was_stored(postgres_dsn: str) -> None:
    """PostgreSQL's details and asyncpg's messages do: numbers and texts must not reach a log that way."""
    secret = "359888123456"
    async with opened(postgres_dsn) as database:
        await put(database, secret)
        for query, values in (
            ("things.insert", {"id": secret, "size": 1, "picture": None}),
            ("things.insert", {"id": secret + "\0", "size": 1, "picture": None}),
            ("things.insert", {"id": "a", "size": secret, "picture": None}),
            ("things.insert", {"id": secret, "size": -1, "picture": None}),
        ):
            with pytest.raises((StoreConflict, ValueError)) as caught:
                async with database.write() as transaction:
                    await transaction.execute(query, **values)
            assert secret not in str(caught.value)
            assert caught.value.__cause__ is None
            assert caught.value.__suppress_context__


async def test_a_migration_beside_us_is_noticed(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, PostgresLimits(connections=1)) as database:
        await put(database, "a")
        assert await names(database) == ["a"]
        await outside(postgres_dsn, "alter table things alter size type numeric")
        with pytest.raises(StoreUnavailable):
            await names(database)
        assert await names(database) == ["a"]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TimeoutError(), "PostgreSQL: no answer in time"),
        (FileNotFoundError(2, "No such file or directory"), "PostgreSQL: no connection: No such file or directory"),
        (ConnectionResetError(), "PostgreSQL: no connection: ConnectionResetError"),
    ],
)
def test_a_server_that_is_away_is_told_in_words(error: Exception, sentence: str) -> None:
    assert str(mapped(error)) == sentence
