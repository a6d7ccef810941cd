"""Delivery receipts (SMPP 3.4 Appendix B): which messages are receipts, and what became of which message of ours.

Only esm_class says what is a receipt: a subscriber may well type "id:1 stat:DELIVRD". What a receipt says stands in
its TLVs, in its text, or in both; the text is "defined by the vendor", and vendors have used that.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

import msgspec

from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, DeliverSm, Pdu

# esm_class, bits 5 to 2 (§5.2.12): SMSC delivery receipt, and intermediate notification in the same format
_MESSAGE_TYPE: Final = 0x3C
_RECEIPT, _INTERMEDIATE = 0x04, 0x20
_UDHI: Final = 0x40

# message_state (§5.2.28, and 5.0's 0 and 9) in the words of Appendix B
_STATES: Final = {
    0: "SCHEDLD",
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
    9: "SKIPPED",
}
# Other spellings, seen or to be expected: written out, cut to seven characters elsewhere, or as a number.
_SPELLED: Final = {str(number): word for number, word in _STATES.items()} | {
    "SCHEDULED": "SCHEDLD",
    "EN_ROUTE": "ENROUTE",
    "DELIVERED": "DELIVRD",
    "DELIVERD": "DELIVRD",
    "DELIVERE": "DELIVRD",
    "DELIVER": "DELIVRD",
    "DELIVRED": "DELIVRD",
    "DELIVERED_TO_HANDSET": "DELIVRD",
    "DELIVERED_TO_TERMINAL": "DELIVRD",
    "DELIVEREDTOTERMINAL": "DELIVRD",
    "SUCCESS": "DELIVRD",
    "EXPIRD": "EXPIRED",
    "DELETD": "DELETED",
    "UNDELIVERABLE": "UNDELIV",
    "UNDELIVERED": "UNDELIV",
    "UNDELIVRD": "UNDELIV",
    "UNDELIVERD": "UNDELIV",
    "UNDELVD": "UNDELIV",
    "NON_DELIVERED": "UNDELIV",
    "ACCEPTED": "ACCEPTD",
    "REJECTED": "REJECTD",
    "REJECT": "REJECTD",
    "FAIL": "FAILED",
    "FAILURE": "FAILED",
    "UNKNOWN_STATE": "UNKNOWN",
    "UNKNOW": "UNKNOWN",
    "UNKNOWN_": "UNKNOWN",
}
# One name for each way in which SMSCs write a key; longer ones first.
_KEYS: Final = {
    "submit date": "submit date",
    "submit_date": "submit date",
    "submitdate": "submit date",
    "done date": "done date",
    "done_date": "done date",
    "donedate": "done date",
    "message_id": "id",
    "messageid": "id",
    "msgid": "id",
    "status": "stat",
    "state": "stat",
    "stat": "stat",
    "error": "err",
    "err": "err",
    "dlvrd": "dlvrd",
    "sub": "sub",
    "id": "id",
}
_KEY: Final = "|".join(_KEYS)
_FIELD: Final = re.compile(rf"(?<![a-z0-9_])({_KEY})\s*[:=]\s*((?!(?:{_KEY}|text)\s*[:=])[^\s,;]*)", re.IGNORECASE)
_TEXT: Final = re.compile(r"(?<![a-z])text\s*[:=]", re.IGNORECASE)
# A state that ends the whole text, with content or another field right before it.
_GLUED_STATE: Final = re.compile(r"stat:([A-Za-z]{4,20})\Z")

_DATE: Final = re.compile(r"([0-9]{10,14})(?:([0-9])([0-9]{2})([+-])|Z|([+-])([0-9]{2}):?([0-9]{2}))?")
_FORMATS: Final = {10: ("%y%m%d%H%M",), 12: ("%y%m%d%H%M%S", "%Y%m%d%H%M"), 13: (), 14: ("%Y%m%d%H%M%S",), 11: ()}


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What an SMSC says about a message of ours."""

    message_id: str  # as written by the SMSC; empty when it named none
    state: str  # DELIVRD, EXPIRED, DELETED, UNDELIV, ACCEPTD, UNKNOWN, REJECTD, ENROUTE, or the SMSC's own word
    error: str | None  # the network's or SMSC's own code
    done: str | None  # as written, see `done_ms`
    intermediate: bool = False  # a notification on the way, whatever state it tells


def is_receipt(pdu: Pdu) -> bool:
    """Whether this deliver_sm or data_sm is about a message of ours, rather than a message to us."""
    return isinstance(pdu, DeliverSm | DataSm) and pdu.esm_class & _MESSAGE_TYPE in {_RECEIPT, _INTERMEDIATE}


def parse(pdu: DeliverSm | DataSm) -> Receipt:
    """Read a receipt: its TLVs where it has them, otherwise its text. What cannot be read is empty, never an error."""
    fields = _read_text(_text_of(pdu))
    state = tlvs.integer(pdu.tlvs, tlvs.MESSAGE_STATE)
    written = fields.get("stat", "").upper()
    return Receipt(
        message_id=(tlvs.text(pdu.tlvs, tlvs.RECEIPTED_MESSAGE_ID) or "").strip() or fields.get("id", ""),
        state=_STATES.get(-1 if state is None else state) or _SPELLED.get(written, written) or "UNKNOWN",
        error=fields.get("err") or _network_error(pdu),
        done=fields.get("done date"),
        intermediate=pdu.esm_class & _MESSAGE_TYPE == _INTERMEDIATE,
    )


def state_name(message_state: int) -> str:
    """Return the word for a message_state (§5.2.28), as receipts and answers to query_sm have it."""
    return _STATES.get(message_state, "UNKNOWN")


def done_ms(written: str | None, near_ms: int, zone: tzinfo = UTC) -> int | None:
    """Return when a message was done, or None when that cannot be read.

    Dates have 10 digits (YYMMDDhhmm, Appendix B), 12 (with seconds, or with the century) or 14 (with both), and where
    they have a zone, it is that of §7.1.1 (tenths, quarters of an hour, + or -), ±hh:mm, or Z.

    Args:
        written: as in the receipt.
        near_ms: a moment that is not far from it: twelve digits may mean two things, and the nearer one is meant.
        zone: of the SMSC's clock, for dates without one.
    """
    found = _DATE.fullmatch((written or "").strip())
    if found is None:
        return None
    digits, _, quarters, way, sign, hours, minutes = found.groups()
    if quarters:
        zone = timezone(timedelta(minutes=15 * int(quarters)) * (1 if way == "+" else -1))
    elif sign:
        zone = timezone(timedelta(hours=int(hours) % 24, minutes=int(minutes) % 60) * (1 if sign == "+" else -1))
    elif found[0].endswith("Z"):
        zone = UTC
    moments = [moment for form in _FORMATS[len(digits)] if (moment := _moment(digits, form, zone)) is not None]
    return min(moments, key=lambda moment: abs(moment - near_ms), default=None)


def _moment(digits: str, form: str, zone: tzinfo) -> int | None:
    try:
        return int(datetime.strptime(digits, form).replace(tzinfo=zone).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _network_error(pdu: DeliverSm | DataSm) -> str | None:
    """Return network_error_code (§5.3.2.31): the network's type, and its code."""
    value = pdu.tlvs.get(tlvs.NETWORK_ERROR_CODE, b"")
    return f"{value[0]}:{int.from_bytes(value[1:])}" if len(value) == 3 else None  # noqa: PLR2004 - as specified


def _text_of(pdu: DeliverSm | DataSm) -> str:
    octets = pdu.tlvs.get(tlvs.MESSAGE_PAYLOAD, b"")
    if isinstance(pdu, DeliverSm) and pdu.short_message:
        octets = pdu.short_message
    if pdu.esm_class & _UDHI and octets and octets[0] < len(octets):
        octets = octets[octets[0] + 1 :]
    # What the text is in shows in the text: data_coding 8 may stand over ASCII, and 0 over UCS-2.
    if octets[:1] == b"\0" or octets[:2] == b"\xfe\xff":
        return octets.decode("utf-16-be", errors="replace").lstrip("\ufeff")
    if octets[1:2] == b"\0" or octets[:2] == b"\xff\xfe":
        return octets.decode("utf-16-le", errors="replace").lstrip("\ufeff")
    return octets.decode("latin-1").replace("\0", " ")  # SMSCs write C strings into it


def _read_text(text: str) -> dict[str, str]:
    """Fields by key; of keys that come twice the first. What follows "text:" is content, and may look like anything.

    Only a state at the very end counts even so, where there is no other: some write it behind the content, unseparated.
    """
    fields: dict[str, str] = {}
    for key, value in _FIELD.findall(_TEXT.split(text, maxsplit=1)[0]):
        if value:
            fields.setdefault(_KEYS[key.lower()], value)
    if "stat" not in fields and "id" in fields and (glued := _GLUED_STATE.search(text)):
        fields["stat"] = glued[1]
    return fields
