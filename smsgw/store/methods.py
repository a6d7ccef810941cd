"""Remembered numbers. Columns as in 0008."""

from collections.abc import Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction
from smsgw.store.rows import made


class MethodRow(Struct, frozen=True, kw_only=True):
    """A remembered number."""

    id: str
    merchant: str
    test: int
    msisdn: str
    link: str
    created_ms: int
    verified_ms: int | None
    removed_ms: int | None


async def insert(transaction: Transaction, rows: Sequence[MethodRow]) -> None:
    """Remember numbers; one that is remembered already stays as it is."""
    if rows:
        await transaction.executemany("methods.insert", rows)


async def verify(transaction: Transaction, rows: Sequence[MethodRow]) -> None:
    """Note that a phone has confirmed."""
    if rows:
        await transaction.executemany("methods.verify", rows)


async def remove(transaction: Transaction, method: str, now_ms: int) -> bool:
    """Forget a number; False when it was."""
    return bool(await transaction.execute("methods.remove", id=method, now_ms=now_ms))


async def get(reader: Reader, name: str) -> MethodRow | None:
    """Return a number that is remembered, or was."""
    rows = made(MethodRow, await reader.fetch("methods.get", id=name))
    return rows[0] if rows else None


async def listed(reader: Reader, merchant: str, *, test: bool, before: str, count: int) -> list[MethodRow]:
    """Return a merchant's remembered numbers with ids below one, the latest first."""
    rows = await reader.fetch("methods.listed", merchant=merchant, test=int(test), before=before, count=count)
    return made(MethodRow, rows)


async def of_phone(reader: Reader, merchant: str, msisdn: str, *, test: bool) -> MethodRow | None:
    """Return the remembered row of a number."""
    rows = made(MethodRow, await reader.fetch("methods.of_phone", merchant=merchant, test=int(test), msisdn=msisdn))
    return rows[0] if rows else None
