"""Asks the operators' HTTP APIs what became of attempts of which nobody knows, until they say it.

To ask is not to charge: it may be done as often as one likes, here with pauses that grow with the attempt's age. Only
two answers end it: charged, and not charged. That the API knows no such attempt is the second one only when it says so
itself, again and again, for so long that a request on its way would have arrived.
"""

from typing import Final

import msgspec

from smsgw.domain.charging import Said, Stand, Told
from smsgw.domain.goods import Terms
from smsgw.domain.payments import Status
from smsgw.errors import SmsgwError
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.findings import Finding, Findings, evidence
from smsgw.flows.payments.hands import Hands
from smsgw.flows.payments.orders import order_of
from smsgw.flows.ports import Catalog, Charged, Charger, Ports
from smsgw.kit.logs import get_logger
from smsgw.kit.turns import Turns
from smsgw.store import charges, payments as store
from smsgw.store.charges import ChargeRow

log = get_logger(__name__)

FIRST_MS: Final = 5_000  # pause before the first question, and the shortest
LONGEST_MS: Final = 3_600_000
MISSING_MS: Final = 900_000  # that an API has not known an attempt before this is believed; a proxy's queue is shorter
PARALLEL: Final = 4  # questions at a time to one operator
_PAGE: Final = 2_000  # attempts that are looked after at a time; the others have their turn
_LOOK_MS: Final = 30_000  # between two looks into the store
_STIRRED_MS: Final = 2_000  # the same, when there is something new
_terms = msgspec.json.Decoder(Terms, strict=False)


class Inquirer:
    """Looks after attempts that the operator has, or of which nobody knows.

    Args:
        ports: the world.
        catalog: links and what is sold.
        charger: the way out.
        findings: records what comes of it.
    """

    def __init__(self, ports: Ports, catalog: Catalog, charger: Charger, findings: Findings) -> None:
        self._ports = ports
        self._catalog = catalog
        self._charger = charger
        self._findings = findings
        self._open: dict[str, ChargeRow] = {}  # those that are looked after now
        self._charges: dict[str, str] = {}  # {payment: its attempt} of these
        self._seen: set[str] = set()  # attempts on the pages that were read since the first one
        self._next: dict[str, int] = {}  # {attempt: when it is asked about, monotonic}
        self._missing: dict[str, int] = {}  # {attempt that its API does not know: since when we know, monotonic}
        self._asking: set[str] = set()
        self._after = ""  # where the next page begins
        self._look_ms = 0  # monotonic
        self._turns = Turns(
            self.turn,
            rest_s=self._rest_s,
            put_off=lambda error: log.warning("inquiry.put_off", error=str(error)),
        )
        self.hands = Hands(PARALLEL, self._turns.wake)

    def hear(self, effects: Effects) -> None:
        """Hear that attempts may have become unknown, or have been settled by somebody else."""
        for row in effects.changed.values():
            if row.way != "direct":
                continue
            if row.status in _OPEN:
                self.stir()
            else:
                self._open.pop(self._charges.pop(row.id, ""), None)

    def stir(self) -> None:
        """Look into the store soon."""
        soon_ms = self._ports.clock.monotonic_ms() + _STIRRED_MS
        if soon_ms < self._look_ms:
            self._look_ms = soon_ms
            self._turns.wake()

    async def run(self) -> None:
        """Ask what is due, until it is cancelled."""
        await self._turns.run()

    def _rest_s(self) -> float:
        free = (name for name, row in self._open.items() if self.hands.free(row.link) and name not in self._asking)
        due_ms = [self._look_ms, *(self._next[name] for name in free)]
        return (min(due_ms) - self._ports.clock.monotonic_ms()) / 1000

    async def turn(self) -> None:
        """Look into the store if it is time, and begin to ask what is due."""
        now_ms = self._ports.clock.monotonic_ms()
        if now_ms >= self._look_ms:
            await self._look()
            self._look_ms = now_ms + _LOOK_MS
        for name in sorted(self._open, key=lambda name: self._next[name]):
            row = self._open[name]
            if self._next[name] > now_ms:
                break
            if self.hands.free(row.link) and name not in self._asking:
                self._next[name] = now_ms + _pause_ms(self._age_ms(row))
                self._asking.add(name)
                self.hands.begin(row.link, f"ask {name}", self._ask(row))

    async def _look(self) -> None:
        """Read the next page of those that are open."""
        async with self._ports.database.read() as reader:
            rows = await charges.asked(reader, self._ports.node, self._after, _PAGE)
        self._seen.update(row.id for row in rows)
        self._after = rows[-1].id if len(rows) == _PAGE else ""
        now_ms = self._ports.clock.monotonic_ms()
        self._open = {row.id: row for row in rows}
        self._charges = {row.payment: row.id for row in rows}
        for row in rows:
            self._next.setdefault(row.id, now_ms + max(0, FIRST_MS - self._age_ms(row)))
        if not self._after:  # all pages have been read: what was on none of them is open no more
            self._next = {name: at for name, at in self._next.items() if name in self._seen}
            self._missing = {name: at for name, at in self._missing.items() if name in self._seen}
            self._seen.clear()

    def _age_ms(self, row: ChargeRow) -> int:
        return self._ports.clock.now_ms() - (row.intent_ms or row.created_ms)

    async def _ask(self, row: ChargeRow) -> None:
        try:
            await self._find_out(row)
        except SmsgwError as error:
            if not error.retry:
                raise
            log.warning("inquiry.put_off", payment=row.payment, charge=row.id, error=str(error))
        finally:
            self._asking.discard(row.id)

    async def _find_out(self, row: ChargeRow) -> None:
        async with self._ports.database.read() as reader:
            payment = await store.get(reader, row.payment)
        if payment is None:
            return
        order = order_of(self._catalog, payment, row, _terms.decode(payment.charge))
        try:
            found = await self._charger.ask(order)
        except Exception as error:  # whatever it is: it is asked again
            log.error("inquiry.failed_inside", payment=row.payment, charge=row.id, exc_info=error)
            return
        told = self._judge(row, found)
        log.info(
            "charge.asked",
            payment=row.payment,
            charge=row.id,
            link=row.link,
            said=found.told.said.value,
            http_status=found.http_status,
            error=found.error,
        )
        if told is not None:
            answer = evidence("inquiry", found)
            found_out = Finding(payment=row.payment, charge=row.id, told=told, intent_ms=row.intent_ms, evidence=answer)
            await self._findings.record(found_out)
            self.stir()

    def _judge(self, row: ChargeRow, found: Charged) -> Told | None:
        """Return what is to be recorded of an answer; None: nothing that was not known."""
        now_ms = self._ports.clock.monotonic_ms()
        if found.missing:
            since_ms = self._missing.setdefault(row.id, now_ms)
            return Told(Said.FAILED, "operator_not_charged") if now_ms - since_ms >= MISSING_MS else None
        self._missing.pop(row.id, None)
        if found.told.said in {Said.CHARGED, Said.FAILED}:
            return found.told
        # The operator has it after all: its name for it is worth to be kept.
        named = found.told.said is Said.ACCEPTED and found.operator_id and row.operator_id is None
        return found.told if named and row.status == Stand.UNKNOWN else None

    async def close(self) -> None:
        """End; what was not heard is asked again."""
        await self.hands.close(0.0)


_OPEN: Final = frozenset({Status.CHARGING, Status.UNKNOWN})


def _pause_ms(age_ms: int) -> int:
    """Return how long to wait before the next question about an attempt of that age."""
    return min(max(FIRST_MS, age_ms // 2), LONGEST_MS)
