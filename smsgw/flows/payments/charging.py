"""From a YES to the money: caps, the merchant's word, the attempt, and whatever the operator says of it.

Everything works on a book: it is decided and written in the transaction that brings the news.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import structs

from smsgw.domain import caps
from smsgw.domain.caps import Spent
from smsgw.domain.charging import NEXT, Said, Stand, Told
from smsgw.domain.payments import Fact, Status
from smsgw.domain.wording import Say
from smsgw.flows.payments.book import Book
from smsgw.flows.ports import Catalog, Ports
from smsgw.settings.merchant import Cap
from smsgw.store.charges import ChargeRow
from smsgw.store.payments import Paid, PaymentRow
from smsgw.store.refunds import RefundRow

AUTHORIZE_MS: Final = 2_000  # how long a merchant may think
_AUTHORIZE_LATE_MS: Final = 3_000  # beyond that: the one who asked has died
START_MS: Final = 30_000  # from the intent to the first octet; then it is not sent any more
_ANSWER_LATE_MS: Final = 60_000  # beyond the response timer: then no answer can come
UNSENT: Final = "unsent"  # a reason: nobody has refused it, it goes out later
_PUT_OFF_MS: Final = 5_000  # pause after a definite refusal that may be tried again; grows with each

# How an attempt that failed leaves its message, where nothing else has said it.
_MESSAGE_OF: Final[Mapping[Stand, str]] = {Stand.FAILED: "failed", Stand.CHARGED: "delivered"}


class Cashbox:
    """What payments need to become money.

    Args:
        ports: the world.
        catalog: merchants, links, limits.
    """

    def __init__(self, ports: Ports, catalog: Catalog) -> None:
        self._ports = ports
        self._catalog = catalog
        self._zone = ZoneInfo(catalog.payments.time_zone)

    def month_began_ms(self, now_ms: int) -> int:
        """Return since when payments count against the caps."""
        return caps.month_began_ms(now_ms, self._zone)

    # The YES

    def confirm(self, book: Book, payment: str, paid: Sequence[Paid], told: Mapping[str, Any]) -> PaymentRow:
        """Take a YES: reserve what the caps allow, and begin to charge.

        Args:
            book: has the payment locked, and its phone.
            payment: open.
            paid: what its phone has confirmed this month; payments of this transaction are in the book.
            told: the evidence.
        """
        row = book.row(payment)
        if row.status == Status.CREATED:
            book.move(payment, Fact.PROMPTED, {"by": "answer"})
        merchant = book.merchant(row)
        authorize = merchant is not None and bool(merchant.settings.authorize_url)
        due_ms = book.now_ms + AUTHORIZE_MS + _AUTHORIZE_LATE_MS if authorize else None
        row = book.move(payment, Fact.CONFIRMED, told, due_ms=due_ms)
        if row.method:
            book.verify_method(row)
        cap = self._exceeded(book, row, paid)
        if cap is not None:
            return self._fail(book, payment, "cap_exceeded", {"over": cap.over, "per": cap.per})
        if authorize:
            book.effects.authorize.append(payment)
            return row
        return self.begin(book, payment)

    def _exceeded(self, book: Book, row: PaymentRow, paid: Sequence[Paid]) -> Cap | None:
        merchant = book.merchant(row)
        own = merchant.settings.caps if merchant else []
        limits = [*own, *self._catalog.payments.caps]
        if not limits:
            return None
        counted = {one.id: _spent(one) for one in paid if one.id != row.id and one.test == row.test}
        for other in book.rows:  # those of this transaction are not in the store yet
            if (
                other.msisdn == row.msisdn
                and other.test == row.test
                and other.id != row.id
                and other.confirmed_ms is not None
            ):
                if other.status in {Status.CHARGING, Status.UNKNOWN, Status.SUCCEEDED}:
                    counted[other.id] = _spent(other)
                else:
                    counted.pop(other.id, None)
        return caps.exceeded(_spent(row), list(counted.values()), limits, self._zone)

    def authorized(self, book: Book, payment: str, *, answer: bool | None) -> PaymentRow:
        """Go on with a payment about which the merchant was asked; None: there was no answer."""
        row = book.row(payment)
        if row.status != Status.CHARGING or book.charge(payment) is not None:
            return row
        merchant = book.merchant(row)
        default = merchant is not None and merchant.settings.authorize_default == "allow"
        allowed = default if answer is None else answer
        book.note(payment, Fact.AUTHORIZED, {"answer": answer, "allowed": allowed})
        return self.begin(book, payment) if allowed else self._fail(book, payment, "not_authorized", {})

    def begin(self, book: Book, payment: str) -> PaymentRow:
        """Begin an attempt to take the money of a confirmed payment."""
        row = book.row(payment)
        terms = book.terms(row)
        before = book.charge(payment)
        charge = ChargeRow(
            id=self._ports.ids.new("chg"),
            payment=payment,
            number=before.number + 1 if before else 1,
            way=terms.way,
            link=row.link,
            node=self._ports.node,
            msisdn=row.msisdn,
            short_code=terms.short_code,
            mt=None,
            message_reference=int.from_bytes(self._ports.random_bytes(2)),
            status=Stand.QUEUED.value,
            reason=None,
            operator_id=None,
            created_ms=book.now_ms,
            intent_ms=None,
            settled_ms=None,
            tries=0,
        )
        if terms.way == "mo":  # the answer itself was billed
            return self._begin_billed_answer(book, charge)
        words = book.texts(row)
        if words is None:
            return self._fail(book, payment, "operator_unavailable", {})
        if terms.way == "mt":
            message = words.bill(charge, terms)
            book.add_charge(structs.replace(charge, mt=message.row.id))
            book.bill(message)
        else:
            book.add_charge(charge)
            book.effects.direct.append(payment)
        return book.change(payment, due_ms=book.now_ms + int(self._catalog.payments.charge_start_s * 1000))

    def _begin_billed_answer(self, book: Book, charge: ChargeRow) -> PaymentRow:
        done = structs.replace(charge, status=Stand.CHARGED.value, intent_ms=book.now_ms, settled_ms=book.now_ms)
        book.add_charge(done)
        row = book.move(charge.payment, Fact.CHARGED, {"charge": charge.id, "by": "answer"})
        return self._thank(book, row)

    # What the operator says

    def is_stale(self, book: Book, charge: ChargeRow) -> bool:
        """Whether a queued attempt has waited for too long, while nobody was there to say so; the clock ends it."""
        due_ms = book.row(charge.payment).due_ms
        return due_ms is not None and due_ms <= book.now_ms

    def intend(self, book: Book, charge: ChargeRow, wait_ms: int) -> ChargeRow:
        """Write down that an attempt is about to be sent.

        Args:
            book: has its payment locked.
            charge: queued.
            wait_ms: how long its answer may take.
        """
        book.note(charge.payment, Fact.INTENDED, {"charge": charge.id, "mt": charge.mt, "try": charge.tries + 1})
        book.change(charge.payment, due_ms=book.now_ms + START_MS + wait_ms + _ANSWER_LATE_MS)
        return book.change_charge(charge, status=Stand.INTENT.value, intent_ms=book.now_ms)

    def hear(self, book: Book, payment: str, said: Told, told: Mapping[str, Any]) -> PaymentRow:
        """Take what the operator says of a payment's latest attempt.

        Args:
            book: has the payment locked, with its attempts.
            payment: whose.
            said: what.
            told: the evidence: ids, statuses; ``operator_id`` is kept with the attempt.
        """
        charge = book.charge(payment)
        if charge is None:
            book.note(payment, Fact.REPORTED, {"said": said.said.value, **told})
            return book.row(payment)
        following = NEXT[Stand(charge.status)].get(said.said)
        told = {"charge": charge.id, **told}
        if following is None:
            return self._late(book, charge, said, told)
        return self._follow(book, charge, following, said, told)

    def hear_try(
        self, book: Book, payment: str, said: Told, told: Mapping[str, Any], intent_ms: int | None
    ) -> PaymentRow:
        """Take what the operator says of one try of a payment's latest attempt.

        A result is recorded again when nobody knows whether it was. That one try was put off must not take back the
        next one, which may be on its way by then, on another node too.

        Args:
            book: as in ``hear``.
            payment: likewise.
            said: likewise.
            told: likewise.
            intent_ms: when the intent of that try was written.
        """
        charge = book.charge(payment)
        if said.said is Said.PUT_OFF and charge is not None:
            latest = (charge.node, charge.intent_ms) == (self._ports.node, intent_ms)
            if not latest:
                return self._late(book, charge, said, {"charge": charge.id, **told})
        return self.hear(book, payment, said, told)

    def _follow(
        self, book: Book, charge: ChargeRow, following: Stand, said: Told, told: Mapping[str, Any]
    ) -> PaymentRow:
        payment, stand = charge.payment, Stand(charge.status)
        operator_id = told.get("operator_id") or charge.operator_id
        if following is Stand.CHARGED:
            book.change_charge(charge, status=following.value, operator_id=operator_id, settled_ms=book.now_ms)
            return self._thank(book, book.move(payment, Fact.CHARGED, told))
        if following is Stand.FAILED:
            return self._refused(book, charge, said.reason or "operator_refused", told)
        if following is Stand.QUEUED:
            return self._put_off(book, charge, said, told)
        book.change_charge(charge, status=following.value, operator_id=operator_id)
        return self._go_on_waiting(book, payment, stand, following, told)

    def _go_on_waiting(
        self, book: Book, payment: str, before: Stand, stand: Stand, told: Mapping[str, Any]
    ) -> PaymentRow:
        if stand is Stand.UNKNOWN and before is not Stand.UNKNOWN:
            alarm_ms = int(self._catalog.payments.unknown_alarm_s * 1000)
            return book.move(payment, Fact.LOST, told, due_ms=book.now_ms + alarm_ms)
        book.note(payment, Fact.ACCEPTED, told)  # when it was unknown, its receipt can be matched now
        if stand is Stand.UNKNOWN:
            return book.row(payment)
        terms = book.terms(book.row(payment))
        return book.change(payment, due_ms=book.now_ms + terms.validity_ms + terms.receipt_grace_ms)

    def _put_off(self, book: Book, charge: ChargeRow, said: Told, told: Mapping[str, Any]) -> PaymentRow:
        payment, tries = charge.payment, charge.tries + (said.reason != UNSENT)
        terms = book.terms(book.row(payment))
        pause_ms = _PUT_OFF_MS << min(tries - 1, 6) if said.after_ms is None else said.after_ms
        # Nobody who has said YES expects to be charged tomorrow, though the operator may ask for such a pause.
        if tries >= terms.max_tries or pause_ms > int(self._catalog.payments.charge_start_s * 1000):
            return self._refused(book, structs.replace(charge, tries=tries), said.reason or "operator_busy", told)
        book.change_charge(charge, status=Stand.QUEUED.value, tries=tries)
        book.note(payment, Fact.PUT_OFF, {**told, "tries": tries})
        book.effects.again.append((charge.link, charge.id, book.now_ms + pause_ms))
        return book.change(payment, due_ms=book.now_ms + pause_ms + int(self._catalog.payments.charge_start_s * 1000))

    def _refused(self, book: Book, charge: ChargeRow, reason: str, told: Mapping[str, Any]) -> PaymentRow:
        book.change_charge(
            book.charge(charge.payment) or charge,
            status=Stand.FAILED.value,
            reason=reason,
            settled_ms=book.now_ms,
            tries=charge.tries,
        )
        return self._fail(book, charge.payment, reason, told)

    def _late(self, book: Book, charge: ChargeRow, said: Told, told: Mapping[str, Any]) -> PaymentRow:
        """Take what is said of an attempt that has ended: proof of money that the status does not show is not lost."""
        payment = charge.payment
        if said.said is Said.CHARGED and Stand(charge.status) is Stand.FAILED:
            # From now on the attempt is known to have been charged: the same proof again shows nothing new.
            book.change_charge(charge, status=Stand.CHARGED.value)
            return self.discrepancy(book, payment, told)
        book.note(payment, Fact.REPORTED, {"said": said.said.value, **told})
        return book.row(payment)

    def discrepancy(self, book: Book, payment: str, told: Mapping[str, Any], *, others: bool = False) -> PaymentRow:
        """Note that the operator has taken money that the payment does not show; the merchant's policy decides.

        Args:
            book: has the payment locked.
            payment: whose.
            told: the evidence.
            others: it is more or other money than the payment's own; nothing goes back by itself then, for a refund
                would be the payment's.
        """
        row = book.row(payment)
        merchant = book.merchant(row)
        policy = merchant.settings.late_proof if merchant else "refund"
        book.note(payment, Fact.DISCREPANCY, {"policy": policy, **told})
        book.change(payment, discrepancy=policy)
        row = book.tell(payment, "payment.discrepancy")
        if policy == "refund" and not others and book.terms(row).refunds and row.refunded_minor == 0:
            return self.refund(book, payment, row.amount_minor, "late_charge", "smsgw")
        return row

    # The ends

    def end_unsent(self, book: Book, payment: str, reason: str) -> PaymentRow:
        """End a payment whose attempt was certainly never sent, or which has none."""
        charge = book.open_charge(payment)
        if charge is not None:
            if charge.mt is not None:
                book.end_message(charge.mt, "expired")
            return self._refused(book, charge, reason, {"charge": charge.id})
        return self._fail(book, payment, reason, {})

    def settle_message(self, book: Book, payment: str) -> None:
        """Have the billed message stand as its attempt does, when something else than its answer said so."""
        charge = book.charge(payment)
        if charge is not None and charge.mt is not None and Stand(charge.status) in _MESSAGE_OF:
            book.end_message(charge.mt, _MESSAGE_OF[Stand(charge.status)])

    def _fail(self, book: Book, payment: str, reason: str, told: Mapping[str, Any]) -> PaymentRow:
        row = book.move(payment, Fact.FAILED, told, reason=reason)
        if row.confirmed_ms is not None and row.way == "mo":  # the YES itself has cost money
            return self.discrepancy(book, payment, {"by": "answer"})
        if row.confirmed_ms is not None:
            words = book.texts(row)
            if words is not None:
                book.send(words.notice(Say.REFUSED))
        return row

    def _thank(self, book: Book, row: PaymentRow) -> PaymentRow:
        merchant = book.merchant(row)
        if merchant is not None and merchant.settings.receipt:
            words = book.texts(row)
            if words is not None:
                book.send(words.notice(Say.RECEIPT))
        return row

    # Money back

    def refund(self, book: Book, payment: str, amount_minor: int, reason: str, actor: str) -> PaymentRow:
        """Give money back, by the operator's way where it has one; the caller has seen that there is so much.

        Args:
            book: has the payment locked.
            payment: whose.
            amount_minor: no more than was charged and not given back.
            reason: the merchant's own words.
            actor: who wants it.
        """
        row = book.row(payment)
        pending = book.terms(row).refunds
        refund = RefundRow(
            id=self._ports.ids.new("rfd"),
            payment=payment,
            amount_minor=amount_minor,
            status="pending" if pending else "manual",
            reason=reason,
            actor=actor,
            created_ms=book.now_ms,
            settled_ms=None if pending else book.now_ms,
        )
        book.add_refund(refund)
        book.change(payment, refunded_minor=row.refunded_minor + amount_minor)
        told = {"refund": refund.id, "amount_minor": amount_minor, "actor": actor, "way": refund.status}
        book.note(payment, Fact.REFUND_ASKED, told)
        if pending:
            book.effects.refunds.append(refund.id)
            return book.row(payment)
        return self._refunded(book, refund)

    def refund_ended(self, book: Book, refund: RefundRow, *, done: bool, told: Mapping[str, Any]) -> PaymentRow:
        """Take what the operator says of a refund that was pending."""
        settled = structs.replace(refund, status="succeeded" if done else "failed", settled_ms=book.now_ms)
        book.settle_refund(settled)
        if done:
            return self._refunded(book, settled)
        row = book.row(refund.payment)
        book.note(refund.payment, Fact.REFUND_FAILED, {"refund": refund.id, **told})
        book.change(refund.payment, refunded_minor=row.refunded_minor - refund.amount_minor)
        return book.tell(refund.payment, "payment.refund_failed", settled)

    def _refunded(self, book: Book, refund: RefundRow) -> PaymentRow:
        payment = refund.payment
        told = {"refund": refund.id, "amount_minor": refund.amount_minor, "status": refund.status}
        book.note(payment, Fact.REFUNDED, told)
        row = book.row(payment)
        own = row.status != Status.SUCCEEDED  # otherwise it is about more money than the payment's
        if own and row.discrepancy == "refund" and row.refunded_minor == row.amount_minor:
            book.note(payment, Fact.RESOLVED, {"by": "refund", "refund": refund.id})
            book.change(payment, discrepancy=None)
        return book.tell(payment, "payment.refunded", refund)

    # The clock

    def due(self, book: Book, payment: str) -> PaymentRow:
        """Do what must happen by itself with a payment whose time has come."""
        row = book.row(payment)
        status = Status(row.status)
        if status is Status.CREATED:
            return self._fail(book, payment, "prompt_not_accepted", {})
        if status is Status.AWAITING:
            return book.move(payment, Fact.EXPIRED, {})
        if status is Status.CHARGING:
            return self._due_charge(book, payment)
        alarm_ms = int(self._catalog.payments.unknown_alarm_s * 1000)
        return book.change(payment, due_ms=book.now_ms + alarm_ms if status is Status.UNKNOWN else None)

    def _due_charge(self, book: Book, payment: str) -> PaymentRow:
        charge = book.charge(payment)
        if charge is None:
            late_ms = book.now_ms - (book.row(payment).due_ms or book.now_ms)
            if late_ms > int(self._catalog.payments.charge_start_s * 1000):  # nobody was there: the YES is too old
                return self.end_unsent(book, payment, "operator_unavailable")
            return self.authorized(book, payment, answer=None)
        if charge.status == Stand.QUEUED:
            return self.end_unsent(book, payment, "operator_unavailable")
        return self.hear(book, payment, Told(Said.UNKNOWN), {"by": "clock"})


def _spent(row: PaymentRow | Paid) -> Spent:
    assert row.confirmed_ms is not None
    return Spent(
        merchant=row.merchant,
        product=row.product,
        currency=row.currency,
        amount_minor=row.amount_minor,
        confirmed_ms=row.confirmed_ms,
    )
