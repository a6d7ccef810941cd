"""What a received message is: payload, part, operator's id, fingerprint, text; never an error, whatever its content."""

import msgspec
import pytest
from hypothesis import given, strategies as st

from smsgw.domain.incoming import body_of, other_tlvs, payload_of, read, text_of, text_of_parts
from smsgw.settings import LinkSettings
from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm, DeliverSm
from smsgw.text import gsm7
from smsgw.text.segments import UDHI, Part, part_again

LINK = LinkSettings(host="smsc.example", port=2775, system_id="us", password_file="x")
WITH_ID = msgspec.structs.replace(LINK, message_id_tlv=0x1401)
UDH_1_OF_2 = bytes((5, 0, 3, 7, 2, 1))
UDH_WIDE_1_OF_2 = bytes((6, 8, 4, 0, 7, 2, 1))


def deliver(message: bytes = b"SUN", **fields: object) -> DeliverSm:
    return DeliverSm(**({"source_addr": "359", "destination_addr": "12", "short_message": message} | fields))  # type: ignore[arg-type]  # each test names fields of the right kind


def sar(reference: int, total: int, number: int) -> dict[int, bytes]:
    return {
        tlvs.SAR_MSG_REF_NUM: reference.to_bytes(2, "big"),
        tlvs.SAR_TOTAL_SEGMENTS: bytes((total,)),
        tlvs.SAR_SEGMENT_SEQNUM: bytes((number,)),
    }


# --- payload --------------------------------------------------------------------------------------------------------


def test_the_payload_is_the_short_message() -> None:
    assert payload_of(deliver(b"SUN")) == b"SUN"


def test_or_the_tlv_that_stands_in_its_place() -> None:
    long = {tlvs.MESSAGE_PAYLOAD: b"x" * 1_000}
    assert payload_of(deliver(b"", tlvs=long)) == b"x" * 1_000
    assert payload_of(DataSm(tlvs=long)) == b"x" * 1_000
    assert payload_of(deliver(b"both", tlvs=long)) == b"both"
    assert payload_of(DataSm()) == b""


def test_other_tlvs_are_kept_as_they_came_without_the_message() -> None:
    given = {0x1401: b"id\0", tlvs.MESSAGE_PAYLOAD: b"the text", 0x0427: b"\x02"}
    assert other_tlvs(deliver(b"", tlvs=given)) == b"\x14\x01\x00\x03id\0\x04\x27\x00\x01\x02"
    assert other_tlvs(deliver()) == b""


# --- parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [UDH_1_OF_2, UDH_WIDE_1_OF_2])
def test_a_part_is_known_by_its_header(header: bytes) -> None:
    part = read(deliver(header + b"half", esm_class=UDHI), "north", LINK).part
    assert part is not None
    assert (part.total, part.number, part.body) == (2, 1, b"half")


def test_a_part_is_known_by_its_sar_tlvs() -> None:
    part = read(deliver(b"half", tlvs=sar(7, 2, 1)), "north", LINK).part
    assert part is not None
    assert (part.total, part.number, part.body) == (2, 1, b"half")


@pytest.mark.parametrize(
    "pdu",
    [
        deliver(UDH_1_OF_2 + b"no header, as esm_class does not say so"),
        deliver(bytes((5, 0, 3, 7, 1, 1)) + b"one of one", esm_class=UDHI),
        deliver(b"x", tlvs=sar(7, 1, 1)),
        deliver(b"x", tlvs=sar(7, 2, 3)),
        deliver(b"x", tlvs=sar(7, 2, 0)),
        deliver(b"x", tlvs={tlvs.SAR_MSG_REF_NUM: b"\0\7"}),
        deliver(b"x", tlvs=sar(7, 2, 1) | {tlvs.SAR_TOTAL_SEGMENTS: b""}),
        deliver(bytes((4, 0, 3, 7, 2)) + b"a header that is too short", esm_class=UDHI),
    ],
)
def test_what_only_looks_like_a_part_is_a_message_of_its_own(pdu: DeliverSm) -> None:
    assert read(pdu, "north", LINK).part is None
    assert read(pdu, "north", LINK).part_key is None


def key(link: str = "north", message: bytes = UDH_1_OF_2, **fields: object) -> str | None:
    return read(deliver(message, **({"esm_class": UDHI} | fields)), link, LINK).part_key


def test_parts_of_one_message_share_a_key() -> None:
    assert key() is not None
    assert key() == key(message=bytes((5, 0, 3, 7, 2, 2)) + b"the other half")


def test_parts_of_different_messages_do_not() -> None:
    others = [
        key(link="south"),
        key(source_addr="358"),
        key(destination_addr="13"),
        key(message=bytes((5, 0, 3, 8, 2, 1))),
        key(message=bytes((5, 0, 3, 7, 3, 1))),
        key(message=UDH_WIDE_1_OF_2),
    ]
    assert len({key(), *others}) == 1 + len(others)


# --- the operator's id ----------------------------------------------------------------------------------------------


def operator_id(value: bytes | None, link: str = "north", **fields: object) -> str | None:
    given = {} if value is None else {0x1401: value}
    return read(deliver(**fields, tlvs=given), link, WITH_ID).operator_id  # type: ignore[arg-type]  # as deliver


def test_the_operator_s_id_counts_where_the_link_says_so() -> None:
    assert operator_id(b"4711\0") == operator_id(b"4711") is not None
    assert operator_id(b"4711", link="south") != operator_id(b"4711"), "each link has its own ids"
    assert read(deliver(tlvs={0x1401: b"4711"}), "north", LINK).operator_id is None


@pytest.mark.parametrize("value", [None, b"", b"\0", b"\0\0"])
def test_an_empty_id_is_none(value: bytes | None) -> None:
    assert operator_id(value) is None


def test_binary_ids_that_differ_behind_a_nul_differ() -> None:
    ids = [b"\x01\x00\x00\x02", b"\x01\x00\x00\x03", b"\x01", b"\xff\xfe", "ж".encode()]
    assert len({operator_id(value) for value in ids}) == len(ids)
    assert all("\0" not in (operator_id(value) or "") for value in ids), "PostgreSQL's text holds no NUL"


def test_parts_that_share_an_id_are_different_messages_and_a_part_that_comes_again_is_not() -> None:
    first, second = UDH_1_OF_2, bytes((5, 0, 3, 7, 2, 2))
    assert operator_id(b"7", message=first, esm_class=UDHI) != operator_id(b"7", message=second, esm_class=UDHI)
    assert operator_id(b"7", message=first, esm_class=UDHI) == operator_id(b"7", message=first, esm_class=UDHI)


# --- fingerprint ----------------------------------------------------------------------------------------------------


def fingerprint(link: str = "north", **fields: object) -> str:
    return read(deliver(**fields), link, LINK).fingerprint  # type: ignore[arg-type]  # as deliver


def test_a_redelivery_has_the_same_fingerprint() -> None:
    assert fingerprint() == fingerprint(sequence_number=99)
    assert fingerprint(message=b"", tlvs={tlvs.MESSAGE_PAYLOAD: b"SUN"}) == fingerprint()
    assert fingerprint(tlvs={0x1401: b"time of delivery"}) == fingerprint()


def test_whatever_makes_another_message_makes_another_fingerprint() -> None:
    others = [
        fingerprint(link="south"),
        fingerprint(source_addr="358"),
        fingerprint(destination_addr="13"),
        fingerprint(message=b"SUN "),
        fingerprint(message=b""),
        fingerprint(data_coding=8),
        fingerprint(esm_class=UDHI),
        fingerprint(tlvs=sar(7, 2, 1)),
        fingerprint(tlvs=sar(7, 2, 2)),
        fingerprint(tlvs=sar(8, 2, 1)),
    ]
    assert len({fingerprint(), *others}) == 1 + len(others)


# --- text -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "data_coding", "text"),
    [
        (b"SUN", 0, "SUN"),
        (b"\x00\x1be", 0, "@€"),
        ("СЛЪНЦЕ 😀".encode("utf-16-be"), 8, "СЛЪНЦЕ 😀"),
        (b"caf\xe9", 3, "café"),
        (b"", 0, ""),
        (b"\x00S\x00\x00", 8, "S\0"),
        (b"SUN", 4, None),
        (b"SUN", 2, None),
        (b"\xff\xff", 0, None),
        (b"odd", 8, "odd"),
        (b"\x04\x14\x04\x10\x04", 8, "ДА\ufffd"),
        (b"\x04", 8, None),
        (b"SUN", 0xF5, None),
    ],
)
def test_bytes_are_text_in_their_coding_or_none_at_all(body: bytes, data_coding: int, text: str | None) -> None:
    assert text_of(body, data_coding, LINK) == text


def test_a_header_that_says_nothing_about_parts_is_no_text() -> None:
    ports = bytes((6, 5, 4, 0x0B, 0x84, 0, 0))
    assert body_of(ports + b"SUN", UDHI, 0, LINK) == "SUN"
    assert body_of(ports + b"SUN", 0, 3, LINK) == (ports + b"SUN").decode("latin-1")


def test_the_link_says_what_the_default_alphabet_is() -> None:
    utf8 = msgspec.structs.replace(LINK, default_alphabet="utf8")
    assert text_of("слънце".encode(), 0, utf8) == "слънце"
    assert text_of("слънце".encode(), 0, LINK) is None


tags = st.sampled_from([0x1401, tlvs.MESSAGE_PAYLOAD, *sar(0, 0, 0)])


# --- parts that are read together -----------------------------------------------------------------------------------

PACKED = msgspec.structs.replace(LINK, default_alphabet="gsm7_packed")


def parts_of(*payloads: bytes) -> list[Part]:
    return [part_again(payload, UDHI, len(payloads), number) for number, payload in enumerate(payloads, 1)]


def header(number: int, *elements: int) -> bytes:
    return bytes((5 + len(elements), 0, 3, 7, 2, number, *elements))


def test_a_cut_may_go_through_a_character() -> None:
    emoji = "😀".encode("utf-16-be")
    assert text_of_parts(parts_of(header(1) + emoji[:2], header(2) + emoji[2:]), 8, LINK) == "😀"


def test_each_part_is_read_by_the_tables_that_it_names() -> None:
    turkish, plain = header(1, 0x24, 1, 1) + b"\x1bS", header(2) + b"\x1be"
    assert text_of_parts(parts_of(turkish, plain), 0, LINK) == "Ş€"
    both = parts_of(header(1, 0x25, 1, 1) + b"\x1b", header(2, 0x25, 1, 1) + b"e\x40")
    assert text_of_parts(both, 0, LINK) == "€İ", "of equal tables the bytes are joined first"


def test_packed_septets_begin_anew_with_each_part() -> None:
    packed = [header(1) + gsm7.pack(b"half a ", 6), header(2, 0x24, 1, 1) + gsm7.pack(b"me\x1bsage", 9)]
    assert text_of_parts(parts_of(*packed), 0, PACKED) == "half a meşage"
    assert body_of(packed[0], UDHI, 0xF1, PACKED) == "half a "
    octets = parts_of(header(1) + b"\x00", header(2) + b"S")
    assert text_of_parts(octets, 8, PACKED) == "S"


def test_one_part_that_is_no_text_makes_the_whole_none() -> None:
    assert text_of_parts(parts_of(header(1) + b"\xff", header(2, 0x24, 1, 1) + b"hi"), 0, LINK) is None


ALPHABETS = ["gsm7", "gsm7_packed", "latin1", "ascii", "utf8"]


@given(
    st.binary(max_size=60),
    st.dictionaries(tags, st.binary(max_size=20)),
    st.integers(0, 255),
    st.integers(0, 255),
    st.sampled_from([(kind, alphabet) for kind in (DeliverSm, DataSm) for alphabet in ALPHABETS]),
)
def test_no_content_is_an_error(
    message: bytes, given: dict[int, bytes], esm_class: int, data_coding: int, way: tuple[type, str]
) -> None:
    kind, alphabet = way
    pdu: DeliverSm | DataSm = deliver(message, tlvs=given, esm_class=esm_class, data_coding=data_coding)
    if kind is DataSm:
        pdu = DataSm(tlvs=given, esm_class=esm_class, data_coding=data_coding)
    told = read(pdu, "north", WITH_ID)
    assert (told.part is None) == (told.part_key is None)
    other_tlvs(pdu)
    link = msgspec.structs.replace(LINK, default_alphabet=alphabet)
    text = body_of(told.payload, esm_class, data_coding, link)
    assert text is None or text.encode().decode() == text
    if told.part is not None:
        again = part_again(told.payload, esm_class, told.part.total, told.part.number)
        joined = text_of_parts([told.part, again], data_coding, link)
        assert joined is None or joined.encode().decode() == joined
