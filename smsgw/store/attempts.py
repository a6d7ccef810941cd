"""Attempts to use a code, each with what came of it; a redemption is the attempt that it was made by."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction
from smsgw.store.rows import found, made


class Attempt(Struct, frozen=True, kw_only=True):
    """Somebody tried a code. Columns as in migrations/*/0003_access.sql."""

    id: str
    service: str
    code: str | None
    at_ms: int
    visitor: str
    outcome: str
    redemption: str  # of this attempt, or of the success that it repeats
    channel: str
    reason: str | None
    state: str
    uses_left: int | None
    valid_until_ms: int | None
    latency_ms: int


class Recent(Struct, frozen=True, kw_only=True):
    """A success that another request may repeat."""

    code: str
    redemption: str
    state: str
    visitor: str
    uses_left: int | None
    valid_until_ms: int | None


async def record(transaction: Transaction, rows: Sequence[Attempt]) -> None:
    """Store attempts."""
    if rows:
        await transaction.executemany("attempts.insert", rows)


async def recent(
    reader: Reader, codes: Collection[str], states: Collection[str], visitors: Collection[str], after: str
) -> list[Recent]:
    """Return the uses of these codes after an id that a visit may repeat: by its state, or without one by its visitor.

    Only what some visit may repeat: a code without a limit may have been used any number of times meanwhile.
    """
    if not codes:
        return []
    named = [state for state in states if state]
    rows = await reader.fetch("attempts.recent", codes=list(codes), states=named, after=after) if named else []
    if "" in states:
        rows += await reader.fetch("attempts.recent_stateless", codes=list(codes), visitors=list(visitors), after=after)
    return [
        Recent(
            code=code,
            redemption=redemption,
            state=state,
            visitor=visitor,
            uses_left=uses_left,
            valid_until_ms=valid_until_ms,
        )
        for code, redemption, state, visitor, uses_left, valid_until_ms in rows
    ]


async def by_id(reader: Reader, attempt: str) -> Attempt | None:
    """Return one attempt."""
    row = await reader.fetch_one("attempts.by_id", id=attempt)
    return found(Attempt, row)


async def of_code(reader: Reader, code: str, before: str, count: int) -> list[Attempt]:
    """Return a code's attempts, the latest first, those whose ids sort before ``before``."""
    rows = await reader.fetch("attempts.of_code", code=code, before=before, count=count)
    return made(Attempt, rows)


async def consume(transaction: Transaction, redemption: str, at_ms: int) -> bool:
    """Spend a redemption; return whether it was not spent before."""
    return bool(await transaction.execute("attempts.consume", redemption=redemption, at_ms=at_ms))


async def forget(transaction: Transaction, before: str, count: int) -> int:
    """Delete up to ``count`` of the attempts whose ids sort before ``before``; return how many."""
    return await transaction.execute("attempts.forget", before=before, count=count)


async def forget_consumed(transaction: Transaction, before: str, count: int) -> int:
    """Delete up to ``count`` of the spent redemptions whose ids sort before ``before``; return how many."""
    return await transaction.execute("attempts.forget_consumed", before=before, count=count)
