"""What is wrong with a setting's value, in words: what stands there, and what its type allows."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import inspect

_LONGEST_SHOWN: Final = 40  # characters of a wrong value that are repeated

# What a pattern cannot say in words; keyed by field name where the meaning is the same everywhere.
_BY_NAME: Final[Mapping[str, str]] = {
    "node": "1 to 40 of a-z 0-9 _ -, beginning with a letter or digit",
    "short_code": "1 to 20 digits or letters",
    "keywords": 'lists of 1 to 50 words, or "*" among them',
    "host": "host names and addresses",
    "tlvs": 'lists of tables such as {tag = 0x1400, type = "int16", value = 7}; types are int8, int16, int32, text, '
    "cstring and hex",
}

# The same for patterns that stand in several places.
_BY_PATTERN: Final[Mapping[str, str]] = {
    r"^[a-z0-9][a-z0-9_-]{0,39}\Z": "1 to 40 of a-z 0-9 _ -, beginning with a letter or digit",
    r"^[0-9]{3,15}\Z": "short codes of 3 to 15 digits",
    r"^[A-Z]{3}\Z": 'codes of ISO 4217 such as "EUR"',
    r"^([A-Z]{3})?\Z": 'codes of ISO 4217 such as "EUR"',
    r"^([A-Z]{2})?\Z": 'codes of ISO 3166 such as "BG"',
    r"^\+?[0-9]{2,15}\Z": 'the first digits of numbers, with the country\'s, such as "35988"',
    r"^\+?[0-9]{1,15}\Z": 'numbers, or their first digits, with the country\'s, such as "35988"',
}

_TABLES: Final = "tables only: its settings below a line with its name in [ ]"

# Settings whose tables are judged as a whole: an example says more about them than the name of a field.
WHOLE: Final = frozenset({"tlvs"})


def complaint(name: str, kind: object, value: object) -> str | None:
    """Return the sentence that refuses a value for the setting ``name`` of type ``kind``; None when it is allowed."""
    if not (isinstance(value, float) and not math.isfinite(value)):
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            reason = str(error)
        else:
            return None
    else:
        reason = "Expected a finite number"
    words = _BY_NAME.get(name) or allowed(kind)
    told = f"; allowed are {words}" if words else f": {reason[0].lower()}{reason[1:]}"
    return f"{shown(value)} is not allowed{told}"


def size_complaint(kind: object, values: Sequence[object]) -> str | None:
    """Return the sentence that refuses a list for its size; None when it is allowed."""
    info = inspect.type_info(kind)
    if not isinstance(info, inspect.ListType):
        return None
    if (info.min_length or 0) <= len(values) <= (info.max_length if info.max_length is not None else len(values)):
        return None
    return f"{len(values)} are not allowed; allowed are lists{_size(info.min_length, info.max_length, 'item')}"


def shown(value: object) -> str:
    """Return a value as TOML writes it, cut where it is long."""
    text = _written(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _written(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return f"[{', '.join(_written(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)


def allowed(kind: object) -> str:
    """Return what a type allows, to be read after "allowed are"; "" where its own words must do."""
    if get_origin(kind) is Literal:  # in the order in which they were thought of; msgspec sorts them
        return ", ".join(_written(value) for value in get_args(kind))
    return of_info(inspect.type_info(kind))


def of_info(info: inspect.Type) -> str:
    """Return the same for a type that was looked into."""
    say = _SAY.get(type(info))
    return say(info) if say else ""


def _integer(info: inspect.IntType) -> str:
    return f"whole numbers{_between(info.ge, info.le)}"


def _number(info: inspect.FloatType) -> str:
    return f"numbers{_between(info.ge, info.le)}"


def _between(low: float | None, high: float | None) -> str:
    """The limits are inclusive; a type with others needs a word of its own here."""
    if low is None:
        return "" if high is None else f" up to {high:.15g}"
    return f" from {low:.15g}" if high is None else f" from {low:.15g} to {high:.15g}"


def _text(info: inspect.StrType) -> str:
    if info.pattern is not None:
        return _BY_PATTERN.get(info.pattern, "")
    return f"texts in quotes{_size(info.min_length, info.max_length, 'character')}"


def _list(info: inspect.ListType) -> str:
    size = _size(info.min_length, info.max_length, "item")
    say = _SAY.get(type(info.item_type))
    item = say(info.item_type) if say else ""
    return f"lists{size}, each one of these: {item}" if item else f"lists{size}"


def _size(low: int | None, high: int | None, what: str) -> str:
    if high is None:
        return f" of at least {low} {what}{'s' * (low != 1)}" if low else ""
    return f" of {low} to {high} {what}s" if low else f" of at most {high} {what}s"


def _words(info: inspect.LiteralType) -> str:
    return ", ".join(_written(value) for value in info.values)


def _either(info: inspect.UnionType) -> str:
    words = [_SAY[type(one)](one) for one in info.types if type(one) in _SAY]
    return " or ".join(words) if len(words) == len(info.types) else ""


_SAY: Final[Mapping[type, Callable[[Any], str]]] = {
    inspect.IntType: _integer,
    inspect.FloatType: _number,
    inspect.StrType: _text,
    inspect.ListType: _list,
    inspect.LiteralType: _words,
    inspect.UnionType: _either,
    inspect.BoolType: lambda _: "true and false",
    inspect.StructType: lambda _: _TABLES,
    inspect.DictType: lambda _: _TABLES,
}
