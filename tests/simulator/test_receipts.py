"""Receipts look like those of most SMSCs, and come when they were asked for."""

import msgspec
import pytest

from smsgw.simulator import receipts
from smsgw.simulator.receipts import Dialect, State
from smsgw.smpp import receipt as reader, tlvs
from smsgw.smpp.codec import decode, encode
from smsgw.smpp.pdus import DataSm, DeliverSm, SubmitSm

AT_MS = 1_700_000_000_000  # 2023-11-14 22:13:20 UTC


@pytest.mark.parametrize(
    ("registered_delivery", "state", "wanted"),
    [
        (0, "DELIVRD", False),
        (1, "DELIVRD", True),
        (1, "UNDELIV", True),
        (2, "DELIVRD", False),
        (2, "UNDELIV", True),
        (3, "UNDELIV", False),
        (0x10 | 1, "DELIVRD", True),
    ],
)
def test_a_receipt_comes_when_it_was_asked_for(registered_delivery: int, state: State, wanted: bool) -> None:  # noqa: FBT001
    assert receipts.is_wanted(registered_delivery, state) is wanted


def test_a_receipt_says_what_became_of_the_message() -> None:
    submitted = SubmitSm(
        source_addr="1234", dest_addr_ton=1, dest_addr_npi=1, destination_addr="359881", short_message=b"Code: K7X"
    )
    pdu = receipts.write(submitted, "00000a1f", "DELIVRD", submitted_ms=AT_MS, done_ms=AT_MS + 60_000)
    assert isinstance(pdu, DeliverSm)
    assert (pdu.source_addr, pdu.source_addr_ton, pdu.destination_addr) == ("359881", 1, "1234")
    assert pdu.short_message == (
        b"id:00000a1f sub:001 dlvrd:001 submit date:2311142213 done date:2311142214 stat:DELIVRD err:000 text:Code  K7X"
    )
    assert pdu.tlvs == {tlvs.RECEIPTED_MESSAGE_ID: b"00000a1f\0", tlvs.MESSAGE_STATE: b"\2"}
    assert reader.is_receipt(pdu)
    read = reader.parse(pdu)
    assert (read.message_id, read.state, read.error) == ("00000a1f", "DELIVRD", "000")


@pytest.mark.parametrize("state", ["EXPIRED", "DELETED", "UNDELIV", "REJECTD", "UNKNOWN", "ACCEPTD"])
def test_every_state_reads_the_same_in_text_and_tlv(state: State) -> None:
    pdu = receipts.write(SubmitSm(short_message=b"\xff" * 140), "1", state, submitted_ms=AT_MS, done_ms=AT_MS)
    assert isinstance(pdu, DeliverSm)
    frame = encode(pdu, 1)
    assert reader.parse(pdu).state == state
    assert f"stat:{state} ".encode() in pdu.short_message
    assert len(decode(frame).short_message) < 160  # type: ignore[attr-defined] # it is a deliver_sm


def told(**words: object) -> tuple[reader.Receipt, DeliverSm | DataSm]:
    """What the daemon reads in a receipt of this dialect, which must be on the wire as it is."""
    submitted = SubmitSm(source_addr="1234", destination_addr="359881", short_message=b"stat:EXPIRED id:9")
    dialect = msgspec.convert(words, Dialect)
    pdu = receipts.write(
        submitted, "00000a1f", dialect.state, submitted_ms=AT_MS, done_ms=AT_MS + 60_000, dialect=dialect
    )
    read = decode(encode(pdu, 1))
    assert isinstance(read, DeliverSm | DataSm)
    return reader.parse(read), pdu


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"told_in": "text", "words": ["stat", "done date", "id"]},
        {"told_in": "text", "words": ["id", "text"], "glued": True},
        {"told_in": "text", "coding": "ucs2"},
        {"told_in": "text", "coding": "ucs2 over ascii"},
        {"told_in": "tlvs", "terminated": False},
        {"told_in": "tlvs", "wide_state": True},
        {"by_data_sm": True},
    ],
    ids=str,
)
def test_every_dialect_says_the_same(words: dict[str, object]) -> None:
    read, pdu = told(**words)
    assert (read.message_id, read.state) == ("00000a1f", "DELIVRD")
    assert isinstance(pdu, DataSm) is bool(words.get("by_data_sm"))


@pytest.mark.parametrize(
    ("ids", "written"),
    [
        ("same", "00000a1f"),
        ("upper", "00000A1F"),
        ("short", "a1f"),
        ("padded", "0000000000000a1f"),
        ("decimal", "2591"),
    ],
)
def test_ids_are_written_in_the_operators_way(ids: str, written: str) -> None:
    assert told(ids=ids)[0].message_id == written


@pytest.mark.parametrize(
    ("dates", "written", "at_ms"),
    [
        ("10", "2311142214", AT_MS + 40_000),
        ("12", "231114221420", AT_MS + 60_000),
        ("14", "20231114221420", AT_MS + 60_000),
        ("zone", "231114221420000+", AT_MS + 60_000),
    ],
)
def test_dates_are_written_in_the_operators_way(dates: str, written: str, at_ms: int) -> None:
    read, _ = told(dates=dates)
    assert read.done == written
    assert reader.done_ms(read.done, AT_MS) == at_ms


@pytest.mark.parametrize(
    ("words", "repeated"), [({}, True), ({"repeats_reference": False}, False), ({"told_in": "text"}, False)]
)
def test_the_messages_reference_comes_back_and_its_error_is_told(words: dict[str, object], repeated: bool) -> None:  # noqa: FBT001
    submitted = SubmitSm(source_addr="1234", destination_addr="359881", tlvs={tlvs.USER_MESSAGE_REFERENCE: b"\0\7"})
    dialect = msgspec.convert(words, Dialect)
    pdu = receipts.write(submitted, "1", "UNDELIV", submitted_ms=AT_MS, done_ms=AT_MS, dialect=dialect, error="051")
    assert (pdu.tlvs.get(tlvs.USER_MESSAGE_REFERENCE) == b"\0\7") is repeated
    assert reader.parse(pdu).error == "051"
