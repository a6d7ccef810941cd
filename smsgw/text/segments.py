"""Long messages: a text is cut into segments that fit one SMS each, and received parts are recognised and joined.

The user data header is that of 3GPP TS 23.040 §9.2.3.24; the sar_ TLVs are those of SMPP 3.4 §5.3.2.22 to 24.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from smsgw.errors import TextError
from smsgw.text import coding
from smsgw.text.gsm7 import ESCAPE, PLAIN, Tables

UDHI: Final = 0x40
"""The esm_class bit that says that the payload begins with a user data header."""
MAX_PARTS: Final = 255

# Octets of text in one SMS: alone, and beside the header, which costs 7 septets or 3 UTF-16 units.
_GSM7_ALONE, _GSM7_PART = 160, 153
_UCS2_ALONE, _UCS2_PART = 140, 134

_CONCATENATED, _CONCATENATED_WIDE = 0x00, 0x08  # TS 23.040 §9.2.3.24.1 and §9.2.3.24.8
_SINGLE_SHIFT, _LOCKING_SHIFT = 0x24, 0x25  # TS 23.040 §9.2.3.24.15 and §9.2.3.24.16
_LENGTH: Final = {_CONCATENATED: 3, _CONCATENATED_WIDE: 4}
_HIGH_SURROGATES: Final = range(0xD8, 0xDC)


class Segment(Struct, frozen=True, kw_only=True):
    """What one submit_sm carries."""

    data_coding: int
    esm_class: int  # UDHI when the payload begins with a header, otherwise 0
    payload: bytes  # header and data; at most 160 octets
    part: int  # from 1
    parts: int


class Part(Struct, frozen=True, kw_only=True):
    """One received part of a longer message. Parts belong together when reference, wide and total are equal."""

    reference: int
    wide: bool  # a 16-bit reference: another space of numbers than the 8-bit one
    total: int  # 1 to 255
    number: int  # 1 to total
    body: bytes  # without the header; decode only the joined bodies
    header: int = 0  # octets of the header that stood before it
    tables: Tables = PLAIN  # the national languages that the header names; each part has its own


class Body(Struct, frozen=True, kw_only=True):
    """What a payload holds behind its user data header."""

    data: bytes
    header: int = 0  # octets
    tables: Tables = PLAIN


def split(text: str, *, reference: int, max_parts: int = MAX_PARTS) -> list[Segment]:
    """Cut a text into segments: 160 septets or 70 UTF-16 units alone, 153 or 67 in each of several.

    An escape pair or a surrogate pair is never cut. An empty text is one empty segment.

    Args:
        text: what the subscriber reads.
        reference: any integer; its low 8 bits tell these segments from those of other messages to the same phone.
        max_parts: refuse a text that takes more; at most 255.

    Raises:
        TextError: too many parts, or half a surrogate pair.
    """
    encoded = coding.encode(text)
    data, data_coding = encoded.data, encoded.data_coding
    if len(data) <= (_UCS2_ALONE if data_coding else _GSM7_ALONE):
        return [Segment(data_coding=data_coding, esm_class=0, payload=data, part=1, parts=1)]
    bodies = list(_cut_ucs2(data) if data_coding else _cut_gsm7(data))
    if len(bodies) > min(max_parts, MAX_PARTS):
        raise TextError(f"the text takes {len(bodies)} parts; {min(max_parts, MAX_PARTS)} are allowed")
    parts = len(bodies)
    header = bytes((5, _CONCATENATED, 3, reference & 0xFF, parts))
    return [
        Segment(
            data_coding=data_coding, esm_class=UDHI, payload=b"%b%c%b" % (header, part, body), part=part, parts=parts
        )
        for part, body in enumerate(bodies, 1)
    ]


def _cut_gsm7(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = start + _GSM7_PART
        if end < len(data) and data[end - 1] == ESCAPE:
            end -= 1
        yield data[start:end]
        start = end


def _cut_ucs2(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = start + _UCS2_PART
        if end < len(data) and data[end - 2] in _HIGH_SURROGATES:
            end -= 2
        yield data[start:end]
        start = end


def strip_udh(payload: bytes) -> tuple[dict[int, bytes], bytes]:
    """Return the header's elements {identifier: data} and the body behind it.

    A repeated element counts the last time (TS 23.040 §9.2.3.24). A header that does not fit its own lengths is none:
    no elements, and the whole payload is the body.
    """
    if not payload or payload[0] >= len(payload):
        return {}, payload
    end = payload[0] + 1
    elements: dict[int, bytes] = {}
    at = 1
    while at < end:
        if at + 2 > end or at + 2 + payload[at + 1] > end:
            return {}, payload
        identifier, length = payload[at], payload[at + 1]
        elements.pop(identifier, None)  # so that the order is that of the last occurrences
        elements[identifier] = payload[at + 2 : at + 2 + length]
        at += 2 + length
    return elements, payload[end:]


def parse_part(payload: bytes, esm_class: int, sar: tuple[int, int, int] | None = None) -> Part | None:
    """Return the part of a longer message that a payload is, or None when it is a message of its own.

    The header decides; the sar_ TLVs count where it says nothing. A total or number that makes no sense is ignored as
    TS 23.040 §9.2.3.24.1 asks, and the payload is then read alone (``strip_udh`` gives its body).

    Args:
        payload: short_message or message_payload as received.
        esm_class: as received.
        sar: the TLVs' reference, total, number, when all three came.
    """
    if not esm_class & UDHI:
        return None if sar is None else _part(*sar, Body(data=payload), wide=True)
    elements, data = strip_udh(payload)
    body = _body(payload, elements, data)
    for identifier, value in reversed(elements.items()):
        if _LENGTH.get(identifier) == len(value):
            reference, total, number = int.from_bytes(value[:-2]), value[-2], value[-1]
            part = _part(reference, total, number, body, wide=identifier == _CONCATENATED_WIDE)
            if part is not None:
                return part
    return None if sar is None else _part(*sar, body, wide=True)


def part_again(payload: bytes, esm_class: int, total: int, number: int) -> Part:
    """Return a part of which it is known that it is one; its reference does not matter any more."""
    body = body_of(payload, esm_class)
    return Part(
        reference=0, wide=False, total=total, number=number, body=body.data, header=body.header, tables=body.tables
    )


def body_of(payload: bytes, esm_class: int) -> Body:
    """Return what a payload holds behind its user data header, if esm_class says that it has one."""
    return _body(payload, *strip_udh(payload)) if esm_class & UDHI else Body(data=payload)


def _body(payload: bytes, elements: dict[int, bytes], data: bytes) -> Body:
    locking, single = elements.get(_LOCKING_SHIFT, b""), elements.get(_SINGLE_SHIFT, b"")
    tables = (locking[0] if len(locking) == 1 else 0, single[0] if len(single) == 1 else 0)
    return Body(data=data, header=len(payload) - len(data), tables=PLAIN if tables == PLAIN else tables)


def _part(reference: int, total: int, number: int, body: Body, *, wide: bool) -> Part | None:
    if not 1 <= number <= total <= MAX_PARTS:
        return None
    return Part(
        reference=reference,
        wide=wide,
        total=total,
        number=number,
        body=body.data,
        header=body.header,
        tables=body.tables,
    )


def join(parts: Sequence[Part]) -> bytes:
    """Return the bodies in order. Decode the result, not the parts: a cut may go through a character.

    Args:
        parts: every part of one message once, in any order.
    """
    return b"".join(part.body for part in in_order(parts))


def in_order(parts: Sequence[Part]) -> list[Part]:
    """Return the parts as they were cut."""
    return sorted(parts, key=_number)


def _number(part: Part) -> int:
    return part.number
