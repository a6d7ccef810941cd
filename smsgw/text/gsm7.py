"""The GSM 7 bit default alphabet with its extension table (3GPP TS 23.038 §6.2.1), unpacked: one octet a septet.

The characters come from the library gsm0338; its tables are turned into C-speed ones once, at import.
"""

import codecs
import re
from typing import Final

from gsm0338 import Codec

from smsgw.errors import TextError

ESCAPE: Final = 0x1B
"""Announces one character of the extension table; never a character of its own."""


def _tables() -> tuple[str, dict[str, str]]:
    """Return the default alphabet (ESC stands for itself) and {default character: extension character}."""
    codec = Codec()
    default = "".join(codec.decode(bytes((code,)))[0] if code != ESCAPE else "\x1b" for code in range(128))
    extension: dict[str, str] = {}
    for code in range(128):
        try:
            extension[default[code]] = codec.decode(bytes((ESCAPE, code)))[0]
        except UnicodeDecodeError:
            continue
    return default, extension


_DEFAULT, _EXTENSION = _tables()
_ENCODE: Final[dict[int, bytes]] = {
    ord(character): bytes((code,)) for code, character in enumerate(_DEFAULT) if code != ESCAPE
} | {ord(to): bytes((ESCAPE, _DEFAULT.index(after))) for after, to in _EXTENSION.items()}
_ESCAPED = re.compile("\x1b(.?)", re.DOTALL)

# ASCII characters whose code is the same here: most answers hold nothing else and need no table at all.
_SAME = bytes(code for code in range(128) if _ENCODE.get(code) == bytes((code,)))


def encode(text: str) -> bytes | None:
    """Return the septets of ``text``, one per octet; None when a character is in neither table (ESC is not one)."""
    if text.isascii():
        plain = text.encode("ascii")
        if not plain.translate(None, _SAME):
            return plain
    try:
        return codecs.charmap_encode(text, "strict", _ENCODE)[0]
    except UnicodeEncodeError:
        return None


def septets(text: str) -> int | None:
    """Return how many septets ``text`` takes (an extension character takes two); None when it cannot be encoded."""
    encoded = encode(text)
    return None if encoded is None else len(encoded)


def decode(data: bytes) -> str:
    """Return the text of unpacked septets.

    As TS 23.038 §6.2.1 asks of a receiver: after ESC a code that the extension table does not hold is read in the
    default alphabet, and ESC ESC or an ESC at the end is a space.

    Raises:
        TextError: an octet is above 0x7F, so that the bytes are not unpacked septets.
    """
    try:
        text = codecs.charmap_decode(data, "strict", _DEFAULT)[0]
    except UnicodeDecodeError as error:
        raise TextError(f"octet {error.start} is not a septet of the GSM default alphabet") from None
    return _ESCAPED.sub(_unescape, text) if "\x1b" in text else text


def _unescape(found: re.Match[str]) -> str:
    after = found[1]
    return " " if after in {"", "\x1b"} else _EXTENSION.get(after, after)
