"""Decoders and encoders that nobody here wrote agree with ours: smpplib's, and smpp34's in Rust."""

from typing import TYPE_CHECKING, Any

import pytest
import smpp34
from hypothesis import given, settings, strategies as st
from smpplib import command_codes, smpp

from smsgw.smpp import pdus
from smsgw.smpp.codec import decode, encode
from smsgw.smpp.fields import FIELDS
from smsgw.smpp.pdus import Pdu

if TYPE_CHECKING:
    from collections.abc import Callable

UNKNOWN_TO_SMPPLIB = {pdus.Outbind, pdus.CancelSm, pdus.CancelSmResp, pdus.ReplaceSm, pdus.ReplaceSmResp}
ASCII = st.characters(min_codepoint=33, max_codepoint=126)
TLVS = st.dictionaries(st.sampled_from([0x001E, 0x0204, 0x0424, 0x1400, 0x3FFF]), st.binary(max_size=20), max_size=3)


class _Client:
    def next_sequence(self) -> int:
        return 1


def _messages(pdu: type[Pdu], tlvs: st.SearchStrategy[dict[int, bytes]]) -> st.SearchStrategy[Pdu]:
    kinds: dict[str, Callable[[int], st.SearchStrategy[Any]]] = {
        "integer": lambda limit: st.integers(0, limit),
        "text": lambda limit: st.text(ASCII, max_size=limit),
        "octets": lambda limit: st.binary(max_size=limit),
    }
    return st.builds(pdu, tlvs=tlvs, **{field.name: kinds[field.kind](field.limit) for field in FIELDS[pdu]})


def _smpplib_decode(frame: bytes) -> Any:
    parse: Any = smpp.parse_pdu  # without types there
    return parse(frame, client=_Client(), allow_unknown_opt_params=True)


@pytest.mark.parametrize("pdu", [pdu for pdu in pdus.ALL if pdu not in UNKNOWN_TO_SMPPLIB])
@settings(max_examples=30)
@given(data=st.data())
def test_smpplib_reads_what_we_write(pdu: type[Pdu], data: st.DataObject) -> None:
    ours = data.draw(_messages(pdu, st.just({})))
    theirs = _smpplib_decode(encode(ours, 9))
    assert command_codes.commands[theirs.command] == pdu.command_id
    assert theirs.sequence == 9
    for field in FIELDS[pdu]:
        value = getattr(ours, field.name)
        expected = value.encode() if isinstance(value, str) else value
        assert (getattr(theirs, field.name) or type(expected)()) == expected  # it leaves an empty text None


def test_smpplib_reads_our_tlvs() -> None:
    theirs = _smpplib_decode(encode(pdus.DeliverSm(tlvs={0x001E: b"abc\0", 0x0427: b"\x02", 0x1400: b"x"}), 1))
    assert theirs.receipted_message_id == b"abc"
    assert theirs.message_state == 2


def test_we_read_what_smpplib_writes() -> None:
    make: Any = smpp.make_pdu  # without types there
    theirs = make(
        "submit_sm", client=_Client(), sequence=4, source_addr="7575", destination_addr="3805", short_message=b"hi"
    )
    assert decode(theirs.generate()) == pdus.SubmitSm(
        sequence_number=4, source_addr="7575", destination_addr="3805", short_message=b"hi"
    )


@pytest.mark.parametrize("pdu", [pdus.SubmitSm, pdus.DeliverSm])
@settings(max_examples=30)
@given(data=st.data())
def test_smpp34_reads_what_we_write_and_writes_what_we_read(pdu: type[Pdu], data: st.DataObject) -> None:
    ours = data.draw(_messages(pdu, TLVS))
    theirs = smpp34.decode(encode(ours, 9))
    assert type(theirs).__name__ == pdu.__name__
    for field in FIELDS[pdu]:
        assert getattr(theirs, field.name) == getattr(ours, field.name)
    assert isinstance(theirs, smpp34.SubmitSm | smpp34.DeliverSm)
    assert {tlv.tag: tlv.value for tlv in theirs.tlvs} == ours.tlvs
    again = decode(theirs.encode())
    assert encode(again, 9) == encode(ours, 9)


@pytest.mark.parametrize("pdu", [pdu for pdu in pdus.ALL if pdu not in {pdus.SubmitSm, pdus.DeliverSm}])
def test_smpp34_reads_the_header_of_everything_else(pdu: type[Pdu]) -> None:
    frame = encode(pdu(command_status=5), 9)
    theirs = smpp34.decode(frame)
    assert isinstance(theirs, smpp34.RawPdu)
    assert theirs.command_length == len(frame)
    assert (theirs.command_id, theirs.command_status, theirs.sequence_number) == (pdu.command_id, 5, 9)
    assert theirs.body == frame[16:]
