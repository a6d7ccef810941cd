"""What SMSCs say of messages about payments: of the question, of the billed message, in a response or in a receipt."""

from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct, structs

from smsgw.domain.charging import Said, Stand, Told, of_receipt, of_response
from smsgw.domain.payments import Event, Fact, Status, may
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.charging import UNSENT, Cashbox
from smsgw.flows.payments.effects import Effects, nothing
from smsgw.flows.ports import Catalog, Ports
from smsgw.store import charges
from smsgw.store.charges import ChargeRow
from smsgw.store.database import Transaction
from smsgw.store.mts import Settled

# answered: by command_status. lost: no answer can come any more. expired, unsent: it was certainly never sent.
Kind = Literal["answered", "lost", "expired", "unsent"]


class News(Struct, frozen=True, kw_only=True):
    """What came of sending a message about a payment."""

    mt: str
    payment: str
    charge: str | None  # the attempt that it is
    intent_ms: int | None = None  # of which of its tries, by the moment of the intent
    kind: Kind
    command_status: int | None = None
    message_id: str | None = None


class ReceiptNews(Struct, frozen=True, kw_only=True):
    """A receipt of a billed message."""

    receipt: str
    mt: str
    state: str
    error: str | None
    event: str  # what it means for a free message (domain/messages.Event)


_STATUS_OF: Final = {
    Stand.QUEUED: "queued",
    Stand.INTENT: "intent",
    Stand.ACCEPTED: "accepted",
    Stand.UNKNOWN: "unknown",
    Stand.CHARGED: "accepted",
    Stand.FAILED: "refused",
}
_STATUS_UNANSWERED: Final = {**_STATUS_OF, Stand.FAILED: "expired"}


def _status_alone(one: News) -> str:
    """Return how a message stands whose attempt is not the latest of its payment."""
    if one.kind == "answered":
        return "refused" if one.command_status else "accepted"
    return "unknown" if one.kind == "lost" else "expired"


class Sent(Struct, frozen=True, kw_only=True):
    """What results of sending have come to."""

    effects: Effects
    statuses: dict[str, str]  # {billed message: how it stands}
    lost: list[ChargeRow]  # attempts of which nobody knows now: their receipts may have come already

    def over(self, settled: Sequence[Settled]) -> list[Settled]:
        """Return the results with what they mean for billed messages."""
        return [structs.replace(one, status=self.statuses.get(one.id, one.status)) for one in settled]


class Lost(Struct, frozen=True, kw_only=True):
    """Attempts of which nobody knows any more what came."""

    effects: Effects
    count: int  # attempts that were looked at
    charges: list[ChargeRow]  # their receipts may have come already


class Judged(Struct, frozen=True, kw_only=True):
    """What receipts of billed messages have come to."""

    effects: Effects
    events: dict[str, str]  # {receipt: what it means for its message}, where that is not what a free one's would mean


_EVENTS: Final = {Said.CHARGED: "deliver", Said.FAILED: "fail"}


class Listener:
    """Takes what SMSCs say, in the transaction that records it.

    Args:
        ports: the world.
        catalog: merchants, links, limits.
        cashbox: knows what follows for a payment.
    """

    def __init__(self, ports: Ports, catalog: Catalog, cashbox: Cashbox) -> None:
        self._ports = ports
        self._catalog = catalog
        self._cashbox = cashbox

    def asks_from(self, link: str, address: str) -> bool:
        """Whether questions come from an address, too: then a receipt from there may be theirs."""
        return (link, address) in self._catalog.reply_addresses

    async def hear(self, transaction: Transaction, news: Sequence[News]) -> Sent:
        """Take results of sending; called before they are recorded, so that payments are locked before messages."""
        book = Book(self._ports, self._catalog, self._ports.clock.now_ms())
        await book.load(transaction, {one.payment for one in news})
        statuses: dict[str, str] = {}
        lost: list[ChargeRow] = []
        for one in news:
            if one.charge is None:
                if book.find(one.payment) is not None:
                    self._of_question(book, one)
                continue
            statuses[one.mt] = self._of_charge(book, one)
            charge = book.charge(one.payment)
            if statuses[one.mt] == "unknown" and charge is not None:
                lost.append(charge)
        return Sent(effects=await book.write(transaction), statuses=statuses, lost=lost)

    def _of_question(self, book: Book, one: News) -> None:
        row = book.row(one.payment)
        if row.status != Status.CREATED:
            return
        told = {"mt": one.mt, "command_status": one.command_status, "message_id": one.message_id}
        if one.kind == "answered" and one.message_id is not None:
            grace_ms = int(self._catalog.payments.grace_s * 1000)
            book.move(one.payment, Fact.PROMPTED, told, due_ms=row.confirm_by_ms + grace_ms)
        elif may(Status(row.status), Event.FAIL):
            reason = "prompt_refused" if one.kind == "answered" else "prompt_not_accepted"
            book.move(one.payment, Fact.FAILED, told, reason=reason)

    def _of_charge(self, book: Book, one: News) -> str:
        """Take the result of a billed message; return how the message stands then."""
        charge = book.charge(one.payment)
        if charge is None or charge.id != one.charge:
            if book.find(one.payment) is not None:
                book.note(one.payment, Fact.REPORTED, {"charge": one.charge, "mt": one.mt, "said": one.kind})
            return _status_alone(one)
        evidence: dict[str, Any] = {"mt": one.mt, "command_status": one.command_status, "operator_id": one.message_id}
        self._cashbox.hear_try(book, one.payment, self._said(book, one), evidence, one.intent_ms)
        after = book.charge(one.payment)
        assert after is not None
        return _STATUS_OF[Stand(after.status)] if one.kind == "answered" else _STATUS_UNANSWERED[Stand(after.status)]

    def _said(self, book: Book, one: News) -> Told:
        if one.kind == "answered" and one.command_status is not None:
            return of_response(book.terms(book.row(one.payment)), one.command_status)
        if one.kind == "expired":
            return Told(Said.FAILED, "operator_unavailable")
        if one.kind == "unsent":
            return Told(Said.PUT_OFF, UNSENT, 0)
        return Told(Said.UNKNOWN)

    async def hear_receipts(self, transaction: Transaction, news: Sequence[ReceiptNews]) -> Judged:
        """Take receipts of billed messages."""
        if not news:
            return Judged(effects=nothing(), events={})
        attempts = {one.mt: one for one in await charges.of_mts(transaction, {one.mt for one in news})}
        book = Book(self._ports, self._catalog, self._ports.clock.now_ms())
        await book.load(transaction, {charge.payment for charge in attempts.values()})
        meant: dict[str, str] = {}
        for one in news:
            charge = attempts.get(one.mt)
            if charge is None or book.find(charge.payment) is None:
                continue
            latest = book.charge(charge.payment)
            terms = book.terms(book.row(charge.payment))
            said = of_receipt(terms, one.state, one.error, one.event)
            meant[one.receipt] = _EVENTS.get(said, "progress")
            told = {"mt": one.mt, "receipt": one.receipt, "state": one.state, "error": one.error}
            if latest is None or latest.id != charge.id or said is Said.PROGRESS:
                book.note(charge.payment, Fact.REPORTED, {"charge": charge.id, "said": said.value, **told})
                continue
            reason = "operator_not_charged" if said is Said.FAILED else None
            self._cashbox.hear(book, charge.payment, Told(said, reason), told)
        return Judged(effects=await book.write(transaction), events=meant)

    async def recover(self, transaction: Transaction, now_ms: int) -> Lost:
        """At the start: what this node may have sent when it died is unknown."""
        book = Book(self._ports, self._catalog, now_ms)
        begun = [one for one in await charges.working(transaction, self._ports.node) if one.status == Stand.INTENT]
        return await self._lose(transaction, book, begun)

    async def inherit(self, transaction: Transaction, now_ms: int, count: int) -> Lost:
        """Take from nodes that are gone: what they may have sent is unknown, the rest is ours to send."""
        book = Book(self._ports, self._catalog, now_ms)
        found = await charges.orphans(transaction, self._ports.node, count)
        ours = [one for one in found if one.link in self._catalog.links]  # the others are for a node that has theirs
        await book.load(transaction, {one.payment for one in ours})
        for one in ours:
            charge = book.charge(one.payment)
            if charge is not None and charge.id == one.id and charge.status == Stand.QUEUED:
                book.change_charge(charge, node=self._ports.node)
                book.effects.again.append((charge.link, charge.id, now_ms))
        lost = await self._lose(transaction, book, [one for one in ours if one.status == Stand.INTENT])
        return structs.replace(lost, count=len(ours))

    async def _lose(self, transaction: Transaction, book: Book, charges: Sequence[ChargeRow]) -> Lost:
        await book.load(transaction, {one.payment for one in charges})
        lost: list[ChargeRow] = []
        for one in charges:
            charge = book.charge(one.payment)
            if charge is not None and charge.status == Stand.INTENT:
                self._cashbox.hear(book, one.payment, Told(Said.UNKNOWN), {"by": "restart", "mt": charge.mt})
                if charge.mt is not None:
                    book.end_message(charge.mt, "unknown")
                lost.append(charge)
        return Lost(effects=await book.write(transaction), count=len(lost), charges=lost)
