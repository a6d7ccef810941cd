"""Phones that answer by their numbers, and what becomes of the charge: each row of the table as a gateway sees it."""
# ruff: noqa: RUF001 - prompts in their languages

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from smsgw.simulator.billing import Billing, Rate
from smsgw.simulator.faults import RepeatedAnswers, SlowAnswers
from smsgw.simulator.prompts import Reply, quoted
from smsgw.simulator.receipts import Dialect
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.simulator.submissions import SubmittedMessage
from smsgw.simulator.subscribers import LACK_OF_CREDIT, MAGIC, RETRIED, Behaviour, Pace, Subscribers
from smsgw.smpp import receipt, status, tlvs
from smsgw.smpp.events import Answered, Ended, Event, Late, TimedOut
from smsgw.smpp.pdus import DeliverSm, SubmitSm
from smsgw.text import segments
from tests.simulator.gateway import Gateway
from tests.simulator.virtual_loop import LoopClock, run

PROMPT = "Gold 500 from Shop for 5.00 EUR. To confirm, send YES in reply. Help: 0700 12345"
MT = Rate(way="mt", short_code="7701", amount_minor=500, currency="EUR")
MO = Rate(way="mo", short_code="7700", amount_minor=240, currency="BGN")
PACE = Pace(late_response_ms=60_000)  # longer than the gateway's own 5 s


def phone(case: str) -> str:
    return f"35988123{case}"


class Shop:
    """A gateway that asks, hears the answers, and charges as often as it is told."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def ask(self, case: str, text: str = PROMPT) -> None:
        before = len(self.gateway.told(Answered))
        for segment in segments.split(text, reference=1):
            self.gateway.request(
                SubmitSm(
                    source_addr="7700",
                    destination_addr=phone(case),
                    esm_class=segment.esm_class,
                    data_coding=segment.data_coding,
                    short_message=segment.payload,
                )
            )
        await self.gateway.until(lambda: len(self.gateway.told(Answered)) > before)

    async def charge(self, case: str, *, for_s: float = 1, text: str = "500 gold") -> list[int]:
        """Submit a billed message; return the statuses of all answers after that time."""
        self.gateway.request(
            SubmitSm(
                source_addr="7701",
                destination_addr=phone(case),
                short_message=text.encode(),
                registered_delivery=1,
                tlvs={tlvs.USER_MESSAGE_REFERENCE: b"\0\x07"},
            )
        )
        await asyncio.sleep(for_s)
        return self.statuses

    @property
    def statuses(self) -> list[int]:
        return [event.response.command_status for event in self.gateway.told(Answered) if isinstance(event, Answered)]

    @property
    def answers(self) -> list[tuple[str, str, str]]:
        texts = [pdu for pdu in self.gateway.delivered if not receipt.is_receipt(pdu)]
        return [(pdu.source_addr, pdu.destination_addr, text_of(pdu)) for pdu in texts]

    @property
    def receipts(self) -> list[tuple[str, str]]:
        read = [receipt.parse(pdu) for pdu in self.gateway.delivered if receipt.is_receipt(pdu)]
        return [(one.state, one.error or "") for one in read]


def text_of(pdu: DeliverSm) -> str:
    return pdu.short_message.decode("utf-16-be" if pdu.data_coding == 8 else "ascii")


@asynccontextmanager
async def operator(*rates: Rate, subscribers: Subscribers | None = None) -> AsyncIterator[tuple[Smsc, Billing, Shop]]:
    """An operator with phones and a till, and a gateway that is bound."""
    billing = Billing(rates or (MT,))
    phones = subscribers or Subscribers(PACE)
    smsc = Smsc(SmscSettings(), clock=LoopClock(), billing=billing, subscribers=phones)
    port = await smsc.start()
    try:
        yield smsc, billing, Shop(await Gateway().connect(port))
    finally:
        await smsc.stop()


# What can be answered to a text


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        (PROMPT, "YES", "NO"),
        ("500 злато от Магазин, 9,78 лв. За да потвърдите, отговорете с ДА. Помощ: 0700", "ДА", "НЕ"),
        ("500 золота, 199 руб. Чтобы подтвердить, ответьте ДА", "ДА", "НЕТ"),
        ("500 злата, 49 грн. Так, це просто: надішліть ТАК у відповідь", "ТАК", "НІ"),
        ("500 zlato, 9.78 lv. Otgovorete s DA", "DA", "NE"),
        ("500 gold, 5 EUR. Send YES 47 or NO 47", "YES 47", "NO 47"),
        ('500 gold, 5 EUR. Send "ДА 47" to 7700', "ДА 47", "НЕ 47"),
        ("OK Shop: 500 gold, 5 EUR. Send YES", "YES", "NO"),
        ("5 EUR: отговорете ДА или НЕ", "ДА", "НЕ"),
        ("5 EUR: ответьте ДА или НЕТ", "ДА", "НЕТ"),
        ("5 EUR: say yes, please", "yes", "NO"),
        ("5 EUR: send YES. All right? Then yes", "YES", "NO"),
    ],
)
def test_a_prompt_quotes_its_words(text: str, yes: str, no: str) -> None:
    reply = quoted(text)
    assert reply is not None
    assert (reply.yes, reply.no) == (yes, no)


@pytest.mark.parametrize(
    "text",
    [
        "Paid: 500 gold, 5.00 EUR. Thank you",
        "Please answer YES or NO",
        "Several are open: answer with the number, for example YES 47",
        "Golden Games: 250 gold, 2.50 EUR, paid. Thank you! Reference: 7B3Y9KDA. Help: help@games.example",
        "",
    ],
)
def test_what_names_no_sum_or_quotes_no_yes_is_no_prompt(text: str) -> None:
    assert quoted(text) is None


# What phones answer


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("9000", ["YES"]),
        ("9001", ["NO"]),
        ("9002", ["STOP"]),
        ("9003", ["HELP"]),
        ("9004", ["maybe yes"]),
        ("9005", []),
        ("9006", ["YES", "YES"]),
        ("9009", ["HELP", "YES"]),
        ("9010", ["YES", "NO"]),
        ("9100", ["YES"]),
        ("1234", []),
    ],
)
def test_a_phone_answers_as_its_number_says(case: str, said: list[str]) -> None:
    async def test() -> None:
        async with operator() as (_, billing, shop):
            await shop.ask(case)
            await asyncio.sleep(1)
            assert shop.answers == [(phone(case), "7700", text) for text in said]
            assert billing.total() == {}

    run(test())


def test_a_long_prompt_in_cyrillic_is_answered_once_and_in_its_words() -> None:
    async def test() -> None:
        async with operator() as (_, _, shop):
            await shop.ask("9000", "Вие купувате 500 злато от Магазин. Цена 9,78 лв. За да потвърдите, отговорете с ДА")
            await asyncio.sleep(1)
            assert shop.answers == [(phone("9000"), "7700", "ДА")]

    run(test())


def test_a_late_answer_comes_when_it_is_due() -> None:
    async def test() -> None:
        async with operator(subscribers=Subscribers(Pace(late_answer_ms=900_000))) as (_, _, shop):
            await shop.ask("9007")
            await asyncio.sleep(899)
            assert shop.answers == []
            await asyncio.sleep(2)
            assert shop.answers == [(phone("9007"), "7700", "YES")]

    run(test())


def test_the_prompt_is_refused_and_the_same_phone_could_be_charged() -> None:
    async def test() -> None:
        async with operator(subscribers=Subscribers(PACE, refusal=status.ESME_RINVDSTADR)) as (_, billing, shop):
            await shop.ask("9008")
            assert shop.statuses == [status.ESME_RINVDSTADR]
            assert await shop.charge("9008") == [status.ESME_RINVDSTADR, 0]
            assert shop.answers == []
            assert [one.status for one in billing.entries] == ["charged"]

    run(test())


def test_how_prompts_are_read_can_be_told() -> None:
    async def test() -> None:
        words = Subscribers(PACE, read=lambda text: "SURE" if "?" in text else None)
        async with operator(subscribers=words) as (_, _, shop):
            await shop.ask("9000")
            await shop.ask("9000", "Well?")
            await asyncio.sleep(1)
            assert [text for *_, text in shop.answers] == ["SURE"]

    run(test())


def test_all_other_phones_can_be_told_to_answer() -> None:
    async def test() -> None:
        async with operator(subscribers=Subscribers(PACE, otherwise=MAGIC["9000"])) as (_, _, shop):
            await shop.ask("1234")
            await asyncio.sleep(1)
            assert shop.answers == [(phone("1234"), "7700", "YES")]

    run(test())


def test_two_machines_do_not_answer_each_other_for_ever() -> None:
    phones = Subscribers(PACE, read=lambda _: Reply(yes="YES"))
    message = SubmittedMessage(
        source="7700",
        destination=phone("9004"),
        text="what?",
        data=b"what?",
        data_coding=0,
        message_ids=("1",),
        registered_delivery=0,
        service_type="",
        tlvs={},
    )
    answered = [len(phones.answers(message, 0)) for _ in range(100)]
    assert sum(answered) == 20
    assert len(phones.answers(message, 60_000)) == 1


def test_a_yes_that_costs_money_is_charged_where_it_goes() -> None:
    async def test() -> None:
        async with operator(MO) as (_, billing, shop):
            await shop.ask("9000")
            await shop.ask("9006")
            await asyncio.sleep(1)
            assert len(billing.charges_of(phone("9000"))) == 1
            assert len(billing.charges_of(phone("9006"))) == 2

    run(test())


def test_a_yes_that_the_phone_cannot_pay_never_arrives() -> None:
    async def test() -> None:
        async with operator(MO) as (_, billing, shop):
            await shop.ask("9100")
            await asyncio.sleep(1)
            assert shop.answers == []
            assert [(one.status, one.text) for one in billing.entries] == [("failed", "YES")]

    run(test())


# What becomes of a charge

PAID = [("DELIVRD", "000")]


@pytest.mark.parametrize(
    ("case", "statuses", "receipts", "ledger"),
    [
        ("9000", [0], PAID, ["charged"]),
        ("9100", [status.ESME_RSUBMITFAIL], [], ["failed"]),
        ("9101", [status.ESME_RTHROTTLED], [], []),
        ("9102", [], [], ["charged"]),
        ("9103", [], PAID, ["charged"]),
        ("9104", [], [], []),
        ("9105", [], [], ["charged"]),  # nobody is bound any more who could take the receipt
        ("9106", [], PAID, ["charged"]),
        ("9107", [0], [("UNDELIV", LACK_OF_CREDIT)], ["failed"]),
        ("9108", [0], [("ENROUTE", RETRIED), ("DELIVRD", "000")], ["charged"]),
        ("9109", [0], [("UNDELIV", RETRIED), ("DELIVRD", "000")], ["charged"]),
        ("9110", [0], [], ["charged"]),
        ("9111", [0], [], ["failed"]),
        ("9112", [0], PAID, ["charged"]),
        ("9113", [0], PAID * 2, ["charged"]),
        ("9115", [status.ESME_RSYSERR], [], []),
        ("9116", [status.ESME_RSYSERR], [], ["charged"]),
        ("9117", [0], PAID, ["charged"]),
        ("1234", [0], PAID, ["charged"]),
    ],
)
def test_a_charge_fares_as_the_number_says(
    case: str, statuses: list[int], receipts: list[tuple[str, str]], ledger: list[str]
) -> None:
    async def test() -> None:
        async with operator() as (_, billing, shop):
            assert await shop.charge(case, for_s=20) == statuses
            assert shop.receipts == receipts
            assert [one.status for one in billing.entries] == ledger
            assert {one.reference for one in billing.entries} <= {"7"}

    run(test())


def test_every_row_of_the_table_has_a_case_here() -> None:
    spoken = {"9001", "9002", "9003", "9004", "9005", "9006", "9007", "9008", "9009", "9010"}
    marks = [test_a_charge_fares_as_the_number_says]
    charged = {row[0] for one in marks for mark in one.pytestmark for row in mark.args[1]}  # type: ignore[attr-defined]  # pytest's own
    assert set(MAGIC) == spoken | (charged - {"1234"}) | {"9114"}


@pytest.mark.parametrize(("case", "refusals"), [("9101", 2), ("9115", 1)])
def test_after_its_refusals_a_charge_is_taken_and_then_it_begins_again(case: str, refusals: int) -> None:
    async def test() -> None:
        async with operator() as (_, billing, shop):
            for _ in range(refusals + 1):
                await shop.charge(case)
            found = await shop.charge(case)
            assert [bool(one) for one in found] == [True] * refusals + [False, True]
            assert [one.status for one in billing.entries] == ["charged"]

    run(test())


def test_nobody_hears_of_a_broken_connections_charge_but_its_receipt_comes_after_all() -> None:
    async def test() -> None:
        async with operator() as (smsc, billing, shop):
            await shop.charge("9105")
            assert [type(one) for one in shop.gateway.told(Ended)] == [Ended] or shop.gateway.wire.closed
            assert len(billing.charges_of(phone("9105"))) == 1
            again = Shop(await Gateway().connect(smsc._port))
            await asyncio.sleep(1)
            assert again.receipts == PAID

    run(test())


def test_a_late_response_comes_when_the_gateway_has_given_up() -> None:
    async def test() -> None:
        async with operator() as (_, billing, shop):
            await shop.charge("9106", for_s=10)
            assert len(shop.gateway.told(TimedOut)) == 1
            await asyncio.sleep(60)
            late: list[Event] = [event for event in shop.gateway.events if isinstance(event, Late)]
            [one] = late
            assert isinstance(one, Late)
            assert getattr(one.response, "message_id", "") == billing.entries[0].message_id

    run(test())


def test_a_receipt_overtakes_its_response() -> None:
    async def test() -> None:
        async with operator() as (_, billing, shop):
            answered: list[tuple[int, int]] = []
            shop.gateway.on_delivered = lambda _: answered.append((len(shop.statuses), len(billing.charges)))
            await shop.charge("9112")
            assert answered == [(0, 1)]

    run(test())


def test_credit_comes_later_and_only_then_is_the_money_taken() -> None:
    async def test() -> None:
        async with operator(subscribers=Subscribers(Pace(credit_ms=30_000))) as (_, billing, shop):
            await shop.charge("9109", for_s=29)
            assert (shop.receipts, billing.total()) == ([("UNDELIV", RETRIED)], {})
            await asyncio.sleep(2)
            assert (len(shop.receipts), billing.total()) == (2, {"EUR": 500})

    run(test())


def test_a_receipt_that_nobody_expects_any_more_and_the_money_with_it() -> None:
    async def test() -> None:
        async with operator(subscribers=Subscribers(Pace(late_receipt_ms=600_000))) as (_, billing, shop):
            await shop.charge("9114", for_s=599)
            assert (shop.statuses, shop.receipts, billing.total()) == ([0], [], {})
            await asyncio.sleep(2)
            assert (shop.receipts, billing.total()) == (PAID, {"EUR": 500})

    run(test())


def test_where_the_response_is_the_proof_receipts_change_nothing() -> None:
    async def test() -> None:
        rate = Rate(way="mt", short_code="7701", amount_minor=500, currency="EUR", proof="response")
        async with operator(rate) as (_, billing, shop):
            await shop.charge("9102")
            await shop.charge("9107")
            await shop.charge("9104")
            await shop.charge("9100")
            assert [(one.msisdn, one.status) for one in billing.entries] == [
                (phone("9102"), "charged"),
                (phone("9107"), "charged"),
                (phone("9100"), "failed"),
            ]

    run(test())


def test_a_billed_message_is_no_prompt_whatever_it_says() -> None:
    async def test() -> None:
        async with operator() as (_, billing, shop):
            await shop.charge("9000", text=PROMPT)
            assert shop.answers == []
            assert billing.total() == {"EUR": 500}

    run(test())


def test_phones_answer_where_nothing_costs_money() -> None:
    async def test() -> None:
        smsc = Smsc(SmscSettings(), clock=LoopClock(), subscribers=Subscribers(PACE))
        shop = Shop(await Gateway().connect(await smsc.start()))
        try:
            await shop.ask("9100")
            assert await shop.charge("9100") == [0, 0]
            assert shop.answers == [(phone("9100"), "7700", "YES")]
            assert shop.receipts == PAID
        finally:
            await smsc.stop()

    run(test())


def test_a_charge_that_costs_nothing_is_nothing_special() -> None:
    async def test() -> None:
        async with operator(MO) as (_, billing, shop):
            assert await shop.charge("9100") == [0]
            assert await shop.charge("9107") == [0, 0]
            assert shop.receipts == PAID * 2
            assert billing.total() == {}

    run(test())


def test_an_operators_own_words_are_kept_where_a_phone_has_a_fate() -> None:
    async def test() -> None:
        billing = Billing([MT], charged_states=frozenset({"CHARGED"}))
        smsc = Smsc(SmscSettings(), clock=LoopClock(), billing=billing, subscribers=Subscribers(PACE))
        smsc.dialect = Dialect(state="CHARGED", told_in="text")
        shop = Shop(await Gateway().connect(await smsc.start()))
        await shop.charge("9113")
        assert [state for state, _ in shop.receipts] == ["CHARGED"] * 2
        assert len(billing.charges) == 1
        await smsc.stop()

    run(test())


def test_responses_take_their_time_and_faults_happen_all_the_same() -> None:
    async def test() -> None:
        async with operator(subscribers=Subscribers(Pace(response_ms=300))) as (smsc, _, shop):
            began = LoopClock().monotonic_ms()
            await shop.ask("9005")
            assert LoopClock().monotonic_ms() - began == pytest.approx(300, abs=20)
            smsc.misbehave(SlowAnswers(delay_ms=1_000))
            began = LoopClock().monotonic_ms()
            await shop.ask("9005")
            assert LoopClock().monotonic_ms() - began == pytest.approx(1_300, abs=20)
            smsc.misbehave(RepeatedAnswers())
            await shop.ask("9005")
            await asyncio.sleep(1)
            assert len(shop.gateway.events) == 1 + 3 + 1  # bound, three answers, and one that nobody waits for

    run(test())


def test_a_table_of_ones_own() -> None:
    own = {"0042": Behaviour(about="no, late", answers=("no",), late=True)}
    phones = Subscribers(magic=own)
    assert phones.behaviour_of("359880000042").about == "no, late"
    assert phones.behaviour_of(phone("9000")).answers == ()
