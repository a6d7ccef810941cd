"""Delivery receipts (SMPP 3.4 Appendix B): which messages are receipts, and what became of which message of ours.

Only esm_class says what is a receipt: a subscriber may well type "id:1 stat:DELIVRD".
"""

import re
from typing import Final

import msgspec

from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, DeliverSm, Pdu

# esm_class, bits 5 to 2 (§5.2.12): SMSC delivery receipt, and intermediate notification in the same format
_MESSAGE_TYPE: Final = 0x3C
_RECEIPTS: Final = frozenset({0x04, 0x20})
_UCS2: Final = 0x08  # data_coding of SMSCs that write even receipts in it

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
_SPELLED: Final = {
    "DELIVERED": "DELIVRD",
    "UNDELIVERABLE": "UNDELIV",
    "UNDELIVERED": "UNDELIV",
    "ACCEPTED": "ACCEPTD",
    "REJECTED": "REJECTD",
}
_KEYS: Final = "id|sub|dlvrd|submit date|done date|stat|err"
_FIELD: Final = re.compile(rf"(?<![a-z])({_KEYS})\s*:\s*((?!(?:{_KEYS}|text)\s*:)\S*)", re.IGNORECASE)
_TEXT: Final = re.compile(r"(?<![a-z])text\s*:", re.IGNORECASE)


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What an SMSC says about a message of ours."""

    message_id: str  # as written by the SMSC; empty when it named none
    state: str  # DELIVRD, EXPIRED, DELETED, UNDELIV, ACCEPTD, UNKNOWN, REJECTD, ENROUTE, or the SMSC's own word
    error: str | None  # the network's or SMSC's own code
    done: str | None  # YYMMDDhhmm[ss] in the SMSC's time zone, as written


def is_receipt(pdu: Pdu) -> bool:
    """Whether this deliver_sm or data_sm is about a message of ours, rather than a message to us."""
    return isinstance(pdu, DeliverSm | DataSm) and pdu.esm_class & _MESSAGE_TYPE in _RECEIPTS


def parse(pdu: DeliverSm | DataSm) -> Receipt:
    """Read a receipt: its TLVs where it has them, otherwise its text. What cannot be read is empty, never an error."""
    fields = _read_text(_text_of(pdu))
    state = tlvs.integer(pdu.tlvs, tlvs.MESSAGE_STATE)
    written = fields.get("stat", "").upper()
    return Receipt(
        message_id=tlvs.text(pdu.tlvs, tlvs.RECEIPTED_MESSAGE_ID) or fields.get("id", ""),
        state=_STATES.get(-1 if state is None else state) or _SPELLED.get(written, written) or "UNKNOWN",
        error=fields.get("err"),
        done=fields.get("done date"),
    )


def _text_of(pdu: DeliverSm | DataSm) -> str:
    octets = pdu.tlvs.get(tlvs.MESSAGE_PAYLOAD, b"")
    if isinstance(pdu, DeliverSm) and pdu.short_message:
        octets = pdu.short_message
    if pdu.data_coding == _UCS2:
        return octets.decode("utf-16-be", errors="replace")
    return octets.decode("latin-1")


def _read_text(text: str) -> dict[str, str]:
    """Fields by key; of keys that come twice the first. What follows "text:" is content, and may look like anything."""
    fields: dict[str, str] = {}
    for key, value in _FIELD.findall(_TEXT.split(text, maxsplit=1)[0]):
        if value:
            fields.setdefault(key.lower(), value)
    return fields
