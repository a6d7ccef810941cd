"""The audit log: who did what to what; append-only."""

from collections.abc import Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction
from smsgw.store.rows import made


class Entry(Struct, frozen=True, kw_only=True):
    """One deed. Columns as in migrations/*/0003_access.sql."""

    id: str
    at_ms: int
    actor: str  # an API key's id, or the command line's user
    action: str
    subject: str  # an id
    detail: str  # JSON


async def record(transaction: Transaction, entries: Sequence[Entry]) -> None:
    """Write into the log, in the transaction that does what is logged."""
    if entries:
        await transaction.executemany("audit.insert", entries)


async def of_subject(reader: Reader, subject: str) -> list[Entry]:
    """Return what was done to something, the first first."""
    rows = await reader.fetch("audit.of_subject", subject=subject)
    return made(Entry, rows)
