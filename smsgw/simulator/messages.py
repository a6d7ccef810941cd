"""A subscriber's message as deliver_sm or data_sm: in any data_coding, its parts numbered as they should be, or not."""

from collections.abc import Mapping
from typing import Any, Final

from smsgw.errors import TextError
from smsgw.simulator.steps import Deliver
from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, DeliverSm
from smsgw.text import gsm7
from smsgw.text.segments import UDHI

_UCS2: Final = 8
_ALONE, _PART = 140, 134  # octets of one SMS, and of a part of several
_SEPTETS_ALONE, _SEPTETS_PART = 160, 153
_MOST_SHORT: Final = 254  # octets of short_message (SMPP 3.4 §5.2.21)
_MOST_PARTS: Final = 255
# Python's names of SMPP's alphabets (§5.2.19); 4 is binary, and carries UTF-8 here
_CODECS: Final[Mapping[int, str]] = {
    1: "ascii",
    2: "utf-8",
    3: "latin-1",
    4: "utf-8",
    5: "shift_jis",
    6: "iso8859-5",
    7: "iso8859-8",
    _UCS2: "utf-16-be",
    10: "iso2022_jp",
    14: "euc_kr",
}


def build(step: Deliver, source: str, destination: str, text: str, reference: int) -> list[DeliverSm | DataSm]:
    """Return the PDUs of a message, in the order in which they are to be sent.

    Raises:
        TextError: its data_coding does not carry the text.
    """
    data_coding, octets = _encoded(step, text)
    septets = _is_septets(data_coding)
    alone, size = (_SEPTETS_ALONE, _SEPTETS_PART) if septets else (_ALONE, _PART)
    size = step.cut or size
    fits = len(octets) <= (step.cut or alone) or step.form != "short_message"
    bodies = [octets] if fits else [octets[at : at + size] for at in range(0, len(octets), size)]
    if len(bodies) > _MOST_PARTS:
        raise TextError(f"the text takes {len(bodies)} parts; {_MOST_PARTS} are allowed")
    common: dict[str, Any] = {
        "service_type": step.service_type,
        "source_addr_ton": 1,
        "source_addr_npi": 1,
        "source_addr": source,
        "dest_addr_npi": 1,
        "destination_addr": destination,
        "data_coding": data_coding,
    }
    given = {int(tag, 0): bytes.fromhex(value) for tag, value in step.tlvs.items()}
    numbered = len(bodies) > 1 or bool(step.send) or step.total is not None
    order = step.send or range(1, len(bodies) + 1)
    return [
        _pdu(
            step,
            common,
            given,
            bodies[min(number or 1, len(bodies)) - 1],
            (reference, step.total if step.total is not None else len(bodies), number) if numbered else None,
        )
        for number in order
    ]


def _pdu(
    step: Deliver,
    common: Mapping[str, Any],
    given: Mapping[int, bytes],
    body: bytes,
    place: tuple[int, int, int] | None,
) -> DeliverSm | DataSm:
    esm_class, more = step.esm_class, dict(given)
    if place is not None and step.header == "sar":
        reference, total, number = place
        more[tlvs.SAR_MSG_REF_NUM] = reference.to_bytes(2)
        more[tlvs.SAR_TOTAL_SEGMENTS], more[tlvs.SAR_SEGMENT_SEQNUM] = bytes((total,)), bytes((number,))
    elif place is not None:
        esm_class |= UDHI
        body = _header(step, *place) + body
    if step.form != "short_message" or len(body) > _MOST_SHORT:
        more[tlvs.MESSAGE_PAYLOAD] = body
        body = b""
    if step.form == "data_sm":
        return DataSm(**common, esm_class=esm_class, tlvs=more)
    return DeliverSm(**common, esm_class=esm_class, tlvs=more, short_message=body)


def _header(step: Deliver, reference: int, total: int, number: int) -> bytes:
    """Return the user data header of a part: 3GPP TS 23.040 §9.2.3.24.1 and §9.2.3.24.8."""
    if step.header == "udh16":
        return bytes((6, 8, 4)) + (reference & 0xFFFF).to_bytes(2) + bytes((total, number))
    return bytes((5, 0, 3, reference & 0xFF, total, number))


def _encoded(step: Deliver, text: str) -> tuple[int, bytes]:
    if step.octets is not None:
        return step.data_coding or 0, bytes.fromhex(step.octets)
    data_coding = step.data_coding
    septets = gsm7.encode(text)
    if data_coding is None:
        data_coding = _UCS2 if septets is None else 0
    if _is_septets(data_coding):
        if septets is None:
            raise TextError(f"data_coding {data_coding} does not carry the text")
        return data_coding, septets
    try:
        return data_coding, text.encode(_CODECS.get(_plain(data_coding), "utf-8"))
    except UnicodeEncodeError:
        raise TextError(f"data_coding {data_coding} does not carry the text") from None


def _plain(data_coding: int) -> int:
    """Return SMPP's number for one of GSM's general data codings (TS 23.038 §4)."""
    if data_coding < 0x10:  # noqa: PLR2004 - SMPP's own
        return data_coding
    return _UCS2 if data_coding < 0xF0 and data_coding & 0x0C == 0x08 else 2  # noqa: PLR2004 - as there


def _is_septets(data_coding: int) -> bool:
    """Whether it means GSM 7 bit: SMPP's 0, and GSM's with or without a message class (TS 23.038 §4)."""
    if data_coding >= 0xF0:  # noqa: PLR2004 - as there
        return not data_coding & 0x04
    return data_coding == 0 or (0x10 <= data_coding < 0x40 and not data_coding & 0x0C)  # noqa: PLR2004 - as there
