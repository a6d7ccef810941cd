"""UCS-2 in the wrong byte order: what is turned round, and that nothing is which people write in the right one."""

import pytest
from hypothesis import given, settings, strategies as st

from smsgw.text import coding
from smsgw.text.byte_order import is_turned


def encodable(codec: str, lead: range) -> list[str]:
    found = []
    for first in lead:
        for second in range(0x40, 0xFF):
            try:
                found.append(bytes((first, second)).decode(codec))
            except UnicodeDecodeError:
                continue
    return found


FREQUENT = {  # what the standards call in frequent use, and their kana, signs and Hangul
    "gb2312": encodable("gb2312", range(0xA1, 0xD8)),
    "big5": encodable("big5", range(0xA1, 0xC7)),
    "shift_jis": encodable("shift_jis", range(0x81, 0x99)),
    "euc_kr": encodable("euc_kr", range(0xA1, 0xC9)),
}
# The ranges of the letters of living scripts that a turned text could be mistaken for; each is one script.
SCRIPTS = {
    "Devanagari": (0x0905, 0x0939),
    "Thai": (0x0E01, 0x0E2E),
    "Myanmar": (0x1000, 0x1021),
    "Georgian": (0x10D0, 0x10F0),
    "Ethiopic": (0x1200, 0x1248),
    "Canadian": (0x1401, 0x1420),
    "Khmer": (0x1780, 0x17B3),
    "Mongolian": (0x1820, 0x1842),
    "Vietnamese": (0x1EA0, 0x1EF9),
    "Greek": (0x1F00, 0x1F07),
    "Hangul": (0xAC00, 0xAD00),
}
BELOW = "".join(chr(code) for code in range(0x20, 0x600) if chr(code).isprintable())
turned_letters = st.text(st.sampled_from([letter for letter in BELOW if letter.isalnum()]), min_size=2)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x5FF)))
def test_latin_greek_cyrillic_armenian_and_hebrew_stay_as_they_are(text: str) -> None:
    assert coding.decode(text.encode("utf-16-be"), 8) == text


@given(st.text(st.characters(min_codepoint=0x606, max_codepoint=0x6FF), min_size=1), st.text(st.sampled_from(BELOW)))
def test_arabic_stays_as_it_is_whatever_stands_behind_it(letters: str, behind: str) -> None:
    assert coding.decode((letters + behind).encode("utf-16-be"), 8) == letters + behind


@pytest.mark.parametrize("codec", FREQUENT)
def test_no_text_of_characters_in_frequent_use_is_touched(codec: str) -> None:
    for letter in FREQUENT[codec]:
        assert not is_turned((letter * 3).encode("utf-16-be")), letter
    small = [letter for letter in FREQUENT[codec] if ord(letter) & 0xFF <= 5]
    assert small, "only these can be mistaken at all"
    assert not is_turned("".join(small).encode("utf-16-be"))


@pytest.mark.parametrize(("first", "last"), SCRIPTS.values(), ids=SCRIPTS)
def test_no_text_of_one_living_script_is_touched(first: int, last: int) -> None:
    letters = [chr(code) for code in range(first, last)]
    assert not any(is_turned((letter * 3).encode("utf-16-be")) for letter in letters)
    assert not is_turned("".join(letter for letter in letters if ord(letter) & 0xFF <= 5).encode("utf-16-be"))


@pytest.mark.parametrize("text", ["一刀", "開刀", "开刀", "最 一", "退", "℃", "☀☄", "가각", "😀😀", "\ue000\ue001"])
def test_words_that_look_as_if_they_were_turned_stay(text: str) -> None:
    assert not is_turned(text.encode("utf-16-be"))


@pytest.mark.parametrize(
    "text",
    ["SUN", "sun", "YES", "yes", "ДА", "да", "ДЯКУЮ", "так", "Hello world", "12345", "СЛЪНЦЕ", "AB CD", "Ёж", "שמש"],
)
def test_words_that_were_turned_are_known(text: str) -> None:
    assert is_turned(text.encode("utf-16-le"))


@settings(max_examples=50)
@given(turned_letters)
def test_what_is_turned_is_readable_the_other_way(text: str) -> None:
    data = text.encode("utf-16-le")
    if is_turned(data):
        assert max(map(ord, data.decode("utf-16-le"))) < 0x600


def test_one_character_is_never_turned() -> None:
    assert not any(is_turned(chr(code).encode("utf-16-le")) for code in range(0x20, 0x600))
