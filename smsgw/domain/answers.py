"""What an answer from a phone does: which payment it confirms, declines or names, or why it moves nothing.

Money moves only when there is no doubt which payment a YES is for. A phone has one open question for each reply address
and reference; a bare YES counts when exactly one is open, and when it cannot have been meant for another that has just
been answered or has ended. Everything else has a defined answer, and costs nothing.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from smsgw.domain.consent import Answer, Kind
from smsgw.domain.payments import OPEN, Status

# An answer that comes so soon after a question was written before it was read.
CROSSING_MS: Final = 4_000
# How long a question that has ended may still be meant by an answer.
MEANT_MS: Final = 1_020_000  # 17 min: the time to answer, and the grace
# How long an answer is told what became of a payment.
REMEMBERED_MS: Final = 86_400_000


class Asked(Struct, frozen=True, kw_only=True):
    """A payment, as an answer meets it."""

    id: str
    merchant: str
    status: Status
    reference: str
    until_ms: int  # answers count up to then
    prompted_ms: int | None  # an SMSC had the question
    sent: bool = True  # the question may be at the phone
    test: bool = False  # its phone is simulated: it has read what it answers, however soon
    confirmed_ms: int | None
    settled_ms: int | None


class Deed(StrEnum):
    """What an answer does."""

    CONFIRM = "confirmed"
    DECLINE = "declined"
    STOP = "stopped"
    START = "started"
    HELP = "help"
    WHICH = "ambiguous"  # several questions are open, or the reference is none of theirs
    CROSSED = "crossed"  # may have been meant for the question before
    PLAINLY = "unclear"  # not one of the words, while a question is open
    AGAIN = "repeated"  # its payment is confirmed already
    LATE = "late"  # its payment has ended
    NOTHING = "unexpected"  # there is no payment


class Ruling(Struct, frozen=True, kw_only=True):
    """What an answer does, and to which payment."""

    deed: Deed
    payment: str | None = None


def judge(answer: Answer | None, asked: Sequence[Asked], now_ms: int) -> Ruling:
    """Decide about an answer.

    Args:
        answer: what it means; None: it is not one of the words.
        asked: the payments of its phone at the address that it came to, of the last day, oldest first.
        now_ms: when it came.
    """
    standing = [one for one in asked if one.status in OPEN and now_ms <= one.until_ms]
    latest = (standing or asked)[-1].id if asked else None
    if answer is None:
        return Ruling(deed=Deed.PLAINLY if standing else Deed.NOTHING, payment=latest if standing else None)
    if answer.kind in _WHATEVER:
        return Ruling(deed=_WHATEVER[answer.kind], payment=latest)
    deed = Deed.CONFIRM if answer.kind is Kind.YES else Deed.DECLINE
    if answer.reference is not None:
        return _by_reference(answer.reference, deed, standing, asked)
    if len(standing) > 1:
        return Ruling(deed=Deed.WHICH, payment=latest)
    if standing:
        [one] = standing
        # A YES that came before its question could have, or right behind it, was written to something else.
        crossed = deed is Deed.CONFIRM and (not one.sent or _may_mean_another(one, asked, now_ms))
        return Ruling(deed=Deed.CROSSED if crossed else deed, payment=one.id)
    return _bygone(deed, asked)


_WHATEVER: Final = {Kind.STOP: Deed.STOP, Kind.START: Deed.START, Kind.HELP: Deed.HELP}


def _by_reference(reference: str, deed: Deed, standing: Sequence[Asked], asked: Sequence[Asked]) -> Ruling:
    for one in standing:
        if one.reference == reference:
            return Ruling(deed=deed, payment=one.id)
    named = [one for one in asked if one.reference == reference]
    if named:
        return _bygone(deed, named)
    return Ruling(deed=Deed.WHICH if standing else Deed.NOTHING, payment=standing[-1].id if standing else None)


def _bygone(deed: Deed, asked: Sequence[Asked]) -> Ruling:
    if not asked:
        return Ruling(deed=Deed.NOTHING)
    one = asked[-1]
    again = deed is Deed.CONFIRM and one.confirmed_ms is not None
    return Ruling(deed=Deed.AGAIN if again else Deed.LATE, payment=one.id)


def _may_mean_another(one: Asked, asked: Sequence[Asked], now_ms: int) -> bool:
    """Whether a question before this one was answered or has ended just now, and this one was hardly read.

    Whether the one before had reached its phone nobody knows for certain: its response may have been lost.
    """
    if one.test or (one.prompted_ms is not None and now_ms - one.prompted_ms >= CROSSING_MS):
        return False
    return any(other.id != one.id and now_ms - _latest_ms(other, now_ms) <= MEANT_MS for other in asked)


def _latest_ms(one: Asked, now_ms: int) -> int:
    """Return when a question was last of any interest to its phone."""
    known = [moment for moment in (one.confirmed_ms, one.settled_ms) if moment is not None]
    return min(known, default=now_ms)
