"""What the contract cannot say, because only SQLite has it: the file, its log, its lock, and a disk that fails."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
import pytest

from smsgw.errors import StartError, StoreBroken, StoreConflict, StoreUnavailable
from smsgw.store import migrate
from smsgw.store.database import Transaction
from smsgw.store.queries import Queries, load
from smsgw.store.sqlite import SqliteDatabase, SqliteLimits
from smsgw.store.sqlite_thread import mapped
from tests.faults.disk import FaultyDisk

CONTRACT: Final = Path(__file__).parent / "contract"
WRITER: Final = Path(__file__).parents[1] / "faults" / "writer.py"


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    size: int = 1
    picture: bytes | None = None


@pytest.fixture
def queries() -> Queries:
    return load(CONTRACT / "sql", "sqlite")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "smsgw.db"


@asynccontextmanager
async def opened(
    path: Path,
    queries: Queries,
    limits: SqliteLimits | None = None,
    on_broken: Callable[[StoreBroken], None] | None = None,
) -> AsyncIterator[SqliteDatabase]:
    database = await SqliteDatabase.open(path, queries, limits=limits, on_broken=on_broken)
    try:
        with suppress(StoreBroken):  # that is for the test to find
            await migrate.migrate(database, CONTRACT / "migrations", now_ms=0)
        yield database
    finally:
        await database.close()


async def put(database: SqliteDatabase, *names: str) -> None:
    async with database.write() as transaction:
        await transaction.executemany("things.insert", [Thing(id=name) for name in names])


def stored(path: Path) -> list[str]:
    """What another program finds in the file."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        return [name for (name,) in connection.execute("select id from things order by id")]


# --- opening --------------------------------------------------------------------------------------------------------


async def test_a_commit_is_on_disk(path: Path, queries: Queries) -> None:
    async with opened(path, queries) as database:
        expected = {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0, "foreign_keys": 1}

        def found(raw: sqlite3.Connection) -> dict[str, object]:
            return {name: raw.execute(f"pragma {name}").fetchone()[0] for name in expected}

        for thread in (database._writer, database._log._thread, database._readers.get_nowait()):
            assert await thread.run(found, 1_000) == expected


async def test_where_it_would_not_be_nothing_starts(
    queries: Queries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StartError, match="journal_mode=memory") as caught:
        await SqliteDatabase.open(Path(":memory:"), queries)
    assert caught.value.exit_status == 74


async def test_the_files_are_ours_alone(path: Path, queries: Queries) -> None:
    async with opened(path, queries):
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert modes == {"smsgw.db": 0o600, "smsgw.db-wal": 0o600, "smsgw.db-shm": 0o600}


@pytest.mark.parametrize("place", ["missing/smsgw.db", ".", "/proc/smsgw.db"])
async def test_a_place_where_no_file_can_be_is_named(place: str, tmp_path: Path, queries: Queries) -> None:
    with pytest.raises(StartError, match=str((tmp_path / place).parent)) as caught:
        await SqliteDatabase.open(tmp_path / place, queries)
    assert caught.value.exit_status == 73


async def test_what_is_not_a_database_is_broken(queries: Queries) -> None:
    with pytest.raises(StoreBroken, match="not a database"):
        await SqliteDatabase.open(Path(__file__), queries)


async def test_a_start_waits_for_another_program_only_so_long(path: Path, queries: Queries) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        with pytest.raises(StoreUnavailable, match="locked"):
            await SqliteDatabase.open(path, queries, limits=SqliteLimits(lock_wait_ms=20))


# --- the lock -------------------------------------------------------------------------------------------------------


async def test_another_program_that_writes_is_waited_for_only_so_long(path: Path, queries: Queries) -> None:
    async with opened(path, queries, SqliteLimits(lock_wait_ms=20)) as database:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
                    await put(database, "a")
            async with database.read() as reader:
                assert await reader.fetch("things.all") == [], "readers do not mind"
            other.execute("rollback")
            await put(database, "a")
    assert stored(path) == ["a"]


async def test_an_error_gives_the_lock_back_at_once(path: Path, queries: Queries) -> None:
    """Not when the block ends: whoever is in it may wait for something else."""

    async def conflict() -> None:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="b", size=1, picture=None)
            with pytest.raises(StoreConflict):
                await transaction.execute("things.insert", id="a", size=1, picture=None)
            with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
                other.execute("begin immediate")

    async with opened(path, queries) as database:
        await put(database, "a")
        with pytest.raises(StoreConflict):
            await conflict()
    assert stored(path) == ["a"]


# --- the log --------------------------------------------------------------------------------------------------------


def pages(path: Path) -> int:
    return path.with_name(path.name + "-wal").stat().st_size // 4096


async def test_the_log_is_moved_beside_the_writer_and_used_again(path: Path, queries: Queries) -> None:
    async with opened(path, queries, SqliteLimits(move_every=50)) as database:
        for number in range(300):
            await put(database, f"{number:03}")
            await database._log.settle()
        assert pages(path) < 100
    assert len(stored(path)) == 300


async def test_a_writer_that_never_rests_waits_when_the_log_is_long(path: Path, queries: Queries) -> None:
    """A move beside the writer always leaves what came meanwhile, so the log would never be used again."""
    async with opened(path, queries, SqliteLimits(move_every=10, log_pages=100)) as database:
        for number in range(500):
            await put(database, *(f"{number:03} {row}" for row in range(5)))
        assert pages(path) < 500
    assert len(stored(path)) == 2_500


async def test_what_is_committed_during_a_move_is_moved_after_it(path: Path, queries: Queries) -> None:
    async with opened(path, queries, SqliteLimits(move_every=20)) as database:
        may_go_on = threading.Event()
        held = asyncio.create_task(database._log._thread.run(lambda _: may_go_on.wait(30), 60_000))
        await asyncio.sleep(0)
        for number in range(20):
            await put(database, f"{number:02}")
        assert database._log._waiting >= 20
        may_go_on.set()
        assert await held
        await database._log.settle()
        assert database._log._waiting < 20


async def test_the_end_leaves_one_file(path: Path, queries: Queries) -> None:
    async with opened(path, queries) as database:
        await put(database, "a")
    assert [file.name for file in path.parent.iterdir()] == ["smsgw.db"]


# --- the end, and what is under way then ----------------------------------------------------------------------------


async def test_to_close_waits_for_the_writer(path: Path, queries: Queries) -> None:
    async with opened(path, queries) as database:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="a", size=1, picture=None)
            closing_time = asyncio.create_task(database.close())
            await asyncio.sleep(0)
            await transaction.execute("things.insert", id="b", size=1, picture=None)
        await closing_time
        assert stored(path) == ["a", "b"]


async def test_a_cancelled_commit_is_known_when_the_task_ends(path: Path, queries: Queries) -> None:
    """Hold the thread, so that the cancellation certainly comes while COMMIT waits."""
    async with opened(path, queries) as database:
        may_go_on = threading.Event()
        held = asyncio.create_task(database._writer.run(lambda _: may_go_on.wait(30), 60_000))
        await asyncio.sleep(0)
        task = asyncio.create_task(put(database, "a"))
        for _ in range(5):
            await asyncio.sleep(0)
            task.cancel()
        assert not task.done()
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stored(path) == ["a"]
        assert await held


@pytest.mark.parametrize("way", ["block", "body"])
async def test_what_is_committed_while_the_disk_breaks_is_not_acknowledged(
    path: Path, queries: Queries, way: str
) -> None:
    """The move of the log may meet the error while COMMIT is under way."""

    async def body(transaction: Transaction) -> None:
        await transaction.execute("things.insert", id="a", size=1, picture=None)

    async with opened(path, queries) as database:
        may_go_on = threading.Event()
        held = asyncio.create_task(database._writer.run(lambda _: may_go_on.wait(30), 60_000))
        await asyncio.sleep(0)
        task = asyncio.create_task(put(database, "a") if way == "block" else database.transact(body))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        database._health.fail(StoreBroken("as the log's move says it"))
        may_go_on.set()
        with pytest.raises(StoreBroken):
            await task
        assert await held
    assert stored(path) == (["a"] if way == "block" else []), "a body's COMMIT had not been sent"


async def test_a_body_that_waits_for_something_else_is_refused(path: Path, queries: Queries) -> None:
    """Nobody would wake it: it runs in the connection's thread, where there is no loop."""

    async def body(transaction: Transaction) -> None:
        await transaction.execute("things.insert", id="a", size=1, picture=None)
        await asyncio.sleep(0)

    async with opened(path, queries) as database:
        with pytest.raises(RuntimeError, match="nothing but its transaction"):
            await database.transact(body)
        await put(database, "b")
    assert stored(path) == ["b"]


async def test_a_cancelled_body_is_known_when_the_task_ends(path: Path, queries: Queries) -> None:
    async def body(transaction: Transaction) -> None:
        await transaction.execute("things.insert", id="a", size=1, picture=None)

    async with opened(path, queries) as database:
        may_go_on = threading.Event()
        held = asyncio.create_task(database._writer.run(lambda _: may_go_on.wait(30), 60_000))
        await asyncio.sleep(0)
        task = asyncio.create_task(database.transact(body))
        for _ in range(5):
            await asyncio.sleep(0)
            task.cancel()
        assert not task.done()
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stored(path) == ["a"]
        assert await held


def test_a_program_that_forgets_to_close_ends_all_the_same(path: Path) -> None:
    program = """
import asyncio, pathlib, sys
from smsgw.store.sqlite import SqliteDatabase
async def main():
    global kept
    kept = await SqliteDatabase.open(pathlib.Path(sys.argv[1]), {})
    raise SystemExit(7)
asyncio.run(main())
"""
    assert subprocess.run([sys.executable, "-c", program, path], timeout=30, check=False).returncode == 7


# --- errors ---------------------------------------------------------------------------------------------------------


def raised(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode, error.sqlite_errorname = code, "SQLITE_…"
    return error


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (sqlite3.SQLITE_BUSY, StoreUnavailable),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreUnavailable),
        (sqlite3.SQLITE_LOCKED, StoreUnavailable),
        (sqlite3.SQLITE_FULL, StoreUnavailable),
        (sqlite3.SQLITE_CANTOPEN, StoreUnavailable),
        (sqlite3.SQLITE_READONLY, StoreUnavailable),
        (sqlite3.SQLITE_IOERR_WRITE, StoreUnavailable),
        (sqlite3.SQLITE_IOERR_READ, StoreUnavailable),
        (sqlite3.SQLITE_IOERR_SHMSIZE, StoreUnavailable),
        (sqlite3.SQLITE_INTERRUPT, StoreUnavailable),
        (sqlite3.SQLITE_NOMEM, StoreUnavailable),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreBroken),
        (sqlite3.SQLITE_IOERR_DIR_FSYNC, StoreBroken),
        (sqlite3.SQLITE_CORRUPT, StoreBroken),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreBroken),
        (sqlite3.SQLITE_NOTADB, StoreBroken),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, StoreConflict),
        (sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, StoreConflict),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, StoreConflict),
        (sqlite3.SQLITE_ERROR, sqlite3.OperationalError),
        (sqlite3.SQLITE_MISUSE, sqlite3.OperationalError),
    ],
)
def test_each_result_code_has_a_meaning(code: int, meaning: type[Exception]) -> None:
    assert type(mapped(raised(code))) is meaning


def test_an_error_without_a_code_is_a_mistake_of_ours() -> None:
    error = sqlite3.ProgrammingError("no code")
    assert mapped(error) is error


def damage(path: Path) -> None:
    """Keep the first page, empty all others."""
    size = path.stat().st_size
    os.truncate(path, 4096)
    os.truncate(path, size)


async def test_a_damaged_page_is_told_and_nothing_is_written_any_more(path: Path, queries: Queries) -> None:
    async with opened(path, queries) as database:
        await put(database, *(f"{number:05}" for number in range(2_000)))
    damage(path)
    told: list[StoreBroken] = []
    async with opened(path, queries, on_broken=told.append) as database:
        for _ in range(2):
            with pytest.raises(StoreBroken):
                await put(database, "new")
        assert len(told) == 1


async def test_a_rollback_that_failed_is_made_up_for(path: Path, queries: Queries) -> None:
    async with opened(path, queries) as database:
        await database._writer.run(lambda raw: raw.execute("begin immediate"), 1_000)
        await put(database, "a")
    assert stored(path) == ["a"]


# --- a disk that fails ----------------------------------------------------------------------------------------------


class Writer:
    """The program under test, line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def say(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self.hear()

    def hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip()

    def end(self) -> str:
        """Close its input; give its last words."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        words = self.hear()
        assert self._process.wait(30) == 0
        return words


@contextmanager
def writing(path: Path, disk: FaultyDisk, *, move_every: int = 4_000) -> Iterator[Writer]:
    """Run the program; whatever happens, it ends as by ``kill -9``."""
    command = [sys.executable, str(WRITER), str(path), str(move_every)]
    with subprocess.Popen(
        command,
        env=os.environ | disk.environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            writer = Writer(process)
            assert writer.hear() == "ready"
            yield writer
        finally:
            process.kill()


@pytest.mark.parametrize("put", ["put", "do"])
@pytest.mark.parametrize("after", [0, 1, 3, 7])
def test_a_full_disk_is_unavailable_and_then_all_is_well_again(
    path: Path, tmp_path: Path, after: int, put: str
) -> None:
    """The transaction is some ten writes long; it fails at the first, or after a few."""
    disk = FaultyDisk.build(tmp_path, pattern="*/smsgw.db*")
    with writing(path, disk) as writer:
        assert writer.say(f"{put} a b") == "ok"
        disk.fail(f"full {after}")
        assert writer.say(f"{put} c d e") == "StoreUnavailable"
        assert writer.say(f"{put} f") == "StoreUnavailable"
        assert writer.say("get") == "2", "what is there can be read"
        disk.heal()
        assert writer.say(f"{put} g") == "ok"
        assert writer.say(f"{put} c") == "ok", "nothing of the failed transaction is in the way"
        assert writer.say("get") == "4"
    assert stored(path) == ["a", "b", "c", "g"]


@pytest.mark.parametrize("put", ["put", "do"])
def test_a_full_disk_and_then_a_crash_lose_nothing(path: Path, tmp_path: Path, put: str) -> None:
    disk = FaultyDisk.build(tmp_path, pattern="*/smsgw.db*")
    with writing(path, disk) as writer:
        assert writer.say(f"{put} a b") == "ok"
        disk.fail("full 3")
        assert writer.say(f"{put} c d e") == "StoreUnavailable"
    assert stored(path) == ["a", "b"]


def test_a_disk_that_is_full_for_the_move_of_the_log_stops_no_commit(path: Path, tmp_path: Path) -> None:
    disk = FaultyDisk.build(tmp_path, pattern="*/smsgw.db")
    with writing(path, disk, move_every=1) as writer:
        disk.fail("full")
        assert [writer.say(f"put {name}") for name in "abc"] == ["ok"] * 3
        disk.heal()
        assert writer.say("put d") == "ok"
        assert writer.end() == "told 0"
    assert stored(path) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("put", ["put", "do"])
def test_after_a_failed_fsync_nothing_is_acknowledged(path: Path, tmp_path: Path, put: str) -> None:
    disk = FaultyDisk.build(tmp_path, pattern="*/smsgw.db*")
    with writing(path, disk) as writer:
        assert writer.say(f"{put} a") == "ok"
        disk.fail("fsync")
        assert writer.say(f"{put} b") == "StoreBroken"
        disk.heal()
        for again in ("put", "do"):
            assert writer.say(f"{again} c") == "StoreBroken", "a later fsync would succeed, and mean nothing"
        assert writer.say("get") == "1"
        assert writer.end() == "told 1"
    assert "a" in stored(path)
    assert "c" not in stored(path)


def test_a_failed_fsync_of_the_database_itself_is_told_without_a_writer(path: Path, tmp_path: Path) -> None:
    disk = FaultyDisk.build(tmp_path, pattern="*/smsgw.db")
    things = [f"{number:02}" for number in range(50)]
    with writing(path, disk, move_every=50) as writer:
        disk.fail("fsync")
        assert writer.say(f"put {' '.join(things)}") == "ok", "the log is on disk, and now it is moved"
        assert writer.say("wait") == "broken"
        disk.heal()
        assert writer.say("put more") == "StoreBroken"
    assert stored(path) == things
