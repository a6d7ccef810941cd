"""Takes money through the operators' HTTP APIs: writes down the intent, then, after that commit, makes the one call.

A payment waits in its attempt, queued, until one of its link's few places is free. What came of a call is recorded;
where nobody knows, the attempt is never made again: the operator is asked about it (inquiry.py).
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from smsgw.domain.charging import Said, Stand, Told
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.charging import START_MS, UNSENT, Cashbox
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.findings import Finding, Findings, evidence
from smsgw.flows.payments.hands import Hands
from smsgw.flows.payments.lines import Lines, PutOff, Rounds
from smsgw.flows.payments.orders import has_api, order_of, profile_of
from smsgw.flows.ports import Catalog, Charged, Charger, Order, Ports
from smsgw.kit.logs import get_logger
from smsgw.kit.turns import Turns
from smsgw.store import charges
from smsgw.store.database import Transaction

log = get_logger(__name__)

PARALLEL: Final = 20  # calls at a time to one operator
_Place: TypeAlias = tuple[str, str]  # link, payment


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
        self._lines: Lines[_Place] = Lines(catalog.links, lambda place: place)
        self._put_off = PutOff(ports.clock)
        self._rounds = Rounds(ports.clock)
        self._turns = Turns(
            self.turn,
            rest_s=self._rest_s,
            put_off=lambda error: log.warning("charges.put_off", error=str(error)),
        )
        self.hands = Hands(PARALLEL, self._turns.wake)

    def hear(self, effects: Effects) -> None:
        """Hear what a transaction about payments has left to be done."""
        for payment in effects.direct:
            self._lines.hold((effects.changed[payment].link, payment))
        for link, charge, at_ms in effects.again:
            if has_api(self._catalog, link):
                self._put_off.add(charge, at_ms)
        if effects.direct or effects.again:
            self._turns.wake()

    def look_again(self) -> None:
        """Hear that the store may have attempts that are not held."""
        self._lines.lacking = True
        self._turns.wake()

    async def run(self) -> None:
        """Charge what waits, until it is cancelled."""
        await self._turns.run()

    def _rest_s(self) -> float:
        wait_s = self._put_off.wait_s()
        return self._rounds.wait_s() if wait_s is None else min(wait_s, self._rounds.wait_s())

    async def turn(self) -> None:
        """Read back what is lacking, and begin what there is room for."""
        await self._read_back()
        while batch := self._lines.take(self.hands.free):
            began_ms = self._ports.clock.monotonic_ms()
            try:
                orders, effects = await self._ports.database.transact(lambda tx, some=batch: self._intend(tx, some))  # type: ignore[misc]  # mypy can't type a lambda's default
            except BaseException:
                self._lines.put_back(batch)
                raise
            self._done(effects)
            for order, intent_ms in orders:
                self.hands.begin(order.link, f"charge {order.charge}", self._charge(order, intent_ms, began_ms))

    async def _intend(
        self, transaction: Transaction, batch: Sequence[_Place]
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
        lines, due, around = self._lines, self._put_off.due(), self._rounds.begin()
        if not due and (lines.full or not (lines.lacking or around)):
            return
        with lines.reading_back():
            async with self._ports.database.read() as reader:
                rows = await charges.working(reader, self._ports.node)
        self._put_off.drop(due)
        for row in rows:
            if row.way == "direct" and row.status == Stand.QUEUED and row.id not in self._put_off:
                lines.hold((row.link, row.payment))

    async def close(self, seconds: float) -> None:
        """Let the calls under way come to their end, so long at most; of the others nobody knows."""
        await self.hands.close(seconds)
