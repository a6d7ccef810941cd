"""An MT on its way: made from a text and the message that it answers, kept sealed, carried in clear to the sender."""

from collections.abc import Sequence

from msgspec import Struct

from smsgw.domain.manner import PLAIN, Manner, over
from smsgw.flows.ports import Ports
from smsgw.smpp import tlvs
from smsgw.store.mts import MtRow
from smsgw.text.segments import Outlet, Segment


class Outgoing(Struct, frozen=True, kw_only=True):
    """A queued MT, ready to be sent without being read back."""

    row: MtRow
    payload: bytes  # with its UDH, in clear
    validity_ms: int | None = None  # of a billed one: how long the SMSC is to try, whatever the link says
    intent_ms: int | None = None  # of a billed one: when its intent was written, which tells one try from the next


class Answerable(Struct, frozen=True, kw_only=True):
    """Where an answer goes, and from where: the addresses of the message that it answers."""

    mo: str  # "": there is none, the addresses are those that it would have
    link: str
    source: str  # the subscriber, as the operator wrote it
    source_ton: int
    source_npi: int
    destination: str  # the short code
    dest_ton: int
    dest_npi: int
    registered: bool  # whether the operator is asked for receipts
    outlet: Outlet = Outlet()  # what the operator takes
    manner: Manner = PLAIN  # what the link says of the addresses, and the message of the TLVs


def answer(
    ports: Ports,
    to: Answerable,
    segments: Sequence[Segment],
    now_ms: int,
    *,
    valid_ms: int,
    max_replies: int | None,
    manner: Manner = PLAIN,
) -> list[Outgoing]:
    """Return one MT for each segment, from the short code back to the subscriber.

    Args:
        ports: the world.
        to: the message that causes them.
        segments: of all texts that answer it.
        now_ms: when.
        valid_ms: how long they may wait to be sent.
        max_replies: the most SMS that the database takes for one message; None where there is none to answer.
        manner: what is said of them beyond that: by the service.
    """
    made = []
    said = over(to.manner, manner)
    replies = 0
    ring = ports.vault.ring
    for segment in segments:
        mt = ports.ids.new("mt")
        replies += segment.sms
        row = MtRow(
            id=mt,
            mo=to.mo or None,
            node=ports.node,
            link=to.link,
            source=to.destination if said.source is None else said.source,
            source_ton=to.dest_ton if said.source_ton is None else said.source_ton,
            source_npi=to.dest_npi if said.source_npi is None else said.source_npi,
            destination=to.source,
            dest_ton=to.source_ton if said.dest_ton is None else said.dest_ton,
            dest_npi=to.source_npi if said.dest_npi is None else said.dest_npi,
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
            reply=None if max_replies is None else replies,
            max_replies=max_replies,
            service_type=said.service_type,
            priority=said.priority,
            protocol_id=said.protocol_id,
            tlvs=_tlvs(said.tlvs, segment),
            sms=segment.sms,
        )
        made.append(Outgoing(row=row, payload=segment.payload))
    return made


def _tlvs(said: dict[int, bytes], segment: Segment) -> bytes | None:
    """Return the TLVs of one segment; an empty message_payload keeps the place of a text that belongs there."""
    if segment.sar is not None:
        reference, total, number = segment.sar
        said = said | {
            tlvs.SAR_MSG_REF_NUM: reference.to_bytes(2, "big"),
            tlvs.SAR_TOTAL_SEGMENTS: bytes((total,)),
            tlvs.SAR_SEGMENT_SEQNUM: bytes((number,)),
        }
    elif segment.whole:
        said = said | {tlvs.MESSAGE_PAYLOAD: b""}
    return tlvs.join(said) if said else None
