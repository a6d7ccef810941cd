"""Messages of subscribers as an SMSC would deliver them, and as none should."""

from typing import Any

import msgspec
import pytest

from smsgw.errors import TextError
from smsgw.simulator import messages
from smsgw.simulator.steps import Deliver
from smsgw.smpp import tlvs
from smsgw.smpp.codec import decode, encode
from smsgw.smpp.pdus import DataSm, DeliverSm


def build(text: str = "SUN", **fields: Any) -> list[DeliverSm | DataSm]:
    pdus = messages.build(msgspec.convert(fields, Deliver), "359881", "1234", text, 0x1FF)
    for pdu in pdus:
        assert decode(encode(pdu, 1)) == msgspec.structs.replace(pdu, sequence_number=1)
    return pdus


def octets(pdus: list[DeliverSm | DataSm]) -> list[str]:
    return [pdu.short_message.hex() for pdu in pdus if isinstance(pdu, DeliverSm)]


@pytest.mark.parametrize(
    ("data_coding", "text", "expected"),
    [
        (None, "@", "00"),
        (None, "я", "044f"),
        (0, "@", "00"),
        (1, "@", "40"),
        (3, "Å", "c5"),
        (4, "я", "d18f"),
        (5, "ア", "8341"),
        (6, "я", "ef"),
        (7, "א", "e0"),
        (8, "😀", "d83dde00"),
        (10, "a", "61"),
        (14, "가", "b0a1"),
        (0x10, "@", "00"),
        (0x14, "@", "40"),
        (0x18, "@", "0040"),
        (0xF0, "@", "00"),
        (0xF5, "@", "40"),
    ],
)
def test_a_text_in_its_data_coding(data_coding: int | None, text: str, expected: str) -> None:
    fields = {} if data_coding is None else {"data_coding": data_coding}
    assert octets(build(text, **fields)) == [expected]


@pytest.mark.parametrize("data_coding", [0, 1, 3, 0xF0])
def test_a_text_that_its_data_coding_does_not_carry(data_coding: int) -> None:
    with pytest.raises(TextError, match=f"data_coding {data_coding} does not carry the text"):
        build("я", data_coding=data_coding)


def test_parts_are_sent_as_they_are_told() -> None:
    assert octets(build("ABCD", cut=2)) == ["050003ff02014142", "050003ff02024344"]
    assert octets(build("ABCD", cut=2, send=[2, 2, 0])) == ["050003ff02024344", "050003ff02024344", "050003ff02004142"]
    assert octets(build("ABCD", cut=2, header="udh16")) == ["06080401ff02014142", "06080401ff02024344"]
    assert octets(build("AB", total=255, send=[1])) == ["050003ffff014142"]
    [one, two] = build("ABCD", cut=2, header="sar", send=[2, 1])
    assert one.tlvs == {
        tlvs.SAR_MSG_REF_NUM: b"\1\xff",
        tlvs.SAR_TOTAL_SEGMENTS: b"\2",
        tlvs.SAR_SEGMENT_SEQNUM: b"\2",
    }
    assert (one.esm_class, octets([two])) == (0, ["4142"])


def test_a_long_text_is_cut_as_the_radio_does() -> None:
    assert [len(pdu.short_message) for pdu in build("x" * 161) if isinstance(pdu, DeliverSm)] == [159, 14]
    with pytest.raises(TextError, match="256 parts; 255 are allowed"):
        build("x" * 256, cut=1)


def test_other_forms() -> None:
    [one] = build("x" * 300, form="message_payload", tlvs={"0x1400": "0a"})
    assert one.tlvs == {0x1400: b"\n", tlvs.MESSAGE_PAYLOAD: b"x" * 300}
    [one] = build(form="data_sm")
    assert (type(one), one.tlvs) == (DataSm, {tlvs.MESSAGE_PAYLOAD: b"SUN"})
    assert octets(build(octets="00ff", data_coding=4)) == ["00ff"]
