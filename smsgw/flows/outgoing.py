"""An MT on its way: made from a text and the message that it answers, kept sealed, carried in clear to the sender."""

from collections.abc import Sequence

from msgspec import Struct

from smsgw.flows.ports import Ports
from smsgw.store.mts import MtRow
from smsgw.text.segments import Segment


class Outgoing(Struct, frozen=True, kw_only=True):
    """A queued MT, ready to be sent without being read back."""

    row: MtRow
    payload: bytes  # with its UDH, in clear


class Answerable(Struct, frozen=True, kw_only=True):
    """Where an answer goes, and from where: the addresses of the message that it answers."""

    mo: str
    link: str
    source: str  # the subscriber, as the operator wrote it
    source_ton: int
    source_npi: int
    destination: str  # the short code
    dest_ton: int
    dest_npi: int
    registered: bool  # whether the operator is asked for receipts


def answer(
    ports: Ports, to: Answerable, segments: Sequence[Segment], now_ms: int, *, valid_ms: int, max_replies: int
) -> list[Outgoing]:
    """Return one MT for each segment, from the short code back to the subscriber.

    Args:
        ports: the world.
        to: the message that causes them.
        segments: of all texts that answer it.
        now_ms: when.
        valid_ms: how long they may wait to be sent.
        max_replies: the most that the database takes for one message.
    """
    made = []
    ring = ports.vault.ring
    for reply, segment in enumerate(segments, 1):
        mt = ports.ids.new("mt")
        row = MtRow(
            id=mt,
            mo=to.mo,
            node=ports.node,
            link=to.link,
            source=to.destination,
            source_ton=to.dest_ton,
            source_npi=to.dest_npi,
            destination=to.source,
            dest_ton=to.source_ton,
            dest_npi=to.source_npi,
            esm_class=segment.esm_class,
            data_coding=segment.data_coding,
            sealed=ring.seal(segment.payload, mt),
            key_id=ring.key_id,
            registered=int(to.registered),
            part=segment.part,
            parts=segment.parts,
            created_ms=now_ms,
            expires_ms=now_ms + valid_ms,
            not_before_ms=now_ms,
            tries=0,
            reply=reply,
            max_replies=max_replies,
        )
        made.append(Outgoing(row=row, payload=segment.payload))
    return made
