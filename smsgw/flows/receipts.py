"""Delivery receipts: stored with the arrivals, matched to their messages at once or later."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from smsgw.domain import incoming
from smsgw.domain.messages import NEXT, Status, receipt_event
from smsgw.flows.ports import Ports
from smsgw.smpp.receipt import parse
from smsgw.store import receipts
from smsgw.store.database import Transaction
from smsgw.store.receipts import Delivered, Match, ReceiptRow

if TYPE_CHECKING:
    from smsgw.flows.drafts import Arrival


async def store(ports: Ports, transaction: Transaction, arrivals: Sequence["Arrival"]) -> None:
    """Store receipts, and move the messages that they name."""
    by_link: dict[str, list[Arrival]] = {}
    for arrival in arrivals:
        by_link.setdefault(arrival.link, []).append(arrival)
    for link, some in by_link.items():
        parsed = [(arrival, parse(arrival.pdu)) for arrival in some]
        ids = {one.message_id for _, one in parsed if one.message_id}
        known = await receipts.messages(transaction, link, ids) if ids else {}
        rows = [
            ReceiptRow(
                id=ports.ids.new("rcpt"),
                link=link,
                session=arrival.session,
                received_ms=arrival.received_ms,
                message_id=one.message_id,
                state=one.state,
                payload=incoming.payload_of(arrival.pdu),
                tlvs=incoming.other_tlvs(arrival.pdu),
                mt=known.get(one.message_id),
            )
            for arrival, one in parsed
        ]
        await receipts.insert(transaction, rows)
        await receipts.deliver(transaction, _moves((row.mt, row.state) for row in rows if row.mt))


async def match(transaction: Transaction, link: str, named: Mapping[str, str]) -> None:
    """Match the receipts that came before the response; ``named`` is {the SMSC's id: our id}."""
    if not named:
        return
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
