"""data_coding: which bytes are which text, and what becomes of bytes that are none."""

import pytest
from hypothesis import given, strategies as st

from smsgw.errors import TextError
from smsgw.text import coding
from smsgw.text.coding import DefaultAlphabet, Encoded


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("YES", Encoded(data_coding=0, data=b"YES")),
        ("", Encoded(data_coding=0, data=b"")),
        ("5€", Encoded(data_coding=0, data=b"5\x1be")),
        ("ДА", Encoded(data_coding=8, data=b"\x04\x14\x04\x10")),
        ("😀", Encoded(data_coding=8, data=b"\xd8\x3d\xde\x00")),
        ("`", Encoded(data_coding=8, data=b"\x00`")),
    ],
)
def test_a_text_takes_the_cheaper_coding(text: str, encoded: Encoded) -> None:
    assert coding.encode(text) == encoded


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


@pytest.mark.parametrize(
    ("data", "data_coding", "default", "why"),
    [
        (b"YES", 2, "gsm7", "^binary$"),
        (b"YES", 4, "gsm7", "^binary$"),
        (b"abc", 8, "gsm7", "odd number"),
        (b"\x80", 0, "gsm7", "octet 0"),
        (b"a\xe9", 1, "gsm7", "octet 1 is not text in data_coding 1"),
        (b"\xe9", 0, "ascii", "octet 0"),
        (b"\xe9", 0, "utf8", "octet 0"),
        (b"YES", 5, "gsm7", "data_coding 5 names no alphabet"),
        (b"YES", 0xF5, "gsm7", "data_coding 245"),
        (b"YES", -1, "gsm7", "data_coding -1"),
    ],
)
def test_what_is_not_text_is_a_text_error(data: bytes, data_coding: int, default: DefaultAlphabet, why: str) -> None:
    with pytest.raises(TextError, match=why):
        coding.decode(data, data_coding, default=default)


@given(st.binary(), st.integers(0, 255), st.sampled_from(["gsm7", "latin1", "ascii", "utf8"]))
def test_any_bytes_are_a_text_or_a_text_error(data: bytes, data_coding: int, default: DefaultAlphabet) -> None:
    try:
        text = coding.decode(data, data_coding, default=default)
    except TextError:
        return
    assert text.encode("utf-8").decode("utf-8") == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text: str) -> None:
    encoded = coding.encode(text)
    assert coding.decode(encoded.data, encoded.data_coding) == text
