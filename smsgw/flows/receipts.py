"""Delivery receipts: stored with the arrivals, matched to their messages at once or later."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import structs

from smsgw.domain import incoming
from smsgw.domain.messages import NEXT, Status, receipt_event
from smsgw.flows.ports import Ports
from smsgw.smpp.receipt import parse
from smsgw.store import receipts
from smsgw.store.database import Transaction
from smsgw.store.receipts import Delivered, Match, ReceiptRow

if TYPE_CHECKING:
    from smsgw.flows.drafts import Arrival


def read(ports: Ports, arrival: "Arrival") -> ReceiptRow:
    """Return the row of a receipt that has come; which message it names is not known yet."""
    told = parse(arrival.pdu)
    return ReceiptRow(
        id=ports.ids.new("rcpt"),
        link=arrival.link,
        session=arrival.session,
        received_ms=arrival.received_ms,
        # SMSCs write C strings into the text; PostgreSQL's text cannot hold NUL, the payload keeps it.
        message_id=told.message_id.replace("\0", ""),
        state=told.state.replace("\0", ""),
        payload=incoming.payload_of(arrival.pdu),
        tlvs=incoming.other_tlvs(arrival.pdu),
        mt=None,
    )


async def store(transaction: Transaction, read: Iterable[ReceiptRow]) -> None:
    """Store receipts, and move the messages that they name."""
    by_link: dict[str, list[ReceiptRow]] = {}
    for row in read:
        by_link.setdefault(row.link, []).append(row)
    for link in sorted(by_link):  # one order, so that nobody waits in a circle
        some = by_link[link]
        await receipts.lock(transaction, link)
        ids = {row.message_id for row in some if row.message_id}
        known = await receipts.messages(transaction, link, ids) if ids else {}
        rows = [structs.replace(row, mt=known.get(row.message_id)) for row in some]
        await receipts.insert(transaction, rows)
        await receipts.deliver(transaction, _moves((row.mt, row.state) for row in rows if row.mt))


async def match(transaction: Transaction, link: str, named: Mapping[str, str]) -> None:
    """Match the receipts that came before the response; ``named`` is {the SMSC's id: our id}."""
    if not named:
        return
    await receipts.lock(transaction, link)
    waiting = await receipts.unmatched(transaction, link, named)
    await receipts.match(transaction, [Match(id=one.id, mt=named[one.message_id]) for one in waiting])
    await receipts.deliver(transaction, _moves((named[one.message_id], one.state) for one in waiting))


def _moves(said: Iterable[tuple[str, str]]) -> list[Delivered]:
    """Return the moves to final states among what receipts say; progress is only recorded."""
    moves = []
    for mt, state in said:
        following = NEXT[Status.ACCEPTED].get(receipt_event(state))
        if following is not None:
            moves.append(Delivered(mt=mt, status=following.value))
    return moves
