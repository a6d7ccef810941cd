"""Takes in the operator's own records: reads a file, finds each line's attempt, tells payments what it proves."""

import csv
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from smsgw.domain.charging import Stand
from smsgw.domain.goods import Terms
from smsgw.domain.records import COLUMNS, Attempt, Charged, Judged, Line, Verdict, judge, read
from smsgw.errors import SmsgwError
from smsgw.flows.payments.resolving import Resolver
from smsgw.flows.ports import Ports
from smsgw.kit.clock import rfc3339
from smsgw.store import records as store
from smsgw.store.records import AttemptRow

MOST: Final = 1_000_000  # lines of one file: they are held in memory
_AT_ONCE: Final = 500  # lines whose attempts are read at a time
_DAY_MS: Final = 86_400_000
_terms = msgspec.json.Decoder(Terms, strict=False)


class _Taken(Struct, frozen=True):
    """A line as it was written down."""

    charged: bool
    at: str
    operator_id: str = ""
    charge: str = ""


_taken = msgspec.json.Decoder(_Taken)


class BadFileError(SmsgwError):
    """The file as a whole cannot be read; the message says why."""

    exit_status = 1


def lines_of(text: Iterable[str], bad: Callable[[int, str], None]) -> list[Line]:
    """Return the lines of a file.

    Args:
        text: as it comes, with a line of column names first.
        bad: told of each line that cannot be used: its number, what is wrong.

    Raises:
        BadFileError: there is no such line of names, or it is no CSV, or too long.
    """
    reader = csv.DictReader(text, strict=True)
    found: list[Line] = []
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise BadFileError(f"the first line has no column {', '.join(missing)}; needed are {','.join(COLUMNS)}")
        for row in reader:
            if len(found) >= MOST:
                raise BadFileError(f"more than {MOST:,} lines; cut the file")
            number = reader.line_num
            if None in row or None in row.values():
                bad(number, "has more or fewer columns than the first line")
                continue
            try:
                found.append(read(row, number))
            except ValueError as error:
                bad(number, str(error))
    except csv.Error as error:
        raise BadFileError(f"line {reader.line_num}: not CSV: {error}") from None
    except UnicodeDecodeError:
        raise BadFileError("not a text in UTF-8") from None
    return found


async def look(ports: Ports, link: str, lines: Sequence[Line]) -> list[Judged]:
    """Return what each line of an operator's records means; nothing is changed."""
    attempts: dict[str, AttemptRow] = {}
    recorded: dict[str, list[Charged]] = {}
    async with ports.database.read() as reader:
        for at in range(0, len(lines), _AT_ONCE):
            some = lines[at : at + _AT_ONCE]
            first_ms, last_ms = min(one.at_ms for one in some), max(one.at_ms for one in some)
            rows = await store.by_phones(
                reader, link, {one.msisdn for one in some if one.msisdn}, first_ms - 2 * _DAY_MS, last_ms + _DAY_MS
            )
            rows += await store.by_ids(reader, link, {one.our_id for one in some if one.our_id})
            ids = {one.operator_id for one in some if one.operator_id}
            spellings = {spelled for name in ids for spelled in (name, name.upper(), name.lower())}
            rows += await store.by_messages(reader, link, spellings)
            attempts |= {row.id: row for row in rows}
        payments = sorted({row.payment for row in attempts.values()})
        for at in range(0, len(payments), _AT_ONCE):
            for _, told in await store.taken(reader, payments[at : at + _AT_ONCE]):
                _remember(recorded, told)
    return judge(lines, [_attempt(row, recorded.get(name, [])) for name, row in sorted(attempts.items())])


def _remember(recorded: dict[str, list[Charged]], told: str) -> None:
    """Add a charge that earlier records have shown to those of its attempt."""
    line = _taken.decode(told)
    if line.charged and line.charge:
        at_ms = round(datetime.fromisoformat(line.at).timestamp() * 1000)
        recorded.setdefault(line.charge, []).append(Charged(line.operator_id, at_ms))


def _attempt(row: AttemptRow, recorded: Sequence[Charged]) -> Attempt:
    terms = _terms.decode(row.terms)
    late_ms = terms.validity_ms + terms.receipt_grace_ms if terms.way != "mo" else 0
    return Attempt(
        charge=row.id,
        payment=row.payment,
        operator_id=row.operator_id or "",
        msisdn=row.msisdn,
        short_code=row.short_code,
        amount_minor=row.amount_minor,
        currency=row.currency,
        reference=row.message_reference,
        began_ms=row.began_ms,
        until_ms=row.began_ms + late_ms,
        stand=Stand(row.status),
        recorded=tuple(recorded),
    )


async def take(resolver: Resolver, one: Judged, actor: str) -> None:
    """Let a payment know what a line proves; the same line again changes nothing."""
    if one.attempt is None or one.verdict in {Verdict.AGREES, Verdict.UNKNOWN}:
        return
    again = one.again or _is_other(one)
    await resolver.record(one.attempt.payment, charged=one.line.charged, told=_told(one, actor), again=again)


async def keep(resolver: Resolver, found: Sequence[Judged], actor: str) -> None:
    """Keep the lines that say what we know, as evidence, and so that a second charge in a later file is seen."""
    agreeing = [
        (one.attempt.payment, _told(one, actor))
        for one in found
        if one.attempt is not None
        and one.verdict is Verdict.AGREES
        and one.line.charged
        and one.attempt.stand is Stand.CHARGED
    ]
    for at in range(0, len(agreeing), _AT_ONCE):
        await resolver.agree(agreeing[at : at + _AT_ONCE])


def _told(one: Judged, actor: str) -> dict[str, Any]:
    assert one.attempt is not None
    line = one.line
    return {
        "operator_id": line.operator_id,
        "charge": one.attempt.charge,
        "amount_minor": line.amount_minor,
        "currency": line.currency,
        "reference": line.reference,
        "at": rfc3339(line.at_ms),
        "finding": one.why,
        "actor": actor,
    }


def _is_other(one: Judged) -> bool:
    """Whether money was taken that is not the money of the attempt."""
    assert one.attempt is not None
    line = one.line
    return line.charged and (line.amount_minor, line.currency) != (one.attempt.amount_minor, one.attempt.currency)
