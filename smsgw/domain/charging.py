"""What operators' answers mean for an attempt to take money: stricter than for free messages, as nothing is sent twice.

An attempt is *queued* when its payment is confirmed; *intent* from the commit before its first octet; then *accepted*
(the SMSC has it, proof is still to come), *charged*, *failed*, or *unknown*. Only a definite refusal takes it back to
queued. Unknown is left by proof or by a definite refusal alone.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from smsgw.domain.goods import Terms
from smsgw.domain.statuses import Rule, Rules, Verdict
from smsgw.smpp import status


class Stand(StrEnum):
    """How an attempt stands."""

    QUEUED = "queued"
    INTENT = "intent"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    CHARGED = "charged"
    FAILED = "failed"


class Said(StrEnum):
    """What the operator says of an attempt."""

    ACCEPTED = "accepted"  # has it; the proof is still to come
    CHARGED = "charged"
    FAILED = "failed"  # definitely not, and never will
    PUT_OFF = "put_off"  # definitely not, and may later
    UNKNOWN = "unknown"  # nothing that could be relied on
    PROGRESS = "progress"  # says nothing final


OPEN: Final = frozenset({Stand.QUEUED, Stand.INTENT, Stand.ACCEPTED, Stand.UNKNOWN})

NEXT: Final[Mapping[Stand, Mapping[Said, Stand]]] = {
    # Put off, and charged or refused all the same: a receipt or the operator's records know better than its response.
    Stand.QUEUED: {Said.CHARGED: Stand.CHARGED, Said.FAILED: Stand.FAILED},
    Stand.INTENT: {
        Said.ACCEPTED: Stand.ACCEPTED,
        Said.CHARGED: Stand.CHARGED,
        Said.FAILED: Stand.FAILED,
        Said.PUT_OFF: Stand.QUEUED,
        Said.UNKNOWN: Stand.UNKNOWN,
    },
    Stand.ACCEPTED: {
        Said.CHARGED: Stand.CHARGED,
        Said.FAILED: Stand.FAILED,
        Said.UNKNOWN: Stand.UNKNOWN,
    },
    # Late words: what was put off may be refused for ever as well; it is not tried again by itself.
    Stand.UNKNOWN: {
        Said.ACCEPTED: Stand.UNKNOWN,
        Said.CHARGED: Stand.CHARGED,
        Said.FAILED: Stand.FAILED,
        Said.PUT_OFF: Stand.FAILED,
    },
    Stand.CHARGED: {},
    Stand.FAILED: {},
}

_UNKNOWN: Final = Rule(Verdict.UNKNOWN)
_REFUSED: Final = Rule(Verdict.REFUSE)

# Over the table of free messages (domain/statuses.py): what the SMSC says when it does not know itself.
_STRICT: Final[Mapping[int, Rule]] = {
    status.ESME_RSYSERR: _UNKNOWN,
    status.ESME_RX_T_APPN: _UNKNOWN,
    status.ESME_RSUBMITFAIL: _UNKNOWN,
    status.ESME_RINVBNDSTS: _REFUSED,
    0x102: _REFUSED,
}


class Told(Struct, frozen=True):
    """What an answer to a billed message says."""

    said: Said
    reason: str | None = None
    after_ms: int | None = None  # put off: for how long; None: by our own pauses


def of_response(terms: Terms, command_status: int) -> Told:
    """Return what the response to a billed message says (SMPP 3.4 §5.1.3)."""
    rule = _rule(terms, command_status)
    if rule.verdict is Verdict.SENT:
        return Told(Said.CHARGED if terms.proof == "response" else Said.ACCEPTED)
    if rule.verdict is Verdict.AGAIN:
        return Told(Said.PUT_OFF, "operator_busy", rule.after_ms)
    if rule.verdict is Verdict.REFUSE:
        return Told(Said.FAILED, "operator_refused")
    return Told(Said.UNKNOWN)


def _rule(terms: Terms, command_status: int) -> Rule:
    if terms.status:
        own = Rules(terms.status)
        if own.names(command_status):
            return own.of(command_status)
    return _STRICT.get(command_status) or _FREE.of(command_status)


_FREE: Final = Rules({})
_MEANINGS: Final = {"charged": Said.CHARGED, "failed": Said.FAILED, "progress": Said.PROGRESS}
_OF_EVENT: Final = {"deliver": Said.CHARGED, "fail": Said.FAILED, "progress": Said.PROGRESS}


def of_receipt(terms: Terms, state: str, error: str | None, event: str) -> Said:
    """Return what a receipt of a billed message says: by its error, its state, or what it means on this link.

    Args:
        terms: of the payment.
        state: as it came.
        error: likewise; None: it names none.
        event: what it means for a free message, by the link's own words (domain/messages.Event).
    """
    by_error = _by_error(terms, error)
    if by_error is not None:
        return _MEANINGS[by_error]
    own = terms.receipt_states.get(state.upper())
    return _MEANINGS[own] if own else _OF_EVENT[event]


def _by_error(terms: Terms, error: str | None) -> str | None:
    if not error:
        return None
    bare = error.lstrip("0")
    for written, meaning in terms.receipt_errors.items():
        if written == error or written.lstrip("0") == bare:
            return meaning
    return None
