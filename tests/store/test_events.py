"""Events in the store: due in order, one node's at a time, one place each."""

from typing import Any

import pytest
from msgspec import structs

from smsgw.errors import StoreConflict
from smsgw.store import events, nodes
from smsgw.store.database import Database
from smsgw.store.events import Choice, Due, Hold, Retry, Settled
from tests.servers.engines import Engine
from tests.store.look import columns
from tests.store.rows import event


async def due(
    database: Database, now_ms: int = 2_000, count: int = 10, node: str = "left"
) -> list[tuple[str, int | None]]:
    async with database.write() as transaction:
        return [
            (one.id, one.wait_ms)
            for one in await events.due(transaction, "sun", node, now_ms=now_ms, soon_ms=now_ms + 50, count=count)
        ]


def settled(name: str, status: str = "delivered", node: str = "left", until_ms: int = 3_000) -> Settled:
    given = {"subject": "code_1", "tries": 1, "http_status": 200, "error": None, "at_ms": 2_500}
    return Settled(id=name, status=status, node=node, until_ms=until_ms, **given)  # type: ignore[arg-type]  # a test's table


async def test_an_event_is_kept_as_it_was_made_and_due_at_once(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.write() as transaction:
            await events.insert(transaction, [event("evt_1"), event("evt_2", subject="code_2", service="moon")])
            await events.insert(transaction, [])
            found = await events.due(transaction, "sun", "left", now_ms=1_000, soon_ms=9_000, count=10)
            assert await events.due(transaction, "sun", "left", now_ms=999, soon_ms=9_000, count=10) == []
        given = event("evt_1")
        assert found == [
            Due(
                id=given.id,
                service="sun",
                type=given.type,
                subject=given.subject,
                body=given.body,
                tries=0,
                wait_ms=None,
            )
        ]
    fresh = {"status": "pending", "tries": 0, "next_ms": 1_000, "node": None, "http_status": None, "error": None}
    assert await columns(engine, "events", "evt_1") == structs.asdict(given) | fresh | {"waits": 0, "settled_ms": None}


async def test_a_place_is_given_once(engine: Engine) -> None:
    async with engine.open() as database:
        with pytest.raises(StoreConflict):
            async with database.write() as transaction:
                await events.insert(transaction, [event("evt_1"), event("evt_2")])


async def test_who_has_an_earlier_one_before_them_is_told_until_when(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.write() as transaction:
            await events.insert(transaction, [event("evt_2", place=7), event("evt_1", place=3)])
        assert await due(database) == [("evt_1", None), ("evt_2", 2_050)]
        async with database.write() as transaction:
            await events.claim(transaction, [Hold(id="evt_1", until_ms=3_000, node="left")])
        assert await due(database) == [("evt_2", 2_050)]
        async with database.write() as transaction:
            await events.retry(
                transaction,
                [Retry(id="evt_1", tries=1, http_status=None, error="x", next_ms=8_000, node="left", until_ms=3_000)],
            )
        assert await due(database) == [("evt_2", 8_000)]
        async with database.write() as transaction:
            await events.park(transaction, [Hold(id="evt_2", until_ms=8_000, node="")])
        assert await due(database) == []


async def test_what_waited_is_due_when_the_one_before_is_settled(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.write() as transaction:
            await events.insert(transaction, [event(f"evt_{number}", place=number) for number in (1, 2, 3)])
            await events.claim(transaction, [Hold(id="evt_1", until_ms=3_000, node="left")])
            await events.park(transaction, [Hold(id=f"evt_{number}", until_ms=9_000, node="") for number in (2, 3)])
            await events.settle(transaction, [settled("evt_1")])
        assert await due(database, 2_500) == [("evt_2", None)]


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (settled("evt_1", "given_up"), "given_up"),
        (settled("evt_1", "given_up", node="right"), "pending"),
        (settled("evt_1", "given_up", until_ms=2_999), "pending"),
        (settled("evt_1", "delivered", node="right"), "delivered"),
    ],
)
async def test_only_who_has_it_may_give_it_up_and_a_success_is_anybody_s(
    engine: Engine, result: Settled, status: str
) -> None:
    async with engine.open() as database, database.write() as transaction:
        await events.insert(transaction, [event("evt_1")])
        await events.claim(transaction, [Hold(id="evt_1", until_ms=3_000, node="left")])
        await events.settle(transaction, [result])
        [row] = await events.walk(transaction, Choice(), 10)
        assert row.status == status


async def test_what_pauses_by_itself_is_not_due_when_an_earlier_one_is_settled(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.write() as transaction:
            await events.insert(transaction, [event(f"evt_{number}", place=number) for number in (1, 2)])
            for name in ("evt_1", "evt_2"):
                await events.claim(transaction, [Hold(id=name, until_ms=3_000, node="left")])
            await events.retry(
                transaction,
                [Retry(id="evt_2", tries=1, http_status=None, error="x", next_ms=9_000, node="left", until_ms=3_000)],
            )
            await events.settle(transaction, [settled("evt_1")])
        assert await due(database, 8_999) == []
        assert await due(database, 9_000) == [("evt_2", None)]


async def test_what_a_node_had_is_given_back(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.write() as transaction:
            await events.insert(transaction, [event(f"evt_{number}", place=number) for number in (1, 2)])
            await events.claim(transaction, [Hold(id="evt_1", until_ms=9_000, node="left")])
            await events.claim(transaction, [Hold(id="evt_2", until_ms=9_000, node="right")])
            assert await events.release(transaction, "left", 2_000) == 1
        assert await due(database) == [("evt_1", None)]


async def test_a_claim_is_no_other_s_however_late_it_is_and_its_own_again_when_its_time_is_over(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.write() as transaction:
            await events.insert(transaction, [event("evt_1")])
            await events.claim(transaction, [Hold(id="evt_1", until_ms=3_000, node="left")])
        assert await due(database, 9_000_000, node="right") == []
        assert await due(database, 2_999, node="left") == []
        assert await due(database, 3_000, node="left") == [("evt_1", None)]


async def test_only_what_the_dead_had_is_inherited(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.write() as transaction:
            await nodes.beat(transaction, "left", 1)
            for number, node in enumerate(["left", "right", "dead", ""]):
                await events.insert(transaction, [event(f"evt_{node}", subject=f"code_{number}")])
                if node:
                    await events.claim(transaction, [Hold(id=f"evt_{node}", until_ms=9_000_000, node=node)])
            assert await events.inherit(transaction, "right", 2_000) == 1
        assert await due(database) == [("evt_", None), ("evt_dead", None)]


async def test_walking_chooses_and_goes_backwards(engine: Engine) -> None:
    async with engine.open() as database, database.write() as transaction:
        await events.insert(
            transaction,
            [
                event(f"evt_{number}", place=number, service=service)
                for number, service in enumerate(["sun", "moon", "sun"])
            ],
        )

        async def found(count: int = 10, **choice: Any) -> list[str]:
            return [row.id for row in await events.walk(transaction, Choice(**choice), count)]

        assert await found() == ["evt_2", "evt_1", "evt_0"]
        assert await found(2) == ["evt_2", "evt_1"]
        assert await found(service="sun") == ["evt_2", "evt_0"]
        assert await found(first="evt_1", before="evt_2") == ["evt_1"]
        assert await found(status="delivered") == []
