"""Octets become PDUs and PDUs octets: written by hand, by chance, cut short, too long, or as carelessly as SMSCs do."""

import contextlib

import pytest
from hypothesis import given, settings, strategies as st

from smsgw.errors import PduError, SmppError
from smsgw.smpp import pdus, status
from smsgw.smpp.codec import LONGEST_TEXT, decode, decode_header, encode
from smsgw.smpp.fields import FIELDS, Field
from smsgw.smpp.pdus import Pdu

# Written by hand from SMPP 3.4 §4: name → (hex, what it says)
GOLDEN: dict[str, tuple[str, Pdu]] = {
    "bind_transceiver": (
        """00000027 00000009 00000000 00000001
        736d7067 7700 73656372657400 544553 5400 34 01 01 3700""",
        pdus.BindTransceiver(
            sequence_number=1,
            system_id="smpgw",
            password="secret",
            system_type="TEST",
            interface_version=0x34,
            addr_ton=1,
            addr_npi=1,
            address_range="7",
        ),
    ),
    "bind_transceiver_resp": (
        "0000001a 80000009 00000000 00000001 534d534300 0210 0001 34",
        pdus.BindTransceiverResp(sequence_number=1, system_id="SMSC", tlvs={0x0210: b"\x34"}),
    ),
    "enquire_link": ("00000010 00000015 00000000 7fffffff", pdus.EnquireLink(sequence_number=0x7FFFFFFF)),
    "deliver_sm": (
        """00000041 00000005 00000000 00000005
        00 01 01 33383035303100 00 00 3735373500 40 00 00 00 00 00 00 08 00
        0a 050003 2a 02 01 0430 0442
        1400 0002 abcd
        0204 0002 0007""",
        pdus.DeliverSm(
            sequence_number=5,
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr="380501",
            destination_addr="7575",
            esm_class=0x40,
            data_coding=8,
            short_message=bytes.fromhex("0500032a020104300442"),
            tlvs={0x1400: b"\xab\xcd", 0x0204: b"\x00\x07"},
        ),
    ),
    "submit_sm_resp": (
        "00000015 80000004 00000000 00000007 31613262 00",
        pdus.SubmitSmResp(sequence_number=7, message_id="1a2b"),
    ),
    "submit_sm_resp with an error": (
        "00000010 80000004 00000058 00000007",
        pdus.SubmitSmResp(sequence_number=7, command_status=status.ESME_RTHROTTLED),
    ),
    "query_sm_resp": (
        "00000015 80000003 00000000 00000009 3100 00 02 00",
        pdus.QuerySmResp(sequence_number=9, message_id="1", message_state=2),
    ),
    "cancel_sm": (
        "0000001d 00000008 00000000 0000000a 00 3900 01 01 3100 05 00 41 42 4300",
        pdus.CancelSm(
            sequence_number=10,
            message_id="9",
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr="1",
            dest_addr_ton=5,
            destination_addr="ABC",
        ),
    ),
    "replace_sm": (
        "0000001d 00000007 00000000 0000000b 3900 00 00 3100 00 00 01 00 02 6869",
        pdus.ReplaceSm(sequence_number=11, message_id="9", source_addr="1", registered_delivery=1, short_message=b"hi"),
    ),
    "outbind": (
        "00000014 0000000b 00000000 0000000c 4100 4200",
        pdus.Outbind(sequence_number=12, system_id="A", password="B"),
    ),
    "alert_notification": (
        "0000001d 00000102 00000000 0000000d 01 01 3100 02 09 3200 0422 0001 00",
        pdus.AlertNotification(
            sequence_number=13,
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr="1",
            esme_addr_ton=2,
            esme_addr_npi=9,
            esme_addr="2",
            tlvs={0x0422: b"\x00"},
        ),
    ),
    "data_sm": (
        "00000023 00000103 00000000 0000000e 00 00 00 3100 00 00 3200 04 00 00 0424 0003 686579",
        pdus.DataSm(sequence_number=14, source_addr="1", destination_addr="2", esm_class=4, tlvs={0x0424: b"hey"}),
    ),
    "generic_nack": (
        "00000010 80000000 00000003 00000000",
        pdus.GenericNack(command_status=status.ESME_RINVCMDID),
    ),
}


def _frame(command_id: int, body: str = "", *, command_status: int = 0) -> bytes:
    octets = bytes.fromhex(body)
    header = (16 + len(octets), command_id, command_status, 7)
    return b"".join(number.to_bytes(4, "big") for number in header) + octets


def _cut(frame: bytes, stop: int) -> bytes:
    """The frame's first octets, with a command_length that says so."""
    return stop.to_bytes(4, "big") + frame[4:stop]


def _outcome(frame: bytes) -> Pdu | PduError:
    try:
        return decode(frame)
    except PduError as error:
        return error


def _values(field: Field) -> st.SearchStrategy[object]:
    if field.kind == "integer":
        return st.integers(0, field.limit)
    if field.kind == "octets":
        return st.binary(max_size=field.limit)
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=field.limit)


def _pdus(pdu: type[Pdu]) -> st.SearchStrategy[Pdu]:
    return st.builds(
        pdu,
        sequence_number=st.integers(0, 0xFFFFFFFF),
        command_status=st.sampled_from([0, 0x58, 0x400, 0xFFFFFFFF]),
        tlvs=st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=20), max_size=4),
        **{field.name: _values(field) for field in FIELDS[pdu]},
    )


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_pdus_are_read_and_written(name: str) -> None:
    octets, pdu = bytes.fromhex(GOLDEN[name][0]), GOLDEN[name][1]
    assert decode(octets) == pdu
    assert encode(pdu, pdu.sequence_number) == octets


@pytest.mark.parametrize("name", GOLDEN)
def test_every_truncation_ends_in_a_defined_way(name: str) -> None:
    octets, pdu = bytes.fromhex(GOLDEN[name][0]), GOLDEN[name][1]
    for stop in range(len(octets)):
        if not (stop >= 16 and pdu.command_status and pdu.command_id & pdus.RESPONSE_BIT):
            with pytest.raises(PduError):
                decode(octets[:stop])  # command_length is that of the whole
        if stop >= 16:
            less = _outcome(_cut(octets, stop))
            assert less.sequence_number == pdu.sequence_number
            if isinstance(less, PduError):
                assert less.command_id == pdu.command_id
                assert less.command_status in status.NAMES.keys() - {status.ESME_ROK}


@pytest.mark.parametrize("pdu", pdus.ALL)
@settings(max_examples=30)
@given(data=st.data())
def test_every_pdu_comes_back_as_it_was(pdu: type[Pdu], data: st.DataObject) -> None:
    value = data.draw(_pdus(pdu))
    frame = encode(value, value.sequence_number)
    assert decode(frame) == value
    assert list(decode(frame).tlvs) == list(value.tlvs)


@given(st.binary(max_size=100))
def test_arbitrary_octets_raise_nothing_else(octets: bytes) -> None:
    with contextlib.suppress(SmppError):
        decode(octets)


@pytest.mark.parametrize("pdu", pdus.ALL)
@settings(max_examples=50)
@given(body=st.binary(max_size=300), command_status=st.sampled_from([0, 8]))
def test_arbitrary_bodies_raise_nothing_else(pdu: type[Pdu], body: bytes, command_status: int) -> None:
    outcome = _outcome(_frame(pdu.command_id, body.hex(), command_status=command_status))
    assert type(outcome) in {pdu, PduError}
    assert outcome.sequence_number == 7


# What is read more kindly than it is specified


@pytest.mark.parametrize(
    "pdu", [pdu for pdu in pdus.ALL if pdu.command_id & pdus.RESPONSE_BIT], ids=lambda pdu: str(pdu.name)
)
@pytest.mark.parametrize("command_status", [0, 0x58])
def test_a_response_may_have_no_body(pdu: type[Pdu], command_status: int) -> None:
    frame = _frame(pdu.command_id, command_status=command_status)
    assert decode(frame) == pdu(sequence_number=7, command_status=command_status)
    assert decode_header(frame) == decode(frame)


@pytest.mark.parametrize("body", ["0427ffff", "00042700", "00" * 300 + "01", "41" * 300, "01"])
def test_an_error_response_counts_whatever_its_body(body: str) -> None:
    answer = decode(_frame(0x80000004, body, command_status=0x58))
    assert (answer.command_status, answer.sequence_number) == (0x58, 7)


def test_an_unreadable_positive_response_is_an_error() -> None:
    with pytest.raises(PduError) as caught:
        decode(_frame(0x80000004, "3100 0427ffff"))
    assert (caught.value.command_id, caught.value.sequence_number) == (0x80000004, 7)


@pytest.mark.parametrize(
    ("command_id", "body", "expected"),
    [
        (0x80000004, "3132", pdus.SubmitSmResp(sequence_number=7, message_id="12")),
        (0x80000009, "41", pdus.BindTransceiverResp(sequence_number=7, system_id="A")),
        (0x80000005, "", pdus.DeliverSmResp(sequence_number=7)),
        (0x00000003, "3100 0101 33", pdus.QuerySm(
            sequence_number=7, message_id="1", source_addr_ton=1, source_addr_npi=1, source_addr="3"
        )),
        (0x00000003, "3100 0101", pdus.QuerySm(
            sequence_number=7, message_id="1", source_addr_ton=1, source_addr_npi=1
        )),
    ],
)  # fmt: skip
def test_the_very_last_nul_may_be_missing(command_id: int, body: str, expected: Pdu) -> None:
    assert decode(_frame(command_id, body)) == expected


def test_octets_after_the_body_may_be_padding() -> None:
    assert decode(_frame(0x80000004, "3100 0000")) == pdus.SubmitSmResp(sequence_number=7, message_id="1")


def test_texts_may_be_longer_than_specified() -> None:
    longest = "41" * LONGEST_TEXT
    assert decode(_frame(0x80000004, f"{longest} 00")) == pdus.SubmitSmResp(sequence_number=7, message_id="A" * 255)
    assert decode(_frame(0x80000004, longest)) == pdus.SubmitSmResp(sequence_number=7, message_id="A" * 255)
    with pytest.raises(PduError, match="message_id is longer than 255") as caught:
        decode(_frame(0x80000004, f"41 {longest} 00"))
    assert caught.value.command_status == status.ESME_RINVMSGID


def test_a_message_of_255_octets_is_read() -> None:
    body = "00 0000 00 0000 00 00 00 00 00 00 00 00 00 00 ff" + "41" * 255
    assert decode(_frame(0x00000005, body)) == pdus.DeliverSm(sequence_number=7, short_message=b"A" * 255)


# What is refused


@pytest.mark.parametrize(
    ("frame", "command_status"),
    [
        (b"", status.ESME_RINVCMDLEN),
        (bytes(15), status.ESME_RINVCMDLEN),
        (_frame(0x00000099), status.ESME_RINVCMDID),
        (_frame(0x80000021, command_status=8), status.ESME_RINVCMDID),
        (_frame(0x00000004) + b"\0", status.ESME_RINVCMDLEN),
        (_frame(0x00000004), status.ESME_RINVCMDLEN),
        (_frame(0x00000004, "00 01 01 31"), status.ESME_RINVCMDLEN),
        (_frame(0x00000004, "41" * 300), status.ESME_RINVSERTYP),
        (_frame(0x00000004, "00 0000" + "41" * 256 + "00"), status.ESME_RINVSRCADR),
        (_frame(0x00000102, "00 00 00 00 00" + "41" * 256 + "00"), status.ESME_RINVPARLEN),
        (_frame(0x00000005, "00 0000 00 0000 00 00 00 00 00 00 00 00 00 00 05 41414141"), status.ESME_RINVMSGLEN),
        (_frame(0x00000015, "01"), status.ESME_RINVOPTPARSTREAM),
        (_frame(0x80000003, "00 00 02"), status.ESME_RINVCMDLEN),
    ],
)
def test_what_cannot_be_read_says_why(frame: bytes, command_status: int) -> None:
    with pytest.raises(PduError) as caught:
        decode(frame)
    assert caught.value.command_status == command_status
    if len(frame) >= 16:
        assert caught.value.sequence_number == 7
        assert caught.value.command_id == int.from_bytes(frame[4:8], "big")


def test_errors_carry_no_content() -> None:
    with pytest.raises(PduError) as caught:
        decode(_frame(0x00000004, "00 0000" + b"380501234567".hex() * 30 + "00"))
    assert "3805" not in str(caught.value)
    with pytest.raises(PduError) as caught:
        encode(pdus.SubmitSm(destination_addr="380501234567" * 2), 1)
    assert "3805" not in str(caught.value)


@pytest.mark.parametrize(
    ("pdu", "complaint", "command_status"),
    [
        (pdus.SubmitSm(source_addr="1" * 21), "source_addr .* 20 characters", status.ESME_RINVSRCADR),
        (pdus.SubmitSm(destination_addr="1\0"), "destination_addr .* NUL", status.ESME_RINVDSTADR),
        (pdus.SubmitSm(service_type="Ж"), "service_type .* latin-1", status.ESME_RINVSERTYP),
        (pdus.SubmitSm(short_message=bytes(255)), "short_message .* 254 octets", status.ESME_RINVMSGLEN),
        (pdus.SubmitSm(esm_class=256), "esm_class .* 255", status.ESME_RINVPARLEN),
        (pdus.SubmitSm(esm_class=-1), "esm_class .* 255", status.ESME_RINVPARLEN),
        (pdus.SubmitSm(esm_class=None), "esm_class .* 255", status.ESME_RINVPARLEN),  # type: ignore[arg-type] # tested
        (pdus.SubmitSm(source_addr=None), "source_addr .* 20", status.ESME_RINVSRCADR),  # type: ignore[arg-type] # tested
        (pdus.SubmitSm(source_addr=b"1"), "source_addr .* 20", status.ESME_RINVSRCADR),  # type: ignore[arg-type] # tested
        (pdus.SubmitSm(short_message="a"), "short_message", status.ESME_RINVMSGLEN),  # type: ignore[arg-type] # tested
        (pdus.BindTransceiver(password="123456789"), "password .* 8", status.ESME_RINVPASWD),
        (pdus.SubmitSmResp(message_id="1" * 65), "message_id .* 64", status.ESME_RINVMSGID),
        (pdus.EnquireLinkResp(command_status=-1), "header", status.ESME_RSYSERR),
        (pdus.SubmitSm(tlvs={0x10000: b""}), "TLV", status.ESME_RINVPARLEN),
    ],
)
def test_what_does_not_fit_is_not_written(pdu: Pdu, complaint: str, command_status: int) -> None:
    with pytest.raises(PduError, match=f"{pdu.name}: .*{complaint}") as caught:
        encode(pdu, 7)
    assert caught.value.command_status == command_status


def test_a_sequence_number_has_four_octets() -> None:
    with pytest.raises(PduError, match="header"):
        encode(pdus.EnquireLink(), 1 << 32)


@pytest.mark.parametrize(
    ("response", "body"),
    [
        (pdus.SubmitSmResp(command_status=8), ""),
        (pdus.BindTransceiverResp(command_status=8), ""),
        (pdus.SubmitSmResp(), "00"),
        (pdus.SubmitSmResp(command_status=8, message_id="1"), "3100"),
        (pdus.SubmitSmResp(command_status=8, tlvs={0x1400: b""}), "00 1400 0000"),
        (pdus.DeliverSmResp(command_status=8), "00"),
        (pdus.DataSmResp(command_status=8), "00"),
    ],
)
def test_error_responses_have_the_body_that_the_specification_gives_them(response: Pdu, body: str) -> None:
    assert encode(response, 1)[16:] == bytes.fromhex(body)
