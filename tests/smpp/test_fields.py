"""The field tables agree with the PDUs' classes, with smpplib's ids, and with SMPP 3.4 where smpplib does not."""

from typing import ClassVar

import pytest

from smsgw.smpp import pdus
from smsgw.smpp.fields import FIELDS, Field, check


def _limits(pdu: type[pdus.Pdu]) -> dict[str, int]:
    return {field.name: field.limit for field in FIELDS[pdu]}


def test_every_pdu_has_its_table() -> None:
    assert FIELDS.keys() == set(pdus.ALL)


def test_deliver_sm_is_in_the_order_of_the_specification() -> None:
    assert [field.name for field in FIELDS[pdus.DeliverSm]] == [
        "service_type",
        "source_addr_ton",
        "source_addr_npi",
        "source_addr",
        "dest_addr_ton",
        "dest_addr_npi",
        "destination_addr",
        "esm_class",
        "protocol_id",
        "priority_flag",
        "schedule_delivery_time",
        "validity_period",
        "registered_delivery",
        "replace_if_present_flag",
        "data_coding",
        "sm_default_msg_id",
        "short_message",
    ]


@pytest.mark.parametrize(
    ("pdu", "field", "limit"),
    [
        (pdus.SubmitSm, "service_type", 5),
        (pdus.SubmitSm, "source_addr", 20),
        (pdus.SubmitSm, "short_message", 254),
        (pdus.SubmitSm, "esm_class", 255),
        (pdus.BindTransceiver, "password", 8),
        (pdus.BindTransceiver, "address_range", 40),
        (pdus.DataSm, "source_addr", 64),
        (pdus.DataSm, "destination_addr", 64),
        (pdus.AlertNotification, "esme_addr", 64),
        (pdus.QuerySmResp, "final_date", 16),
        (pdus.QuerySmResp, "message_state", 255),
        (pdus.Outbind, "password", 8),
        (pdus.CancelSm, "message_id", 64),
        (pdus.ReplaceSm, "short_message", 254),
    ],
)
def test_limits_leave_room_for_the_nul(pdu: type[pdus.Pdu], field: str, limit: int) -> None:
    assert _limits(pdu)[field] == limit


def test_optional_parameters_are_not_mandatory_fields() -> None:
    assert [field.name for field in FIELDS[pdus.BindTransceiverResp]] == ["system_id"]
    assert "message_payload" not in _limits(pdus.DeliverSm)


class _Misnumbered(pdus.Pdu, frozen=True, kw_only=True):
    command_id: ClassVar[int] = 0x00000099
    name: ClassVar[str] = "unbind"


class _Ours(pdus.Pdu, frozen=True, kw_only=True):
    command_id: ClassVar[int] = 0x00000099
    name: ClassVar[str] = "ours"

    number: int = 0


@pytest.mark.parametrize(
    ("pdu", "fields", "complaint"),
    [
        (_Misnumbered, (), "command_id"),
        (_Ours, (), "number"),
        (_Ours, (Field(name="other", kind="integer", limit=255),), "number.*other"),
        (_Ours, (Field(name="number", kind="integer", limit=65535),), "more than one octet"),
    ],
)
def test_a_disagreement_stops_the_import(pdu: type[pdus.Pdu], fields: tuple[Field, ...], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        check(pdu, fields)
