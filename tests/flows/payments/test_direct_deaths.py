"""It dies at each commit of a direct payment's way, before and behind it: the operator is asked for the money once.

The operator charges whenever it is asked, also for a second time under one reference; what it has charged, it tells.
"""

import asyncio
from contextlib import suppress
from typing import Any, Literal

import pytest

from smsgw.domain.payments import Status
from smsgw.flows import idempotency
from smsgw.flows.payments.inquiry import MISSING_MS
from smsgw.flows.ports import Charged, Order
from tests.flows.payments.bank import MISSING, TAKEN, Api, Bank, bank
from tests.flows.payments.test_deaths import Death, Mortal, _still, _with
from tests.servers.engines import Engine

_COMMITS = 7  # of the way, and one that never comes: then nothing dies
_INTENT = 5  # writes the intent; behind it the call is made


class Operator(Api):
    """What the operator, the phone and the merchant's server remember over all lives."""

    def __init__(self) -> None:
        super().__init__()
        self.payment = ""  # the merchant's server knows it
        self.asked = False  # the phone has got the question
        self.answered = False  # the YES was acknowledged

    async def charge(self, order: Order) -> Charged:
        await asyncio.sleep(0)  # as long as a request takes
        return await super().charge(order)

    async def ask(self, order: Order) -> Charged:
        self.on_ask = [TAKEN if ("charge", order.charge) in self.calls else MISSING]
        return await super().ask(order)

    async def live(self, one: Bank) -> None:
        """Do everything that this life is asked to do; ends early when it dies."""
        session = await one.begin()
        if not self.payment:
            once = idempotency.asked("gold", test=False, key="k1", request="a")
            order = one.order("gold-api", idempotency=once, merchant_reference="order-1")
            self.payment = (await one.payments.ask(order, 60.0)).payment.id
        for _ in range(3):
            self.asked |= bool(await one.accept())
            if self.asked and not self.answered:
                await one.receiver.submit(one.arrival(session=session, link="north", pdu=one.word("YES")))
                self.answered = True
            await one.teller.turn()
            await one.teller.hands.rest()


@pytest.mark.parametrize("side", ["before", "behind"])
@pytest.mark.parametrize("commit", range(1, _COMMITS + 1))
async def test_a_death_at_each_commit(sqlite: Engine, commit: int, side: Literal["before", "behind"]) -> None:
    operator = Operator()
    async with bank(sqlite, operator, seed=100) as one:
        mortal = Mortal(one.database, commit, side)
        parts: list[Any] = [one.payments, one.receiver, one.cashier, one.payments.listener, one.teller]
        for part in (*parts, one.inquirer, one.refunder, one.direct.findings, *one.outboxes.values()):
            part._ports = _with(part._ports, mortal)
        with suppress(Death, asyncio.CancelledError):
            await one.receiver.recover()
            await operator.live(one)
        await one.teller.hands.close(0.0)
        await _still(one)
        clock = one.clock
    clock.advance(1_000)
    async with bank(sqlite, operator, seed=101, clock=clock) as one:
        await one.receiver.recover()
        await operator.live(one)
        await one.wait(30)
        intended_only = (commit, side) == (_INTENT, "behind")
        assert operator.count("charge") == (0 if intended_only else 1)
        if intended_only:  # the operator has to say that there was no call
            assert await one.status(operator.payment) == Status.UNKNOWN
            await one.wait(2 * MISSING_MS / 1000)
            assert await one.status(operator.payment) == Status.FAILED
        else:
            assert await one.status(operator.payment) == Status.SUCCEEDED
        assert operator.count("charge") <= 1
