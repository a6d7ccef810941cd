"""The submit_sm of a message: its row says what is its own, the link's settings of now say the rest."""

from typing import Any

from msgspec import structs

from smsgw.links.submission import Form
from smsgw.settings.submission import Tlv
from smsgw.smpp import codec, tlvs
from smsgw.smpp.pdus import SubmitSm
from tests.links.doubles import outgoing, settings

NOW = 1_785_499_200_000  # 2026-07-31T12:00Z


def filled(link: dict[str, object] | None = None, **row: object) -> SubmitSm:
    message = outgoing("mt_1")
    message = structs.replace(message, row=structs.replace(message.row, **row))
    pdu = Form(settings(2775, **(link or {}))).fill(message, NOW)
    assert codec.decode(codec.encode(pdu, 1)) == structs.replace(pdu, sequence_number=1), "it can be written as it is"
    return pdu


def test_by_default_the_row_is_all_that_is_said() -> None:
    assert filled(registered=1) == SubmitSm(
        source_addr="1234",
        source_addr_npi=1,
        destination_addr="359888123456",
        dest_addr_ton=1,
        dest_addr_npi=1,
        registered_delivery=1,
        short_message=b"Your code is AB34",
    )


def test_what_the_link_says_counts_where_the_row_says_nothing() -> None:
    link = {"service_type": "LINK", "protocol_id": 5, "priority_flag": 1, "messaging_mode": "store_and_forward"}
    pdu = filled(link, esm_class=0x40)
    assert (pdu.service_type, pdu.protocol_id, pdu.priority_flag, pdu.esm_class) == ("LINK", 5, 1, 0x43)
    pdu = filled(link, service_type="ROW", protocol_id=0, priority=2)
    assert (pdu.service_type, pdu.protocol_id, pdu.priority_flag, pdu.esm_class) == ("ROW", 0, 2, 0x03)
    assert filled(priority=9).priority_flag == 3
    assert [filled({"messaging_mode": mode}).esm_class for mode in ("default", "datagram", "forward")] == [0, 1, 2]


def test_receipts_are_asked_for_as_the_link_says_where_they_are_asked_for() -> None:
    assert filled({"receipts_of": "failures"}, registered=1).registered_delivery == 2
    assert filled({"receipts_intermediate": True}, registered=1).registered_delivery == 0x11
    assert filled({"receipts_of": "failures", "receipts_intermediate": True}, registered=1).registered_delivery == 0x12
    assert filled({"receipts_intermediate": True}, registered=0).registered_delivery == 0


def test_the_smsc_is_told_how_long_it_is_to_try() -> None:
    day: dict[str, Any] = {"expires_ms": NOW + 86_400_000}
    assert filled(**day).validity_period == ""
    assert filled({"validity_period": "relative"}, **day).validity_period == "000001000000000R"
    assert filled({"validity_period": "absolute"}, **day).validity_period == "260801120000000+"
    east: dict[str, object] = {"validity_period": "absolute", "time_zone": "Europe/Sofia"}
    assert filled(east, **day).validity_period == "260801150000012+", "in summer time"
    assert filled({"validity_period": "relative"}, expires_ms=NOW - 5).validity_period == "000000000001000R"


def test_only_a_message_of_one_part_replaces_another() -> None:
    assert filled({"replace_if_present": True}).replace_if_present_flag == 1
    assert filled({"replace_if_present": True}, parts=2).replace_if_present_flag == 0


def test_the_row_s_tlvs_go_before_the_link_s() -> None:
    link: dict[str, object] = {
        "tlvs": [Tlv(tag=0x1400, type="int16", value=1), Tlv(tag=0x1401, type="cstring", value="a")]
    }
    assert filled(link).tlvs == {0x1400: b"\0\1", 0x1401: b"a\0"}
    pdu = filled(link, tlvs=tlvs.join({0x1400: b"\0\2", 0x1500: b"mo"}))
    assert pdu.tlvs == {0x1400: b"\0\2", 0x1401: b"a\0", 0x1500: b"mo"}


def test_a_text_whose_place_is_message_payload_goes_there() -> None:
    pdu = filled(tlvs=tlvs.join({tlvs.MESSAGE_PAYLOAD: b""}))
    assert (pdu.short_message, pdu.tlvs) == (b"", {tlvs.MESSAGE_PAYLOAD: b"Your code is AB34"})


def test_one_message_s_tlvs_are_not_the_next_one_s() -> None:
    form = Form(settings(2775, tlvs=[Tlv(tag=1, type="int8", value=1)]))
    message = outgoing("mt_1")
    other = structs.replace(message, row=structs.replace(message.row, tlvs=tlvs.join({2: b"x"})))
    assert form.fill(other, NOW).tlvs == {1: b"\1", 2: b"x"}
    assert form.fill(message, NOW).tlvs == {1: b"\1"}
