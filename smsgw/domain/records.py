"""The operator's own records of what it has charged, line by line, against our attempts: one for one.

A line names its attempt by an id of ours, or by the id that the operator gave it; where it has neither, by phone, short
code, money and time. Each attempt answers for one line: a second line that says "charged" under the same name is money
that was taken twice, be it in this file or in one that was taken in before. Lines that say "charged" choose first, so
that a refusal before a success does not take its place.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from smsgw.domain.charging import Stand

COLUMNS: Final = ("operator_id", "msisdn", "short_code", "amount_minor", "currency", "reference", "at", "status")
OWN_ID: Final = "our_id"  # a further column, where the operator repeats our id in one of its own
_BEFORE_MS: Final = 300_000  # clocks differ
_OWN: Final = re.compile(r"(?:chg|pay)_[0-9a-z]{26}").fullmatch
_LONGEST: Final = 200  # characters of a value that is kept


class Line(Struct, frozen=True, kw_only=True):
    """One line."""

    number: int  # in the file, from 1
    operator_id: str
    our_id: str  # chg_… or pay_…, ""
    msisdn: str  # digits of E.164, or ""
    short_code: str
    amount_minor: int
    currency: str
    reference: str  # as it came
    at_ms: int
    charged: bool

    def __repr__(self) -> str:
        """Name the place only: values end up in tracebacks."""
        return f"Line({self.number})"


class Charged(Struct, frozen=True):
    """One charge of an attempt, as earlier records had it."""

    operator_id: str  # as it came, or ""
    at_ms: int


class Attempt(Struct, frozen=True, kw_only=True):
    """One of our attempts, as far as a line can tell it from others."""

    charge: str
    payment: str
    operator_id: str
    msisdn: str
    short_code: str
    amount_minor: int
    currency: str
    reference: int  # user_message_reference of its message
    began_ms: int
    until_ms: int  # the latest moment at which the operator can have charged it
    stand: Stand
    recorded: tuple[Charged, ...] = ()  # what earlier records have said of it


class Verdict(StrEnum):
    """What comes of a line."""

    AGREES = "agrees"
    RESOLVED = "resolved"  # nobody knew; now we do
    DISCREPANCY = "discrepancy"
    UNKNOWN = "unknown here"


class Judged(Struct, frozen=True, kw_only=True):
    """A line with what it means."""

    line: Line
    attempt: Attempt | None
    verdict: Verdict
    why: str = ""
    again: bool = False  # charged once more under the name of an attempt that has its line


def read(row: Mapping[str, str | None], number: int) -> Line:
    """Return a line of the file.

    Raises:
        ValueError: what is wrong with it, in a sentence without its values.
    """
    missing = [name for name in ("amount_minor", "currency", "at", "status") if not _value(row, name)]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    if not (_value(row, "msisdn") or _value(row, "operator_id") or _value(row, "reference") or _value(row, OWN_ID)):
        raise ValueError("nothing says whose it is: operator_id, our_id, msisdn and reference are empty")
    own = [text for name in (OWN_ID, "reference", "operator_id") if _OWN(text := _value(row, name))]
    return Line(
        number=number,
        operator_id=_value(row, "operator_id"),
        our_id=own[0] if own else "",
        msisdn=_msisdn(_value(row, "msisdn")),
        short_code=_value(row, "short_code"),
        amount_minor=_amount(_value(row, "amount_minor")),
        currency=_currency(_value(row, "currency")),
        reference=_value(row, "reference"),
        at_ms=_moment(_value(row, "at")),
        charged=_charged(_value(row, "status")),
    )


def _value(row: Mapping[str, str | None], name: str) -> str:
    value = (row.get(name) or "").strip()
    if len(value) > _LONGEST or not value.isprintable():
        raise ValueError(f"{name} is too long, or has characters that cannot be printed")
    return value


def _msisdn(text: str) -> str:
    digits = text.removeprefix("+")
    if digits and not (digits.isascii() and digits.isdigit() and len(digits) <= 15):  # noqa: PLR2004 - E.164 §6.2
        raise ValueError("msisdn is no number in international form, such as 359888123456")
    return digits


def _amount(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):  # noqa: PLR2004 - more than anybody pays
        raise ValueError("amount_minor is no whole number of minor units")
    return int(text)


def _currency(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise ValueError("currency is no code of ISO 4217, such as EUR")
    return text


def _moment(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
        return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError("at is no time, such as 2026-03-01T12:00:00Z") from None


def _charged(text: str) -> bool:
    if text not in {"charged", "failed"}:
        raise ValueError("status is neither charged nor failed")
    return text == "charged"


# One for one


def judge(lines: Sequence[Line], attempts: Sequence[Attempt]) -> list[Judged]:
    """Return what comes of each line, in their order."""
    chosen = _match(lines, attempts)
    named = _Names(attempts)
    judged = []
    for line in lines:
        attempt = chosen.get(line.number)
        twin = next(iter(named.of(line)), None) if attempt is None else None
        if attempt is not None:
            judged.append(_compare(line, attempt))
        elif twin is not None and line.charged:
            why = "charged a second time under the same name"
            judged.append(Judged(line=line, attempt=twin, verdict=Verdict.DISCREPANCY, why=why, again=True))
        elif twin is not None:
            judged.append(Judged(line=line, attempt=twin, verdict=Verdict.AGREES, why="a refusal before the end"))
        else:
            judged.append(Judged(line=line, attempt=None, verdict=Verdict.UNKNOWN))
    return judged


class _Names:
    """Attempts by what a line may call them."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self._own: dict[str, list[Attempt]] = defaultdict(list)
        self._theirs: dict[str, list[Attempt]] = defaultdict(list)
        for one in attempts:
            self._own[one.charge].append(one)
            self._own[one.payment].append(one)
            if one.operator_id:
                self._theirs[_folded(one.operator_id)].append(one)

    def of(self, line: Line) -> list[Attempt]:
        """Return the attempts that a line names; an id of ours goes before theirs."""
        if line.our_id:
            return self._own.get(line.our_id, [])
        return self._theirs.get(_folded(line.operator_id), []) if line.operator_id else []


def _folded(operator_id: str) -> str:
    """Return an id as it is compared: SMSCs write the same one in small letters here and in capitals there."""
    return operator_id.casefold()


def _match(lines: Sequence[Line], attempts: Sequence[Attempt]) -> dict[int, Attempt]:
    """Return {line: its attempt}."""
    named, taken = _Names(attempts), set[str]()
    chosen: dict[int, Attempt] = {}
    for line in _charged_first(lines):
        free = [one for one in named.of(line) if one.charge not in taken]
        if free:  # of a payment's several attempts the one that ended like this
            best = min(free, key=lambda one: (one.stand in _ENDED and one.stand != _WANTED[line.charged], one.charge))
            chosen[line.number] = best
            taken.add(best.charge)
    for line, attempt in _by_circumstances(
        [line for line in lines if line.number not in chosen and not named.of(line)],
        [one for one in attempts if one.charge not in taken],
    ):
        if line.number not in chosen and attempt.charge not in taken:
            chosen[line.number] = attempt
            taken.add(attempt.charge)
    return chosen


_ENDED: Final = frozenset({Stand.CHARGED, Stand.FAILED})
_WANTED: Final = {True: Stand.CHARGED, False: Stand.FAILED}


def _charged_first(lines: Sequence[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (not line.charged, line.number))


def _by_circumstances(lines: Sequence[Line], attempts: Sequence[Attempt]) -> Iterator[tuple[Line, Attempt]]:
    """Yield what fits by phone, short code, money and time, the nearest in time first."""
    places: dict[tuple[object, ...], list[Attempt]] = defaultdict(list)
    for one in attempts:
        places[one.msisdn, one.short_code, one.amount_minor, one.currency].append(one)
    pairs = [
        (line, one)
        for line in lines
        if line.msisdn and not line.our_id
        for one in places.get((line.msisdn, line.short_code, line.amount_minor, line.currency), [])
        if one.began_ms - _BEFORE_MS <= line.at_ms <= one.until_ms + _BEFORE_MS and _fits(line, one)
    ]
    pairs.sort(key=lambda pair: (not pair[0].charged, abs(pair[0].at_ms - pair[1].began_ms), pair[0].number))
    yield from pairs


def _fits(line: Line, attempt: Attempt) -> bool:
    """Whether the message's reference, where the operator repeats it, does not speak against it."""
    written = line.reference
    return not (written.isascii() and written.isdigit()) or int(written) == attempt.reference


def _compare(line: Line, attempt: Attempt) -> Judged:
    verdict, why = Verdict.AGREES, ""
    if line.charged and attempt.recorded and not any(_is_same(line, one) for one in attempt.recorded):
        why = "charged a second time, earlier records say"
        return Judged(line=line, attempt=attempt, verdict=Verdict.DISCREPANCY, why=why, again=True)
    if line.charged and (line.amount_minor, line.currency) != (attempt.amount_minor, attempt.currency):
        verdict, why = Verdict.DISCREPANCY, "another amount"
    elif attempt.stand is Stand.QUEUED:
        verdict, why = (
            (Verdict.DISCREPANCY, "charged before it was sent") if line.charged else (Verdict.AGREES, "not sent yet")
        )
    elif attempt.stand not in _ENDED:
        verdict, why = Verdict.RESOLVED, "charged" if line.charged else "not charged"
    elif attempt.stand != _WANTED[line.charged]:
        verdict = Verdict.DISCREPANCY
        why = "charged, and failed here" if line.charged else "failed, and charged here"
    return Judged(line=line, attempt=attempt, verdict=verdict, why=why)


def _is_same(line: Line, charged: Charged) -> bool:
    """Whether a line is about a charge that is known: by its id, or, as another list may have other ids, its moment."""
    named = bool(line.operator_id) and _folded(line.operator_id) == _folded(charged.operator_id)
    return named or line.at_ms == charged.at_ms
