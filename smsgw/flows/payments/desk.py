"""All that can be done about payments, in one place: asked for, answered, charged, canceled, refunded, resolved.

Whoever brings news to payments in a transaction of his own hands the effects to `done` after the commit.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, structs

from smsgw.domain import money
from smsgw.domain.charging import Said, Stand, Told
from smsgw.domain.payments import Event, Fact, Status, may
from smsgw.errors import SmsgwError, StoreBroken, StoreConflict
from smsgw.flows import receipts
from smsgw.flows.amend import Refused
from smsgw.flows.audit import entry
from smsgw.flows.idempotency import Idempotency, answer_of, keep
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.payments.answering import Ear
from smsgw.flows.payments.asking import Asked, Asker, NewPayment
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.charging import Cashbox
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.hearing import Listener, Lost
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.batch import Batch
from smsgw.kit.logs import get_logger
from smsgw.store import audit, payments as store
from smsgw.store.database import Transaction
from smsgw.store.payments import ChargeRow, FactRow, PaymentRow, RefundRow

log = get_logger(__name__)

LAST: Final = f"pay_{'z' * 26}"  # above the highest id
_BATCH: Final = 200
_CAPACITY: Final = 2_000
_DUE_AT_ONCE: Final = 200
_ROUNDS: Final = 50  # of due payments in one sweep
_MOST_STUCK: Final = 1_000
_STUCK_MS: Final = 60_000  # until a payment that cannot be done is looked at again: others are due behind it
_MOST_SENT: Final = 100_000  # questions whose response is not known yet; they are few
_SLACK_MS: Final = 86_400_000  # by which a clock may be put back without a deadline being taken for a mistake
_TRIES: Final = 3  # when another node has been quicker


class Whose(Struct, frozen=True, kw_only=True):
    """Who may see and change a payment."""

    merchants: frozenset[str] | None  # None: all of them: carrier staff
    test: bool | None  # None: both kinds


STAFF: Final = Whose(merchants=None, test=None)


class Changed(Struct, frozen=True, kw_only=True):
    """A payment after a request to change it."""

    payment: PaymentRow  # as it was right after the request
    refund: RefundRow | None = None  # that the request made
    repeated: bool = False  # the same request had come before: nothing was done twice


_changed = msgspec.json.Decoder(Changed)


class Story(Struct, frozen=True, kw_only=True):
    """A payment with everything that is known about it."""

    payment: PaymentRow
    facts: list[FactRow]
    refunds: list[RefundRow]


class Payments:
    """The flows of payments.

    Args:
        ports: the world.
        catalog: merchants, links, limits.
        send: takes free messages after their commit; must not fail or wait.
        tell: hears which merchants have something to be told, after its commit; likewise.
    """

    def __init__(
        self,
        ports: Ports,
        catalog: Catalog,
        send: Callable[[Sequence[Outgoing]], None],
        tell: Callable[[Collection[str]], None] = lambda _: None,
    ) -> None:
        self.cashbox = Cashbox(ports, catalog)
        self._sent: dict[
            str, None
        ] = {}  # payments whose question has left us and is taken by no SMSC yet; oldest first
        self.ear = Ear(ports, catalog, self.cashbox, self._sent)
        self.listener = Listener(ports, catalog, self.cashbox)
        self.asker = Asker(ports, catalog)
        self._ports = ports
        self._catalog = catalog
        self._send = send
        self._tell = tell
        self._longest_ms = _longest_ms(catalog)
        self._stuck: dict[str, None] = {}  # payments that were told of; oldest first
        self._followers: list[Callable[[Effects], None]] = []
        self._batch: Batch[NewPayment, Asked] = Batch(self._ask, name="payments", limit=_BATCH, capacity=_CAPACITY)

    def follow(self, follower: Callable[[Effects], None]) -> None:
        """Have somebody told of all effects, after their commit: the cashier, open pages. Must not fail or wait."""
        self._followers.append(follower)

    def done(self, effects: Effects | None) -> None:
        """Do what a transaction that has committed leaves to be done."""
        if effects is None:
            return
        if effects.outgoing:
            self._send(effects.outgoing)
        for follower in self._followers:
            follower(effects)
        if effects.hooked:
            self._tell(effects.hooked)
        if effects.stories:
            asyncio.get_running_loop().call_soon(_log, effects.stories)

    def sent(self, payment: str) -> None:
        """Hear that the question of a payment is about to leave; until then no YES can be an answer to it."""
        self._sent[payment] = None
        if len(self._sent) > _MOST_SENT:
            del self._sent[next(iter(self._sent))]

    async def close(self) -> None:
        """Finish what waits."""
        await self._batch.close()

    # New ones

    async def ask(self, wanted: NewPayment, patience_s: float) -> Asked:
        """Make a payment: when this returns, it and its question are on disk.

        Args:
            wanted: what for, and by whom.
            patience_s: the longest wait.

        Raises:
            Refused: it may not be made; the reason is a word for programs.
            IdempotencyMismatch: its Idempotency-Key came with another request.
            StoreUnavailable, TimeoutError, asyncio.QueueFull: nobody knows; the same Idempotency-Key finds out.
        """
        async with asyncio.timeout(patience_s):
            for left in reversed(range(_TRIES)):
                try:
                    return await asyncio.shield(self._batch.submit(wanted))
                except StoreConflict:  # another node has asked the same phone, or used the same name
                    if not left:
                        raise Refused("confirmation_open", "another question goes to this phone; try again") from None
        raise AssertionError

    async def _ask(self, wanted: Sequence[NewPayment]) -> list[Asked | Exception]:
        now_ms = self._ports.clock.now_ms()

        async def body(transaction: Transaction) -> tuple[list[Asked | SmsgwError], Effects]:
            return await self.asker.take(transaction, wanted, now_ms)

        results, effects = await self._ports.database.transact(body)
        self.done(effects)
        return list(results)

    # What is there

    async def get(self, payment: str, whose: Whose = STAFF) -> PaymentRow | None:
        """Return a payment; None when there is none, or when it is somebody else's."""
        async with self._ports.database.read() as reader:
            row = await store.get(reader, payment)
        return row if row is not None and _is_theirs(row, whose) else None

    async def story(self, payment: str, whose: Whose = STAFF) -> Story | None:
        """Return everything that is known about a payment."""
        async with self._ports.database.read() as reader:
            row = await store.get(reader, payment)
            if row is None or not _is_theirs(row, whose):
                return None
            return Story(
                payment=row,
                facts=await store.facts(reader, payment),
                refunds=await store.refunds_of(reader, payment),
            )

    # Changes

    async def cancel(self, payment: str, whose: Whose, actor: str, once: Idempotency | None = None) -> Changed:
        """Cancel a payment that nobody has confirmed.

        Raises:
            Refused: there is none, or it is too late.
        """

        def change(book: Book, row: PaymentRow) -> PaymentRow:
            if row.status == Status.CANCELED:
                return row
            if not may(Status(row.status), Event.CANCEL):
                raise Refused("not_cancelable", f"the payment is {row.status}; only open ones can be canceled")
            return book.move(payment, Fact.CANCELED, {"actor": actor})

        return await self._change(payment, whose, change, once, action="payment.canceled", actor=actor)

    async def refund(
        self,
        payment: str,
        amount_minor: int | None,
        *,
        whose: Whose,
        reason: str,
        actor: str,
        once: Idempotency | None = None,
    ) -> Changed:
        """Give money back, never more than was charged; None: all that is left.

        Raises:
            Refused: there is no such payment, it took no money, or not so much.
        """

        def change(book: Book, row: PaymentRow) -> PaymentRow:
            if row.status != Status.SUCCEEDED and row.discrepancy is None:
                raise Refused("not_refundable", f"the payment is {row.status}; only money that was taken goes back")
            left_minor = row.amount_minor - row.refunded_minor
            wanted_minor = left_minor if amount_minor is None else amount_minor
            if not 0 < wanted_minor <= left_minor:
                left, whole = money.plain(left_minor, row.currency), money.plain(row.amount_minor, row.currency)
                raise Refused("too_much", f"{left} of {whole} are left")
            return self.cashbox.refund(book, payment, wanted_minor, reason, actor)

        return await self._change(payment, whose, change, once, action="payment.refunded", actor=actor)

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

        return (await self._change(payment, STAFF, change, None, action="payment.resolved", actor=actor)).payment

    def _found_out(self, book: Book, payment: str, *, charged: bool, told: Mapping[str, Any]) -> PaymentRow:
        said = Told(Said.CHARGED) if charged else Told(Said.FAILED, "operator_not_charged")
        row = self.cashbox.hear(book, payment, said, told)
        self.cashbox.settle_message(book, payment)
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
            known = [one for one in await store.facts(transaction, payment) if one.kind == Fact.RECORDED]
            if any(_line_key_of(one) == key for one in known):
                return row, None
            row = self._recorded(book, row, charged=charged, told=told, again=again)
            return row, await book.write(transaction)

        row, effects = await ports.database.transact(body)
        self.done(effects)
        return row

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
            return self.cashbox.discrepancy(book, row.id, {"by": "record", **told}, others=again)
        return row

    async def authorized(self, payment: str, answer: bool | None) -> None:  # noqa: FBT001 - what the merchant said
        """Go on with a payment about which its merchant was asked."""

        def change(book: Book, _: PaymentRow) -> PaymentRow:
            return self.cashbox.authorized(book, payment, answer=answer)

        await self._change(payment, STAFF, change, None, action="", actor="")

    async def said(self, payment: str, said: Told, told: Mapping[str, Any]) -> PaymentRow:
        """Take what an operator's HTTP API says of a payment's attempt."""

        def change(book: Book, _: PaymentRow) -> PaymentRow:
            return self.cashbox.hear(book, payment, said, told)

        return (await self._change(payment, STAFF, change, None, action="", actor="")).payment

    async def refund_ended(self, refund: RefundRow, *, done: bool, told: Mapping[str, Any]) -> bool:
        """Take what an operator's HTTP API says of a refund; False: it had ended before."""
        ports = self._ports

        async def body(transaction: Transaction) -> Effects | None:
            book = Book(ports, self._catalog, ports.clock.now_ms())
            await book.load(transaction, [refund.payment])
            standing = {one.id: one.status for one in await store.refunds_of(transaction, refund.payment)}
            if standing.get(refund.id) != "pending":  # the same answer has come twice, or to another node
                return None
            self.cashbox.refund_ended(book, refund, done=done, told=told)
            return await book.write(transaction)

        effects = await ports.database.transact(body)
        self.done(effects)
        return effects is not None

    async def listed(
        self, merchant: str, *, test: bool, before: str = LAST, status: str = "", count: int
    ) -> list[PaymentRow]:
        """Return a merchant's latest payments with ids below one; "" takes every status."""
        async with self._ports.database.read() as reader:
            return await store.listed(reader, merchant, test=test, before=before, status=status, count=count)

    async def by_reference(self, merchant: str, reference: str, *, test: bool) -> PaymentRow | None:
        """Return the payment that has a name of its merchant's own."""
        async with self._ports.database.read() as reader:
            found = await store.by_references(reader, merchant, [reference], test=test)
            return await store.get(reader, found[reference]) if reference in found else None

    async def _change(
        self,
        payment: str,
        whose: Whose,
        change: Callable[[Book, PaymentRow], PaymentRow],
        once: Idempotency | None,
        *,
        action: str,
        actor: str,
    ) -> Changed:
        """Change one payment in a transaction; by a person, in the audit log."""
        ports = self._ports

        async def body(transaction: Transaction) -> tuple[Changed, Effects | None]:
            book = Book(ports, self._catalog, ports.clock.now_ms())
            await book.load(transaction, [payment])
            row = book.find(payment)
            if row is None or not _is_theirs(row, whose):
                raise Refused("not_found", "there is no such payment")
            known = await answer_of(ports, transaction, once)
            if known is not None:
                return structs.replace(_changed.decode(known), repeated=True), None
            changed = Changed(payment=change(book, row), refund=book.new_refund)
            after = changed.payment
            await keep(ports, transaction, once, msgspec.json.encode(changed))
            if action and after != row:
                await audit.record(transaction, [entry(ports, actor, action, payment, {})])
            return changed, await book.write(transaction)

        for left in reversed(range(_TRIES)):
            try:
                changed, effects = await ports.database.transact(body)
            except StoreConflict:  # the same request on another node
                if not left:
                    raise
            else:
                self.done(effects)
                return changed
        raise AssertionError

    # The clock

    async def sweep(self) -> int:
        """Do what must happen by itself by now; return with how many payments."""
        done = 0
        for _ in range(_ROUNDS):
            try:
                count = await self._sweep_once(self._due)
            except StoreBroken:
                raise
            except Exception as error:
                if getattr(error, "retry", False):
                    raise
                await self._sweep_each(error)  # one of them cannot be done: the others can
                break
            done += count
            if count < _DUE_AT_ONCE:
                break
        return done

    async def _sweep_once(self, body: Callable[[Transaction], Coroutine[Any, Any, tuple[int, list[Effects]]]]) -> int:
        count, effects = await self._ports.database.transact(body)
        for one in effects:
            self.done(one)
            self._alarm(one.changed.values())
        return count

    async def _sweep_each(self, error: Exception) -> None:
        """Do what is due one by one, and tell once of each that cannot be done."""
        now_ms = self._ports.clock.now_ms()

        async def names(transaction: Transaction) -> list[str]:
            rows = await store.due(transaction, now_ms, now_ms + self._longest_ms, _DUE_AT_ONCE)
            return [row.id for row in rows]

        for name in await self._ports.database.transact(names):

            async def body(transaction: Transaction, name: str = name) -> tuple[int, list[Effects]]:
                rows = await store.by_ids(transaction, [name])  # somebody else may have moved it since
                return await self._do(transaction, [row for row in rows if self._is_due(row, now_ms)])

            try:
                await self._sweep_once(body)
            except StoreBroken:
                raise
            except Exception as own:
                if getattr(own, "retry", False):
                    raise
                if name not in self._stuck:
                    self._stuck[name] = None
                    log.error("payment.stuck", payment=name, error=type(error).__name__, exc_info=own)
                if len(self._stuck) > _MOST_STUCK:
                    del self._stuck[next(iter(self._stuck))]
                await self._ports.database.transact(lambda transaction, name=name: self._put_off(transaction, name))  # type: ignore[misc]  # mypy can't type a lambda's default

    async def _put_off(self, transaction: Transaction, payment: str) -> None:
        now_ms = self._ports.clock.now_ms()
        book = Book(self._ports, self._catalog, now_ms)
        await book.load(transaction, [payment])
        row = book.find(payment)
        if row is not None and self._is_due(row, now_ms):
            book.change(payment, due_ms=now_ms + _STUCK_MS)
            await book.write(transaction)

    def _is_due(self, row: PaymentRow, now_ms: int) -> bool:
        return row.due_ms is not None and not now_ms < row.due_ms <= now_ms + self._longest_ms

    async def _due(self, transaction: Transaction) -> tuple[int, list[Effects]]:
        now_ms = self._ports.clock.now_ms()
        return await self._do(
            transaction, await store.due(transaction, now_ms, now_ms + self._longest_ms, _DUE_AT_ONCE)
        )

    async def _do(self, transaction: Transaction, rows: Sequence[PaymentRow]) -> tuple[int, list[Effects]]:
        book = Book(self._ports, self._catalog, self._ports.clock.now_ms())
        book.know(rows)
        await book.load_charges(transaction, [row.id for row in rows])
        for row in rows:
            self.cashbox.due(book, row.id)
        lost = [charge for row in rows if (charge := book.charge(row.id)) and charge.status == Stand.UNKNOWN]
        first = await book.write(transaction)
        return len(rows), [first, *await self._claim(transaction, lost)]

    async def _claim(self, transaction: Transaction, lost: Sequence[ChargeRow]) -> list[Effects]:
        """Look for receipts that came before anybody knew that they would be needed."""
        return [one for charge in lost for one in await receipts.claim(transaction, charge, self.listener)]

    def _alarm(self, rows: Iterable[PaymentRow]) -> None:
        for row in rows:
            if row.status == Status.UNKNOWN and row.confirmed_ms is not None and not row.test:
                age_s = (self._ports.clock.now_ms() - row.confirmed_ms) // 1000
                log.error("charge.unknown", payment=row.id, merchant=row.merchant, link=row.link, age_s=age_s)

    async def recover(self) -> None:
        """At the start: what this node may have been sending when it died is unknown."""
        now_ms = self._ports.clock.now_ms()

        async def body(transaction: Transaction) -> tuple[Lost, list[Effects]]:
            lost = await self.listener.recover(transaction, now_ms)
            return lost, await self._claim(transaction, lost.charges)

        lost = await self._lose(body)
        if lost.count:
            log.error("charges.unknown_after_restart", charges=lost.count)

    async def inherit(self) -> int:
        """Take what nodes that are gone have left; return how many attempts."""
        if not self._ports.database.shared:
            return 0
        now_ms = self._ports.clock.now_ms()

        async def body(transaction: Transaction) -> tuple[Lost, list[Effects]]:
            lost = await self.listener.inherit(transaction, now_ms, _DUE_AT_ONCE)
            return lost, await self._claim(transaction, lost.charges)

        lost = await self._lose(body)
        if lost.count:
            log.warning("charges.taken_over", charges=lost.count)
        return lost.count

    async def _lose(self, body: Callable[[Transaction], Coroutine[Any, Any, tuple[Lost, list[Effects]]]]) -> Lost:
        lost, found = await self._ports.database.transact(body)
        for one in (lost.effects, *found):
            self.done(one)
        return lost


# What tells one line of an operator's records from another.
_LINE: Final = ("operator_id", "charge", "amount_minor", "currency", "reference", "at")


def _line_key(*, charged: bool, told: Mapping[str, Any]) -> tuple[Any, ...]:
    return (charged, *(told.get(name) for name in _LINE))


def _line_key_of(fact: FactRow) -> tuple[Any, ...]:
    told = msgspec.json.decode(fact.told)
    return _line_key(charged=told["charged"], told=told)


# What somebody has to look at.
_ALARMS: Final = frozenset({f"payment.{Fact.LOST.value}", f"payment.{Fact.DISCREPANCY.value}"})
_UNPAID: Final = frozenset({Status.FAILED, Status.DECLINED, Status.EXPIRED, Status.CANCELED})


def _is_theirs(row: PaymentRow, whose: Whose) -> bool:
    mine = whose.merchants is None or row.merchant in whose.merchants
    return mine and whose.test in {None, bool(row.test)}


def _log(stories: Sequence[tuple[str, dict[str, object]]]) -> None:
    for event, keys in stories:
        tell = log.error if event in _ALARMS and not keys.get("test") else log.info
        tell(event, **keys)


def _longest_ms(catalog: Catalog) -> int:
    """Return how far away a deadline can be that is set now; what is further away was set by a clock that was wrong."""
    limits = catalog.payments
    steps = (limits.prompt_s, limits.confirm_s + limits.grace_s, limits.charge_start_s, limits.unknown_alarm_s)
    charges = [
        one.validity_s + one.receipt_grace_s for link in catalog.links.values() for one in link.charging.values()
    ]
    return int(max(*steps, *charges, 0) * 1000) + _SLACK_MS
