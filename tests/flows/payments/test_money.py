"""Caps, refunds, the merchant's word, what merchants are told: sums that hold however many requests race."""

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec import structs

from smsgw.domain.payments import Fact
from smsgw.flows import idempotency
from smsgw.flows.amend import Refused
from smsgw.flows.payments.events import PaymentEvent
from smsgw.flows.payments.whose import Whose
from smsgw.settings import Payments as Limits
from smsgw.settings.merchant import Cap
from tests.flows.payments.market import GOLD, OTHER, PHONE, Market, market
from tests.servers.engines import Engine


async def pay(one: Market, product: str = "gold-500", msisdn: str = PHONE) -> str:
    """Make a payment, and have it paid."""
    payment = await one.prompted(product, msisdn)
    one.clock.advance(5_000)
    await one.say("YES", msisdn)
    await one.accept()
    return payment.id


CAPPED = structs.replace(GOLD, caps=[Cap(per="day", currency="EUR", amount_minor=1_000)])


async def test_a_cap_stops_the_payment_at_the_yes(engine: Engine) -> None:
    async with market(engine, merchants={"gold": CAPPED}) as one:
        paid = [await pay(one), await pay(one)]
        assert [await one.status(name) for name in paid] == ["succeeded", "succeeded"]
        third = await pay(one)
        assert await one.status(third) == "failed"
        assert (await one.row(third)).reason == "cap_exceeded"
        assert len(await one.rows("charges", "id")) == 2
        other = await pay(one, msisdn=OTHER)
        assert await one.status(other) == "succeeded"
        one.clock.advance(86_400_000)
        assert await one.status(await pay(one)) == "succeeded"


async def test_a_charge_that_failed_gives_its_part_of_the_cap_back(engine: Engine) -> None:
    async with market(engine, merchants={"gold": CAPPED}) as one:
        first = await one.prompted("gold-500")
        await one.say("YES")
        [bill] = one.ready()
        one.outboxes["north"].refused(bill, 0x440)
        await one.settle()
        assert await one.status(first.id) == "failed"
        await one.accept()
        assert [await one.status(await pay(one)) for _ in range(2)] == ["succeeded", "succeeded"]


async def test_an_unknown_charge_counts(sqlite: Engine) -> None:
    cap = structs.replace(GOLD, caps=[Cap(per="day", count=1)])
    async with market(sqlite, merchants={"gold": cap}) as one:
        first = await one.prompted("gold-500")
        await one.say("YES")
        [bill] = one.ready()
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        assert await one.status(first.id) == "charge_unknown"
        assert (await one.row(await pay(one))).reason == "cap_exceeded"


async def test_caps_hold_when_answers_race(engine: Engine) -> None:
    """Ten questions are open at ten addresses; all are answered in one transaction."""
    addresses = [str(7700 + number) for number in range(10)]
    many = structs.replace(GOLD, reply_addresses=addresses, caps=[Cap(per="day", currency="EUR", amount_minor=1_700)])
    async with market(engine, merchants={"gold": many}, limits=Limits(prompts_per_number=100)) as one:
        made = [await one.prompted("gold-500") for _ in addresses]
        said = [one.arrival(link="north", pdu=one.word("YES", address)) for address in addresses]
        assert set(await one.take(*said)) == {None}
        statuses = [await one.status(payment.id) for payment in made]
        assert statuses.count("charging") == 3
        assert statuses.count("failed") == 7


async def test_caps_over_everything_hold_over_merchants(engine: Engine) -> None:
    silver = structs.replace(GOLD, reply_addresses=["7800"])
    limits = Limits(caps=[Cap(over="all", per="month", currency="EUR", amount_minor=500)])
    async with market(engine, merchants={"gold": GOLD, "silver": silver}, limits=limits) as one:
        assert await one.status(await pay(one)) == "succeeded"
        payment = await one.prompted("gold-250", merchant="silver")
        await one.say("YES", to="7800")
        assert (await one.row(payment.id)).reason == "cap_exceeded"


# Refunds

ANY = Whose(merchants=frozenset({"gold"}), test=False)


def once(key: str, request: str) -> Any:
    return idempotency.asked("gold", test=False, key=key, request=request)


async def test_money_goes_back_in_parts_and_never_more_than_was_charged(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await pay(one)
        await one.payments.refund(payment, 200, whose=ANY, reason="one of two", actor="ann")
        with pytest.raises(Refused, match=r"3\.00 EUR of 5\.00 EUR"):
            await one.payments.refund(payment, 301, whose=ANY, reason="", actor="ann")
        row = (await one.payments.refund(payment, None, whose=ANY, reason="all", actor="ann")).payment
        assert (row.status, row.refunded_minor) == ("succeeded", 500)
        with pytest.raises(Refused):
            await one.payments.refund(payment, 1, whose=ANY, reason="", actor="ann")
        assert (await one.events(payment))[-2:] == ["payment.refunded", "payment.refunded"]
        assert await one.rows("refunds", "amount_minor", "status") == [(200, "manual"), (300, "manual")]
        assert await one.status(payment) == "succeeded"


async def test_refunds_that_race_give_back_no_more_than_there_is(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await pay(one)
        refunds = [one.payments.refund(payment, 100, whose=ANY, reason="", actor="ann") for _ in range(50)]
        results = await asyncio.gather(*refunds, return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) == 5
        assert (await one.row(payment)).refunded_minor == 500


async def test_refunds_that_race_on_two_nodes(postgres: Engine) -> None:
    async with market(postgres) as left, market(postgres, node="right", seed=3) as right:
        payment = await pay(left)
        refunds = [
            one.payments.refund(payment, 100, whose=ANY, reason="", actor="ann")
            for _ in range(20)
            for one in (left, right)
        ]
        results = await asyncio.gather(*refunds, return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) == 5


async def test_the_same_refund_request_is_one_refund(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await pay(one)
        for repeated in (False, True):
            done = await one.payments.refund(
                payment, 200, whose=ANY, reason="", actor="ann", once=once("r1", f"{payment} 200")
            )
            assert done.repeated == repeated
        assert (await one.row(payment)).refunded_minor == 200


async def test_what_took_no_money_cannot_be_refunded_and_others_payments_do_not_exist(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        with pytest.raises(Refused) as told:
            await one.payments.refund(payment.id, None, whose=ANY, reason="", actor="ann")
        assert told.value.reason == "not_refundable"
        for whose in (Whose(merchants=frozenset({"silver"}), test=False), Whose(merchants=None, test=True)):
            with pytest.raises(Refused) as told:
                await one.payments.cancel(payment.id, whose, "bob")
            assert told.value.reason == "not_found"
            assert await one.payments.get(payment.id, whose) is None


async def test_only_open_payments_are_canceled(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted()
        assert (await one.payments.cancel(payment.id, ANY, "ann")).payment.status == "canceled"
        assert (await one.payments.cancel(payment.id, ANY, "ann")).payment.status == "canceled"  # is so already
        await one.say("YES")
        assert await one.status(payment.id) == "canceled"
        one.clock.advance(5_000_000)
        paid = await pay(one)
        with pytest.raises(Refused, match="only open ones"):
            await one.payments.cancel(paid, ANY, "ann")


# The merchant's word before the charge

ASKED = structs.replace(GOLD, authorize_url="https://gold.example/authorize")


@pytest.mark.parametrize(
    ("default", "answer", "after"),
    [
        ("deny", True, "charging"),
        ("deny", False, "failed"),
        ("deny", None, "failed"),
        ("allow", None, "charging"),
        ("allow", False, "failed"),
    ],
)
async def test_a_merchant_is_asked_before_the_charge(
    sqlite: Engine,
    default: Any,
    answer: bool | None,  # noqa: FBT001 - a column of the table
    after: str,
) -> None:
    merchant = structs.replace(ASKED, authorize_default=default)
    async with market(sqlite, merchants={"gold": merchant}) as one:
        payment = await one.prompted()
        await one.say("YES")
        assert await one.status(payment.id) == "charging"
        assert await one.rows("charges", "id") == []
        if answer is None:
            await one.later(6)  # whoever asked has died: the clock does what the merchant wants then
        else:
            await one.payments.authorized(payment.id, answer)
            await one.payments.authorized(payment.id, True)  # a second word is none
        assert await one.status(payment.id) == after
        assert len(await one.rows("charges", "id")) == (after == "charging")
        if after == "failed":
            assert (await one.row(payment.id)).reason == "not_authorized"


# What merchants are told


async def test_events_are_numbered_without_gaps_and_never_show_the_number(engine: Engine) -> None:
    hooked = structs.replace(GOLD, webhook_url="https://gold.example/hook")
    async with market(engine, merchants={"gold": hooked}) as one:
        payment = await pay(one)
        await one.payments.refund(payment, 100, whose=ANY, reason="", actor="ann")
        rows = sorted(await one.rows("events", "place", "type", "body", "status", "service"))
        assert [(place, kind) for place, kind, *_ in rows] == [
            (1, "payment.awaiting_confirmation"),
            (2, "payment.confirmed"),
            (3, "payment.succeeded"),
            (4, "payment.refunded"),
        ]
        assert {(status, service) for *_, status, service in rows} == {("pending", "gold")}
        told = [msgspec.json.decode(body, type=PaymentEvent) for _, _, body, *_ in rows]
        assert [one_told.data.sequence for one_told in told] == [1, 2, 3, 4]
        assert told[3].refund is not None
        assert all(PHONE not in body for _, _, body, *_ in rows)
        assert one.told == {"gold"}


async def test_only_the_kinds_that_a_merchant_wants_are_posted(sqlite: Engine) -> None:
    hooked = structs.replace(GOLD, webhook_url="https://gold.example/hook", webhook_events=["payment.succeeded"])
    async with market(sqlite, merchants={"gold": hooked}) as one:
        await pay(one)
        assert await one.rows("events", "type", "status", "tries") == [
            ("payment.awaiting_confirmation", "delivered", 0),
            ("payment.confirmed", "delivered", 0),
            ("payment.succeeded", "pending", 0),
        ]


async def test_the_buyer_gets_a_receipt_where_the_merchant_wants_one(sqlite: Engine) -> None:
    async with market(sqlite, merchants={"gold": structs.replace(GOLD, receipt=True)}) as one:
        payment = await pay(one)
        text = one.answers()[-1]
        assert "5.00 EUR" in text
        assert payment[-8:].upper() in text
        assert "help@gold.example" in text
        assert Fact.CHARGED in await one.facts(payment)


async def test_a_merchant_who_is_in_the_settings_no_more_keeps_what_was_charged(engine: Engine) -> None:
    async with market(engine) as one:
        payment = await one.prompted("gold-500")
        await one.say("YES")
        [bill] = one.ready()
        gone = structs.replace(one.catalog, merchants={})
        for part in (one.payments.cashbox, one.payments.listener, one.payments.changes):
            part._catalog = gone
        one.outboxes["north"].accepted(bill, "A1")
        await one.settle()
        assert await one.status(payment.id) == "succeeded"
