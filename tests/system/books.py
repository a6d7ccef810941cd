"""What stands in the database, read past the daemon and its store: plain SQL on a connection of its own."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

Rows = list[tuple[Any, ...]]


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """A database, on SQLite or PostgreSQL; queries must be such as both understand."""

    file: Path | None = None
    dsn: str = ""

    async def rows(self, sql: str) -> Rows:
        """Run a query."""
        if self.file is not None:
            return await asyncio.to_thread(self._sqlite, sql)
        connection = await asyncpg.connect(self.dsn)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    async def number(self, sql: str) -> int:
        """Run a query that gives one number."""
        [(number,)] = await self.rows(sql)
        return int(number)

    def _sqlite(self, sql: str) -> Rows:
        assert self.file is not None
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()
