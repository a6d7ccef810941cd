"""Delivery receipts as most SMSCs write them (SMPP 3.4 Appendix B), with the TLVs of §5.3.2.12 and §5.3.2.35."""

from datetime import UTC, datetime
from typing import Final, Literal

from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, DeliverSm, SubmitSm

State = Literal["DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"]

RECEIPT: Final = 0x04  # esm_class: SMSC delivery receipt (§5.2.12)
_NUMBERS: Final[dict[State, int]] = {
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


def is_wanted(registered_delivery: int, state: State) -> bool:
    """Whether the sender asked for a receipt that says this."""
    wish = registered_delivery & 3
    return wish == _ALWAYS or (wish == _ON_FAILURE and state not in {"DELIVRD", "ACCEPTD"})


def write(pdu: SubmitSm | DataSm, message_id: str, state: State, *, submitted_ms: int, done_ms: int) -> DeliverSm:
    """Return the receipt for a submitted message; times in UTC."""
    delivered = int(state == "DELIVRD")
    octets = pdu.short_message if isinstance(pdu, SubmitSm) else b""
    said = (
        f"id:{message_id} sub:001 dlvrd:{delivered:03} "
        f"submit date:{_minute(submitted_ms)} done date:{_minute(done_ms)} "
        f"stat:{state} err:{1 - delivered:03} text:"
    )
    return DeliverSm(
        source_addr_ton=pdu.dest_addr_ton,
        source_addr_npi=pdu.dest_addr_npi,
        source_addr=pdu.destination_addr,
        dest_addr_ton=pdu.source_addr_ton,
        dest_addr_npi=pdu.source_addr_npi,
        destination_addr=pdu.source_addr,
        esm_class=RECEIPT,
        short_message=said.encode() + _printable(octets),
        tlvs={
            tlvs.RECEIPTED_MESSAGE_ID: message_id.encode() + b"\0",
            tlvs.MESSAGE_STATE: bytes((_NUMBERS[state],)),
        },
    )


def _minute(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%y%m%d%H%M}"


def _printable(octets: bytes) -> bytes:
    """Keep letters, digits and spaces: a receipt is in the default alphabet, whatever the message was in."""
    return bytes(one if chr(one).isalnum() and one < 0x80 else 0x20 for one in octets[:_TEXT_OCTETS])  # noqa: PLR2004 - ASCII
