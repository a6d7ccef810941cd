"""What two sides may say to each other: the older of their versions decides (SMPP 3.4 §3.4, §5.3.2.25).

Below version 3.4 there are no optional parameters, no data_sm and no transceivers.
"""

from typing import Final

import msgspec

from smsgw.errors import PduError, SessionError
from smsgw.smpp import pdus, status
from smsgw.smpp.pdus import Pdu
from smsgw.smpp.tlvs import (
    MESSAGE_PAYLOAD,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    SC_INTERFACE_VERSION,
)

OPTIONAL_SINCE: Final = 0x34
# what a message loses its meaning without
_CONTENT: Final = frozenset({MESSAGE_PAYLOAD, SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM})


def agreed(ours: int, response: Pdu) -> int:
    """Return the version that is spoken after this answer to a bind; an SMSC that names none is taken as it was set.

    The specification would have it that such an SMSC knows no optional parameters. Many of them do, and leave out just
    this one.
    """
    told = response.tlvs.get(SC_INTERFACE_VERSION)
    return min(ours, told[-1]) if told else ours


def without_options(pdu: Pdu) -> Pdu:
    """Return the PDU as a peer below version 3.4 can read it.

    Raises:
        SessionError: that version has no such PDU.
        PduError: the message is nothing without what that version lacks.
    """
    if isinstance(pdu, pdus.DataSm | pdus.BindTransceiver):
        raise SessionError(f"{pdu.name} is not possible below version 3.4")
    if not pdu.tlvs:
        return pdu
    if not _CONTENT.isdisjoint(pdu.tlvs):
        raise PduError(
            f"{pdu.name}: its text is in optional parameters, which the SMSC's version does not have",
            command_status=status.ESME_ROPTPARNOTALLWD,
            command_id=pdu.command_id,
        )
    return msgspec.structs.replace(pdu, tlvs={})
