"""Long messages: where a text is cut, what each part says of itself, and how received parts come together again."""

import random

import pytest
from hypothesis import example, given, strategies as st
from msgspec import structs

from smsgw.errors import TextError
from smsgw.text import coding, segments
from smsgw.text.segments import UDHI, Body, LongMessages, Outlet, Part, Segment

HEADER = b"\x05\x00\x03\x2a"
TEXTS = st.text(
    st.one_of(
        st.sampled_from("abc€[]{}~@é"),
        st.sampled_from("ДА😀"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=700,
)


def received(sent: list[Segment]) -> str:
    """Read segments as a phone does that gets them in any order."""
    if len(sent) == 1:
        return coding.decode(sent[0].payload, sent[0].data_coding)
    parts = [segments.parse_part(segment.payload, segment.esm_class) for segment in sent]
    known = [part for part in parts if part is not None]
    assert len(known) == len(sent)
    random.Random(len(sent)).shuffle(known)
    return coding.decode(segments.join(known), sent[0].data_coding)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        pytest.param("", [0], id="an empty text is one empty segment"),
        pytest.param("a" * 160, [160], id="160 septets fit alone"),
        pytest.param("a" * 161, [153, 8], id="161 do not"),
        pytest.param("a" * 306, [153, 153], id="153 fit in each of two"),
        pytest.param("a" * 307, [153, 153, 1], id="one more is a third"),
        pytest.param("€" * 80, [160], id="80 extension characters fit alone"),
        pytest.param("€" * 81, [152, 10], id="an escape pair is not cut: 152, not 153"),
        pytest.param("a" * 152 + "€" * 5, [152, 10], id="nor at the end of the first part"),
        pytest.param("a" * 151 + "€" * 5, [153, 8], id="a pair that just fits stays"),
        pytest.param("a" * 159 + "€", [153, 8], id="159 characters and a euro are 161 septets"),
        pytest.param("Д" * 70, [140], id="70 UTF-16 units fit alone"),
        pytest.param("Д" * 71, [134, 8], id="71 do not"),
        pytest.param("Д" * 134, [134, 134], id="67 fit in each of two"),
        pytest.param("Д" * 135, [134, 134, 2], id="one more is a third"),
        pytest.param("😀" * 35, [140], id="35 emoji fit alone"),
        pytest.param("😀" * 36, [132, 12], id="a surrogate pair is not cut: 66 units, not 67"),
        pytest.param("Д" + "😀" * 35, [134, 8], id="a pair that just fits stays"),
    ],
)
def test_a_text_is_cut_where_the_specification_allows(text: str, sizes: list[int]) -> None:
    sent = segments.split(text, reference=42)
    header = 6 if len(sizes) > 1 else 0
    assert [len(segment.payload) - header for segment in sent] == sizes
    assert received(sent) == text


def test_a_single_segment_has_no_header() -> None:
    assert segments.split("YES", reference=42) == [
        Segment(data_coding=0, esm_class=0, payload=b"YES", part=1, parts=1),
    ]


def test_each_part_says_which_of_how_many_it_is() -> None:
    assert segments.split("Д" * 71, reference=42) == [
        Segment(data_coding=8, esm_class=0x40, payload=HEADER + b"\x02\x01" + b"\x04\x14" * 67, part=1, parts=2),
        Segment(data_coding=8, esm_class=0x40, payload=HEADER + b"\x02\x02" + b"\x04\x14" * 4, part=2, parts=2),
    ]


def test_the_low_octet_of_the_reference_counts() -> None:
    assert segments.split("a" * 161, reference=0x1FF)[0].payload[3] == 0xFF


def test_more_parts_than_allowed_are_refused() -> None:
    assert len(segments.split("a" * 306, reference=1, max_parts=2)) == 2
    with pytest.raises(TextError, match="takes 3 parts; 2 are allowed"):
        segments.split("a" * 307, reference=1, max_parts=2)
    assert len(segments.split("a" * 153 * 255, reference=1, max_parts=1000)) == 255
    with pytest.raises(TextError, match="takes 256 parts; 255 are allowed"):
        segments.split("a" * 153 * 256, reference=1, max_parts=1000)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(TextError, match="surrogate"):
        segments.split("\udc00", reference=1)


@given(TEXTS, st.integers(0, 255))
@example("😀" * 200, 0)
@example("a€" * 200, 255)
def test_any_text_comes_back_from_its_parts(text: str, reference: int) -> None:
    sent = segments.split(text, reference=reference)
    assert received(sent) == text
    assert [segment.part for segment in sent] == list(range(1, len(sent) + 1))
    assert {segment.parts for segment in sent} == {len(sent)}
    assert all(len(segment.payload) <= 160 for segment in sent)


@given(TEXTS)
def test_each_part_can_be_read_alone(text: str) -> None:
    """A phone that shows parts as they come shows no broken character, since no pair is cut."""
    sent = segments.split(text, reference=7)
    bodies = [segments.strip_udh(part.payload)[1] if part.esm_class else part.payload for part in sent]
    assert "".join(coding.decode(body, sent[0].data_coding) for body in bodies) == text


def part(number: int, body: bytes, *, total: int = 2, reference: int = 42, wide: bool = False) -> Part:
    return Part(reference=reference, wide=wide, total=total, number=number, body=body)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(b"\x05\x00\x03\x2a\x02\x01hi", part(1, b"hi"), id="8-bit reference"),
        pytest.param(
            b"\x06\x08\x04\x01\x2a\x02\x02hi", part(2, b"hi", reference=0x12A, wide=True), id="16-bit reference"
        ),
        pytest.param(b"\x05\x00\x03\x2a\x01\x01hi", part(1, b"hi", total=1), id="one of one is a part"),
        pytest.param(b"\x09\x24\x02\x00\x00\x00\x03\x2a\x02\x01hi", part(1, b"hi"), id="behind another element"),
        pytest.param(b"\x0a\x00\x03\x07\x03\x01\x00\x03\x2a\x02\x01hi", part(1, b"hi"), id="the last of two counts"),
        pytest.param(
            b"\x0a\x00\x03\x2a\x02\x01\x00\x03\x07\x02\x09hi", None, id="a repeated element hides the earlier one"
        ),
        pytest.param(
            b"\x0b\x08\x04\x00\x2a\x02\x01\x00\x03\x07\x00\x00hi",
            part(1, b"hi", wide=True),
            id="a senseless element is ignored, the other counts",
        ),
        pytest.param(
            b"\x0b\x00\x03\x07\x02\x01\x08\x04\x00\x2a\x02\x01hi",
            part(1, b"hi", wide=True),
            id="of two kinds the last counts",
        ),
        pytest.param(
            b"\x10\x00\x03\x07\x02\x02\x08\x04\x00\x07\x02\x02\x00\x03\x2a\x02\x01hi",
            part(1, b"hi"),
            id="also when its kind came before",
        ),
        pytest.param(b"\x05\x00\x03\x2a\x00\x01hi", None, id="none in total"),
        pytest.param(b"\x05\x00\x03\x2a\x02\x00hi", None, id="number 0"),
        pytest.param(b"\x05\x00\x03\x2a\x02\x03hi", None, id="the third of two"),
        pytest.param(b"\x04\x00\x02\x2a\x02hi", None, id="an element that is too short"),
        pytest.param(b"\x04\x24\x02\x00\x00hi", None, id="no concatenation"),
        pytest.param(b"\x00hi", None, id="an empty header"),
        pytest.param(b"\x05\x00\x09\x2a\x02\x01hi", None, id="an element beyond the header"),
        pytest.param(b"\x20hi", None, id="a header beyond the payload"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_a_payload_with_a_header_is_a_part_or_a_message_of_its_own(payload: bytes, expected: Part | None) -> None:
    found = segments.parse_part(payload, UDHI)
    assert (found and structs.replace(found, header=0)) == expected
    assert found is None or found.header + len(found.body) == len(payload)


def test_without_the_esm_class_bit_there_is_no_header() -> None:
    assert segments.parse_part(b"\x05\x00\x03\x2a\x02\x01hi", 0) is None
    assert segments.parse_part(b"\x05\x00\x03\x2a\x02\x01hi", UDHI | 0x03) is not None


@pytest.mark.parametrize(
    ("sar", "expected"),
    [
        ((0x12A, 2, 1), part(1, b"hi", reference=0x12A, wide=True)),
        ((0x12A, 0, 0), None),
        ((0x12A, 2, 3), None),
        ((0x12A, 256, 1), None),
    ],
)
def test_sar_tlvs_describe_a_part_too(sar: tuple[int, int, int], expected: Part | None) -> None:
    assert segments.parse_part(b"hi", 0, sar) == expected


def test_the_header_decides_and_the_tlvs_count_where_it_says_nothing() -> None:
    both = segments.parse_part(b"\x05\x00\x03\x2a\x02\x01hi", UDHI, (7, 3, 3))
    assert both == structs.replace(part(1, b"hi"), header=6)
    tlvs = segments.parse_part(b"\x04\x24\x02\x00\x00hi", UDHI, (7, 3, 3))
    assert tlvs == structs.replace(part(3, b"hi", total=3, reference=7, wide=True), header=5)


def test_a_part_names_its_national_tables_and_a_message_of_its_own_does_too() -> None:
    payload = b"\x0b\x00\x03\x2a\x02\x01\x24\x01\x01\x25\x01\x03hi"
    found = segments.parse_part(payload, UDHI)
    assert found is not None
    assert (found.tables, found.header, found.body) == ((3, 1), 12, b"hi")
    assert segments.part_again(payload, UDHI, 2, 1) == structs.replace(found, reference=0)
    assert segments.body_of(payload[:1] + payload[1:], UDHI) == Body(data=b"hi", header=12, tables=(3, 1))
    assert segments.body_of(payload, 0) == Body(data=payload)


def test_a_table_element_of_another_length_names_none() -> None:
    assert segments.body_of(b"\x07\x24\x02\x01\x01\x25\x01\x01hi", UDHI).tables == (1, 0)


@pytest.mark.parametrize(
    ("payload", "elements", "body"),
    [
        (b"\x05\x00\x03\x2a\x02\x01hi", {0: b"\x2a\x02\x01"}, b"hi"),
        (b"\x07\x24\x01\x07\x25\x02\x08\x09", {0x24: b"\x07", 0x25: b"\x08\x09"}, b""),
        (b"\x06\x24\x01\x07\x24\x01\x08hi", {0x24: b"\x08"}, b"hi"),
        (b"\x02\x24\x00hi", {0x24: b""}, b"hi"),
        (b"\x01\x24hi", {}, b"\x01\x24hi"),
        (b"\xffhi", {}, b"\xffhi"),
        (b"\x00", {}, b""),
        (b"", {}, b""),
    ],
)
def test_the_header_is_taken_off_unless_it_is_malformed(
    payload: bytes, elements: dict[int, bytes], body: bytes
) -> None:
    assert segments.strip_udh(payload) == (elements, body)


@given(st.binary(max_size=20), st.integers(0, 255))
def test_any_payload_is_a_part_or_not_and_never_more_than_it_was(payload: bytes, esm_class: int) -> None:
    found = segments.parse_part(payload, esm_class)
    elements, body = segments.strip_udh(payload)
    assert payload.endswith(body)
    assert sum(map(len, elements.values())) + len(body) <= len(payload)
    if found is not None:
        assert 1 <= found.number <= found.total <= 255
        assert found.body == body


def test_parts_are_joined_in_order_and_decoded_together() -> None:
    """Other senders do cut pairs; the text is whole again when the bytes are joined first."""
    assert segments.join([part(2, b"e."), part(1, b"5\x1b")]) == b"5\x1be."
    emoji = "😀".encode("utf-16-be")
    joined = segments.join([part(2, emoji[2:]), part(1, emoji[:2])])
    assert coding.decode(joined, 8) == "😀"


# --- for links that take something else -----------------------------------------------------------------------------

OUTLETS = [
    Outlet(default_alphabet=alphabet, codings=codings, long_messages=way)
    for alphabet in ("gsm7", "gsm7_packed", "latin1", "ascii", "utf8")
    for codings in (("default", "ucs2"), ("latin1", "default", "iso8859-5", "ucs2"), ("ucs2",))
    for way in ("udh8", "udh16", "sar", "payload")
]


def read_by(outlet: Outlet, sent: list[Segment]) -> str:
    """Read segments as an SMSC does that has agreed on this."""
    assert len({one.data_coding for one in sent}) == 1
    parts = [segments.parse_part(one.payload, one.esm_class, one.sar) for one in sent]
    packed = outlet.default_alphabet == "gsm7_packed"
    if len(sent) > 1:
        known = [part for part in parts if part is not None]
        assert len(known) == len(sent), "every part says that it is one"
        assert len({part.reference for part in known}) == 1
        assert [part.number for part in known] == list(range(1, len(sent) + 1))
        pieces = [(part.body, part.header) for part in known]
        if not (packed and coding.is_default(sent[0].data_coding)):
            pieces = [(segments.join(known), 0)]
    else:
        pieces = [(sent[0].payload, 0)]
    return "".join(
        coding.decode(piece, sent[0].data_coding, default=outlet.default_alphabet, header=header)
        for piece, header in pieces
    )


@given(TEXTS.map(lambda text: text.replace("@", "").replace("\r", "")), st.sampled_from(OUTLETS), st.integers(0, 2**20))
def test_any_text_arrives_over_any_link(text: str, outlet: Outlet, reference: int) -> None:
    sent = segments.split(text, reference=reference, outlet=outlet)
    if sent[0].data_coding == 8 and text.startswith("\ufeff"):
        return  # a byte order mark is no character
    assert read_by(outlet, sent) == text
    assert sum(one.sms for one in sent) <= sum(one.sms for one in segments.split(text, reference=1)) * 2 + 1
    limit = 65_535 if sent[0].whole else 160
    if outlet.default_alphabet == "utf8" and not sent[0].whole:
        limit = 254
    assert all(len(one.payload) <= limit for one in sent)


@pytest.mark.parametrize(
    ("way", "letter", "alone", "each"),
    [
        ("udh8", "a", 160, 153),
        ("udh16", "a", 160, 152),
        ("sar", "a", 160, 152),
        ("payload", "a", 160, 153),
        ("udh8", "Д", 70, 67),
        ("udh16", "Д", 70, 66),
        ("sar", "Д", 70, 66),
        ("payload", "Д", 70, 67),
    ],
)
def test_how_much_goes_into_an_sms(way: LongMessages, letter: str, alone: int, each: int) -> None:
    outlet = Outlet(long_messages=way)

    def sms(count: int) -> int:
        return sum(one.sms for one in segments.split(letter * count, reference=1, outlet=outlet))

    assert [sms(alone), sms(alone + 1), sms(2 * each), sms(2 * each + 1)] == [1, 2, 2, 3]


def test_a_header_of_16_bits_names_both_octets_of_the_reference() -> None:
    first, second = segments.split("a" * 161, reference=0xF1234, outlet=Outlet(long_messages="udh16"))
    assert (first.payload[:7], second.payload[:7]) == (b"\6\x08\4\x12\x34\2\1", b"\6\x08\4\x12\x34\2\2")
    assert first.esm_class == second.esm_class == UDHI


def test_sar_tlvs_leave_the_payload_to_the_text() -> None:
    first, second = segments.split("a" * 161, reference=0xF1234, outlet=Outlet(long_messages="sar"))
    assert (first.sar, second.sar, first.esm_class) == ((0x1234, 2, 1), (0x1234, 2, 2), 0)
    assert (first.payload, second.payload) == (b"a" * 152, b"a" * 9)


def test_a_whole_text_counts_as_the_sms_that_it_becomes() -> None:
    outlet = Outlet(long_messages="payload")
    [whole] = segments.split("a" * 400, reference=1, outlet=outlet)
    assert (whole.payload, whole.whole, whole.sms, whole.parts, whole.esm_class) == (b"a" * 400, True, 3, 1, 0)
    [short] = segments.split("a" * 160, reference=1, outlet=outlet)
    assert (short.whole, short.sms) == (False, 1)
    with pytest.raises(TextError, match="takes 3 parts; 2 are allowed"):
        segments.split("a" * 400, reference=1, max_parts=2, outlet=outlet)


def test_the_coding_that_takes_the_fewest_sms_is_chosen_and_of_equals_the_first() -> None:
    outlet = Outlet(codings=("default", "latin1", "ucs2"))
    assert {one.data_coding for one in segments.split("[" * 100, reference=1, outlet=outlet)} == {3}
    assert {one.data_coding for one in segments.split("a" * 140, reference=1, outlet=outlet)} == {0}
    assert {one.data_coding for one in segments.split("ê" * 100, reference=1, outlet=outlet)} == {3}
    dear = Outlet(codings=("ucs2", "default"))
    assert {one.data_coding for one in segments.split("a" * 70, reference=1, outlet=dear)} == {8}
    assert {one.data_coding for one in segments.split("a" * 71, reference=1, outlet=dear)} == {0}


@pytest.mark.parametrize("long_messages", ["udh8", "udh16", "sar", "payload"])
@pytest.mark.parametrize("text", ["é" * 127, "é" * 128, "é" * 160, "€" * 80, "é€" * 200, "я😀" * 200])
def test_short_message_takes_each_piece_in_utf8_too(text: str, long_messages: LongMessages) -> None:
    outlet = Outlet(codings=("default",), default_alphabet="utf8", long_messages=long_messages)
    sent = segments.split(text, reference=1, outlet=outlet)
    assert all(one.whole or len(one.payload) <= 254 for one in sent)
    header = {"udh8": 6, "udh16": 7}.get(long_messages, 0) if len(sent) > 1 else 0
    assert "".join(one.payload[header:].decode() for one in sent) == text


def test_packed_parts_begin_at_a_septet_boundary() -> None:
    outlet = Outlet(default_alphabet="gsm7_packed")
    first, _ = segments.split("a" * 161, reference=1, outlet=outlet)
    assert len(first.payload) == 140
    assert first.payload[6] & 1 == 0, "one bit is filled behind six octets"
