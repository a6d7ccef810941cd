"""Moves SQLite's write-ahead log into the database, beside the writer, so that no commit has to do it."""

import asyncio
import sqlite3
from contextlib import suppress
from typing import Final

from smsgw.errors import StoreError
from smsgw.store.sqlite_thread import SqliteThread

_MOVE_MS: Final = 60_000
_PAGES_OF_A_COMMIT: Final = 4  # which a commit of one row fills beside the row's own


class SqliteLog:
    """Counts what is committed, and moves the log along from time to time.

    The log is written anew from its start only when all of it has been moved. A move beside a writer that never rests
    leaves what came meanwhile; so when the log is long, the writer waits for that remainder, a few milliseconds.

    Args:
        thread: a connection of its own, for checkpoints.
        turn: whoever holds it writes.
        move_every: changes from one move to the next.
        longest: pages at which the writer has to wait.
    """

    def __init__(self, thread: SqliteThread, turn: asyncio.Lock, *, move_every: int, longest: int) -> None:
        self._thread = thread
        self._turn = turn
        self._move_every = move_every
        self._longest = longest
        self._changes = 0  # of the writer's connection, as last heard
        self._waiting = 0  # changes since the last move
        self._task: asyncio.Task[None] | None = None

    def grown(self, changes: int) -> None:
        """Hear of a commit.

        Args:
            changes: how many the writer's connection has made since it was opened.
        """
        self._waiting += changes - self._changes + _PAGES_OF_A_COMMIT
        self._changes = changes
        if self._waiting >= self._move_every and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._move(), name="store.log")

    async def settle(self) -> None:
        """Wait for the move that is under way."""
        if self._task is not None:
            await self._task

    async def _move(self) -> None:
        with suppress(StoreError):  # a broken file is known by now; anything else passes, and the next move does more
            while self._waiting >= self._move_every:
                self._waiting = 0
                if await self._thread.run(_checkpoint, _MOVE_MS) > self._longest:
                    async with self._turn:
                        await self._thread.run(_checkpoint, _MOVE_MS)


def _checkpoint(connection: sqlite3.Connection) -> int:
    """Move what no reader is in the way of; give the length of the log in pages, moved or not."""
    _, pages, _ = connection.execute("pragma wal_checkpoint(passive)").fetchone()
    return int(pages)
