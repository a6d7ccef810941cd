"""Delivery receipts: stored with the arrivals, matched to their messages at once or later."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import structs

from smsgw.domain import incoming
from smsgw.domain.messages import NEXT, Event, Status
from smsgw.domain.receipts import canonical_id, event_of, zone_of
from smsgw.flows.ports import Ports
from smsgw.settings import LinkSettings
from smsgw.smpp.receipt import done_ms, parse
from smsgw.store import mts, receipts
from smsgw.store.database import Transaction
from smsgw.store.receipts import Delivered, Match, ReceiptRow, Unmatched

if TYPE_CHECKING:
    from smsgw.flows.drafts import Arrival

_CLOCKS_MS: Final = 60_000  # by which two nodes' clocks may differ, or one be put back
_LONGEST_WORD: Final = 128  # of what SMSCs write; the payload keeps all of it


def read(ports: Ports, arrival: "Arrival", settings: LinkSettings) -> ReceiptRow:
    """Return the row of a receipt that has come; which message it names is not known yet."""
    told = parse(arrival.pdu)
    message_id = canonical_id(told.message_id, settings.receipt_ids)
    return ReceiptRow(
        id=ports.ids.new("rcpt"),
        link=arrival.link,
        session=arrival.session,
        received_ms=arrival.received_ms,
        # SMSCs write C strings into the text; PostgreSQL's text cannot hold NUL, the payload keeps it.
        message_id=message_id.replace("\0", "")[:_LONGEST_WORD],
        state=told.state.replace("\0", "")[:_LONGEST_WORD],
        error=told.error and told.error.replace("\0", "")[:_LONGEST_WORD],
        done_ms=done_ms(told.done, arrival.received_ms, zone_of(settings.time_zone)),
        event=event_of(told, settings).value,
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
        await receipts.deliver(transaction, _moves((row.mt, row.event) for row in rows if row.mt))


async def match(transaction: Transaction, link: str, named: Mapping[str, str]) -> None:
    """Match the receipts that came before the response; ``named`` is {the SMSC's id: our id}."""
    if not named:
        return
    await receipts.lock(transaction, link)
    waiting = await _possible(transaction, await receipts.unmatched(transaction, link, named), named)
    await receipts.match(transaction, [Match(id=one.id, mt=named[one.message_id]) for one in waiting])
    await receipts.deliver(transaction, _moves((named[one.message_id], one.event) for one in waiting))


async def _possible(transaction: Transaction, waiting: list[Unmatched], named: Mapping[str, str]) -> list[Unmatched]:
    """Leave out receipts that were there before their message: SMSCs begin anew with their ids, some every day."""
    if not waiting:
        return []
    found = await mts.by_ids(transaction, {named[one.message_id] for one in waiting})
    since_ms = {mt.id: mt.created_ms - _CLOCKS_MS for mt in found}
    return [one for one in waiting if one.received_ms >= since_ms[named[one.message_id]]]


def _moves(said: Iterable[tuple[str, str]]) -> list[Delivered]:
    """Return the moves to final states among what receipts say; progress is only recorded."""
    moves = []
    for mt, event in said:
        following = NEXT[Status.ACCEPTED].get(Event(event))
        if following is not None:
            moves.append(Delivered(mt=mt, status=following.value))
    return moves
