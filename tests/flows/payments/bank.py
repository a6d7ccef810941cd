"""A market with an operator's HTTP API behind it, which keeps books of its own: they judge what was charged."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from smsgw.domain.charging import Said, Told
from smsgw.flows.payments.direct import Direct
from smsgw.flows.payments.inquiry import Inquirer
from smsgw.flows.payments.refunding import Refunder
from smsgw.flows.payments.teller import Teller
from smsgw.flows.ports import Back, Charged, Order, Refunded
from smsgw.store import charges, refunds
from smsgw.store.charges import ChargeRow
from smsgw.store.refunds import RefundRow
from tests.flows.payments.market import Market, market
from tests.servers.engines import Engine

A = TypeVar("A")
TAKEN = Charged(told=Told(Said.CHARGED), operator_id="op1", http_status=200)
LOST = Charged(told=Told(Said.UNKNOWN), error="no answer in time")
MISSING = Charged(told=Told(Said.UNKNOWN), http_status=200, missing=True, error="the operator has none")
PENDING = Charged(told=Told(Said.ACCEPTED), operator_id="op1", http_status=201)
DENIED = Charged(told=Told(Said.FAILED, "operator_refused"), http_status=403)
BUSY = Charged(told=Told(Said.PUT_OFF, "operator_busy"), http_status=429)


class Api:
    """A ``Charger``; each answer comes from a list, whose last one is repeated."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []  # what, which reference
        self.orders: list[Order] = []
        self.backs: list[Back] = []
        self.on_charge: list[Charged] = [TAKEN]
        self.on_ask: list[Charged] = [TAKEN]
        self.on_refund: list[Refunded] = [Refunded(outcome="done", http_status=200)]
        self.open = asyncio.Event()  # nobody is answered while it is not set
        self.open.set()
        self.before: Callable[[], None] = lambda: None  # at the first octet
        self.waiting = 0
        self.most_waiting = 0

    async def charge(self, order: Order) -> Charged:
        self.before()
        self.orders.append(order)
        return await self._answer("charge", order.charge, self.on_charge)

    async def ask(self, order: Order) -> Charged:
        return await self._answer("ask", order.charge, self.on_ask)

    async def refund(self, back: Back) -> Refunded:
        self.backs.append(back)
        return await self._answer("refund", back.refund, self.on_refund)

    async def _answer(self, what: str, reference: str, answers: list[A]) -> A:
        self.calls.append((what, reference))
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def count(self, what: str) -> int:
        return sum(one == what for one, _ in self.calls)


class Bank(Market):
    """A market whose payments may be direct."""

    api: Api
    direct: Direct
    teller: Teller
    inquirer: Inquirer
    refunder: Refunder

    async def confirmed(self, **fields: Any) -> str:
        """Make a direct payment, and answer YES; nothing is charged yet."""
        payment = await self.prompted("gold-api", **fields)
        self.clock.advance(5_000)  # the question is read
        await self.say("YES", payment_phone(fields))
        return payment.id

    async def work(self) -> None:
        """Do everything that is to be done now."""
        for _ in range(3):
            for one in (self.teller, self.inquirer, self.refunder):
                await one.turn()
                await one.hands.rest()

    async def wait(self, seconds: float) -> None:
        """Let time go by in steps, with everything done on the way."""
        step = max(1.0, seconds / 40)
        while seconds > 0:
            await self.later(min(step, seconds))
            await self.work()
            seconds -= step

    async def until(self, payment: str, status: str) -> None:
        """Wait for what loops do by themselves."""
        for _ in range(1_000):
            if await self.status(payment) == status:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{payment} is not {status}")

    async def attempts(self, payment: str) -> list[ChargeRow]:
        async with self.database.read() as reader:
            return await charges.of_payments(reader, [payment])

    async def refunds(self, payment: str) -> list[RefundRow]:
        async with self.database.read() as reader:
            return await refunds.of_payment(reader, payment)


def payment_phone(fields: dict[str, Any]) -> str:
    phone: str = fields.get("msisdn", "359881234567")
    return phone


@asynccontextmanager
async def bank(engine: Engine, api: Api | None = None, **changes: Any) -> AsyncIterator[Bank]:
    """Open it; opened again, it is the next life of the daemon, and the operator's books are as they were."""
    async with market(engine, **changes) as one:
        one.__class__ = Bank
        assert isinstance(one, Bank)
        one.api = api or Api()
        one.direct = Direct(one.ports, one.catalog, one.payments, one.api)
        one.teller, one.inquirer, one.refunder = one.direct.teller, one.direct.inquirer, one.direct.refunder
        one.payments.follow(one.direct.hear)
        try:
            yield one
        finally:
            one.database.open.set()
            await one.direct.close(0.0)
