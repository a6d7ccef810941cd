"""Whole transactions in one hop: bodies run in the connection's thread, all that wait between one BEGIN and COMMIT.

A hop to the thread and back costs more than most statements, and while the loop is busy each way back waits for it with
the write lock held. A body that awaits nothing but its transaction never really waits here, so it can be run to its end
like a function. A commit costs more than a hop; bodies that come while one is under way share the next, each behind a
savepoint, so that one that fails takes nothing with it.
"""

import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from smsgw.errors import StoreBroken, StoreUnavailable
from smsgw.store.database import Row, Transaction
from smsgw.store.queries import Queries, Query
from smsgw.store.sqlite_thread import mapped

T = TypeVar("T")

Body: TypeAlias = Callable[[Transaction], Coroutine[Any, Any, T]]

_MOST_ROWS: Final = 64  # in one statement
_json = msgspec.json.encode


class Outcome(msgspec.Struct, frozen=True):
    """What became of one body: its result, or its error, and then none of its changes were committed."""

    result: Any
    error: Exception | None


def run_bodies(
    connection: sqlite3.Connection,
    queries: Queries,
    bodies: Sequence[Body[Any]],
    before_commit: Callable[[], None],
) -> tuple[list[Outcome], int]:
    """Run bodies in one transaction; return their outcomes and the changes that the connection has ever made.

    Args:
        connection: in its own thread, outside of any transaction.
        queries: what may be asked.
        bodies: each awaits nothing but the transaction.
        before_commit: may raise, and nothing is committed then.

    Raises:
        Exception: whatever SQLite raises when the whole transaction cannot go on; nothing is committed.
    """
    connection.rollback()  # nothing, unless an earlier rollback met an error
    connection.execute("begin immediate")
    try:
        if len(bodies) == 1:  # mostly; what there is to undo is the whole transaction
            outcomes = [_run_alone(connection, queries, bodies[0])]
            if outcomes[0].error is not None:
                connection.rollback()
                return outcomes, connection.total_changes
        else:
            outcomes = [_run_body(connection, queries, body) for body in bodies]
        before_commit()
        connection.execute("commit")
    except BaseException:
        with suppress(sqlite3.Error):  # the first error counts, and the next BEGIN rolls back again
            connection.rollback()
        raise
    return outcomes, connection.total_changes


def _run_body(connection: sqlite3.Connection, queries: Queries, body: Body[Any]) -> Outcome:
    """Run one body behind a savepoint; raise only what ends the transaction for all of them."""
    here = _Here(connection, queries)
    connection.execute("savepoint body")
    try:
        result = _to_its_end(body(here))
        here.check()
    except (StoreUnavailable, StoreBroken):
        raise
    except Exception as error:
        if not connection.in_transaction:  # SQLite has rolled back everything
            raise
        connection.execute("rollback to body")
        connection.execute("release body")
        return Outcome(None, error)
    connection.execute("release body")
    return Outcome(result, None)


def _run_alone(connection: sqlite3.Connection, queries: Queries, body: Body[Any]) -> Outcome:
    """Run the only body of a transaction; raise what more than the body is to blame for."""
    here = _Here(connection, queries)
    try:
        result = _to_its_end(body(here))
        here.check()
    except (StoreUnavailable, StoreBroken):
        raise
    except Exception as error:
        if not connection.in_transaction:
            raise
        return Outcome(None, error)
    return Outcome(result, None)


def _to_its_end(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("the body of a transaction may wait for nothing but its transaction")


class _Here:
    """A ``database.Transaction`` whose methods never wait: they run where they are called."""

    def __init__(self, connection: sqlite3.Connection, queries: Queries) -> None:
        self._connection = connection
        self._queries = queries
        self._over: Exception | None = None  # the first error, with which the transaction has ended

    def check(self) -> None:
        """Raise the error that has ended the transaction, if there was one."""
        if self._over is not None:
            raise self._over

    async def fetch(self, query: str, /, **parameters: object) -> list[Row]:
        """See ``Reader.fetch``."""
        with self._step():
            return self._connection.execute(*bound(self._queries[query], parameters)).fetchall()

    async def fetch_one(self, query: str, /, **parameters: object) -> Row | None:
        """See ``Reader.fetch_one``."""
        with self._step():
            cursor = self._connection.execute(*bound(self._queries[query], parameters))
            row: Row | None = cursor.fetchone()
            cursor.close()
            return row

    async def execute(self, query: str, /, **parameters: object) -> int:
        """See ``Transaction.execute``."""
        with self._step():
            return changed(self._connection, *bound(self._queries[query], parameters))

    async def executemany(self, query: str, /, rows: Sequence[object]) -> None:
        """See ``Transaction.executemany``."""
        if rows:
            with self._step():
                execute_many(self._connection, self._queries[query], rows)

    @contextmanager
    def _step(self) -> Iterator[None]:
        """Raise the store's errors from SQLite's, and never go on after one."""
        self.check()
        try:
            yield
        except sqlite3.Error as error:
            self._over = mapped(error)
            raise self._over from None
        except Exception as error:
            self._over = error
            raise

    async def script(self, sql: str, /) -> None:  # noqa: ARG002 - the seam's signature
        """Not here: migrations take their time, and a body must be short."""
        raise RuntimeError("migrations run in Database.write")


def bound(query: Query, parameters: Mapping[str, object]) -> tuple[str, tuple[object, ...]]:
    """Return a statement and its values; lists become JSON text, for ``json_each``."""
    values = query.bind(parameters)
    return query.sql, tuple([_json(v).decode() if isinstance(v, list | tuple) else v for v in values])


def changed(connection: sqlite3.Connection, sql: str, values: tuple[object, ...]) -> int:
    """Run a statement; return how many rows it changed."""
    before = connection.total_changes
    count: int = connection.execute(sql, values).rowcount
    return count if count >= 0 else connection.total_changes - before  # "with … update" has no rowcount


def execute_many(connection: sqlite3.Connection, query: Query, rows: Sequence[object]) -> None:
    """Run a statement for many rows, as many at once as it can take: each step asks for Python's lock once.

    With a step for each row, the loop's thread and this one would wait for each other's turns most of the time.
    """
    if len(rows) == 1 or not query.repeatable:
        connection.executemany(query.sql, map(query.pick, rows))
        return
    at = 0
    while at < len(rows):
        # Powers of two: a few statements to prepare, whatever the sizes that come.
        size = min(_MOST_ROWS, 1 << ((len(rows) - at).bit_length() - 1))
        values = tuple(chain.from_iterable(map(query.pick, rows[at : at + size])))
        connection.execute(query.repeated(size), values)
        at += size
