"""Takes billed messages to the links: writes down the intent, then, after that commit, lets the first octet go.

A message waits in its attempt, queued, until its link can send at once; so hardly any time lies between the intent and
the octets, and a death in between, which makes the outcome unknown, is rare.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from msgspec import structs

from smsgw.domain.charging import Stand
from smsgw.errors import SmsgwError
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.charging import START_MS, Cashbox
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.lines import Lines, PutOff, Rounds
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.logs import get_logger
from smsgw.kit.turns import Turns
from smsgw.store import charges, mts
from smsgw.store.database import Transaction

log = get_logger(__name__)

_AT_ONCE: Final = 200  # of one link in one transaction
_LOOK_S: Final = 0.02  # while something waits for a link
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
        self._lines = Lines(catalog.links, _place)
        self._put_off = PutOff(ports.clock)
        self._rounds = Rounds(ports.clock)
        self._turns = Turns(
            self.turn,
            rest_s=self._rest_s,
            put_off=lambda error: log.warning("charges.put_off", error=str(error)),
        )

    def hear(self, effects: Effects) -> None:
        """Hear what a transaction about payments has left to be done."""
        if effects.billed:
            self.take(effects.billed)
        if effects.again:
            self.again(effects.again)

    def take(self, messages: Sequence[Outgoing]) -> None:
        """Take billed messages that have just been committed."""
        for message in messages:
            self._lines.hold(message)
        self._turns.wake()

    def again(self, put_off: Sequence[tuple[str, str, int]]) -> None:
        """Hear of attempts that are to be sent again: (link, attempt, not before)."""
        for _, charge, at_ms in put_off:
            self._put_off.add(charge, at_ms)
        self._turns.wake()

    def look_again(self) -> None:
        """Hear that the store may have attempts that are not held."""
        self._lines.lacking = True
        self._turns.wake()

    async def run(self) -> None:
        """Send what waits, until it is cancelled."""
        await self._turns.run()

    def _rest_s(self) -> float:
        waits_s = [self._rounds.wait_s(), self._put_off.wait_s(), _LOOK_S if self._lines else None]
        return min(wait_s for wait_s in waits_s if wait_s is not None)

    async def turn(self) -> None:
        """Read back what is lacking, and send what the links can send."""
        await self._read_back()
        while batch := self._lines.take(self._room_of):
            try:
                sendable, effects = await self._ports.database.transact(lambda tx, some=batch: self._intend(tx, some))  # type: ignore[misc]  # mypy can't type a lambda's default
            except BaseException:
                self._lines.put_back(batch)
                raise
            self._done(effects)
            self._offer(sendable)

    def _room_of(self, link: str) -> int:
        return min(self._room(link), _AT_ONCE)

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
        lines, due, around = self._lines, self._put_off.due(), self._rounds.begin()
        if not due and (lines.full or not (lines.lacking or around)):
            return
        with lines.reading_back():
            messages = await self._queued(due)
        self._put_off.drop(due)
        for row in messages:
            if row.node == self._ports.node:
                self._open(row)

    async def _queued(self, due: Collection[str]) -> list[mts.MtRow]:
        """Read what is queued, is not held, and is put off no longer."""
        async with self._ports.database.read() as reader:
            rows = await charges.working(reader, self._ports.node)
            wanted = [
                one
                for one in rows
                if one.status == Stand.QUEUED
                and one.mt is not None
                and one.id not in self._lines
                and (one.id in due or one.id not in self._put_off)
            ]
            messages = []
            for at in range(0, len(wanted), _READ):
                some = wanted[at : at + _READ]
                messages += await mts.billed(reader, {one.mt for one in some if one.mt})
        return messages

    def _open(self, row: mts.MtRow) -> None:
        try:
            payload = self._ports.vault.open(row.sealed, row.id, row.key_id)
        except SmsgwError as error:
            log.error("charge.not_readable", mt=row.id, charge=row.charge, error=str(error))
        else:
            self._lines.hold(Outgoing(row=row, payload=payload))


def _place(message: Outgoing) -> tuple[str, str]:
    assert message.row.charge is not None
    return message.row.link, message.row.charge
