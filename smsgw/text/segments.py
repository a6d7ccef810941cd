"""Long messages: a text is cut into segments that fit one SMS each, and received parts are recognised and joined.

The user data header is that of 3GPP TS 23.040 §9.2.3.24; the sar_ TLVs are those of SMPP 3.4 §5.3.2.22 to 24.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from smsgw.errors import TextError
from smsgw.text import coding
from smsgw.text.coding import Coding, DefaultAlphabet, Encoded, Unit
from smsgw.text.gsm7 import ESCAPE, PLAIN, Tables

UDHI: Final = 0x40
"""The esm_class bit that says that the payload begins with a user data header."""
MAX_PARTS: Final = 255

LongMessages: TypeAlias = Literal["udh8", "udh16", "sar", "payload"]
"""How a text of several SMS is handed over: with headers of 8 or 16 bit reference, sar_ TLVs, or in message_payload."""

_ALONE: Final[dict[Unit, int]] = {"septet": 160, "octet": 140, "ucs2": 140}  # octets of Encoded.data in one SMS
# The same beside a header, which costs 6 or 7 octets. With sar_ TLVs the SMSC chooses the header: room for the longer.
_PART: Final[dict[Unit, tuple[int, int]]] = {"septet": (153, 152), "octet": (134, 133), "ucs2": (134, 132)}

_HANDED: Final = 254  # octets that short_message takes (SMPP 3.4 §5.2.22)
_LONGEST_HEADER: Final = 7

_CONCATENATED, _CONCATENATED_WIDE = 0x00, 0x08  # TS 23.040 §9.2.3.24.1 and §9.2.3.24.8
_SINGLE_SHIFT, _LOCKING_SHIFT = 0x24, 0x25  # TS 23.040 §9.2.3.24.15 and §9.2.3.24.16
_LENGTH: Final = {_CONCATENATED: 3, _CONCATENATED_WIDE: 4}
_HIGH_SURROGATES: Final = range(0xD8, 0xDC)


class Segment(Struct, frozen=True, kw_only=True):
    """What one submit_sm carries."""

    data_coding: int
    esm_class: int  # UDHI when the payload begins with a header, otherwise 0
    payload: bytes  # header and data; at most 160 octets, or a whole text
    part: int  # from 1
    parts: int
    sms: int = 1  # how many SMS the radio makes of it
    sar: tuple[int, int, int] | None = None  # reference, total, number, for the sar_ TLVs
    whole: bool = False  # belongs into message_payload: a text of several SMS, which the SMSC cuts


class Outlet(Struct, frozen=True, kw_only=True):
    """What an operator takes."""

    default_alphabet: DefaultAlphabet = "gsm7"
    codings: Sequence[Coding] = ("default", "ucs2")  # of two that take equally many SMS the first is chosen
    long_messages: LongMessages = "udh8"


_PLAIN_OUTLET: Final = Outlet()


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


def split(text: str, *, reference: int, max_parts: int = MAX_PARTS, outlet: Outlet = _PLAIN_OUTLET) -> list[Segment]:
    """Cut a text into segments, in the coding that takes the fewest SMS: 160 septets or 70 UTF-16 units in one.

    An escape pair or a surrogate pair is never cut. An empty text is one empty segment.

    Args:
        text: what the subscriber reads.
        reference: any integer; its low 8 or 16 bits tell these segments from other messages to the same phone.
        max_parts: refuse a text that takes more SMS; at most 255.
        outlet: what the operator takes.

    Raises:
        TextError: too many parts, half a surrogate pair, or none of the operator's codings carries the text.
    """
    ways = coding.encode(text, outlet.codings, outlet.default_alphabet)
    for way in ways:
        if len(way.data) <= _ALONE[way.unit] and _is_handed(way, way.data, _HANDED):
            return [Segment(data_coding=way.data_coding, esm_class=0, payload=way.handed(way.data), part=1, parts=1)]
    wide = outlet.long_messages in {"udh16", "sar"}
    handed = None if outlet.long_messages == "payload" else _HANDED - _LONGEST_HEADER
    cut = [list(_cut(way, _PART[way.unit][wide], handed)) for way in ways]
    chosen = min(range(len(ways)), key=lambda at: len(cut[at]))
    way, bodies = ways[chosen], cut[chosen]
    if len(bodies) > min(max_parts, MAX_PARTS):
        raise TextError(f"the text takes {len(bodies)} parts; {min(max_parts, MAX_PARTS)} are allowed")
    return _BUILD[outlet.long_messages](way, bodies, reference)


def _with_header(way: Encoded, bodies: list[bytes], reference: int) -> list[Segment]:
    header = bytes((5, _CONCATENATED, 3, reference & 0xFF, len(bodies)))
    return _headed(way, bodies, header)


def _with_wide_header(way: Encoded, bodies: list[bytes], reference: int) -> list[Segment]:
    header = bytes((6, _CONCATENATED_WIDE, 4, reference >> 8 & 0xFF, reference & 0xFF, len(bodies)))
    return _headed(way, bodies, header)


def _headed(way: Encoded, bodies: list[bytes], header: bytes) -> list[Segment]:
    size = len(header) + 1
    return [
        Segment(
            data_coding=way.data_coding,
            esm_class=UDHI,
            payload=b"%b%c%b" % (header, part, way.handed(body, size)),
            part=part,
            parts=len(bodies),
        )
        for part, body in enumerate(bodies, 1)
    ]


def _with_sar(way: Encoded, bodies: list[bytes], reference: int) -> list[Segment]:
    return [
        Segment(
            data_coding=way.data_coding,
            esm_class=0,
            payload=way.handed(body),
            part=part,
            parts=len(bodies),
            sar=(reference & 0xFFFF, len(bodies), part),
        )
        for part, body in enumerate(bodies, 1)
    ]


def _whole(way: Encoded, bodies: list[bytes], reference: int) -> list[Segment]:  # noqa: ARG001 - the SMSC makes its own
    data = way.handed(b"".join(bodies))
    whole = Segment(
        data_coding=way.data_coding, esm_class=0, payload=data, part=1, parts=1, sms=len(bodies), whole=True
    )
    return [whole]


_BUILD: Final[dict[LongMessages, Callable[[Encoded, list[bytes], int], list[Segment]]]] = {
    "udh8": _with_header,
    "udh16": _with_wide_header,
    "sar": _with_sar,
    "payload": _whole,
}


def _cut(way: Encoded, size: int, handed: int | None) -> Iterator[bytes]:
    start = 0
    while start < len(way.data):
        end = _before_pair(way, start + size)
        while handed is not None and not _is_handed(way, way.data[start:end], handed):
            end = _before_pair(way, min(end, len(way.data)) - 2)
        yield way.data[start:end]
        start = end


def _before_pair(way: Encoded, end: int) -> int:
    """Return where to cut, so as not to part an escape pair or a surrogate pair."""
    if end < len(way.data):
        if way.unit == "septet" and way.data[end - 1] == ESCAPE:
            return end - 1
        if way.unit == "ucs2" and way.data[end - 2] in _HIGH_SURROGATES:
            return end - 2
    return end


def _is_handed(way: Encoded, piece: bytes, most: int) -> bool:
    """Whether short_message takes a piece that the radio does: in UTF-8 its characters may be of several octets."""
    return way.codec != "utf-8" or len(way.handed(piece)) <= most


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
