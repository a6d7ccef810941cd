"""Payments and their facts. Columns as in 0008.

Whoever changes payments has locked them (`by_ids`, `by_phones`), phones first (`lock_phones`), payments by their ids,
so that nobody waits in a circle.
"""

from collections.abc import Collection, Sequence
from typing import Any

from msgspec import Struct

from smsgw.domain.payments import Status
from smsgw.store.database import Reader, Transaction
from smsgw.store.rows import made


class PaymentRow(Struct, frozen=True, kw_only=True):
    """One payment."""

    id: str
    merchant: str
    test: int
    product: str
    units: int
    tariff: str
    amount_minor: int
    currency: str
    link: str
    msisdn: str
    language: str
    way: str
    charge: str  # JSON of domain/goods.Terms
    reply_address: str
    address_key: str
    reference: str
    merchant_reference: str
    state: str
    channel: str
    method: str | None
    status: str
    reason: str | None
    seq: int
    facts: int
    created_ms: int
    confirm_by_ms: int
    prompted_ms: int | None
    confirmed_ms: int | None
    settled_ms: int | None
    due_ms: int | None
    refunded_minor: int
    discrepancy: str | None


class FactRow(Struct, frozen=True, kw_only=True):
    """Something that happened to a payment."""

    id: str
    payment: str
    place: int
    at_ms: int
    kind: str
    told: str  # JSON


class Paid(Struct, frozen=True, kw_only=True):
    """A payment, as far as the caps of its phone count it."""

    id: str
    msisdn: str
    merchant: str
    product: str
    currency: str
    amount_minor: int
    confirmed_ms: int
    test: int


class Unknowns(Struct, frozen=True, kw_only=True):
    """The payments at one operator of which nobody knows whether they were charged."""

    link: str
    count: int
    oldest_ms: int  # when the oldest was confirmed
    over_hour: int  # of those, confirmed more than an hour ago
    over_day: int


async def lock_phones(transaction: Transaction, msisdns: Collection[str]) -> None:
    """Be the only one who asks or hears these phones until the transaction ends."""
    if msisdns:
        await transaction.fetch("payments.lock_phones", msisdns=sorted(msisdns))


async def insert(transaction: Transaction, rows: Sequence[PaymentRow]) -> None:
    """Store new payments."""
    if rows:
        await transaction.executemany("payments.insert", rows)


async def update(transaction: Transaction, rows: Sequence[PaymentRow]) -> None:
    """Store what has changed of payments that the transaction has locked."""
    if rows:
        await transaction.executemany("payments.update", rows)


async def by_ids(transaction: Transaction, ids: Collection[str]) -> list[PaymentRow]:
    """Return payments, locked until the transaction ends."""
    return made(PaymentRow, await transaction.fetch("payments.by_ids", ids=sorted(ids))) if ids else []


async def by_phones(transaction: Transaction, address_keys: Collection[str], after: str) -> list[PaymentRow]:
    """Return the payments of phones at reply addresses with ids above one, oldest first; locked."""
    if not address_keys:
        return []
    return made(
        PaymentRow, await transaction.fetch("payments.by_phones", address_keys=sorted(address_keys), after=after)
    )


async def heard_about(reader: Reader, address_keys: Collection[str], after: str, stopped: Collection[str]) -> list[str]:
    """Return the payments that answers may be about, not locked: `by_ids` locks all of them in one order.

    Args:
        reader: the store.
        address_keys: of the answers.
        after: an id that they are above.
        stopped: phones of which whatever is open is meant.
    """
    rows = await reader.fetch(
        "payments.heard_about", address_keys=sorted(address_keys), after=after, stopped=sorted(stopped)
    )
    return [str(name) for (name,) in rows]


async def forget(transaction: Transaction, before: str, count: int) -> int:
    """Delete up to ``count`` payments with ids below one that have ended, with all that was known; return how many."""
    ids = [name for (name,) in await transaction.fetch("payments.ended", before=before, count=count)]
    if ids:
        await transaction.execute("payments.forget_facts", ids=ids)
        await transaction.execute("payments.forget_charges", ids=ids)
        await transaction.execute("payments.forget_refunds", ids=ids)
        await transaction.execute("payments.forget", ids=ids)
    return len(ids)


async def due(transaction: Transaction, now_ms: int, never_ms: int, count: int) -> list[PaymentRow]:
    """Return payments of which something must happen by itself, the longest due first; locked, others' left out.

    Args:
        transaction: that does it.
        now_ms: now.
        never_ms: later than any deadline that is set now: a clock that was wrong has set it.
        count: the most.
    """
    return made(PaymentRow, await transaction.fetch("payments.due", now_ms=now_ms, never_ms=never_ms, count=count))


async def paid(reader: Reader, msisdns: Collection[str], since_ms: int) -> list[Paid]:
    """Return what phones have confirmed since a moment and was not refused."""
    if not msisdns:
        return []
    return made(Paid, await reader.fetch("payments.paid", msisdns=sorted(msisdns), since_ms=since_ms))


async def get(reader: Reader, payment: str) -> PaymentRow | None:
    """Return one payment, not locked."""
    rows = made(PaymentRow, await reader.fetch("payments.get", id=payment))
    return rows[0] if rows else None


async def by_references(reader: Reader, merchant: str, references: Collection[str], *, test: bool) -> dict[str, str]:
    """Return {the merchant's reference: payment}."""
    if not references:
        return {}
    rows = await reader.fetch(
        "payments.by_references", merchant=merchant, references=sorted(references), test=int(test)
    )
    return {str(reference): str(payment) for reference, payment in rows}


async def listed(
    reader: Reader, merchant: str, *, test: bool, before: str, status: str, count: int
) -> list[PaymentRow]:
    """Return a merchant's latest payments with ids below one; "" takes every status."""
    rows = await reader.fetch(
        "payments.listed", merchant=merchant, test=int(test), before=before, status=status, count=count
    )
    return made(PaymentRow, rows)


class Search(Struct, frozen=True, kw_only=True):
    """Which payments somebody looks for; what is empty is not asked for."""

    merchant: str = ""
    status: str = ""
    msisdn: str = ""
    odd: bool = False  # only those with a discrepancy
    first: str = ""  # the least id


async def search(reader: Reader, wanted: Search, count: int) -> list[PaymentRow]:
    """Return the latest payments that have all that is asked for; the fewest that an index has are looked at."""
    values: dict[str, Any] = {"first": wanted.first, "merchant": wanted.merchant, "count": count}
    if wanted.msisdn:
        name = "payments.searched_phone"
        values |= {"msisdn": wanted.msisdn, "status": wanted.status, "odd": int(wanted.odd)}
    elif wanted.odd:
        name = "payments.searched_odd"
        values["status"] = wanted.status
    elif wanted.status == Status.UNKNOWN:
        name = "payments.searched_unknown"
    else:
        name = "payments.searched"
        values["status"] = wanted.status
    return made(PaymentRow, await reader.fetch(name, **values))


async def unknown(reader: Reader, count: int) -> list[PaymentRow]:
    """Return the payments of which nobody knows whether they were charged, the oldest first."""
    return made(PaymentRow, await reader.fetch("payments.unknown", count=count))


async def figures(reader: Reader, hour_ms: int, day_ms: int) -> list[Unknowns]:
    """Return at each operator the payments of which nobody knows: how many, since when, how many from before a time."""
    return made(Unknowns, await reader.fetch("payments.figures", hour_ms=hour_ms, day_ms=day_ms))


async def count_odd(reader: Reader) -> int:
    """Return how many payments have a discrepancy."""
    row = await reader.fetch_one("payments.count_odd")
    return int(row[0]) if row else 0


async def refunds_pending(reader: Reader) -> tuple[int, int | None]:
    """Return how many refunds the operator has not answered for, and when the oldest was asked for."""
    row = await reader.fetch_one("refunds.waiting")
    return (0, None) if row is None else (int(row[0]), row[1])


async def odd(reader: Reader, count: int) -> list[PaymentRow]:
    """Return the payments with a discrepancy that nobody has resolved, the oldest first."""
    return made(PaymentRow, await reader.fetch("payments.odd", count=count))


async def of_phone(reader: Reader, msisdn: str, count: int) -> list[PaymentRow]:
    """Return the latest payments that a phone has confirmed."""
    return made(PaymentRow, await reader.fetch("payments.of_phone", msisdn=msisdn, count=count))


async def record(transaction: Transaction, rows: Sequence[FactRow]) -> None:
    """Write down what happened."""
    if rows:
        await transaction.executemany("payments.record", rows)


async def facts(reader: Reader, payment: str) -> list[FactRow]:
    """Return everything that happened to a payment, in its order."""
    return made(FactRow, await reader.fetch("payments.facts", payment=payment))
