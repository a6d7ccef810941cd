"""Numbers that have left the operator that their prefix names (mobile number portability)."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction


class Ported(Struct, frozen=True, kw_only=True):
    """A number and its operator. Columns as in migrations/*/0008_payments.sql."""

    msisdn: str  # digits of E.164
    link: str


async def lookup(reader: Reader, msisdns: Collection[str]) -> dict[str, str]:
    """Return {number: link} of those that have moved."""
    if not msisdns:
        return {}
    rows = await reader.fetch("ported.lookup", msisdns=sorted(set(msisdns)))
    return {msisdn: link for msisdn, link in rows}  # noqa: C416 - a row is a tuple of any length to the types


async def page(reader: Reader, after: str, most: int) -> list[Ported]:
    """Return the numbers behind ``after`` ("": from the first), in their order, so many at most."""
    rows = await reader.fetch("ported.page", after=after, most=most)
    return [Ported(msisdn=msisdn, link=link) for msisdn, link in rows]


async def put(transaction: Transaction, rows: Sequence[Ported]) -> None:
    """Store where numbers are now."""
    if rows:
        await transaction.executemany("ported.put", rows)


async def drop(transaction: Transaction, rows: Sequence[Ported]) -> None:
    """Forget numbers."""
    if rows:
        await transaction.executemany("ported.drop", rows)
