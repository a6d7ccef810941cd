"""What a subscriber's text begins with, folded so that case, punctuation and look-alike letters do not matter."""

import unicodedata
from typing import Final

# Cyrillic capitals that look like Latin ones on a phone; subscribers mix keyboards.
LOOK_ALIKES = str.maketrans("АВЕІЈКМНОРЅСТУХ", "ABEIJKMHOPSCTYX")

# A word may hold one of these between two of its letters or digits.
MARKS: Final = "-_&'"
_APOSTROPHE: Final = "\u2019"  # what phones write for the last of them
_TYPED_MARKS: Final = MARKS + _APOSTROPHE

# Phones and SMSCs put marks of no width around a text, and into it: byte order mark, joiners, directions, soft hyphen.
_NO_WIDTH: Final = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u00ad"
_FOLDED: Final = LOOK_ALIKES | str.maketrans(_APOSTROPHE, "'", _NO_WIDTH)

# Accents and vowel signs, characters of their own in many scripts; but not those that choose an emoji's picture.
_ON_LETTERS: Final = frozenset({"Mn", "Mc"})
_PICTURE_CHOOSERS: Final = ("\ufe00", "\ufe0f")  # first and last


def fold(word: str) -> str:
    """Return the form in which keywords are compared: NFKC, upper case, Latin instead of Cyrillic look-alikes."""
    if word.isascii():
        return word.upper()
    return unicodedata.normalize("NFKC", word).upper().translate(_FOLDED)


def first_word(text: str) -> str:
    """Return the folded first word of ``text``; "" when there is none in its first two pieces.

    A word is made of letters and digits, with at most one of ``MARKS`` between two of them. It ends where anything else
    begins: "SUN,Ivan" and "SUN😀" are SUN, "SUNNY" is not.
    """
    pieces = text.split(maxsplit=2)
    if pieces and pieces[0].isalnum():  # nearly always
        return fold(pieces[0])
    for piece in pieces[:2]:
        if word := _cut(piece):
            return fold(word)
    return ""


def _cut(piece: str) -> str:
    """Return the first run of letters, digits and the marks between them."""
    begin = next((at for at, one in enumerate(piece) if one.isalnum()), len(piece))
    end, after_mark = begin, False
    for at in range(begin, len(piece)):
        one = piece[at]
        if one.isalnum() or _is_on_letter(one):
            end, after_mark = at + 1, False
        elif one in _TYPED_MARKS and not after_mark:
            after_mark = True
        elif one not in _NO_WIDTH:
            break
    return piece[begin:end]


def _is_on_letter(one: str) -> bool:
    first, last = _PICTURE_CHOOSERS
    return unicodedata.category(one) in _ON_LETTERS and not first <= one <= last
