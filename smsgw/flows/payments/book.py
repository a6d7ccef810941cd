"""One transaction's work on payments: what it has locked, what it decides, and everything that it must write.

Whoever works on payments, be it an answer from a phone, the operator, the merchant or the clock, does it through a
book: read, move, write. A move is a fact, a new status and the merchant's event at once, so that none goes without the
others.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import structs

from smsgw.domain.charging import OPEN as OPEN_CHARGES, Stand
from smsgw.domain.goods import Merchant, Terms
from smsgw.domain.payments import MOVES, EventType, Fact, Status, follow
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.payments import events, texts
from smsgw.flows.payments.effects import Effects, nothing
from smsgw.flows.ports import Catalog, Ports
from smsgw.store import charges, events as outbox, methods, mts, payments as store, phones, refunds
from smsgw.store.charges import ChargeRow
from smsgw.store.database import Transaction
from smsgw.store.methods import MethodRow
from smsgw.store.mts import Ended
from smsgw.store.payments import FactRow, PaymentRow
from smsgw.store.phones import BlockRow, TallyRow
from smsgw.store.refunds import RefundRow

HOUR_MS: Final = 3_600_000
_FINAL: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.DECLINED, Status.EXPIRED, Status.CANCELED})
_terms = msgspec.json.Decoder(Terms, strict=False)  # JSON has no numbers as keys
_encode = msgspec.json.encode


class Book:
    """The payments of one transaction.

    Args:
        ports: the world.
        catalog: what is sold.
        now_ms: one moment for all of it.
    """

    def __init__(self, ports: Ports, catalog: Catalog, now_ms: int) -> None:
        self.now_ms = now_ms
        self.effects: Effects = nothing()
        self._ports = ports
        self._catalog = catalog
        self._rows: dict[str, PaymentRow] = {}
        self._charges: dict[str, list[ChargeRow]] = {}  # by payment, in their order
        self._new: set[str] = set()
        self._changed: set[str] = set()
        self._new_charges: set[str] = set()
        self._changed_charges: set[str] = set()
        self._facts: list[FactRow] = []
        self._events: list[outbox.Event] = []
        self._messages: list[Outgoing] = []
        self._ended: list[Ended] = []
        self._refunds: list[RefundRow] = []
        self._settled_refunds: list[RefundRow] = []
        self._blocks: list[BlockRow] = []
        self._unblocks: list[tuple[str, str]] = []
        self._tallies: dict[str, TallyRow] = {}
        self._methods: list[MethodRow] = []

    # What is there

    def know(self, rows: Sequence[PaymentRow]) -> None:
        """Take payments that the transaction has locked."""
        for row in rows:
            self._rows.setdefault(row.id, row)

    async def load(self, transaction: Transaction, ids: Collection[str]) -> None:
        """Lock payments and read their attempts."""
        missing = {name for name in ids if name not in self._rows}
        self.know(await store.by_ids(transaction, missing))
        await self.load_charges(transaction, ids)

    async def load_charges(self, transaction: Transaction, ids: Collection[str]) -> None:
        """Read the attempts of payments that are locked."""
        missing = {name for name in ids if name in self._rows and name not in self._charges}
        for name in missing:
            self._charges[name] = []
        for charge in await charges.of_payments(transaction, missing):
            self._charges[charge.payment].append(charge)

    def row(self, payment: str) -> PaymentRow:
        """Return a payment as it stands now."""
        return self._rows[payment]

    def find(self, payment: str) -> PaymentRow | None:
        """Return a payment, if there is one."""
        return self._rows.get(payment)

    @property
    def rows(self) -> list[PaymentRow]:
        """All payments that are known, in the order of their ids."""
        return [self._rows[name] for name in sorted(self._rows)]

    def merchant(self, row: PaymentRow) -> Merchant | None:
        """Return whose payment it is; None when the merchant is in the settings no more."""
        return self._catalog.merchants.get(row.merchant)

    def terms(self, row: PaymentRow) -> Terms:
        """Return how a payment is charged."""
        return _terms.decode(row.charge)

    def charge(self, payment: str) -> ChargeRow | None:
        """Return the latest attempt of a payment."""
        attempts = self._charges.get(payment)
        return attempts[-1] if attempts else None

    def open_charge(self, payment: str) -> ChargeRow | None:
        """Return the attempt whose money may be on its way."""
        charge = self.charge(payment)
        return charge if charge is not None and Stand(charge.status) in OPEN_CHARGES else None

    # What is done

    def add(self, row: PaymentRow, told: Mapping[str, Any]) -> None:
        """Make a payment."""
        self._rows[row.id] = row
        self._charges[row.id] = []
        self._new.add(row.id)
        self.note(row.id, Fact.CREATED, told)

    def move(
        self,
        payment: str,
        fact: Fact,
        told: Mapping[str, Any],
        *,
        due_ms: int | None = None,
        reason: str | None = None,
    ) -> PaymentRow:
        """Move a payment by a fact, and tell its merchant.

        Args:
            payment: locked.
            fact: one that moves.
            told: what is written down of it.
            due_ms: when something must happen by itself then; None: never.
            reason: why it has failed.

        Raises:
            IllegalMove: the table knows no such move; nothing is changed.
        """
        before = self._rows[payment]
        status = follow(Status(before.status), MOVES[fact])
        changes: dict[str, Any] = {"status": status.value, "due_ms": due_ms, "reason": reason or before.reason}
        if fact is Fact.PROMPTED:
            changes["prompted_ms"] = self.now_ms
        elif fact is Fact.CONFIRMED:
            changes["confirmed_ms"] = self.now_ms
        if status in _FINAL:
            changes["settled_ms"] = self.now_ms
        self._put(structs.replace(before, **changes))
        self.note(payment, fact, {**told, "reason": reason} if reason else told)
        return self.tell(payment, events.TYPE_OF[status])

    def note(self, payment: str, fact: Fact, told: Mapping[str, Any]) -> None:
        """Write down what moves nothing by itself."""
        place = self._rows[payment].facts + 1
        self._put(structs.replace(self._rows[payment], facts=place))
        row = FactRow(
            id=self._ports.ids.new("fact"),
            payment=payment,
            place=place,
            at_ms=self.now_ms,
            kind=fact.value,
            told=_encode(told).decode(),
        )
        self._facts.append(row)
        self.effects.stories.append((f"payment.{fact.value}", _shown(self._rows[payment], told)))

    def tell(self, payment: str, kind: EventType, refund: RefundRow | None = None) -> PaymentRow:
        """Tell the merchant of a payment, with its next sequence number."""
        row = structs.replace(self._rows[payment], seq=self._rows[payment].seq + 1)
        self._put(row)
        merchant = self.merchant(row)
        event = events.event(self._ports, merchant, row, kind, at_ms=self.now_ms, refund=refund)
        self._events.append(event)
        if event.status == "pending":
            self.effects.hooked.add(row.merchant)
        return row

    def change(self, payment: str, **fields: Any) -> PaymentRow:
        """Change what is no status."""
        row = structs.replace(self._rows[payment], **fields)
        self._put(row)
        return row

    def add_charge(self, charge: ChargeRow) -> None:
        """Begin an attempt."""
        self._charges[charge.payment].append(charge)
        self._new_charges.add(charge.id)

    def change_charge(self, charge: ChargeRow, **fields: Any) -> ChargeRow:
        """Change an attempt, the latest of its payment."""
        changed = structs.replace(charge, **fields)
        assert self._charges[charge.payment][-1].id == charge.id
        self._charges[charge.payment][-1] = changed
        if charge.id not in self._new_charges:
            self._changed_charges.add(charge.id)
        return changed

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Queue free messages."""
        self._messages += messages
        self.effects.outgoing.extend(messages)

    def bill(self, message: Outgoing) -> None:
        """Queue a billed message; its attempt sends it."""
        self._messages.append(message)
        self.effects.billed.append(message)

    def end_message(self, mt: str, status: str) -> None:
        """Say of a billed message what was found out without an answer of its own."""
        self._ended.append(Ended(id=mt, status=status))

    def add_refund(self, refund: RefundRow) -> None:
        """Give money back."""
        self._refunds.append(refund)

    @property
    def new_refund(self) -> RefundRow | None:
        """Return the refund that was added last."""
        return self._refunds[-1] if self._refunds else None

    def settle_refund(self, refund: RefundRow) -> None:
        """Say what came of a refund."""
        self._settled_refunds.append(refund)

    def block(self, msisdn: str, merchant: str, actor: str) -> None:
        """Ask a phone no more."""
        self._blocks.append(BlockRow(msisdn=msisdn, merchant=merchant, since_ms=self.now_ms, actor=actor))

    def unblock(self, msisdn: str, merchant: str) -> None:
        """Ask a phone again."""
        self._unblocks.append((msisdn, merchant))

    def count(self, name: str, *, asked: int = 0, answered: int = 0) -> None:
        """Count a question or an answer."""
        known = self._tallies.get(name)
        self._tallies[name] = TallyRow(
            name=name,
            hour=self.now_ms // HOUR_MS,
            asked=asked + (known.asked if known else 0),
            answered=answered + (known.answered if known else 0),
        )

    def counted(self, name: str) -> int:
        """Return how many unanswered questions this transaction has counted."""
        known = self._tallies.get(name)
        return known.asked - known.answered if known else 0

    def verify_method(self, row: PaymentRow) -> None:
        """Note that the phone of a remembered number has confirmed."""
        self._methods.append(
            MethodRow(
                id="",
                merchant=row.merchant,
                test=row.test,
                msisdn=row.msisdn,
                link=row.link,
                created_ms=0,
                verified_ms=self.now_ms,
                removed_ms=None,
            )
        )

    def texts(self, row: PaymentRow) -> texts.Words | None:
        """Return what can be said about a payment; None when its merchant or operator is in the settings no more."""
        merchant = self.merchant(row)
        if merchant is None or row.link not in self._catalog.links:
            return None
        return texts.Words(self._ports, self._catalog, merchant, row, self.now_ms)

    def _put(self, row: PaymentRow) -> None:
        self._rows[row.id] = row
        if row.id not in self._new:
            self._changed.add(row.id)

    # What is written

    async def write(self, transaction: Transaction) -> Effects:
        """Write all of it; return what is to be done after the commit."""
        await store.insert(transaction, [self._rows[name] for name in sorted(self._new)])
        await store.update(transaction, [self._rows[name] for name in sorted(self._changed)])
        attempts = [one for some in self._charges.values() for one in some]
        # Those that have ended first: of a payment one at most is open.
        await charges.update(transaction, [one for one in attempts if one.id in self._changed_charges])
        await charges.insert(transaction, [one for one in attempts if one.id in self._new_charges])
        await store.record(transaction, self._facts)
        await mts.insert(transaction, [one.row for one in self._messages])
        await mts.end_billed(transaction, self._ended)
        await refunds.insert(transaction, self._refunds)
        await refunds.update(transaction, self._settled_refunds)
        await phones.block(transaction, self._blocks)
        await phones.unblock(transaction, self._unblocks)
        await methods.verify(transaction, self._methods)
        await phones.count(transaction, list(self._tallies.values()))
        await outbox.insert(transaction, self._events)
        for name in sorted(self._new | self._changed):
            self.effects.changed[name] = self._rows[name]
        return self.effects


_LOGGED: Final = ("mo", "mt", "charge", "command_status", "reason", "actor", "allowed")


def _shown(row: PaymentRow, told: Mapping[str, Any]) -> dict[str, object]:
    """Return what the log says of a fact: ids and words for programs, never numbers and texts."""
    keys = {key: told[key] for key in _LOGGED if told.get(key) is not None}
    if row.test:
        keys["test"] = True
    return {"payment": row.id, "merchant": row.merchant, "link": row.link, "status": row.status, **keys}
