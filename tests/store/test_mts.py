"""Outgoing messages in the store: queued with what causes them, settled once, read back in their order."""

import pytest
from msgspec import structs

from smsgw.errors import StoreConflict
from smsgw.store import mts, nodes
from smsgw.store.database import Database
from smsgw.store.mts import MtRow, Retry, Settled
from tests.servers.engines import Engine
from tests.store.look import columns
from tests.store.rows import mt


async def put(database: Database, *rows: MtRow) -> None:
    async with database.write() as transaction:
        await mts.insert(transaction, rows)


async def queued(database: Database, after: str = "", count: int = 100, link: str = "north") -> list[str]:
    async with database.read() as reader:
        return [row.id for row in await mts.queued(reader, link, "left", after, count)]


def accepted(name: str, message_id: str | None = "7") -> Settled:
    return Settled(id=name, status="accepted", command_status=0, message_id=message_id, answered_ms=2_000, tries=1)


# --- queued ---------------------------------------------------------------------------------------------------------


async def test_a_queued_message_is_read_back_as_it_was(engine: Engine) -> None:
    said = {"service_type": "PAY", "priority": 3, "protocol_id": 0x41, "tlvs": b"\x14\0\0\1\xff", "sms": 4}
    rows = [mt("mt_1"), mt("mt_2", mo=None, registered=0, source="", sealed=b""), mt("mt_3", **said)]
    async with engine.open() as database:
        await put(database)
        await put(database, *rows)
        async with database.read() as reader:
            assert await mts.queued(reader, "north", "left", "", 100) == rows


async def test_messages_come_oldest_first_page_by_page(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mt("mt_3"), mt("mt_1"), mt("mt_2"), mt("mt_4"))
        assert await queued(database, count=3) == ["mt_1", "mt_2", "mt_3"]
        assert await queued(database, after="mt_3", count=3) == ["mt_4"]


async def test_each_link_and_node_has_its_own(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mt("mt_1"), mt("mt_2", link="south"), mt("mt_3", node="right"))
        assert await queued(database) == ["mt_1"]
        assert await queued(database, link="south") == ["mt_2"]


async def test_another_node_may_take_over_what_is_still_queued(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mt("mt_1", node="right"), mt("mt_2", node="right"), mt("mt_3", node="middle"))
        await put(database, mt("mt_4", node="right", link="south"))
        async with database.write() as transaction:
            await mts.settle(transaction, [accepted("mt_2")])
            assert await nodes.claim_messages(transaction, "left", "right", ["north"]) == 1
        assert await queued(database) == ["mt_1"]


async def test_a_message_is_queued_once(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mt("mt_1"))
        with pytest.raises(StoreConflict):
            await put(database, mt("mt_2"), mt("mt_1"))
        assert await queued(database) == ["mt_1"]


# --- settled --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["accepted", "refused", "expired"])
async def test_an_answer_settles_a_queued_message(engine: Engine, status: str) -> None:
    row = Settled(id="mt_1", status=status, command_status=0xFFFFFFFF, message_id="é7", answered_ms=2_000, tries=3)
    async with engine.open() as database:
        await put(database, mt("mt_1"), mt("mt_2"))
        async with database.write() as transaction:
            await mts.settle(transaction, [row])
            await mts.settle(transaction, [])
        assert await queued(database) == ["mt_2"]
    told = structs.asdict(row)
    del told["billed"]  # says how, not what
    del told["not_before_ms"]  # of billed ones only
    assert await columns(engine, "mts", "mt_1", *told) == told


async def test_many_are_settled_at_once_each_by_its_own_answer(engine: Engine) -> None:
    names = [f"mt_{number:03}" for number in range(130)]
    async with engine.open() as database:
        await put(database, *(mt(name) for name in names))
        async with database.write() as transaction:
            await mts.settle(transaction, [accepted(name, message_id=f"id of {name}") for name in names[:129]])
        assert await queued(database) == ["mt_129"]
    for name in (names[0], names[64], names[128]):
        assert await columns(engine, "mts", name, "message_id") == {"message_id": f"id of {name}"}


async def test_a_message_is_settled_once(engine: Engine) -> None:
    refused = Settled(id="mt_1", status="refused", command_status=11, message_id=None, answered_ms=3_000, tries=2)
    async with engine.open() as database:
        await put(database, mt("mt_1"))
        async with database.write() as transaction:
            await mts.settle(transaction, [accepted("mt_1")])
        async with database.write() as transaction:
            await mts.settle(transaction, [refused, accepted("mt_missing")])
            await mts.retry(transaction, [Retry(id="mt_1", not_before_ms=9, tries=9, command_status=9)])
    told = await columns(engine, "mts", "mt_1", "status", "command_status", "message_id", "tries", "not_before_ms")
    assert told == {"status": "accepted", "command_status": 0, "message_id": "7", "tries": 1, "not_before_ms": 1_000}


async def test_there_are_no_other_states(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mt("mt_1"))
        with pytest.raises(StoreConflict):
            async with database.write() as transaction:
                await mts.settle(transaction, [structs.replace(accepted("mt_1"), status="lost")])
        assert await queued(database) == ["mt_1"]


async def test_a_message_that_is_to_be_tried_again_stays_queued(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mt("mt_1"), mt("mt_2"))
        async with database.write() as transaction:
            await mts.retry(
                transaction,
                [
                    Retry(id="mt_1", not_before_ms=5_000, tries=1, command_status=0x58),
                    Retry(id="mt_2", not_before_ms=6_000, tries=1, command_status=None),
                    Retry(id="mt_1", not_before_ms=7_000, tries=2, command_status=0x14),
                ],
            )
            await mts.retry(transaction, [])
        async with database.read() as reader:
            found = await mts.queued(reader, "north", "left", "", 100)
        assert [(row.id, row.not_before_ms, row.tries) for row in found] == [("mt_1", 7_000, 2), ("mt_2", 6_000, 1)]
    assert await columns(engine, "mts", "mt_1", "command_status") == {"command_status": 0x14}


async def test_no_more_answers_than_the_service_allows_can_exist(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mt("mt_1", reply=1, max_replies=2), mt("mt_2", reply=2, max_replies=2))
        for name, reply in (("mt_3", 3), ("mt_4", 2), ("mt_5", 0)):
            with pytest.raises(StoreConflict):
                await put(database, mt(name, reply=reply, max_replies=2))
        await put(database, mt("mt_6", mo="mo_2", reply=1, max_replies=1), mt("mt_7"))
