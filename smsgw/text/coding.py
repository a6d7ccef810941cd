"""SMPP's data_coding (SMPP 3.4 §5.2.19) and GSM's (3GPP TS 23.038 §4): which bytes are which text, in both directions.

Where the two collide SMPP's values count: 0 to 14 are what SMPP says. The rest is read as TS 23.038 has it.

A text is read up to where it was cut: half a character at the end of UCS-2, UTF-8, Japanese or Korean is U+FFFD, so
that the words before it, which may be paid for, are read. Octets that are no text anywhere else make the whole
unreadable: the link's settings then name the wrong alphabet, and a guess could buy something that nobody asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from smsgw.errors import TextError
from smsgw.text import gsm7
from smsgw.text.byte_order import is_turned
from smsgw.text.gsm7 import PLAIN, Tables

DEFAULT: Final = 0
"""The SMSC's default alphabet; what it is, is the operator's choice, nearly always GSM 03.38."""
ASCII: Final = 1
LATIN1: Final = 3
CYRILLIC: Final = 6
HEBREW: Final = 7
UCS2: Final = 8
BINARY: Final = frozenset({2, 4})

DefaultAlphabet: TypeAlias = Literal["gsm7", "gsm7_packed", "latin1", "ascii", "utf8"]
"""What an operator's SMSC means by data_coding 0; a setting of the link."""


Coding: TypeAlias = Literal["default", "ascii", "latin1", "iso8859-5", "iso8859-8", "ucs2"]
"""What an operator takes: its default alphabet as data_coding 0, the others as 1, 3, 6, 7 and 8."""

Unit: TypeAlias = Literal["septet", "octet", "ucs2"]
"""What the radio counts: of 160 septets, 140 octets or 70 UTF-16 units one SMS is made."""


class Encoded(Struct, frozen=True, kw_only=True):
    """A text as the radio carries it, and how the SMSC is handed that."""

    data_coding: int
    data: (
        bytes  # in the radio's units: one octet a septet, two a UTF-16 unit; a cut must not part what belongs together
    )
    unit: Unit = "septet"
    codec: str = ""  # the SMSC is not handed this but the text in another encoding: "latin-1", "ascii", "utf-8"
    packed: bool = False  # the SMSC is handed packed septets

    def handed(self, piece: bytes, header: int = 0) -> bytes:
        """Return a piece of the data as it is handed to the SMSC, behind a header of so many octets."""
        if self.packed:
            return gsm7.pack(piece, header)
        if not self.codec:
            return piece
        text = gsm7.decode(piece) if self.unit == "septet" else piece.decode("utf-16-be")
        return text.encode(self.codec)


def encode(
    text: str, codings: Sequence[Coding] = ("default", "ucs2"), default: DefaultAlphabet = "gsm7"
) -> list[Encoded]:
    """Return every way to send a text.

    The radio knows GSM 7 bit, octets and UCS-2 only. So what is handed over as Latin-1, ASCII or UTF-8 under
    data_coding 0 is counted as GSM 7 bit, and what that cannot carry goes that way only where the link takes no UCS-2.

    Args:
        text: any.
        codings: what the operator takes.
        default: what it means by data_coding 0.

    Raises:
        TextError: none of the codings carries the text, or it holds half a surrogate pair, which none can.
    """
    septets = gsm7.encode(text)
    if septets is not None and default == "gsm7" and codings[0] == "default" and len(septets) <= _SEPTETS_ALONE:
        return [Encoded(data_coding=DEFAULT, data=septets)]  # nothing is cheaper than one SMS
    try:
        ucs2 = text.encode("utf-16-be")
    except UnicodeEncodeError as error:
        raise TextError(f"character {error.start} is half a surrogate pair") from None
    ways = [_way(text, coding, default, septets, ucs2, only="ucs2" not in codings) for coding in codings]
    found = [way for way in ways if way is not None]
    if not found:
        raise TextError(f"no coding that the link takes carries the text; there are {', '.join(codings)}")
    return found


_SEPTETS_ALONE: Final = 160
_CODECS: Final[dict[str, tuple[int, str]]] = {
    "ascii": (ASCII, "ascii"),
    "latin1": (LATIN1, "latin-1"),
    "iso8859-5": (CYRILLIC, "iso8859-5"),
    "iso8859-8": (HEBREW, "iso8859-8"),
}
_DEFAULT_CODECS: Final[dict[str, str]] = {"latin1": "latin-1", "ascii": "ascii", "utf8": "utf-8"}


def _way(
    text: str, coding: Coding, default: DefaultAlphabet, septets: bytes | None, ucs2: bytes, *, only: bool
) -> Encoded | None:
    """Return how one coding carries the text, if it does; ``only``: the link takes no UCS-2."""
    if coding == "ucs2":
        return Encoded(data_coding=UCS2, data=ucs2, unit="ucs2")
    if coding == "default" and default not in _DEFAULT_CODECS:
        packed = default == "gsm7_packed"
        return None if septets is None else Encoded(data_coding=DEFAULT, data=septets, packed=packed)
    data_coding, codec = _CODECS.get(coding) or (DEFAULT, _DEFAULT_CODECS[default])
    octets = _encoded(text, codec)
    if octets is None:
        return None
    if coding not in {"default", "ascii"}:
        return Encoded(data_coding=data_coding, data=octets, unit="octet")
    if septets is not None:
        return Encoded(data_coding=data_coding, data=septets, codec=codec)
    return Encoded(data_coding=data_coding, data=ucs2, unit="ucs2", codec=codec) if only else None


def _encoded(text: str, codec: str) -> bytes | None:
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        return None


def decode(
    data: bytes, data_coding: int, *, default: DefaultAlphabet = "gsm7", tables: Tables = PLAIN, header: int = 0
) -> str:
    """Read received bytes.

    Half a surrogate pair in UCS-2 is read as U+FFFD: phones cut emoji in two, and the words around it may be paid for.

    Args:
        data: the whole message, its parts joined, without any user data header.
        data_coding: as received.
        default: the link's meaning of data_coding 0.
        tables: the national languages of GSM 7 bit text.
        header: octets of the user data header before the data, which packed septets are aligned behind.

    Raises:
        TextError: binary, a data_coding that names no alphabet we know, or bytes that are not text in it.
    """
    if not data_coding and default == "gsm7":
        return gsm7.decode(data, tables)
    read = _READERS.get(data_coding)
    try:
        if read is not None:
            return read(data)
        if is_default(data_coding):
            if default == "gsm7_packed":
                return gsm7.decode(gsm7.unpack(data, header), tables)
            return gsm7.decode(data, tables) if default == "gsm7" else _DEFAULTS[default](data)
    except UnicodeDecodeError as error:
        raise TextError(f"octet {error.start} is not text in data_coding {data_coding}") from None
    if data_coding in BINARY or is_eight_bit(data_coding):
        raise TextError("binary")
    raise TextError(f"data_coding {data_coding} names no alphabet that we read")


def is_default(data_coding: int) -> bool:
    """Whether the text is in the SMSC's default alphabet: SMPP's 0, and GSM's codings of its 7 bit alphabet."""
    return data_coding in _GSM7


def is_eight_bit(data_coding: int) -> bool:
    """Whether GSM's coding says 8 bit data."""
    return data_coding in _GSM_EIGHT_BIT


def _general(alphabet: int) -> frozenset[int]:
    """Return the codings of TS 23.038 §4's groups 00xx and 01xx, not compressed, with these alphabet bits (3 and 2)."""
    groups = (0x10, 0x40, 0x50)  # 0x00 is SMPP's, but for 0; bit 4 says that the class bits mean something
    return frozenset(group | alphabet << 2 | kind for group in groups for kind in range(4))


# TS 23.038 §4. A receiver takes reserved alphabets and groups for the default one. Compressed text (bit 5 of the groups
# 00xx and 01xx) is not read: no phone was ever seen to send it.
_GSM7: Final = (
    frozenset({DEFAULT, 15})
    | _general(0)
    | _general(3)
    | frozenset(range(0x80, 0xE0))  # reserved; message waiting, discard or store
    | frozenset(code for code in range(0xF0, 0x100) if not code & 0x04)  # data coding and message class
)
_GSM_EIGHT_BIT: Final = _general(1) | frozenset(code for code in range(0xF0, 0x100) if code & 0x04)
_GSM_UCS2: Final = _general(2) | frozenset(range(0xE0, 0xF0))  # message waiting, store, UCS-2


def _ascii(data: bytes) -> str:
    return data.decode("ascii")


def _latin1(data: bytes) -> str:
    return data.decode("latin-1")


def _cyrillic(data: bytes) -> str:
    return data.decode("iso8859-5")


def _hebrew(data: bytes) -> str:
    return data.decode("iso8859-8")


def _utf8(data: bytes) -> str:
    return _up_to_the_cut(data, "utf-8")


_BOM: Final = "\ufeff"
_TURNED_BOM: Final = b"\xff\xfe"
# Text in right order begins below this, in the alphabets that the other order could be mistaken for; so do, turned
# round, texts that begin with Ё or Є, which are therefore left as they are: this is the hot path.
_TURNED: Final = "\u0600"


def _ucs2(data: bytes) -> str:
    if len(data) % 2:
        return _odd_ucs2(data)
    text = data.decode("utf-16-be", "replace")
    return text if text < _TURNED else _other_ucs2(data, text)


def _other_ucs2(data: bytes, text: str) -> str:
    """Read what has a byte order mark, or may be in the wrong order (text/byte_order.py)."""
    if data.startswith(_TURNED_BOM):  # U+FFFE in right order, which is no character
        return data[2:].decode("utf-16-le", "replace")
    if is_turned(data):
        return data.decode("utf-16-le")
    return text.removeprefix(_BOM)


def _odd_ucs2(data: bytes) -> str:
    """Read an odd number of octets: ASCII that was called UCS-2, or else all whole units.

    The last octet is half of a character, U+FFFD, unless it is a NUL that ends the text.
    """
    if data.isascii() and _latin1(data).isprintable():
        return _latin1(data)
    if len(data) == 1:
        raise TextError("UCS-2 of one octet")
    return _ucs2(data[:-1]) + ("\ufffd" if data[-1] else "")


_ESCAPE: Final = b"\x1b"
_KANA: Final = b"\x24\x25"  # the rows of JIS X 0208 that hold them


def _japanese(data: bytes, encodings: tuple[str, str]) -> str:
    """Read JIS in the ways in which it is written: ISO-2022-JP, JIS X 0208 in 7 bits, ASCII, Shift_JIS and EUC-JP.

    Seven bits without escapes are ASCII, unless half of the pairs are kana: no Japanese is without them.
    """
    if _ESCAPE in data:
        return _up_to_the_cut(data, "iso2022_jp_ext")
    if data.isascii():
        leads = data[::2]
        if len(data) % 2 or 2 * (len(leads) - len(leads.translate(None, _KANA))) < max(1, len(leads)):
            return _ascii(data)
        encodings = ("euc_jp", "ascii")
        data = bytes(octet | 0x80 for octet in data)
    try:
        return data.decode(encodings[0])
    except UnicodeDecodeError:
        try:
            return data.decode(encodings[1])
        except UnicodeDecodeError:
            return _up_to_the_cut(data, encodings[0])


def _jis(data: bytes) -> str:
    return _japanese(data, ("cp932", "euc_jp"))


def _extended_kanji(data: bytes) -> str:
    """JIS X 0212 stands beside JIS X 0208 in EUC-JP and ISO-2022-JP only."""
    return _japanese(data, ("euc_jp", "cp932"))


def _korean(data: bytes) -> str:
    return _up_to_the_cut(data, "iso2022_kr" if _ESCAPE in data else "cp949")


_LONGEST_CHARACTER: Final = 4  # octets


def _up_to_the_cut(data: bytes, encoding: str) -> str:
    """Read text of characters of several octets; the last one may be cut."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if error.end < len(data) or not len(data) - _LONGEST_CHARACTER < error.start > 0:
            raise
        return data[: error.start].decode(encoding) + "\ufffd"


_DEFAULTS: Final[dict[DefaultAlphabet, Callable[[bytes], str]]] = {
    "latin1": _latin1,
    "ascii": _ascii,
    "utf8": _utf8,
}
_READERS: Final[Mapping[int, Callable[[bytes], str]]] = dict.fromkeys(_GSM_UCS2, _ucs2) | {
    ASCII: _ascii,
    LATIN1: _latin1,
    5: _jis,  # JIS X 0208-1990
    CYRILLIC: _cyrillic,
    HEBREW: _hebrew,
    UCS2: _ucs2,
    10: _jis,  # ISO-2022-JP
    13: _extended_kanji,  # JIS X 0212-1990
    14: _korean,  # KS C 5601
}
