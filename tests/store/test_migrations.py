"""Our own schema and queries: the same tables on both engines, and no query that would read a whole table."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from smsgw.store import migrate, mos
from smsgw.store.opening import MIGRATIONS, SQL
from smsgw.store.queries import DIALECTS, Query, load
from tests.servers.engines import Engine
from tests.store.look import select

QUERIES: Final = sorted(load(SQL, "sqlite"))
# What reads all of a table, and may: one row, a table as short as the lists of nodes, doubts or keys, a rare event.
SCANS: Final = {
    "codes.any": "codes USING COVERING INDEX codes_msisdn",
    "api_keys.all": "api_keys",
    "payments.count_odd": "payments USING INDEX payments_odd",
    "payments.figures": "payments USING INDEX payments_unknown",
    "payments.odd": "payments USING INDEX payments_odd",
    "payments.unknown": "payments USING INDEX payments_unknown",
    "refunds.waiting": "r USING INDEX refunds_pending",
    "guesses.forget_services": "guess_services",
    "endpoints.gone": "gone_endpoints",
    "service_keys.live": "service_keys",
    "services.all": "services",
    "mos.forget_doubts": "mo_uncertain",
    "mts.any": "mts",
    "nodes.keys": "nodes",
    "nodes.others": "nodes",
    "reseal.messages_under_others": "mts USING INDEX mts_queued",
    "reseal.service_keys_under_others": "service_keys",
}

TABLES: Final = {
    "sqlite": """select m.name as place, c.name as name, c.type as kind, c."notnull" as required, c.pk as key,
        c.dflt_value as fallback from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table'""",
    "postgres": """select c.table_name as place, c.column_name as name, c.data_type as kind,
        case c.is_nullable when 'NO' then 1 else 0 end as required, count(k.column_name) as key,
        c.column_default as fallback
        from information_schema.columns c
        left join information_schema.table_constraints t
            on t.table_name = c.table_name and t.table_schema = c.table_schema and t.constraint_type = 'PRIMARY KEY'
        left join information_schema.key_column_usage k
            on k.constraint_name = t.constraint_name and k.column_name = c.column_name
        where c.table_schema = current_schema()
        group by c.table_name, c.column_name, c.data_type, c.is_nullable, c.column_default""",
}
KINDS: Final = {"integer": "INTEGER", "bigint": "INTEGER", "text": "TEXT", "bytea": "BLOB", "blob": "BLOB"}
INDEXES: Final = {
    "sqlite": "select name, sql as text from sqlite_master where type = 'index' and sql is not null",
    "postgres": """select i.indexname as name, i.indexdef as text from pg_indexes i
        where i.schemaname = current_schema()
        and not exists (select 1 from pg_constraint c where c.conname = i.indexname)""",
}


async def columns(engine: Engine) -> set[tuple[Any, ...]]:
    """Everything that the schema says about its columns, in SQLite's words."""
    rows = await select(engine, TABLES[engine.dialect])
    return {
        (
            row["place"],
            row["name"],
            KINDS[row["kind"].lower()],
            bool(row["required"]),
            bool(row["key"]),
            (row["fallback"] or "").removesuffix("::text") or None,
        )
        for row in rows
        if row["place"] != "schema_migrations"
    }


async def indexes(engine: Engine) -> dict[str, str]:
    """What is indexed under which name; conditions are written differently and compared by their columns."""
    rows = await select(engine, INDEXES[engine.dialect])
    found = {}
    for row in rows:
        unique = "unique " if "unique" in row["text"].lower() else ""
        over = re.search(r"\(([^)]*)\)", row["text"].lower())
        assert over is not None
        found[row["name"]] = f"{unique}{over[1]}{' where' if ' where ' in row['text'].lower() else ''}"
    return found


@pytest.fixture
def both(tmp_path: Path, postgres_dsn: str) -> tuple[Engine, Engine]:
    return Engine(dialect="sqlite", place=str(tmp_path / "smsgw.db")), Engine(dialect="postgres", place=postgres_dsn)


async def test_both_engines_have_the_same_tables_and_columns(both: tuple[Engine, Engine]) -> None:
    found = []
    for engine in both:
        async with engine.open():
            found.append(await columns(engine))
    sqlite, postgres = found
    assert sqlite == postgres
    assert {place for place, *_ in sqlite} >= {"mos", "mo_uncertain", "mts", "codes", "attempts", "receipts"}
    assert len(sqlite) > 80


async def test_both_engines_have_the_same_indexes(both: tuple[Engine, Engine]) -> None:
    found = []
    for engine in both:
        async with engine.open():
            found.append(await indexes(engine))
    sqlite, postgres = found
    assert sqlite == postgres
    assert "mos_operator_id" in sqlite


async def test_sqlite_takes_no_value_of_another_kind(tmp_path: Path) -> None:
    engine = Engine(dialect="sqlite", place=str(tmp_path / "smsgw.db"))
    async with engine.open():
        rows = await select(engine, "select name, strict, wr from pragma_table_list where schema = 'main'")
    tables = [row for row in rows if not row["name"].startswith("sqlite_") and row["name"] != "schema_migrations"]
    assert len(tables) >= 8
    assert all(row["strict"] and row["wr"] for row in tables)


def test_the_migrations_say_the_same_about_every_column() -> None:
    """The comments are the only description of the schema that people have; the engines' files must not drift apart."""
    for name in [file.name for file in (MIGRATIONS / "sqlite").glob("*.sql")]:
        texts = [(MIGRATIONS / dialect / name).read_text() for dialect in DIALECTS]
        comments = [re.findall(r"--(.*)", text) for text in texts]
        assert comments[0] == comments[1]


async def test_a_session_that_was_open_before_its_newest_message_was_kept_loses_no_doubt(
    engine: Engine, tmp_path: Path
) -> None:
    shutil.copytree(MIGRATIONS, tmp_path / "old", ignore=shutil.ignore_patterns("000[2-9]_*", "00[1-9]?_*"))
    async with engine.open(migrations=tmp_path / "old") as database:
        async with database.write() as transaction:
            octets = "''" if engine.dialect == "postgres" else "x''"
            columns = "id, link, session, received_ms, source, destination, esm_class, data_coding, payload, tlvs"
            for names in ("'mo_1', 'north', 'ses_1'", "'mo_2', 'north', 'ses_2'"):
                values = f"{names}, 0, '3598', '1234', 0, 0, {octets}, {octets}, 'f1', 'done'"
                await transaction.script(f"insert into mos ({columns}, fingerprint, status) values ({values})")
            await transaction.script(
                "insert into link_sessions (id, link, node, bound_ms, proven) "
                "values ('ses_1', 'north', 'left', 0, 'mo_0')"
            )
        assert (await migrate.migrate(database, MIGRATIONS, 0))[0] == "0002_session_newest"
        async with database.write() as transaction:
            assert await mos.doubt_session(transaction, "ses_1", 1_000) == 1


# --- every query ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """An empty SQLite database of our schema."""
    with closing(sqlite3.connect(tmp_path_factory.mktemp("schema") / "a.db")) as raw:
        for migration in migrate.load(MIGRATIONS, "sqlite"):
            raw.executescript(migration.sql)
        yield raw


def plan(raw: sqlite3.Connection, query: Query) -> list[str]:
    values = ["[]" if f"json_each(?{number})" in query.sql else 1 for number, _ in enumerate(query.parameters, 1)]
    return [str(row[3]) for row in raw.execute(f"explain query plan {query.sql}", values)]


@pytest.mark.parametrize("name", [name for name in QUERIES if not name.startswith("schema.")])
def test_no_query_reads_a_whole_table(name: str, schema: sqlite3.Connection) -> None:
    steps = plan(schema, load(SQL, "sqlite")[name])
    scans = [step for step in steps if step.startswith("SCAN") and not re.match(r"SCAN (json_each|v\b|CONSTANT)", step)]
    assert scans == ([f"SCAN {SCANS[name]}"] if name in SCANS else [])


async def test_postgres_understands_every_query(postgres_dsn: str) -> None:
    async with Engine(dialect="postgres", place=postgres_dsn).open():
        connection = await asyncpg.connect(postgres_dsn)
        try:
            for query in load(SQL, "postgres").values():
                statement = await connection.prepare(query.sql)
                assert len(statement.get_parameters()) == len(query.parameters), query.name
        finally:
            await connection.close()


def test_every_query_is_asked_by_somebody() -> None:
    """A query that nobody asks is deleted, not kept."""
    package = SQL.parents[1]
    source = "".join(file.read_text(encoding="utf-8") for file in package.rglob("*.py"))
    assert [name for name in QUERIES if f'"{name}"' not in source] == []
