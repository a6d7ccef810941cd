"""What the gateway has submitted, as a phone would show it: parts joined, octets decoded."""

from collections import OrderedDict
from typing import Final

import msgspec

from smsgw.errors import TextError
from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, SubmitSm
from smsgw.text import coding, segments
from smsgw.text.segments import UDHI, Part

INCOMPLETE_LIMIT: Final = 1000  # messages of which parts are missing; the oldest is forgotten


class SubmittedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message for a subscriber."""

    source: str
    destination: str
    text: str | None  # None when the octets are not text in their data_coding
    data: bytes  # without headers, parts joined
    data_coding: int
    message_ids: tuple[str, ...]  # one for each part, in the parts' order
    registered_delivery: int
    service_type: str
    tlvs: dict[int, bytes]  # of the part that came last


class Submissions:
    """Joins parts; a part that comes again counts once."""

    def __init__(self) -> None:
        self._incomplete: OrderedDict[tuple[object, ...], dict[int, tuple[Part, str]]] = OrderedDict()

    def add(self, pdu: SubmitSm | DataSm, message_id: str) -> SubmittedMessage | None:
        """Take a submitted PDU; return the message if it is complete now."""
        payload = pdu.tlvs.get(tlvs.MESSAGE_PAYLOAD, b"")
        if isinstance(pdu, SubmitSm) and pdu.short_message:
            payload = pdu.short_message
        part = segments.parse_part(payload, pdu.esm_class, _sar(pdu))
        if part is None:
            body = segments.strip_udh(payload)[1] if pdu.esm_class & UDHI else payload
            return _message(pdu, body, (message_id,))
        key = (pdu.source_addr, pdu.destination_addr, pdu.data_coding, part.wide, part.reference, part.total)
        have = self._incomplete.setdefault(key, {})
        have[part.number] = (part, message_id)
        if len(have) < part.total:
            if len(self._incomplete) > INCOMPLETE_LIMIT:
                self._incomplete.popitem(last=False)
            return None
        del self._incomplete[key]
        whole = [have[number] for number in sorted(have)]
        return _message(pdu, segments.join([one for one, _ in whole]), tuple(mid for _, mid in whole))


def _sar(pdu: SubmitSm | DataSm) -> tuple[int, int, int] | None:
    reference = tlvs.integer(pdu.tlvs, tlvs.SAR_MSG_REF_NUM)
    total = tlvs.integer(pdu.tlvs, tlvs.SAR_TOTAL_SEGMENTS)
    number = tlvs.integer(pdu.tlvs, tlvs.SAR_SEGMENT_SEQNUM)
    return None if reference is None or total is None or number is None else (reference, total, number)


def _message(pdu: SubmitSm | DataSm, data: bytes, message_ids: tuple[str, ...]) -> SubmittedMessage:
    try:
        text = coding.decode(data, pdu.data_coding)
    except TextError:
        text = None
    return SubmittedMessage(
        source=pdu.source_addr,
        destination=pdu.destination_addr,
        text=text,
        data=data,
        data_coding=pdu.data_coding,
        message_ids=message_ids,
        registered_delivery=pdu.registered_delivery,
        service_type=pdu.service_type,
        tlvs=pdu.tlvs,
    )
