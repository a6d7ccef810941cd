"""Which payment an answer moves, and that a YES that could mean two things moves none."""

from typing import Any

import pytest

from smsgw.domain.answers import CROSSING_MS, MEANT_MS, Asked, Deed, Ruling, judge
from smsgw.domain.consent import Answer, Kind
from smsgw.domain.payments import Status

NOW = 10_000_000
YES, NO = Answer(kind=Kind.YES), Answer(kind=Kind.NO)
NO_48 = Answer(kind=Kind.NO, reference="48")
YES_47, YES_49 = Answer(kind=Kind.YES, reference="47"), Answer(kind=Kind.YES, reference="49")


def asked(name: str, status: Status = Status.AWAITING, **fields: Any) -> Asked:
    given: dict[str, Any] = {
        "merchant": "gold",
        "reference": "",
        "until_ms": NOW + 1_000,
        "prompted_ms": NOW - 60_000,
        "confirmed_ms": None,
        "settled_ms": None,
    }
    return Asked(id=name, status=status, **(given | fields))


def ended(name: str, status: Status = Status.EXPIRED, **fields: Any) -> Asked:
    return asked(name, status, **({"settled_ms": NOW - 60_000, "until_ms": NOW - 60_000} | fields))


def paid(name: str, **fields: Any) -> Asked:
    return ended(name, Status.SUCCEEDED, **({"confirmed_ms": NOW - 60_000} | fields))


@pytest.mark.parametrize(
    ("answer", "others", "deed", "payment"),
    [
        # one open question
        (YES, [asked("a")], Deed.CONFIRM, "a"),
        (YES, [asked("a", Status.CREATED, prompted_ms=None)], Deed.CONFIRM, "a"),
        (NO, [asked("a")], Deed.DECLINE, "a"),
        (None, [asked("a")], Deed.PLAINLY, "a"),
        (YES, [paid("x"), asked("a")], Deed.CONFIRM, "a"),
        # none
        (YES, [], Deed.NOTHING, None),
        (NO, [], Deed.NOTHING, None),
        (None, [], Deed.NOTHING, None),
        (None, [paid("a")], Deed.NOTHING, None),
        (YES, [paid("a")], Deed.AGAIN, "a"),
        (YES, [asked("a", Status.CHARGING, confirmed_ms=NOW - 1)], Deed.AGAIN, "a"),
        (YES, [ended("a", Status.FAILED, confirmed_ms=NOW - 1)], Deed.AGAIN, "a"),
        (YES, [ended("a")], Deed.LATE, "a"),
        (YES, [ended("a", Status.CANCELED)], Deed.LATE, "a"),
        (YES, [ended("a", Status.DECLINED)], Deed.LATE, "a"),
        (YES, [ended("a", Status.FAILED)], Deed.LATE, "a"),
        (NO, [paid("a")], Deed.LATE, "a"),
        (YES, [asked("a", until_ms=NOW - 1)], Deed.LATE, "a"),  # the clock has not ended it yet
        # several
        (YES, [asked("a"), asked("b")], Deed.WHICH, "b"),
        (NO, [asked("a"), asked("b")], Deed.WHICH, "b"),
        (YES, [asked("a", until_ms=NOW - 1), asked("b")], Deed.CONFIRM, "b"),
        # references
        (YES_47, [asked("a", reference="47"), asked("b", reference="48")], Deed.CONFIRM, "a"),
        (NO_48, [asked("a", reference="47"), asked("b", reference="48")], Deed.DECLINE, "b"),
        (YES_49, [asked("a", reference="47"), asked("b", reference="48")], Deed.WHICH, "b"),
        (YES_47, [asked("a")], Deed.WHICH, "a"),  # the question had none: another is meant
        (YES_47, [ended("x", reference="47"), asked("b", reference="48")], Deed.LATE, "x"),
        (YES_47, [paid("x", reference="47"), asked("b", reference="48")], Deed.AGAIN, "x"),
        (YES_47, [], Deed.NOTHING, None),
        (YES, [asked("a", reference="47")], Deed.CONFIRM, "a"),
        # whatever is open
        (Answer(kind=Kind.STOP), [asked("a"), asked("b")], Deed.STOP, "b"),
        (Answer(kind=Kind.STOP), [paid("a")], Deed.STOP, "a"),
        (Answer(kind=Kind.STOP), [], Deed.STOP, None),
        (Answer(kind=Kind.START), [], Deed.START, None),
        (Answer(kind=Kind.HELP), [asked("a"), paid("b")], Deed.HELP, "a"),
        (Answer(kind=Kind.HELP), [], Deed.HELP, None),
    ],
)  # fmt: skip
def test_what_an_answer_does(answer: Answer | None, others: list[Asked], deed: Deed, payment: str | None) -> None:
    assert judge(answer, others, NOW) == Ruling(deed=deed, payment=payment)


@pytest.mark.parametrize(
    ("before", "prompted_ms", "deed"),
    [
        (ended("x"), NOW - CROSSING_MS + 1, Deed.CROSSED),
        (ended("x"), None, Deed.CROSSED),
        (ended("x"), NOW - CROSSING_MS, Deed.CONFIRM),
        (ended("x", settled_ms=NOW - MEANT_MS), None, Deed.CROSSED),
        (ended("x", settled_ms=NOW - MEANT_MS - 1), None, Deed.CONFIRM),
        (ended("x", prompted_ms=None), None, Deed.CROSSED),  # its response was lost: the phone may have it
        (paid("x"), None, Deed.CROSSED),  # its YES has come: this may be the same again
        (paid("x"), NOW - CROSSING_MS, Deed.CONFIRM),
        (paid("x", confirmed_ms=NOW - MEANT_MS - 1), None, Deed.CONFIRM),
        (asked("x", until_ms=NOW - 1), None, Deed.CROSSED),  # over, and not settled yet
    ],
)
def test_a_yes_that_may_have_been_meant_for_the_question_before(
    before: Asked, prompted_ms: int | None, deed: Deed
) -> None:
    one = asked("a", prompted_ms=prompted_ms)
    assert judge(YES, [before, one], NOW) == Ruling(deed=deed, payment="a")


def test_a_yes_before_the_question_can_have_come_is_no_answer_to_it() -> None:
    assert judge(YES, [asked("a", Status.CREATED, prompted_ms=None, sent=False)], NOW).deed is Deed.CROSSED
    assert judge(NO, [asked("a", Status.CREATED, prompted_ms=None, sent=False)], NOW).deed is Deed.DECLINE


def test_a_simulated_phone_has_read_what_it_answers() -> None:
    for test, deed in ((False, Deed.CROSSED), (True, Deed.CONFIRM)):
        ruling = judge(YES, [paid("a", test=test), asked("b", prompted_ms=NOW - 1_000, test=test)], NOW)
        assert (ruling.deed, ruling.payment) == (deed, "b")


def test_a_no_is_taken_even_when_questions_cross() -> None:
    assert judge(NO, [ended("x"), asked("a", prompted_ms=None)], NOW).deed is Deed.DECLINE
