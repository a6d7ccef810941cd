"""The seam of the store: what the nouns ask of a database, the same for SQLite and PostgreSQL.

A query is named "file.name" (see ``queries``) and takes its parameters by name. Values are ``int``, ``str``,
``bytes`` and ``None``; a list of ``int`` or ``str`` may be given where the query reads ``json_each(:ids)`` on SQLite
(it arrives as JSON text) and ``any(:ids)`` on PostgreSQL (it arrives as an array). Text that may hold NUL or half a
surrogate pair belongs in a column of bytes: PostgreSQL has no NUL in text, and neither engine the other.

Every method raises ``StoreUnavailable`` (try again), ``StoreConflict`` (a constraint) or ``StoreBroken`` (stop); what
is none of these is a mistake of ours: ValueError or OverflowError for a value that no column can hold, or whatever the
library raised.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from smsgw.store.queries import Dialect

T = TypeVar("T")

Row = tuple[Any, ...]


class Reader(Protocol):
    """Something that answers queries from one consistent state of the database."""

    async def fetch(self, query: str, /, **parameters: object) -> list[Row]:
        """Run a query, give all its rows."""

    async def fetch_one(self, query: str, /, **parameters: object) -> Row | None:
        """Run a query, give its first row, if there is one."""


class Transaction(Reader, Protocol):
    """One transaction. Once a statement has failed, it is over: nothing that it did will be committed."""

    async def execute(self, query: str, /, **parameters: object) -> int:
        """Run a statement, give the number of rows that it changed."""

    async def executemany(self, query: str, /, rows: Sequence[object]) -> None:
        """Run a statement once for each row, an object with attributes named as the parameters.

        The engine may keep the rows back and send them along with the next statement or the commit. Then that is
        where an error appears.
        """

    async def script(self, sql: str, /) -> None:
        """Run several statements without parameters, for migrations; may take long."""


class Database(Protocol):
    """A database that is open."""

    @property
    def dialect(self) -> Dialect:
        """Which SQL it speaks."""

    @property
    def shared(self) -> bool:
        """Whether other daemons may work on it at the same time."""

    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """One transaction: committed and on disk when the block is left, rolled back when it is left by an error.

        The commit is never cut short: a task that is cancelled meanwhile gets its CancelledError when the outcome is
        known. SQLite has one writer at a time. On PostgreSQL several write at once (READ COMMITTED), and when the
        connection is lost during the commit, ``StoreUnavailable`` does not say whether it took place: whoever tries
        again must be idempotent.
        """

    async def transact(self, body: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        """Run a body in a transaction as `write` makes it; return what it returns.

        The body awaits nothing but its transaction, and touches nothing that belongs to the loop's thread: SQLite runs
        it to its end in the connection's thread, in one hop. This is the way for the hot path.
        """

    def read(self) -> AbstractAsyncContextManager[Reader]:
        """A snapshot: all queries in the block see one state. Keep it short, it holds back the clean-up of old rows."""

    async def close(self) -> None:
        """Wait for what is running, close every connection."""


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await something that must not be cut short; a cancellation that comes meanwhile is raised after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not complain that nobody did
    raise cancelled
