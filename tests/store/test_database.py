"""The contract of the store's seam: what holds on SQLite holds on PostgreSQL, and the other way round."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Final

import msgspec
import pytest

from smsgw.errors import StoreConflict, StoreUnavailable
from smsgw.store.database import Database, Row, Transaction, to_the_end
from tests.servers.engines import Engine

CONTRACT: Final = Path(__file__).parent / "contract"


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    size: int = 1
    picture: bytes | None = None


def opened(
    engine: Engine, *, lock_wait_ms: int = 5_000, statement_ms: int = 10_000
) -> AbstractAsyncContextManager[Database]:
    return engine.open(
        queries=CONTRACT / "sql",
        migrations=CONTRACT / "migrations",
        lock_wait_ms=lock_wait_ms,
        statement_ms=statement_ms,
    )


async def insert(database: Database, *ids: str) -> None:
    async with database.write() as transaction:
        await transaction.executemany("things.insert", [Thing(id=name) for name in ids])


async def ids(database: Database) -> list[str]:
    async with database.read() as reader:
        return [name for name, _ in await reader.fetch("things.all")]


# --- what statements give -------------------------------------------------------------------------------------------


async def test_values_come_back_as_they_went(engine: Engine) -> None:
    thing = Thing(id="ключ 🔑 '", size=2**62, picture=bytes(range(256)))
    async with opened(engine) as database:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id=thing.id, size=thing.size, picture=thing.picture)
            await transaction.execute("things.insert", id="none", size=0, picture=None)
        async with database.read() as reader:
            assert await reader.fetch_one("things.one", id=thing.id) == (thing.id, thing.size, thing.picture)
            assert await reader.fetch_one("things.one", id="none") == ("none", 0, None)


async def test_rows_are_tuples_and_nothing_is_none(engine: Engine) -> None:
    async with opened(engine) as database:
        await insert(database, "b", "a")
        async with database.read() as reader:
            rows = await reader.fetch("things.all")
            assert rows == [("a", 1), ("b", 1)]
            assert all(type(row) is tuple for row in rows)
            assert await reader.fetch("lists.ids", ids=[]) == []
            assert await reader.fetch_one("things.one", id="missing") is None


async def test_lists_are_parameters(engine: Engine) -> None:
    async with opened(engine) as database:
        await insert(database, "a", "b", 'c "quoted"')
        async with database.read() as reader:
            assert await reader.fetch("lists.ids", ids=["a", 'c "quoted"', "z"]) == [("a",), ('c "quoted"',)]
            assert await reader.fetch("lists.sizes", sizes=(1, 7)) == [("a",), ("b",), ('c "quoted"',)]


async def test_execute_counts_the_rows_that_it_changed(engine: Engine) -> None:
    async with opened(engine) as database:
        await insert(database, "a", "b")
        async with database.write() as transaction:
            assert await transaction.execute("things.grow", id="a", size=1, by=4) == 1
            assert await transaction.execute("things.grow", id="a", size=1, by=4) == 0, "the guard saw the change"
            assert await transaction.execute("things.grow_with", size=1, by=1) == 1
            assert await transaction.execute("things.grow_with", size=1, by=1) == 0
            assert await transaction.fetch_one("things.take", id="a") == (5,)
            assert await transaction.fetch_one("things.take", id="a") is None


async def test_a_missing_parameter_is_told_by_name(engine: Engine) -> None:
    async with opened(engine) as database, database.read() as reader:
        with pytest.raises(TypeError, match=r"things\.one takes \['id'\], was given \['name'\]"):
            await reader.fetch("things.one", name="a")


async def test_a_transaction_sees_its_own_rows(engine: Engine) -> None:
    async with opened(engine) as database, database.write() as transaction:
        await transaction.executemany("things.insert", [Thing(id="a"), Thing(id="b")])
        assert await transaction.fetch("things.all") == [("a", 1), ("b", 1)]


async def test_rows_are_taken_when_they_are_given(engine: Engine) -> None:
    rows = [Thing(id="a")]
    async with opened(engine) as database:
        async with database.write() as transaction:
            await transaction.executemany("things.insert", rows)
            rows.append(Thing(id="b"))
        assert await ids(database) == ["a"]


async def test_no_rows_are_nothing_to_do(engine: Engine) -> None:
    async with opened(engine) as database:
        async with database.write() as transaction:
            await transaction.executemany("things.insert", [])
        async with database.write():
            pass
        async with database.read():
            pass
        assert await ids(database) == []


# --- all or nothing -------------------------------------------------------------------------------------------------


async def test_what_is_committed_outlives_the_program(engine: Engine) -> None:
    async with opened(engine) as database:
        await insert(database, "a")
    async with opened(engine) as database:
        assert await ids(database) == ["a"]


async def test_an_error_in_the_block_undoes_it(engine: Engine) -> None:
    async def work() -> None:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="a", size=1, picture=None)
            await transaction.executemany("things.insert", [Thing(id="b")])
            raise LookupError

    async with opened(engine) as database:
        with pytest.raises(LookupError):
            await work()
        assert await ids(database) == []
        await insert(database, "c")
        assert await ids(database) == ["c"]


async def test_one_bad_row_undoes_them_all(engine: Engine) -> None:
    async with opened(engine) as database:
        await insert(database, "b")
        with pytest.raises(StoreConflict):
            await insert(database, "a", "b", "c")
        assert await ids(database) == ["b"]


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 200])
async def test_many_rows_arrive_each_as_it_was(engine: Engine, count: int) -> None:
    rows = [Thing(id=f"{number:03}", size=number) for number in range(count)]
    async with opened(engine) as database:
        async with database.write() as transaction:
            await transaction.executemany("things.insert", rows)
        async with database.read() as reader:
            assert await reader.fetch("things.all") == [(row.id, row.size) for row in rows]


async def test_one_bad_row_among_many_undoes_them_all(engine: Engine) -> None:
    async with opened(engine) as database:
        await insert(database, "150")
        with pytest.raises(StoreConflict):
            await insert(database, *(f"{number:03}" for number in range(200)))
        assert await ids(database) == ["150"]


@pytest.mark.parametrize("rows", [[Thing(id="\ud800")], [Thing(id="a", size=2**70)], [object()]])
async def test_a_value_that_no_column_takes_undoes_the_transaction(engine: Engine, rows: list[object]) -> None:
    async with opened(engine) as database:
        with pytest.raises((ValueError, OverflowError, AttributeError)):
            async with database.write() as transaction:
                await transaction.executemany("things.insert", [Thing(id="b"), *rows])
        await insert(database, "c")
        assert await ids(database) == ["c"]


async def test_constraints_are_conflicts(engine: Engine) -> None:
    async with opened(engine) as database:
        await insert(database, "a")
        for query, values in (
            ("things.insert", {"id": "a", "size": 1, "picture": None}),  # unique
            ("things.insert", {"id": "b", "size": -1, "picture": None}),  # check
            ("things.insert", {"id": "b", "size": None, "picture": None}),  # not null
            ("things.insert_part", {"id": "p", "thing": "nothing"}),  # foreign key
        ):
            with pytest.raises(StoreConflict) as caught:
                async with database.write() as transaction:
                    await transaction.execute(query, **values)
            assert caught.value.__cause__ is None, "the library's error may quote the row"
        assert await ids(database) == ["a"]


async def test_a_mistake_in_the_sql_is_not_the_stores_fault(engine: Engine) -> None:
    async with opened(engine) as database:
        with pytest.raises(Exception, match="nowhere") as caught:
            async with database.write() as transaction:
                await transaction.execute("things.wrong", id="a")
        assert "Store" not in type(caught.value).__name__
        await insert(database, "a")


async def test_a_failed_transaction_cannot_be_carried_on(engine: Engine) -> None:
    async def work() -> None:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="b", size=1, picture=None)
            with pytest.raises(StoreConflict):
                await transaction.execute("things.insert", id="a", size=1, picture=None)
            with pytest.raises(StoreConflict):
                await transaction.execute("things.insert", id="c", size=1, picture=None)
            with pytest.raises(StoreConflict):
                await transaction.executemany("things.insert", [Thing(id="d")])

    async with opened(engine) as database:
        await insert(database, "a")
        with pytest.raises(StoreConflict):
            await work()
        assert await ids(database) == ["a"], "the block was left without an error, and yet nothing is committed"


async def test_a_transaction_ends_with_its_block(engine: Engine) -> None:
    async with opened(engine) as database:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="a", size=1, picture=None)
        with pytest.raises(RuntimeError, match="over"):
            await transaction.execute("things.insert", id="b", size=1, picture=None)
        async with database.read() as reader:
            await reader.fetch("things.all")
        with pytest.raises(RuntimeError, match="over"):
            await reader.fetch("things.all")


# --- several at once ------------------------------------------------------------------------------------------------


async def test_a_snapshot_does_not_move(engine: Engine) -> None:
    async with opened(engine) as database:
        await insert(database, "a")
        async with database.read() as reader:
            assert len(await reader.fetch("things.all")) == 1
            await insert(database, "b")
            assert len(await reader.fetch("things.all")) == 1
        assert await ids(database) == ["a", "b"]


async def test_readers_do_not_see_what_is_not_committed(engine: Engine) -> None:
    async with opened(engine) as database:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="a", size=1, picture=None)
            assert await ids(database) == []
        assert await ids(database) == ["a"]


async def test_tasks_do_not_mix_their_transactions(engine: Engine) -> None:
    async def keep(number: int) -> None:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id=f"keep {number}", size=1, picture=None)
            await asyncio.sleep(0)
            await transaction.execute("things.insert", id=f"kept {number}", size=1, picture=None)

    async def drop(number: int) -> None:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id=f"drop {number}", size=1, picture=None)
            await asyncio.sleep(0)
            raise LookupError

    async with opened(engine) as database:
        work = [work(number) for number in range(20) for work in (keep, drop)]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), LookupError] * 20
        assert await ids(database) == sorted(f"{word} {number}" for number in range(20) for word in ("keep", "kept"))


async def test_a_guarded_update_is_won_once(engine: Engine) -> None:
    async def grow() -> int:
        async with database.write() as transaction:
            return await transaction.execute("things.grow", id="a", size=1, by=1)

    async with opened(engine) as database:
        await insert(database, "a")
        assert sorted(await asyncio.gather(*(grow() for _ in range(16)))) == [0] * 15 + [1]


async def test_many_readers_take_turns(engine: Engine) -> None:
    async with opened(engine) as database:
        await insert(database, "a")
        assert await asyncio.gather(*(ids(database) for _ in range(40))) == [["a"]] * 40


# --- a body in one go -----------------------------------------------------------------------------------------------


def inserting(*names: str) -> Callable[[Transaction], Coroutine[object, object, list[Row]]]:
    async def body(transaction: Transaction) -> list[Row]:
        await transaction.executemany("things.insert", [Thing(id=name) for name in names])
        return await transaction.fetch("things.all")

    return body


async def test_a_body_is_committed_and_gives_its_result(engine: Engine) -> None:
    async with opened(engine) as database:
        assert await database.transact(inserting("a", "b")) == [("a", 1), ("b", 1)]
        assert await ids(database) == ["a", "b"]


async def test_a_body_may_do_all_that_a_block_may(engine: Engine) -> None:
    async def body(transaction: Transaction) -> tuple[object, ...]:
        await transaction.execute("things.insert", id="b", size=5, picture=None)
        return (
            await transaction.fetch("lists.ids", ids=["a", "b"]),
            await transaction.execute("things.grow", id="a", size=1, by=1),
            await transaction.execute("things.grow_with", size=5, by=1),
            await transaction.fetch_one("things.take", id="b"),
            await transaction.fetch_one("things.take", id="b"),
        )

    async with opened(engine) as database:
        await insert(database, "a")
        assert await database.transact(body) == ([("a",), ("b",)], 1, 1, (6,), None)


async def test_an_error_in_a_body_undoes_it(engine: Engine) -> None:
    async def body(transaction: Transaction) -> None:
        await transaction.executemany("things.insert", [Thing(id="b")])
        raise LookupError

    async with opened(engine) as database:
        await insert(database, "a")
        with pytest.raises(LookupError):
            await database.transact(body)
        with pytest.raises(StoreConflict):
            await database.transact(inserting("b", "a"))
        assert await ids(database) == ["a"]
        await database.transact(inserting("c"))


async def test_a_failed_body_cannot_be_carried_on(engine: Engine) -> None:
    async def body(transaction: Transaction) -> None:
        await transaction.execute("things.insert", id="b", size=1, picture=None)
        for name in ("a", "c"):  # the second would be all right by itself
            with suppress(Exception):
                await transaction.execute("things.insert", id=name, size=1, picture=None)

    async with opened(engine) as database:
        await insert(database, "a")
        with pytest.raises(StoreConflict):
            await database.transact(body)
        assert await ids(database) == ["a"], "the body ended without an error, and yet nothing is committed"


async def test_bodies_take_turns_with_blocks(engine: Engine) -> None:
    async with opened(engine) as database:
        await asyncio.gather(
            *(database.transact(inserting(f"body {number}")) for number in range(9)),
            *(insert(database, f"block {number}") for number in range(9)),
        )
        assert len(await ids(database)) == 18


async def test_a_body_has_a_deadline(engine: Engine) -> None:
    async def body(transaction: Transaction) -> None:
        await transaction.execute("things.insert", id="a", size=1, picture=None)
        await transaction.fetch("lists.endless")

    async with opened(engine, statement_ms=50) as database:
        with pytest.raises(StoreUnavailable):
            await database.transact(body)
        await database.transact(inserting("b"))
        assert await ids(database) == ["b"]


# --- what a snapshot may not do -------------------------------------------------------------------------------------


async def test_a_snapshot_changes_nothing(engine: Engine) -> None:
    async def take() -> None:
        async with database.read() as reader:
            await reader.fetch("things.take", id="a")

    async with opened(engine) as database:
        await insert(database, "a")
        with pytest.raises(StoreUnavailable):
            await take()
        assert await ids(database) == ["a"]


# --- deadlines ------------------------------------------------------------------------------------------------------


async def test_a_statement_has_a_deadline(engine: Engine) -> None:
    async def read() -> None:
        async with database.read() as reader:
            await reader.fetch("lists.endless")

    async def write() -> None:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="a", size=1, picture=None)
            await transaction.fetch("lists.endless")

    async with opened(engine, statement_ms=50) as database:
        with pytest.raises(StoreUnavailable):
            await read()
        with pytest.raises(StoreUnavailable):
            await write()
        assert await ids(database) == []
        await insert(database, "b")


async def test_a_writer_does_not_wait_for_ever_for_another(engine: Engine) -> None:
    async with opened(engine, lock_wait_ms=50) as database:
        await insert(database, "a")
        async with database.write() as first:
            await first.execute("things.grow", id="a", size=1, by=1)
            with pytest.raises(StoreUnavailable):
                async with database.write() as second:
                    await second.execute("things.grow", id="a", size=1, by=2)
        async with database.read() as reader:
            assert await reader.fetch("things.all") == [("a", 2)]


# --- cancellation ---------------------------------------------------------------------------------------------------


async def by_block(database: Database, *names: str) -> None:
    async with database.write() as transaction:
        await transaction.fetch("things.all")
        await transaction.execute("things.insert", id=names[0], size=1, picture=None)
        await transaction.executemany("things.insert", [Thing(id=name) for name in names[1:]])


async def by_body(database: Database, *names: str) -> None:
    await database.transact(inserting(*names))


@pytest.mark.parametrize("way", [by_block, by_body])
async def test_a_task_may_be_cancelled_at_any_moment(
    engine: Engine, way: Callable[..., Coroutine[object, object, None]]
) -> None:
    """Cancel at every turn of the event loop that the transaction takes: it is there whole, or not at all."""
    async with opened(engine) as database:
        expected: list[str] = []
        turns = 0
        while True:
            names = [f"{turns:06} {part}" for part in "123"]
            task = asyncio.create_task(way(database, *names))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            [outcome] = await asyncio.gather(task, return_exceptions=True)
            found = [name for name in await ids(database) if name in names]
            assert found in ([], names)
            expected += found
            if not task.cancelled():
                assert outcome is None
                assert found
                break
            turns += 1 + turns // 50  # every turn at first, then (fsync takes thousands of turns) a sample
        await insert(database, "last")
        assert await ids(database) == sorted([*expected, "last"])


async def test_a_cancelled_statement_ends_with_its_transaction(engine: Engine) -> None:
    started = asyncio.Event()

    async def work() -> None:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="a", size=1, picture=None)
            started.set()
            await transaction.fetch("lists.endless")

    async with opened(engine, statement_ms=200) as database:
        task = asyncio.create_task(work())
        await started.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await ids(database) == []
        await insert(database, "b")


async def test_a_swallowed_cancellation_does_not_commit_half(engine: Engine) -> None:
    async def work() -> None:
        async with database.write() as transaction:
            await transaction.execute("things.insert", id="a", size=1, picture=None)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(transaction.fetch("lists.endless"), 0.01)

    async with opened(engine, statement_ms=200) as database:
        with pytest.raises(StoreUnavailable, match="cancelled"):
            await work()
        assert await ids(database) == []


async def test_a_cancelled_snapshot_gives_its_place_back(engine: Engine) -> None:
    async def work() -> None:
        async with database.read() as reader:
            await reader.fetch("lists.endless")

    async with opened(engine, statement_ms=200) as database:
        tasks = [asyncio.create_task(work()) for _ in range(3)]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await asyncio.gather(*(ids(database) for _ in range(10))) == [[]] * 10


async def test_a_cancelled_wait_for_the_writer_leaves_no_trace(engine: Engine) -> None:
    async with opened(engine) as database:
        async with database.write() as first:
            await first.execute("things.insert", id="a", size=1, picture=None)
            task = asyncio.create_task(insert(database, "a"))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert await ids(database) == ["a"]
        await insert(database, "b")


# --- the piece that both engines are built on -----------------------------------------------------------------------


async def test_what_must_not_be_cut_short_is_not() -> None:
    step = asyncio.Event()
    done: list[str] = []

    async def record() -> None:
        await step.wait()
        done.append("recorded")

    task = asyncio.create_task(to_the_end(record()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    step.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["recorded"]


async def test_an_error_in_it_comes_through_unless_it_was_cancelled() -> None:
    async def fail() -> Row:
        await asyncio.sleep(0)
        raise LookupError

    with pytest.raises(LookupError):
        await to_the_end(fail())
    task = asyncio.create_task(to_the_end(fail()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
