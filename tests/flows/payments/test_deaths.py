"""It dies at each commit of a payment's way, just before and just behind it: nobody is charged twice, nothing is stuck.

The operator is the judge: it counts the billed messages whose first octet could have been written. It delivers again
what was not acknowledged, and the merchant's server asks again with the same Idempotency-Key.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal

import pytest

from smsgw.domain.payments import Status
from smsgw.flows import idempotency
from smsgw.flows.outgoing import Outgoing
from smsgw.store.database import Transaction
from tests.flows.payments.market import PHONE, Market, market
from tests.flows.world import receipt
from tests.servers.engines import Engine

_COMMITS = 9  # of the way, and one that never comes: then nothing dies
_LIVES = 12


class Death(Exception):  # noqa: N818 - not an error of anybody's
    """The process is gone."""


class Mortal:
    """Stands before the database of one life, and ends it at one of its transactions."""

    def __init__(self, inner: Any, at: int | None, side: Literal["before", "behind"]) -> None:
        self._inner = inner
        self._left = at
        self._side = side
        self.dead = False
        self.commits = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def transact(self, body: Callable[[Transaction], Coroutine[Any, Any, Any]]) -> Any:
        if self.dead:
            raise Death
        last = self._left is not None and self.commits + 1 == self._left
        self.dead = last
        if last and self._side == "before":
            raise Death
        result = await self._inner.transact(body)
        self.commits += 1
        if last:
            raise Death
        return result


class Operator:
    """What the operator, the phone and the merchant's server remember over all lives."""

    def __init__(self) -> None:
        self.payment: str | None = None  # the merchant's server knows it
        self.asked = 0  # questions that the phone has got
        self.answered = False  # the YES was acknowledged
        self.charged: list[str] = []  # its ids of the billed messages that were written
        self.told = False  # the receipt was acknowledged

    async def live(self, one: Market, number: int) -> None:
        """Do everything that this life is asked to do; ends early when it dies."""
        session = await one.begin()
        once = idempotency.asked("gold", test=False, key="k1", request="a")
        if self.payment is None:
            order = one.order(idempotency=once, merchant_reference="order-1")
            self.payment = (await one.payments.ask(order, 60.0)).payment.id
        for _ in range(4):
            for message in one.ready():
                name = f"{message.row.id[-12:]}{number}"
                self._take(message, name)
                one.outboxes["north"].accepted(message, name)
            await one.settle()
            if self.asked and not self.answered:
                pdu = one.word("YES")
                await one.receiver.submit(one.arrival(session=session, link="north", pdu=pdu))
                self.answered = True
            await one.cashier.turn()
        if self.charged and not self.told:
            pdu = receipt(self.charged[0], source_addr=PHONE, destination_addr="7250")
            await one.receiver.submit(one.arrival(session=session, link="north", pdu=pdu))
            self.told = True

    def _take(self, message: Outgoing, name: str) -> None:
        if message.row.charge is not None:
            self.charged.append(name)
        elif message.row.source == "7700":
            self.asked += 1


@pytest.mark.parametrize("side", ["before", "behind"])
@pytest.mark.parametrize("commit", range(1, _COMMITS + 1))
async def test_a_death_at_each_commit(engine: Engine, commit: int, side: Literal["before", "behind"]) -> None:
    operator = Operator()
    at: int | None = commit
    for number in range(_LIVES):
        async with market(engine, seed=100 + number) as one:
            one.clock.advance(number * 1_000)
            mortal = Mortal(one.database, at, side)
            for ports in (one.payments, one.receiver, one.cashier, one.payments.listener, *one.outboxes.values()):
                ports._ports = _with(ports._ports, mortal)  # type: ignore[attr-defined]  # all of them have it
            with suppress(Death, asyncio.CancelledError):
                await one.receiver.recover()
                await one.sweeper.recover()
                await operator.live(one, number)
            await _still(one)
            at = None
            if not mortal.dead and operator.told:
                break
    async with market(engine, seed=999) as one:
        one.clock.advance(_LIVES * 1_000)
        await one.sweeper.recover()
        assert operator.payment is not None
        assert len(operator.charged) <= 1, "charged twice"
        for _ in range(10):
            await one.later(1_000)
        status = await one.status(operator.payment)
        assert len(await one.rows("payments", "id")) == 1
        if operator.charged:
            assert status == Status.SUCCEEDED
        else:
            assert status in {Status.FAILED, Status.EXPIRED, Status.UNKNOWN}
            assert commit <= _COMMITS
        if status == Status.UNKNOWN:  # an intent that was never written: a person, or the operator's records
            assert (await one.resolver.record(operator.payment, charged=False, told={})).status == Status.FAILED


def _with(ports: Any, database: Any) -> Any:
    from msgspec import structs

    return structs.replace(ports, database=database)


async def _still(one: Market) -> None:
    """Let whatever was begun come to its end, which changes nothing any more."""
    for outbox in one.outboxes.values():
        if outbox._recorder is not None:
            outbox._recorder.cancel()
            await asyncio.wait((outbox._recorder,))
