"""The text of an answer: a merchant's template with placeholders in, the words for the subscriber out."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Literal

Language = Literal["en", "bg", "uk", "ru"]

# Days, hours, minutes, seconds; short ones need no plural in the Slavic languages.
_UNITS: Mapping[Language, tuple[str, str, str, str]] = {
    "en": ("day", "h", "min", "s"),
    "bg": ("дн.", "ч", "мин", "сек"),
    "uk": ("дн.", "год", "хв", "сек"),
    "ru": ("дн.", "ч", "мин", "сек"),
}
_AFTER_FIRST_USE: Mapping[Language, str] = {
    "en": "{} after first use",
    "bg": "{} след първата употреба",
    "uk": "{} після першого використання",
    "ru": "{} после первого использования",
}

PLACEHOLDERS = ("code", "valid_until", "uses", "price", "service", "support")

_FIELD = re.compile(r"\{([^{}]*)\}")


def unknown_placeholders(template: str, known: Collection[str] = PLACEHOLDERS) -> list[str]:
    """Return what stands in braces, or is a lone brace, and is not a placeholder."""
    unknown = [name for name in _FIELD.findall(template) if name not in known]
    rest = _FIELD.sub("", template)
    return unknown + [brace for brace in "{}" if brace in rest]


def render(template: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders in; one pass, so that a value with braces in it stays as it is."""
    pieces = list(_pieces(template))
    pieces[1::2] = [values[name] for name in pieces[1::2]]
    return "".join(pieces)


@lru_cache(maxsize=1000)
def _pieces(template: str) -> tuple[str, ...]:
    """Return the template as text, placeholder, text, placeholder … text."""
    return tuple(_FIELD.split(template))


def local_time(at_ms: int, zone: tzinfo) -> str:
    """Return a moment as subscribers read it: 2026-11-22 18:30, in the service's time zone."""
    return _local_minute(at_ms // 60_000, zone)


@lru_cache(maxsize=1000)  # under load a minute has thousands of answers
def _local_minute(minute: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(minute * 60, tz=UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def duration(ms: int, language: Language = "en") -> str:
    """Return a period as its largest whole unit: 86,400,000 is "1 day", 5,400,000 is "90 min"."""
    units = _UNITS[language]
    for size, unit in zip((86_400_000, 3_600_000, 60_000), units, strict=False):
        if ms % size == 0:
            count = ms // size
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}"
    return f"{ms // 1000} {units[-1]}"


def after_first_use(ms: int, language: Language = "en") -> str:
    """Return a period that begins with the first use: "1 day after first use"."""
    return _AFTER_FIRST_USE[language].format(duration(ms, language))
