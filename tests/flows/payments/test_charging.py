"""A charge whose outcome is unknown is never sent again: late words, receipts, records or a person resolve it."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from smsgw.domain.payments import Fact
from smsgw.errors import StoreUnavailable
from smsgw.flows import send
from smsgw.flows.outgoing import Outgoing
from smsgw.smpp import status, tlvs
from smsgw.store import nodes
from tests.flows.payments.market import LINKS, PHONE, Market, market
from tests.flows.world import receipt
from tests.servers.engines import Engine

SHORT_CODE = "7250"


async def charging(one: Market, product: str = "gold-250", **fields: Any) -> tuple[str, Outgoing]:
    """Make a payment whose billed message is on its way."""
    payment = await one.prompted(product, **fields)
    one.clock.advance(5_000)  # the question is read
    await one.say("YES", fields.get("msisdn", PHONE))
    [bill] = one.ready()
    return payment.id, bill


def billed(message_id: str, state: str = "DELIVRD", error: str = "000", **fields: Any) -> Any:
    """Return the receipt of a billed message."""
    pdu = receipt(message_id, state, source_addr=PHONE, destination_addr=SHORT_CODE, **fields)
    return structs.replace(pdu, short_message=pdu.short_message.replace(b"err:000", f"err:{error}".encode()))


async def test_no_response_is_unknown_and_nothing_is_sent_again(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        assert await one.status(payment) == "charge_unknown"
        assert await one.charge(payment) == "unknown"
        assert (await one.events(payment))[-1] == "payment.charge_unknown"
        for _ in range(20):
            await one.later(600)
            assert one.ready() == []
        assert await one.status(payment) == "charge_unknown"
        assert await one.rows("mts", "status") == [("accepted",), ("unknown",)]


async def test_a_restart_between_intent_and_response_makes_it_unknown(engine: Engine) -> None:
    async with market(engine) as one:
        payment, _ = await charging(one)
    async with market(engine, seed=2) as one:
        one.clock.advance(1)
        assert await one.status(payment) == "charge_unknown"
        assert one.ready() == []
        await one.later(3_600)
        assert one.ready() == []


async def test_a_yes_of_hours_ago_is_not_charged_by_the_next_life(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        one.room = 0
        await one.say("YES")
        clock = one.clock
    clock.advance(2 * 3_600_000)  # nobody was there, and the cashier is quicker than the clock
    async with market(engine, seed=2, clock=clock) as one:
        await one.cashier.turn()
        assert [message for message in one.ready() if message.row.charge] == []
        await one.later(0)
        assert (await one.status(payment.id), (await one.row(payment.id)).reason) == ("failed", "operator_unavailable")
        assert await one.rows("mts", "status") == [("accepted",), ("expired",), ("queued",)]


async def test_a_restart_before_the_intent_charges_in_the_next_life(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        one.room = 0  # the link is down
        await one.say("YES")
        assert await one.charge(payment.id) == "queued"
        assert one.ready() == []
    async with market(engine, seed=2) as one:
        await one.cashier.turn()
        [bill] = one.ready()
        assert bill.row.charge is not None
        one.outboxes["north"].accepted(bill, "A")
        await one.settle()
        assert await one.charge(payment.id) == "accepted"


async def test_what_was_certainly_not_sent_at_the_stop_goes_out_in_the_next_life(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        await one.say("YES")
        assert await one.charge(payment.id) == "intent"
        await one.outboxes["north"].close()
        assert await one.charge(payment.id) == "queued"
    async with market(engine, seed=2) as one:
        await one.cashier.turn()
        assert len(one.ready()) == 1
        assert await one.status(payment.id) == "charging"


@pytest.mark.parametrize(
    ("command_status", "after"),
    [(0, "charge_unknown"), (status.ESME_RINVDSTADR, "failed"), (status.ESME_RTHROTTLED, "failed")],
)
async def test_a_late_response_counts(engine: Engine, command_status: int, after: str) -> None:
    """Accepted late: the receipt can be matched then. Refused late, even for a while: it is over."""
    async with market(engine) as one:
        payment, bill = await charging(one)
        outbox = one.outboxes["north"]
        outbox.unanswered(bill)
        await one.settle()
        if command_status:
            outbox.late_refusal(bill, command_status)
        else:
            outbox.late(bill, "A9")
        await one.settle()
        assert await one.status(payment) == after
        if not command_status:
            await one.sms(link="north", pdu=billed("A9"))
            assert await one.status(payment) == "succeeded"
        assert [message for message in one.ready() if message.row.charge] == []


async def test_late_response_where_the_response_is_the_proof(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        payment, bill = await charging(one, "gold-500")
        one.outboxes["north"].unanswered(bill)
        one.outboxes["north"].late(bill, "A9")
        await one.settle()
        assert await one.status(payment) == "succeeded"


@pytest.mark.parametrize(
    ("command_status", "reason"),
    [(status.ESME_RINVDSTADR, "operator_refused"), (0x440, "operator_refused")],
)
async def test_a_definite_refusal_fails(engine: Engine, command_status: int, reason: str) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].refused(bill, command_status)
        await one.settle()
        assert await one.status(payment) == "failed"
        assert (await one.row(payment)).reason == reason
        assert "not" in one.answers()[-1].lower()  # the buyer is told for nothing
        assert (await one.rows("mts", "status"))[1] == ("refused",)


async def test_what_the_smsc_does_not_know_itself_is_unknown(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].refused(bill, status.ESME_RSYSERR)
        await one.settle()
        assert await one.status(payment) == "charge_unknown"


async def test_throttled_is_tried_again_with_an_intent_of_its_own_and_not_for_ever(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        for number in (1, 2):
            one.outboxes["north"].refused(bill, status.ESME_RTHROTTLED)
            await one.settle()
            assert await one.status(payment) == "charging"
            assert await one.charge(payment) == "queued"
            assert one.ready() == []
            await one.later(60)
            [bill] = one.ready()
            assert (await one.facts(payment)).count(Fact.INTENDED) == number + 1
        one.outboxes["north"].refused(bill, status.ESME_RTHROTTLED)
        await one.settle()
        assert (await one.row(payment)).reason == "operator_busy"
        assert await one.status(payment) == "failed"


async def test_an_operator_that_cannot_be_reached_fails_in_the_end_without_a_charge(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        one.room = 0
        await one.say("YES")
        await one.later(299)
        assert await one.status(payment.id) == "charging"
        await one.later(2)
        assert await one.status(payment.id) == "failed"
        assert (await one.row(payment.id)).reason == "operator_unavailable"
        one.room = 100
        await one.later(1)
        assert [message.row.charge for message in one.ready()] == [None]  # only the buyer is told


async def test_a_billed_message_that_waits_too_long_in_memory_is_not_sent(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        payment = await one.prompted()
        await one.say("YES")
        one.clock.advance(31_000)
        assert one.ready() == []
        await one.settle()
        assert await one.status(payment.id) == "failed"
        assert await one.charge(payment.id) == "failed"


# Receipts


async def test_a_receipt_before_the_response(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        await one.sms(link="north", pdu=billed("A1"))
        assert await one.status(payment) == "charging"
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        assert await one.status(payment) == "succeeded"


async def test_a_receipt_twice_is_one_success(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        await one.sms(link="north", pdu=billed("A1"))
        await one.sms(link="north", pdu=billed("A1"))
        assert (await one.events(payment)).count("payment.succeeded") == 1


async def test_a_receipt_that_never_comes_is_unknown_after_validity_and_grace(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        await one.later(3_600 + 900 - 1)
        assert await one.status(payment) == "charging"
        await one.later(2)
        assert await one.status(payment) == "charge_unknown"
        await one.sms(link="north", pdu=billed("A1"))
        assert await one.status(payment) == "succeeded"


async def test_not_enough_money_is_final_unless_the_operator_tries_again(engine: Engine) -> None:
    profile = structs.replace(LINKS["north"].charging["billed"], receipt_errors={"052": "progress"})
    links = LINKS | {"north": structs.replace(LINKS["north"], charging=LINKS["north"].charging | {"billed": profile})}
    async with market(engine, links=links) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        await one.sms(link="north", pdu=billed("A1", "UNDELIV", "052"))
        assert await one.status(payment) == "charging"
        await one.sms(link="north", pdu=billed("A1"))
        assert await one.status(payment) == "succeeded"


async def test_undeliverable_fails_and_a_later_proof_is_a_discrepancy(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        await one.sms(link="north", pdu=billed("A1", "UNDELIV", "051"))
        assert await one.status(payment) == "failed"
        assert (await one.row(payment)).reason == "operator_not_charged"
        await one.sms(link="north", pdu=billed("A1"))
        row = await one.row(payment)
        assert (await one.status(payment), row.discrepancy) == ("failed", "refund")


@pytest.mark.parametrize("turned", [False, True])
async def test_a_lost_response_is_made_good_by_the_receipts_addresses(engine: Engine, turned: bool) -> None:  # noqa: FBT001 - a parameter of the table
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        places = {"source_addr": SHORT_CODE, "destination_addr": PHONE} if turned else {}
        pdu = structs.replace(billed("unheard of"), **places)
        await one.sms(link="north", pdu=pdu)
        assert await one.status(payment) == "succeeded"
        assert await one.rows("mts", "status") == [("accepted",), ("delivered",)]


async def test_the_repeated_reference_decides_even_before_the_outcome_is_unknown(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        sent = tlvs.read_tlvs(bill.row.tlvs or b"", 0)[tlvs.USER_MESSAGE_REFERENCE]
        other = bytes((sent[0] ^ 1, sent[1]))
        await one.sms(link="north", pdu=billed("x1", tlvs={tlvs.USER_MESSAGE_REFERENCE: other}))
        assert await one.status(payment) == "charging"
        await one.sms(link="north", pdu=billed("x2", tlvs={tlvs.USER_MESSAGE_REFERENCE: sent}))
        assert await one.status(payment) == "succeeded"


async def test_a_receipt_that_came_before_anybody_knew_that_the_response_was_lost(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        await one.sms(link="north", pdu=billed("unheard of"))
        assert await one.status(payment) == "charging"
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        assert await one.status(payment) == "succeeded"


async def test_a_receipt_for_somebody_else_proves_nothing(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        await one.sms(link="north", pdu=structs.replace(billed("x"), source_addr="359881234568"))
        await one.sms(link="north", pdu=structs.replace(billed("x"), destination_addr="7700"))
        await one.sms(link="south", pdu=billed("x"))
        text = billed("x").short_message.decode()
        await one.say(text)  # a subscriber who types a receipt
        assert await one.status(payment) == "charge_unknown"


# Found out by others


async def test_a_person_says_what_became_of_it(engine: Engine) -> None:
    async with market(engine) as one:
        for verdict, after in (("charged", "succeeded"), ("failed", "failed")):
            payment, bill = await charging(one)
            one.outboxes["north"].unanswered(bill)
            await one.settle()
            row = await one.resolver.resolve(payment, verdict, actor="ann", note="seen in the records")  # type: ignore[arg-type]  # literals
            assert row.status == after
            assert await one.status(payment) == after
            with pytest.raises(Exception, match="not charge_unknown"):
                await one.resolver.resolve(payment, "charged", actor="ann", note="")
            await one.accept()


async def test_the_operators_records_resolve_and_show_what_does_not_agree(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        await one.resolver.record(payment, charged=True, told={"line": 7})
        assert await one.status(payment) == "succeeded"
        failed, bill = await charging(one, msisdn="359881234569")
        one.outboxes["north"].refused(bill, 0x440)
        await one.settle()
        await one.resolver.record(failed, charged=True, told={"line": 8})
        assert (await one.row(failed)).discrepancy == "refund"
        settled = await one.resolver.resolve(failed, "settled", actor="ann", note="given back")
        assert settled.discrepancy is None
        assert await one.status(failed) == "failed"


# The store


async def test_the_intent_is_on_disk_before_the_message_may_go(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        one.room = 0
        await one.say("YES")
        one.room = 100
        one.database.before.append(StoreUnavailable("full"))
        with pytest.raises(StoreUnavailable):
            await one.cashier.turn()
        assert one.ready() == []
        assert await one.charge(payment.id) == "queued"
        await one.cashier.turn()
        assert len(one.ready()) == 1


async def test_an_intent_that_nobody_knows_to_be_committed_is_not_sent_twice(engine: Engine) -> None:
    """The commit took place, and its answer was lost: the message is not sent, and the clock finds it unknown."""
    async with market(engine) as one:
        payment = await one.prompted()
        one.room = 0
        await one.say("YES")
        one.room = 100
        one.database.behind.append(StoreUnavailable("gone"))
        with pytest.raises(StoreUnavailable):
            await one.cashier.turn()
        await one.cashier.turn()
        assert one.ready() == []
        await one.later(200)
        assert await one.status(payment.id) == "charge_unknown"


async def test_a_yes_that_nobody_knows_to_be_committed_is_charged_all_the_same(engine: Engine) -> None:
    """The commit took place, and its answer was lost: the YES comes again, and says nothing new."""
    async with market(engine) as one:
        payment = await one.prompted()
        one.clock.advance(5_000)
        one.database.behind.append(StoreUnavailable("gone"))
        with pytest.raises(StoreUnavailable):
            await one.say("YES")
        await one.say("YES")
        assert await one.status(payment.id) == "charging"
        await one.later(11)
        assert [message.row.payment for message in one.ready()] == [payment.id]


async def test_a_try_that_meets_the_result_before_it_is_not_lost(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has the refusal, and is not known to; the attempt is made again, and its message still held."""
    monkeypatch.setattr(send, "_RECORD_AGAIN_S", 1.0)
    async with market(sqlite) as one:
        payment, bill = await charging(one)
        one.database.behind.append(StoreUnavailable("gone"))
        one.outboxes["north"].refused(bill, status.ESME_RTHROTTLED)
        while await one.charge(payment) != "queued":  # noqa: ASYNC110 - the recorder tells nobody
            await asyncio.sleep(0.01)
        one.clock.advance(6_000)
        one.cashier.look_again()
        await one.cashier.turn()
        assert (await one.charge(payment), one.ready()) == ("intent", [])
        await one.settle()
        assert [message.row.payment for message in one.ready()] == [payment]


async def test_what_was_put_off_goes_out_though_nobody_knew_that_it_was_recorded(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.database.behind.append(StoreUnavailable("gone"))
        one.outboxes["north"].refused(bill, status.ESME_RTHROTTLED)
        await one.settle()
        assert await one.charge(payment) == "queued"
        await one.later(11)
        assert [message.row.payment for message in one.ready()] == [payment]


async def test_a_result_that_cannot_be_recorded_yet_is_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smsgw.flows.send._RECORD_AGAIN_S", 0.001)
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.database.before.append(StoreUnavailable("full"))
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        assert await one.charge(payment) == "accepted"


async def test_the_clock_put_back_an_hour_charges_nobody_twice(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.clock.set_wall(one.clock.now_ms() - 3_600_000)
        await one.later(1)
        assert one.ready() == []
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        await one.sms(link="north", pdu=billed("A1"))
        assert await one.status(payment) == "succeeded"
        assert len(await one.rows("charges", "id")) == 1
        again = await one.prompted(msisdn="359881234577")
        await one.later(3_600 + 1_100)
        assert await one.status(again.id) == "expired"


async def test_a_refusal_that_a_node_records_once_more_does_not_take_back_what_its_heir_has_sent(
    postgres: Engine,
) -> None:
    """The refusal was recorded, and the node that was cut off from the store just then does not know it."""
    async with market(postgres) as left, market(postgres, node="right", seed=7, clock=left.clock) as right:
        payment, bill = await charging(left)
        left.database.on_commit.append(left.database.open.clear)
        left.database.behind.append(StoreUnavailable("gone"))
        left.outboxes["north"].refused(bill, status.ESME_RTHROTTLED)
        while await right.charge(payment) != "queued":  # noqa: ASYNC110 - the recorder tells nobody
            await asyncio.sleep(0.01)
        [(_, seen_ms)] = await right.rows("nodes", "id", "seen_ms")
        async with right.database.write() as transaction:
            assert await nodes.bury(transaction, "left", seen_ms)
            await nodes.claim_messages(transaction, "right", "left", ["north"])
        assert await right.sweeper.inherit() == 1
        right.cashier.look_again()
        await right.cashier.turn()
        [sent] = right.ready()
        right.outboxes["north"].unanswered(sent)
        await right.settle()
        left.database.open.set()
        await left.settle()
        assert await right.status(payment) == "charge_unknown"
        await right.sms(link="north", pdu=billed("A1"))
        assert (await right.status(payment), (await right.row(payment)).discrepancy) == ("succeeded", None)


async def test_two_nodes_the_dead_one_may_have_sent(postgres: Engine) -> None:
    async with market(postgres) as left, market(postgres, node="right", seed=7) as right:
        sent, _ = await charging(left)
        payment = await left.prompted(msisdn="359881234590")
        left.room = 0
        await left.say("YES", "359881234590")
        await left.receiver.sweep(30_000)
        for _ in range(5):
            await right.receiver.sweep(30_000)
            right.clock.advance(10_000)
        assert await right.sweeper.inherit() >= 1
        right.cashier.look_again()
        await right.cashier.turn()
        assert await right.status(sent) == "charge_unknown"
        assert [message.row.payment for message in right.ready() if message.row.charge] == [payment.id]
        left.room = 100
        await left.cashier.turn()  # it was not dead after all: what it held is another's
        assert [message for message in left.ready() if message.row.charge] == []
