"""Rows of the database as values: a query's columns stand in the order of the value's fields."""

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct

from smsgw.store.database import Row

S = TypeVar("S", bound=Struct)


def made(kind: type[S], rows: Iterable[Row]) -> list[S]:
    """Return a value for each row.

    Raises:
        ValueError: the query has more or fewer columns than the value has fields.
    """
    fields = kind.__struct_fields__
    return [kind(**dict(zip(fields, row, strict=True))) for row in rows]


def found(kind: type[S], row: Row | None) -> S | None:
    """Return the value of a row; None when there is none."""
    return None if row is None else made(kind, [row])[0]
