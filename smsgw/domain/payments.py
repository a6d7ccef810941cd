"""The states of a payment that a phone confirms; the only place that knows what may follow what.

A payment is *created* with the question that goes to the phone. When an SMSC has taken the question, or an answer
shows that it has arrived, it is *awaiting_confirmation*. A plain YES makes it *charging*: from then on money may be
on its way, and the payment counts against the caps of its phone. NO and STOP make it *declined*, the merchant
*canceled*, the clock *expired*; a question that no SMSC takes in time, *failed*.

From charging there are three ways. Proof that the operator has taken the money (its response, its receipt, its
records, the billed YES itself, or a person who has looked) makes it *succeeded*. A definite refusal makes it
*failed*. And when something was sent and nobody says what came of it, it is *charge_unknown*: not an error but a
state, which is never left by trying again, only by proof or by a definite refusal.

Succeeded never reverts: money that goes back is a refund, a fact of its own beside the state. Proof that comes after
another end is a discrepancy, which the merchant's policy or a person resolves; the state stays.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, Literal, get_args

from smsgw.errors import SmsgwError


class Status(StrEnum):
    """Where a payment stands."""

    CREATED = "created"
    AWAITING = "awaiting_confirmation"
    CHARGING = "charging"
    UNKNOWN = "charge_unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELED = "canceled"


class Event(StrEnum):
    """What moves it."""

    PROMPTED = "prompted"  # an SMSC has taken the question, or an answer to it has come
    CONFIRM = "confirm"  # a plain YES
    DECLINE = "decline"  # NO or STOP
    EXPIRE = "expire"  # no answer in time
    CANCEL = "cancel"  # the merchant's word
    FAIL = "fail"  # a definite refusal, ours or the operator's
    LOSE = "lose"  # something was sent, and nobody says what came of it
    PROVE = "prove"  # the operator has taken the money


NEXT: Final[Mapping[Status, Mapping[Event, Status]]] = {
    Status.CREATED: {
        Event.PROMPTED: Status.AWAITING,
        Event.DECLINE: Status.DECLINED,
        Event.EXPIRE: Status.EXPIRED,
        Event.CANCEL: Status.CANCELED,
        Event.FAIL: Status.FAILED,
    },
    Status.AWAITING: {
        Event.CONFIRM: Status.CHARGING,
        Event.DECLINE: Status.DECLINED,
        Event.EXPIRE: Status.EXPIRED,
        Event.CANCEL: Status.CANCELED,
    },
    Status.CHARGING: {
        Event.PROVE: Status.SUCCEEDED,
        Event.FAIL: Status.FAILED,
        Event.LOSE: Status.UNKNOWN,
    },
    Status.UNKNOWN: {
        Event.PROVE: Status.SUCCEEDED,
        Event.FAIL: Status.FAILED,
    },
    Status.SUCCEEDED: {},
    Status.FAILED: {},
    Status.DECLINED: {},
    Status.EXPIRED: {},
    Status.CANCELED: {},
}

OPEN: Final = frozenset({Status.CREATED, Status.AWAITING})  # a question stands
PAYING: Final = frozenset({Status.CHARGING, Status.UNKNOWN, Status.SUCCEEDED})  # counts against the caps


class Fact(StrEnum):
    """What is written down of a payment."""

    CREATED = "created"
    PROMPTED = "prompted"
    CONFIRMED = "confirmed"  # the prompt, the answer, their times and message ids
    ANSWERED = "answered"  # another answer, which moved nothing
    DECLINED = "declined"
    CANCELED = "canceled"
    EXPIRED = "expired"
    AUTHORIZED = "authorized"  # what the merchant said before the charge
    INTENDED = "charge_intended"  # before the first octet
    PUT_OFF = "charge_put_off"  # definitely refused, and to be tried again
    ACCEPTED = "charge_accepted"  # the SMSC has the billed message; no proof yet
    REPORTED = "charge_reported"  # the operator says something that decides nothing
    LOST = "charge_unknown"
    CHARGED = "charged"
    FAILED = "failed"
    DISCREPANCY = "discrepancy"  # proof after another end, or a second one
    RESOLVED = "discrepancy_resolved"
    RECORDED = "operator_record"  # a line of the operator's own records
    REFUND_ASKED = "refund_asked"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"


MOVES: Final[Mapping[Fact, Event]] = {
    Fact.PROMPTED: Event.PROMPTED,
    Fact.CONFIRMED: Event.CONFIRM,
    Fact.DECLINED: Event.DECLINE,
    Fact.CANCELED: Event.CANCEL,
    Fact.EXPIRED: Event.EXPIRE,
    Fact.FAILED: Event.FAIL,
    Fact.LOST: Event.LOSE,
    Fact.CHARGED: Event.PROVE,
}

# What a merchant is told of a payment.
EventType = Literal[
    "payment.awaiting_confirmation",
    "payment.confirmed",
    "payment.succeeded",
    "payment.failed",
    "payment.declined",
    "payment.expired",
    "payment.canceled",
    "payment.charge_unknown",
    "payment.refunded",
    "payment.refund_failed",
    "payment.discrepancy",
]
EVENT_TYPES: Final[tuple[EventType, ...]] = get_args(EventType)


class IllegalMove(SmsgwError):  # noqa: N818 - named after the condition
    """A payment was to be moved where the table knows no way; ours, and nothing was changed."""


def follow(status: Status, event: Event) -> Status:
    """Return the state after ``event``.

    Raises:
        IllegalMove: the table knows no move.
    """
    following = NEXT[status].get(event)
    if following is None:
        raise IllegalMove(f"a payment that is {status.value} knows no {event.value}")
    return following


def may(status: Status, event: Event) -> bool:
    """Whether the table knows a move."""
    return event in NEXT[status]


def fold(facts: Iterable[Fact]) -> Status:
    """Return the state that these facts, in their order, have led to."""
    status = Status.CREATED
    for fact in facts:
        event = MOVES.get(fact)
        if event is not None:
            status = follow(status, event)
    return status
