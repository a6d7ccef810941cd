"""The submit_sm that an MT becomes on one link: what its row says, and for the rest the link's settings of now."""

from typing import Final

from smsgw.domain.receipts import zone_of
from smsgw.flows.outgoing import Outgoing
from smsgw.settings import LinkSettings
from smsgw.smpp import times, tlvs
from smsgw.smpp.pdus import SubmitSm

# esm_class, bits 1 and 0 (SMPP 3.4 §5.2.12).
_MODES: Final = {"default": 0, "datagram": 1, "forward": 2, "store_and_forward": 3}
# registered_delivery (§5.2.17).
_RECEIPTS_OF: Final = {"all": 1, "failures": 2}
_INTERMEDIATE: Final = 0x10
_HIGHEST_PRIORITY: Final = 3


class Form:
    """What a link's settings say of each submit_sm.

    Args:
        settings: the link's.
    """

    def __init__(self, settings: LinkSettings) -> None:
        self._settings = settings
        self._zone = zone_of(settings.time_zone)
        self._mode = _MODES[settings.messaging_mode]
        self._registered = _RECEIPTS_OF[settings.receipts_of] | (_INTERMEDIATE * settings.receipts_intermediate)
        self._tlvs = {one.tag: one.octets() for one in settings.tlvs}

    def fill(self, message: Outgoing, now_ms: int) -> SubmitSm:
        """Return the PDU of a message that is sent now."""
        row, settings = message.row, self._settings
        given = self._tlvs
        text = message.payload
        if row.tlvs:
            given = given | tlvs.read_tlvs(row.tlvs, 0)
            if tlvs.MESSAGE_PAYLOAD in given:  # empty: the place of the text, which is sealed
                given[tlvs.MESSAGE_PAYLOAD], text = text, b""
        return SubmitSm(
            service_type=row.service_type or settings.service_type,
            source_addr_ton=row.source_ton,
            source_addr_npi=row.source_npi,
            source_addr=row.source,
            dest_addr_ton=row.dest_ton,
            dest_addr_npi=row.dest_npi,
            destination_addr=row.destination,
            esm_class=row.esm_class | self._mode,
            protocol_id=settings.protocol_id if row.protocol_id is None else row.protocol_id,
            priority_flag=min(max(row.priority, settings.priority_flag), _HIGHEST_PRIORITY),
            validity_period=self._validity(message, now_ms),
            registered_delivery=self._registered if row.registered else 0,
            # Parts share their address: each would replace the one before.
            replace_if_present_flag=int(settings.replace_if_present and row.parts == 1),
            data_coding=row.data_coding,
            short_message=text,
            tlvs=given,
        )

    def _validity(self, message: Outgoing, now_ms: int) -> str:
        way, given_ms = self._settings.validity_period, message.validity_ms
        if way == "none" and given_ms is None:
            return ""
        until_ms = message.row.expires_ms if given_ms is None else now_ms + given_ms
        if way == "absolute":
            return times.absolute(until_ms, self._zone)
        return times.relative(max(1, until_ms - now_ms))
