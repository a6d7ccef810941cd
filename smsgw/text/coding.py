"""SMPP's data_coding (SMPP 3.4 §5.2.19): which bytes are which text, in both directions."""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import msgspec

from smsgw.errors import TextError
from smsgw.text import gsm7

DEFAULT: Final = 0
"""The SMSC's default alphabet; what it is, is the operator's choice, nearly always GSM 03.38."""
ASCII: Final = 1
LATIN1: Final = 3
UCS2: Final = 8
BINARY: Final = frozenset({2, 4})

DefaultAlphabet: TypeAlias = Literal["gsm7", "latin1", "ascii", "utf8"]
"""What an operator's SMSC means by data_coding 0; a setting of the link."""


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """A text as bytes, and the data_coding that says how to read them."""

    data_coding: int  # DEFAULT (GSM 7 bit, one octet a septet) or UCS2 (UTF-16, big end first)
    data: bytes


def encode(text: str) -> Encoded:
    """Encode in the cheaper of GSM 7 bit and UTF-16.

    Raises:
        TextError: the text holds half a surrogate pair, which no coding can carry.
    """
    septets = gsm7.encode(text)
    if septets is not None:
        return Encoded(data_coding=DEFAULT, data=septets)
    try:
        return Encoded(data_coding=UCS2, data=text.encode("utf-16-be"))
    except UnicodeEncodeError as error:
        raise TextError(f"character {error.start} is half a surrogate pair") from None


def decode(data: bytes, data_coding: int, *, default: DefaultAlphabet = "gsm7") -> str:
    """Read received bytes.

    Half a surrogate pair in UCS-2 is read as U+FFFD: phones cut emoji in two, and the words around it may be paid for.

    Args:
        data: the whole message, its parts joined, without any user data header.
        data_coding: as received.
        default: the link's meaning of data_coding 0.

    Raises:
        TextError: binary, a data_coding that names no alphabet we know, or bytes that are not text in it.
    """
    if data_coding in BINARY:
        raise TextError("binary")
    read = _DEFAULTS[default] if data_coding == DEFAULT else _BY_CODING.get(data_coding)
    if read is None:
        raise TextError(f"data_coding {data_coding} names no alphabet that we read")
    try:
        return read(data)
    except UnicodeDecodeError as error:
        raise TextError(f"octet {error.start} is not text in data_coding {data_coding}") from None


def _ascii(data: bytes) -> str:
    return data.decode("ascii")


def _latin1(data: bytes) -> str:
    return data.decode("latin-1")


def _utf8(data: bytes) -> str:
    return data.decode("utf-8")


def _ucs2(data: bytes) -> str:
    if len(data) % 2:
        raise TextError("UCS-2 with an odd number of octets")
    return data.decode("utf-16-be", "replace")


_DEFAULTS: Final[dict[DefaultAlphabet, Callable[[bytes], str]]] = {
    "gsm7": gsm7.decode,
    "latin1": _latin1,
    "ascii": _ascii,
    "utf8": _utf8,
}
_BY_CODING: Final[dict[int, Callable[[bytes], str]]] = {ASCII: _ascii, LATIN1: _latin1, UCS2: _ucs2}
