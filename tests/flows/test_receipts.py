"""Delivery receipts: before the response, twice, for nobody; states only move forward, and nothing is thrown away."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from smsgw.flows import sweep, trace
from smsgw.flows.send import Outbox
from smsgw.settings import Retention
from smsgw.smpp import tlvs
from tests.flows.world import LINK, SECOND, SUN, World, changed, deliver, receipt, world
from tests.servers.engines import Engine

T = TypeVar("T")


class Sender:
    """The link's side: sends what was bought, and hears the SMSC's answers."""

    def __init__(self, one: World, link: str = "north") -> None:
        self.one = one
        self.box = Outbox(one.ports, link, one.catalog.links[link], lambda: None)
        self.box._more.clear()  # nothing waits in the store

    async def send(self, message_id: str) -> str:
        """Buy a code, send its answer, have it accepted under an id; return the MT's id."""
        await self.one.sms()
        self.box.offer([self.one.sent[-1]])
        message = self.box.take()
        assert message is not None
        self.box.accepted(message, message_id)
        await self.box.close()
        return message.row.id


async def states(one: World) -> list[tuple[str, str]]:
    return [(mt, status) for mt, status in await one.rows("mts", "id", "status")]


async def test_a_receipt_moves_its_message_and_is_no_purchase(engine: Engine) -> None:
    async with world(engine) as one:
        mt = await Sender(one).send("7")
        await one.take(one.arrival(pdu=receipt("7")))
        assert await states(one) == [(mt, "delivered")]
        assert await one.rows("receipts", "link", "message_id", "state", "mt") == [("north", "7", "DELIVRD", mt)]
        [(payload,)] = await one.rows("receipts", "payload")
        assert b"stat:DELIVRD" in payload
        assert await one.count("mos") == await one.count("codes") == len(one.sent) == 1


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("UNDELIV", "failed"),
        ("EXPIRED", "failed"),
        ("REJECTD", "failed"),
        ("DELETED", "failed"),
        ("ENROUTE", "accepted"),
    ],
)
async def test_what_receipts_say(engine: Engine, state: str, status: str) -> None:
    async with world(engine) as one:
        mt = await Sender(one).send("7")
        await one.take(one.arrival(pdu=receipt("7", state)))
        assert await states(one) == [(mt, status)]


async def test_a_receipt_may_come_before_the_response(engine: Engine) -> None:
    async with world(engine) as one:
        await one.take(one.arrival(pdu=receipt("7", "ENROUTE")), one.arrival(pdu=receipt("7")))
        assert await one.rows("receipts", "mt") == [(None,), (None,)]
        mt = await Sender(one).send("7")
        assert await states(one) == [(mt, "delivered")]
        assert await one.rows("receipts", "mt") == [(mt,), (mt,)]


async def test_a_receipt_is_of_no_message_that_was_made_after_it(engine: Engine) -> None:
    async with world(engine) as one:
        await one.take(one.arrival(pdu=receipt("7", "UNDELIV")))
        one.clock.advance(24 * 3_600 * SECOND)
        mt = await Sender(one).send("7")
        assert await states(one) == [(mt, "accepted")], "the SMSC has begun anew with its ids"
        assert await one.rows("receipts", "mt") == [(None,)]
        await one.take(one.arrival(pdu=receipt("7")))
        assert await states(one) == [(mt, "delivered")]


async def test_twice_is_once(engine: Engine) -> None:
    async with world(engine) as one:
        mt = await Sender(one).send("7")
        await one.take(one.arrival(pdu=receipt("7")), one.arrival(pdu=receipt("7")))
        await one.take(one.arrival(pdu=receipt("7")))
        assert await states(one) == [(mt, "delivered")]
        assert await one.count("receipts") == 3


async def test_the_first_final_state_stays(engine: Engine) -> None:
    async with world(engine) as one:
        mt = await Sender(one).send("7")
        for state in ("UNDELIV", "DELIVRD", "ENROUTE"):
            await one.take(one.arrival(pdu=receipt("7", state)))
        assert await states(one) == [(mt, "failed")]


async def test_a_receipt_for_nobody_is_kept(engine: Engine) -> None:
    async with world(engine) as one:
        mt = await Sender(one).send("7")
        await one.take(one.arrival(pdu=receipt("8")), one.arrival(pdu=deliver(b"garbage", esm_class=0x04)))
        assert await states(one) == [(mt, "accepted")]
        assert await one.rows("receipts", "message_id", "state", "mt") == [
            ("8", "DELIVRD", None),
            ("", "UNKNOWN", None),
        ]


async def test_each_link_has_its_own_ids(engine: Engine) -> None:
    async with world(engine) as one:
        mt = await Sender(one).send("7")
        await one.take(one.arrival(pdu=receipt("7"), link="south"))
        assert await states(one) == [(mt, "accepted")]


async def test_of_an_id_that_the_smsc_gives_again_the_latest_message_is_meant(engine: Engine) -> None:
    async with world(engine) as one:
        sender = Sender(one)
        old, new = await sender.send("7"), await sender.send("7")
        await one.take(one.arrival(pdu=receipt("7")))
        assert await states(one) == [(old, "accepted"), (new, "delivered")]


async def test_the_tlvs_go_before_the_text(engine: Engine) -> None:
    told = {tlvs.RECEIPTED_MESSAGE_ID: b"7\0", tlvs.MESSAGE_STATE: b"\x05"}
    async with world(engine) as one:
        mt = await Sender(one).send("7")
        await one.take(one.arrival(pdu=receipt("999", tlvs=told)))
        assert await states(one) == [(mt, "failed")]
        assert await one.rows("receipts", "tlvs") == [(b"\x00\x1e\x00\x027\x00\x04\x27\x00\x01\x05",)]


async def test_a_nul_in_the_text_is_no_obstacle(engine: Engine) -> None:
    """SMSCs write C strings; PostgreSQL's text holds no NUL, and a receipt must not be bounced for ever."""
    async with world(engine) as one:
        mt = await Sender(one).send("7")
        await one.take(one.arrival(pdu=deliver(b"id:7\0 stat:DELIVRD\0", esm_class=0x04)))
        assert await states(one) == [(mt, "delivered")]
        assert await one.rows("receipts", "payload") == [(b"id:7\0 stat:DELIVRD\0",)]


async def test_a_subscriber_who_types_a_receipt_has_sent_a_message(engine: Engine) -> None:
    async with world(engine) as one:
        mt = await Sender(one).send("7")
        await one.sms("id:7 stat:DELIVRD")
        assert (await states(one))[0] == (mt, "accepted")
        assert await one.count("receipts") == 0
        assert (await one.verdicts())[-1] == ("done", "unknown_keyword")


async def test_an_smsc_that_answers_in_hex_and_reports_in_decimal(engine: Engine) -> None:
    link = changed(LINK, response_ids="hex", receipt_ids="decimal")
    async with world(engine, links={"north": link}) as one:
        mt = await Sender(one).send("00007F3A")
        await one.take(one.arrival(pdu=receipt("0000032570")))
        assert await states(one) == [(mt, "delivered")]
        assert await one.rows("mts", "message_id", "smsc_message_id") == [("32570", "00007F3A")]


async def test_ids_that_differ_in_case_before_the_response(engine: Engine) -> None:
    link = changed(LINK, response_ids="caseless", receipt_ids="caseless")
    async with world(engine, links={"north": link}) as one:
        await one.take(one.arrival(pdu=receipt("0ABC")))
        mt = await Sender(one).send("abc")
        assert await states(one) == [(mt, "delivered")]


async def test_an_operators_own_word(engine: Engine) -> None:
    async with world(engine, links={"north": changed(LINK, receipt_states={"LOST": "failed"})}) as one:
        mt = await Sender(one).send("7")
        await one.take(one.arrival(pdu=receipt("7", "LOST")))
        assert await states(one) == [(mt, "failed")]


async def test_an_intermediate_notification_is_only_recorded(engine: Engine) -> None:
    async with world(engine) as one:
        mt = await Sender(one).send("7")
        await one.take(one.arrival(pdu=deliver(b"id:7 stat:DELIVRD err:000 text:", esm_class=0x20)))
        assert await states(one) == [(mt, "accepted")]
        assert await one.rows("receipts", "state", "event", "mt") == [("DELIVRD", "progress", mt)]


async def test_what_else_a_receipt_says_is_kept(engine: Engine) -> None:
    text = b"id:7 sub:001 dlvrd:000 submit date:2311142300 done date:2311150013 stat:UNDELIV err:069 text:"
    async with world(engine, links={"north": changed(LINK, time_zone="Europe/Kyiv")}) as one:
        await Sender(one).send("7")
        await one.take(one.arrival(pdu=deliver(text, esm_class=0x04)))
        done = datetime(2023, 11, 14, 22, 13, tzinfo=UTC)
        assert await one.rows("receipts", "error", "done_ms") == [("069", int(done.timestamp() * 1000))]


async def test_a_message_stands_as_its_parts_do(engine: Engine) -> None:
    service = changed(SUN, reply="Кодът: {code}. " + "Много благодарим. " * 5, max_replies=3)
    async with world(engine, services={"sun": service}) as one:
        await one.sms()
        box = Sender(one).box
        box.offer(one.sent)
        for number in range(len(one.sent)):
            message = box.take()
            assert message is not None
            box.accepted(message, f"id{number}")
        await box.close()
        [(code,)] = await one.rows("codes", "id")
        told = []
        for id_, state in (("id1", "DELIVRD"), ("id0", "DELIVRD")):
            await one.take(one.arrival(pdu=receipt(id_, state)))
            found = await trace.show(one.ports, code, trace.LAST, 1)
            assert found is not None
            told.append([(reply.fate.status, reply.whole.value) for reply in found.replies])
    assert told == [
        [("accepted", "accepted"), ("delivered", "accepted")],
        [("delivered", "delivered"), ("delivered", "delivered")],
    ]


async def test_what_nobody_claims_is_forgotten_after_three_days(engine: Engine) -> None:
    async with world(engine) as one:
        await one.take(one.arrival(pdu=receipt("8")))
        one.clock.advance(72 * 3_600_000)
        assert await sweep.forget_receipts(one.ports, Retention()) == 0
        one.clock.advance(1)
        assert await sweep.forget_receipts(one.ports, Retention()) == 1
        assert await one.count("receipts") == 0


async def test_receipts_and_messages_share_a_transaction(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        mt = await Sender(one).send("7")
        before = one.database.transactions
        await one.take(one.arrival("SUN 2"), one.arrival(pdu=receipt("7")), one.arrival("SUN 3"))
        assert one.database.transactions == before + 1
        assert (await states(one))[0] == (mt, "delivered")
        assert await one.count("codes") == 3


async def test_what_was_not_asked_for_is_not_matched(sqlite: Engine) -> None:
    async with world(sqlite, links={"north": changed(LINK, receipts=False)}) as one:
        await one.take(one.arrival(pdu=receipt("7")))
        mt = await Sender(one).send("7")
        await one.take(one.arrival(pdu=receipt("7")))
        assert await states(one) == [(mt, "accepted")]
        assert await one.rows("receipts", "mt") == [(None,), (None,)]


async def test_a_receipt_and_its_response_that_are_stored_at_the_same_moment_find_each_other(postgres_dsn: str) -> None:
    """On PostgreSQL two transactions run beside each other, and neither sees what the other has not committed yet."""
    async with world(Engine(dialect="postgres", place=postgres_dsn)) as one:
        sender = Sender(one)
        await one.sms()
        sender.box.offer(one.sent)
        message = sender.box.take()
        assert message is not None
        stored, commit = asyncio.Event(), asyncio.Event()
        transact = one.database.transact

        async def held(body: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
            async def slowly(transaction: Any) -> T:
                result = await body(transaction)
                stored.set()
                await commit.wait()
                return result

            return await transact(slowly)

        one.database.transact = held  # type: ignore[method-assign]  # a slow network
        receiving = asyncio.ensure_future(one.take(one.arrival(pdu=receipt("7"))))
        await stored.wait()
        one.database.transact = transact  # type: ignore[method-assign]  # only the first was slow
        sender.box.accepted(message, "7")
        recording = asyncio.ensure_future(sender.box.close())
        await asyncio.wait((recording,), timeout=0.2)
        commit.set()
        await asyncio.gather(receiving, recording)
        assert await states(one) == [(message.row.id, "delivered")]
