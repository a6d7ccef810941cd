"""PostgreSQL behind the seam: a pool of connections, one for each transaction or snapshot while it lasts.

Several processes may share the database, and several transactions of one process run at once. asyncpg prepares each
statement once a connection. A connection that was lost is replaced when the next one is asked for, so the store comes
back by itself. When the server loses an fsync it panics on its own, and what was not committed before is not there.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar

import asyncpg
import msgspec

from smsgw.errors import StartError, StoreBroken, StoreConflict, StoreUnavailable
from smsgw.store.database import Row, Transaction, to_the_end
from smsgw.store.queries import Dialect, Queries

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

T = TypeVar("T")
_Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"  # a generic only for the type checker

_SCRIPT_MS: Final = 600_000  # a migration may rewrite a table of millions of rows
_TRIES: Final = 5  # of a transaction that gives way to another
_DEADLOCK: Final = "40P01"
_SLACK_MS: Final = 2_000  # the server gives up first, and says why; when it does not, it is gone
_BAD_SETTINGS: Final = 78  # EX_CONFIG

_WRITE: Final = "begin isolation level read committed"
_READ: Final = "begin isolation level repeatable read, read only"

# What asyncpg raises at its calls; OSError and TimeoutError when there is no server.
ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
# Kinds of SQLSTATE (PostgreSQL, appendix A) that pass by themselves, or with somebody's help at the server: no
# connection, no permission to connect, conflict with another transaction, no resources, shutdown or cancellation, I/O.
_UNAVAILABLE_KINDS: Final = frozenset({"08", "28", "40", "53", "57", "58"})
# Single ones: a lock not granted, our own idleness, a standby that cannot write (yet).
_UNAVAILABLE: Final = frozenset({"55P03", "25P03", "25006"})
_BROKEN: Final = frozenset({"XX001", "XX002"})  # data or index corrupted


class PostgresLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What an open database may take."""

    connections: int = 8  # most at once, for writing and reading together
    connect_ms: int = 5_000  # longest wait for a connection, a new one or one from the pool
    lock_wait_ms: int = 5_000  # longest wait of a statement for rows that others are changing
    statement_ms: int = 10_000  # longest run of one statement
    idle_ms: int = 30_000  # a transaction whose process hangs gives its locks back after this time


class PostgresDatabase:
    """A pool of connections to one database; a ``database.Database``."""

    dialect: Final[Dialect] = "postgres"
    shared: Final = True

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", queries: Queries, limits: PostgresLimits) -> None:
        self._pool = pool
        self._queries = queries
        self._limits = limits

    @classmethod
    async def open(cls, dsn: str, queries: Queries, *, limits: PostgresLimits | None = None) -> Self:
        """Connect, and prove that a commit will be on disk.

        Args:
            dsn: ``postgresql://user@host/database``.
            queries: what may be asked, from ``queries.load``.
            limits: deadlines and sizes.

        Raises:
            StartError: the server refuses us, or works without fsync.
            StoreUnavailable: there is no server now.
        """
        limits = limits or PostgresLimits()
        pool = await _pool(dsn, limits)
        try:
            async with pool.acquire(timeout=limits.connect_ms / 1000) as connection:
                await _prove_durability(connection)
        except BaseException as error:
            pool.terminate()
            if isinstance(
                error, asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InvalidCatalogNameError | ValueError
            ):
                raise StartError(f"store.dsn: PostgreSQL cannot be used with it: {error}", _BAD_SETTINGS) from None
            if isinstance(error, ERRORS):
                raise mapped(error) from None
            raise
        return cls(pool, queries, limits)

    @asynccontextmanager
    async def write(self) -> AsyncIterator["PostgresTransaction"]:
        """One of several transactions; see ``Database.write``."""
        async with self._lent() as connection:
            transaction = PostgresTransaction(connection, self._queries)
            try:
                await transaction.begin(_WRITE)
                yield transaction
            except BaseException:
                await to_the_end(transaction.rollback())
                raise
            await to_the_end(transaction.commit())

    async def transact(self, body: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        """See ``Database.transact``; one that waited in a circle with another, and gave way to it, is run again."""
        for left in reversed(range(_TRIES)):
            try:
                async with self.write() as transaction:
                    return await body(transaction)
            except _GaveWay:
                if not left:
                    raise
        raise AssertionError

    @asynccontextmanager
    async def read(self) -> AsyncIterator["PostgresSnapshot"]:
        """A snapshot; see ``Database.read``."""
        async with self._lent() as connection:
            snapshot = PostgresSnapshot(connection, self._queries)
            try:
                await snapshot.begin(_READ)
                yield snapshot
            finally:
                await to_the_end(snapshot.rollback())

    async def close(self) -> None:
        """Wait for what is running, a moment at most, then end every connection."""
        try:
            async with asyncio.timeout(self._limits.statement_ms / 1000):
                await self._pool.close()
        except ERRORS:
            self._pool.terminate()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[_Connection]:
        """Borrow a connection from the pool."""
        try:
            connection = await self._pool.acquire(timeout=self._limits.connect_ms / 1000)
        except ERRORS as error:
            raise mapped(error) from None
        try:
            yield connection
        finally:
            with suppress(*ERRORS):  # the pool replaces what it cannot take back
                await to_the_end(self._pool.release(connection))


class PostgresSnapshot:
    """Queries on one connection, in one transaction; a ``database.Reader``."""

    def __init__(self, connection: _Connection, queries: Queries) -> None:
        self._connection = connection
        self._queries = queries
        self._over: Exception | None = None  # why there can be no more statements

    async def begin(self, statement: str) -> None:
        """Begin the transaction."""
        await self._run(self._connection.execute, statement)

    async def fetch(self, query: str, /, **parameters: object) -> list[Row]:
        """See ``Reader.fetch``."""
        text = self._queries[query]
        rows = await self._run(self._connection.fetch, text.sql, *text.bind(parameters))
        return [tuple(row) for row in rows]

    async def fetch_one(self, query: str, /, **parameters: object) -> Row | None:
        """See ``Reader.fetch_one``."""
        text = self._queries[query]
        row = await self._run(self._connection.fetchrow, text.sql, *text.bind(parameters))
        return None if row is None else tuple(row)

    async def rollback(self) -> None:
        """End it, whatever state it is in; a connection that does not answer is given up."""
        self._over = RuntimeError("the transaction is over")
        if _is_lost(self._connection):
            return
        try:
            await self._connection.execute("rollback")
        except ERRORS:
            _give_up(self._connection)

    async def _run(self, call: Callable[..., Awaitable[T]], *arguments: object, **options: Any) -> T:
        """Ask the server one thing; the first error ends the transaction."""
        if self._over is not None:
            raise self._over
        try:
            return await call(*arguments, **options)
        except ERRORS as error:
            if isinstance(error, TimeoutError):
                _give_up(self._connection)
            lost = _is_lost(self._connection)
            self._over = StoreUnavailable("PostgreSQL: the connection was lost") if lost else mapped(error)
            raise self._over from None
        except BaseException as error:
            self._over = (
                error
                if isinstance(error, Exception)
                else StoreUnavailable("PostgreSQL: a statement of this transaction was cancelled")
            )
            raise


class PostgresTransaction(PostgresSnapshot):
    """A transaction that writes; a ``database.Transaction``."""

    async def execute(self, query: str, /, **parameters: object) -> int:
        """See ``Transaction.execute``."""
        text = self._queries[query]
        status = await self._run(self._connection.execute, text.sql, *text.bind(parameters))
        *_, count = status.split()  # "INSERT 0 5", "UPDATE 3", "CREATE TABLE"
        return int(count) if count.isdigit() else 0

    async def executemany(self, query: str, /, rows: Sequence[object]) -> None:
        """See ``Transaction.executemany``."""
        text = self._queries[query]
        if rows:
            await self._run(self._connection.executemany, text.sql, [text.pick(row) for row in rows])

    async def script(self, sql: str, /) -> None:
        """See ``Transaction.script``."""
        await self._run(self._connection.execute, f"set local statement_timeout = {_SCRIPT_MS}")
        await self._run(self._connection.execute, sql, timeout=(_SCRIPT_MS + _SLACK_MS) / 1000)

    async def commit(self) -> None:
        """Commit. When the connection is lost meanwhile, nobody knows whether it took place.

        Raises:
            Exception: the error that has ended the transaction before.
        """
        if self._over is not None:
            reason = self._over
            await self.rollback()
            raise reason
        try:
            status = await self._run(self._connection.execute, "commit")
        except StoreUnavailable as error:
            raise StoreUnavailable(f"{error}; it is not known whether the transaction was committed") from None
        self._over = RuntimeError("the transaction is over")
        if status != "COMMIT":
            raise StoreUnavailable("PostgreSQL: the server rolled back instead of committing")


class _GaveWay(StoreUnavailable):
    """The server has ended this transaction, because it and another waited for each other."""


def mapped(error: Exception) -> Exception:
    """Say what an error of asyncpg means to us; the same error when it is a mistake in our SQL."""
    if isinstance(error, asyncpg.PostgresError):
        return _mapped(error, error.sqlstate or "")
    if isinstance(error, TimeoutError):  # an OSError as well, and often one without words
        return StoreUnavailable("PostgreSQL: no answer in time")
    if isinstance(error, OSError):
        return StoreUnavailable(f"PostgreSQL: no connection: {error.strerror or str(error) or type(error).__name__}")
    if isinstance(error, asyncpg.OutdatedSchemaCacheError):
        return StoreUnavailable("PostgreSQL: the schema changed meanwhile")
    return error


def _mapped(error: asyncpg.PostgresError, state: str) -> Exception:
    """Say what an answer of the server means. Its detail, and messages about values, quote what nobody may log."""
    text = f"PostgreSQL: {error.args[0]} ({state})"
    if state == _DEADLOCK:
        return _GaveWay(text)
    stale = isinstance(error, asyncpg.InvalidCachedStatementError)  # a migration ran; asyncpg prepares it anew
    if stale or state in _UNAVAILABLE or state[:2] in _UNAVAILABLE_KINDS:
        return StoreUnavailable(text)
    if state[:2] == "23":
        return StoreConflict(text)
    if state[:2] == "22":
        return ValueError(f"PostgreSQL: a value does not fit its column or parameter: {type(error).__name__} ({state})")
    if state in _BROKEN:
        return StoreBroken(text)
    error.detail = None
    return error


def _is_lost(connection: _Connection) -> bool:
    """Whether there is no connection any more; the pool may have noticed before us, and taken it back."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


def _give_up(connection: _Connection) -> None:
    """Close a connection that does not answer, without asking the server."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def _prove_durability(connection: _Connection) -> None:
    for name in ("fsync", "synchronous_commit"):
        value = await connection.fetchval(f"show {name}")
        if value != "on":
            raise StartError(
                f"PostgreSQL works with {name} = {value}, so a commit would not be safe; turn it on", _BAD_SETTINGS
            )


async def _pool(dsn: str, limits: PostgresLimits) -> "asyncpg.Pool[asyncpg.Record]":
    """Open the pool; the server is told our deadlines, and to notice when our machine is gone."""
    return await asyncpg.create_pool(
        dsn,
        min_size=0,  # the pool would try to reconnect without end, and log each time, while the server is away
        max_size=limits.connections,
        timeout=limits.connect_ms / 1000,
        command_timeout=(limits.statement_ms + _SLACK_MS) / 1000,
        reset=_nothing_to_reset,
        server_settings={
            "application_name": "smsgw",
            "synchronous_commit": "on",
            "statement_timeout": str(limits.statement_ms),
            "lock_timeout": str(limits.lock_wait_ms),
            "idle_in_transaction_session_timeout": str(limits.idle_ms),
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
            "jit": "off",  # it costs more than any of our queries
        },
    )


async def _nothing_to_reset(_: object) -> None:
    """Save the round trip that the pool makes otherwise: our transactions leave nothing in a session."""
