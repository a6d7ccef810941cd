"""Opens the database that the settings name, with the project's own queries."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from smsgw.errors import StoreBroken
from smsgw.kit.lock import only_one
from smsgw.settings import Configuration
from smsgw.store import migrate, queries
from smsgw.store.database import Database
from smsgw.store.postgres import PostgresDatabase, PostgresLimits
from smsgw.store.postgres_name import NodeName
from smsgw.store.sqlite import SqliteDatabase, SqliteLimits

_HERE = Path(__file__).parent
SQL: Final = _HERE / "sql"
MIGRATIONS: Final = _HERE / "migrations"


async def open_database(
    configuration: Configuration, *, on_broken: Callable[[StoreBroken], None] | None = None
) -> Database:
    """Open it.

    Args:
        configuration: names the engine and the place.
        on_broken: told once when the database cannot be trusted any more.

    Raises:
        StartError, StoreError: it cannot be used as it is.
    """
    store = configuration.main.store
    wait_ms = int(store.busy_timeout_s * 1000)
    if store.engine == "postgres":
        limits = PostgresLimits(lock_wait_ms=wait_ms, connect_ms=wait_ms)
        return await PostgresDatabase.open(store.dsn, queries.load(SQL, "postgres"), limits=limits)
    path = configuration.state_dir / store.path
    return await SqliteDatabase.open(
        path, queries.load(SQL, "sqlite"), limits=SqliteLimits(lock_wait_ms=wait_ms), on_broken=on_broken
    )


@asynccontextmanager
async def only_daemon(configuration: Configuration) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """See that no other daemon does this one's work while the block lasts: on its file, or under its name.

    Gives what is to be called from time to time: it raises StartError when the name is another's by now, and
    StoreUnavailable when that cannot be said.

    Raises:
        StartError: another does, with exit status 69.
        StoreUnavailable: there is no server now.
    """
    main = configuration.main
    if main.store.engine == "sqlite":
        with only_one(configuration.state_dir / f"{main.store.path}.lock"):
            yield _nothing_to_keep
        return
    name = await NodeName(main.store.dsn, main.node, int(main.store.busy_timeout_s * 1000)).take()
    try:
        yield name.keep
    finally:
        await name.release()


async def _nothing_to_keep() -> None:
    """A lock on a file is not lost."""


async def bring_up_to_date(configuration: Configuration, now_ms: int) -> list[str]:
    """Apply the migrations that are missing; return their names."""
    database = await open_database(configuration)
    try:
        return await migrate.migrate(database, MIGRATIONS, now_ms)
    finally:
        await database.close()
