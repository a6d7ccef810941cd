"""Phones that want no questions, and how many each was asked. Columns as in 0008."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction


class BlockRow(Struct, frozen=True, kw_only=True):
    """A phone that wants no questions."""

    msisdn: str
    merchant: str  # '' for all
    since_ms: int
    actor: str


class TallyRow(Struct, frozen=True, kw_only=True):
    """More questions and answers of an hour."""

    name: str
    hour: int
    asked: int
    answered: int


class _Phone(Struct, frozen=True, kw_only=True):
    msisdn: str
    merchant: str


async def block(transaction: Transaction, rows: Sequence[BlockRow]) -> None:
    """Ask these phones no more."""
    if rows:
        await transaction.executemany("phones.block", rows)


async def unblock(transaction: Transaction, phones: Collection[tuple[str, str]]) -> None:
    """Ask these phones again: (number, merchant or '' for the block of all)."""
    if phones:
        rows = [_Phone(msisdn=msisdn, merchant=merchant) for msisdn, merchant in sorted(phones)]
        await transaction.executemany("phones.unblock", rows)


async def blocked(reader: Reader, msisdns: Collection[str]) -> set[tuple[str, str]]:
    """Return (number, merchant or '') of the blocks of these phones."""
    if not msisdns:
        return set()
    return {(str(one), str(of)) for one, of in await reader.fetch("phones.blocked", msisdns=sorted(msisdns))}


async def count(transaction: Transaction, rows: Sequence[TallyRow]) -> None:
    """Add to what was counted in an hour."""
    if rows:
        in_order: list[TallyRow] = sorted(rows, key=_name)  # nobody waits in a circle
        await transaction.executemany("phones.count", in_order)


def _name(row: TallyRow) -> str:
    return row.name


async def tallies(reader: Reader, names: Collection[str], hour: int) -> dict[str, tuple[int, int]]:
    """Return {name: (asked, answered)} of an hour."""
    if not names:
        return {}
    rows = await reader.fetch("phones.tallies", names=sorted(names), hour=hour)
    return {str(name): (int(asked), int(answered)) for name, asked, answered in rows}


async def forget_tallies(transaction: Transaction, before_hour: int) -> int:
    """Forget the hours before one; return how many rows."""
    return await transaction.execute("phones.forget_tallies", before_hour=before_hour)
