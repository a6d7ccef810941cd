"""UCS-2 that came in the wrong byte order: when it is certain enough to be turned round.

Some SMSCs hand UCS-2 on with the lesser octet first. Nothing marks it, and nearly every pair of octets is a character
in both orders: "SUN" turned round is 匀唀一. A text is turned round only if both hold:

- read the other way it consists of nothing but letters, digits and marks below U+0600 (Latin, Greek, Cyrillic,
  Armenian, Hebrew), at least two of them;
- read as it came it is nothing that people write: beside characters in common use it holds a rare one that is no
  letter of a living script, or letters of two such scripts. In common use is what the Chinese, Japanese and Korean
  standards have (of the Han characters only their first level, "in frequent use"), and emoji.

So no text in right order is touched that is written in the Latin, Greek, Cyrillic, Armenian, Hebrew or Arabic alphabet,
in one other living script, or in everyday Chinese, Japanese or Korean. tests/text/test_byte_order.py tries all of them.
"""

import unicodedata
from typing import Final

_HIGHEST: Final = 5  # the greater octet of the units that the other order may consist of
_HAN: Final = range(0x3400, 0xA000)
_PICTURES: Final = (range(0x2600, 0x27C0), range(0xE000, 0xF900))  # the second is for private use: Japanese emoji
_LEAST_UNITS: Final = 2
# What the standards call in frequent use: {codec: lead octets of the first level}.
_FIRST_LEVEL: Final = {"gb2312": range(0xB0, 0xD8), "big5": range(0xA4, 0xC7), "shift_jis": range(0x88, 0x99)}
_OTHERS: Final = ("euc_kr", "shift_jis", "gb2312", "big5")
_MARKS: Final = "\t\n\r"


def is_turned(data: bytes) -> bool:
    """Whether UCS-2 without a byte order mark is in the wrong order.

    Args:
        data: an even number of octets.
    """
    if len(data) < 2 * _LEAST_UNITS or max(data[1::2]) > _HIGHEST:
        return False
    turned = data.decode("utf-16-le")  # no surrogates: their greater octet is above
    return all(map(_is_plain, turned)) and not _is_written(data.decode("utf-16-be", "replace"))


def _is_plain(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ" or character in f" \N{NO-BREAK SPACE}{_MARKS}"


def _is_written(text: str) -> bool:
    """Whether people write this."""
    scripts = {_script(character) for character in text if not _is_common(character)}
    return len(scripts) <= 1 and "" not in scripts


def _script(character: str) -> str:
    """Return the script of a letter, as its name begins; "" for what is no letter of a living script."""
    if unicodedata.category(character)[0] not in "LM" or ord(character) in _HAN:
        return ""
    return unicodedata.name(character, "").partition(" ")[0]


def _is_common(character: str) -> bool:
    if ord(character) not in _HAN:
        return any(ord(character) in block for block in _PICTURES) or any(
            _encoded(character, codec) for codec in _OTHERS
        )
    return any((octets := _encoded(character, codec)) and octets[0] in lead for codec, lead in _FIRST_LEVEL.items())


def _encoded(character: str, codec: str) -> bytes:
    try:
        return character.encode(codec)
    except UnicodeEncodeError:
        return b""
