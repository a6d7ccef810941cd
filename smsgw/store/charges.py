"""Attempts to take money. Columns as in 0008; whoever changes them has locked their payments."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction
from smsgw.store.rows import made


class ChargeRow(Struct, frozen=True, kw_only=True):
    """One attempt to take money."""

    id: str
    payment: str
    number: int
    way: str
    link: str
    node: str
    msisdn: str
    short_code: str
    mt: str | None
    message_reference: int
    status: str
    reason: str | None
    operator_id: str | None
    created_ms: int
    intent_ms: int | None
    settled_ms: int | None
    tries: int


async def insert(transaction: Transaction, rows: Sequence[ChargeRow]) -> None:
    """Store new attempts; a payment with an open one has a StoreConflict."""
    if rows:
        await transaction.executemany("charges.insert", rows)


async def update(transaction: Transaction, rows: Sequence[ChargeRow]) -> None:
    """Store what has changed of attempts whose payments the transaction has locked."""
    if rows:
        await transaction.executemany("charges.update", rows)


async def of_payments(reader: Reader, payments: Collection[str]) -> list[ChargeRow]:
    """Return the attempts of payments, in their order."""
    return made(ChargeRow, await reader.fetch("charges.of_payments", payments=sorted(payments))) if payments else []


async def of_mts(reader: Reader, mts: Collection[str]) -> list[ChargeRow]:
    """Return the attempts that these messages are."""
    return made(ChargeRow, await reader.fetch("charges.of_mts", mts=sorted(mts))) if mts else []


async def lost(reader: Reader, link: str, msisdns: Collection[str]) -> list[ChargeRow]:
    """Return a link's attempts at these phones that something was sent of, and that have no name at the operator."""
    if not msisdns:
        return []
    return made(ChargeRow, await reader.fetch("charges.lost", link=link, msisdns=sorted(msisdns)))


async def awaited(reader: Reader, link: str, msisdns: Collection[str]) -> list[ChargeRow]:
    """Return a link's attempts at these phones that have a name at the operator, and whose receipt is still to come."""
    if not msisdns:
        return []
    return made(ChargeRow, await reader.fetch("charges.awaited", link=link, msisdns=sorted(msisdns)))


async def working(reader: Reader, node: str) -> list[ChargeRow]:
    """Return a node's attempts that are not sent, or may have been just now."""
    return made(ChargeRow, await reader.fetch("charges.working", node=node))


async def orphans(reader: Reader, node: str, count: int) -> list[ChargeRow]:
    """Return attempts of nodes that are gone; who is gone, the list of the living says."""
    return made(ChargeRow, await reader.fetch("charges.orphans", node=node, count=count))


async def adopt(transaction: Transaction, charge: ChargeRow, node: str) -> bool:
    """Take over an attempt of a node that is gone; False when that node lives, or another one was quicker."""
    return await transaction.execute("charges.adopt", id=charge.id, from_node=charge.node, node=node) == 1


async def asked(reader: Reader, node: str, after: str, count: int) -> list[ChargeRow]:
    """Return direct attempts with ids above one whose operator has not said what came of them.

    Those of ``node``, and of nodes that are gone.
    """
    return made(ChargeRow, await reader.fetch("charges.asked", node=node, after=after, count=count))
