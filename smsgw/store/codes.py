"""Access codes and the attempts to use them."""

from collections.abc import Collection, Sequence

import msgspec
from msgspec import Struct

from smsgw.domain import codes
from smsgw.store.database import Reader, Transaction

_policy = msgspec.json.Decoder(codes.Policy)


class CodeRow(Struct, frozen=True, kw_only=True):
    """A new code. Columns as in migrations/*/0001_house.sql."""

    id: str
    service: str
    mo: str
    link: str
    msisdn: str
    lookup: str
    sealed: bytes
    key_id: str
    policy: str
    issued_ms: int


class Found(Struct, frozen=True, kw_only=True):
    """A code that a look-up led to."""

    id: str
    service: str
    code: codes.Code


class Use(Struct, frozen=True, kw_only=True):
    """One use; ``used`` is the count that the decision has seen."""

    id: str
    used: int
    first_used_ms: int


class Attempt(Struct, frozen=True, kw_only=True):
    """Somebody tried a code."""

    id: str
    service: str
    code: str | None
    at_ms: int
    visitor: str
    outcome: str


async def insert(transaction: Transaction, rows: Sequence[CodeRow]) -> None:
    """Store new codes."""
    if rows:
        await transaction.executemany("codes.insert", rows)


async def taken(reader: Reader, lookups: Collection[str]) -> set[str]:
    """Return those of the look-ups that are in use."""
    return {lookup for (lookup,) in await reader.fetch("codes.taken", lookups=list(lookups))}


async def find(transaction: Transaction, lookups: Collection[str]) -> dict[str, Found]:
    """Return {look-up: code}; the rows are locked until the transaction ends."""
    rows = await transaction.fetch("codes.find", lookups=list(lookups))
    return {
        lookup: Found(
            id=code_id,
            service=service,
            code=codes.Code(policy=_policy.decode(policy), issued_ms=issued_ms, first_used_ms=first_used_ms, used=used),
        )
        for lookup, code_id, service, policy, issued_ms, first_used_ms, used in rows
    }


async def use(transaction: Transaction, rows: Sequence[Use]) -> None:
    """Count uses."""
    if rows:
        await transaction.executemany("codes.use", rows)


async def record(transaction: Transaction, rows: Sequence[Attempt]) -> None:
    """Store attempts."""
    await transaction.executemany("codes.attempt", rows)
