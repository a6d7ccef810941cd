"""Optional parameters (SMPP 3.4 §5.3): kept raw, tag → octets, with readers that make text and numbers of them."""

import struct
from typing import TYPE_CHECKING, Final

from smsgw.errors import PduError
from smsgw.smpp import status

if TYPE_CHECKING:
    from smsgw.smpp.pdus import Pdu

DEST_ADDR_SUBUNIT: Final = 0x0005
DEST_NETWORK_TYPE: Final = 0x0006
DEST_BEARER_TYPE: Final = 0x0007
DEST_TELEMATICS_ID: Final = 0x0008
SOURCE_ADDR_SUBUNIT: Final = 0x000D
SOURCE_NETWORK_TYPE: Final = 0x000E
SOURCE_BEARER_TYPE: Final = 0x000F
SOURCE_TELEMATICS_ID: Final = 0x0010
QOS_TIME_TO_LIVE: Final = 0x0017
PAYLOAD_TYPE: Final = 0x0019
ADDITIONAL_STATUS_INFO_TEXT: Final = 0x001D
RECEIPTED_MESSAGE_ID: Final = 0x001E
MS_MSG_WAIT_FACILITIES: Final = 0x0030
PRIVACY_INDICATOR: Final = 0x0201
SOURCE_SUBADDRESS: Final = 0x0202
DEST_SUBADDRESS: Final = 0x0203
USER_MESSAGE_REFERENCE: Final = 0x0204
USER_RESPONSE_CODE: Final = 0x0205
SOURCE_PORT: Final = 0x020A
DESTINATION_PORT: Final = 0x020B
SAR_MSG_REF_NUM: Final = 0x020C
LANGUAGE_INDICATOR: Final = 0x020D
SAR_TOTAL_SEGMENTS: Final = 0x020E
SAR_SEGMENT_SEQNUM: Final = 0x020F
SC_INTERFACE_VERSION: Final = 0x0210
CALLBACK_NUM_PRES_IND: Final = 0x0302
CALLBACK_NUM_ATAG: Final = 0x0303
NUMBER_OF_MESSAGES: Final = 0x0304
CALLBACK_NUM: Final = 0x0381
DPF_RESULT: Final = 0x0420
SET_DPF: Final = 0x0421
MS_AVAILABILITY_STATUS: Final = 0x0422
NETWORK_ERROR_CODE: Final = 0x0423
MESSAGE_PAYLOAD: Final = 0x0424
DELIVERY_FAILURE_REASON: Final = 0x0425
MORE_MESSAGES_TO_SEND: Final = 0x0426
MESSAGE_STATE: Final = 0x0427
USSD_SERVICE_OP: Final = 0x0501
DISPLAY_TIME: Final = 0x1201
SMS_SIGNAL: Final = 0x1203
MS_VALIDITY: Final = 0x1204
ALERT_ON_MESSAGE_DELIVERY: Final = 0x130C
ITS_REPLY_TYPE: Final = 0x1380
ITS_SESSION_INFO: Final = 0x1383

_HEAD: Final = struct.Struct(">HH")  # tag, length
_HEAD_BYTES: Final = _HEAD.size
_LONGEST_INTEGER: Final = 8  # octets


def text(tlvs: dict[int, bytes], tag: int) -> str | None:
    """Return a C-octet string's characters (latin-1), whether or not it has its NUL; None when there is no such TLV."""
    value = tlvs.get(tag)
    return None if value is None else value.partition(b"\0")[0].decode("latin-1")


def integer(tlvs: dict[int, bytes], tag: int) -> int | None:
    """Return a big-endian number of 1 to 8 octets, whatever length the specification gives it; None otherwise."""
    value = tlvs.get(tag)
    if value is None or not 0 < len(value) <= _LONGEST_INTEGER:
        return None
    return int.from_bytes(value, "big")


def read_tlvs(frame: bytes, start: int) -> dict[int, bytes]:
    """Read the TLVs from ``start`` to the end of the frame; vendors' tags like any other.

    Raises:
        PduError: a length runs past the end, or what is left is neither a TLV nor up to three octets of padding.
    """
    tlvs: dict[int, bytes] = {}
    end = len(frame)
    while start + _HEAD_BYTES <= end:
        tag, length = _HEAD.unpack_from(frame, start)
        start += _HEAD_BYTES
        stop = start + length
        if stop > end:
            raise PduError("a TLV is longer than the PDU", command_status=status.ESME_RINVPARLEN)
        tlvs[tag] = frame[start:stop]
        start = stop
    if any(frame[start:]):
        raise PduError("the PDU ends inside a TLV", command_status=status.ESME_RINVOPTPARSTREAM)
    return tlvs


def join(tlvs: dict[int, bytes]) -> bytes:
    """Write TLVs in their order, each of a tag and a length that fit 16 bits."""
    return b"".join(_HEAD.pack(tag, len(value)) + value for tag, value in tlvs.items())


def write_tlvs(pdu: "Pdu") -> bytes:
    """Write a PDU's TLVs in their order.

    Raises:
        PduError: a tag or a length is not between 0 and 65535.
    """
    try:
        return join(pdu.tlvs)
    except (struct.error, TypeError) as error:
        raise PduError(
            f"{pdu.name}: a TLV needs a tag from 0 to 65535 and at most 65535 octets",
            command_status=status.ESME_RINVPARLEN,
            command_id=pdu.command_id,
        ) from error
