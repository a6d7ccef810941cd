"""data_coding: which bytes are which text, and what becomes of bytes that are none."""

import pytest
from hypothesis import given, strategies as st

from smsgw.errors import TextError
from smsgw.text import coding, gsm7
from smsgw.text.coding import Coding, DefaultAlphabet, Encoded
from smsgw.text.gsm7 import Tables

ALPHABETS = ["gsm7", "gsm7_packed", "latin1", "ascii", "utf8"]
TABLES = st.integers(0, 255)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("YES", Encoded(data_coding=0, data=b"YES")),
        ("", Encoded(data_coding=0, data=b"")),
        ("5€", Encoded(data_coding=0, data=b"5\x1be")),
        ("ДА", Encoded(data_coding=8, data=b"\x04\x14\x04\x10", unit="ucs2")),
        ("😀", Encoded(data_coding=8, data=b"\xd8\x3d\xde\x00", unit="ucs2")),
        ("`", Encoded(data_coding=8, data=b"\x00`", unit="ucs2")),
    ],
)
def test_a_text_takes_the_cheaper_coding(text: str, encoded: Encoded) -> None:
    assert coding.encode(text) == [encoded]


def test_half_a_surrogate_pair_cannot_be_sent() -> None:
    with pytest.raises(TextError, match="character 1 is half a surrogate pair"):
        coding.encode("a\ud83d")


@pytest.mark.parametrize(
    ("data", "data_coding", "text"),
    [
        (b"\x00_\x1be", 0, "@§€"),
        (b"YES@", 1, "YES@"),
        (b"caf\xe9", 3, "café"),
        (b"\x04\x14\x04\x10", 8, "ДА"),
        (b"\xd8\x3d\xde\x00", 8, "😀"),
        (b"", 8, ""),
        (b"\x00\x00", 8, "\0"),
    ],
)
def test_received_bytes_are_read_by_their_data_coding(data: bytes, data_coding: int, text: str) -> None:
    assert coding.decode(data, data_coding) == text


@pytest.mark.parametrize(
    ("default", "data", "text"),
    [("gsm7", b"\x00", "@"), ("latin1", b"\xe9", "é"), ("ascii", b"@", "@"), ("utf8", "ДА".encode(), "ДА")],
)
def test_data_coding_0_means_what_the_link_says(default: DefaultAlphabet, data: bytes, text: str) -> None:
    assert coding.decode(data, 0, default=default) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"\x00a\xd8\x3d", "a\ufffd"), (b"\xd8\x3d\x00a", "\ufffda"), (b"\xde\x00\x00a", "\ufffda")],
)
def test_half_a_surrogate_pair_does_not_hide_the_words_around_it(data: bytes, text: str) -> None:
    assert coding.decode(data, 8) == text


SAMPLES = [
    ("ascii", 1, "SUN"),
    ("latin-1", 3, "café"),
    ("shift_jis", 5, "日本語とSUN ｶﾅ"),
    ("euc_jp", 5, "日本語のテスト"),
    ("iso2022_jp", 5, "SUN 日本語"),
    ("iso8859-5", 6, "Слънце їжак №1"),
    ("iso8859-8", 7, "שמש SUN"),
    ("utf-16-be", 8, "Слънце 😀"),
    ("iso2022_jp", 10, "SUN 日本語"),
    ("shift_jis", 10, "日本語"),
    ("euc_jp", 13, "日本語と丂侊"),
    ("iso2022_jp_ext", 13, "日本語と丂侊"),
    ("euc_kr", 14, "한국어 SUN"),
    ("cp949", 14, "똠방각하"),
    ("iso2022_kr", 14, "한국어"),
]


@pytest.mark.parametrize(("encoding", "data_coding", "text"), SAMPLES)
def test_every_alphabet_that_smpp_names_is_read(encoding: str, data_coding: int, text: str) -> None:
    assert coding.decode(text.encode(encoding), data_coding) == text


@pytest.mark.parametrize("data_coding", [5, 10, 13, 14])
def test_plain_ascii_is_itself_in_the_alphabets_of_asia(data_coding: int) -> None:
    for text in ("SUN", "SUNS", "a$b%c$d", "5% or 100$", ""):
        assert coding.decode(text.encode(), data_coding) == text


def test_jis_x_0208_in_seven_bits_is_known_by_its_kana() -> None:
    seven = bytes(octet & 0x7F for octet in "これはテスト".encode("euc_jp"))
    assert coding.decode(seven, 5) == "これはテスト"


@pytest.mark.parametrize(
    ("data_coding", "kind"),
    [
        *((code, "gsm7") for code in (0x0F, 0x10, 0x11, 0x12, 0x13, 0x1C, 0x40, 0x5F, 0xC0, 0xC8, 0xD0, 0xDF)),
        *((code, "gsm7") for code in (0x80, 0xBF, 0xF0, 0xF1, 0xF2, 0xF3, 0xF8, 0xFB)),
        *((code, "ucs2") for code in (0x18, 0x19, 0x1A, 0x1B, 0x48, 0x58, 0xE0, 0xEF)),
        *((code, "binary") for code in (2, 4, 0x14, 0x15, 0x16, 0x17, 0x44, 0x57, 0xF4, 0xF5, 0xF6, 0xF7, 0xFC, 0xFF)),
        *((code, "compressed") for code in (0x20, 0x30, 0x3F, 0x60, 0x7F)),
    ],
)
def test_gsm_s_coding_groups_are_read_as_ts_23_038_has_them(data_coding: int, kind: str) -> None:
    if kind == "gsm7":
        assert coding.decode(b"\x00\x1be", data_coding) == "@€"
        assert coding.decode(b"@", data_coding, default="latin1") == "@", "the SMSC's default alphabet is the link's"
        assert coding.is_default(data_coding)
    elif kind == "ucs2":
        assert coding.decode(b"\x04\x14", data_coding) == "Д"
    else:
        with pytest.raises(TextError, match="^binary$" if kind == "binary" else "names no alphabet"):
            coding.decode(b"YES", data_coding)


def test_every_coding_is_of_one_kind() -> None:
    silent = {9, 11, 12, *range(0x20, 0x40), *range(0x60, 0x80)}
    for code in range(256):
        kinds = [coding.is_default(code), coding.is_eight_bit(code) or code in coding.BINARY, code in coding._READERS]
        assert sum(kinds) == (code not in silent), hex(code)


@pytest.mark.parametrize(
    ("data", "data_coding", "text"),
    [
        pytest.param(b"\x00S\x00U\x00N\x04", 8, "SUN\ufffd", id="half a unit at the end"),
        pytest.param(b"\x00S\x00U\x00N\x00", 8, "SUN", id="a NUL at the end of the text"),
        pytest.param(b"SUN", 8, "SUN", id="ASCII that is called UCS-2"),
        pytest.param("тест".encode()[:-1], 0, "тес\ufffd", id="UTF-8"),
        pytest.param("日本語".encode("shift_jis")[:-1], 5, "日本\ufffd", id="Shift_JIS"),
        pytest.param("한국어".encode("cp949")[:-1], 14, "한국\ufffd", id="Korean"),
    ],
)
def test_what_was_cut_is_read_up_to_the_cut(data: bytes, data_coding: int, text: str) -> None:
    assert coding.decode(data, data_coding, default="utf8") == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xfe\xff\x04\x14\x04\x10", "ДА"),
        (b"\xff\xfe\x14\x04\x10\x04", "ДА"),
        (b"\xff\xfe\x3d\xd8\x00\xde", "😀"),
        (b"\xff\xfe", ""),
        (b"\xfe\xff", ""),
        (b"\xff\xfeS\x00U\x00N\x00\x04", "SUN\ufffd"),
    ],
)
def test_a_byte_order_mark_is_obeyed_and_is_no_character(data: bytes, text: str) -> None:
    assert coding.decode(data, 8) == text


@pytest.mark.parametrize("text", ["SUN", "sun", "ДА", "слънце", "СЪН", "Yes, please!", "שמש", "Ήλιος", "Інтернет"])
def test_ucs2_in_the_wrong_order_is_turned_round(text: str) -> None:
    assert coding.decode(text.encode("utf-16-le"), 8) == text
    assert coding.decode(text.encode("utf-16-be"), 8) == text


@pytest.mark.parametrize(
    ("data", "tables", "text"), [(b"\x1bS \x1bg", (0, 1), "Ş ğ"), (b"\x0b\x40", (1, 0), "Ğİ"), (b"\x04", (3, 3), "ê")]
)
def test_the_header_s_national_tables_count(data: bytes, tables: Tables, text: str) -> None:
    assert coding.decode(data, 0, tables=tables) == text
    assert coding.decode(gsm7.pack(data, 9), 0, default="gsm7_packed", tables=tables, header=9) == text


def test_packed_septets_are_the_default_alphabet_where_the_link_says_so() -> None:
    assert coding.decode(bytes.fromhex("e8329bfd4697d9ec37"), 0, default="gsm7_packed") == "hellohello"
    assert coding.decode(bytes.fromhex("e8329bfd4697d9ec37"), 0xF1, default="gsm7_packed") == "hellohello"


@pytest.mark.parametrize(
    ("data", "data_coding", "default", "why"),
    [
        (b"YES", 2, "gsm7", "^binary$"),
        (b"YES", 4, "gsm7", "^binary$"),
        (b"\x04", 8, "gsm7", "one octet"),
        (b"\x80", 0, "gsm7", "octet 0"),
        (b"a\xe9", 1, "gsm7", "octet 1 is not text in data_coding 1"),
        (b"\xe9", 0, "ascii", "octet 0"),
        (b"\xe9", 0, "utf8", "octet 0"),
        (b"\x81", 5, "gsm7", "octet 0 is not text in data_coding 5"),
        (b"\xff", 7, "gsm7", "octet 0 is not text in data_coding 7"),
        (b"\xff\xff", 14, "gsm7", "octet 0 is not text in data_coding 14"),
        (b"YES", 9, "gsm7", "data_coding 9 names no alphabet"),
        (b"YES", 0x20, "gsm7", "data_coding 32 names no alphabet"),
        (b"YES", 0xF5, "gsm7", "^binary$"),
        (b"YES", 0x15, "gsm7", "^binary$"),
        (b"YES", -1, "gsm7", "data_coding -1"),
    ],
)
def test_what_is_not_text_is_a_text_error(data: bytes, data_coding: int, default: DefaultAlphabet, why: str) -> None:
    with pytest.raises(TextError, match=why):
        coding.decode(data, data_coding, default=default)


@given(st.binary(), st.integers(0, 255), st.sampled_from(ALPHABETS), st.tuples(TABLES, TABLES), st.integers(0, 140))
def test_any_bytes_are_a_text_or_a_text_error(
    data: bytes, data_coding: int, default: DefaultAlphabet, tables: Tables, header: int
) -> None:
    try:
        text = coding.decode(data, data_coding, default=default, tables=tables, header=header)
    except TextError:
        return
    assert text.encode("utf-8").decode("utf-8") == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    for encoded in coding.encode(text, ["default", "ascii", "latin1", "iso8859-5", "iso8859-8", "ucs2"]):
        assert coding.decode(encoded.handed(encoded.data), encoded.data_coding) == text


@pytest.mark.parametrize(
    ("text", "codings", "default", "handed"),
    [
        ("café @", ["default"], "latin1", [(0, b"caf\xe9 @", "septet")]),
        ("caf\u00ea", ["default", "ucs2"], "latin1", [(8, "caf\u00ea".encode("utf-16-be"), "ucs2")]),
        ("caf\u00ea", ["default"], "latin1", [(0, b"caf\xea", "ucs2")]),
        ("5€ @", ["default"], "utf8", [(0, "5€ @".encode(), "septet")]),
        ("ДА", ["default"], "utf8", [(0, "ДА".encode(), "ucs2")]),
        ("ДА", ["default", "ucs2"], "utf8", [(8, "ДА".encode("utf-16-be"), "ucs2")]),
        ("YES @", ["default"], "ascii", [(0, b"YES @", "septet")]),
        ("é", ["default", "ucs2"], "ascii", [(8, b"\x00\xe9", "ucs2")]),
        ("hellohello", ["default"], "gsm7_packed", [(0, bytes.fromhex("e8329bfd4697d9ec37"), "septet")]),
        ("ê", ["latin1", "ucs2"], "gsm7", [(3, b"\xea", "octet"), (8, b"\x00\xea", "ucs2")]),
        ("Да", ["iso8859-5"], "gsm7", [(6, b"\xb4\xd0", "octet")]),
        ("שמש", ["iso8859-8"], "gsm7", [(7, b"\xf9\xee\xf9", "octet")]),
        ("a_b", ["ascii", "default"], "gsm7", [(1, b"a_b", "septet"), (0, b"a\x11b", "septet")]),
    ],
)
def test_each_link_is_sent_what_it_means(
    text: str, codings: list[Coding], default: DefaultAlphabet, handed: list[tuple[int, bytes, str]]
) -> None:
    ways = coding.encode(text, codings, default)
    assert [(way.data_coding, way.handed(way.data), way.unit) for way in ways] == handed


def test_what_no_coding_carries_is_an_error_that_says_which_there_are() -> None:
    with pytest.raises(TextError, match="no coding that the link takes carries the text; there are default, latin1"):
        coding.encode("ДА", ["default", "latin1"])
