"""Delivery receipts, matched to their messages by the SMSC's id on the same link, at once or later."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Row, Transaction
from smsgw.store.rows import made


class ReceiptRow(Struct, frozen=True, kw_only=True):
    """A receipt as it came. Columns as in migrations/*/0001_house.sql."""

    id: str
    link: str
    session: str
    received_ms: int
    message_id: str
    state: str
    error: str | None
    done_ms: int | None  # when, by the SMSC's clock
    event: str  # what it means for the message (domain/messages.Event)
    payload: bytes
    tlvs: bytes
    mt: str | None
    source: str = ""
    destination: str = ""
    reference: int | None = None  # user_message_reference, where it is repeated


class Match(Struct, frozen=True, kw_only=True):
    """A receipt has found its message."""

    id: str
    mt: str


class Delivered(Struct, frozen=True, kw_only=True):
    """What a receipt says about a message."""

    mt: str
    status: str


class Named(Struct, frozen=True, kw_only=True):
    """A message that a receipt names."""

    mt: str
    charge: str | None  # the attempt that it is
    phone: str  # where it went


class Unclaimed(Struct, frozen=True, kw_only=True):
    """A receipt of which only the addresses tell what it may be about."""

    id: str
    message_id: str
    state: str
    error: str | None
    event: str
    reference: int | None


class Unmatched(Struct, frozen=True, kw_only=True):
    """A receipt that waits for the response that names its message."""

    id: str
    link: str
    message_id: str
    event: str
    received_ms: int
    state: str
    error: str | None
    source: str
    destination: str


async def lock(transaction: Transaction, link: str) -> None:
    """Let nobody else match receipts of this link until the transaction ends."""
    await transaction.fetch("receipts.lock", link=link)


async def insert(transaction: Transaction, rows: Sequence[ReceiptRow]) -> None:
    """Store receipts."""
    if rows:
        await transaction.executemany("receipts.insert", rows)


async def messages(reader: Reader, link: str, message_ids: Collection[str]) -> dict[str, Named]:
    """Return {the SMSC's id: message} of a link's messages; of several with one id, the latest."""
    rows = await reader.fetch("receipts.messages", link=link, message_ids=list(message_ids))
    return {
        message_id: Named(mt=mt, charge=charge, phone=phone)
        for mt, message_id, charge, phone in sorted(rows, key=_first)
    }


def _first(row: Row) -> str:
    return str(row[0])


async def of_addresses(reader: Reader, link: str, phone: str, address: str, since_ms: int) -> list[Unclaimed]:
    """Return a link's receipts between a phone and an address that nobody has claimed, oldest first."""
    rows = await reader.fetch("receipts.of_addresses", link=link, phone=phone, address=address, since_ms=since_ms)
    return made(Unclaimed, rows)


async def unmatched(reader: Reader, link: str, message_ids: Collection[str]) -> list[Unmatched]:
    """Return the receipts that wait for these ids, oldest first."""
    rows = await reader.fetch("receipts.unmatched", link=link, message_ids=list(message_ids))
    return made(Unmatched, rows)


async def match(transaction: Transaction, rows: Sequence[Match]) -> None:
    """Tie receipts to their messages."""
    if rows:
        await transaction.executemany("receipts.match", rows)


async def deliver(transaction: Transaction, rows: Sequence[Delivered]) -> None:
    """Move accepted messages to their final state."""
    if rows:
        await transaction.executemany("receipts.deliver", rows)


async def forget_unmatched(transaction: Transaction, before_ms: int, count: int) -> int:
    """Delete up to ``count`` receipts that came before a moment and wait still; return how many."""
    return await transaction.execute("receipts.forget_unmatched", before_ms=before_ms, count=count)


async def of_mts(reader: Reader, mts: Collection[str]) -> dict[str, list[tuple[int, str]]]:
    """Return {message: [(when it came, state)]}, in the order of their coming."""
    found: dict[str, list[tuple[int, str]]] = {}
    if mts:
        for mt, received_ms, state in await reader.fetch("receipts.of_mts", mts=list(mts)):
            found.setdefault(mt, []).append((received_ms, state))
    return found
