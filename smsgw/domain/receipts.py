"""What receipts mean for our messages: which message is named, in the way an operator writes ids, and how it stands."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from smsgw.domain.messages import Event, Status
from smsgw.settings import LinkSettings
from smsgw.smpp.receipt import Receipt

IdForm = Literal["text", "caseless", "decimal", "hex"]
Meaning = Literal["delivered", "failed", "progress"]

_EVENTS: Final[Mapping[str, Event]] = {
    "DELIVRD": Event.DELIVER,
    "EXPIRED": Event.FAIL,
    "DELETED": Event.FAIL,
    "UNDELIV": Event.FAIL,
    "REJECTD": Event.FAIL,
    "SKIPPED": Event.FAIL,  # SMPP 5.0 §4.7.15: a final state
    "FAILED": Event.FAIL,
    "NOROUTE": Event.FAIL,
    "NO_ROUTE": Event.FAIL,
    "BLOCKED": Event.FAIL,
    "BLACKLISTED": Event.FAIL,
    "CANCELED": Event.FAIL,
    "CANCELLED": Event.FAIL,
}
_MEANINGS: Final[Mapping[str, Event]] = {
    "delivered": Event.DELIVER,
    "failed": Event.FAIL,
    "progress": Event.PROGRESS,
}


def canonical_id(written: str, form: IdForm) -> str:
    """Return a message id in the form in which those of responses and of receipts are compared.

    Args:
        written: as the SMSC writes it; what does not look like the form is compared as "caseless".
        form: "text": character by character; "caseless": capital letters and leading zeros mean nothing; "decimal" and
            "hex": a number in that notation. One SMSC may answer in hex and write receipts in decimal.
    """
    if form == "text":
        return written
    bare = written.strip()
    if form != "caseless" and bare.isalnum() and bare.isascii():
        with suppress(ValueError):
            return str(int(bare, 16 if form == "hex" else 10))
    return bare.lstrip("0").upper() or bare[:1]


def event_of(receipt: Receipt, settings: LinkSettings | None) -> Event:
    """Return what a receipt means for its message: the operator's own words by the link's settings."""
    if receipt.intermediate:
        return Event.PROGRESS
    return event_of_state(receipt.state, settings)


def event_of_state(state: str, settings: LinkSettings | None) -> Event:
    """Return what a state means, by the link's settings or by the specification."""
    state = state.upper()
    own = settings.receipt_states.get(state) if settings else None
    return _MEANINGS[own] if own else _EVENTS.get(state, Event.PROGRESS)


@lru_cache(maxsize=100)
def zone_of(name: str) -> tzinfo:
    """Return the time zone of an SMSC's clock."""
    return UTC if name == "UTC" else ZoneInfo(name)


_WORST_FIRST: Final = (
    Status.FAILED,
    Status.REFUSED,
    Status.EXPIRED,
    Status.UNKNOWN,
    Status.QUEUED,
    Status.INTENT,
    Status.ACCEPTED,
)


def fold(parts: Iterable[Status]) -> Status:
    """Return how a message of several parts stands: what can be said of the whole.

    A message that lacks a part was not delivered, whatever became of the others: one failed or refused part fails the
    whole; it is delivered when all parts are, and otherwise as far as the part that is the least far.
    """
    states = set(parts)
    for worst in _WORST_FIRST:
        if worst in states:
            return worst
    return Status.DELIVERED
