"""What merchants and staff do about payments, in one place: asked for, looked at, canceled, refunded.

Whoever brings news to payments in a transaction of his own hands the effects to `done` after the commit.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final

from msgspec import Struct

from smsgw.domain import money
from smsgw.domain.payments import Event, Fact, Status, may
from smsgw.errors import SmsgwError, StoreConflict
from smsgw.flows.amend import Refused
from smsgw.flows.idempotency import Idempotency
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.payments.answering import Ear
from smsgw.flows.payments.asking import Asked, Asker, NewPayment
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.changing import Changed, Changes
from smsgw.flows.payments.charging import Cashbox
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.hearing import Listener
from smsgw.flows.payments.whose import STAFF, Whose, is_theirs
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.batch import Batch
from smsgw.kit.logs import get_logger
from smsgw.store import payments as store, refunds
from smsgw.store.database import Transaction
from smsgw.store.payments import FactRow, PaymentRow
from smsgw.store.refunds import RefundRow

log = get_logger(__name__)

LAST: Final = f"pay_{'z' * 26}"  # above the highest id
_BATCH: Final = 200
_CAPACITY: Final = 2_000
_MOST_SENT: Final = 100_000  # questions whose response is not known yet; they are few
_TRIES: Final = 3  # when another node has been quicker


class Story(Struct, frozen=True, kw_only=True):
    """A payment with everything that is known about it."""

    payment: PaymentRow
    facts: list[FactRow]
    refunds: list[RefundRow]


class Payments:
    """The flows of payments.

    Args:
        ports: the world.
        catalog: merchants, links, limits.
        send: takes free messages after their commit; must not fail or wait.
        tell: hears which merchants have something to be told, after its commit; likewise.
    """

    def __init__(
        self,
        ports: Ports,
        catalog: Catalog,
        send: Callable[[Sequence[Outgoing]], None],
        tell: Callable[[Collection[str]], None] = lambda _: None,
    ) -> None:
        self.cashbox = Cashbox(ports, catalog)
        self._sent: dict[str, None] = {}  # payments whose question has left us, with no SMSC's word yet; oldest first
        self.ear = Ear(ports, catalog, self.cashbox, self._sent)
        self.listener = Listener(ports, catalog, self.cashbox)
        self.asker = Asker(ports, catalog)
        self.changes = Changes(ports, catalog, self.done)
        self._ports = ports
        self._send = send
        self._tell = tell
        self._followers: list[Callable[[Effects], None]] = []
        self._batch: Batch[NewPayment, Asked] = Batch(self._ask, name="payments", limit=_BATCH, capacity=_CAPACITY)

    def follow(self, follower: Callable[[Effects], None]) -> None:
        """Have somebody told of all effects, after their commit: the cashier, open pages. Must not fail or wait."""
        self._followers.append(follower)

    def done(self, effects: Effects | None) -> None:
        """Do what a transaction that has committed leaves to be done."""
        if effects is None:
            return
        if effects.outgoing:
            self._send(effects.outgoing)
        for follower in self._followers:
            follower(effects)
        if effects.hooked:
            self._tell(effects.hooked)
        if effects.stories:
            asyncio.get_running_loop().call_soon(_log, effects.stories)

    def sent(self, payment: str) -> None:
        """Hear that the question of a payment is about to leave; until then no YES can be an answer to it."""
        self._sent[payment] = None
        if len(self._sent) > _MOST_SENT:
            del self._sent[next(iter(self._sent))]

    async def close(self) -> None:
        """Finish what waits."""
        await self._batch.close()

    # New ones

    async def ask(self, wanted: NewPayment, patience_s: float) -> Asked:
        """Make a payment: when this returns, it and its question are on disk.

        Args:
            wanted: what for, and by whom.
            patience_s: the longest wait.

        Raises:
            Refused: it may not be made; the reason is a word for programs.
            IdempotencyMismatch: its Idempotency-Key came with another request.
            StoreUnavailable, TimeoutError, asyncio.QueueFull: nobody knows; the same Idempotency-Key finds out.
        """
        async with asyncio.timeout(patience_s):
            for left in reversed(range(_TRIES)):
                try:
                    return await asyncio.shield(self._batch.submit(wanted))
                except StoreConflict:  # another node has asked the same phone, or used the same name
                    if not left:
                        raise Refused("confirmation_open", "another question goes to this phone; try again") from None
        raise AssertionError

    async def _ask(self, wanted: Sequence[NewPayment]) -> list[Asked | Exception]:
        now_ms = self._ports.clock.now_ms()

        async def body(transaction: Transaction) -> tuple[list[Asked | SmsgwError], Effects]:
            return await self.asker.take(transaction, wanted, now_ms)

        results, effects = await self._ports.database.transact(body)
        self.done(effects)
        return list(results)

    # What is there

    async def get(self, payment: str, whose: Whose = STAFF) -> PaymentRow | None:
        """Return a payment; None when there is none, or when it is somebody else's."""
        async with self._ports.database.read() as reader:
            row = await store.get(reader, payment)
        return row if row is not None and is_theirs(row, whose) else None

    async def story(self, payment: str, whose: Whose = STAFF) -> Story | None:
        """Return everything that is known about a payment."""
        async with self._ports.database.read() as reader:
            row = await store.get(reader, payment)
            if row is None or not is_theirs(row, whose):
                return None
            return Story(
                payment=row,
                facts=await store.facts(reader, payment),
                refunds=await refunds.of_payment(reader, payment),
            )

    async def listed(
        self, merchant: str, *, test: bool, before: str = LAST, status: str = "", count: int
    ) -> list[PaymentRow]:
        """Return a merchant's latest payments with ids below one; "" takes every status."""
        async with self._ports.database.read() as reader:
            return await store.listed(reader, merchant, test=test, before=before, status=status, count=count)

    async def by_reference(self, merchant: str, reference: str, *, test: bool) -> PaymentRow | None:
        """Return the payment that has a name of its merchant's own."""
        async with self._ports.database.read() as reader:
            found = await store.by_references(reader, merchant, [reference], test=test)
            return await store.get(reader, found[reference]) if reference in found else None

    # Changes

    async def cancel(self, payment: str, whose: Whose, actor: str, once: Idempotency | None = None) -> Changed:
        """Cancel a payment that nobody has confirmed.

        Raises:
            Refused: there is none, or it is too late.
        """

        def change(book: Book, row: PaymentRow) -> PaymentRow:
            if row.status == Status.CANCELED:
                return row
            if not may(Status(row.status), Event.CANCEL):
                raise Refused("not_cancelable", f"the payment is {row.status}; only open ones can be canceled")
            return book.move(payment, Fact.CANCELED, {"actor": actor})

        return await self.changes.make(payment, whose, change, once, action="payment.canceled", actor=actor)

    async def refund(
        self,
        payment: str,
        amount_minor: int | None,
        *,
        whose: Whose,
        reason: str,
        actor: str,
        once: Idempotency | None = None,
    ) -> Changed:
        """Give money back, never more than was charged; None: all that is left.

        Raises:
            Refused: there is no such payment, it took no money, or not so much.
        """

        def change(book: Book, row: PaymentRow) -> PaymentRow:
            if row.status != Status.SUCCEEDED and row.discrepancy is None:
                raise Refused("not_refundable", f"the payment is {row.status}; only money that was taken goes back")
            left_minor = row.amount_minor - row.refunded_minor
            wanted_minor = left_minor if amount_minor is None else amount_minor
            if not 0 < wanted_minor <= left_minor:
                left, whole = money.plain(left_minor, row.currency), money.plain(row.amount_minor, row.currency)
                raise Refused("too_much", f"{left} of {whole} are left")
            return self.cashbox.refund(book, payment, wanted_minor, reason, actor)

        return await self.changes.make(payment, whose, change, once, action="payment.refunded", actor=actor)

    async def authorized(self, payment: str, answer: bool | None) -> None:  # noqa: FBT001 - what the merchant said
        """Go on with a payment about which its merchant was asked."""

        def change(book: Book, _: PaymentRow) -> PaymentRow:
            return self.cashbox.authorized(book, payment, answer=answer)

        await self.changes.make(payment, STAFF, change)


# What somebody has to look at.
_ALARMS: Final = frozenset({f"payment.{Fact.LOST.value}", f"payment.{Fact.DISCREPANCY.value}"})


def _log(stories: Sequence[tuple[str, dict[str, object]]]) -> None:
    for event, keys in stories:
        tell = log.error if event in _ALARMS and not keys.get("test") else log.info
        tell(event, **keys)
