"""The delivery states of an MT; the only place that knows what may follow what.

An unbilled MT is *queued* when the transaction that caused it commits. It stays queued while it is sent: a crash
sends it again (at least once); a refusal that may be tried again leaves it queued too. The SMSC's response makes it
*accepted* or *refused*; when its validity ends first it is *expired*. From *accepted*, receipts move it to *delivered*
or *failed*. A receipt that overtakes the response waits unmatched until the response names its message.
States only move forward: delivered, failed, refused and expired are final.

A billed MT is never sent again by itself. It is *intent* from the commit before its first octet; only a definite
refusal takes it back to the queue. When no answer can come any more it is *unknown*, until a late answer, a receipt or
a person says what became of it.
"""

from enum import StrEnum


class Status(StrEnum):
    """Where an MT stands."""

    QUEUED = "queued"
    INTENT = "intent"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXPIRED = "expired"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Event(StrEnum):
    """What can happen to an MT."""

    ACCEPT = "accept"  # submit_sm_resp with status 0
    REFUSE = "refuse"  # a final error
    INTEND = "intend"  # a billed message is about to be sent
    LOSE = "lose"  # a billed message: no answer can come any more
    RETRY = "retry"  # an error that may be tried again, or no response
    EXPIRE = "expire"  # the validity is over
    DELIVER = "deliver"  # receipt: DELIVRD
    FAIL = "fail"  # receipt: a final state other than DELIVRD
    PROGRESS = "progress"  # receipt: ENROUTE, ACCEPTD and other states that are not final


NEXT: dict[Status, dict[Event, Status]] = {
    Status.QUEUED: {
        Event.ACCEPT: Status.ACCEPTED,
        Event.REFUSE: Status.REFUSED,
        Event.RETRY: Status.QUEUED,
        Event.EXPIRE: Status.EXPIRED,
        Event.INTEND: Status.INTENT,
    },
    Status.INTENT: {
        Event.ACCEPT: Status.ACCEPTED,
        Event.REFUSE: Status.REFUSED,
        Event.RETRY: Status.QUEUED,
        Event.EXPIRE: Status.EXPIRED,
        Event.LOSE: Status.UNKNOWN,
        Event.DELIVER: Status.DELIVERED,
        Event.FAIL: Status.FAILED,
    },
    Status.UNKNOWN: {
        Event.ACCEPT: Status.ACCEPTED,
        Event.REFUSE: Status.REFUSED,
        Event.DELIVER: Status.DELIVERED,
        Event.FAIL: Status.FAILED,
    },
    Status.ACCEPTED: {
        Event.DELIVER: Status.DELIVERED,
        Event.FAIL: Status.FAILED,
    },
    Status.REFUSED: {},
    Status.EXPIRED: {},
    Status.DELIVERED: {},
    Status.FAILED: {},
}


def follow(status: Status, event: Event) -> Status:
    """Return the state after ``event``; the same state where the table knows no move."""
    return NEXT[status].get(event, status)
