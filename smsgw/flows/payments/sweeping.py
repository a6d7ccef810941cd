"""What must happen to payments by itself: when its time has come, after a death, when another node is gone."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from smsgw.domain.charging import Stand
from smsgw.domain.payments import Status
from smsgw.errors import StoreBroken
from smsgw.flows import receipts
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.hearing import Lost
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.logs import get_logger
from smsgw.store import payments as store
from smsgw.store.charges import ChargeRow
from smsgw.store.database import Transaction
from smsgw.store.payments import PaymentRow

log = get_logger(__name__)

_DUE_AT_ONCE: Final = 200
_ROUNDS: Final = 50  # of due payments in one sweep
_MOST_STUCK: Final = 1_000
_STUCK_MS: Final = 60_000  # until a payment that cannot be done is looked at again: others are due behind it
_SLACK_MS: Final = 86_400_000  # by which a clock may be put back without a deadline being taken for a mistake


class Sweeper:
    """Does what the clock asks for, and settles what was lost.

    Args:
        ports: the world.
        catalog: limits, links.
        payments: know what follows; are told what was done.
    """

    def __init__(self, ports: Ports, catalog: Catalog, payments: Payments) -> None:
        self._ports = ports
        self._catalog = catalog
        self._payments = payments
        self._longest_ms = _longest_ms(catalog)
        self._stuck: dict[str, None] = {}  # payments that were told of; oldest first

    async def sweep(self) -> int:
        """Do what must happen by itself by now; return with how many payments."""
        done = 0
        for _ in range(_ROUNDS):
            try:
                count = await self._sweep_once(self._due)
            except StoreBroken:
                raise
            except Exception as error:
                if getattr(error, "retry", False):
                    raise
                await self._sweep_each(error)  # one of them cannot be done: the others can
                break
            done += count
            if count < _DUE_AT_ONCE:
                break
        return done

    async def _sweep_once(self, body: Callable[[Transaction], Coroutine[Any, Any, tuple[int, list[Effects]]]]) -> int:
        count, effects = await self._ports.database.transact(body)
        for one in effects:
            self._payments.done(one)
            self._alarm(one.changed.values())
        return count

    async def _sweep_each(self, error: Exception) -> None:
        """Do what is due one by one, and tell once of each that cannot be done."""
        now_ms = self._ports.clock.now_ms()

        async def names(transaction: Transaction) -> list[str]:
            rows = await store.due(transaction, now_ms, now_ms + self._longest_ms, _DUE_AT_ONCE)
            return [row.id for row in rows]

        for name in await self._ports.database.transact(names):

            async def body(transaction: Transaction, name: str = name) -> tuple[int, list[Effects]]:
                rows = await store.by_ids(transaction, [name])  # somebody else may have moved it since
                return await self._do(transaction, [row for row in rows if self._is_due(row, now_ms)])

            try:
                await self._sweep_once(body)
            except StoreBroken:
                raise
            except Exception as own:
                if getattr(own, "retry", False):
                    raise
                if name not in self._stuck:
                    self._stuck[name] = None
                    log.error("payment.stuck", payment=name, error=type(error).__name__, exc_info=own)
                if len(self._stuck) > _MOST_STUCK:
                    del self._stuck[next(iter(self._stuck))]
                await self._ports.database.transact(lambda transaction, name=name: self._put_off(transaction, name))  # type: ignore[misc]  # mypy can't type a lambda's default

    async def _put_off(self, transaction: Transaction, payment: str) -> None:
        now_ms = self._ports.clock.now_ms()
        book = Book(self._ports, self._catalog, now_ms)
        await book.load(transaction, [payment])
        row = book.find(payment)
        if row is not None and self._is_due(row, now_ms):
            book.change(payment, due_ms=now_ms + _STUCK_MS)
            await book.write(transaction)

    def _is_due(self, row: PaymentRow, now_ms: int) -> bool:
        return row.due_ms is not None and not now_ms < row.due_ms <= now_ms + self._longest_ms

    async def _due(self, transaction: Transaction) -> tuple[int, list[Effects]]:
        now_ms = self._ports.clock.now_ms()
        return await self._do(
            transaction, await store.due(transaction, now_ms, now_ms + self._longest_ms, _DUE_AT_ONCE)
        )

    async def _do(self, transaction: Transaction, rows: Sequence[PaymentRow]) -> tuple[int, list[Effects]]:
        book = Book(self._ports, self._catalog, self._ports.clock.now_ms())
        book.know(rows)
        await book.load_charges(transaction, [row.id for row in rows])
        for row in rows:
            self._payments.cashbox.due(book, row.id)
        lost = [charge for row in rows if (charge := book.charge(row.id)) and charge.status == Stand.UNKNOWN]
        first = await book.write(transaction)
        return len(rows), [first, *await self._claim(transaction, lost)]

    async def _claim(self, transaction: Transaction, lost: Sequence[ChargeRow]) -> list[Effects]:
        """Look for receipts that came before anybody knew that they would be needed."""
        return [one for charge in lost for one in await receipts.claim(transaction, charge, self._payments.listener)]

    def _alarm(self, rows: Iterable[PaymentRow]) -> None:
        for row in rows:
            if row.status == Status.UNKNOWN and row.confirmed_ms is not None and not row.test:
                age_s = (self._ports.clock.now_ms() - row.confirmed_ms) // 1000
                log.error("charge.unknown", payment=row.id, merchant=row.merchant, link=row.link, age_s=age_s)

    async def recover(self) -> None:
        """At the start: what this node may have been sending when it died is unknown."""
        now_ms = self._ports.clock.now_ms()

        async def body(transaction: Transaction) -> tuple[Lost, list[Effects]]:
            lost = await self._payments.listener.recover(transaction, now_ms)
            return lost, await self._claim(transaction, lost.charges)

        lost = await self._lose(body)
        if lost.count:
            log.error("charges.unknown_after_restart", charges=lost.count)

    async def inherit(self) -> int:
        """Take what nodes that are gone have left; return how many attempts."""
        if not self._ports.database.shared:
            return 0
        now_ms = self._ports.clock.now_ms()

        async def body(transaction: Transaction) -> tuple[Lost, list[Effects]]:
            lost = await self._payments.listener.inherit(transaction, now_ms, _DUE_AT_ONCE)
            return lost, await self._claim(transaction, lost.charges)

        lost = await self._lose(body)
        if lost.count:
            log.warning("charges.taken_over", charges=lost.count)
        return lost.count

    async def _lose(self, body: Callable[[Transaction], Coroutine[Any, Any, tuple[Lost, list[Effects]]]]) -> Lost:
        lost, found = await self._ports.database.transact(body)
        for one in (lost.effects, *found):
            self._payments.done(one)
        return lost


def _longest_ms(catalog: Catalog) -> int:
    """Return how far away a deadline can be that is set now; what is further away was set by a clock that was wrong."""
    limits = catalog.payments
    steps = (limits.prompt_s, limits.confirm_s + limits.grace_s, limits.charge_start_s, limits.unknown_alarm_s)
    charges = [
        one.validity_s + one.receipt_grace_s for link in catalog.links.values() for one in link.charging.values()
    ]
    return int(max(*steps, *charges, 0) * 1000) + _SLACK_MS
