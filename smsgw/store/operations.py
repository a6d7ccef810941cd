"""Questions to SMSCs about messages that they have accepted, and what they say by themselves about subscribers."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from smsgw.kit.ids import first_of
from smsgw.store.database import Reader, Transaction
from smsgw.store.rows import found, made

Kind = Literal["query", "cancel", "replace"]


class OperationRow(Struct, frozen=True, kw_only=True):
    """A new question. Columns as in migrations/*/0006_receipts.sql."""

    id: str
    link: str
    mt: str
    kind: Kind
    sealed: bytes | None
    key_id: str | None
    created_ms: int
    until_ms: int
    actor: str


class Waiting(Struct, frozen=True, kw_only=True):
    """A question that is to be asked, and the names of its message."""

    id: str
    link: str
    mt: str
    kind: Kind
    sealed: bytes | None
    key_id: str | None
    until_ms: int
    message_id: str  # as the SMSC wrote it
    source: str
    source_ton: int
    source_npi: int
    destination: str
    dest_ton: int
    dest_npi: int
    mt_status: str


class Operation(Struct, frozen=True, kw_only=True):
    """A question, and what came of it."""

    id: str
    link: str
    mt: str
    kind: Kind
    created_ms: int
    until_ms: int
    actor: str
    status: str  # waiting, asked, done, failed
    result: str | None


class Message(Struct, frozen=True, kw_only=True):
    """A message that somebody asks about."""

    id: str
    link: str
    status: str
    data_coding: int
    parts: int
    message_id: str  # as the SMSC wrote it; empty when it gave none


class AlertRow(Struct, frozen=True, kw_only=True):
    """A subscriber can be reached again."""

    id: str
    link: str
    received_ms: int
    source: str
    esme: str
    ms_availability: int | None  # SMPP 3.4 §5.3.2.30


async def insert(transaction: Transaction, rows: Sequence[OperationRow]) -> None:
    """Have questions asked."""
    if rows:
        await transaction.executemany("operations.insert", rows)


async def waiting(reader: Reader, link: str, count: int) -> list[Waiting]:
    """Return the next questions of a link, the oldest first."""
    rows = await reader.fetch("operations.waiting", link=link, count=count)
    return made(Waiting, rows)


async def take(transaction: Transaction, operation: str) -> bool:
    """Be the one who asks; False when somebody else is."""
    return await transaction.execute("operations.take", id=operation) == 1


async def settle(transaction: Transaction, operation: str, status: str, result: str) -> bool:
    """Record what came of a question; False when that is recorded already."""
    return await transaction.execute("operations.settle", id=operation, status=status, result=result) == 1


async def abandon(transaction: Transaction, link: str, before_ms: int, result: str) -> int:
    """End the questions of a link that were taken, and should have been answered long before a moment."""
    return await transaction.execute("operations.abandon", link=link, before_ms=before_ms, result=result)


async def by_id(reader: Reader, operation: str) -> Operation | None:
    """Return one question."""
    row = await reader.fetch_one("operations.by_id", id=operation)
    return found(Operation, row)


async def of_mt(reader: Reader, mt: str) -> list[Operation]:
    """Return what was asked about a message, the first first."""
    rows = await reader.fetch("operations.of_mt", mt=mt)
    return made(Operation, rows)


async def message(reader: Reader, mt: str) -> Message | None:
    """Return a message, as far as it takes to ask about it."""
    row = await reader.fetch_one("operations.message", mt=mt)
    return found(Message, row)


async def unreported(reader: Reader, link: str, *, before_ms: int, after_ms: int, most: int, count: int) -> list[str]:
    """Return accepted messages of a link that lack a receipt, and were asked about less than ``most`` times."""
    rows = await reader.fetch(
        "operations.unreported", link=link, before_ms=before_ms, after_ms=after_ms, most=most, count=count
    )
    return [mt for (mt,) in rows]


async def record_alerts(transaction: Transaction, rows: Sequence[AlertRow]) -> None:
    """Store alerts."""
    if rows:
        await transaction.executemany("operations.alert", rows)


async def forget(transaction: Transaction, before_ms: int, count: int) -> int:
    """Delete up to ``count`` old questions, and as many old alerts; return how many."""
    questions = await transaction.execute("operations.forget", before=first_of("op", before_ms), count=count)
    return questions + await transaction.execute("operations.forget_alerts", before_ms=before_ms, count=count)
