"""What another program finds in the database: the columns of one row, on either engine."""

import sqlite3
from contextlib import closing
from typing import Any

import asyncpg

from tests.servers.engines import Engine


async def columns(engine: Engine, table: str, key: str, *names: str) -> dict[str, Any] | None:
    """Return a row's columns, all of them when none is named; None when there is no such row."""
    rows = await select(engine, f"select {', '.join(names) or '*'} from {table} where id = '{key}'")
    return rows[0] if rows else None


async def select(engine: Engine, sql: str) -> list[dict[str, Any]]:
    """Return rows as dictionaries."""
    if engine.dialect == "sqlite":
        with closing(sqlite3.connect(engine.place)) as raw:
            raw.row_factory = sqlite3.Row
            return [dict(row) for row in raw.execute(sql)]
    connection = await asyncpg.connect(engine.place)
    try:
        return [dict(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def change(engine: Engine, sql: str) -> None:
    """Change rows behind everybody's back."""
    if engine.dialect == "sqlite":
        with closing(sqlite3.connect(engine.place)) as raw, raw:
            raw.execute(sql)
        return
    connection = await asyncpg.connect(engine.place)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
