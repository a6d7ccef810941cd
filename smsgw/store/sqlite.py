"""SQLite behind the seam: one connection that writes, a few that read, one that moves the write-ahead log along.

A hop to a connection's thread costs more than most statements. So a transaction makes one for each answer that it
needs: BEGIN travels with the first statement, rows that need no answer with the next statement or with COMMIT.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import msgspec

from smsgw.errors import StartError, StoreBroken, StoreError, StoreUnavailable
from smsgw.kit.batch import Batch
from smsgw.store.database import Row, to_the_end
from smsgw.store.queries import Dialect, Queries, Query
from smsgw.store.sqlite_body import Body, Outcome, bound, changed, execute_many, run_bodies
from smsgw.store.sqlite_log import SqliteLog
from smsgw.store.sqlite_thread import Job, SqliteThread

T = TypeVar("T")

_SCRIPT_MS: Final = 600_000  # a migration may rewrite a table of millions of rows
_CANNOT_CREATE: Final = 73  # EX_CANTCREAT
_IO_ERROR: Final = 74  # EX_IOERR

_MOST_BODIES: Final = 20  # in one transaction
_MOST_WAITING: Final = 10_000  # bodies; far more than there are callers
_FULL: Final = 2  # what "pragma synchronous" answers for FULL
# On every connection. No mmap: an I/O error would come as SIGBUS, not as an error.
_PRAGMAS: Final = (
    "synchronous = full",
    "foreign_keys = on",
    "temp_store = memory",
    "mmap_size = 0",
    "wal_autocheckpoint = 0",
)


class SqliteLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What an open file may take."""

    lock_wait_ms: int = 5_000  # longest wait for another writer, in this process or another one
    statement_ms: int = 10_000  # longest computation of one statement
    readers: int = 2  # connections that read beside the writer
    cache_kib: int = 8_000  # pages that the writer keeps in memory; each reader keeps a quarter of it
    move_every: int = 4_000  # changes from one move of the log to the next; about as many pages of 4 KiB
    log_pages: int = 16_000  # length of the log at which the writer waits for the end of a move


class SqliteDatabase:
    """An open SQLite file; a ``database.Database``."""

    dialect: Final[Dialect] = "sqlite"
    shared: Final = False

    def __init__(self, path: Path, queries: Queries, limits: SqliteLimits, health: "_Health") -> None:
        self._path = path
        self._queries = queries
        self._limits = limits
        self._health = health
        self._turn = asyncio.Lock()  # whoever holds it writes
        self._readers: asyncio.LifoQueue[SqliteThread] = asyncio.LifoQueue()
        self._threads = AsyncExitStack()  # to close them all
        self._together: Batch[Body[Any], Outcome] = Batch(
            self._commit_together, name="transactions", limit=_MOST_BODIES, capacity=_MOST_WAITING
        )

    @classmethod
    async def open(
        cls,
        path: Path,
        queries: Queries,
        *,
        limits: SqliteLimits | None = None,
        on_broken: Callable[[StoreBroken], None] | None = None,
    ) -> Self:
        """Open the file, make it if there is none, and prove that a commit will be on disk.

        Args:
            path: the database; its folder must exist. ``-wal`` and ``-shm`` will stand beside it.
            queries: what may be asked, from ``queries.load``.
            limits: deadlines and sizes.
            on_broken: told once when the file cannot be trusted any more, whoever found that out.

        Raises:
            StartError: no such folder, no permission, or a file system that cannot do WAL.
            StoreUnavailable: another process holds the file.
            StoreBroken: the file is not a database, or damaged.
        """
        _prepare(path)
        database = cls(path, queries, limits or SqliteLimits(), _Health(on_broken))
        try:
            await database._connect()
        except BaseException:
            await to_the_end(database._threads.aclose())
            raise
        return database

    async def _connect(self) -> None:
        cache = self._limits.cache_kib
        self._writer = await self._thread("journal_mode = wal", f"cache_size = -{cache}")
        journal, synchronous = await self._writer.run(_durability, self._limits.statement_ms)
        if (journal, synchronous) != ("wal", _FULL):
            raise StartError(
                f"{self._path}: here SQLite works with journal_mode={journal} and synchronous={synchronous} instead of "
                "wal and 2, so a commit would not be safe; use a local file system",
                _IO_ERROR,
            )
        self._log = SqliteLog(
            await self._thread("cache_size = -64"),
            self._turn,
            move_every=self._limits.move_every,
            longest=self._limits.log_pages,
        )
        for _ in range(self._limits.readers):
            self._readers.put_nowait(await self._thread(f"cache_size = -{cache // 4}", "query_only = on"))

    async def _thread(self, *pragmas: str) -> SqliteThread:
        """Open one more connection."""
        thread = await SqliteThread.open(
            self._path,
            pragmas=(*_PRAGMAS, *pragmas),
            lock_wait_ms=self._limits.lock_wait_ms,
            on_broken=self._health.fail,
        )
        self._threads.push_async_callback(thread.close)
        return thread

    @asynccontextmanager
    async def write(self) -> AsyncIterator["SqliteTransaction"]:
        """One transaction at a time; see ``Database.write``."""
        async with self._deadline("others were writing"):
            await self._turn.acquire()
        try:
            self._health.check()
            transaction = SqliteTransaction(self._writer, self._queries, self._limits)
            try:
                yield transaction
                self._health.check()
            except BaseException:
                await transaction.rollback()
                raise
            changes = await transaction.commit()
            self._health.check()  # the log's move may have met an error meanwhile
            if changes is not None:
                self._log.grown(changes)
        finally:
            self._turn.release()

    async def transact(self, body: Body[T]) -> T:
        """One transaction in one hop, shared with whoever else waits; see ``Database.transact``."""
        outcome = await to_the_end(self._together.add(body))
        if outcome.error is not None:
            raise outcome.error
        result: T = outcome.result
        return result

    async def _commit_together(self, bodies: Sequence[Body[Any]]) -> list[Outcome]:
        async with self._deadline("others were writing"):
            await self._turn.acquire()
        try:
            self._health.check()
            outcomes, changes = await self._writer.finish(
                lambda connection: run_bodies(connection, self._queries, bodies, self._health.check),
                self._limits.statement_ms,
            )
            self._health.check()  # the log's move may have met an error meanwhile
            self._log.grown(changes)
            return outcomes
        finally:
            self._turn.release()

    @asynccontextmanager
    async def read(self) -> AsyncIterator["SqliteSnapshot"]:
        """A snapshot on one of the readers; see ``Database.read``."""
        async with self._deadline("every reader was busy"):
            reader = await self._readers.get()
        snapshot = SqliteSnapshot(reader, self._queries, self._limits)
        try:
            yield snapshot
        finally:
            try:
                await snapshot.rollback()
            finally:
                self._readers.put_nowait(reader)

    async def close(self) -> None:
        """Let the writer and the log finish, then close every connection; the last one empties the log."""
        await self._together.close()
        async with self._turn:
            pass
        await self._log.settle()
        await self._threads.aclose()

    @asynccontextmanager
    async def _deadline(self, why: str) -> AsyncIterator[None]:
        """Limit a wait inside this process."""
        try:
            async with asyncio.timeout(self._limits.lock_wait_ms / 1000):
                yield
        except TimeoutError:
            raise StoreUnavailable(f"SQLite: {why} for {self._limits.lock_wait_ms} ms") from None


class SqliteSnapshot:
    """Queries on one connection, from the first of them to the end of the block; a ``database.Reader``."""

    _begin = "begin"

    def __init__(self, thread: SqliteThread, queries: Queries, limits: SqliteLimits) -> None:
        self._thread = thread
        self._queries = queries
        self._statement_ms = limits.statement_ms
        self._rows: list[tuple[Query, Sequence[object]]] = []  # executemany's that wait for the next hop
        self._begun = False
        self._over: Exception | None = None  # why there can be no more statements

    async def fetch(self, query: str, /, **parameters: object) -> list[Row]:
        """See ``Reader.fetch``."""
        sql, values = self._bound(query, parameters)
        return await self._hop(lambda connection: connection.execute(sql, values).fetchall())

    async def fetch_one(self, query: str, /, **parameters: object) -> Row | None:
        """See ``Reader.fetch_one``."""
        sql, values = self._bound(query, parameters)

        def first(connection: sqlite3.Connection) -> Row | None:
            cursor = connection.execute(sql, values)
            row: Row | None = cursor.fetchone()
            cursor.close()
            return row

        return await self._hop(first)

    async def rollback(self) -> None:
        """End it, whatever state it is in, behind the statement that may still be running."""
        self._over = RuntimeError("the transaction is over")
        self._rows.clear()
        if self._begun:
            with suppress(StoreError):  # then it is rolled back by the next BEGIN
                await self._thread.finish(lambda connection: connection.rollback(), self._statement_ms)

    def _bound(self, name: str, parameters: Mapping[str, object]) -> tuple[str, tuple[object, ...]]:
        return bound(self._queries[name], parameters)

    async def _hop(self, last: Job[T], *, limit_ms: int | None = None, to_the_end: bool = False) -> T:
        """Send what waits, and one more thing, to the thread; the first error ends the transaction."""
        if self._over is not None:
            raise self._over
        job = _job(None if self._begun else self._begin, self._rows, last)
        self._rows, self._begun = [], True
        try:
            run = self._thread.finish if to_the_end else self._thread.run
            return await run(job, limit_ms or self._statement_ms)
        except Exception as error:
            self._over = error
            raise
        except BaseException:
            self._over = StoreUnavailable("SQLite: a statement of this transaction was cancelled")
            raise


class SqliteTransaction(SqliteSnapshot):
    """The one transaction that writes; a ``database.Transaction``."""

    _begin = "begin immediate"

    async def execute(self, query: str, /, **parameters: object) -> int:
        """See ``Transaction.execute``."""
        sql, values = self._bound(query, parameters)
        return await self._hop(lambda connection: changed(connection, sql, values))

    async def executemany(self, query: str, /, rows: Sequence[object]) -> None:
        """See ``Transaction.executemany``; the rows leave with the next statement or the commit."""
        if self._over is not None:
            raise self._over
        if rows:
            self._rows.append((self._queries[query], tuple(rows)))

    async def script(self, sql: str, /) -> None:
        """See ``Transaction.script``."""
        await self._hop(
            lambda connection: [connection.execute(statement) for statement in _statements(sql)], limit_ms=_SCRIPT_MS
        )

    async def commit(self) -> int | None:
        """Commit, to the end; give the number of changes that this connection has ever made, None if there were none.

        Raises:
            Exception: the error that has ended the transaction before.
        """
        if self._over is not None:
            reason = self._over
            await self.rollback()
            raise reason
        if not self._begun and not self._rows:
            return None
        changes = await self._hop(_commit, to_the_end=True)
        self._over = RuntimeError("the transaction is over")
        return changes


class _Health:
    """Whether what is written is safe. Once it is not, nothing is written any more, so nothing can be acknowledged."""

    def __init__(self, on_broken: Callable[[StoreBroken], None] | None) -> None:
        self._on_broken = on_broken
        self._fault: str | None = None

    def fail(self, fault: StoreBroken) -> None:
        """Hear of an error that cannot be made good; tell of the first."""
        if self._fault is None:
            self._fault = str(fault)
            if self._on_broken is not None:
                self._on_broken(fault)

    def check(self) -> None:
        """Raise StoreBroken if there was one."""
        if self._fault is not None:
            raise StoreBroken(self._fault)


def _job(begin: str | None, rows: list[tuple[Query, Sequence[object]]], last: Job[T]) -> Job[T]:
    """Make one job of a transaction's next steps; it leaves no half transaction behind."""

    def job(connection: sqlite3.Connection) -> T:
        try:
            if begin is not None:
                connection.rollback()  # nothing, unless an earlier rollback met an error
                connection.execute(begin)
            for query, many in rows:
                execute_many(connection, query, many)
            return last(connection)
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise

    return job


def _commit(connection: sqlite3.Connection) -> int:
    connection.execute("commit")
    return connection.total_changes


def _durability(connection: sqlite3.Connection) -> tuple[Any, Any]:
    [journal] = connection.execute("pragma journal_mode").fetchone()
    [synchronous] = connection.execute("pragma synchronous").fetchone()
    return journal, synchronous


def _statements(script: str) -> Iterator[str]:
    """Cut a script where SQLite says that a statement is complete (not in strings, comments or triggers)."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _prepare(path: Path) -> None:
    """See that the file is there, for us alone.

    It is not opened when it exists: closing it would take away every lock that this process has on it (fcntl(2)).
    """
    if not path.parent.is_dir():
        raise StartError(f"{path.parent}: no such folder, and the database should stand in it", _CANNOT_CREATE)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not (path.is_file() and os.access(path, os.R_OK | os.W_OK)):
            raise StartError(f"{path}: not a file that may be read and written", _CANNOT_CREATE) from None
    except OSError as error:
        raise StartError(f"{path}: the database cannot be made: {error.strerror}", _CANNOT_CREATE) from None
