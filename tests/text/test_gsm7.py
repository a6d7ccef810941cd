"""The GSM 7 bit default alphabet, held against a table typed from 3GPP TS 23.038 §6.2.1 and not from any library."""

import pytest
from hypothesis import given, strategies as st

from smsgw.errors import TextError
from smsgw.text import gsm7

# Row by row as the figure in §6.2.1 reads downwards; "\x1b" stands where the escape is.
DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
# §6.2.1.1
EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
CHARACTERS = (set(DEFAULT) - {"\x1b"}) | set(EXTENSION.values())


@pytest.mark.parametrize("code", [code for code in range(128) if code != 0x1B])
def test_each_character_of_the_default_alphabet_has_its_code(code: int) -> None:
    assert gsm7.encode(DEFAULT[code]) == bytes((code,))
    assert gsm7.decode(bytes((code,))) == DEFAULT[code]


@pytest.mark.parametrize(("code", "character"), EXTENSION.items())
def test_each_character_of_the_extension_table_takes_an_escape(code: int, character: str) -> None:
    assert gsm7.encode(character) == bytes((0x1B, code))
    assert gsm7.decode(bytes((0x1B, code))) == character
    assert gsm7.septets(character) == 2


def test_no_other_character_of_unicode_can_be_encoded() -> None:
    others = (chr(code) for code in range(0x110000) if chr(code) not in CHARACTERS)
    assert [character for character in others if gsm7.encode(character) is not None] == []


def test_one_foreign_character_makes_the_whole_text_foreign() -> None:
    assert gsm7.encode("Code: ЖВС") is None
    assert gsm7.septets("Code: ЖВС") is None
    assert gsm7.encode("a\x1bb") is None


@pytest.mark.parametrize(("text", "septets"), [("", 0), ("abc", 3), ("5 €", 4), ("[{}]", 8), ("é", 1), ("a@b_c$", 6)])
def test_septets_counts_extension_characters_twice(text: str, septets: int) -> None:
    assert gsm7.septets(text) == septets


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"a\x1b", "a ", id="an escape at the end is a space"),
        pytest.param(b"\x1b\x1b\x65", " e", id="escape twice is a space, and nothing is escaped any more"),
        pytest.param(b"\x1ba", "a", id="an unknown extension is read in the default alphabet"),
        pytest.param(b"\x1b\x00", "@", id="so is NUL"),
        pytest.param(b"\x1b\r", "\r", id="so is a carriage return, which the extension table reserves"),
        pytest.param(b"\x1b\x0a", "\f", id="a page break is a form feed"),
        pytest.param(b"\x00\x00", "@@", id="NUL is a commercial at"),
    ],
)
def test_odd_escapes_are_read_as_the_specification_asks(data: bytes, text: str) -> None:
    assert gsm7.decode(data) == text


def test_an_octet_that_is_no_septet_is_an_error_that_names_its_place() -> None:
    with pytest.raises(TextError, match="octet 2"):
        gsm7.decode(b"ab\x80")


@given(st.text(st.sampled_from(sorted(CHARACTERS))))
def test_any_text_of_these_characters_comes_back(text: str) -> None:
    data = gsm7.encode(text)
    assert data is not None
    assert gsm7.decode(data) == text


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_ascii_takes_the_same_codes_on_the_short_way_and_on_the_long_one(text: str) -> None:
    long_way = gsm7.encode(f"{text}é")
    assert gsm7.encode(text) == (None if long_way is None else long_way[:-1])


@given(st.binary())
def test_any_bytes_are_a_text_or_a_text_error(data: bytes) -> None:
    try:
        text = gsm7.decode(data)
    except TextError:
        assert max(data) > 0x7F
    else:
        assert len(text) <= len(data)


# --- packed (TS 23.038 §6.1.2.1) ------------------------------------------------------------------------------------

GOLDEN = [  # worked out by hand from the figures in §6.1.2.1.1
    ("", ""),
    ("1", "31"),
    ("12", "3119"),
    ("hellohello", "e8329bfd4697d9ec37"),
    ("1234567", "31d98c56b3dd1a"),  # seven bits left over: CR
    ("12345678", "31d98c56b3dd70"),
    ("123456789", "31d98c56b3dd7039"),
]


@pytest.mark.parametrize(("text", "packed"), GOLDEN)
def test_septets_are_packed_as_the_figures_show(text: str, packed: str) -> None:
    assert gsm7.pack(text.encode()) == bytes.fromhex(packed)
    assert gsm7.unpack(bytes.fromhex(packed)) == text.encode()


def test_behind_a_header_the_text_begins_at_a_septet_boundary() -> None:
    """A header of six octets is 48 bits; the seventh septet ends at bit 49: one bit is filled."""
    assert gsm7.pack(b"A", 6) == bytes((0x41 << 1,))
    assert gsm7.unpack(bytes((0x41 << 1,)), 6) == b"A"
    assert gsm7.pack(b"A", 7) == b"A"
    assert len(gsm7.pack(b"x" * 153, 6)) == 134


def test_a_text_of_seven_septets_gains_no_character() -> None:
    for padding in (0x00, 0x0D):
        packed = gsm7.pack(b"CAMPIN")[:-1] + gsm7.pack(b"CAMPING")[-2:]
        assert gsm7.unpack(packed[:6] + bytes((packed[6] & 1 | padding << 1,))) == b"CAMPING"


@given(st.binary().map(lambda data: bytes(octet & 0x7F for octet in data)), st.integers(0, 140))
def test_packed_septets_come_back(septets: bytes, header: int) -> None:
    packed = gsm7.pack(septets, header)
    fill = -header * 8 % 7
    assert len(packed) == (fill + 7 * len(septets) + 7) // 8
    lost = septets[-1:] in {b"\0", b"\r"} and (fill + 7 * len(septets)) % 8 == 0
    assert gsm7.unpack(packed, header) == (septets[:-1] if lost else septets)


@given(st.binary(), st.integers(0, 255))
def test_any_octets_are_septets(data: bytes, header: int) -> None:
    assert len(gsm7.unpack(data, header)) in {(bits := max(0, len(data) * 8 + -(-header * 8 % 7))) // 7, bits // 7 - 1}
