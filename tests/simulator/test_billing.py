"""The till: what costs money, what is written when, and how the ledger shows that somebody paid twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from smsgw.domain.goods import Goods, Merchant, Price, Terms, Way
from smsgw.settings import MerchantSettings
from smsgw.simulator.billing import COLUMNS, Billing, Rate, price_list
from smsgw.simulator.faults import Duplicates, ErrorAnswers, NoAnswers, Redeliveries
from smsgw.simulator.receipts import Dialect
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.smpp import status, tlvs
from smsgw.smpp.events import Answered
from smsgw.smpp.pdus import DataSm, DeliverSm, SubmitSm
from tests.simulator.gateway import Gateway
from tests.simulator.virtual_loop import LoopClock, run

PHONE = "359881234567"
VENDOR = 0x1400
AT_MS = 1_700_000_000_000
MO = Rate(way="mo", short_code="7700", amount_minor=240, currency="BGN")
MT = Rate(way="mt", short_code="7701", amount_minor=500, currency="EUR")
BILLED = SubmitSm(
    source_addr="7701",
    destination_addr=PHONE,
    short_message=b"500 gold",
    registered_delivery=1,
    tlvs={tlvs.USER_MESSAGE_REFERENCE: b"\x02\x01"},
)


@asynccontextmanager
async def operator(*rates: Rate, settings: SmscSettings | None = None) -> AsyncIterator[tuple[Smsc, Billing, Gateway]]:
    """An operator with a till, and a gateway that is bound."""
    billing = Billing(rates)
    smsc = Smsc(settings or SmscSettings(), clock=LoopClock(), billing=billing)
    port = await smsc.start()
    try:
        yield smsc, billing, await Gateway().connect(port)
    finally:
        await smsc.stop()


# The price list


@pytest.mark.parametrize(
    ("rate", "source", "service_type", "found", "costs"),
    [
        ({"short_code": "7701"}, "7701", "", {}, True),
        ({"short_code": "7701"}, "7700", "", {}, False),
        ({"service_type": "P5"}, "7700", "P5", {}, True),
        ({"service_type": "P5"}, "7700", "", {}, False),
        ({"tlvs": {VENDOR: b"5"}}, "7700", "", {VENDOR: b"5"}, True),
        ({"tlvs": {VENDOR: b"5"}}, "7700", "", {VENDOR: b"6"}, False),
        ({"tlvs": {VENDOR: b"5"}}, "7700", "", {VENDOR + 1: b"5"}, False),
        ({"short_code": "7701", "tlvs": {VENDOR: b"5"}}, "7700", "", {VENDOR: b"5"}, False),
        ({"short_code": "7701", "service_type": "P5"}, "7701", "P5", {VENDOR: b"5"}, True),
    ],
)
def test_a_message_costs_money_when_it_has_all_that_is_named(
    rate: dict[str, object],
    source: str,
    service_type: str,
    found: dict[int, bytes],
    costs: bool,  # noqa: FBT001
) -> None:
    one = msgspec.convert({"way": "mt", "amount_minor": 1, "currency": "EUR", **rate}, Rate)
    assert (Billing([one]).rate_of(source, service_type, found) is one) is costs


def test_the_first_rate_that_holds_counts_and_ways_do_not_mix() -> None:
    dear = Rate(way="mt", short_code="7701", service_type="P9", amount_minor=900, currency="EUR")
    billing = Billing([dear, MT, MO])
    assert billing.rate_of("7701", "P9", {}) is dear
    assert billing.rate_of("7701", "", {}) is MT
    assert billing.rate_of("7700", "", {}) is None
    assert billing.rate_to("7701") is None
    assert billing.rate_to("7700") is MO


@pytest.mark.parametrize("named", [{"way": "mt"}, {"way": "mo"}, {"way": "mo", "service_type": "P5"}])
def test_a_rate_that_would_hold_for_everything_is_refused(named: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError, match="names the short code"):
        msgspec.convert({"amount_minor": 1, "currency": "EUR", **named}, Rate)


def terms(way: Way, **more: object) -> Terms:
    fixed = {"profile": "p", "way": way, "proof": "response", "validity_ms": 1, "receipt_grace_ms": 1}
    words = {"short_code": "7700", "user_message_reference": True, "max_tries": 1} | fixed | more
    return msgspec.convert(words, Terms)


def merchant(*prices: Price) -> dict[str, Merchant]:
    goods = {
        f"g{number}": Goods(name=f"g{number}", title={"en": "Gold"}, units=1, prices={"north": price})
        for number, price in enumerate(prices)
    }
    settings = MerchantSettings(
        title="Shop",
        support="0700",
        reply_addresses=["7700"],
        products={},
        tariffs={},
        return_url="https://example.com",
    )
    return {"shop": Merchant(name="shop", settings=settings, goods=goods)}


def price(amount_minor: int, of: Terms) -> Price:
    return Price(tariff="t", amount_minor=amount_minor, currency="EUR", terms=of)


def test_the_merchants_own_prices_make_a_price_list() -> None:
    sold = merchant(
        price(100, terms("mt", short_code="7701")),
        price(200, terms("mt", short_code="7701", service_type="P2")),
        price(300, terms("mo", short_code="7703")),
        price(400, terms("direct")),
    )
    billing = Billing(price_list(sold, "north"))
    dear, cheap = billing.rate_of("7701", "P2", {}), billing.rate_of("7701", "", {})
    assert dear is not None
    assert cheap is not None
    assert (dear.amount_minor, cheap.amount_minor, cheap.proof) == (200, 100, "response")
    assert billing.rate_to("7703") == Rate(
        way="mo", short_code="7703", amount_minor=300, currency="EUR", proof="response"
    )
    assert len(billing.rates) == 3
    assert price_list(sold, "south") == ()


def test_prices_that_look_the_same_to_the_operator_are_refused() -> None:
    sold = merchant(price(100, terms("mo")), price(200, terms("mo")))
    with pytest.raises(ValueError, match="another price for the same message"):
        price_list(sold, "north")


# The ledger by itself


def test_a_line_says_who_paid_how_much_for_what() -> None:
    billing = Billing([msgspec.structs.replace(MT, proof="response")])
    billing.accepted(BILLED, "a1", AT_MS)
    [entry] = billing.entries
    told = (entry.msisdn, entry.short_code, entry.amount_minor, entry.currency, entry.way, entry.message_id)
    assert told == (PHONE, "7701", 500, "EUR", "mt", "a1")
    assert (entry.reference, entry.at_ms, entry.status, entry.text) == ("513", AT_MS, "charged", "500 gold")
    assert billing.charges_of(PHONE) == (entry,)
    assert billing.charges_of("359880000000") == ()


@pytest.mark.parametrize(
    ("state", "own", "charged"),
    [
        ("DELIVRD", {"DELIVRD"}, 1),
        ("UNDELIV", {"DELIVRD"}, 0),
        ("CHARGED", {"CHARGED"}, 1),
        ("DELIVRD", {"CHARGED"}, 0),
    ],
)
def test_where_the_receipt_is_the_proof_the_end_decides_once(state: str, own: set[str], charged: int) -> None:
    billing = Billing([MT], charged_states=frozenset(own))
    billing.accepted(BILLED, "a1", AT_MS)
    assert list(billing.entries) == []
    billing.ended("a1", state, AT_MS + 1)
    billing.ended("a1", state, AT_MS + 2)
    assert [(one.at_ms, one.status) for one in billing.entries] == [(AT_MS + 1, "charged" if charged else "failed")]
    assert len(billing.charges_of(PHONE)) == charged


def test_a_subscribers_message_costs_what_its_destination_does_and_a_receipt_nothing() -> None:
    billing = Billing([MO])
    billing.acknowledged(DeliverSm(source_addr=PHONE, destination_addr="7700", esm_class=4), AT_MS)
    billing.acknowledged(DeliverSm(source_addr=PHONE, destination_addr="7701"), AT_MS)
    assert list(billing.entries) == []
    payload = {tlvs.MESSAGE_PAYLOAD: b"YES"}
    billing.acknowledged(DataSm(source_addr=PHONE, destination_addr="7700", tlvs=payload), AT_MS)
    [entry] = billing.entries
    assert (entry.way, entry.short_code, entry.msisdn, entry.text) == ("mo", "7700", PHONE, "YES")


def test_totals_are_by_currency_and_of_charges_only() -> None:
    billing = Billing([msgspec.structs.replace(MT, proof="response"), MO])
    for number in range(3):
        billing.accepted(BILLED, f"a{number}", AT_MS)
    billing.refused(BILLED, AT_MS)
    billing.acknowledged(DeliverSm(source_addr=PHONE, destination_addr="7700"), AT_MS)
    assert billing.total() == {"EUR": 1500, "BGN": 240}
    assert [one.status for one in billing.entries] == ["charged"] * 3 + ["failed", "charged"]


def test_never_more_goes_back_than_was_taken() -> None:
    billing = Billing()
    charge = billing.direct(
        msisdn=PHONE, amount_minor=500, currency="EUR", reference="r1", at_ms=AT_MS, payment_id="p1"
    )
    billing.refund("p1", 200, "b1", AT_MS)
    with pytest.raises(ValueError, match="300 is left"):
        billing.refund("p1", 301, "b2", AT_MS)
    with pytest.raises(ValueError, match="0 is left"):
        billing.refund("p2", 1, "b2", AT_MS)
    with pytest.raises(ValueError, match="cannot go back"):
        billing.refund("p1", 0, "b2", AT_MS)
    billing.refund("p1", 300, "b2", AT_MS)
    assert (billing.refunded("p1"), billing.charges_of(PHONE), len(billing.refunds)) == (500, (charge,), 2)


def test_the_records_are_csv_with_a_line_for_each_charge_and_failure() -> None:
    billing = Billing([msgspec.structs.replace(MT, proof="response"), MO])
    billing.accepted(BILLED, "a1", AT_MS)
    billing.refused(BILLED, AT_MS + 250)
    billing.acknowledged(DeliverSm(source_addr=PHONE, destination_addr="7700"), AT_MS)
    assert billing.records().splitlines() == [
        ",".join(COLUMNS),
        f"a1,{PHONE},7701,500,EUR,513,2023-11-14T22:13:20.000Z,charged",
        f"mt-000002,{PHONE},7701,500,EUR,513,2023-11-14T22:13:20.250Z,failed",
        f"mo-000003,{PHONE},7700,240,BGN,,2023-11-14T22:13:20.000Z,charged",
    ]


def test_the_oldest_lines_are_forgotten_where_that_is_wanted() -> None:
    billing = Billing([msgspec.structs.replace(MT, proof="response")], keep=2)
    for number in range(3):
        billing.accepted(BILLED, f"a{number}", AT_MS)
    assert [one.operator_id for one in billing.entries] == ["a1", "a2"]


# Over SMPP


def test_an_answer_is_charged_when_it_is_acknowledged_and_once_however_often_it_comes() -> None:
    async def test() -> None:
        async with operator(MO, settings=SmscSettings(faults=(Redeliveries(times=3),))) as (smsc, billing, gateway):
            answers = iter([status.ESME_RX_T_APPN])
            gateway.answer = lambda _: next(answers, status.ESME_ROK)
            delivery = smsc.deliver(PHONE, "7700", "YES")
            await gateway.until(lambda: gateway.delivered)
            assert list(billing.entries) == []
            assert await delivery == status.ESME_ROK
            assert len(gateway.delivered) == 5
            assert [one.text for one in billing.charges_of(PHONE)] == ["YES"]

    run(test())


def test_what_was_acknowledged_once_is_paid_for_though_the_next_delivery_is_refused() -> None:
    async def test() -> None:
        async with operator(MO, settings=SmscSettings(faults=(Redeliveries(),))) as (smsc, billing, gateway):
            answers = iter([status.ESME_ROK])
            gateway.answer = lambda _: next(answers, status.ESME_RX_P_APPN)
            assert await smsc.deliver(PHONE, "7700", "YES") == status.ESME_RX_P_APPN
            assert len(billing.charges_of(PHONE)) == 1

    run(test())


def test_a_refused_answer_costs_nothing_and_two_answers_are_two_charges() -> None:
    async def test() -> None:
        async with operator(MO, settings=SmscSettings(faults=(Duplicates(),))) as (smsc, billing, gateway):
            await smsc.deliver(PHONE, "7700", "YES")
            await smsc.deliver(PHONE, "7700", "YES")
            assert len(billing.charges_of(PHONE)) == 2
            assert len(gateway.delivered) == 3
            gateway.answer = lambda _: status.ESME_RX_P_APPN
            await smsc.deliver(PHONE, "7700", "YES")
            assert len(billing.charges_of(PHONE)) == 2

    run(test())


def test_a_message_of_several_parts_is_charged_once_when_all_are_taken() -> None:
    async def test() -> None:
        async with operator(MO) as (smsc, billing, gateway):
            answers = iter([status.ESME_ROK, status.ESME_RX_T_APPN])
            gateway.answer = lambda _: next(answers, status.ESME_ROK)
            delivery = smsc.deliver(PHONE, "7700", "YES " * 50)
            await gateway.until(lambda: len(gateway.delivered) == 2)
            assert list(billing.entries) == []
            await delivery
            assert len(billing.charges_of(PHONE)) == 1

    run(test())


async def answered(gateway: Gateway, *requests: SubmitSm) -> None:
    before = len(gateway.told(Answered))
    for request in requests:
        gateway.request(request)
    await gateway.until(lambda: len(gateway.told(Answered)) == before + len(requests))


def test_a_billed_message_that_is_sent_twice_is_charged_twice_and_a_prompt_never() -> None:
    async def test() -> None:
        rate = msgspec.structs.replace(MT, proof="response")
        async with operator(rate) as (_, billing, gateway):
            await answered(gateway, BILLED, BILLED, msgspec.structs.replace(BILLED, source_addr="7700"))
            first, second = billing.charges_of(PHONE)
            assert first.message_id != second.message_id
            assert billing.total() == {"EUR": 1000}

    run(test())


def test_the_money_is_taken_when_the_message_is_delivered_and_before_its_receipt_says_so() -> None:
    async def test() -> None:
        async with operator(MT) as (_, billing, gateway):
            seen: list[int] = []
            gateway.on_delivered = lambda _: seen.append(len(billing.charges_of(PHONE)))
            await answered(gateway, BILLED)
            accepted_ms = LoopClock().now_ms()
            assert list(billing.entries) == []
            await gateway.until(lambda: gateway.delivered)
            assert seen == [1]
            [entry] = billing.entries
            assert entry.at_ms == pytest.approx(accepted_ms + 500, abs=20)
            assert gateway.delivered[0].tlvs[tlvs.USER_MESSAGE_REFERENCE] == b"\x02\x01"
            await asyncio.sleep(10)
            assert (len(billing.entries), len(gateway.delivered)) == (1, 1)

    run(test())


@pytest.mark.parametrize("wanted", [0, 1])
def test_the_money_is_taken_whether_or_not_somebody_wants_a_receipt(wanted: int) -> None:
    async def test() -> None:
        async with operator(MT) as (smsc, billing, gateway):
            smsc.dialect = Dialect(times=0)
            await answered(gateway, msgspec.structs.replace(BILLED, registered_delivery=wanted))
            await asyncio.sleep(1)
            assert len(billing.charges_of(PHONE)) == 1
            assert gateway.delivered == []

    run(test())


def test_what_ends_undelivered_is_not_paid_for() -> None:
    async def test() -> None:
        async with operator(MT, settings=SmscSettings(receipt_state="UNDELIV")) as (_, billing, gateway):
            await answered(gateway, BILLED)
            await gateway.until(lambda: gateway.delivered)
            assert [one.status for one in billing.entries] == ["failed"]

    run(test())


def test_what_is_not_taken_costs_nothing_and_a_lost_answer_changes_nothing() -> None:
    async def test() -> None:
        rate = msgspec.structs.replace(MT, proof="response")
        async with operator(rate) as (smsc, billing, gateway):
            smsc.misbehave(ErrorAnswers(times=2))
            await answered(gateway, BILLED, BILLED)
            assert list(billing.entries) == []
            smsc.misbehave(NoAnswers())
            gateway.request(BILLED)
            await asyncio.sleep(1)
            assert len(billing.charges_of(PHONE)) == 1
            assert len(gateway.told(Answered)) == 2

    run(test())


def test_nothing_is_taken_after_the_end() -> None:
    async def test() -> None:
        async with operator(MT) as (smsc, billing, gateway):
            await answered(gateway, BILLED)
            await smsc.stop()
            await asyncio.sleep(10)
            assert list(billing.entries) == []

    run(test())
