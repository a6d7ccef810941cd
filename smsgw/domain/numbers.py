"""Addresses as they stand in SMPP messages and as people type them: what can be a phone, and its number in E.164."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

import phonenumbers
from msgspec import Struct
from phonenumbers import NumberParseException

_SHORTEST_PHONE = 7  # digits; shorter ones are short codes and services
_KEPT: Final = 20_000  # numbers whose reading is remembered
_INTERNATIONAL, _NATIONAL = 1, 2  # type of number, SMPP 3.4 §5.2.5
_NUMERIC: Final = frozenset({0, 1, 2, 3, 4})  # unknown, international, national, network's own, subscriber's
_WRITTEN: Final = re.compile(r"(?:\+|00)?[0-9]{5,17}")
_SPARED: Final = re.compile(r"[\s()\[\]./\-\u00ad\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u2069\ufeff]+")
_LONGEST_TYPED: Final = 60  # characters that can still be one number


def is_phone(address: str) -> bool:
    """Whether an address can be a subscriber's phone: answering short codes and words makes machines talk for ever."""
    digits = address.lstrip("+")
    return len(digits) >= _SHORTEST_PHONE and digits.isascii() and digits.isdigit()


@lru_cache(maxsize=_KEPT)
def e164(address: str, ton: int | None = None, country: str = "") -> str | None:
    """Return the digits of E.164, without "+"; None for what can't be a phone's number.

    Args:
        address: "+359888123456", "00359888123456", "359888123456", "0888123456"; what a person types may have spaces,
            dashes, dots and brackets as well.
        ton: the type of number that the SMSC tells; None: a person has typed it. What an SMSC writes need only be
            possible, for numbering plans change before their tables do; what a person types must be valid.
        country: where a number in national form is from, ISO 3166; "": there are none.
    """
    digits = _typed(address) if ton is None else address
    if not _WRITTEN.fullmatch(digits) or (ton is not None and ton not in _NUMERIC):
        return None
    if digits.startswith(("+", "00")) and ton != _NATIONAL:
        readings = [(f"+{digits.removeprefix('+').removeprefix('00')}", "")]
    elif ton == _INTERNATIONAL:
        readings = [(f"+{digits}", "")]
    elif ton == _NATIONAL or digits.startswith("0"):
        readings = [(digits, country)]
    else:
        readings = [(f"+{digits}", ""), (digits, country)]
        if country and not digits.startswith(str(phonenumbers.country_code_for_region(country))):
            readings.reverse()  # a number of the country, rather than one from the other end of the world
    return _first(readings, tolerant=ton is not None)


def _first(readings: list[tuple[str, str]], *, tolerant: bool) -> str | None:
    """Return the first reading that is valid; where that is enough, the first that is possible."""
    numbers = [one for reading in readings if (one := _read(*reading)) is not None]
    return next(
        (one.digits for one in numbers if one.valid),
        next((one.digits for one in numbers if one.possible), None) if tolerant else None,
    )


class _Number(Struct, frozen=True):
    """A number as one reading has it."""

    digits: str  # of E.164
    valid: bool
    possible: bool


@lru_cache(maxsize=_KEPT)
def _read(number: str, country: str) -> _Number | None:
    """Read a number; the one that a merchant's server sent comes back as the sender of an SMS soon after."""
    try:
        read = phonenumbers.parse(number, country or None)
    except NumberParseException:
        return None
    return _Number(
        digits=phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164).removeprefix("+"),
        valid=phonenumbers.is_valid_number(read),
        possible=phonenumbers.is_possible_number(read),
    )


def _typed(text: str) -> str:
    """Return what was typed without what is only there for the eye."""
    return _SPARED.sub("", unicodedata.normalize("NFKC", text)) if len(text) <= _LONGEST_TYPED else ""
