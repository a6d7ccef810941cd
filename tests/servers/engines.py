"""The two engines of the store, for tests that must hold on both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

import smsgw.store
from smsgw.store import migrate
from smsgw.store.database import Database
from smsgw.store.postgres import PostgresDatabase, PostgresLimits
from smsgw.store.queries import Dialect, load
from smsgw.store.sqlite import SqliteDatabase, SqliteLimits

_STORE: Final = Path(smsgw.store.__file__).parent


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """A place for one database. Every ``open`` in a test opens the same one again."""

    dialect: Dialect
    place: str  # SQLite: the file; PostgreSQL: the DSN

    @asynccontextmanager
    async def open(
        self,
        *,
        queries: Path = _STORE / "sql",
        migrations: Path | None = _STORE / "migrations",
        lock_wait_ms: int = 5_000,
        statement_ms: int = 10_000,
    ) -> AsyncIterator[Database]:
        """Open the database with its schema; close it at the end of the block.

        Args:
            queries: folder of the queries.
            migrations: folder of the schema, None for an empty database.
            lock_wait_ms: longest wait for a lock.
            statement_ms: longest run of a statement.
        """
        known = load(queries, self.dialect)
        database: Database
        if self.dialect == "sqlite":
            sqlite = SqliteLimits(lock_wait_ms=lock_wait_ms, statement_ms=statement_ms)
            database = await SqliteDatabase.open(Path(self.place), known, limits=sqlite)
        else:
            postgres = PostgresLimits(lock_wait_ms=lock_wait_ms, statement_ms=statement_ms)
            database = await PostgresDatabase.open(self.place, known, limits=postgres)
        try:
            if migrations is not None:
                await migrate.migrate(database, migrations, now_ms=0)
            yield database
        finally:
            await database.close()
