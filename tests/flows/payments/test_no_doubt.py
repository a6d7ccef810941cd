"""What once went wrong: a YES for something else, proof of something else, money that nobody saw. Each stays mended."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from smsgw.domain.payments import Fact
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.whose import STAFF
from smsgw.flows.ports import Refunded
from smsgw.hooks.adapter import Answer
from smsgw.hooks.camara import Camara
from smsgw.settings.merchant import Cap, Product
from smsgw.smpp import status, tlvs
from smsgw.store import charges, payments as store
from smsgw.store.database import Transaction
from tests.flows.payments.bank import Api, bank
from tests.flows.payments.market import GOLD, LINKS, MO_PHONE, PHONE, Market, market
from tests.flows.payments.test_charging import SHORT_CODE, billed, charging
from tests.flows.world import deliver, receipt
from tests.servers.engines import Engine


async def reference(one: Market, payment: str) -> dict[int, bytes]:
    """Return our reference of a payment's attempt, as receipts repeat it."""
    async with one.database.read() as reader:
        charge = (await charges.of_payments(reader, [payment]))[-1]
    return {tlvs.USER_MESSAGE_REFERENCE: charge.message_reference.to_bytes(2, "big")}


def bills(one: Market) -> list[Any]:
    """Return the billed messages that are ready to be sent."""
    return [message for message in one.ready() if message.row.charge]


# A YES that was meant for something else


async def test_a_yes_cannot_answer_a_question_that_has_not_left(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.ask()
        await one.say("YES")
        assert await one.status(payment.id) == "created"
        await one.accept()
        one.clock.advance(5_000)
        await one.say("YES")
        assert await one.status(payment.id) == "charging"


async def test_a_question_whose_response_was_lost_may_be_the_one_that_is_answered(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        await one.ask()
        for message in one.ready():
            one.outboxes["north"].unanswered(message)
        await one.later(31)
        second = await one.prompted("gold-500")
        one.clock.advance(500)
        await one.say("YES")
        assert await one.status(second.id) == "awaiting_confirmation"


@pytest.mark.parametrize("sent", [True, False])
async def test_an_impatient_second_yes_does_not_pay_the_next_payment(sqlite: Engine, sent: bool) -> None:  # noqa: FBT001 - a parameter of the table
    async with market(sqlite) as one:
        first = await one.prompted()
        one.clock.advance(20_000)
        await one.say("YES")
        assert await one.status(first.id) == "charging"
        await one.accept()
        second = await (one.prompted("gold-500") if sent else one.ask("gold-500"))
        one.clock.advance(100)
        await one.say("YES")
        assert await one.status(second.id) in {"created", "awaiting_confirmation"}


async def test_a_part_of_an_answer_is_no_answer(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        pdu = deliver("YES", source_addr=PHONE, destination_addr="7700")
        header = b"\x05\x00\x03\x07\x02\x01"
        await one.sms(link="north", pdu=structs.replace(pdu, esm_class=0x40, short_message=header + pdu.short_message))
        one.clock.advance(601_000)
        await one.receiver.give_up_parts()
        assert await one.status(payment.id) == "awaiting_confirmation"


@pytest.mark.parametrize("text", ["YES?", "да 👎", "❌ ДА ❌", "YES 🚫", "≠YES", "Y\u0336E\u0336S\u0336"])
async def test_doubt_is_no_consent(sqlite: Engine, text: str) -> None:
    async with market(sqlite) as one:
        payment = await one.prompted()
        await one.say(text)
        assert await one.status(payment.id) == "awaiting_confirmation"


# Proof of something else


async def test_a_receipt_with_the_same_id_for_another_phone_proves_nothing(engine: Engine) -> None:
    async with market(engine) as one:
        early = receipt("A1", source_addr="359889999999", destination_addr="9999")
        await one.sms(link="north", pdu=early)
        payment, bill = await charging(one)
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        assert await one.status(payment) == "charging"
        await one.sms(link="north", pdu=receipt("A1", source_addr="359889999999", destination_addr="7700"))
        assert await one.status(payment) == "charging"
        await one.sms(link="north", pdu=billed("A1"))
        assert await one.status(payment) == "succeeded"


async def test_where_questions_come_from_the_same_address_a_nameless_receipt_proves_nothing(sqlite: Engine) -> None:
    async with market(sqlite, merchants={"gold": structs.replace(GOLD, reply_addresses=[SHORT_CODE])}) as one:
        payment = await one.prompted()
        one.clock.advance(5_000)
        await one.say("YES", to=SHORT_CODE)
        [bill] = bills(one)
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        await one.sms(link="north", pdu=billed("of the question"))
        assert await one.status(payment.id) == "charge_unknown"
        await one.sms(link="north", pdu=billed("x", tlvs=await reference(one, payment.id)))
        assert await one.status(payment.id) == "succeeded"


@pytest.mark.parametrize("name", ["B2", ""])
async def test_a_receipt_of_one_payment_does_not_prove_another(engine: Engine, name: str) -> None:
    async with market(engine) as one:
        first, bill = await charging(one)
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        one.clock.advance(60_000)
        second, bill = await charging(one)
        if not name:
            one.outboxes["north"].accepted(bill, name)
            await one.settle()
        await one.sms(link="north", pdu=billed("B2"))
        if name:
            one.outboxes["north"].accepted(bill, name)
            await one.settle()
            assert await one.status(second) == "succeeded"
        await one.later(20 * 86_400)
        assert await one.status(first) == "charge_unknown"


@pytest.mark.parametrize("state", ["DELIVRD", "UNDELIV"])
async def test_a_receipt_that_names_what_is_awaited_in_another_way_is_not_of_what_was_lost(
    engine: Engine, state: str
) -> None:
    async with market(engine) as one:
        lost, bill = await charging(one)
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        one.clock.advance(60_000)
        awaited, bill = await charging(one)
        one.outboxes["north"].accepted(bill, "2748")
        await one.settle()
        await one.sms(link="north", pdu=billed("ABC", state=state))  # the same in hexadecimal, and nobody told us
        assert await one.status(lost) == "charge_unknown"
        await one.sms(link="north", pdu=billed("2748"))
        assert (await one.status(lost), await one.status(awaited)) == ("charge_unknown", "succeeded")


async def test_nor_is_one_that_came_while_the_response_was_on_its_way(engine: Engine) -> None:
    async with market(engine) as one:
        awaited, bill = await charging(one)
        one.outboxes["north"].accepted(bill, "2748")
        await one.settle()
        one.clock.advance(60_000)
        lost, bill = await charging(one)
        await one.sms(link="north", pdu=billed("ABC"))
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        assert (await one.status(lost), await one.status(awaited)) == ("charge_unknown", "charging")


@pytest.mark.parametrize("octets", [1, 4, 8, 12])
async def test_a_reference_of_any_width_is_stored(engine: Engine, octets: int) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        await one.sms(link="north", pdu=billed("A1", tlvs={tlvs.USER_MESSAGE_REFERENCE: b"\xff" * octets}))
        assert await one.status(payment) == "succeeded"


# Proof that came at an odd time


async def test_a_response_without_an_id_leaves_our_reference(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].accepted(bill, "")
        await one.settle()
        await one.sms(link="north", pdu=billed("A1", tlvs=await reference(one, payment)))
        assert await one.status(payment) == "succeeded"


async def test_a_receipt_that_came_before_the_death_is_claimed_after_it(engine: Engine) -> None:
    async with market(engine) as one:
        payment, _ = await charging(one)
        await one.sms(link="north", pdu=billed("A1"))
    async with market(engine, seed=2) as one:
        assert await one.status(payment) == "succeeded"


async def test_a_receipt_that_came_first_is_claimed_by_the_clock(engine: Engine) -> None:
    async with market(engine) as one:
        payment, _ = await charging(one)
        await one.sms(link="north", pdu=billed("A1"))
        await one.later(3_600)
        assert await one.status(payment) == "succeeded"


async def test_what_was_put_off_and_charged_all_the_same_is_not_sent_again(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].refused(bill, status.ESME_RMSGQFUL)
        await one.settle()
        assert await one.charge(payment) == "queued"
        await one.sms(link="north", pdu=billed("A1", tlvs=await reference(one, payment)))
        assert await one.status(payment) == "succeeded"
        await one.later(60)
        assert bills(one) == []


async def test_the_operators_records_stop_what_was_put_off(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].refused(bill, status.ESME_RTHROTTLED)
        await one.settle()
        await one.resolver.record(payment, charged=True, told={"operator_id": "X", "at": "t"})
        assert await one.status(payment) == "succeeded"
        await one.later(60)
        assert bills(one) == []


@pytest.mark.parametrize("late", [False, True])
async def test_proof_after_a_person_said_failed_is_a_discrepancy(engine: Engine, late: bool) -> None:  # noqa: FBT001 - a parameter of the table
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        await one.resolver.resolve(payment, "failed", actor="ann", note="")
        given: dict[str, Any] = {} if late else {"tlvs": await reference(one, payment)}
        if late:
            one.outboxes["north"].late(bill, "A1")
            await one.settle()
        await one.sms(link="north", pdu=billed("A1", **given))
        row = await one.row(payment)
        assert (await one.status(payment), row.discrepancy) == ("failed", "refund")


async def test_the_same_proof_again_reopens_nothing(engine: Engine) -> None:
    async with market(engine) as one:
        payment, bill = await charging(one)
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        await one.sms(link="north", pdu=billed("A1", "UNDELIV"))
        await one.sms(link="north", pdu=billed("A1"))
        assert (await one.row(payment)).discrepancy == "refund"
        await one.resolver.resolve(payment, "settled", actor="ann", note="")
        await one.sms(link="north", pdu=billed("A1"))
        assert (await one.row(payment)).discrepancy is None


# Answers that cost money


async def mo(one: Market, text: str) -> None:
    await one.say(text, MO_PHONE, "7025", "south")


async def answerable(one: Market) -> str:
    payment = await one.prompted("gold-250", MO_PHONE)
    one.clock.advance(60_000)
    return payment.id


async def test_a_billed_yes_over_a_cap_is_a_discrepancy(engine: Engine) -> None:
    capped = structs.replace(GOLD, caps=[Cap(per="day", count=1)])
    async with market(engine, merchants={"gold": capped}) as one:
        first = await answerable(one)
        await mo(one, "YES")
        second = await answerable(one)
        await mo(one, "YES")
        assert await one.status(first) == "succeeded"
        row = await one.row(second)
        assert (row.status, row.reason, row.discrepancy) == ("failed", "cap_exceeded", "refund")


async def test_a_billed_yes_that_the_merchant_does_not_allow_is_a_discrepancy(sqlite: Engine) -> None:
    asked = structs.replace(GOLD, authorize_url="https://gold.example/authorize")
    async with market(sqlite, merchants={"gold": asked}) as one:
        payment = await answerable(one)
        await mo(one, "YES")
        await one.payments.authorized(payment, False)
        assert (await one.row(payment)).discrepancy == "refund"


@pytest.mark.parametrize("text", ["Yes please", "NO", "HELP", "STOP"])
async def test_any_billed_answer_that_buys_nothing_is_a_discrepancy(sqlite: Engine, text: str) -> None:
    async with market(sqlite) as one:
        payment = await answerable(one)
        await mo(one, text)
        assert (await one.row(payment)).discrepancy == "refund"


async def test_more_money_than_the_payments_own_is_not_settled_by_its_refund(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await answerable(one)
        for _ in range(3):
            await mo(one, "YES")
        await one.payments.refund(payment, None, whose=STAFF, reason="", actor="ann")
        assert (await one.row(payment)).discrepancy == "refund"


# Refunds


class Forgetful(Api):
    """Gives money back once for each reference; the first answer is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.back: dict[str, int] = {}

    async def refund(self, back: Any) -> Refunded:
        again = back.refund in self.back
        self.back.setdefault(back.refund, back.amount_minor)
        if not again:
            return Refunded(outcome="unknown", error="no answer in time")
        conflict = Answer(status=409, body=b'{"status":409,"code":"ALREADY_EXISTS","message":""}', retry_after_ms=None)
        return Camara().refunded(back, conflict)


async def test_a_refund_that_the_operator_knows_already_is_not_given_back_again(sqlite: Engine) -> None:
    api = Forgetful()
    async with bank(sqlite, api) as one:
        payment = await one.confirmed()
        await one.work()
        await one.payments.refund(payment, None, whose=STAFF, reason="", actor="ann")
        await one.work()
        await one.wait(20)
        assert (await one.row(payment)).refunded_minor == 1000
        assert sum(api.back.values()) == 1000


async def test_a_payment_with_a_pending_refund_is_not_forgotten(engine: Engine) -> None:
    api = Api()
    api.on_refund = [Refunded(outcome="unknown", error="down")]
    async with bank(engine, api) as one:
        payment = await one.confirmed()
        await one.work()
        await one.payments.refund(payment, None, whose=STAFF, reason="", actor="ann")
        await one.work()
        async with one.database.write() as transaction:
            assert await store.forget(transaction, "pay_zzz", 10) == 0


# Evidence, clocks, texts, locks


async def test_the_evidence_is_the_question_as_it_was_sent(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        payment = await one.prompted()
        sent = one.last_text()
    changed = structs.replace(
        GOLD,
        title="Charity",
        products={**GOLD.products, "gold-250": Product(title={"en": "one-time donation"}, tariffs=["small", "uah"])},
    )
    async with market(sqlite, merchants={"gold": changed}, seed=2) as one:
        await one.say("YES")
        story = await one.payments.story(payment.id)
        assert story is not None
        assert sent in story.facts[0].told
        assert "Charity" not in "".join(fact.told for fact in story.facts)


async def test_a_clock_that_was_a_year_ahead_leaves_no_question_standing_for_a_year(engine: Engine) -> None:
    async with market(engine) as one:
        right_ms = one.clock.now_ms()
        one.clock.set_wall(right_ms + 365 * 86_400_000)
        payment = await one.prompted()
        one.clock.set_wall(right_ms)
        await one.later(60)
        assert await one.status(payment.id) == "expired"


async def test_what_was_put_off_goes_out_though_the_clock_is_put_back(sqlite: Engine) -> None:
    async with market(sqlite) as one:
        _, bill = await charging(one)
        one.outboxes["north"].refused(bill, status.ESME_RTHROTTLED)
        await one.settle()
        one.clock.set_wall(one.clock.now_ms() - 3_600_000)
        await one.later(60)
        assert len(bills(one)) == 1


async def test_a_notice_that_the_operator_cannot_carry_stops_nothing(engine: Engine) -> None:
    short = LINKS | {"north": structs.replace(LINKS["north"], max_parts=1)}
    wordy = structs.replace(
        GOLD, title="G" * 40, support="s" * 80, prompt={"en": "{product} {price} {yes}?"}, charge_text={"en": "{price}"}
    )
    async with market(engine, links=short, merchants={"gold": wordy}) as one:
        payment = await one.prompted()
        one.room = 0
        await one.say("YES")
        await one.later(301)
        assert await one.status(payment.id) == "failed"
        assert Fact.FAILED in await one.facts(payment.id)


async def test_a_payment_that_cannot_be_done_keeps_nobody_else_waiting(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with market(sqlite) as one:
        bad, good = await one.prompted(), await one.prompted(msisdn="359881234599")
        due = one.payments.cashbox.due

        def fail(book: Book, payment: str) -> Any:
            if payment == bad.id:
                raise KeyError(payment)
            return due(book, payment)

        monkeypatch.setattr(one.payments.cashbox, "due", fail)
        await one.later(1_100)
        await one.later(1)
        assert await one.status(good.id) == "expired"
        assert await one.status(bad.id) == "awaiting_confirmation"


async def test_many_that_cannot_be_done_keep_nobody_waiting_either(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smsgw.flows.payments.sweeping._DUE_AT_ONCE", 2)
    async with market(sqlite) as one:
        bad = [(await one.prompted(msisdn=f"35988123460{number}")).id for number in range(3)]
        good = await one.prompted(msisdn="359881234599")
        due = one.payments.cashbox.due
        tried: list[str] = []

        def fail(book: Book, payment: str) -> Any:
            if payment in bad:
                tried.append(payment)
                raise KeyError(payment)
            return due(book, payment)

        monkeypatch.setattr(one.payments.cashbox, "due", fail)
        await one.later(1_100)
        for _ in range(3):
            await one.later(1)
        assert await one.status(good.id) == "expired"
        tried.clear()
        await one.later(61)
        assert tried, "they are not forgotten"


async def test_stop_and_results_of_sending_do_not_wait_in_a_circle(postgres: Engine) -> None:
    merchants = {"gold": structs.replace(GOLD, reply_addresses=["7701"]), "other": GOLD}
    async with market(postgres, merchants=merchants) as one:
        for number in range(10):
            phone = f"3598812{number:05}"
            first = await one.ask("gold-250", phone)
            second = await one.ask("gold-250", phone, merchant="other")
            one.ready()

            async def hear(*names: str) -> None:
                async def body(transaction: Transaction) -> None:
                    await Book(one.ports, one.catalog, one.clock.now_ms()).load(transaction, names)
                    await asyncio.sleep(0.001)

                for _ in range(2):
                    await one.ports.database.transact(body)

            stop = one.sms(link="north", pdu=deliver("STOP", source_addr=phone, destination_addr="7700"))
            await asyncio.gather(hear(first.id, second.id), stop, hear(first.id, second.id))
            assert await one.status(second.id) == "declined"
