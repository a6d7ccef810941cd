"""SMPP 3.4 as octets, written from the specification with ``struct`` alone: nothing of smsgw, no library of its."""

import struct
from typing import Final, NamedTuple

HEADER: Final = struct.Struct(">IIII")

GENERIC_NACK: Final = 0x80000000
BIND_RECEIVER: Final = 0x00000001
BIND_TRANSMITTER: Final = 0x00000002
SUBMIT_SM: Final = 0x00000004
DELIVER_SM: Final = 0x00000005
UNBIND: Final = 0x00000006
BIND_TRANSCEIVER: Final = 0x00000009
ENQUIRE_LINK: Final = 0x00000015
RESPONSE: Final = 0x80000000  # set in the command_id of every response

DELIVER_SM_RESP: Final = DELIVER_SM | RESPONSE
SUBMIT_SM_RESP: Final = SUBMIT_SM | RESPONSE
UNBIND_RESP: Final = UNBIND | RESPONSE
ENQUIRE_LINK_RESP: Final = ENQUIRE_LINK | RESPONSE

BINDS: Final = {BIND_RECEIVER: "receiver", BIND_TRANSMITTER: "transmitter", BIND_TRANSCEIVER: "transceiver"}

OK: Final = 0x00
INVALID_COMMAND_LENGTH: Final = 0x02
INVALID_COMMAND_ID: Final = 0x03
INVALID_PASSWORD: Final = 0x0E
THROTTLED: Final = 0x58
TRY_AGAIN: Final = 0x64  # ESME_RX_T_APPN


class Pdu(NamedTuple):
    """A PDU as it travels."""

    command: int
    status: int
    sequence: int
    body: bytes


class Submit(NamedTuple):
    """The mandatory fields of a submit_sm that matter here (§4.4.1)."""

    source: str
    destination: str
    esm_class: int
    registered_delivery: int
    data_coding: int
    text: bytes


def pack(command: int, sequence: int, *, status: int = 0, body: bytes = b"") -> bytes:
    """Return a PDU."""
    return HEADER.pack(HEADER.size + len(body), command, status, sequence) + body


def cut(buffer: bytearray) -> list[Pdu]:
    """Take all whole PDUs from the front of a buffer."""
    pdus, start = [], 0
    while len(buffer) - start >= HEADER.size:
        length, command, status, sequence = HEADER.unpack_from(buffer, start)
        if not HEADER.size <= length <= 70_000:
            raise ValueError(f"command_length {length}")
        if len(buffer) - start < length:
            break
        pdus.append(Pdu(command, status, sequence, bytes(buffer[start + HEADER.size : start + length])))
        start += length
    del buffer[:start]
    return pdus


def deliver_sm(source: str, destination: str, text: bytes, *, esm_class: int = 0, data_coding: int = 0) -> bytes:
    """Return the body of a deliver_sm (§4.6.1): international ISDN number to a short code."""
    return b"".join(
        (
            b"\0",  # service_type
            bytes((1, 1)) + source.encode() + b"\0",
            bytes((0, 1)) + destination.encode() + b"\0",
            bytes((esm_class, 0, 0)),  # protocol_id, priority_flag
            b"\0\0",  # schedule_delivery_time, validity_period
            bytes((0, 0, data_coding, 0)),  # registered_delivery, replace_if_present_flag, sm_default_msg_id
            bytes((len(text),)) + text,
        )
    )


def submit_sm(body: bytes) -> Submit:
    """Read the body of a submit_sm, and insist that nothing of its mandatory part is missing or left over."""
    at = _after_string(body, 0)  # service_type
    source, at = _string(body, at + 2)
    destination, at = _string(body, at + 2)
    esm_class = body[at]
    at = _after_string(body, _after_string(body, at + 3))  # schedule_delivery_time, validity_period
    registered, _, data_coding, _, length = body[at : at + 5]
    text = body[at + 5 : at + 5 + length]
    if len(text) != length or at + 5 + length != len(body):
        raise ValueError("sm_length does not fit")
    return Submit(source, destination, esm_class, registered, data_coding, text)


def bind(body: bytes) -> tuple[str, str]:
    """Return system_id and password of a bind (§4.1)."""
    system_id, at = _string(body, 0)
    password, _ = _string(body, at)
    return system_id, password


def _string(body: bytes, at: int) -> tuple[str, int]:
    end = body.index(0, at)
    return body[at:end].decode("ascii"), end + 1


def _after_string(body: bytes, at: int) -> int:
    return body.index(0, at) + 1
