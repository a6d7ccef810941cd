"""Two daemons on one PostgreSQL hear, end and prove the same payments at the same moment; nothing is done twice."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

import pytest

from smsgw.domain.payments import Fact
from smsgw.flows.amend import Refused
from smsgw.flows.payments.whose import STAFF
from smsgw.settings import Payments as Limits
from smsgw.settings.merchant import Cap
from tests.flows.payments.market import GOLD, Market, market
from tests.flows.payments.test_charging import SHORT_CODE, charging
from tests.flows.world import changed, receipt
from tests.servers.engines import Engine

ADDRESSES = ["7700", "7701", "7702", "7703", "7704"]
CAP = Cap(over="merchant", per="day", amount_minor=500, currency="EUR")
CAPPED = changed(GOLD, reply_addresses=ADDRESSES, caps=[CAP])


@asynccontextmanager
async def two(engine: Engine, **options: Any) -> AsyncIterator[tuple[Market, Market]]:
    async with (
        market(engine, **options) as left,
        market(engine, node="right", seed=2, clock=left.clock, **options) as right,
    ):
        yield left, right


async def answer(one: Market, text: str, phone: str, to: str = "7700") -> None:
    await one.sms(link="north", pdu=one.word(text, to, phone))


async def test_caps_hold_when_a_phone_answers_at_two_nodes(postgres: Engine) -> None:
    async with two(postgres, merchants={"gold": CAPPED}, limits=Limits(prompts_per_number=100)) as (left, right):
        for number in range(3):
            phone = f"35988123460{number}"
            payments = [(await left.prompted(msisdn=phone)).id for _ in ADDRESSES]
            left.clock.advance(5_000)
            nodes = [left, right] * 3
            answers = [answer(one, "YES", phone, to) for one, to in zip(nodes, ADDRESSES, strict=False)]
            await asyncio.gather(*answers)
            ended = sorted([await left.status(payment) for payment in payments])
            assert ended == ["charging", "charging", "failed", "failed", "failed"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_payment_is_confirmed_declined_canceled_or_expired_once(postgres: Engine, seed: int) -> None:
    random = Random(seed)
    async with two(postgres) as (left, right):

        async def cancel(payment: str) -> None:
            with suppress(Refused):
                await right.payments.cancel(payment, STAFF, "x")

        for number in range(8):
            phone = f"35988123{5000 + number}"
            payment = (await left.prompted(msisdn=phone)).id
            due_ms = (await left.row(payment)).due_ms
            assert due_ms is not None
            left.clock.advance(due_ms - left.clock.now_ms() if number % 2 else 5_000)
            work: list[Coroutine[Any, Any, Any]] = [
                answer(left, "YES", phone),
                answer(right, "YES", phone),
                answer(right, "NO", phone),
                cancel(payment),
                left.sweeper.sweep(),
                right.sweeper.sweep(),
            ]
            random.shuffle(work)
            await asyncio.gather(*work)
            status = await left.status(payment)
            assert status in {"charging", "declined", "canceled", "expired"}
            charges = [row for row in await left.rows("charges", "payment") if row == (payment,)]
            assert len(charges) == (status == "charging")
            assert await places(left, payment) == [1, 2], "asked, and what came of it"


async def test_a_charge_that_is_proven_from_all_sides_at_once_is_charged_once(postgres: Engine) -> None:
    async with two(postgres) as (left, right):
        for number in range(4):
            phone, name = f"35988123{7000 + number}", f"N{number}"
            payment, bill = await charging(left, msisdn=phone)
            left.outboxes["north"].accepted(bill, name)
            await left.settle()
            due_ms = (await left.row(payment)).due_ms
            assert due_ms is not None
            left.clock.advance(due_ms - left.clock.now_ms())
            pdu = receipt(name, source_addr=phone, destination_addr=SHORT_CODE)
            await asyncio.gather(
                left.sms(link="north", pdu=pdu),
                right.sms(link="north", pdu=pdu),
                right.sweeper.sweep(),
                left.resolver.record(payment, charged=True, told={"at": "x"}),
                right.resolver.record(payment, charged=True, told={"at": "x"}),
            )
            assert await right.status(payment) == "succeeded"
            facts = await left.facts(payment)
            assert (facts.count(Fact.CHARGED), facts.count(Fact.RECORDED), Fact.DISCREPANCY in facts) == (1, 1, False)


async def places(one: Market, payment: str) -> list[int]:
    """Return the numbers of a payment's events, in their order."""
    return sorted(place for subject, place in await one.rows("events", "subject", "place") if subject == payment)
