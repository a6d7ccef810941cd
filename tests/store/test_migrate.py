"""Migrations: each once, in order, all or nothing, and only on a database that this program understands."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

import smsgw.store
from smsgw.errors import SchemaError, StoreConflict
from smsgw.store.database import Database
from smsgw.store.migrate import check, load, migrate
from smsgw.store.queries import DIALECTS
from tests.servers.engines import Engine

STORE: Final = Path(smsgw.store.__file__).parent

FIRST: Final = "create table a (x bigint not null);"
SECOND: Final = "alter table a add column y bigint; create table b (z text); -- the end"


def folder(place: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return place


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return folder(tmp_path / "two", {"0001_first.sql": FIRST, "0002_second.sql": SECOND})


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return folder(tmp_path / "one", {"0001_first.sql": FIRST})


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    text = "-- name: columns\n-- What migrations have made.\nselect x, y, z from a, b;\n"
    return folder(tmp_path / "sql", {"made.sql": text})


def opened(engine: Engine, queries: Path) -> AbstractAsyncContextManager[Database]:
    return engine.open(queries=queries, migrations=None)


async def test_what_is_missing_is_applied_in_order_and_once(
    engine: Engine, queries: Path, one: Path, two: Path
) -> None:
    async with opened(engine, queries) as database:
        assert await migrate(database, one, now_ms=1_000) == ["0001_first"]
        assert await migrate(database, two, now_ms=2_000) == ["0002_second"]
        assert await migrate(database, two, now_ms=3_000) == []
        await check(database, two)
        async with database.read() as reader:
            assert await reader.fetch("made.columns") == []
            assert [name for name, _ in await reader.fetch("schema.applied")] == ["0001_first", "0002_second"]


async def test_an_older_database_says_what_to_do(engine: Engine, queries: Path, one: Path, two: Path) -> None:
    async with opened(engine, queries) as database:
        with pytest.raises(SchemaError, match="lacks 0001_first, 0002_second: run smsgw migrate"):
            await check(database, two)
        await migrate(database, one, now_ms=1_000)
        with pytest.raises(SchemaError, match="lacks 0002_second: run smsgw migrate"):
            await check(database, two)


async def test_a_newer_database_is_left_alone(engine: Engine, queries: Path, one: Path, two: Path) -> None:
    async with opened(engine, queries) as database:
        await migrate(database, two, now_ms=1_000)
        for look in (check(database, one), migrate(database, one, now_ms=2_000)):
            with pytest.raises(SchemaError, match="has migration 0002, this program knows up to 0001: use the newer"):
                await look


async def test_a_migration_that_was_edited_is_noticed(engine: Engine, queries: Path, two: Path) -> None:
    async with opened(engine, queries) as database:
        await migrate(database, two, now_ms=1_000)
        folder(two, {"0001_first.sql": FIRST + " -- only a comment"})
        for look in (check(database, two), migrate(database, two, now_ms=2_000)):
            with pytest.raises(SchemaError, match="0001_first is not the one"):
                await look


async def test_a_migration_of_another_name_is_noticed(engine: Engine, queries: Path, tmp_path: Path, two: Path) -> None:
    async with opened(engine, queries) as database:
        await migrate(database, two, now_ms=1_000)
        other = folder(tmp_path / "other", {"0001_other.sql": FIRST, "0002_second.sql": SECOND})
        with pytest.raises(SchemaError, match="0001_first that this program does not have"):
            await check(database, other)


async def test_a_migration_that_fails_leaves_nothing_behind(
    engine: Engine, queries: Path, tmp_path: Path, two: Path
) -> None:
    wrong = "insert into a (x) values (1); insert into a (x) values (null);"
    bad = folder(tmp_path / "bad", {"0001_first.sql": FIRST, "0002_second.sql": SECOND + "\n" + wrong})
    async with opened(engine, queries) as database:
        with pytest.raises(StoreConflict):
            await migrate(database, bad, now_ms=1_000)
        assert await migrate(database, two, now_ms=2_000) == ["0002_second"], "the first was whole, the second was not"


async def test_several_programs_may_migrate_at_once(engine: Engine, queries: Path, two: Path) -> None:
    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(opened(engine, queries)) for _ in range(4)]
        applied = await asyncio.gather(*(migrate(database, two, now_ms=1_000) for database in databases))
        assert sorted(name for names in applied for name in names) == ["0001_first", "0002_second"]


async def test_strings_and_triggers_are_not_cut(tmp_path: Path, queries: Path) -> None:
    """A semicolon is not always an end. PostgreSQL cuts scripts by itself."""
    script = """
        create table a (x text); create table b (z text);
        create trigger t after insert on a
            begin insert into b values ('; in a string'); insert into b values ('2'); end;
        insert into a values ('a;b');
        alter table a add column y text /* no semicolon at the end; */
    """
    tricky = folder(tmp_path / "tricky", {"0001_tricky.sql": script})
    async with opened(Engine(dialect="sqlite", place=str(tmp_path / "a.db")), queries) as database:
        await migrate(database, tricky, now_ms=1_000)
        async with database.read() as reader:
            assert await reader.fetch("made.columns") == [("a;b", None, "; in a string"), ("a;b", None, "2")]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (["0002_second.sql"], "0002_second: this should be migration 0001"),
        (["0001_a.sql", "0001_b.sql"], "0001_b: this should be migration 0002"),
        (["0001_a.sql", "0003_b.sql"], "0003_b: this should be migration 0002"),
        (["first.sql"], "first: this should be migration 0001, named 0001_word"),
        (["sqlite/0001_a.sql"], "do not have the same"),
        (["sqlite/0001_a.sql", "postgres/0001_b.sql"], "do not have the same"),
        (["0001_a.sql", "sqlite/0001_a.sql", "postgres/0001_a.sql"], "0001_a: this should be migration 0002"),
    ],
)
def test_numbers_are_complete_and_the_same_for_both(tmp_path: Path, files: list[str], why: str) -> None:
    for dialect in DIALECTS:
        with pytest.raises(ValueError, match=why):
            load(folder(tmp_path, dict.fromkeys(files, FIRST)), dialect)


def test_shared_and_own_migrations_make_one_row(tmp_path: Path) -> None:
    files = {"0001_a.sql": "shared", "sqlite/0002_b.sql": "sqlite", "postgres/0002_b.sql": "postgres"}
    place = folder(tmp_path, files | {"0003_c.sql": "shared"})
    for dialect in DIALECTS:
        assert [(step.name, step.sql) for step in load(place, dialect)] == [
            ("0001_a", "shared"),
            ("0002_b", dialect),
            ("0003_c", "shared"),
        ]
    assert len({step.sha256 for dialect in DIALECTS for step in load(place, dialect)}) == 3


async def test_our_own_migrations_apply(engine: Engine) -> None:
    async with engine.open() as database:
        await check(database, STORE / "migrations")
