"""Money that goes back. Columns as in 0008; whoever changes it has locked its payment."""

from collections.abc import Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction
from smsgw.store.rows import made


class RefundRow(Struct, frozen=True, kw_only=True):
    """Money that goes back."""

    id: str
    payment: str
    amount_minor: int
    status: str
    reason: str
    actor: str
    created_ms: int
    settled_ms: int | None


async def insert(transaction: Transaction, rows: Sequence[RefundRow]) -> None:
    """Store refunds; their payments' sums change in the same transaction."""
    if rows:
        await transaction.executemany("refunds.insert", rows)


async def update(transaction: Transaction, rows: Sequence[RefundRow]) -> None:
    """Store what came of refunds that were on their way."""
    if rows:
        await transaction.executemany("refunds.update", rows)


async def of_payment(reader: Reader, payment: str) -> list[RefundRow]:
    """Return a payment's refunds, the first first."""
    return made(RefundRow, await reader.fetch("refunds.of_payment", payment=payment))


async def pending(reader: Reader, after: str, count: int) -> list[RefundRow]:
    """Return refunds with ids above one that the operator is to be told of, the oldest first."""
    return made(RefundRow, await reader.fetch("refunds.pending", after=after, count=count))
