"""The SQL of the store: ``.sql`` files in, frozen queries with the engine's own placeholders out.

A query has a name, one line that says what it is for, and ``:names`` for its parameters (the format of aiosql)::

    -- name: insert*!
    -- Remembers raw messages.
    insert into mos (id, received_at_ms) values (:id, :received_at_ms);

``folder/*.sql`` holds what both engines understand, ``folder/sqlite/*.sql`` and ``folder/postgres/*.sql`` what they
say differently. A query is called "file.name": the one above, in ``mos.sql``, is "mos.insert".
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec
from aiosql.adapters.generic import GenericAdapter
from aiosql.query_loader import QueryLoader
from aiosql.utils import SQLParseException

Dialect = Literal["sqlite", "postgres"]

DIALECTS: Final[tuple[Dialect, ...]] = ("sqlite", "postgres")

# The seam's own queries ("schema.…"), which every database has.
_SCHEMA = Path(__file__).with_name("schema")

# What may hide a colon comes first: strings, quoted names, comments, casts. Only then a parameter.
_TOKEN = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | :: | :(?P<parameter>[a-z_][a-z0-9_]*)""",
    re.VERBOSE,
)
# Both engines let a numbered placeholder stand several times for one value.
_PLACEHOLDER: Final[Mapping[Dialect, str]] = {"sqlite": "?", "postgres": "$"}


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One statement, ready for its engine."""

    name: str  # "file.name"
    description: str  # the comment below the name
    sql: str  # with numbered placeholders: ?1 or $1
    parameters: tuple[str, ...]  # in the order of their numbers
    pick: Callable[[object], tuple[Any, ...]]  # an object with attributes named as the parameters -> the values

    def bind(self, values: Mapping[str, object]) -> tuple[object, ...]:
        """Put values given by name in the order of the placeholders.

        Raises:
            TypeError: a parameter is missing, or one too many is given.
        """
        if len(values) != len(self.parameters) or not all(name in values for name in self.parameters):
            raise TypeError(f"{self.name} takes {sorted(self.parameters)}, was given {sorted(values)}")
        return tuple([values[name] for name in self.parameters])

    @property
    def repeatable(self) -> bool:
        """Whether the SQL can take many rows at once: it has one ``values (…)``, with every parameter in it."""
        return _repeatable(self.sql) is not None

    def repeated(self, rows: int) -> str:
        """Return the SQL for so many rows at once; the placeholders of each row follow those of the one before.

        A statement is one step for the engine: nothing else waits for Python between the rows.
        """
        return _repeated(self.sql, len(self.parameters), rows)


Queries = Mapping[str, Query]


def load(folder: Path, dialect: Dialect) -> Queries:
    """Read every query of a folder for one engine, and the seam's own ("schema.…").

    Raises:
        ValueError: no such folder, a file that cannot be read as queries, a query without its line of description, one
            that stands twice, one that only one engine has, or one whose parameters differ between the engines.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of queries")
    shared = _folder(_SCHEMA) | _folder(folder)
    own = {name: shared | _folder(_SCHEMA / name) | _folder(folder / name) for name in DIALECTS}
    sqlite, postgres = own["sqlite"], own["postgres"]
    if lonely := sorted(sqlite.keys() ^ postgres.keys()):
        raise ValueError(f"{folder}: only one of the engines has {', '.join(lonely)}")
    for name, (_, sql) in sqlite.items():
        if set(_parameters(sql)) != set(_parameters(postgres[name][1])):
            raise ValueError(f"{folder}: {name} does not take the same parameters on both engines")
    return MappingProxyType({name: build(name, *text, dialect=dialect) for name, text in own[dialect].items()})


def build(name: str, description: str, sql: str, *, dialect: Dialect) -> Query:
    """Make a query of its text: number the placeholders in the engine's way."""
    parameters = _parameters(sql)
    numbers = {parameter: f"{_PLACEHOLDER[dialect]}{number}" for number, parameter in enumerate(parameters, 1)}

    def numbered(token: re.Match[str]) -> str:
        parameter = token["parameter"]
        return token[0] if parameter is None else numbers[parameter]

    return Query(
        name=name,
        description=description,
        sql=_TOKEN.sub(numbered, sql),
        parameters=parameters,
        pick=_picker(parameters),
    )


# A list of values and parameters, without any call or subquery in it.
_VALUES = re.compile(r"\bvalues\s*(?P<row>\([^()]*\))", re.IGNORECASE)
_NUMBERED = re.compile(r"\?(\d+)")


@lru_cache(maxsize=1000)
def _repeatable(sql: str) -> tuple[str, str, str] | None:
    """Return the SQL before, of and after the row of values."""
    found = list(_VALUES.finditer(sql))
    if len(found) != 1:
        return None
    start, end = found[0].span("row")
    before, row, behind = sql[:start], sql[start:end], sql[end:]
    return None if _NUMBERED.search(before + behind) else (before, row, behind)


@lru_cache(maxsize=1000)
def _repeated(sql: str, width: int, rows: int) -> str:
    pieces = _repeatable(sql)
    if pieces is None:
        raise ValueError(f"not repeatable: {sql}")
    before, row, behind = pieces
    shifted = [_NUMBERED.sub(lambda number, by=at * width: f"?{int(number[1]) + by}", row) for at in range(rows)]  # type: ignore[misc]  # mypy can't type a lambda's default
    return before + ", ".join(shifted) + behind


def _parameters(sql: str) -> tuple[str, ...]:
    """Names of the parameters, each once, as they first appear."""
    names = (token["parameter"] for token in _TOKEN.finditer(sql))
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _picker(parameters: tuple[str, ...]) -> Callable[[object], tuple[Any, ...]]:
    """Make the function that takes the parameters from an object; ``attrgetter`` alone gives no tuple below two."""
    if not parameters:
        return lambda _: ()
    if len(parameters) == 1:
        only = attrgetter(parameters[0])
        return lambda row: (only(row),)
    return attrgetter(*parameters)


def _folder(folder: Path) -> dict[str, tuple[str, str]]:
    """Read the ``.sql`` files directly in a folder: name -> (description, SQL)."""
    # aiosql's loader is used for the format alone; an adapter that changes nothing keeps its hands off the text
    adapter = GenericAdapter()  # type: ignore[no-untyped-call]  # aiosql's adapters carry no types
    loader = QueryLoader(adapter, record_classes=None, mandatory_parameters=False)
    found: dict[str, tuple[str, str]] = {}
    for file in sorted(folder.glob("*.sql")):
        try:
            queries = loader.load_query_data_from_file(file, [file.stem], encoding="utf-8")
        except (SQLParseException, UnicodeDecodeError) as error:
            raise ValueError(f"{file}: {error}") from error
        for query in queries:
            if query.query_name in found:
                raise ValueError(f"{file}: {query.query_name} stands twice")
            if not query.doc_comments.strip():
                raise ValueError(f"{file}: {query.query_name} has no line that says what it is for")
            found[query.query_name] = (query.doc_comments.splitlines()[0], query.sql.rstrip("; \n"))
    return found
