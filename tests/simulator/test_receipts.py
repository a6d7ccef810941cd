"""Receipts look like those of most SMSCs, and come when they were asked for."""

import pytest

from smsgw.simulator import receipts
from smsgw.simulator.receipts import State
from smsgw.smpp import receipt as reader, tlvs
from smsgw.smpp.codec import decode, encode
from smsgw.smpp.pdus import SubmitSm

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
    frame = encode(pdu, 1)
    assert reader.parse(pdu).state == state
    assert f"stat:{state} ".encode() in pdu.short_message
    assert len(decode(frame).short_message) < 160  # type: ignore[attr-defined] # it is a deliver_sm
