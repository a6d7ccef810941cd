"""The GSM 7 bit default alphabet with its extension table (3GPP TS 23.038 §6.2.1): one octet a septet, or packed.

The characters come from the library gsm0338; its tables are turned into C-speed ones once, at import.
"""

import codecs
import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final, TypeAlias

from gsm0338 import Codec

from smsgw.errors import TextError
from smsgw.text import national

ESCAPE: Final = 0x1B
"""Announces one character of the extension table; never a character of its own."""

Tables: TypeAlias = tuple[int, int]
"""The languages of the locking and of the single shift table (TS 23.038 §6.2.1.2); 0 is the default."""
PLAIN: Final[Tables] = (0, 0)

_BITS: Final = 7
_BLOCK: Final = 7  # octets, that hold eight septets


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


def carries(character: str) -> bool:
    """Whether the default alphabet or its extension table holds a character."""
    return ord(character) in _ENCODE


def missing(text: str) -> dict[str, list[int]]:
    """Return the characters of ``text`` that cannot be encoded: {character: its places, from 1}."""
    found: dict[str, list[int]] = {}
    for place, character in enumerate(text, 1):
        if not carries(character):
            found.setdefault(character, []).append(place)
    return found


def septets(text: str) -> int | None:
    """Return how many septets ``text`` takes (an extension character takes two); None when it cannot be encoded."""
    encoded = encode(text)
    return None if encoded is None else len(encoded)


def decode(data: bytes, tables: Tables = PLAIN) -> str:
    """Return the text of unpacked septets.

    As TS 23.038 §6.2.1 asks of a receiver: after ESC a code that the extension table does not hold is read in the
    default alphabet, and ESC ESC or an ESC at the end is a space.

    Args:
        data: one septet an octet.
        tables: the national languages that the user data header names.

    Raises:
        TextError: an octet is above 0x7F, so that the bytes are not unpacked septets.
    """
    alphabet = _DEFAULT if tables is PLAIN else _national(tables)[0]
    try:
        text = codecs.charmap_decode(data, "strict", alphabet)[0]
    except UnicodeDecodeError as error:
        raise TextError(f"octet {error.start} is not a septet of the GSM default alphabet") from None
    if "\x1b" not in text:
        return text
    return _ESCAPED.sub(_unescape if tables is PLAIN else _national(tables)[1], text)


def _unescape(found: re.Match[str], extension: dict[str, str] = _EXTENSION) -> str:
    after = found[1]
    return " " if after in {"", "\x1b"} else extension.get(after, after)


@lru_cache(maxsize=64)
def _national(tables: Tables) -> tuple[str, Callable[[re.Match[str]], str]]:
    """Return an alphabet, and what reads its escapes: {character of the alphabet: what an escape makes of it}."""
    locking, single = tables
    alphabet = national.LOCKING.get(locking, _DEFAULT)
    codes = {_DEFAULT.index(after): to for after, to in _EXTENSION.items()} | national.SINGLE.get(single, {})
    return alphabet, partial(_unescape, extension={alphabet[code]: to for code, to in codes.items()})


def unpack(data: bytes, header: int = 0) -> bytes:
    """Return packed septets (TS 23.038 §6.1.2.1) one an octet.

    Octets do not tell how many septets there are when seven bits are left over. Those that hold nothing but padding,
    0 or CR, are not read: a text of a multiple of eight septets loses an @ or CR at its end rather than every eighth
    text gains one.

    Args:
        data: what follows the user data header.
        header: octets of that header, its length octet counted; the text begins at the next septet boundary behind it.
    """
    fill = -header * 8 % _BITS
    shifted = (int.from_bytes(data, "little") >> fill).to_bytes(len(data), "little") if fill else data
    count = max(0, len(data) * 8 - fill) // _BITS
    septets = b"".join(_eight(shifted[at : at + _BLOCK]) for at in range(0, len(shifted), _BLOCK))[:count]
    if count and (len(data) * 8 - fill) % _BITS == 0 and septets[-1] in b"\0\r":
        return septets[:-1]
    return septets


def _eight(block: bytes) -> bytes:
    bits = int.from_bytes(block, "little")
    return bytes(bits >> shift & 0x7F for shift in range(0, 56, _BITS))


def pack(septets: bytes, header: int = 0) -> bytes:
    """Return unpacked septets packed, from the septet boundary behind a user data header of ``header`` octets.

    Where the last octet has seven bits to spare they hold CR, so that a receiver does not see an @ (§6.1.2.3.1).
    """
    fill = -header * 8 % _BITS
    if (fill + len(septets) * _BITS) % 8 == 1:
        septets += b"\r"
    blocks = (septets[at : at + 8] for at in range(0, len(septets), 8))
    packed = b"".join(_packed(block) for block in blocks)
    if not fill:
        return packed
    octets = (fill + len(septets) * _BITS + 7) // 8
    return (int.from_bytes(packed, "little") << fill).to_bytes(len(packed) + 1, "little")[:octets]


def _packed(block: bytes) -> bytes:
    bits = 0
    for place, septet in enumerate(block):
        bits |= septet << _BITS * place
    return bits.to_bytes((len(block) * _BITS + 7) // 8, "little")
