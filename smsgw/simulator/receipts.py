"""Delivery receipts in every dialect that SMSCs speak: Appendix B of SMPP 3.4 by default, whatever else as told."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, DeliverSm, SubmitSm

State = Literal["DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"]
Word = Literal["id", "sub", "dlvrd", "submit date", "done date", "stat", "err", "text"]

RECEIPT: Final = 0x04  # esm_class: SMSC delivery receipt (§5.2.12)
INTERMEDIATE: Final = 0x20  # esm_class: intermediate delivery notification
ENROUTE: Final = "ENROUTE"
NUMBERS: Final[Mapping[str, int]] = {
    ENROUTE: 1,
    "DELIVRD": 2,
    "EXPIRED": 3,
    "DELETED": 4,
    "UNDELIV": 5,
    "ACCEPTD": 6,
    "UNKNOWN": 7,
    "REJECTD": 8,
}
_ALWAYS, _ON_FAILURE = 1, 2  # registered_delivery, bits 1 and 0 (§5.2.17)
_TEXT_OCTETS: Final = 20  # of the message are repeated
_UCS2: Final = 8
_MOST_SHORT: Final = 254  # octets of short_message (§5.2.21)
_DATES: Final[Mapping[str, tuple[str, str]]] = {  # the digits, and the zone behind them (§7.1.1)
    "10": ("%y%m%d%H%M", ""),
    "12": ("%y%m%d%H%M%S", ""),
    "14": ("%Y%m%d%H%M%S", ""),
    "zone": ("%y%m%d%H%M%S", "000+"),
}
# How an id of a response, which is hex in lower case, is written in the receipt.
_IDS: Final[Mapping[str, Callable[[str], str]]] = {
    "same": str,
    "upper": str.upper,
    "short": lambda written: written.lstrip("0"),
    "padded": lambda written: written.zfill(16),
    "decimal": lambda written: str(int(written, 16)),
}
IdsIn = Literal["same", "upper", "short", "padded", "decimal"]


class Dialect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an SMSC writes receipts, and when it sends them."""

    state: str = "DELIVRD"  # any word; those of Appendix B stand in message_state too
    delays_s: tuple[Annotated[float, Meta(ge=0, le=3600)], ...] = (0.5,)  # of each in turn
    times: Annotated[int, Meta(ge=0, le=10)] = 1  # 0: never
    parts: tuple[int, ...] = ()  # receipts for these parts of long messages only; none named: all
    words: tuple[Word, ...] = ("id", "sub", "dlvrd", "submit date", "done date", "stat", "err", "text")
    glued: bool = False  # the state stands behind the content instead, without a space
    told_in: Literal["both", "text", "tlvs"] = "both"
    terminated: bool = True  # receipted_message_id ends with a NUL
    ids: IdsIn = "same"
    dates: Literal["10", "12", "14", "zone"] = "10"
    coding: Literal["default", "ucs2", "ucs2 over ascii"] = "default"  # the last: data_coding 8, and ASCII all the same
    intermediate: bool = False  # an intermediate notification comes first, at once
    by_data_sm: bool = False
    wide_state: bool = False  # message_state takes two octets
    repeats_reference: bool = True  # the message's user_message_reference comes back (§4.6.1), where there are TLVs


def is_wanted(registered_delivery: int, state: str) -> bool:
    """Whether the sender asked for a receipt that says this."""
    wish = registered_delivery & 3
    return wish == _ALWAYS or (wish == _ON_FAILURE and state not in {"DELIVRD", "ACCEPTD"})


def write(
    pdu: SubmitSm | DataSm,
    message_id: str,
    state: str,
    *,
    submitted_ms: int,
    done_ms: int,
    dialect: Dialect | None = None,
    esm_class: int = RECEIPT,
    error: str | None = None,
) -> DeliverSm | DataSm:
    """Return the receipt for a submitted message; times in UTC, ``error`` is its err: as the state has it, if None."""
    dialect = dialect or Dialect()
    message_id = _IDS[dialect.ids](message_id)
    delivered = int(state == "DELIVRD")
    content = pdu.short_message if isinstance(pdu, SubmitSm) else b""
    said = {
        "id": message_id,
        "sub": "001",
        "dlvrd": f"{delivered:03}",
        "submit date": _date(submitted_ms, dialect),
        "done date": _date(done_ms, dialect),
        "stat": state,
        "err": f"{1 - delivered:03}" if error is None else error,
        "text": _printable(content).decode(),
    }
    text = " ".join(f"{word}:{said[word]}" for word in dialect.words if not (dialect.glued and word == "stat"))
    text += f"stat:{state}" * dialect.glued
    octets = text.encode("utf-16-be") if dialect.coding == "ucs2" else text.encode()
    found: dict[int, bytes] = {}
    if dialect.told_in != "text":
        found[tlvs.RECEIPTED_MESSAGE_ID] = message_id.encode() + b"\0" * dialect.terminated
        found[tlvs.MESSAGE_STATE] = NUMBERS.get(state, NUMBERS["UNKNOWN"]).to_bytes(2 if dialect.wide_state else 1)
        if dialect.repeats_reference and tlvs.USER_MESSAGE_REFERENCE in pdu.tlvs:
            found[tlvs.USER_MESSAGE_REFERENCE] = pdu.tlvs[tlvs.USER_MESSAGE_REFERENCE]
    return _back(pdu, b"" if dialect.told_in == "tlvs" else octets, found, dialect, esm_class)


def _back(
    pdu: SubmitSm | DataSm, octets: bytes, found: dict[int, bytes], dialect: Dialect, esm_class: int
) -> DeliverSm | DataSm:
    """Return what is said about a message as a message to its sender."""
    alone = not dialect.by_data_sm and len(octets) <= _MOST_SHORT
    if octets and not alone:
        found[tlvs.MESSAGE_PAYLOAD] = octets
    common: dict[str, Any] = {
        "source_addr_ton": pdu.dest_addr_ton,
        "source_addr_npi": pdu.dest_addr_npi,
        "source_addr": pdu.destination_addr,
        "dest_addr_ton": pdu.source_addr_ton,
        "dest_addr_npi": pdu.source_addr_npi,
        "destination_addr": pdu.source_addr,
        "esm_class": esm_class,
        "data_coding": 0 if dialect.coding == "default" else _UCS2,
        "tlvs": found,
    }
    return DataSm(**common) if dialect.by_data_sm else DeliverSm(**common, short_message=octets if alone else b"")


def _date(at_ms: int, dialect: Dialect) -> str:
    digits, zone = _DATES[dialect.dates]
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime(digits) + zone


def _printable(octets: bytes) -> bytes:
    """Keep letters, digits and spaces: a receipt is in the default alphabet, whatever the message was in."""
    return bytes(one if chr(one).isalnum() and one < 0x80 else 0x20 for one in octets[:_TEXT_OCTETS])  # noqa: PLR2004 - ASCII
