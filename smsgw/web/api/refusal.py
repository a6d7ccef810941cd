"""Why a request is refused, in words: where it is wrong, and what is allowed there; never what was sent."""

import re
from functools import cache
from typing import Final

import msgspec
from msgspec import Struct, inspect

from smsgw.settings import words

_REASON: Final = re.compile(r"(?P<reason>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL).fullmatch
_FIELD: Final = re.compile(r"Object (missing required|contains unknown) field `(.*)`", re.DOTALL).fullmatch
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}").fullmatch  # what may be repeated of a field's name
_STEP: Final = re.compile(r"\[[^]]*\]|[^.[]+")  # of a place: an index, or a field
_look: Final = cache(inspect.type_info)


def sentence(error: msgspec.ValidationError, kind: type[Struct]) -> str:
    """Return what is wrong with a request.

    Args:
        error: as it was raised.
        kind: what the request should have been.
    """
    found = _REASON(str(error))
    assert found is not None
    where = (found["path"] or "").removeprefix("$").removeprefix(".")
    info, field = _at(_look(kind), where), _FIELD(found["reason"])
    if field is not None:
        return _of_field(field[1], field[2], where, info)
    allowed = _allowed(info)
    return f"{where or 'the body'}: {f'allowed are {allowed}' if allowed else _plainly(found['reason'])}"


def _of_field(what: str, name: str, where: str, info: inspect.Type | None) -> str:
    place = f"{where}.{name}" if where else name
    if what == "missing required":
        return f"{place}: is missing"
    known = ", ".join(field.encode_name for field in info.fields) if isinstance(info, inspect.StructType) else ""
    return f"{place if _NAME(name) else where or 'the body'}: no such field; there are {known or 'none'}"


def _at(info: inspect.Type | None, where: str) -> inspect.Type | None:
    """Return what is allowed at a place; None when that cannot be said."""
    for step in _STEP.findall(where):
        if isinstance(info, inspect.ListType) and step.startswith("["):
            info = _there(info.item_type)
        elif isinstance(info, inspect.StructType):
            info = next((_there(field.type) for field in info.fields if field.encode_name == step), None)
        else:
            return None
    return info


def _there(info: inspect.Type) -> inspect.Type:
    """Return a type without what was only noted with it, and without None beside one other."""
    while isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.UnionType):
        rest = [one for one in info.types if not isinstance(one, inspect.NoneType)]
        return _there(rest[0]) if len(rest) == 1 else info
    return info


def _allowed(info: inspect.Type | None) -> str:
    if isinstance(info, inspect.StrType) and info.pattern is not None:
        return f"texts that match {info.pattern}"
    if isinstance(info, inspect.StructType):
        return "objects"
    if isinstance(info, inspect.ListType) and isinstance(_there(info.item_type), inspect.StructType):
        return "lists of objects"
    return words.of_info(info) if info is not None else ""


def _plainly(reason: str) -> str:
    """Return msgspec's own words, which hold a value where it is one of a set."""
    return "not one of those that are allowed" if reason.startswith("Invalid enum") else reason[0].lower() + reason[1:]
