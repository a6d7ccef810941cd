"""A node's name among the daemons on one PostgreSQL: an advisory lock, which the server lets go with its owner.

Two daemons of one name would end each other's sessions and send each other's messages. The lock lives on a connection
of its own. When that is lost, the name is free until it is taken again; whoever finds it taken then must stop. A server
that has not noticed the loss keeps the lock for our old connection: that one is ended first, and is nobody else.
"""

from contextlib import suppress
from typing import Final, Self

import asyncpg

from smsgw.errors import StartError, StoreUnavailable
from smsgw.store.postgres import ERRORS, mapped

_IN_USE: Final = 69  # EX_UNAVAILABLE
_WAIT_MS: Final = 2_000  # a daemon that was killed a moment ago is still being noticed by the server
_SPACE: Final = 7396173  # of advisory locks; smsgw's own
_TAKE: Final = "select pg_advisory_lock($1, hashtext($2))"
_SELF: Final = "select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()"
_END: Final = "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_start = $2"
_THERE: Final = "select exists (select from pg_stat_activity where pid = $1 and backend_start = $2)"


class NodeName:
    """Holds a name from `take` to `release`.

    Args:
        dsn: the database; one name can be in use once on each.
        node: the name.
        answer_ms: longest wait for the server.
    """

    def __init__(self, dsn: str, node: str, answer_ms: int) -> None:
        self._dsn = dsn
        self._node = node
        self._answer_s = answer_ms / 1000
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._held_by: tuple[object, ...] | None = None  # the server's side of the connection that had the name last

    async def take(self) -> Self:
        """Take the name.

        Raises:
            StartError: another daemon has it.
            StoreUnavailable: there is no server now, it refuses us, or it still keeps the name for our lost connection.
        """
        try:
            connection = await asyncpg.connect(self._dsn, timeout=self._answer_s, server_settings=_SETTINGS)
        except (*ERRORS, ValueError) as error:
            raise StoreUnavailable(f"PostgreSQL: {type(error).__name__}: no connection for the node's name") from None
        try:
            await self._lock(connection)
        except BaseException as error:
            connection.terminate()
            if isinstance(error, ERRORS):
                raise mapped(error) from None
            raise
        self._connection = connection
        return self

    async def _lock(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        before = self._held_by
        if before is not None:
            await connection.execute(_END, *before, timeout=self._answer_s)
        try:
            await connection.execute(_TAKE, _SPACE, self._node, timeout=self._answer_s + _WAIT_MS / 1000)
        except asyncpg.LockNotAvailableError:
            if before is not None and await connection.fetchval(_THERE, *before, timeout=self._answer_s):
                raise StoreUnavailable("PostgreSQL still keeps the node's name for our lost connection") from None
            raise StartError(
                f'node: another smsgw runs as "{self._node}" on this database; each needs a name of its own', _IN_USE
            ) from None
        self._held_by = tuple(await connection.fetchrow(_SELF, timeout=self._answer_s) or ()) or None

    async def keep(self) -> None:
        """See that the name is still ours; take it again when the connection was lost.

        Raises:
            StartError: another daemon has taken it meanwhile; this one must stop.
            StoreUnavailable: the server is away; to be tried again.
        """
        connection = self._connection
        if connection is not None:
            with suppress(*ERRORS):
                await connection.execute("select 1", timeout=self._answer_s)
                return
            connection.terminate()
            self._connection = None
        await self.take()

    async def release(self) -> None:
        """Let the name go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*ERRORS):
                await connection.close(timeout=self._answer_s)


_SETTINGS: Final = {
    "application_name": "smsgw name",
    "lock_timeout": str(_WAIT_MS),
    # a machine that is gone gives its name back
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
