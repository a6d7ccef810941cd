"""What a received message is: its text or its part of a text, and the fingerprint by which a redelivery is known."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import groupby
from operator import attrgetter

from msgspec import Struct, structs

from smsgw.errors import TextError
from smsgw.settings import LinkSettings
from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, DeliverSm
from smsgw.text import coding, segments
from smsgw.text.gsm7 import PLAIN, Tables

Message = DeliverSm | DataSm


class Incoming(Struct, frozen=True, kw_only=True):
    """A deliver_sm or data_sm, read as far as one message alone can be."""

    payload: bytes  # short_message or message_payload, with its UDH
    fingerprint: str  # equal for messages of equal link, addresses and content
    operator_id: str | None  # link and the operator's id of this message, where it sends one
    part: segments.Part | None  # None: a message of its own
    part_key: str | None  # equal for the parts of one long message


def read(pdu: Message, link: str, settings: LinkSettings) -> Incoming:
    """Read one message; never fails, whatever its content."""
    payload = payload_of(pdu)
    part = part_of(payload, pdu.esm_class, pdu.tlvs)
    key = None
    if part is not None:
        key = "\x1f".join((link, pdu.source_addr, pdu.destination_addr, f"{part.reference}/{part.wide:d}/{part.total}"))
    return Incoming(
        payload=payload,
        fingerprint=_fingerprint(pdu, link, payload),
        operator_id=_operator_id(pdu, link, settings.message_id_tlv, part) if settings.message_id_tlv else None,
        part=part,
        part_key=key,
    )


def payload_of(pdu: Message) -> bytes:
    """Return the message: short_message, or the message_payload TLV in its place (SMPP 3.4 §5.3.2.32)."""
    short = pdu.short_message if isinstance(pdu, DeliverSm) else b""
    return short or pdu.tlvs.get(tlvs.MESSAGE_PAYLOAD, b"")


def part_of(payload: bytes, esm_class: int, pdu_tlvs: dict[int, bytes]) -> segments.Part | None:
    """Return the part of a long message that this is, by its UDH or its sar_ TLVs, or None."""
    sar = None
    if tlvs.SAR_MSG_REF_NUM in pdu_tlvs:
        numbers = [
            tlvs.integer(pdu_tlvs, tag)
            for tag in (tlvs.SAR_MSG_REF_NUM, tlvs.SAR_TOTAL_SEGMENTS, tlvs.SAR_SEGMENT_SEQNUM)
        ]
        reference, total, number = numbers
        if reference is not None and total is not None and number is not None:
            sar = (reference, total, number)
    part = segments.parse_part(payload, esm_class, sar)
    return part if part is not None and part.total > 1 else None


def other_tlvs(pdu: Message) -> bytes:
    """Return the TLVs as they were received, without the message itself, which is kept as the payload."""
    if not pdu.tlvs:
        return b""
    others = {tag: value for tag, value in pdu.tlvs.items() if tag != tlvs.MESSAGE_PAYLOAD}
    return tlvs.write_tlvs(structs.replace(pdu, tlvs=others))


def body_of(payload: bytes, esm_class: int, data_coding: int, settings: LinkSettings) -> str | None:
    """Return the text of a message of its own, or None when it cannot be read as text."""
    if not esm_class & segments.UDHI:
        return text_of(payload, data_coding, settings)
    body = segments.body_of(payload, esm_class)
    return text_of(body.data, data_coding, settings, tables=body.tables, header=body.header)


def text_of(
    body: bytes, data_coding: int, settings: LinkSettings, *, tables: Tables = PLAIN, header: int = 0
) -> str | None:
    """Return the text, or None when the bytes are not text in their coding; as `coding.decode`."""
    try:
        return coding.decode(body, data_coding, default=settings.default_alphabet, tables=tables, header=header)
    except TextError:
        return None


def text_of_parts(parts: Sequence[segments.Part], data_coding: int, settings: LinkSettings) -> str | None:
    """Return the text of the parts of one message, in their order, or None when it cannot be read as text."""
    packed = settings.default_alphabet == "gsm7_packed" and coding.is_default(data_coding)
    read = []
    for run in _runs(parts, separately=packed):
        body = b"".join(part.body for part in run)
        text = text_of(body, data_coding, settings, tables=run[0].tables, header=run[0].header)
        if text is None:
            return None
        read.append(text)
    return "".join(read)


def _runs(parts: Sequence[segments.Part], *, separately: bool) -> Iterator[Sequence[segments.Part]]:
    """Yield what is to be joined before it is read: a cut may go through a character.

    Each part may name national tables of its own, and packed septets begin anew with each.
    """
    if separately:
        yield from ([part] for part in parts)
    else:
        for _, run in groupby(parts, key=attrgetter("tables")):
            yield list(run)


def _operator_id(pdu: Message, link: str, tag: int, part: segments.Part | None) -> str | None:
    """Return the operator's id with all of its octets: a binary one may hold NUL, and two that differ must differ here.

    Operators may give the parts of a long message one id: each part has its number beside it.
    """
    given = pdu.tlvs.get(tag, b"").rstrip(b"\0")
    if not given:
        return None
    text = given.decode("latin-1")
    name = text if text.isprintable() else f"0x{given.hex()}"
    return f"{link}\x1f{name}\x1f{part.number}" if part else f"{link}\x1f{name}"


def _fingerprint(pdu: Message, link: str, payload: bytes) -> str:
    head = f"{link}\x1f{pdu.source_addr}\x1f{pdu.destination_addr}\x1f{pdu.esm_class}\x1f{pdu.data_coding}\x1f"
    sar = b"".join(pdu.tlvs.get(tag, b"") for tag in _SAR) if pdu.tlvs else b""
    digest = blake2b(head.encode() + sar + payload, digest_size=_FINGERPRINT_BYTES).digest()
    return b64encode(digest).decode()


_FINGERPRINT_BYTES = 15  # 120 bits: two messages of equal fingerprint are equal
_SAR = (tlvs.SAR_MSG_REF_NUM, tlvs.SAR_TOTAL_SEGMENTS, tlvs.SAR_SEGMENT_SEQNUM)
