"""Delivery receipts: stored with the arrivals, matched to their messages at once or later."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import structs

from smsgw.domain import incoming
from smsgw.domain.messages import NEXT, Event, Status
from smsgw.domain.receipts import canonical_id, event_of, zone_of
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.hearing import Listener, ReceiptNews
from smsgw.flows.ports import Ports
from smsgw.settings import LinkSettings
from smsgw.smpp import tlvs
from smsgw.smpp.receipt import done_ms, parse
from smsgw.store import charges, mts, receipts
from smsgw.store.charges import ChargeRow
from smsgw.store.database import Transaction
from smsgw.store.receipts import Delivered, Match, Named, ReceiptRow, Unmatched

if TYPE_CHECKING:
    from smsgw.flows.drafts import Arrival

_CLOCKS_MS: Final = 60_000  # by which two nodes' clocks may differ, or one be put back
_REFERENCE_OCTETS: Final = 2
_SAME_DIGITS: Final = 8  # of a number, the last ones, by which it is known in whatever form it is written
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
        source=arrival.pdu.source_addr.lstrip("+"),
        destination=arrival.pdu.destination_addr.lstrip("+"),
        reference=_reference(arrival.pdu.tlvs),
    )


def _reference(given: Mapping[int, bytes]) -> int | None:
    """Return user_message_reference, which has two octets (SMPP 3.4 §5.3.2.17); what has others is none of ours."""
    octets = given.get(tlvs.USER_MESSAGE_REFERENCE, b"")
    return int.from_bytes(octets, "big") if len(octets) == _REFERENCE_OCTETS else None


async def store(
    transaction: Transaction,
    read: Iterable[ReceiptRow],
    listener: Listener | None = None,
    billing: Collection[str] = (),
) -> list[Effects]:
    """Store receipts, and move the messages that they name.

    Args:
        transaction: that stores the rest of their batch.
        read: as they came.
        listener: hears what is said of billed messages.
        billing: links that charge: there a receipt may be known by its addresses alone.

    Returns:
        What is to be done for payments after the commit.
    """
    effects: list[Effects] = []
    by_link: dict[str, list[ReceiptRow]] = {}
    for row in read:
        by_link.setdefault(row.link, []).append(row)
    for link in sorted(by_link):  # one order, so that nobody waits in a circle
        some = by_link[link]
        await receipts.lock(transaction, link)
        ids = {row.message_id for row in some if row.message_id}
        named = await receipts.messages(transaction, link, ids) if ids else {}
        known = {row.id: named[row.message_id] for row in some if _is_about(row, named.get(row.message_id))}
        if listener is not None and link in billing:
            others = [row for row in some if row.id not in known]
            known |= await _by_addresses(transaction, link, others, listener)
        rows = [structs.replace(row, mt=known[row.id].mt if row.id in known else None) for row in some]
        await receipts.insert(transaction, rows)
        meant: Mapping[str, str] = {}
        if listener is not None and (news := [_news(row) for row in rows if row.mt and known[row.id].charge]):
            judged = await listener.hear_receipts(transaction, news)
            effects.append(judged.effects)
            meant = judged.events
        moves = _moves((row.mt, meant.get(row.id, row.event)) for row in rows if row.mt)
        await receipts.deliver(transaction, moves)
    return effects


def _is_about(row: ReceiptRow, named: Named | None) -> bool:
    """Whether a receipt is about the message that it names.

    SMSCs begin anew with their ids. Where money hangs on it, the phone must be the message's: written as it may be, in
    national form or with the addresses turned round.
    """
    if named is None or named.charge is None:
        return named is not None
    return any(address.endswith(named.phone[-_SAME_DIGITS:]) for address in (row.source, row.destination))


def _news(row: ReceiptRow) -> ReceiptNews:
    assert row.mt is not None
    return ReceiptNews(receipt=row.id, mt=row.mt, state=row.state, error=row.error, event=row.event)


async def _by_addresses(
    transaction: Transaction, link: str, rows: Sequence[ReceiptRow], listener: Listener
) -> dict[str, Named]:
    """Return {receipt: message} of billed messages that have no name at the operator: known by their addresses.

    Where the receipt repeats our reference, that decides. Otherwise only an attempt that is alone between the two
    addresses can be meant, when nobody waits for its response any more, nor for another one's receipt, and nothing else
    is sent from there.
    """
    phones = {address for row in rows for address in (row.source, row.destination) if address}
    lost = await charges.lost(transaction, link, phones) if phones else []
    awaited = await charges.awaited(transaction, link, {one.msisdn for one in lost})
    found = {}
    for row in rows:
        one = _meant(row, lost)
        if one is None or one.mt is None:
            continue
        alone = not listener.asks_from(link, one.short_code) and not _is_beside(one, awaited)
        if row.reference is not None or alone:
            found[row.id] = Named(mt=one.mt, charge=one.id, phone=one.msisdn)
    return found


def _is_beside(one: ChargeRow, awaited: Sequence[ChargeRow]) -> bool:
    """Whether another attempt between the same addresses waits for its receipt, which may name it in another way."""
    return any((other.msisdn, other.short_code) == (one.msisdn, one.short_code) for other in awaited)


def _meant(row: ReceiptRow, lost: Sequence[ChargeRow]) -> ChargeRow | None:
    between = [one for one in lost if {one.msisdn, one.short_code} == {row.source, row.destination}]
    if row.reference is not None:
        between = [one for one in between if one.message_reference == row.reference]
        return between[0] if len(between) == 1 else None
    between = [one for one in between if one.status != "failed"]
    return between[0] if len(between) == 1 and between[0].status in {"unknown", "accepted"} else None


async def match(
    transaction: Transaction, link: str, named: Mapping[str, str], listener: Listener | None = None
) -> list[Effects]:
    """Match the receipts that came before the response; ``named`` is {the SMSC's id: our id}."""
    if not named:
        return []
    effects: list[Effects] = []
    meant: Mapping[str, str] = {}
    await receipts.lock(transaction, link)
    waiting = await _possible(transaction, await receipts.unmatched(transaction, link, named), named)
    about = await receipts.messages(transaction, link, {one.message_id for one in waiting}) if waiting else {}
    waiting = [one for one in waiting if _is_unmatched_about(one, about.get(one.message_id))]
    await receipts.match(transaction, [Match(id=one.id, mt=named[one.message_id]) for one in waiting])
    if listener is not None and waiting:
        news = [
            ReceiptNews(receipt=one.id, mt=named[one.message_id], state=one.state, error=one.error, event=one.event)
            for one in waiting
        ]
        judged = await listener.hear_receipts(transaction, news)
        effects, meant = [judged.effects], judged.events
    moves = _moves((named[one.message_id], meant.get(one.id, one.event)) for one in waiting)
    await receipts.deliver(transaction, moves)
    return effects


def _is_unmatched_about(one: Unmatched, named: Named | None) -> bool:
    if named is None or named.charge is None:
        return True
    return any(address.endswith(named.phone[-_SAME_DIGITS:]) for address in (one.source, one.destination))


async def claim(transaction: Transaction, charge: ChargeRow, listener: Listener) -> list[Effects]:
    """Match the receipts that came for a billed message before anybody knew that its response would never come."""
    if charge.mt is None:
        return []
    since_ms = (charge.intent_ms or charge.created_ms) - _CLOCKS_MS
    rows = await receipts.of_addresses(transaction, charge.link, charge.msisdn, charge.short_code, since_ms)
    own = not listener.asks_from(charge.link, charge.short_code)
    lost = await charges.lost(transaction, charge.link, {charge.msisdn})
    others = [one for one in lost if one.short_code == charge.short_code and one.status != "failed"]
    awaited = await charges.awaited(transaction, charge.link, {charge.msisdn})
    beside = _is_beside(charge, [one for one in awaited if one.id != charge.id])
    alone = own and not beside and all(one.id == charge.id for one in others)
    mine = [row for row in rows if row.reference == charge.message_reference or (row.reference is None and alone)]
    if not mine:
        return []
    mt = charge.mt
    await receipts.match(transaction, [Match(id=row.id, mt=mt) for row in mine])
    news = [ReceiptNews(receipt=row.id, mt=mt, state=row.state, error=row.error, event=row.event) for row in mine]
    judged = await listener.hear_receipts(transaction, news)
    await receipts.deliver(transaction, _moves((mt, judged.events.get(row.id, row.event)) for row in mine))
    return [judged.effects]


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
