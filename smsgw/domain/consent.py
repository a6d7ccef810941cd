"""What a subscriber answers to a prompt: yes, no, stop, start, help, and for which reference; anything else is none.

Tolerant in form: case, punctuation, emoji, spaces, and letters that look alike in Cyrillic, Greek and Latin, for phones
mix alphabets. Strict in meaning: the whole answer is one word of the table, with at most a reference behind it.
"да нет", "не да", "maybe yes", "yes?" are no consent, and no refusal either: money moves on nothing but a plain yes.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from smsgw.domain.keywords import LOOK_ALIKES

Language = Literal["en", "bg", "uk", "ru"]


class Kind(StrEnum):
    """What an answer means."""

    YES = "yes"
    NO = "no"
    STOP = "stop"
    START = "start"
    HELP = "help"


class Answer(Struct, frozen=True, kw_only=True):
    """An answer that means something."""

    kind: Kind
    reference: str | None = None  # digits, as typed, without leading zeros


# One row for each language: its own words, and the way people write them in Latin letters.
WORDS: Final[Mapping[Language, Mapping[Kind, tuple[str, ...]]]] = {
    "en": {
        Kind.YES: ("yes", "y", "ok"),
        Kind.NO: ("no", "n"),
        Kind.STOP: ("stop", "unsubscribe", "cancel"),
        Kind.START: ("start", "unstop"),
        Kind.HELP: ("help", "info"),
    },
    "bg": {
        Kind.YES: ("да", "da"),
        Kind.NO: ("не", "ne"),
        Kind.STOP: ("стоп", "stop", "спри"),
        Kind.START: ("старт", "start"),
        Kind.HELP: ("помощ", "help", "pomosht", "инфо"),
    },
    "uk": {
        Kind.YES: ("так", "tak"),
        Kind.NO: ("ні", "ni"),
        Kind.STOP: ("стоп", "stop"),
        Kind.START: ("старт", "start"),
        Kind.HELP: ("допомога", "help", "dopomoha", "інфо"),
    },
    "ru": {
        Kind.YES: ("да", "da"),
        Kind.NO: ("нет", "net"),
        Kind.STOP: ("стоп", "stop"),
        Kind.START: ("старт", "start"),
        Kind.HELP: ("помощь", "help", "pomoshch", "инфо"),
    },
}

MAX_TYPED: Final = 160  # characters; a longer text is no plain answer
_MAX_REFERENCE: Final = 6

# Capital letters that look alike: Cyrillic and Greek, told by their Latin form, or by a Cyrillic one where that is all.
_SAME: Final = LOOK_ALIKES | str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧΔΓΛΠΦ", "ABEZHIKMNOPTYXДГЛПФ")
# Written, and not meant: marks, punctuation, emoji, what joins and colours them.
_SILENT: Final = frozenset({"Cf", "Mn", "Me", "Sk", "So", "Cs", "Co", "Cn"})
# Doubt, refusal, and letters struck through: whoever writes them does not say plainly what the word says.
_DOUBT: Final = frozenset("?\uff1f⁇❓❔👎❌❎✖✗✘🚫⛔🙅≠¬\u0335\u0336\u0337\u0338")
_APART: Final = frozenset({"Zs", "Zl", "Zp", "Cc"})
_WITH_REFERENCE: Final = re.compile(r"([^0-9]+)([0-9]+)")


def skeleton(text: str) -> str:
    """Return words in capital letters, one space between two, look-alikes folded, without what is not meant."""
    folded = unicodedata.normalize("NFKC", text).upper().translate(_SAME)
    marks = [" " if _is_gap(mark) else mark for mark in folded if unicodedata.category(mark) not in _SILENT]
    return " ".join("".join(marks).split())


def _is_gap(mark: str) -> bool:
    category = unicodedata.category(mark)
    return category in _APART or category[0] == "P" or category in {"Sm", "Sc"}


def read(text: str | None, languages: Collection[Language]) -> Answer | None:
    """Return what an answer means in these languages; None when it is not exactly one of their words.

    Args:
        text: as it came; None: it could not be read.
        languages: of the prompts that may be answered here.
    """
    if not text or len(text) > MAX_TYPED:
        return None
    answer = _read(text, languages)
    doubted = answer is not None and answer.kind is Kind.YES and not _DOUBT.isdisjoint(text)
    return None if doubted else answer


def _read(text: str, languages: Collection[Language]) -> Answer | None:
    words = skeleton(text).split()
    if len(words) == 1 and (glued := _WITH_REFERENCE.fullmatch(words[0])):
        words = [glued[1], glued[2]]
    table = _table(tuple(sorted(languages)))
    match words:
        case [word] if word in table:
            return Answer(kind=table[word])
        case [word, number] if word in table and _is_reference(number):
            return Answer(kind=table[word], reference=number.lstrip("0") or "0")
        case _:
            return None


def _is_reference(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_REFERENCE


def conflicts(languages: Iterable[Language]) -> list[str]:
    """Return what stands for two things in these languages, one sentence each; such languages cannot share an address.

    "NE" is no in Bulgarian, and would be yes in Greek.
    """
    found: dict[str, dict[Kind, Language]] = {}
    for language in sorted(languages):
        for kind, words in WORDS[language].items():
            for word in words:
                found.setdefault(skeleton(word), {}).setdefault(kind, language)
    return [
        f'"{word}" means ' + " and ".join(f"{kind.value} ({language})" for kind, language in kinds.items())
        for word, kinds in sorted(found.items())
        if len(kinds) > 1
    ]


@lru_cache(maxsize=100)
def _table(languages: tuple[Language, ...]) -> Mapping[str, Kind]:
    clash = conflicts(languages)
    if clash:
        raise ValueError("; ".join(clash))
    return {skeleton(word): kind for language in languages for kind, words in WORDS[language].items() for word in words}
