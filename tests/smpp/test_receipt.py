"""Delivery receipts are recognised by esm_class alone, and read from TLVs first, then from text in any order."""

import pytest
from hypothesis import given, settings, strategies as st

from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, DeliverSm, SubmitSm
from smsgw.smpp.receipt import Receipt, is_receipt, parse

APPENDIX_B = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2401021304 done date:2401021305 stat:DELIVRD err:000 "
    b"text:stat:EXPIRED"
)


@pytest.mark.parametrize(
    ("esm_class", "expected"),
    [
        (0x00, False),
        (0x04, True),
        (0x20, True),
        (0x44, True),
        (0x84, True),
        (0x07, True),
        (0x08, False),
        (0x10, False),
        (0x18, False),
        (0x40, False),
    ],
)
def test_only_esm_class_says_what_is_a_receipt(esm_class: int, expected: bool) -> None:  # noqa: FBT001 - a column
    assert is_receipt(DeliverSm(esm_class=esm_class, short_message=APPENDIX_B)) is expected
    assert is_receipt(DataSm(esm_class=esm_class)) is expected
    assert not is_receipt(SubmitSm(esm_class=esm_class))


@pytest.mark.parametrize(
    ("text", "message_id", "state", "error", "done"),
    [
        (APPENDIX_B, "0123456789", "DELIVRD", "000", "2401021305"),
        (b"stat:EXPIRED err:1 id:aF-09 done date:240102130455", "aF-09", "EXPIRED", "1", "240102130455"),
        (b"ID:7 STAT:delivrd ERR:0", "7", "DELIVRD", "0", None),
        (b"Id: 7 Stat: Undelivered Err: text:", "7", "UNDELIV", None, None),
        (b"id:7 sub:001 dlvrd:001 submit date: done date: stat:REJECTED err:", "7", "REJECTD", None, None),
        (b"id:7 stat:OPERATOR9", "7", "OPERATOR9", None, None),
        (b"id:7", "7", "UNKNOWN", None, None),
        (b"id:1 id:2 stat:DELIVRD", "1", "DELIVRD", None, None),
        (b"text:id:1 stat:DELIVRD", "", "UNKNOWN", None, None),
        (b"paid:5 stat:DELIVRD", "", "DELIVRD", None, None),
        (b"", "", "UNKNOWN", None, None),
        (b"\xff\x00\x1b", "", "UNKNOWN", None, None),
    ],
)
def test_text(text: bytes, message_id: str, state: str, error: str | None, done: str | None) -> None:
    expected = Receipt(message_id=message_id, state=state, error=error, done=done)
    assert parse(DeliverSm(esm_class=4, short_message=text)) == expected
    assert parse(DataSm(esm_class=4, tlvs={tlvs.MESSAGE_PAYLOAD: text})) == expected
    assert parse(DeliverSm(esm_class=4, tlvs={tlvs.MESSAGE_PAYLOAD: text})) == expected


@pytest.mark.parametrize(
    ("values", "message_id", "state"),
    [
        ({tlvs.RECEIPTED_MESSAGE_ID: b"abc\0", tlvs.MESSAGE_STATE: b"\x05"}, "abc", "UNDELIV"),
        ({tlvs.RECEIPTED_MESSAGE_ID: b"abc"}, "abc", "DELIVRD"),
        ({tlvs.MESSAGE_STATE: b"\x08"}, "0123456789", "REJECTD"),
        ({tlvs.MESSAGE_STATE: b"\x00"}, "0123456789", "SCHEDLD"),
        ({tlvs.MESSAGE_STATE: b"\x63"}, "0123456789", "DELIVRD"),
        ({tlvs.RECEIPTED_MESSAGE_ID: b"\0", tlvs.MESSAGE_STATE: b""}, "0123456789", "DELIVRD"),
    ],
)
def test_tlvs_go_first_and_text_fills_what_they_lack(values: dict[int, bytes], message_id: str, state: str) -> None:
    receipt = parse(DeliverSm(esm_class=4, short_message=APPENDIX_B, tlvs=values))
    assert (receipt.message_id, receipt.state, receipt.error) == (message_id, state, "000")


def test_a_receipt_in_ucs2() -> None:
    text = "id:9 stat:DELIVRD".encode("utf-16-be")
    assert parse(DeliverSm(esm_class=4, data_coding=8, short_message=text)).message_id == "9"


@settings(max_examples=50)
@given(st.binary(max_size=254), st.sampled_from([0, 8]))
def test_nothing_is_an_error(octets: bytes, data_coding: int) -> None:
    assert parse(DeliverSm(esm_class=4, data_coding=data_coding, short_message=octets)).state


def test_a_text_made_to_be_slow_is_not() -> None:
    assert parse(DataSm(esm_class=4, tlvs={tlvs.MESSAGE_PAYLOAD: b"id :" * 16000 + b" " * 30000})).message_id == ""
