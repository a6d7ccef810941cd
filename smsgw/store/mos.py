"""Received messages: the rows as they came, their parts that wait, and the doubts about their acknowledgements."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction
from smsgw.store.rows import found, made


class MoRow(Struct, frozen=True, kw_only=True):
    """One deliver_sm or data_sm, and what was decided about it. Columns as in migrations/*/0001_house.sql."""

    id: str
    link: str
    session: str
    received_ms: int
    source: str
    destination: str
    esm_class: int
    data_coding: int
    payload: bytes
    tlvs: bytes
    fingerprint: str
    operator_id: str | None
    part_key: str | None
    part_number: int | None
    part_total: int | None
    status: str
    whole: str | None
    body: str | None
    service: str | None
    outcome: str | None
    types: str | None = None  # of a part: TON and NPI of source and destination, for the answer to what it is part of
    incomplete: int = 0  # 1: parts of it never came


class PartRow(Struct, frozen=True, kw_only=True):
    """A stored part, as far as it takes to answer what it is part of."""

    id: str
    link: str
    session: str
    received_ms: int
    source: str
    destination: str
    esm_class: int
    data_coding: int
    payload: bytes
    tlvs: bytes
    part_key: str
    part_number: int
    part_total: int
    types: str | None


class GivenUp(Struct, frozen=True, kw_only=True):
    """What was decided about a message of which there are only some parts, in the row of one of them."""

    id: str
    body: str | None
    service: str | None
    outcome: str | None


class WaitingPart(Struct, frozen=True, kw_only=True):
    """A part of a long message that waits for the rest."""

    id: str
    part_key: str
    part_number: int
    part_total: int
    esm_class: int
    payload: bytes


class Joined(Struct, frozen=True, kw_only=True):
    """A waiting part, and the message that completed the whole."""

    id: str
    whole: str


class Absorbed(Struct, frozen=True, kw_only=True):
    """A message whose one redelivery has come."""

    mo: str


class Unsure(Struct, frozen=True, kw_only=True):
    """What may be delivered again."""

    doubted: dict[str, list[str]]  # {fingerprint: ids, oldest first}
    elsewhere: set[str]  # fingerprints of what is unproven in open sessions of other nodes


async def insert(transaction: Transaction, rows: Sequence[MoRow]) -> None:
    """Store messages."""
    await transaction.executemany("mos.insert", rows)


async def join_parts(transaction: Transaction, rows: Sequence[Joined]) -> None:
    """Mark parts whose message is whole."""
    if rows:
        await transaction.executemany("mos.join_part", rows)


async def waiting_parts(reader: Reader, part_keys: Collection[str], since_ms: int) -> list[WaitingPart]:
    """Return the stored parts of these long messages, oldest first, that came after ``since_ms``."""
    if not part_keys:
        return []
    await reader.fetch("mos.lock_parts", part_keys=sorted(part_keys))
    rows = await reader.fetch("mos.waiting_parts", part_keys=list(part_keys), since_ms=since_ms)
    return made(WaitingPart, rows)


async def due_parts(reader: Reader, link: str, before_ms: int, count: int) -> list[str]:
    """Return the keys of long messages on a link of which a part came before a moment and waits still."""
    rows = await reader.fetch("mos.due_parts", link=link, before_ms=before_ms, count=count)
    return list(dict.fromkeys(key for (key,) in rows))


async def parts_of(transaction: Transaction, part_keys: Collection[str]) -> list[PartRow]:
    """Return all parts of these long messages that wait, oldest first; nobody else joins them meanwhile."""
    if not part_keys:
        return []
    await transaction.fetch("mos.lock_parts", part_keys=sorted(part_keys))
    rows = await transaction.fetch("mos.parts_of", part_keys=list(part_keys))
    return made(PartRow, rows)


async def give_up(transaction: Transaction, rows: Sequence[GivenUp]) -> None:
    """Record what was decided about incomplete messages."""
    if rows:
        await transaction.executemany("mos.give_up", rows)


async def by_operator_ids(reader: Reader, operator_ids: Collection[str]) -> dict[str, str]:
    """Return {operator's id: our id} of the messages that have come before."""
    if not operator_ids:
        return {}
    rows = await reader.fetch("mos.by_operator_ids", operator_ids=list(operator_ids))
    return {operator_id: mo for mo, operator_id in rows}


async def lock_fingerprints(transaction: Transaction, fingerprints: Collection[str]) -> None:
    """Let nobody else decide about messages of these fingerprints until the transaction ends; once a transaction."""
    if fingerprints:
        await transaction.fetch("mos.lock_fingerprints", fingerprints=list(fingerprints))


async def unsure(reader: Reader, fingerprints: Collection[str], node: str, now_ms: int) -> Unsure:
    """Return which messages of these fingerprints may be delivered again, as ``node`` sees it."""
    found = Unsure(doubted={}, elsewhere=set())
    if not fingerprints:
        return found
    rows = await reader.fetch("mos.unsure", fingerprints=list(fingerprints), node=node, now_ms=now_ms)
    for mo, fingerprint in rows:
        if mo is None:
            found.elsewhere.add(fingerprint)
        else:
            found.doubted.setdefault(fingerprint, []).append(mo)
    return found


async def doubt_session(transaction: Transaction, session: str, until_ms: int) -> int:
    """Doubt whatever the session had not proven when it ended; return how many messages."""
    return await transaction.execute("mos.doubt_session", session=session, until_ms=until_ms)


async def doubt_messages(transaction: Transaction, ids: Sequence[str], until_ms: int) -> None:
    """Doubt the acknowledgement of these messages, as far as they were stored."""
    await transaction.execute("mos.doubt_messages", ids=list(ids), until_ms=until_ms)


async def absorb(transaction: Transaction, rows: Sequence[Absorbed]) -> None:
    """End the doubts whose redelivery has come."""
    if rows:
        await transaction.executemany("mos.absorb", rows)


async def forget_doubts(transaction: Transaction, now_ms: int) -> int:
    """Delete the doubts that are too old; return how many."""
    return await transaction.execute("mos.forget_doubts", now_ms=now_ms)


class Origin(Struct, frozen=True, kw_only=True):
    """Where a message came from."""

    id: str
    link: str
    received_ms: int
    source: str
    destination: str


async def tlvs(reader: Reader, mo: str) -> bytes:
    """Return the TLVs that came with a message, tag, length and value; of a long one those of its last part."""
    row = await reader.fetch_one("mos.tlvs", id=mo)
    return b"" if row is None else bytes(row[0])


async def by_id(reader: Reader, mo: str) -> Origin | None:
    """Return where one message came from."""
    row = await reader.fetch_one("mos.by_id", id=mo)
    return found(Origin, row)
