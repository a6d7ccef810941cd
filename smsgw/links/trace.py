"""A look at what travels on a link: every PDU on a line of the log, masked, and the octets in a capture file.

Taps on a connection's octets, in both directions. It is switched on for a time and for one link (`Traces`); while it is
off it costs nothing. What goes wrong in here never harms the connection.
"""

from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct, structs

from smsgw.errors import PduError
from smsgw.kit.logs import get_logger
from smsgw.kit.pcap import CaptureFile, Flow
from smsgw.smpp import pdus, receipt, status, tlvs
from smsgw.smpp.codec import decode, decode_header, encode
from smsgw.smpp.framing import Framer
from smsgw.smpp.pdus import Pdu

log = get_logger(__name__)

Direction = Literal["in", "out"]

_MOST_PDU_BYTES: Final = 65_536
_NO_BODY: Final = frozenset({"sequence_number", "command_status", "tlvs"})
_HIDDEN: Final = frozenset({"password", "short_message"})  # told by their length, or not at all
_BINDS: Final = (pdus.BindTransceiver, pdus.BindTransmitter, pdus.BindReceiver, pdus.Outbind)
# TLVs whose values tell of the message's way, not of its content; of all others only the length is told.
_TOLD: Final = {
    tlvs.SAR_MSG_REF_NUM: "sar_msg_ref_num",
    tlvs.SAR_TOTAL_SEGMENTS: "sar_total_segments",
    tlvs.SAR_SEGMENT_SEQNUM: "sar_segment_seqnum",
    tlvs.MESSAGE_STATE: "message_state",
    tlvs.NETWORK_ERROR_CODE: "network_error_code",
    tlvs.DELIVERY_FAILURE_REASON: "delivery_failure_reason",
    tlvs.SC_INTERFACE_VERSION: "sc_interface_version",
    tlvs.USER_MESSAGE_REFERENCE: "user_message_reference",
    tlvs.MORE_MESSAGES_TO_SEND: "more_messages_to_send",
    tlvs.PAYLOAD_TYPE: "payload_type",
}


class Tracing(Struct, frozen=True):
    """That a link is looked at."""

    file: CaptureFile | None  # None: lines only


class Tracer:
    """What looks on while one connection works.

    Args:
        link: the link's name.
        bind: which of its binds.
        file: the capture file; None: lines only.
        ends: tells the addresses of both ends, ours first.
    """

    def __init__(
        self,
        link: str,
        bind: str,
        file: CaptureFile | None,
        ends: Callable[[], tuple[tuple[str, int], tuple[str, int]]],
    ) -> None:
        self._link = link
        self._bind = bind
        self._framers: dict[Direction, Framer] = {"in": Framer(_MOST_PDU_BYTES), "out": Framer(_MOST_PDU_BYTES)}
        self._file = file
        self._flow: Flow | None = None
        self._ends = ends

    def __call__(self, octets: bytes, direction: Direction) -> None:
        """Look at octets that were read ("in") or are about to be written ("out")."""
        try:
            framer = self._framers[direction]
            for frame in framer.feed(octets):
                pdu = _read(frame)
                if pdu is not None:
                    self._tell(pdu, direction, len(frame))
                else:
                    log.info("link.pdu", link=self._link, bind=self._bind, dir=direction, pdu="unreadable")
                self._capture(_without_password(pdu, frame), direction)
            if framer.broken:
                self._framers[direction] = Framer(_MOST_PDU_BYTES)
        except Exception as error:  # nobody's message may suffer from being looked at
            log.error("link.trace_failed", link=self._link, exc_info=error)

    def close(self) -> None:
        """End."""
        if self._flow is not None:
            self._flow.close()
            self._flow = None

    def _capture(self, frame: bytes, direction: Direction) -> None:
        if self._file is None:
            return
        if self._flow is None:
            self._flow = Flow(self._file, *self._ends())
        self._flow.add(frame, outgoing=direction == "out")

    def _tell(self, pdu: Pdu, direction: Direction, size: int) -> None:
        log.info(
            "link.pdu",
            link=self._link,
            bind=self._bind,
            dir=direction,
            pdu=pdu.name,
            sequence=pdu.sequence_number,
            status=status.name(pdu.command_status) if pdu.command_id & pdus.RESPONSE_BIT else None,
            octets=size,
            **fields_of(pdu),
        )


def fields_of(pdu: Pdu) -> dict[str, object]:
    """Return what may be told of a PDU's body: no text, no password; numbers are masked by the log."""
    told: dict[str, object] = {
        name: getattr(pdu, name)
        for name in pdu.__struct_fields__
        if name not in _NO_BODY and name not in _HIDDEN and getattr(pdu, name) not in {0, ""}
    }
    if "esm_class" in told:
        told["esm_class"] = f"0x{told['esm_class']:02x}"
    message = getattr(pdu, "short_message", b"") or pdu.tlvs.get(tlvs.MESSAGE_PAYLOAD, b"")
    if message:
        told["text_octets"] = len(message)
    if isinstance(pdu, pdus.DeliverSm | pdus.DataSm) and receipt.is_receipt(pdu):
        read = receipt.parse(pdu)
        told |= {"receipt_of": read.message_id, "state": read.state, "error": read.error}
    others = []
    for tag, value in pdu.tlvs.items():
        if tag in _TOLD:
            told[_TOLD[tag]] = tlvs.integer(pdu.tlvs, tag)
        elif tag == tlvs.RECEIPTED_MESSAGE_ID:
            told["receipted_message_id"] = tlvs.text(pdu.tlvs, tag)
        else:
            others.append(f"{tag:04x}:{len(value)}")
    return told | ({"tlvs": ",".join(others)} if others else {})


def _read(frame: bytes) -> Pdu | None:
    try:
        return decode(frame)
    except PduError:
        try:
            return decode_header(frame)
        except (PduError, KeyError):
            return None


def _without_password(pdu: Pdu | None, frame: bytes) -> bytes:
    if isinstance(pdu, _BINDS):
        return encode(structs.replace(pdu, password="*" * len(pdu.password)), pdu.sequence_number)
    return frame
