"""What was not known is found out: by a person, or from the operator's own records."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from smsgw.domain.charging import Said, Stand, Told
from smsgw.domain.payments import Fact, Status
from smsgw.flows.amend import Refused
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.whose import STAFF
from smsgw.flows.ports import Catalog, Ports
from smsgw.store import records
from smsgw.store.database import Transaction
from smsgw.store.payments import PaymentRow

_UNPAID: Final = frozenset({Status.FAILED, Status.DECLINED, Status.EXPIRED, Status.CANCELED})


class Resolver:
    """Takes what has been found out.

    Args:
        ports: the world.
        catalog: merchants, links, limits.
        payments: what follows is theirs to do.
    """

    def __init__(self, ports: Ports, catalog: Catalog, payments: Payments) -> None:
        self._ports = ports
        self._catalog = catalog
        self._payments = payments
        self._cashbox = payments.cashbox

    async def resolve(
        self, payment: str, verdict: Literal["charged", "failed", "settled"], *, actor: str, note: str
    ) -> PaymentRow:
        """Say what a person has found out: whether an unknown charge was made, or that a discrepancy is settled.

        Raises:
            Refused: there is nothing to be resolved.
        """

        def change(book: Book, row: PaymentRow) -> PaymentRow:
            told = {"by": "person", "actor": actor, "note": note}
            if verdict == "settled":
                if row.discrepancy is None:
                    raise Refused("nothing_to_resolve", "the payment has no discrepancy")
                book.note(payment, Fact.RESOLVED, told)
                return book.change(payment, discrepancy=None)
            if row.status != Status.UNKNOWN:
                raise Refused("nothing_to_resolve", f"the payment is {row.status}, not charge_unknown")
            return self._found_out(book, payment, charged=verdict == "charged", told=told)

        changes = self._payments.changes
        return (await changes.make(payment, STAFF, change, action="payment.resolved", actor=actor)).payment

    def _found_out(self, book: Book, payment: str, *, charged: bool, told: Mapping[str, Any]) -> PaymentRow:
        said = Told(Said.CHARGED) if charged else Told(Said.FAILED, "operator_not_charged")
        row = self._cashbox.hear(book, payment, said, told)
        self._cashbox.settle_message(book, payment)
        return row

    async def record(self, payment: str, *, charged: bool, told: Mapping[str, Any], again: bool = False) -> PaymentRow:
        """Take a line of the operator's own records; it resolves what is unknown, and shows what does not agree.

        Args:
            payment: whose.
            charged: whether money was taken.
            told: the line; one that has been taken before changes nothing.
            again: it is other money than that of the payment's own attempt.

        Raises:
            Refused: there is no such payment.
        """
        ports = self._ports
        key = _line_key(charged=charged, told=told)

        async def body(transaction: Transaction) -> tuple[PaymentRow, Effects | None]:
            book = Book(ports, self._catalog, ports.clock.now_ms())
            await book.load(transaction, [payment])
            row = book.find(payment)
            if row is None:
                raise Refused("not_found", "there is no such payment")
            if any(_line_key_of(one) == key for _, one in await records.taken(transaction, [payment])):
                return row, None
            row = self._recorded(book, row, charged=charged, told=told, again=again)
            return row, await book.write(transaction)

        row, effects = await ports.database.transact(body)
        self._payments.done(effects)
        return row

    async def agree(self, lines: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Keep lines of the operator's own records that say what is known: charged. Each is kept once.

        Args:
            lines: payment and line, of payments that were charged.
        """
        ports = self._ports

        async def body(transaction: Transaction) -> Effects:
            book = Book(ports, self._catalog, ports.clock.now_ms())
            names = {payment for payment, _ in lines}
            await book.load(transaction, names)
            known = {(payment, _line_key_of(told)) for payment, told in await records.taken(transaction, sorted(names))}
            for payment, told in lines:
                key = (payment, _line_key(charged=True, told=told))
                if book.find(payment) is not None and key not in known:
                    known.add(key)
                    book.note(payment, Fact.RECORDED, {"charged": True, **told})
            return await book.write(transaction)

        self._payments.done(await ports.database.transact(body))

    def _recorded(
        self, book: Book, row: PaymentRow, *, charged: bool, told: Mapping[str, Any], again: bool
    ) -> PaymentRow:
        book.note(row.id, Fact.RECORDED, {"charged": charged, **told})
        charge = book.open_charge(row.id)
        known = charge is not None and (charged or charge.status != Stand.QUEUED)
        mine = charge is not None and known and charge.id == told.get("charge", charge.id)
        if charge is not None and mine:
            name = charge.operator_id or told.get("operator_id")  # its name in the records may be another one
            row = self._found_out(book, row.id, charged=charged, told={**told, "by": "record", "operator_id": name})
            if not again:
                return row
        latest = book.charge(row.id)
        if charged and not again and latest is not None and latest.id == told.get("charge", latest.id):
            # The attempt remembers that it was charged, so that a receipt of the same money shows nothing new.
            return self._found_out(book, row.id, charged=True, told={**told, "by": "record"})
        if charged and (again or row.status in _UNPAID) and row.discrepancy is None:
            return self._cashbox.discrepancy(book, row.id, {"by": "record", **told}, others=again)
        return row


# What tells one line of an operator's records from another.
_LINE: Final = ("operator_id", "charge", "amount_minor", "currency", "reference", "at")


def _line_key(*, charged: bool, told: Mapping[str, Any]) -> tuple[Any, ...]:
    return (charged, *(told.get(name) for name in _LINE))


def _line_key_of(told: str) -> tuple[Any, ...]:
    line = msgspec.json.decode(told)
    return _line_key(charged=line["charged"], told=line)
