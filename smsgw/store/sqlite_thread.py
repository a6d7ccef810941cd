"""One SQLite connection and the thread that it lives in: jobs in, answers out, SQLite's errors mapped to ours.

aiosqlite gives the thread. Most of its calls hand over one statement, and a hop to the thread and back costs more than
most statements; so a connection here also takes a whole function, through the one public call that hands back what it
was given. The thread takes its work in order and finishes what it has begun, even when nobody waits for it any more.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite

from smsgw.errors import StoreBroken, StoreConflict, StoreUnavailable
from smsgw.store.database import to_the_end

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

# What was written may be gone, or what is read may be wrong: nothing can be promised on such a file any more.
_BROKEN: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
    }
)
_BROKEN_KINDS: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# The disk, another process or a deadline is in the way: the same work may succeed later.
_UNAVAILABLE_KINDS: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
    }
)


class SqliteThread:
    """A connection in its thread. ``on_broken`` hears of every error after which the file cannot be trusted."""

    def __init__(
        self, connection: aiosqlite.Connection, raw: sqlite3.Connection, on_broken: Callable[[StoreBroken], None]
    ) -> None:
        self._connection = connection
        self._raw = raw
        self._on_broken = on_broken

    @classmethod
    async def open(
        cls, path: Path, *, pragmas: Sequence[str], lock_wait_ms: int, on_broken: Callable[[StoreBroken], None]
    ) -> "SqliteThread":
        """Connect, and set what SQLite is told by pragmas.

        Raises:
            StoreError: as ``run``.
        """
        connection = aiosqlite.connect(
            path,
            timeout=lock_wait_ms / 1000,
            isolation_level=None,  # BEGIN and COMMIT are ours
            cached_statements=256,
            factory=_Connection,
        )
        # A program that ends without closing must end all the same. There is no public way to say so, hence the guard.
        if (thread := getattr(connection, "_thread", None)) is not None:
            thread.daemon = True
        try:
            await connection
        except sqlite3.Error as error:
            raise mapped(error) from None
        try:
            raw = await connection.execute_fetchall("", (_itself,))
            opened = cls(connection, raw, on_broken)  # type: ignore[arg-type]  # the job's answer, not rows
            await opened.run(lambda raw: [raw.execute(f"pragma {word}").fetchall() for word in pragmas], lock_wait_ms)
        except BaseException:
            await connection.close()
            raise
        return opened

    async def run(self, job: Job[T], limit_ms: int) -> T:
        """Run a function in the thread.

        If the task is cancelled, the job runs (or will run) all the same, before any job that is sent after it.
        A job inside the kernel is not given up, however long the disk takes: what it has written would be unknown.

        Args:
            job: gets the connection; blocks nobody but this thread.
            limit_ms: how long its statements may compute, all together.

        Raises:
            StoreUnavailable, StoreConflict, StoreBroken: what SQLite's error means.
            Exception: whatever else the job raises.
        """
        loop = asyncio.get_running_loop()

        def guarded(connection: sqlite3.Connection) -> T:
            try:
                return job(connection)
            except (sqlite3.Error, StoreBroken) as error:
                fault = mapped(error) if isinstance(error, sqlite3.Error) else error
                if isinstance(fault, StoreBroken):  # told from here, as the task that asked may be cancelled
                    loop.call_soon_threadsafe(self._on_broken, fault)
                raise fault from None

        timer = loop.call_later(limit_ms / 1000, self._raw.interrupt)
        try:
            return await self._connection.execute_fetchall("", (guarded,))  # type: ignore[return-value]  # the job's answer, not rows
        finally:
            timer.cancel()

    async def finish(self, job: Job[T], limit_ms: int) -> T:
        """Run a function that must not be cut short: a cancellation that comes meanwhile is raised after it."""
        try:
            return await self.run(job, limit_ms)
        except asyncio.CancelledError:
            await to_the_end(self.run(_nothing, limit_ms))  # it stands behind the job
            raise

    async def close(self) -> None:
        """Finish the jobs that are waiting, close the connection, end the thread."""
        await self._connection.close()


def mapped(error: sqlite3.Error) -> Exception:
    """Say what an error of SQLite means to us; the same error when it is a mistake in our SQL."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return error
    text = f"SQLite: {error} ({error.sqlite_errorname})"
    kind = code & 0xFF  # the primary result code (sqlite.org/rescode.html)
    if code in _BROKEN or kind in _BROKEN_KINDS:
        return StoreBroken(text)
    if kind in _UNAVAILABLE_KINDS:
        return StoreUnavailable(text)
    if kind == sqlite3.SQLITE_CONSTRAINT:
        return StoreConflict(text)
    return error


class _Connection(sqlite3.Connection):
    """A connection whose ``execute`` takes a function in place of SQL, which by itself would do nothing: ``""``."""

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        if sql:
            return super().execute(sql, parameters)
        (job,) = parameters
        return _Answer(job(self))


class _Answer:
    """What a job returned, in the place of the rows that aiosqlite asks a cursor for."""

    def __init__(self, value: object) -> None:
        self._value = value

    def fetchall(self) -> object:
        return self._value


def _nothing(_: sqlite3.Connection) -> None:
    pass


def _itself(connection: sqlite3.Connection) -> sqlite3.Connection:
    return connection
