"""TLVs are read by their length, kept raw, and read kindly as text and numbers."""

import pytest
from hypothesis import given, strategies as st
from smpplib import consts

from smsgw.errors import PduError
from smsgw.smpp import pdus, status, tlvs
from smsgw.smpp.codec import decode, encode
from smsgw.smpp.pdus import Pdu, SubmitSm


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"abc\0", "abc"),
        (b"abc", "abc"),
        (b"", ""),
        (b"\0", ""),
        (b"ab\0cd\0", "ab"),
        (b"\xe9\xff\0", "\xe9\xff"),
    ],
)
def test_text_ends_at_its_nul_or_its_length(value: bytes, text: str) -> None:
    assert tlvs.text({tlvs.RECEIPTED_MESSAGE_ID: value}, tlvs.RECEIPTED_MESSAGE_ID) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (b"\x02", 2),
        (b"\x01\x00", 256),
        (b"\x00\x00\x05", 5),
        (b"\xff" * 8, 2**64 - 1),
        (b"", None),
        (b"\x00" * 9, None),
    ],
)
def test_integers_have_any_length_from_1_to_8(value: bytes, number: int | None) -> None:
    assert tlvs.integer({tlvs.SAR_MSG_REF_NUM: value}, tlvs.SAR_MSG_REF_NUM) == number


_KNOWN = [value for name, value in vars(tlvs).items() if name.isupper() and isinstance(value, int) and name[0] != "_"]


@pytest.mark.parametrize("pdu", pdus.ALL, ids=lambda pdu: str(pdu.name))
def test_a_known_tlv_may_stand_where_no_table_lists_it(pdu: type[Pdu]) -> None:
    """Other gateways raise KeyError for sc_interface_version in a deliver_sm."""
    values = dict.fromkeys(_KNOWN, b"\x01")
    assert len(values) > 40
    assert decode(encode(pdu(tlvs=values), 1)).tlvs == values


def test_a_missing_tlv_is_none() -> None:
    assert tlvs.text({}, tlvs.MESSAGE_PAYLOAD) is None
    assert tlvs.integer({}, tlvs.MESSAGE_STATE) is None


@given(st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=40), max_size=8))
def test_what_is_written_is_read_in_the_same_order(values: dict[int, bytes]) -> None:
    octets = tlvs.write_tlvs(SubmitSm(tlvs=values))
    assert list(tlvs.read_tlvs(octets, 0).items()) == list(values.items())
    assert list(tlvs.read_tlvs(b"head" + octets + b"\0\0\0", 4).items()) == list(values.items())


def test_of_duplicates_the_last_wins() -> None:
    assert tlvs.read_tlvs(bytes.fromhex("0427000102 0427000103"), 0) == {tlvs.MESSAGE_STATE: b"\x03"}


@pytest.mark.parametrize(
    ("octets", "command_status"),
    [
        ("04270002 02", status.ESME_RINVPARLEN),
        ("0427ffff", status.ESME_RINVPARLEN),
        ("04", status.ESME_RINVOPTPARSTREAM),
        ("000001", status.ESME_RINVOPTPARSTREAM),
    ],
)
def test_a_tlv_that_does_not_fit_is_refused(octets: str, command_status: int) -> None:
    with pytest.raises(PduError) as caught:
        tlvs.read_tlvs(bytes.fromhex(octets), 0)
    assert caught.value.command_status == command_status


@pytest.mark.parametrize("bad", [{0x10000: b""}, {-1: b""}, {1: bytes(65536)}, {1: None}])
def test_what_cannot_be_a_tlv_is_not_written(bad: dict[int, bytes]) -> None:
    with pytest.raises(PduError, match="submit_sm: a TLV"):
        tlvs.write_tlvs(SubmitSm(tlvs=bad))


def test_tags_are_those_that_smpplib_knows() -> None:
    for name, tag in consts.OPTIONAL_PARAMS.items():
        assert getattr(tlvs, name.upper()) == tag
