"""Delivery receipts in the store: kept as they came, matched on their own link, moving messages forward only."""

from typing import Any, Final

import pytest
from msgspec import structs

from smsgw.errors import StoreConflict
from smsgw.store import mts, receipts
from smsgw.store.database import Database
from smsgw.store.mts import Settled
from smsgw.store.receipts import Delivered, Match, Named, Unmatched
from tests.servers.engines import Engine
from tests.store.look import columns
from tests.store.rows import mt, receipt

PHONE: Final = "359881234567"
SAID: Final[dict[str, Any]] = {"state": "DELIVRD", "error": "000", "source": "", "destination": ""}


async def sent(database: Database, name: str, message_id: str | None, **changes: object) -> None:
    """Store a message that the SMSC has accepted under this id."""
    settled = Settled(id=name, status="accepted", command_status=0, message_id=message_id, answered_ms=2_000, tries=1)
    async with database.write() as transaction:
        await mts.insert(transaction, [mt(name, **changes)])
        await mts.settle(transaction, [settled])


async def status(engine: Engine, name: str) -> str:
    row = await columns(engine, "mts", name, "status")
    assert row is not None
    return str(row["status"])


async def test_a_receipt_is_kept_as_it_came(engine: Engine) -> None:
    rows = [receipt("rcpt_1", payload=bytes(range(256)), tlvs=b"\0"), receipt("rcpt_2", message_id="", mt="mt_1")]
    async with engine.open() as database, database.write() as transaction:
        await receipts.insert(transaction, rows)
        await receipts.insert(transaction, [])
    for row in rows:
        assert await columns(engine, "receipts", row.id) == structs.asdict(row)


async def test_a_receipt_is_stored_once(engine: Engine) -> None:
    async with engine.open() as database:
        with pytest.raises(StoreConflict):
            async with database.write() as transaction:
                await receipts.insert(transaction, [receipt("rcpt_1"), receipt("rcpt_1")])


async def test_messages_are_found_by_the_smsc_s_ids_on_one_link(engine: Engine) -> None:
    async with engine.open() as database:
        await sent(database, "mt_1", "7")
        await sent(database, "mt_2", "8")
        await sent(database, "mt_3", "7", link="south")
        await sent(database, "mt_4", "9", registered=0)
        await sent(database, "mt_5", None)
        async with database.read() as reader:
            assert await receipts.messages(reader, "north", {"7", "8", "9", "10"}) == {
                "7": Named(mt="mt_1", charge=None, phone=PHONE),
                "8": Named(mt="mt_2", charge=None, phone=PHONE),
            }
            assert await receipts.messages(reader, "south", {"7"}) == {"7": Named(mt="mt_3", charge=None, phone=PHONE)}
            assert await receipts.messages(reader, "north", set()) == {}


async def test_of_messages_that_share_an_id_the_latest_counts(engine: Engine) -> None:
    async with engine.open() as database:
        for name in ("mt_2", "mt_3", "mt_1"):
            await sent(database, name, "7")
        async with database.read() as reader:
            assert await receipts.messages(reader, "north", {"7"}) == {"7": Named(mt="mt_3", charge=None, phone=PHONE)}


async def test_receipts_wait_for_the_response_that_names_their_message(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.write() as transaction:
            await receipts.insert(
                transaction,
                [
                    receipt("rcpt_2", event="deliver"),
                    receipt("rcpt_1", event="progress"),
                    receipt("rcpt_3", link="south"),
                    receipt("rcpt_4", message_id="8"),
                    receipt("rcpt_5", mt="mt_9"),
                ],
            )
        async with database.read() as reader:
            assert await receipts.unmatched(reader, "north", {"7", "9"}) == [
                Unmatched(id="rcpt_1", link="north", message_id="7", event="progress", received_ms=1_000, **SAID),
                Unmatched(id="rcpt_2", link="north", message_id="7", event="deliver", received_ms=1_000, **SAID),
            ]
            assert await receipts.unmatched(reader, "north", set()) == []


async def test_a_receipt_is_tied_to_its_message_once(engine: Engine) -> None:
    async with engine.open() as database, database.write() as transaction:
        await receipts.insert(transaction, [receipt("rcpt_1"), receipt("rcpt_2")])
        await receipts.match(transaction, [Match(id="rcpt_1", mt="mt_1"), Match(id="rcpt_1", mt="mt_2")])
        await receipts.match(transaction, [])
    assert await columns(engine, "receipts", "rcpt_1", "mt") == {"mt": "mt_1"}
    assert await columns(engine, "receipts", "rcpt_2", "mt") == {"mt": None}


async def test_a_final_state_is_reached_from_accepted_and_kept(engine: Engine) -> None:
    async with engine.open() as database:
        await sent(database, "mt_1", "7")
        async with database.write() as transaction:
            await mts.insert(transaction, [mt("mt_2")])
            await receipts.deliver(transaction, [Delivered(mt="mt_1", status="delivered")])
            await receipts.deliver(transaction, [])
        async with database.write() as transaction:
            await receipts.deliver(
                transaction,
                [
                    Delivered(mt="mt_1", status="failed"),
                    Delivered(mt="mt_2", status="delivered"),
                    Delivered(mt="mt_missing", status="delivered"),
                ],
            )
    assert await status(engine, "mt_1") == "delivered"
    assert await status(engine, "mt_2") == "queued"


async def test_receipts_that_nobody_claims_are_forgotten_in_slices(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.write() as transaction:
            rows = [receipt(f"rcpt_{n}", received_ms=n, mt="mt_1" if n == 1 else None) for n in range(6)]
            await receipts.insert(transaction, rows)
        async with database.write() as transaction:
            assert await receipts.forget_unmatched(transaction, 4, 2) == 2
            assert await receipts.forget_unmatched(transaction, 4, 2) == 1
            assert await receipts.forget_unmatched(transaction, 4, 2) == 0
        async with database.read() as reader:
            left = await receipts.unmatched(reader, "north", {"7"})
    assert [one.id for one in left] == ["rcpt_4", "rcpt_5"]
