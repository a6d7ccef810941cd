"""Takes billed messages to the links: writes down the intent, then, after that commit, lets the first octet go.

A message waits in its attempt, queued, until its link can send at once; so hardly any time lies between the intent and
the octets, and a death in between, which makes the outcome unknown, is rare.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import structs

from smsgw.domain.charging import Stand
from smsgw.errors import SmsgwError
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.charging import START_MS, Cashbox
from smsgw.flows.payments.effects import Effects
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.logs import get_logger
from smsgw.store import mts, payments as store
from smsgw.store.database import Transaction

log = get_logger(__name__)

_AT_ONCE: Final = 200  # of one link in one transaction
_CAPACITY: Final = 5_000  # held for a link; more wait in the store
_LOOK_S: Final = 0.02  # while something waits for a link
_AGAIN_S: Final = 0.5  # pause while the store cannot write
LOOK_AROUND_MS: Final = 10_000  # what was committed while its answer was lost waits in the store, and nobody tells us
_READ: Final = 500  # attempts read back at a time


class Cashier:
    """Keeps billed messages until their links can send.

    Args:
        ports: the world.
        catalog: for response timers.
        cashbox: writes the intents.
        done: takes what a transaction leaves to be done.
        room: how many a link can send at once.
        offer: hands messages to a link's outbox.
    """

    def __init__(
        self,
        ports: Ports,
        catalog: Catalog,
        cashbox: Cashbox,
        *,
        done: Callable[[Effects], None],
        room: Callable[[str], int],
        offer: Callable[[Sequence[Outgoing]], None],
    ) -> None:
        self._ports = ports
        self._catalog = catalog
        self._cashbox = cashbox
        self._done = done
        self._room = room
        self._offer = offer
        self._waiting: dict[str, deque[Outgoing]] = {name: deque() for name in catalog.links}
        self._held: set[str] = set()  # their attempts
        self._later: dict[str, int] = {}  # {attempt that was put off: not before, by the clock that never goes back}
        self._lacking = True  # the store may have attempts that are not held
        self._around_ms = 0  # monotonic; of the next look into the store
        self._woken = asyncio.Event()

    def hear(self, effects: Effects) -> None:
        """Hear what a transaction about payments has left to be done."""
        if effects.billed:
            self.take(effects.billed)
        if effects.again:
            self.again(effects.again)

    def take(self, messages: Sequence[Outgoing]) -> None:
        """Take billed messages that have just been committed."""
        for message in messages:
            self._hold(message)
        self._woken.set()

    def again(self, put_off: Sequence[tuple[str, str, int]]) -> None:
        """Hear of attempts that are to be sent again: (link, attempt, not before)."""
        now_ms, monotonic_ms = self._ports.clock.now_ms(), self._ports.clock.monotonic_ms()
        for _, charge, at_ms in put_off:
            self._later[charge] = monotonic_ms + max(0, at_ms - now_ms)
        self._woken.set()

    def look_again(self) -> None:
        """Hear that the store may have attempts that are not held."""
        self._lacking = True
        self._woken.set()

    def _hold(self, message: Outgoing) -> None:
        row = message.row
        assert row.charge is not None
        line = self._waiting.get(row.link)
        if line is None or row.charge in self._held:
            return
        if len(line) >= _CAPACITY:
            self._lacking = True
            return
        line.append(message)
        self._held.add(row.charge)

    async def run(self) -> None:
        """Send what waits, until it is cancelled."""
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
            if not self._woken.is_set():
                await self._rest()

    async def _rest(self) -> None:
        next_ms = min([self._around_ms, *self._later.values()])
        pause_s = max(0.001, (next_ms - self._ports.clock.monotonic_ms()) / 1000)
        pause_s = min(pause_s, _LOOK_S) if self._held else pause_s
        try:
            async with asyncio.timeout(pause_s):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def turn(self) -> None:
        """Read back what is lacking, and send what the links can send."""
        await self._read_back()
        while True:
            batch = self._next()
            if not batch:
                return
            try:
                sendable, effects = await self._ports.database.transact(lambda tx, some=batch: self._intend(tx, some))  # type: ignore[misc]  # mypy can't type a lambda's default
            except BaseException:
                self._put_back(batch)
                raise
            self._done(effects)
            self._offer(sendable)

    def _next(self) -> list[Outgoing]:
        batch: list[Outgoing] = []
        for link, line in self._waiting.items():
            room = min(self._room(link), len(line), _AT_ONCE) if line else 0
            for _ in range(room):
                message = line.popleft()
                assert message.row.charge is not None
                self._held.discard(message.row.charge)
                batch.append(message)
        return batch

    def _put_back(self, batch: Sequence[Outgoing]) -> None:
        for message in reversed(batch):
            assert message.row.charge is not None
            self._waiting[message.row.link].appendleft(message)
            self._held.add(message.row.charge)

    async def _intend(self, transaction: Transaction, batch: Sequence[Outgoing]) -> tuple[list[Outgoing], Effects]:
        """Write intents; return the messages that are to be sent when that is on disk."""
        now_ms = self._ports.clock.now_ms()
        book = Book(self._ports, self._catalog, now_ms)
        await book.load(transaction, {one.row.payment for one in batch if one.row.payment})
        sendable: list[Outgoing] = []
        for message in batch:
            charge = book.charge(message.row.payment or "")
            mine = charge is not None and charge.id == message.row.charge and charge.status == Stand.QUEUED
            if charge is not None and mine and not self._cashbox.is_stale(book, charge):
                sendable.append(message)
        expires_ms = now_ms + START_MS
        taken = await mts.intend(transaction, {one.row.id for one in sendable}, self._ports.node, expires_ms)
        sent: list[Outgoing] = []
        for message in sendable:
            row = message.row
            if row.id not in taken:
                continue
            charge = book.charge(row.payment or "")
            assert charge is not None
            link = self._catalog.links[row.link]
            self._cashbox.intend(book, charge, int(link.response_timeout_s * 1000))
            terms = book.terms(book.row(charge.payment))
            sent.append(
                structs.replace(
                    message,
                    row=structs.replace(row, expires_ms=expires_ms),
                    validity_ms=terms.validity_ms,
                    intent_ms=now_ms,
                )
            )
        return sent, await book.write(transaction)

    async def _read_back(self) -> None:
        """Hold what the store has and nobody holds: after a start, an overflow, a takeover, a refusal."""
        now_ms = self._ports.clock.monotonic_ms()
        due = {charge for charge, at_ms in self._later.items() if at_ms <= now_ms}
        if not self._lacking and not due and now_ms < self._around_ms:
            return
        self._lacking, self._around_ms = False, now_ms + LOOK_AROUND_MS
        async with self._ports.database.read() as reader:
            rows = await store.working(reader, self._ports.node)
            wanted = [
                one
                for one in rows
                if one.status == Stand.QUEUED
                and one.mt is not None
                and one.id not in self._held
                and (one.id in due or one.id not in self._later)
            ]
            messages = []
            for at in range(0, len(wanted), _READ):
                some = wanted[at : at + _READ]
                messages += await mts.billed(reader, {one.mt for one in some if one.mt})
        for charge in due:
            del self._later[charge]
        for row in messages:
            if row.node == self._ports.node:
                self._open(row)

    def _open(self, row: mts.MtRow) -> None:
        try:
            payload = self._ports.vault.open(row.sealed, row.id, row.key_id)
        except SmsgwError as error:
            log.error("charge.not_readable", mt=row.id, charge=row.charge, error=str(error))
        else:
            self._hold(Outgoing(row=row, payload=payload))
