"""What merchants are told about a payment, as rows of the outbox; the number only as far as it shows the operator."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from smsgw.domain.goods import Merchant
from smsgw.domain.payments import EventType, Status
from smsgw.flows.ports import Ports
from smsgw.kit.clock import rfc3339
from smsgw.kit.masking import mask_number
from smsgw.store.events import Event
from smsgw.store.payments import PaymentRow
from smsgw.store.refunds import RefundRow

ABOUT: Final[dict[EventType, str]] = {
    "payment.awaiting_confirmation": "The question is on its way to the phone.",
    "payment.confirmed": "The phone has answered YES; the money is being taken. Nothing is paid yet.",
    "payment.succeeded": "The operator has taken the money: hand over the goods.",
    "payment.failed": "Nothing was taken; `reason` says why.",
    "payment.declined": "The phone has answered NO, or STOP.",
    "payment.expired": "No answer came in time.",
    "payment.canceled": "You have canceled it.",
    "payment.charge_unknown": "Nobody knows yet whether the money was taken: wait, `succeeded` or `failed` follows.",
    "payment.refunded": "Money goes back; `refund` says how much.",
    "payment.refund_failed": "The operator does not give back what `refund` says; `refunded_minor` is less again.",
    "payment.discrepancy": "The operator took money that the status does not show; `discrepancy` says what is done.",
}

TYPE_OF: Final[dict[Status, EventType]] = {
    Status.AWAITING: "payment.awaiting_confirmation",
    Status.CHARGING: "payment.confirmed",
    Status.SUCCEEDED: "payment.succeeded",
    Status.FAILED: "payment.failed",
    Status.DECLINED: "payment.declined",
    Status.EXPIRED: "payment.expired",
    Status.CANCELED: "payment.canceled",
    Status.UNKNOWN: "payment.charge_unknown",
}

_Moment = Annotated[str | None, Meta(description="RFC 3339, UTC; null: not yet, or never.")]


class Refund(Struct, frozen=True, kw_only=True):
    """Money that goes back."""

    id: Annotated[str, Meta(description="Ours.")]
    amount_minor: Annotated[int, Meta(description="In the currency's minor units.")]
    status: Annotated[
        Literal["pending", "succeeded", "failed", "manual"],
        Meta(description="manual: recorded here; the money is given back by other means."),
    ]
    reason: Annotated[str, Meta(description="Your own words.")]
    created_at: Annotated[str, Meta(description="RFC 3339, UTC.")]


class Payment(Struct, frozen=True, kw_only=True):
    """A payment as its merchant sees it."""

    id: Annotated[str, Meta(description="Ours.")]
    merchant: Annotated[str, Meta(description="The merchant's name.")]
    merchant_reference: Annotated[str, Meta(description="Your own name for it, unique for ever.")]
    status: Annotated[Status, Meta(description="Hand over the goods on `succeeded` only.")]
    reason: Annotated[str | None, Meta(description="Why it has failed: a word for programs.")]
    product: Annotated[str, Meta(description="The product's name.")]
    units: Annotated[int, Meta(description="How many of what the product is counted in.")]
    amount_minor: Annotated[int, Meta(description="In the currency's minor units.")]
    currency: Annotated[str, Meta(description="ISO 4217.")]
    refunded_minor: Annotated[int, Meta(description="Of the amount, what went back or is about to.")]
    operator: Annotated[str, Meta(description="Whose phone it is.")]
    msisdn: Annotated[str, Meta(description="The phone's number, masked unless the key may see it.")]
    method: Annotated[str | None, Meta(description="The remembered number that it was made with.")]
    state: Annotated[str, Meta(description="Your own, as it came.")]
    test: Annotated[bool, Meta(description="At a simulated operator.")]
    sequence: Annotated[int, Meta(description="Of its last event; later ones have greater numbers.")]
    discrepancy: Annotated[
        Literal["refund", "grant"] | None,
        Meta(description="The operator took money that this status does not show: what is to be done about it."),
    ]
    created_at: Annotated[str, Meta(description="RFC 3339, UTC.")]
    confirm_by: Annotated[str, Meta(description="Until when the buyer may answer.")]
    confirmed_at: _Moment
    settled_at: _Moment


class PaymentEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something happened to a payment; `sequence` in its data gives the order."""

    type: EventType
    timestamp: str
    data: Payment
    refund: Refund | None = None  # of payment.refunded and payment.refund_failed


def view(row: PaymentRow, *, clear: bool = False) -> Payment:
    """Return a payment as its merchant sees it; ``clear``: with the whole number."""
    return Payment(
        id=row.id,
        merchant=row.merchant,
        merchant_reference=row.merchant_reference,
        status=Status(row.status),
        reason=row.reason,
        product=row.product,
        units=row.units,
        amount_minor=row.amount_minor,
        currency=row.currency,
        refunded_minor=row.refunded_minor,
        operator=row.link,
        msisdn=row.msisdn if clear else mask_number(row.msisdn),
        method=row.method,
        state=row.state,
        test=bool(row.test),
        sequence=row.seq,
        discrepancy=row.discrepancy,  # type: ignore[arg-type]  # the column holds nothing else
        created_at=rfc3339(row.created_ms),
        confirm_by=rfc3339(row.confirm_by_ms),
        confirmed_at=_moment(row.confirmed_ms),
        settled_at=_moment(row.settled_ms),
    )


def view_refund(row: RefundRow) -> Refund:
    """Return a refund as its merchant sees it."""
    return Refund(
        id=row.id,
        amount_minor=row.amount_minor,
        status=row.status,  # type: ignore[arg-type]  # likewise
        reason=row.reason,
        created_at=rfc3339(row.created_ms),
    )


class Question(Struct, frozen=True, kw_only=True):
    """May money be taken? Asked at ``authorize_url``; not an event: it is not posted again, and has no place."""

    type: Literal["payment.authorize"]
    timestamp: str
    data: Payment


def question(row: PaymentRow, at_ms: int) -> bytes:
    """Return the body of the question whether a payment may go on."""
    return msgspec.json.encode(Question(type="payment.authorize", timestamp=rfc3339(at_ms), data=view(row)))


def event(
    ports: Ports, merchant: Merchant | None, row: PaymentRow, kind: EventType, *, at_ms: int, refund: RefundRow | None
) -> Event:
    """Return the row of an event; one that nobody wants posted is stored for the record."""
    told = PaymentEvent(
        type=kind, timestamp=rfc3339(at_ms), data=view(row), refund=None if refund is None else view_refund(refund)
    )
    wanted = merchant is not None and is_wanted(merchant, kind)
    return Event(
        id=ports.ids.new("evt"),
        service=row.merchant,
        type=kind,
        subject=row.id,
        place=row.seq,
        body=msgspec.json.encode(told).decode(),
        at_ms=at_ms,
        status="pending" if wanted else "delivered",
        settled_ms=None if wanted else at_ms,
        test=row.test,
    )


def is_wanted(merchant: Merchant, kind: str) -> bool:
    """Whether a merchant's server is told of this kind of event."""
    settings = merchant.settings
    return bool(settings.webhook_url) and (not settings.webhook_events or kind in settings.webhook_events)


def _moment(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
