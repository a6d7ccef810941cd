"""Delivery receipts are recognised by esm_class alone, and read from TLVs first, then from text in any order."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, DeliverSm, SubmitSm
from smsgw.smpp.receipt import Receipt, done_ms, is_receipt, parse

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


LOST = ("7", "UNDELIV", "069", "2401021305")


@pytest.mark.parametrize(
    ("text", "message_id", "state", "error", "done"),
    [
        (APPENDIX_B, "0123456789", "DELIVRD", "000", "2401021305"),
        (b"stat:EXPIRED err:1 id:aF-09 done date:240102130455", "aF-09", "EXPIRED", "1", "240102130455"),
        (b"ID:7 STAT:delivrd ERR:0", "7", "DELIVRD", "0", None),
        (b"Id: 7 Stat: Undelivered Err: text:", "7", "UNDELIV", None, None),
        (b"id:7 sub:001 dlvrd:001 submit date: done date: stat:REJECTED err:", "7", "REJECTD", None, None),
        (b"id:7 stat:OPERATOR9", "7", "OPERATOR9", None, None),
        # the last field, without a space behind it
        (b"id:7 sub:001 dlvrd:001 done date:2401021304 stat:DELIVRD", "7", "DELIVRD", None, "2401021304"),
        (b"id:7 sub:001 dlvrd:001 err:000 text:hello stat:DELIVRD", "7", "DELIVRD", "000", None),
        (b"id:7 err:000 text:hellostat:DELIVRD", "7", "DELIVRD", "000", None),
        (b"id:7 stat:EXPIRED err:000 text:hellostat:DELIVRD", "7", "EXPIRED", "000", None),
        # no "text:" at all, other keys, other marks between them
        (b"id:7 sub:001 dlvrd:000 submit date:2401021304 done date:2401021305 stat:UNDELIV err:069", *LOST),
        (b"id:7, sub:001, dlvrd:000, done date:2401021305, stat:UNDELIV, err:069, text: id:8", *LOST),
        (b"id=7;submit_date=2401021304;done_date=2401021305;status=UNDELIVERED;error=069", *LOST),
        (b"id:7\r\nstate:undelivrd\r\ndonedate:2401021305\r\nerr:069\r\nText:id:8 stat:DELIVRD", *LOST),
        (b"stat:FAILED id:7 err:12", "7", "FAILED", "12", None),
        (b"id:7 stat:2 err:0", "7", "DELIVRD", "0", None),
        (b"id:7 stat:DELIVERED_TO_HANDSET", "7", "DELIVRD", None, None),
        (b"message_id:7 stat:DELIVER", "7", "DELIVRD", None, None),
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


@pytest.mark.parametrize("data_coding", [0, 3, 8])
@pytest.mark.parametrize(
    "octets",
    [
        b"id:9 stat:DELIVRD",
        "id:9 stat:DELIVRD".encode("utf-16-be"),
        "id:9 stat:DELIVRD".encode("utf-16-le"),
        "id:9 stat:DELIVRD".encode("utf-16"),
        b"\xfe\xff" + "id:9 stat:DELIVRD".encode("utf-16-be"),
    ],
    ids=["ascii", "big end first", "little end first", "with a mark", "with the other mark"],
)
def test_the_text_shows_its_coding_itself(octets: bytes, data_coding: int) -> None:
    receipt = parse(DeliverSm(esm_class=4, data_coding=data_coding, short_message=octets))
    assert (receipt.message_id, receipt.state) == ("9", "DELIVRD")


def test_a_header_before_the_text_is_none_of_it() -> None:
    receipt = parse(DeliverSm(esm_class=0x44, short_message=b"\5\0\3\1\1\1id:9 stat:DELIVRD"))
    assert (receipt.message_id, receipt.state) == ("9", "DELIVRD")


@pytest.mark.parametrize(("esm_class", "expected"), [(0x04, False), (0x20, True), (0x60, True)])
def test_intermediate_notifications_are_told_apart(esm_class: int, expected: bool) -> None:  # noqa: FBT001 - a column
    assert parse(DeliverSm(esm_class=esm_class, short_message=APPENDIX_B)).intermediate is expected


def test_the_networks_own_error() -> None:
    values = {tlvs.NETWORK_ERROR_CODE: b"\3\0\x45"}
    assert parse(DeliverSm(esm_class=4, tlvs=values)).error == "3:69"
    assert parse(DeliverSm(esm_class=4, tlvs={tlvs.NETWORK_ERROR_CODE: b"\3"})).error is None


NEAR = int(datetime(2024, 1, 2, 13, tzinfo=UTC).timestamp() * 1000)
KYIV = ZoneInfo("Europe/Kyiv")


@pytest.mark.parametrize(
    ("written", "zone", "expected"),
    [
        ("2401021304", UTC, "2024-01-02T13:04:00"),
        ("240102130459", UTC, "2024-01-02T13:04:59"),
        ("202401021304", UTC, "2024-01-02T13:04:00"),
        ("20240102130459", UTC, "2024-01-02T13:04:59"),
        ("2401021304", KYIV, "2024-01-02T11:04:00"),
        ("2407021304", KYIV, "2024-07-02T10:04:00"),
        ("240102130459008+", KYIV, "2024-01-02T11:04:59"),
        ("240102130459020-", KYIV, "2024-01-02T18:04:59"),
        ("20240102130459Z", KYIV, "2024-01-02T13:04:59"),
        ("20240102130459+0530", KYIV, "2024-01-02T07:34:59"),
        ("2401021304-02:00", KYIV, "2024-01-02T15:04:00"),
        (" 2401021304 ", UTC, "2024-01-02T13:04:00"),
        ("2413021304", UTC, None),
        ("2401022504", UTC, None),
        ("24010213045", UTC, None),
        ("0000000000", UTC, None),
        ("never", UTC, None),
        ("", UTC, None),
        (None, UTC, None),
    ],
)
def test_dates_in_every_length(written: str | None, zone: tzinfo, expected: str | None) -> None:
    found = done_ms(written, NEAR, zone)
    assert (None if found is None else f"{datetime.fromtimestamp(found / 1000, UTC):%Y-%m-%dT%H:%M:%S}") == expected


def test_twelve_digits_that_mean_two_things_mean_the_nearer() -> None:
    for near in (datetime(2011, 12, 13, tzinfo=UTC), datetime(2020, 11, 12, tzinfo=UTC)):
        found = done_ms("201112131415", int(near.timestamp() * 1000))
        assert found is not None
        assert datetime.fromtimestamp(found / 1000, UTC).year == near.year


@given(st.text(max_size=20))
def test_no_date_is_an_error(written: str) -> None:
    found = done_ms(written, NEAR)
    assert found is None or isinstance(found, int)


@settings(max_examples=50)
@given(st.binary(max_size=254), st.sampled_from([0, 8]))
def test_nothing_is_an_error(octets: bytes, data_coding: int) -> None:
    assert parse(DeliverSm(esm_class=4, data_coding=data_coding, short_message=octets)).state


def test_a_text_made_to_be_slow_is_not() -> None:
    assert parse(DataSm(esm_class=4, tlvs={tlvs.MESSAGE_PAYLOAD: b"id :" * 16000 + b" " * 30000})).message_id == ""
