"""The word that a message begins with: case, punctuation and look-alike letters do not matter, nothing else is lost."""

import pytest
from hypothesis import assume, given, strategies as st

from smsgw.domain.keywords import LOOK_ALIKES, MARKS, _cut, first_word, fold

ES = "\N{CYRILLIC CAPITAL LETTER ES}"
ZERO_WIDTH_SPACE = "\u200b"
BYTE_ORDER_MARK = "\ufeff"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("SUN", "SUN"),
        ("sun please", "SUN"),
        ("  \r\n\tsUn\n", "SUN"),
        ('"Sun"', "SUN"),
        ("«sun»", "SUN"),
        ("(sun).", "SUN"),
        ("sun!!!", "SUN"),
        ("¡sun!", "SUN"),
        ("<SUN>", "SUN"),
        ("#sun", "SUN"),
        ("... sun", "SUN"),
        ("sun's", "SUN'S"),
        ("x-ray", "X-RAY"),
        ("\0sun\0", "SUN"),
        ("sun\0x", "SUN"),
        (BYTE_ORDER_MARK + "sun", "SUN"),
        (f"{ZERO_WIDTH_SPACE}sun{ZERO_WIDTH_SPACE} 1", "SUN"),
        ("слънце", fold("СЛЪНЦЕ")),
        ("SUN😀", "SUN"),
        ("😀SUN😀", "SUN"),
        ("😀 SUN", "SUN"),
        ("SUN❤️", "SUN"),
        ("SUN,Ivan", "SUN"),
        ("SUN.Ivan", "SUN"),
        ("SUN/Ivan", "SUN"),
        ("SUN:Ivan", "SUN"),
        ("SUN(Ivan)", "SUN"),
        ("SUN+Ivan", "SUN"),
        ("SUN@Ivan", "SUN"),
        ("SUN…", "SUN"),
        ("SUN™", "SUN"),
        ("SUN\u2013Ivan", "SUN"),
        ("€SUN", "SUN"),
        ("SUNNY", "SUNNY"),
        ("SUN1", "SUN1"),
        ("1", "1"),
        ("1️⃣", "1"),
        ("R&B", "R&B"),
        ("SUN_1", "SUN_1"),
        ("sun-", "SUN"),
        ("-sun-", "SUN"),
        ("sun--ny", "SUN"),
        ("sun-'ny", "SUN"),
        ("'sun'", "SUN"),
        ("sun\u2019s", "SUN'S"),
        ("слънце,Иван", fold("СЛЪНЦЕ")),
        ("слънце😀", fold("СЛЪНЦЕ")),
        ("सूरज।", "सूरज"),
        ("e\u0301te\u0301!", "ÉTÉ"),
        (f"S{ZERO_WIDTH_SPACE}UN", "SUN"),
        (f"x{ZERO_WIDTH_SPACE}{ZERO_WIDTH_SPACE}-{ZERO_WIDTH_SPACE}ray", "X-RAY"),
        ("".join(chr(ord(letter) + 0xFEE0) for letter in "SUN"), "SUN"),
        ("\N{NO-BREAK SPACE}sun", "SUN"),
    ],
)
def test_the_first_word_is_bare_and_folded(text: str, word: str) -> None:
    assert first_word(text) == word


@pytest.mark.parametrize(
    "text", ["", " ", "\n\t", "\0\0", '"', "!!! ???", "*", BYTE_ORDER_MARK, "«» ()", "☀", "😀😀 ❤️", "- _"]
)
def test_where_there_is_no_word_there_is_none(text: str) -> None:
    assert first_word(text) == ""


def test_only_the_first_two_pieces_are_looked_at() -> None:
    assert first_word("! sun") == "SUN"
    assert first_word("! ! sun") == "", "a text of stops is no keyword, however long it goes on"


@pytest.mark.parametrize(("cyrillic", "latin"), [(chr(code), chr(to)) for code, to in LOOK_ALIKES.items()])
def test_letters_that_look_alike_are_one_letter(cyrillic: str, latin: str) -> None:
    assert cyrillic != latin
    assert fold(f"{cyrillic}1") == fold(f"{latin}1") == f"{latin}1"
    assert fold(cyrillic.lower()) == latin


def test_a_word_of_mixed_keyboards_is_the_same_word() -> None:
    assert fold(f"{ES}ode") == fold("CODE")


def test_letters_that_do_not_look_alike_stay_apart() -> None:
    assert fold("ж") == "Ж"
    assert fold("SUN") != fold("SON")


@given(st.text(max_size=40))
def test_any_text_has_a_first_word_or_none_and_the_rest_does_not_matter(text: str) -> None:
    word = first_word(text)
    assert word == first_word(text.replace("\0", "!"))
    if word and first_word(text.split(maxsplit=1)[0]):
        assert word == first_word(f"{text.split(maxsplit=1)[0]} something else")


@given(
    st.text(st.characters(categories=["L", "N"]), min_size=1),
    st.characters(categories=["S", "P", "Z", "Cc", "Co"]),
    st.text(),
)
def test_a_word_ends_at_whatever_is_not_a_part_of_words(word: str, end: str, rest: str) -> None:
    assume(end not in f"{MARKS}\u2019" and word.isalnum())
    assert first_word(f"{word}{end}{rest}") == fold(word)


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1))
def test_the_quick_way_to_a_word_is_the_same_way(word: str) -> None:
    assert first_word(word) == fold(_cut(word)) == fold(_cut(f"!{word}!"))


@given(st.text(st.characters(max_codepoint=127), max_size=20))
def test_the_quick_way_for_ascii_is_the_same_way(word: str) -> None:
    assert fold(word) == fold(word + ES).removesuffix("C")
