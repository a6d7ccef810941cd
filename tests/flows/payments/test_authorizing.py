"""Merchants are asked before money is taken: their answer decides, and without one their default does."""

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from smsgw.errors import StoreUnavailable
from smsgw.flows.payments.authorizing import Authorizer
from smsgw.flows.ports import Heard, Letter
from tests.flows.payments.bank import Bank, bank
from tests.flows.payments.market import GOLD
from tests.flows.world import changed
from tests.servers.engines import Engine
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "https://gold.example/may-it"
ASKED = changed(GOLD, authorize_url=URL)
GENEROUS = changed(ASKED, authorize_default="allow")


class Merchant:
    """A ``Consultant``."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.answer: Callable[[], Heard] = lambda: yes(b'{"allow":true}')
        self.open = asyncio.Event()
        self.open.set()

    async def consult(self, letter: Letter, timeout_s: float) -> Heard:
        assert timeout_s == 2.0
        self.letters.append(letter)
        await self.open.wait()
        return self.answer()


def yes(body: bytes, status: int | None = 200) -> Heard:
    return Heard(http_status=status, body=body)


def asking(one: Bank, merchant: Merchant, secrets: list[bytes] | None = None) -> Authorizer:
    known = [b"s" * 32] if secrets is None else secrets
    authorizer = Authorizer(one.ports, one.catalog, one.payments, merchant, lambda _: known)
    one.payments.follow(authorizer.hear)
    return authorizer


async def test_a_yes_lets_it_go_on(engine: Engine) -> None:
    merchant = Merchant()
    async with bank(engine, merchants={"gold": ASKED}) as one:
        authorizer = asking(one, merchant)
        merchant.open.clear()
        payment = await one.confirmed()
        assert await one.attempts(payment) == []
        merchant.open.set()
        await authorizer.hands.rest()
        await one.work()
        assert await one.status(payment) == "succeeded"
        [letter] = merchant.letters
        assert (letter.url, letter.secrets, letter.id[:4]) == (URL, [b"s" * 32], "evt_")
        told = msgspec.json.decode(letter.body)
        assert told["type"] == "payment.authorize"
        assert (told["data"]["id"], told["data"]["status"], told["data"]["amount_minor"]) == (payment, "charging", 1000)
        assert told["data"]["msisdn"] != "359881234567"


@pytest.mark.parametrize(
    ("heard", "status", "otherwise"),
    [
        (yes(b'{"allow":false}'), "failed", "failed"),
        (yes(b'{"allow":true,"more":1}'), "charging", "charging"),
        (yes(b'{"allow":"true"}'), "failed", "charging"),
        (yes(b'{"allow":1}'), "failed", "charging"),
        (yes(b"{}"), "failed", "charging"),
        (yes(b""), "failed", "charging"),
        (yes(b"[" * 2_000), "failed", "charging"),
        (yes(b'{"allow":true}', 201), "failed", "charging"),
        (yes(b'{"allow":true}', 500), "failed", "charging"),
        (yes(b"", None), "failed", "charging"),
    ],
)
async def test_what_an_answer_means(sqlite: Engine, heard: Heard, status: str, otherwise: str) -> None:
    merchant = Merchant()
    merchant.answer = lambda: heard
    for seed, (settings, expected) in enumerate(((ASKED, status), (GENEROUS, otherwise))):
        async with bank(sqlite, merchants={"gold": settings}, seed=seed) as one:
            one.clock.advance(seed * 60_000)  # later than the life before
            authorizer = asking(one, merchant)
            payment = await one.confirmed(merchant_reference=f"{settings.authorize_default}")
            await authorizer.hands.rest()
            assert await one.status(payment) == expected
            if expected == "failed":
                assert (await one.row(payment)).reason == "not_authorized"


async def test_without_a_secret_or_with_a_mistake_of_ours_the_default_counts(sqlite: Engine) -> None:
    merchant = Merchant()
    async with bank(sqlite, merchants={"gold": ASKED}) as one:
        authorizer = asking(one, merchant, secrets=[])
        payment = await one.confirmed()
        await authorizer.hands.rest()
        assert (await one.status(payment), merchant.letters) == ("failed", [])

    def mistake() -> Heard:
        raise RuntimeError("oh")

    merchant.answer = mistake
    async with bank(sqlite, merchants={"gold": ASKED}, seed=2) as one:
        one.clock.advance(2 * 60_000)  # later than the life before
        authorizer = asking(one, merchant)
        payment = await one.confirmed(merchant_reference="two")
        await authorizer.hands.rest()
        assert await one.status(payment) == "failed"


async def test_a_merchant_who_thinks_too_long_and_a_daemon_that_dies(engine: Engine) -> None:
    merchant = Merchant()
    merchant.open.clear()
    async with bank(engine, merchants={"gold": ASKED}) as one:
        authorizer = asking(one, merchant)
        payment = await one.confirmed()
        await authorizer.close()
        clock = one.clock
        clock.advance(1_000)
    async with bank(engine, clock=clock, merchants={"gold": ASKED}) as one:
        await one.later(3.9)
        assert await one.status(payment) == "charging"
        await one.later(0.2)
        assert await one.status(payment) == "failed"


async def test_a_yes_of_hours_ago_is_not_charged_by_the_default(engine: Engine) -> None:
    merchant = Merchant()
    merchant.open.clear()
    async with bank(engine, merchants={"gold": GENEROUS}) as one:
        authorizer = asking(one, merchant)
        payment = await one.confirmed()
        await authorizer.close()
        clock = one.clock
    clock.advance(2 * 3_600_000)
    async with bank(engine, clock=clock, merchants={"gold": GENEROUS}) as one:
        await one.wait(10)
        assert (await one.status(payment), one.api.calls) == ("failed", [])


async def test_the_answer_waits_for_the_store(sqlite: Engine) -> None:
    merchant = Merchant()
    async with bank(sqlite, merchants={"gold": ASKED}) as one:
        authorizer = asking(one, merchant)
        merchant.open.clear()
        payment = await one.confirmed()
        one.database.before.append(StoreUnavailable("full"))
        merchant.open.set()
        await authorizer.hands.rest()
        await one.work()
        assert await one.status(payment) == "succeeded"


async def test_more_than_can_be_asked_are_left_to_the_default(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smsgw.flows.payments.authorizing.PARALLEL", 1)
    merchant = Merchant()
    merchant.open.clear()
    async with bank(sqlite, merchants={"gold": GENEROUS}) as one:
        authorizer = asking(one, merchant)
        first = await one.confirmed()
        second = await one.confirmed(msisdn="359881234568")
        await until(lambda: merchant.letters)
        assert len(merchant.letters) == 1
        merchant.open.set()
        await authorizer.hands.rest()
        assert len(await one.attempts(first)) == 1
        assert await one.attempts(second) == []
        await one.later(5.1)
        assert len(await one.attempts(second)) == 1
