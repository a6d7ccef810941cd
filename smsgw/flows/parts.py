"""Long messages on their way in: parts that wait in the store, wholes, and what there is of those that never come.

Each part is on disk before its acknowledgement. When the parts of a message are together, it is decided under the id of
the part that completed it; when they have waited too long, or the phone uses their reference for another message, what
there is stands for the whole, marked incomplete.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from smsgw.domain import incoming, joining
from smsgw.domain.joining import Piece, Whole
from smsgw.errors import PduError
from smsgw.flows import drafts
from smsgw.flows.drafts import Arrival, Decision, Draft, Verdict
from smsgw.flows.ports import Catalog, Ports
from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DeliverSm
from smsgw.store import mos
from smsgw.store.database import Transaction
from smsgw.store.mos import Joined, PartRow, WaitingPart
from smsgw.text.segments import part_again

INCOMPLETE: Final = (
    "incomplete"  # the outcome of what does not begin with the first part: nobody knows what it asks for
)


class Looked(Struct, frozen=True, kw_only=True):
    """What came of looking at parts."""

    whole: list[Draft]  # to be decided under the id of a part that has just come, in order
    given_up: list[Draft]  # to be decided under the id of a part that is stored


class Parts:
    """Joins parts.

    Args:
        ports: the world.
        catalog: the links and services.
    """

    def __init__(self, ports: Ports, catalog: Catalog) -> None:
        self._ports = ports
        self._catalog = catalog

    async def join(
        self, transaction: Transaction, fresh: list[Draft], verdicts: dict[str, Verdict], now_ms: int
    ) -> Looked:
        """Return the messages that are whole; verdicts are written for the parts that are not.

        Args:
            transaction: of the arrivals.
            fresh: what has come, and was never delivered before: messages of their own, and parts.
            verdicts: of what has come.
            now_ms: when.
        """
        parts = {one.arrival.id: one for one in fresh if one.decision is None}
        if not parts:
            return Looked(whole=fresh, given_up=[])
        keys: dict[str, set[str]] = {}
        for one in parts.values():
            keys.setdefault(one.arrival.link, set()).add(one.incoming.part_key or "")
        stored = [part for link in sorted(keys) for part in await self._waiting(transaction, link, keys[link], now_ms)]
        wholes, doubles = joining.join([_stored_piece(one) for one in stored], [_piece(one) for one in parts.values()])
        verdicts.update({mo: Verdict(status="repeated" if mo in doubles else "part") for mo in parts})
        joined: dict[str, Draft] = {}
        left: list[Whole] = []
        for whole in wholes:
            if whole.id in parts:
                verdicts.update({mo: Verdict(status="joined", whole=whole.id) for mo in whole.others if mo in parts})
                joined[whole.id] = self._decided(parts[whole.id], whole, now_ms)
            else:
                left.append(whole)
            await _mark(transaction, whole, {mo for mo in whole.others if mo not in parts})
        rows = (
            {row.id: row for row in await mos.parts_of(transaction, {one.part_key for one in stored})} if left else {}
        )
        return Looked(
            whole=[joined.get(one.arrival.id, one) for one in fresh if one.decision or one.arrival.id in joined],
            given_up=[self._decided(_draft(rows[whole.id]), whole, now_ms) for whole in left],
        )

    async def give_up(self, transaction: Transaction, part_keys: Sequence[str], now_ms: int) -> list[Draft]:
        """Return what there is of these long messages, to be decided under the id of a stored part.

        What came when the first part had waited too long already is of the next message with the same reference.
        """
        groups: dict[str, dict[int, PartRow]] = {}
        until_ms: dict[str, int] = {}
        for row in await mos.parts_of(transaction, part_keys):
            patience_ms = int(self._catalog.links[row.link].part_expiry_s * 1000)
            if row.received_ms < until_ms.setdefault(row.part_key, row.received_ms + patience_ms):
                groups.setdefault(row.part_key, {}).setdefault(row.part_number, row)
        found = []
        for rows in groups.values():
            whole = joining.give_up([_stored_piece(row) for row in rows.values()])
            await _mark(transaction, whole, whole.others)
            found.append(self._decided(_draft(next(row for row in rows.values() if row.id == whole.id)), whole, now_ms))
        return found

    async def _waiting(
        self, transaction: Transaction, link: str, part_keys: set[str], now_ms: int
    ) -> list[WaitingPart]:
        since_ms = now_ms - int(self._catalog.links[link].part_expiry_s * 1000)
        return await mos.waiting_parts(transaction, part_keys, since_ms)

    def _decided(self, part: Draft, whole: Whole, now_ms: int) -> Draft:
        """Return the draft of a long message, under the id of one of its parts."""
        arrival = part.arrival
        text = drafts.joined_text(whole.parts, arrival.pdu.data_coding, self._catalog.links[arrival.link])
        if whole.begins:
            decision = drafts.decide(self._ports, self._catalog, arrival, text, now_ms)
        else:
            decision = Decision(body=drafts.storable(text), service=None, outcome=INCOMPLETE)
        return Draft(arrival=arrival, incoming=part.incoming, decision=decision, incomplete=not whole.complete)


async def _mark(transaction: Transaction, whole: Whole, stored: Sequence[str] | set[str]) -> None:
    await mos.join_parts(transaction, [Joined(id=mo, whole=whole.id) for mo in stored])


def _draft(row: PartRow) -> Draft:
    """Return a stored part as it came."""
    numbers = [int(number) for number in (row.types or "0/0/0/0").split("/")]
    try:
        others = tlvs.read_tlvs(row.tlvs, 0)
    except PduError:
        others = {}
    pdu = DeliverSm(
        source_addr=row.source,
        source_addr_ton=numbers[0],
        source_addr_npi=numbers[1],
        destination_addr=row.destination,
        dest_addr_ton=numbers[2],
        dest_addr_npi=numbers[3],
        esm_class=row.esm_class,
        data_coding=row.data_coding,
        short_message=row.payload,
        tlvs=others,
    )
    arrival = Arrival(
        id=row.id,
        link=row.link,
        session=row.session,
        received_ms=row.received_ms,
        arrived_ms=0,
        proven="",
        pdu=pdu,
    )
    facts = incoming.Incoming(payload=row.payload, fingerprint="", operator_id=None, part=None, part_key=row.part_key)
    return Draft(arrival=arrival, incoming=facts, decision=None)


def _piece(one: Draft) -> Piece:
    assert one.incoming.part is not None
    assert one.incoming.part_key is not None
    return Piece(id=one.arrival.id, key=one.incoming.part_key, part=one.incoming.part)


def _stored_piece(stored: WaitingPart | PartRow) -> Piece:
    part = part_again(stored.payload, stored.esm_class, stored.part_total, stored.part_number)
    return Piece(id=stored.id, key=stored.part_key, part=part)
