"""Every SMPP 3.4 PDU that an ESME or an SMSC meets, as frozen values named and spelled as in the specification (§4)."""

from typing import ClassVar, Final

import msgspec

RESPONSE_BIT: Final = 0x80000000


class Pdu(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What all PDUs have: the header (§3.2) and optional parameters.

    C-octet strings are ``str`` (latin-1: every octet is one character, so nothing is lost), octet strings ``bytes``.
    ``gc=False`` is safe because the fields cannot refer back, and spares the collector 10,000 values a second.
    """

    command_id: ClassVar[int]
    name: ClassVar[str]

    sequence_number: int = 0  # set on PDUs that were decoded; the session numbers those that are sent
    command_status: int = 0  # always 0 in requests
    tlvs: dict[int, bytes] = msgspec.field(default_factory=dict)  # tag → raw value, in order; of duplicates the last


class _Bind(Pdu, frozen=True, kw_only=True, gc=False):
    system_id: str = ""
    password: str = ""
    system_type: str = ""
    interface_version: int = 0x34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(system_id={self.system_id!r}, password=***)"


class BindTransmitter(_Bind, frozen=True, kw_only=True, gc=False):
    """ESME → SMSC: the ESME wants to send (§4.1.1)."""

    command_id: ClassVar[int] = 0x00000002
    name: ClassVar[str] = "bind_transmitter"


class BindReceiver(_Bind, frozen=True, kw_only=True, gc=False):
    """ESME → SMSC: the ESME wants to receive (§4.1.3)."""

    command_id: ClassVar[int] = 0x00000001
    name: ClassVar[str] = "bind_receiver"


class BindTransceiver(_Bind, frozen=True, kw_only=True, gc=False):
    """ESME → SMSC: the ESME wants both (§4.1.5)."""

    command_id: ClassVar[int] = 0x00000009
    name: ClassVar[str] = "bind_transceiver"


class BindTransmitterResp(Pdu, frozen=True, kw_only=True, gc=False):
    """SMSC → ESME (§4.1.2)."""

    command_id: ClassVar[int] = 0x80000002
    name: ClassVar[str] = "bind_transmitter_resp"

    system_id: str = ""


class BindReceiverResp(Pdu, frozen=True, kw_only=True, gc=False):
    """SMSC → ESME (§4.1.4)."""

    command_id: ClassVar[int] = 0x80000001
    name: ClassVar[str] = "bind_receiver_resp"

    system_id: str = ""


class BindTransceiverResp(Pdu, frozen=True, kw_only=True, gc=False):
    """SMSC → ESME (§4.1.6)."""

    command_id: ClassVar[int] = 0x80000009
    name: ClassVar[str] = "bind_transceiver_resp"

    system_id: str = ""


class Outbind(Pdu, frozen=True, kw_only=True, gc=False):
    """SMSC → ESME: please bind as a receiver; has no response (§4.1.7)."""

    command_id: ClassVar[int] = 0x0000000B
    name: ClassVar[str] = "outbind"

    system_id: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(system_id={self.system_id!r}, password=***)"


class Unbind(Pdu, frozen=True, kw_only=True, gc=False):
    """Either way: the session ends (§4.2.1)."""

    command_id: ClassVar[int] = 0x00000006
    name: ClassVar[str] = "unbind"


class UnbindResp(Pdu, frozen=True, kw_only=True, gc=False):
    """Either way (§4.2.2)."""

    command_id: ClassVar[int] = 0x80000006
    name: ClassVar[str] = "unbind_resp"


class GenericNack(Pdu, frozen=True, kw_only=True, gc=False):
    """Either way: a PDU could not be read at all (§4.3.1)."""

    command_id: ClassVar[int] = 0x80000000
    name: ClassVar[str] = "generic_nack"


class EnquireLink(Pdu, frozen=True, kw_only=True, gc=False):
    """Either way: are you there (§4.11.1)."""

    command_id: ClassVar[int] = 0x00000015
    name: ClassVar[str] = "enquire_link"


class EnquireLinkResp(Pdu, frozen=True, kw_only=True, gc=False):
    """Either way (§4.11.2)."""

    command_id: ClassVar[int] = 0x80000015
    name: ClassVar[str] = "enquire_link_resp"


class _Message(Pdu, frozen=True, kw_only=True, gc=False):
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""  # sm_length is derived from it


class SubmitSm(_Message, frozen=True, kw_only=True, gc=False):
    """ESME → SMSC: an MT (§4.4.1)."""

    command_id: ClassVar[int] = 0x00000004
    name: ClassVar[str] = "submit_sm"


class SubmitSmResp(Pdu, frozen=True, kw_only=True, gc=False):
    """SMSC → ESME (§4.4.2)."""

    command_id: ClassVar[int] = 0x80000004
    name: ClassVar[str] = "submit_sm_resp"

    message_id: str = ""


class DeliverSm(_Message, frozen=True, kw_only=True, gc=False):
    """SMSC → ESME: an MO or a receipt (§4.6.1)."""

    command_id: ClassVar[int] = 0x00000005
    name: ClassVar[str] = "deliver_sm"


class DeliverSmResp(Pdu, frozen=True, kw_only=True, gc=False):
    """ESME → SMSC; message_id is unused and stays empty (§4.6.2)."""

    command_id: ClassVar[int] = 0x80000005
    name: ClassVar[str] = "deliver_sm_resp"

    message_id: str = ""


class DataSm(Pdu, frozen=True, kw_only=True, gc=False):
    """Either way: a message whose text is in the message_payload TLV (§4.7.1)."""

    command_id: ClassVar[int] = 0x00000103
    name: ClassVar[str] = "data_sm"

    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0


class DataSmResp(Pdu, frozen=True, kw_only=True, gc=False):
    """Either way (§4.7.2)."""

    command_id: ClassVar[int] = 0x80000103
    name: ClassVar[str] = "data_sm_resp"

    message_id: str = ""


class QuerySm(Pdu, frozen=True, kw_only=True, gc=False):
    """ESME → SMSC: what became of my message (§4.8.1)."""

    command_id: ClassVar[int] = 0x00000003
    name: ClassVar[str] = "query_sm"

    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""


class QuerySmResp(Pdu, frozen=True, kw_only=True, gc=False):
    """SMSC → ESME (§4.8.2)."""

    command_id: ClassVar[int] = 0x80000003
    name: ClassVar[str] = "query_sm_resp"

    message_id: str = ""
    final_date: str = ""
    message_state: int = 0
    error_code: int = 0


class CancelSm(Pdu, frozen=True, kw_only=True, gc=False):
    """ESME → SMSC: do not deliver (§4.9.1)."""

    command_id: ClassVar[int] = 0x00000008
    name: ClassVar[str] = "cancel_sm"

    service_type: str = ""
    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""


class CancelSmResp(Pdu, frozen=True, kw_only=True, gc=False):
    """SMSC → ESME (§4.9.2)."""

    command_id: ClassVar[int] = 0x80000008
    name: ClassVar[str] = "cancel_sm_resp"


class ReplaceSm(Pdu, frozen=True, kw_only=True, gc=False):
    """ESME → SMSC: deliver this text instead (§4.10.1)."""

    command_id: ClassVar[int] = 0x00000007
    name: ClassVar[str] = "replace_sm"

    message_id: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""  # sm_length is derived from it


class ReplaceSmResp(Pdu, frozen=True, kw_only=True, gc=False):
    """SMSC → ESME (§4.10.2)."""

    command_id: ClassVar[int] = 0x80000007
    name: ClassVar[str] = "replace_sm_resp"


class AlertNotification(Pdu, frozen=True, kw_only=True, gc=False):
    """SMSC → ESME: the subscriber can be reached again; has no response (§4.12.1)."""

    command_id: ClassVar[int] = 0x00000102
    name: ClassVar[str] = "alert_notification"

    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: str = ""


ALL: Final[tuple[type[Pdu], ...]] = (
    BindTransmitter,
    BindReceiver,
    BindTransceiver,
    BindTransmitterResp,
    BindReceiverResp,
    BindTransceiverResp,
    Outbind,
    Unbind,
    UnbindResp,
    GenericNack,
    EnquireLink,
    EnquireLinkResp,
    SubmitSm,
    SubmitSmResp,
    DeliverSm,
    DeliverSmResp,
    DataSm,
    DataSmResp,
    QuerySm,
    QuerySmResp,
    CancelSm,
    CancelSmResp,
    ReplaceSm,
    ReplaceSmResp,
    AlertNotification,
)
BY_ID: Final[dict[int, type[Pdu]]] = {pdu.command_id: pdu for pdu in ALL}
# request → its response; outbind and alert_notification have none
RESPONSE_TO: Final[dict[type[Pdu], type[Pdu]]] = {
    pdu: BY_ID[pdu.command_id | RESPONSE_BIT]
    for pdu in ALL
    if not pdu.command_id & RESPONSE_BIT and pdu.command_id | RESPONSE_BIT in BY_ID
}
