"""Takes money through the operators' HTTP APIs: writes down the intent, then, after that commit, makes the one call.

A payment waits in its attempt, queued, until one of its link's few places is free. What came of a call is recorded;
where nobody knows, the attempt is never made again: the operator is asked about it (inquiry.py).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from smsgw.domain.charging import Said, Stand, Told
from smsgw.errors import SmsgwError
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.charging import START_MS, UNSENT, Cashbox
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.findings import Finding, Findings, evidence
from smsgw.flows.payments.hands import Hands
from smsgw.flows.payments.orders import has_api, order_of, profile_of
from smsgw.flows.ports import Catalog, Charged, Charger, Order, Ports
from smsgw.kit.logs import get_logger
from smsgw.store import payments as store
from smsgw.store.database import Transaction

log = get_logger(__name__)

PARALLEL: Final = 20  # calls at a time to one operator
_CAPACITY: Final = 5_000  # payments held for a link; more wait in the store
_AGAIN_S: Final = 0.5  # pause while the store cannot write
LOOK_AROUND_MS: Final = 10_000  # what was committed while its answer was lost waits in the store, and nobody tells us


class Teller:
    """Keeps payments until their operators' APIs can be called.

    Args:
        ports: the world.
        catalog: links and what is sold.
        cashbox: writes the intents.
        charger: the way out.
        findings: records what comes of it.
        done: takes what a transaction leaves to be done.
    """

    def __init__(
        self,
        ports: Ports,
        catalog: Catalog,
        cashbox: Cashbox,
        charger: Charger,
        *,
        findings: Findings,
        done: Callable[[Effects], None],
    ) -> None:
        self._ports = ports
        self._catalog = catalog
        self._cashbox = cashbox
        self._charger = charger
        self._findings = findings
        self._done = done
        self._waiting: dict[str, deque[str]] = {name: deque() for name in catalog.links}
        self._held: set[str] = set()  # payments that wait here
        self._later: dict[str, int] = {}  # {attempt that was put off: not before, by the clock that never goes back}
        self._lacking = True  # the store may have attempts that are not held
        self._around_ms = 0  # monotonic; of the next look into the store
        self._woken = asyncio.Event()
        self.hands = Hands(PARALLEL, self._woken.set)

    def hear(self, effects: Effects) -> None:
        """Hear what a transaction about payments has left to be done."""
        for payment in effects.direct:
            self._hold(effects.changed[payment].link, payment)
        now_ms, monotonic_ms = self._ports.clock.now_ms(), self._ports.clock.monotonic_ms()
        for link, charge, at_ms in effects.again:
            if has_api(self._catalog, link):
                self._later[charge] = monotonic_ms + max(0, at_ms - now_ms)
        if effects.direct or effects.again:
            self._woken.set()

    def look_again(self) -> None:
        """Hear that the store may have attempts that are not held."""
        self._lacking = True
        self._woken.set()

    def _hold(self, link: str, payment: str) -> None:
        line = self._waiting.get(link)
        if line is None or payment in self._held:
            return
        if len(line) >= _CAPACITY:
            self._lacking = True
            return
        line.append(payment)
        self._held.add(payment)

    async def run(self) -> None:
        """Charge what waits, until it is cancelled."""
        while True:
            self._woken.clear()
            try:
                await self.turn()
            except SmsgwError as error:
                if not error.retry:
                    raise
                log.warning("charges.put_off", error=str(error))
                await asyncio.sleep(_AGAIN_S)
                continue
            await self._rest()

    async def _rest(self) -> None:
        next_ms = min([self._around_ms, *self._later.values()])
        wait_s = max(0.001, (next_ms - self._ports.clock.monotonic_ms()) / 1000)
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def turn(self) -> None:
        """Read back what is lacking, and begin what there is room for."""
        await self._read_back()
        while batch := self._next():
            began_ms = self._ports.clock.monotonic_ms()
            try:
                orders, effects = await self._ports.database.transact(lambda tx, some=batch: self._intend(tx, some))  # type: ignore[misc]  # mypy can't type a lambda's default
            except BaseException:
                for link, payment in reversed(batch):
                    self._waiting[link].appendleft(payment)
                    self._held.add(payment)
                raise
            self._done(effects)
            for order, intent_ms in orders:
                self.hands.begin(order.link, f"charge {order.charge}", self._charge(order, intent_ms, began_ms))

    def _next(self) -> list[tuple[str, str]]:
        batch: list[tuple[str, str]] = []
        for link, line in self._waiting.items():
            for _ in range(min(self.hands.free(link), len(line))):
                payment = line.popleft()
                self._held.discard(payment)
                batch.append((link, payment))
        return batch

    async def _intend(
        self, transaction: Transaction, batch: Sequence[tuple[str, str]]
    ) -> tuple[list[tuple[Order, int | None]], Effects]:
        """Write intents; return the orders that are to be given when that is on disk, and when each was intended."""
        book = Book(self._ports, self._catalog, self._ports.clock.now_ms())
        await book.load(transaction, {payment for _, payment in batch})
        orders: list[tuple[Order, int | None]] = []
        for _, payment in batch:
            charge = book.charge(payment)
            if charge is None or charge.status != Stand.QUEUED or charge.node != self._ports.node:
                continue  # somebody else has been quicker: the clock, another node
            terms = book.terms(book.row(payment))
            if terms.way != "direct" or self._cashbox.is_stale(book, charge):
                continue
            profile = profile_of(self._catalog, charge.link, terms)
            if profile is None:
                self._cashbox.end_unsent(book, payment, "operator_unavailable")
                continue
            intended = self._cashbox.intend(book, charge, int(profile.timeout_s * 1000))
            orders.append((order_of(self._catalog, book.row(payment), charge, terms), intended.intent_ms))
        return orders, await book.write(transaction)

    async def _charge(self, order: Order, intent_ms: int | None, began_ms: int) -> None:
        found = await self._call(order, began_ms)
        if found.error is not None:
            log.warning(
                "charge.answered",
                payment=order.payment,
                charge=order.charge,
                link=order.link,
                said=found.told.said.value,
                http_status=found.http_status,
                error=found.error,
            )
        await self._findings.record(
            Finding(
                payment=order.payment,
                charge=order.charge,
                told=found.told,
                intent_ms=intent_ms,
                evidence=evidence("response", found),
            )
        )

    async def _call(self, order: Order, began_ms: int) -> Charged:
        if self._ports.clock.monotonic_ms() - began_ms > START_MS:
            # Others may have taken us for dead, and found out that the operator does not know this attempt.
            told = Told(Said.PUT_OFF, UNSENT, 0)
            return Charged(told=told, error="this node was not quick enough")
        try:
            return await self._charger.charge(order)
        except Exception as error:  # whatever it is: something may have been sent
            log.error("charge.failed_inside", payment=order.payment, charge=order.charge, exc_info=error)
            return Charged(told=Told(Said.UNKNOWN), error="a mistake of ours; the log has it")

    async def _read_back(self) -> None:
        """Hold what the store has and nobody holds: after a start, an overflow, a takeover, a refusal."""
        now_ms = self._ports.clock.monotonic_ms()
        due = {charge for charge, at_ms in self._later.items() if at_ms <= now_ms}
        full = any(len(line) > _CAPACITY // 2 for line in self._waiting.values())
        around = now_ms >= self._around_ms
        if around:
            self._around_ms = now_ms + LOOK_AROUND_MS
        if not due and (full or not (self._lacking or around)):
            return
        self._lacking = self._lacking and full
        async with self._ports.database.read() as reader:
            rows = await store.working(reader, self._ports.node)
        for charge in due:
            del self._later[charge]
        for row in rows:
            if row.way == "direct" and row.status == Stand.QUEUED and row.id not in self._later:
                self._hold(row.link, row.payment)

    async def close(self, seconds: float) -> None:
        """Let the calls under way come to their end, so long at most; of the others nobody knows."""
        await self.hands.close(seconds)
