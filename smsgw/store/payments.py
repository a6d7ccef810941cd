"""Payments, their facts, attempts, refunds; who wants no questions, and how many were asked. Columns as in 0008.

Whoever changes payments has locked them (`by_ids`, `by_phones`), phones first (`lock_phones`), payments by their ids,
so that nobody waits in a circle.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from smsgw.domain.payments import Status
from smsgw.store.database import Reader, Row, Transaction

S = TypeVar("S", bound=Struct)


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


class MethodRow(Struct, frozen=True, kw_only=True):
    """A remembered number."""

    id: str
    merchant: str
    test: int
    msisdn: str
    link: str
    created_ms: int
    verified_ms: int | None
    removed_ms: int | None


class _Phone(Struct, frozen=True, kw_only=True):
    msisdn: str
    merchant: str


def _made(kind: type[S], rows: Iterable[Row]) -> list[S]:
    fields = kind.__struct_fields__
    return [kind(**dict(zip(fields, row, strict=True))) for row in rows]


# Payments


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
    return _made(PaymentRow, await transaction.fetch("payments.by_ids", ids=sorted(ids))) if ids else []


async def by_phones(transaction: Transaction, address_keys: Collection[str], after: str) -> list[PaymentRow]:
    """Return the payments of phones at reply addresses with ids above one, oldest first; locked."""
    if not address_keys:
        return []
    return _made(
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
    return _made(PaymentRow, await transaction.fetch("payments.due", now_ms=now_ms, never_ms=never_ms, count=count))


async def paid(reader: Reader, msisdns: Collection[str], since_ms: int) -> list[Paid]:
    """Return what phones have confirmed since a moment and was not refused."""
    if not msisdns:
        return []
    return _made(Paid, await reader.fetch("payments.paid", msisdns=sorted(msisdns), since_ms=since_ms))


async def get(reader: Reader, payment: str) -> PaymentRow | None:
    """Return one payment, not locked."""
    rows = _made(PaymentRow, await reader.fetch("payments.get", id=payment))
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
    return _made(PaymentRow, rows)


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
    return _made(PaymentRow, await reader.fetch(name, **values))


async def unknown(reader: Reader, count: int) -> list[PaymentRow]:
    """Return the payments of which nobody knows whether they were charged, the oldest first."""
    return _made(PaymentRow, await reader.fetch("payments.unknown", count=count))


async def figures(reader: Reader, hour_ms: int, day_ms: int) -> list[Unknowns]:
    """Return at each operator the payments of which nobody knows: how many, since when, how many from before a time."""
    return _made(Unknowns, await reader.fetch("payments.figures", hour_ms=hour_ms, day_ms=day_ms))


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
    return _made(PaymentRow, await reader.fetch("payments.odd", count=count))


async def of_phone(reader: Reader, msisdn: str, count: int) -> list[PaymentRow]:
    """Return the latest payments that a phone has confirmed."""
    return _made(PaymentRow, await reader.fetch("payments.of_phone", msisdn=msisdn, count=count))


# Facts


async def record(transaction: Transaction, rows: Sequence[FactRow]) -> None:
    """Write down what happened."""
    if rows:
        await transaction.executemany("payments.record", rows)


async def facts(reader: Reader, payment: str) -> list[FactRow]:
    """Return everything that happened to a payment, in its order."""
    return _made(FactRow, await reader.fetch("payments.facts", payment=payment))


# Attempts


async def insert_charges(transaction: Transaction, rows: Sequence[ChargeRow]) -> None:
    """Store new attempts; a payment with an open one has a StoreConflict."""
    if rows:
        await transaction.executemany("charges.insert", rows)


async def update_charges(transaction: Transaction, rows: Sequence[ChargeRow]) -> None:
    """Store what has changed of attempts whose payments the transaction has locked."""
    if rows:
        await transaction.executemany("charges.update", rows)


async def charges_of(reader: Reader, payments: Collection[str]) -> list[ChargeRow]:
    """Return the attempts of payments, in their order."""
    return _made(ChargeRow, await reader.fetch("charges.of_payments", payments=sorted(payments))) if payments else []


async def charges_of_mts(reader: Reader, mts: Collection[str]) -> list[ChargeRow]:
    """Return the attempts that these messages are."""
    return _made(ChargeRow, await reader.fetch("charges.of_mts", mts=sorted(mts))) if mts else []


async def lost_charges(reader: Reader, link: str, msisdns: Collection[str]) -> list[ChargeRow]:
    """Return a link's attempts at these phones that something was sent of, and that have no name at the operator."""
    if not msisdns:
        return []
    return _made(ChargeRow, await reader.fetch("charges.lost", link=link, msisdns=sorted(msisdns)))


async def working(reader: Reader, node: str) -> list[ChargeRow]:
    """Return a node's attempts that are not sent, or may have been just now."""
    return _made(ChargeRow, await reader.fetch("charges.working", node=node))


async def orphans(reader: Reader, node: str, count: int) -> list[ChargeRow]:
    """Return attempts of nodes that are gone; who is gone, the list of the living says."""
    return _made(ChargeRow, await reader.fetch("charges.orphans", node=node, count=count))


async def asked(reader: Reader, node: str, after: str, count: int) -> list[ChargeRow]:
    """Return direct attempts with ids above one whose operator has not said what came of them.

    Those of ``node``, and of nodes that are gone.
    """
    return _made(ChargeRow, await reader.fetch("charges.asked", node=node, after=after, count=count))


# Refunds


async def insert_refunds(transaction: Transaction, rows: Sequence[RefundRow]) -> None:
    """Store refunds; their payments' sums change in the same transaction."""
    if rows:
        await transaction.executemany("refunds.insert", rows)


async def update_refunds(transaction: Transaction, rows: Sequence[RefundRow]) -> None:
    """Store what came of refunds that were on their way."""
    if rows:
        await transaction.executemany("refunds.update", rows)


async def refunds_of(reader: Reader, payment: str) -> list[RefundRow]:
    """Return a payment's refunds, the first first."""
    return _made(RefundRow, await reader.fetch("refunds.of_payment", payment=payment))


async def pending_refunds(reader: Reader, after: str, count: int) -> list[RefundRow]:
    """Return refunds with ids above one that the operator is to be told of, the oldest first."""
    return _made(RefundRow, await reader.fetch("refunds.pending", after=after, count=count))


# Phones


async def block(transaction: Transaction, rows: Sequence[BlockRow]) -> None:
    """Ask these phones no more."""
    if rows:
        await transaction.executemany("phones.block", rows)


async def unblock(transaction: Transaction, phones: Collection[tuple[str, str]]) -> None:
    """Ask these phones again: (number, merchant or '' for the block of all)."""
    if phones:
        rows = [_Phone(msisdn=msisdn, merchant=merchant) for msisdn, merchant in sorted(phones)]
        await transaction.executemany("phones.unblock", rows)


async def blocks_of(reader: Reader, msisdn: str) -> list[BlockRow]:
    """Return whose questions a phone does not want."""
    return _made(BlockRow, await reader.fetch("phones.blocks", msisdn=msisdn))


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


# Remembered numbers


async def insert_methods(transaction: Transaction, rows: Sequence[MethodRow]) -> None:
    """Remember numbers; one that is remembered already stays as it is."""
    if rows:
        await transaction.executemany("methods.insert", rows)


async def verify_methods(transaction: Transaction, rows: Sequence[MethodRow]) -> None:
    """Note that a phone has confirmed."""
    if rows:
        await transaction.executemany("methods.verify", rows)


async def remove_method(transaction: Transaction, method: str, now_ms: int) -> bool:
    """Forget a number; False when it was."""
    return bool(await transaction.execute("methods.remove", id=method, now_ms=now_ms))


async def method(reader: Reader, name: str) -> MethodRow | None:
    """Return a number that is remembered, or was."""
    rows = _made(MethodRow, await reader.fetch("methods.get", id=name))
    return rows[0] if rows else None


async def methods(reader: Reader, merchant: str, *, test: bool, before: str, count: int) -> list[MethodRow]:
    """Return a merchant's remembered numbers with ids below one, the latest first."""
    rows = await reader.fetch("methods.listed", merchant=merchant, test=int(test), before=before, count=count)
    return _made(MethodRow, rows)


async def method_of(reader: Reader, merchant: str, msisdn: str, *, test: bool) -> MethodRow | None:
    """Return the remembered row of a number."""
    rows = _made(MethodRow, await reader.fetch("methods.of_phone", merchant=merchant, test=int(test), msisdn=msisdn))
    return rows[0] if rows else None
