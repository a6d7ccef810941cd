"""Outgoing messages, one row per submit_sm: queued with what causes them, settled by the SMSC's answer."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Row, Transaction
from smsgw.store.rows import made


class MtRow(Struct, frozen=True, kw_only=True):
    """A message on its way. Columns as in migrations."""

    id: str
    mo: str | None
    node: str
    link: str
    source: str
    source_ton: int
    source_npi: int
    destination: str
    dest_ton: int
    dest_npi: int
    esm_class: int
    data_coding: int
    sealed: bytes
    key_id: str
    registered: int
    part: int
    parts: int
    created_ms: int
    expires_ms: int
    not_before_ms: int
    tries: int
    reply: int | None = None  # its number among all SMS that its message causes, from 1; of several in one the last
    max_replies: int | None = None
    service_type: str = ""
    priority: int = 0
    protocol_id: int | None = None
    tlvs: bytes | None = None
    sms: int = 1
    payment: str | None = None  # that it asks about, charges, or tells of
    charge: str | None = None  # the attempt that it is: a billed message


class Settled(Struct, frozen=True, kw_only=True):
    """The end of an MT's sending."""

    id: str
    status: str
    command_status: int | None
    message_id: str | None  # as receipts of this link are compared
    answered_ms: int
    tries: int
    smsc_message_id: str | None = None  # as the SMSC wrote it, where that is something else
    billed: bool = False
    not_before_ms: int = 0  # of a billed one that goes back to the queue


class Retry(Struct, frozen=True, kw_only=True):
    """An MT that is to be tried again."""

    id: str
    not_before_ms: int
    tries: int
    command_status: int | None


class Waiting(Struct, frozen=True, kw_only=True):
    """A queued message, as far as it takes to see whether somebody will send it."""

    link: str
    id: str
    node: str
    expires_ms: int
    alive: bool  # its node is on the list


class Expired(Struct, frozen=True, kw_only=True):
    """A message whose validity is over."""

    id: str
    now_ms: int


class Claimed(Struct, frozen=True, kw_only=True):
    """A message that changes its node."""

    id: str
    node: str
    from_node: str


class Ended(Struct, frozen=True, kw_only=True):
    """A billed message whose attempt was settled by something else than its answer."""

    id: str
    status: str


class Fate(Struct, frozen=True, kw_only=True):
    """What became of a message."""

    id: str
    mo: str | None  # that it answers
    link: str
    source: str
    source_ton: int
    source_npi: int
    destination: str
    dest_ton: int
    dest_npi: int
    registered: int
    part: int
    parts: int
    created_ms: int
    expires_ms: int
    tries: int
    status: str
    command_status: int | None
    answered_ms: int | None


async def insert(transaction: Transaction, rows: Sequence[MtRow]) -> None:
    """Queue messages."""
    if rows:
        await transaction.executemany("mts.insert", rows)


async def queued(reader: Reader, link: str, node: str, after: str, count: int, *, prompts: bool = False) -> list[MtRow]:
    """Return up to ``count`` of a link's queued messages with ids above ``after``, oldest first.

    Args:
        reader: the store.
        link: whose.
        node: whose work they are.
        after: an id.
        count: at most.
        prompts: only those of a priority above 0.
    """
    query = "mts.queued_prompts" if prompts else "mts.queued"
    rows = await reader.fetch(query, link=link, node=node, after=after, count=count)
    return _rows(rows)


def _rows(rows: Sequence[Row]) -> list[MtRow]:
    return made(MtRow, rows)


async def walk(reader: Reader, link: str, after: str, count: int) -> list[Waiting]:
    """Return up to ``count`` queued messages in the order of link and id, from behind this one."""
    rows = await reader.fetch("mts.walk", link=link, after=after, count=count)
    return [
        Waiting(link=link, id=name, node=node, expires_ms=expires_ms, alive=bool(alive))
        for link, name, node, expires_ms, alive in rows
    ]


async def expire(transaction: Transaction, rows: Sequence[Expired]) -> None:
    """End messages that are queued still."""
    if rows:
        await transaction.executemany("mts.expire", rows)


async def claim_each(transaction: Transaction, rows: Sequence[Claimed]) -> None:
    """Take over queued messages whose node is not on the list of the living."""
    if rows:
        await transaction.executemany("mts.claim_each", rows)


async def settle(transaction: Transaction, rows: Sequence[Settled]) -> None:
    """Record answers; a message that is not queued any more stays as it is."""
    free = [row for row in rows if not row.billed]
    if free:
        await transaction.executemany("mts.settle", free)
    if len(free) < len(rows):
        await transaction.executemany("mts.settle_billed", [row for row in rows if row.billed])
        named = [row for row in rows if row.billed and row.message_id is not None]
        if named:
            await transaction.executemany("mts.name_billed", named)


async def retry(transaction: Transaction, rows: Sequence[Retry]) -> None:
    """Record when to try again."""
    if rows:
        await transaction.executemany("mts.retry", rows)


async def intend(transaction: Transaction, ids: Collection[str], node: str, expires_ms: int) -> set[str]:
    """Mark billed messages of a node that are about to be sent; return those that may be, and are nobody else's."""
    if not ids:
        return set()
    rows = await transaction.fetch("mts.intend", ids=sorted(ids), node=node, expires_ms=expires_ms)
    return {str(name) for (name,) in rows}


async def billed(reader: Reader, ids: Collection[str]) -> list[MtRow]:
    """Return queued billed messages."""
    return _rows(await reader.fetch("mts.billed", ids=sorted(ids))) if ids else []


async def end_billed(transaction: Transaction, rows: Sequence[Ended]) -> None:
    """Say of billed messages what was found out without an answer of their own."""
    if rows:
        await transaction.executemany("mts.end_billed", rows)


async def of_payment(reader: Reader, payment: str) -> list[Fate]:
    """Return what became of the messages about a payment, in the order of their making."""
    return _fates(await reader.fetch("mts.of_payment", payment=payment))


async def of_mo(reader: Reader, mo: str) -> list[Fate]:
    """Return what became of the answers to a message, in their order."""
    return _fates(await reader.fetch("mts.of_mo", mo=mo))


async def of_again(reader: Reader, code: str, count: int) -> list[Fate]:
    """Return what became of the answers to the last ``count`` messages that asked for a code again, in their order."""
    return _fates(await reader.fetch("mts.of_again", code=code, count=count))


async def by_ids(reader: Reader, ids: Collection[str]) -> list[Fate]:
    """Return what became of some messages, in the order of their making."""
    return _fates(await reader.fetch("mts.by_ids", ids=list(ids))) if ids else []


def _fates(rows: Sequence[Row]) -> list[Fate]:
    return made(Fate, rows)
