"""The operator's charging API without HTTP: payments by their references, charged once each, and what goes back.

Whatever dialect asks, a reference and a correlator are charged once: a request that repeats them is answered with the
payment that there is, and one that says something else under them is refused. What becomes of a payment follows the
phone's number, see ``subscribers.MAGIC``.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from smsgw.errors import SmsgwError
from smsgw.kit.clock import Clock
from smsgw.simulator.billing import Billing, Refund
from smsgw.simulator.subscribers import Api, Subscribers

Status = Literal["processing", "succeeded", "denied"]
Manner = Literal["soon", "late", "lost"]
_MOST: Final = 1_000_000  # payments that are remembered; the oldest is forgotten
_THROTTLES, _ERRORS = 2, 1  # tries that are refused before one is taken


class Purchase(Struct, frozen=True, kw_only=True):
    """What is asked for."""

    msisdn: str  # digits, without +
    amount_minor: int
    currency: str
    reference: str
    correlator: str = ""  # of the request; "": the reference says it all
    description: str = ""


class Payment(Struct, kw_only=True):
    """What came of it."""

    payment_id: str
    purchase: Purchase
    created_ms: int
    status: Status = "processing"
    done_ms: int | None = None  # when it was charged or denied


class Told(Struct, frozen=True, kw_only=True):
    """A payment, and how its answer is given."""

    payment: Payment
    manner: Manner = "soon"
    repeated: bool = False  # there was this payment already


class Declined(SmsgwError):  # noqa: N818 - named after the condition
    """The phone cannot pay; the subscriber's affair, and final."""


class Throttled(SmsgwError):  # noqa: N818 - as above
    """Too much at once; nothing was charged, and it may be tried again."""


class Broken(SmsgwError):  # noqa: N818 - as above
    """The operator's machine fails; whether something was charged, it does not say."""


class Lost(SmsgwError):  # noqa: N818 - as above
    """The request never arrives, and nothing was charged."""


class Conflict(SmsgwError):  # noqa: N818 - as above
    """The reference or the correlator stands for another purchase; the gateway's fault."""


class NotRefunded(SmsgwError):  # noqa: N818 - as above
    """The money does not go back: nothing is left of it, or the operator does not want to."""


class DirectCharging:
    """The payments of one operator's API.

    Args:
        billing: its ledger gets what is charged, what fails and what goes back.
        subscribers: whose numbers decide what goes wrong; None: nothing does.
        clock: the wall clock stamps payments.
        later: calls something after so many milliseconds, for payments that are pending.
    """

    def __init__(
        self,
        billing: Billing,
        subscribers: Subscribers | None,
        clock: Clock,
        later: Callable[[int, Callable[[], None]], None],
    ) -> None:
        self._billing = billing
        self._subscribers = subscribers or Subscribers(magic={})
        self._clock = clock
        self._later = later
        self._payments: OrderedDict[str, Payment] = OrderedDict()
        self._by_reference: dict[str, Payment] = {}
        self._by_correlator: dict[str, Payment] = {}
        self._refunds: dict[tuple[str, str], Refund] = {}  # by payment and reference
        self._made = 0

    def charge(self, purchase: Purchase) -> Told:
        """Charge a phone, once for each reference.

        Raises:
            Declined, Throttled, Broken, Lost: as the number has it.
            Conflict: the reference or the correlator was used for something else.
        """
        known = self._by_reference.get(purchase.reference) or self._by_correlator.get(purchase.correlator)
        if known is not None:
            if not _same(known.purchase, purchase):
                raise Conflict(f"{known.payment_id} was something else")
            return Told(payment=known, repeated=True)
        api = self._subscribers.behaviour_of(purchase.msisdn).api
        self._refuse(purchase, api)
        payment = self._remember(purchase)
        if api == "pending, charged":
            self._later(self._subscribers.pace.pending_ms, lambda: self._settle(payment, "succeeded"))
        elif api == "pending, refused":
            self._later(self._subscribers.pace.pending_ms, lambda: self._settle(payment, "denied"))
        elif api == "pending for ever, charged":
            self._write(payment)
        elif api != "pending for ever":
            self._settle(payment, "succeeded")
        if api == "error after":
            raise Broken("the machine that answers has failed")
        return Told(payment=payment, manner="lost" if api == "lost" else "late" if api == "late" else "soon")

    def find(self, payment_id: str) -> Payment | None:
        """Return a payment by its id."""
        return self._payments.get(payment_id)

    def find_reference(self, reference: str) -> Payment | None:
        """Return a payment by the gateway's reference."""
        return self._by_reference.get(reference)

    def refund(self, payment: Payment, amount_minor: int | None, reference: str) -> Refund:
        """Give money back, once for each reference; all that is left where no amount is named.

        Raises:
            NotRefunded: more than is left, or nothing was charged, or the operator refuses.
            Conflict: the reference was used for another amount.
        """
        key = (payment.payment_id, reference)
        known = self._refunds.get(key) if reference else None
        if known is not None:
            if amount_minor not in {None, known.amount_minor}:
                raise Conflict(f"{reference} was another amount")
            return known
        purchase = payment.purchase
        if not self._subscribers.behaviour_of(purchase.msisdn).refundable:
            raise NotRefunded("the operator does not give this back")
        left = self.left(payment)
        wanted = left if amount_minor is None else amount_minor
        if not 0 < wanted <= left:
            raise NotRefunded(f"{wanted} cannot go back: {left} is left of {payment.payment_id}")
        refund = self._billing.refund(payment.payment_id, wanted, reference, self._clock.now_ms())
        if reference:
            self._refunds[key] = refund
        return refund

    def left(self, payment: Payment) -> int:
        """Return what was charged and has not gone back, in minor units."""
        if payment.status != "succeeded":
            return 0
        return payment.purchase.amount_minor - self._billing.refunded(payment.payment_id)

    def _refuse(self, purchase: Purchase, api: Api) -> None:
        """Raise what stands before a charge."""
        if api == "refused":
            self._fail(purchase)
            raise Declined("the account does not have enough credit")
        if api == "throttled twice" and self._subscribers.next_try(purchase.msisdn, _THROTTLES) < _THROTTLES:
            raise Throttled("too many requests")
        if api == "error before" and self._subscribers.next_try(purchase.msisdn, _ERRORS) < _ERRORS:
            raise Broken("the machine that charges has failed")
        if api == "lost before":
            raise Lost("the request was lost")

    def _remember(self, purchase: Purchase) -> Payment:
        self._made += 1
        payment = Payment(payment_id=f"pm{self._made:08}", purchase=purchase, created_ms=self._clock.now_ms())
        self._payments[payment.payment_id] = payment
        self._by_reference[purchase.reference] = payment
        if purchase.correlator:
            self._by_correlator[purchase.correlator] = payment
        if len(self._payments) > _MOST:
            _, oldest = self._payments.popitem(last=False)
            self._by_reference.pop(oldest.purchase.reference, None)
            self._by_correlator.pop(oldest.purchase.correlator, None)
        return payment

    def _settle(self, payment: Payment, status: Status) -> None:
        payment.status, payment.done_ms = status, self._clock.now_ms()
        if status == "succeeded":
            self._write(payment)
        else:
            self._fail(payment.purchase, payment.payment_id)

    def _write(self, payment: Payment) -> None:
        purchase = payment.purchase
        self._billing.direct(
            msisdn=purchase.msisdn,
            amount_minor=purchase.amount_minor,
            currency=purchase.currency,
            reference=purchase.reference,
            at_ms=self._clock.now_ms(),
            payment_id=payment.payment_id,
            text=purchase.description,
        )

    def _fail(self, purchase: Purchase, payment_id: str = "") -> None:
        self._billing.direct(
            msisdn=purchase.msisdn,
            amount_minor=purchase.amount_minor,
            currency=purchase.currency,
            reference=purchase.reference,
            at_ms=self._clock.now_ms(),
            payment_id=payment_id,
            status="failed",
            text=purchase.description,
        )


def _same(one: Purchase, other: Purchase) -> bool:
    """Whether two requests ask for the same; a new correlator and other words do not make a new purchase."""
    return (one.msisdn, one.amount_minor, one.currency, one.reference) == (
        other.msisdn,
        other.amount_minor,
        other.currency,
        other.reference,
    )
