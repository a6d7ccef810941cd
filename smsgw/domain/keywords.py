"""What a subscriber's text begins with, folded so that case, punctuation and look-alike letters do not matter."""

import unicodedata

# Cyrillic capitals that look like Latin ones on a phone; subscribers mix keyboards.
LOOK_ALIKES = str.maketrans("АВЕІЈКМНОРЅСТУХ", "ABEIJKMHOPSCTYX")

# Phones and SMSCs put marks of no width around a text: byte order mark, joiners, directions.
_NO_WIDTH = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"
_AROUND = "\"'`«»„“”‘’.,;:!?¡¿()[]<>#*" + _NO_WIDTH


def fold(word: str) -> str:
    """Return the form in which keywords are compared: NFKC, upper case, Latin instead of Cyrillic look-alikes."""
    if word.isascii():
        return word.upper()
    return unicodedata.normalize("NFKC", word).upper().translate(LOOK_ALIKES)


def first_word(text: str) -> str:
    """Return the folded first word of ``text`` without the quotes and stops around it; "" when there is none."""
    for word in text.replace("\0", " ").split(maxsplit=2)[:2]:
        if bare := word.strip(_AROUND):
            return fold(bare)
    return ""
