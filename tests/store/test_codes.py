"""Access codes in the store: found by their look-up, used under a guard, every attempt kept."""

import asyncio

import pytest
from msgspec import structs

from smsgw.domain.codes import Code, Policy
from smsgw.errors import StoreConflict
from smsgw.store import attempts, codes
from smsgw.store.codes import CodeRow, Found, Use
from smsgw.store.database import Database
from tests.servers.engines import Engine
from tests.store.look import columns
from tests.store.rows import attempt, code

POLICY = Policy(length=8, alphabet="both", valid_ms=60_000, counted_from="first_use", uses=3)


async def put(database: Database, *rows: CodeRow) -> None:
    async with database.write() as transaction:
        await codes.insert(transaction, rows)


async def found(database: Database, *lookups: str) -> dict[str, Found]:
    async with database.write() as transaction:
        return await codes.find(transaction, lookups)


async def use(database: Database, *uses: Use) -> None:
    async with database.write() as transaction:
        await codes.use(transaction, uses)


async def test_a_code_is_kept_as_it_was_made(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database)
        await put(database, code("code_1"))
    fresh = {"first_used_ms": None, "used": 0, "revoked_ms": None, "again_day": 0, "again_count": 0}
    assert await columns(engine, "codes", "code_1") == structs.asdict(code("code_1")) | fresh


async def test_a_code_is_found_by_its_look_up_with_the_facts_that_decide(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, code("code_1"), code("code_2", service="moon"), code("code_3"))
        facts = Code(policy=POLICY, issued_ms=1_000, first_used_ms=None, used=0)
        assert await found(database, "lookup of code_2", "lookup of code_1", "missing") == {
            "lookup of code_1": Found(id="code_1", service="sun", test=False, code=facts),
            "lookup of code_2": Found(id="code_2", service="moon", test=False, code=facts),
        }
        assert await found(database) == {}


async def test_which_look_ups_are_taken(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, code("code_1"), code("code_2"))
        async with database.read() as reader:
            assert await codes.taken(reader, {"lookup of code_1", "free"}) == {"lookup of code_1"}
            assert await codes.taken(reader, set()) == set()


async def test_a_look_up_is_given_once_and_a_message_buys_once(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, code("code_1"))
        with pytest.raises(StoreConflict):
            await put(database, code("code_2", lookup="lookup of code_1"))
        with pytest.raises(StoreConflict):
            await put(database, code("code_1", lookup="another"))


async def test_whether_there_are_codes_at_all(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.read() as reader:
            assert await reader.fetch_one("codes.any") is None
        await put(database, code("code_1"), code("code_2"))
        async with database.read() as reader:
            assert await reader.fetch_one("codes.any") is not None


async def test_uses_are_counted_and_the_first_is_remembered(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, code("code_1"), code("code_2"))
        await use(database)
        await use(
            database,
            Use(id="code_1", used=0, uses=2, first_used_ms=5_000),
            Use(id="code_2", used=0, first_used_ms=7_000),
        )
        await use(database, Use(id="code_2", used=1, uses=3, first_used_ms=9_000))
        facts = await found(database, "lookup of code_1", "lookup of code_2")
    assert [(one.code.used, one.code.first_used_ms) for one in facts.values()] == [(2, 5_000), (4, 7_000)]


async def test_a_decision_that_has_seen_another_count_changes_nothing(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, code("code_1"))
        await use(database, Use(id="code_1", used=0, first_used_ms=5_000))
        await use(
            database, Use(id="code_1", used=0, first_used_ms=6_000), Use(id="code_1", used=7, first_used_ms=6_000)
        )
        facts = await found(database, "lookup of code_1")
    assert facts["lookup of code_1"].code.used == 1


async def test_who_looks_for_a_code_waits_until_the_one_before_has_decided(engine: Engine) -> None:
    async def look(database: Database) -> int:
        async with database.write() as transaction:
            facts = await codes.find(transaction, ["lookup of code_1", "lookup of code_2"])
            one = facts["lookup of code_1"]
            await asyncio.sleep(0)
            await codes.use(transaction, [Use(id=one.id, used=one.code.used, first_used_ms=5_000)])
            return one.code.used

    async with engine.open() as database, engine.open() as other:
        await put(database, code("code_1"), code("code_2"))
        seen = await asyncio.gather(*(look(one) for one in (database, other) * 5))
    assert sorted(seen) == list(range(10)), "each has seen the uses of all before"


async def test_attempts_are_kept_those_without_a_code_too(engine: Engine) -> None:
    rows = [attempt("att_1"), attempt("att_2", code=None, outcome="invalid", visitor="2001:db8::1")]
    async with engine.open() as database, database.write() as transaction:
        await attempts.record(transaction, rows)
    for row in rows:
        assert await columns(engine, "attempts", row.id) == structs.asdict(row)


async def test_an_attempt_is_recorded_once(engine: Engine) -> None:
    async with engine.open() as database:
        with pytest.raises(StoreConflict):
            async with database.write() as transaction:
                await attempts.record(transaction, [attempt("att_1"), attempt("att_1")])
    assert await columns(engine, "attempts", "att_1") is None
