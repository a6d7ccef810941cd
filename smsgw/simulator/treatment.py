"""What the SMSC does with one submitted message: whether it takes it, how it answers, and what its receipts say.

A treatment is what is special about a message; its course is that, filled up with what holds for all messages.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from smsgw.simulator.receipts import ENROUTE, Dialect


class Report(Struct, frozen=True, kw_only=True):
    """One receipt."""

    after_ms: int
    state: str = ""  # as the receipt says it; "": that in which the message ends
    error: str | None = None  # err; None: 000 when it was delivered, 001 otherwise
    intermediate: bool = False  # an intermediate notification, by its esm_class


class Treatment(Struct, frozen=True, kw_only=True):
    """What is special about a message; nothing, by default."""

    refusal: int = 0  # not 0: it is not taken, and answered with this
    taken: bool = True  # False: it is lost in the SMSC, and nobody hears of it again
    status: int = 0  # of the answer to a message that is taken
    answer_after_ms: int | None = 0  # None: never
    breaks: bool = False  # the connection breaks instead of the answer
    state: str = ""  # in which it ends; "": as all others
    ends_after_ms: int | None = None  # from its submission; None: as all others
    reports: tuple[Report, ...] | None = None  # instead of those that all others get


class Course(Struct, frozen=True, kw_only=True):
    """How a message that was taken fares."""

    state: str  # in which it ends
    ends_after_ms: int  # from its submission
    reports: tuple[Report, ...]


AS_EVER: Final = Treatment()


def course(treatment: Treatment, dialect: Dialect, number: int) -> Course:
    """Return how a message fares.

    Args:
        treatment: what is special about it.
        dialect: what holds for all.
        number: of receipts before this one, for delays that take turns.
    """
    state = treatment.state or dialect.state
    ends_after_ms = treatment.ends_after_ms
    if ends_after_ms is None:
        ends_after_ms = int(dialect.delays_s[number % len(dialect.delays_s)] * 1000)
    reports = treatment.reports
    if reports is None:
        first = (Report(after_ms=0, state=ENROUTE, intermediate=True),) if dialect.intermediate else ()
        reports = first + (Report(after_ms=ends_after_ms),) * dialect.times
    said = tuple(report if report.state else replace(report, state=state) for report in reports)
    return Course(state=state, ends_after_ms=ends_after_ms, reports=said)
