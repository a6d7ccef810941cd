"""Takes in who has moved to which operator: a file's lines in, the table's differences written in short transactions.

While it works, operators' messages go on being stored: no transaction is longer than a batch. A number has either its
old or its new operator meanwhile; one that is cut short is simply done again.
"""

import csv
import re
from collections.abc import Collection, Iterator
from typing import Final, TextIO

from msgspec import Struct

from smsgw.flows.audit import entry
from smsgw.flows.ports import Ports
from smsgw.store import audit, ported
from smsgw.store.sheet import Sheet

COLUMNS: Final = ("msisdn", "link")
_PAGE: Final = 5_000  # numbers of one transaction
_LONGEST_LINE: Final = 1_000  # characters
_SEPARATORS: Final = ",;\t"
_NUMBER: Final = re.compile(r"(?:\+|00)?([1-9][0-9]{6,14})")  # E.164 §6.1


class Outcome(Struct, frozen=True, kw_only=True):
    """What has changed."""

    added: int
    moved: int  # to another operator than before
    removed: int


def read(file: TextIO, links: Collection[str], sheet: Sheet) -> Iterator[str]:
    """Read a file's lines into the sheet, and yield a sentence for each that is bad.

    Args:
        file: its first line names the columns, of which ``COLUMNS`` count.
        links: that there are.
        sheet: takes what is good.
    """
    lines = _lines(file)
    _, first = next(lines, (1, ""))
    separator = next((mark for mark in _SEPARATORS if first and mark in first), ",")
    names = [name.strip().lower() for name in _cells(first or "", separator)]
    if not set(COLUMNS) <= set(names):
        yield f"line 1: must name the columns; allowed is: {','.join(COLUMNS)}"
        return
    at = [names.index(column) for column in COLUMNS]
    there = ", ".join(sorted(links)) or "none"
    for number, line in lines:
        if line is None:
            yield f"line {number}: too long; allowed are {_LONGEST_LINE} characters"
            continue
        if not line.strip():
            continue
        cells = _cells(line, separator)
        if len(cells) <= max(at):
            yield f"line {number}: has {len(cells)} column(s); there must be {len(names)}"
            continue
        msisdn, link = (cells[column].strip() for column in at)
        found = _NUMBER.fullmatch(msisdn)
        if found is None:
            yield (
                f"line {number}: msisdn is no number; allowed are 7 to 15 digits with the country's code, such as "
                "359888123456"
            )
        elif link not in links:
            yield f"line {number}: there is no link of the name that stands there; there are {there}"
        elif other := sheet.add(found[1], link, number):
            yield f"line {number}: the number stands in line {other} with another link; allowed is one"


def _lines(file: TextIO) -> Iterator[tuple[int, str | None]]:
    """Yield each line with its number; None for one that is too long to be read into memory."""
    number = 0
    while line := file.readline(_LONGEST_LINE + 1):
        number += 1
        if len(line) <= _LONGEST_LINE or line.endswith("\n"):
            yield number, line
            continue
        while not line.endswith("\n") and (line := file.readline(_LONGEST_LINE)):
            pass
        yield number, None


def _cells(line: str, separator: str) -> list[str]:
    """Cut one line; a quotation mark that is not closed ends with it."""
    return next(csv.reader([line], delimiter=separator), [])


async def apply(ports: Ports, sheet: Sheet, *, replace: bool, actor: str) -> Outcome:
    """Make the table say what the sheet says.

    Args:
        ports: the world.
        sheet: what has been read.
        replace: whether numbers that the sheet does not have are forgotten.
        actor: for the audit log.
    """
    told = entry(ports, actor, "ported.import", "ported", {"numbers": len(sheet), "replace": replace})
    async with ports.database.write() as transaction:
        await audit.record(transaction, [told])
    added = moved = 0
    for rows in sheet.pages():
        async with ports.database.read() as reader:
            known = await ported.lookup(reader, [row.msisdn for row in rows])
        new = [row for row in rows if known.get(row.msisdn) != row.link]
        if new:
            async with ports.database.write() as transaction:
                await ported.put(transaction, new)
        moved += sum(row.msisdn in known for row in new)
        added += sum(row.msisdn not in known for row in new)
    removed = await _remove(ports, sheet) if replace else 0
    return Outcome(added=added, moved=moved, removed=removed)


async def _remove(ports: Ports, sheet: Sheet) -> int:
    """Forget what the sheet does not have."""
    after, removed = "", 0
    while True:
        async with ports.database.read() as reader:
            rows = await ported.page(reader, after, _PAGE)
        if not rows:
            return removed
        known = sheet.known([row.msisdn for row in rows])
        gone = [row for row in rows if row.msisdn not in known]
        if gone:
            async with ports.database.write() as transaction:
                await ported.drop(transaction, gone)
        removed += len(gone)
        after = rows[-1].msisdn
