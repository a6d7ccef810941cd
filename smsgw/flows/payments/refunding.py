"""Has operators give money back: each refund is asked for under its own id until the operator says yes or no.

An operator whose API gives money back on our word (``refunds = true``) knows a repeated request by that id, and gives
nothing twice; so what nobody knows about is asked for again, with pauses that grow with the refund's age. But two
requests at once may both find that nothing was given yet: a refund is asked for by the node that has its attempt.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from smsgw.domain.goods import Terms
from smsgw.errors import SmsgwError
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.hands import Hands
from smsgw.flows.payments.orders import has_api, order_of
from smsgw.flows.ports import Back, Catalog, Charger, Ports, Refunded
from smsgw.kit.logs import get_logger
from smsgw.kit.turns import Turns
from smsgw.store import charges, payments as store, refunds
from smsgw.store.charges import ChargeRow
from smsgw.store.database import Transaction
from smsgw.store.refunds import RefundRow

log = get_logger(__name__)

PARALLEL: Final = 4  # calls at a time, to all operators together
FIRST_MS: Final = 5_000  # the shortest pause
LONGEST_MS: Final = 3_600_000
_PAGE: Final = 1_000  # refunds that are looked after at a time; the others have their turn
_LOOK_MS: Final = 5_000  # between two looks into the store: commands and other nodes ask for refunds too
_ALL: Final = "refunds"
_terms = msgspec.json.Decoder(Terms, strict=False)


class Refunder:
    """Looks after refunds that are pending.

    Args:
        ports: the world.
        catalog: links and what is sold.
        payments: do what follows.
        charger: the way out.
    """

    def __init__(self, ports: Ports, catalog: Catalog, payments: Payments, charger: Charger) -> None:
        self._ports = ports
        self._catalog = catalog
        self._payments = payments
        self._charger = charger
        self._open: dict[str, RefundRow] = {}
        self._next: dict[str, int] = {}  # {refund: when it is asked for, monotonic}
        self._working: set[str] = set()
        self._mine: set[str] = set()  # of requests to this node: nobody can have asked the operator before
        self._after = ""
        self._look_ms = 0
        self._turns = Turns(
            self.turn,
            rest_s=lambda: _LOOK_MS / 1000,
            put_off=lambda error: log.warning("refunds.put_off", error=str(error)),
        )
        self.hands = Hands(PARALLEL, self._turns.wake)

    def hear(self, effects: Effects) -> None:
        """Hear of new refunds."""
        if effects.refunds:
            self._mine.update(effects.refunds)
            self._look_ms = 0
            self._turns.wake()

    async def run(self) -> None:
        """Ask for what is due, until it is cancelled."""
        await self._turns.run()

    async def turn(self) -> None:
        """Look into the store if it is time, and begin what is due."""
        now_ms = self._ports.clock.monotonic_ms()
        if now_ms >= self._look_ms:
            await self._look()
            self._look_ms = now_ms + _LOOK_MS
        for name, row in self._open.items():
            due = self._next[name] <= now_ms and name not in self._working
            if due and self.hands.free(_ALL):
                self._next[name] = now_ms + min(max(FIRST_MS, self._age_ms(row) // 2), LONGEST_MS)
                self._working.add(name)
                self.hands.begin(_ALL, f"refund {name}", self._work(row))

    async def _look(self) -> None:
        async with self._ports.database.read() as reader:
            rows = await refunds.pending(reader, self._after, _PAGE)
        whole = len(rows) < _PAGE and not self._after
        self._after = rows[-1].id if len(rows) == _PAGE else ""
        now_ms = self._ports.clock.monotonic_ms()
        self._open = {row.id: row for row in rows}
        for row in rows:
            wait_ms = 0 if row.id in self._mine else max(0, FIRST_MS - self._age_ms(row))
            self._next.setdefault(row.id, now_ms + wait_ms)
        if whole:
            self._next = {name: self._next[name] for name in self._open}
            self._mine &= self._open.keys()

    def _age_ms(self, row: RefundRow) -> int:
        return self._ports.clock.now_ms() - row.created_ms

    async def _work(self, row: RefundRow) -> None:
        try:
            back = await self._back(row)
            if back is not None:
                await self._record(row, back, await self._call(back))
        except SmsgwError as error:
            if not error.retry:
                raise
            log.warning("refund.put_off", refund=row.id, error=str(error))  # and asked for again, under the same id
        finally:
            self._working.discard(row.id)

    async def _back(self, row: RefundRow) -> Back | None:
        async with self._ports.database.read() as reader:
            payment = await store.get(reader, row.payment)
            attempts = await charges.of_payments(reader, [row.payment])
        if payment is None or not attempts:
            log.error("refund.without_charge", refund=row.id, payment=row.payment)
            return None
        if not await self._is_ours(attempts[-1]):
            return None
        order = order_of(self._catalog, payment, attempts[-1], _terms.decode(payment.charge))
        return Back(refund=row.id, order=order, amount_minor=row.amount_minor)

    async def _is_ours(self, charge: ChargeRow) -> bool:
        """Whether this node asks for what goes back of an attempt; it takes over what nodes have left that are gone."""
        node = self._ports.node
        if charge.node == node:
            return True
        if not has_api(self._catalog, charge.link):
            return False
        return await self._ports.database.transact(lambda transaction: charges.adopt(transaction, charge, node))

    async def _call(self, back: Back) -> Refunded:
        try:
            return await self._charger.refund(back)
        except Exception as error:  # whatever it is: it is asked for again
            log.error("refund.failed_inside", refund=back.refund, payment=back.order.payment, exc_info=error)
            return Refunded(outcome="unknown", error="a mistake of ours; the log has it")

    async def _record(self, row: RefundRow, back: Back, came: Refunded) -> None:
        bound = log.bind(refund=row.id, payment=row.payment, link=back.order.link, http_status=came.http_status)
        if came.outcome == "unknown":
            bound.warning("refund.unknown", error=came.error)
            return
        told = {"http_status": came.http_status, "error": came.error}
        await self.ended(row, done=came.outcome == "done", told=told)
        self._open.pop(row.id, None)
        if came.outcome == "refused":
            bound.error("refund.refused", error=came.error)

    async def ended(self, refund: RefundRow, *, done: bool, told: Mapping[str, Any]) -> bool:
        """Take what an operator's HTTP API says of a refund; False: it had ended before."""
        ports = self._ports

        async def body(transaction: Transaction) -> Effects | None:
            book = Book(ports, self._catalog, ports.clock.now_ms())
            await book.load(transaction, [refund.payment])
            standing = {one.id: one.status for one in await refunds.of_payment(transaction, refund.payment)}
            if standing.get(refund.id) != "pending":  # the same answer has come twice, or to another node
                return None
            self._payments.cashbox.refund_ended(book, refund, done=done, told=told)
            return await book.write(transaction)

        effects = await ports.database.transact(body)
        self._payments.done(effects)
        return effects is not None

    async def close(self, seconds: float) -> None:
        """Let the calls under way come to their end, so long at most; the others are made again."""
        await self.hands.close(seconds)
