"""The operator's records against our attempts: what a line may say, whose it is, and what it proves."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, strategies as st

from smsgw.domain.charging import Stand
from smsgw.domain.records import Attempt, Judged, Line, Verdict, judge, read

CHARGE = "chg_01hf7yat00e54aebp5347gxhd6"
PAYMENT = "pay_01hf7yat00e54aebp5347gxhd6"
HOUR = 3_600_000
ROW = {
    "operator_id": "A7",
    "msisdn": "359881234567",
    "short_code": "7250",
    "amount_minor": "250",
    "currency": "EUR",
    "reference": "77",
    "at": "2023-11-14T22:13:20Z",
    "status": "charged",
}
NOW = 1_700_000_000_000


def line(number: int = 2, **changes: Any) -> Line:
    given: dict[str, Any] = {
        "operator_id": "",
        "our_id": "",
        "msisdn": "359881234567",
        "short_code": "7250",
        "amount_minor": 250,
        "currency": "EUR",
        "reference": "",
        "at_ms": NOW,
        "charged": True,
    }
    return Line(number=number, **(given | changes))


def attempt(name: str = "1", **changes: Any) -> Attempt:
    given: dict[str, Any] = {
        "charge": f"chg_{name}",
        "payment": f"pay_{name}",
        "operator_id": "",
        "msisdn": "359881234567",
        "short_code": "7250",
        "amount_minor": 250,
        "currency": "EUR",
        "reference": 77,
        "began_ms": NOW - 1_000,
        "until_ms": NOW + HOUR,
        "stand": Stand.CHARGED,
    }
    return Attempt(**(given | changes))


def told(judged: list[Judged]) -> list[tuple[int, str | None, str]]:
    return [(one.line.number, one.attempt.charge if one.attempt else None, one.verdict.name) for one in judged]


# Reading


def test_a_line_is_read() -> None:
    one = read(ROW, 2)
    assert (one.operator_id, one.our_id, one.reference, one.at_ms, one.charged) == ("A7", "", "77", NOW, True)
    assert "359" not in repr(one)


@pytest.mark.parametrize(
    "changes", [{"our_id": CHARGE}, {"reference": CHARGE}, {"operator_id": CHARGE}, {"our_id": f" {CHARGE} "}]
)
def test_an_id_of_ours_is_found_wherever_the_operator_repeats_it(changes: dict[str, str]) -> None:
    assert read(ROW | changes, 2).our_id == CHARGE


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount_minor": ""}, "amount_minor is missing"),
        ({"amount_minor": "2.50"}, "no whole number"),
        ({"amount_minor": "-1"}, "no whole number"),
        ({"amount_minor": "٢٥٠"}, "no whole number"),
        ({"amount_minor": "9" * 13}, "no whole number"),
        ({"currency": "eur"}, "ISO 4217"),
        ({"at": "yesterday"}, "no time"),
        ({"at": "9999-12-31T23:59:59-23:59"}, None),
        ({"status": "CHARGED"}, "neither charged nor failed"),
        ({"msisdn": "0881234567x"}, "international form"),
        ({"msisdn": "3" * 16}, "international form"),
        ({"reference": "x" * 201}, "too long"),
        ({"reference": "a\x1b[2J"}, "cannot be printed"),
        ({"msisdn": "", "operator_id": "", "reference": ""}, "nothing says whose"),
    ],
)
def test_what_cannot_be_used_is_said_without_its_values(changes: dict[str, str], words: str | None) -> None:
    if words is None:
        read(ROW | changes, 2)
        return
    with pytest.raises(ValueError, match=words) as found:
        read(ROW | changes, 2)
    assert "359881234567" not in str(found.value)


@given(
    st.dictionaries(
        st.sampled_from([*ROW, "our_id"]), st.one_of(st.none(), st.text(st.characters(codec="latin-1"), max_size=30))
    )
)
def test_any_line_is_read_or_refused(changes: dict[str, str | None]) -> None:
    with suppress(ValueError):
        assert read({**ROW, **changes}, 2).number == 2


# Whose it is


@pytest.mark.parametrize(
    "changes",
    [
        {"our_id": "chg_1", "msisdn": ""},
        {"our_id": "pay_1", "msisdn": ""},
        {"operator_id": "a7", "msisdn": ""},
        {},
        {"reference": "77"},
        {"reference": "not a number"},
        {"at_ms": NOW + HOUR},
    ],
)
def test_a_line_finds_its_attempt(changes: dict[str, Any]) -> None:
    assert told(judge([line(**changes)], [attempt(operator_id="A7")])) == [(2, "chg_1", "AGREES")]


@pytest.mark.parametrize(
    "changes",
    [
        {"msisdn": "359881234568"},
        {"short_code": "7251"},
        {"amount_minor": 251},
        {"currency": "USD"},
        {"reference": "78"},
        {"at_ms": NOW - HOUR},
        {"at_ms": NOW + 2 * HOUR},
        {"our_id": "chg_other"},
    ],
)
def test_a_line_of_somebody_else_finds_none(changes: dict[str, Any]) -> None:
    assert told(judge([line(**changes)], [attempt()])) == [(2, None, "UNKNOWN")]


def test_one_for_one_and_the_nearest_first() -> None:
    attempts = [attempt("1"), attempt("2", began_ms=NOW + 60_000)]
    lines = [line(2, at_ms=NOW + 61_000), line(3, at_ms=NOW), line(4, at_ms=NOW + 62_000)]
    assert told(judge(lines, attempts)) == [(2, "chg_2", "AGREES"), (3, "chg_1", "AGREES"), (4, None, "UNKNOWN")]


def test_two_lines_under_one_name_are_money_taken_twice() -> None:
    [first, second] = judge([line(2, our_id="chg_1"), line(3, our_id="chg_1")], [attempt()])
    assert (first.verdict, second.verdict, second.again) == (Verdict.AGREES, Verdict.DISCREPANCY, True)


def test_a_refusal_before_a_success_takes_nothing_away() -> None:
    lines = [line(2, our_id="chg_1", charged=False), line(3, our_id="chg_1")]
    assert told(judge(lines, [attempt()])) == [(2, "chg_1", "AGREES"), (3, "chg_1", "AGREES")]
    lines = [line(2, charged=False), line(3, at_ms=NOW + 5_000)]
    assert told(judge(lines, [attempt()])) == [(2, None, "UNKNOWN"), (3, "chg_1", "AGREES")]


def test_of_a_payments_attempts_the_one_that_ended_like_this() -> None:
    attempts = [attempt("1", stand=Stand.FAILED), attempt("2", payment="pay_1")]
    assert told(judge([line(our_id="pay_1")], attempts)) == [(2, "chg_2", "AGREES")]


# What it proves


@pytest.mark.parametrize(
    ("stand", "charged", "verdict"),
    [
        (Stand.CHARGED, True, "AGREES"),
        (Stand.FAILED, False, "AGREES"),
        (Stand.FAILED, True, "DISCREPANCY"),
        (Stand.CHARGED, False, "DISCREPANCY"),
        (Stand.UNKNOWN, True, "RESOLVED"),
        (Stand.UNKNOWN, False, "RESOLVED"),
        (Stand.ACCEPTED, True, "RESOLVED"),
        (Stand.INTENT, True, "RESOLVED"),
        (Stand.QUEUED, True, "DISCREPANCY"),
        (Stand.QUEUED, False, "AGREES"),
    ],
)
def test_what_a_line_says_of_each_stand(stand: Stand, charged: bool, verdict: str) -> None:  # noqa: FBT001 - a table's
    assert told(judge([line(charged=charged)], [attempt(stand=stand)])) == [(2, "chg_1", verdict)]


def test_another_amount_under_our_name() -> None:
    [one] = judge([line(our_id="chg_1", amount_minor=999)], [attempt()])
    assert (one.verdict, one.why) == (Verdict.DISCREPANCY, "another amount")


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2), st.booleans()), max_size=12),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2), st.sampled_from(Stand)), max_size=8),
)
def test_no_attempt_answers_for_two_charges(
    lines: list[tuple[int, int, bool]], attempts: list[tuple[int, int, Stand]]
) -> None:
    ours = [
        attempt(str(at), operator_id=f"m{name}" if name else "", began_ms=NOW + hours * HOUR, stand=stand)
        for at, (name, hours, stand) in enumerate(attempts)
    ]
    theirs = [
        line(at, operator_id=f"m{name}" if name else "", at_ms=NOW + hours * HOUR, charged=charged)
        for at, (name, hours, charged) in enumerate(lines)
    ]
    judged = judge(theirs, ours)
    assert [one.line.number for one in judged] == [one.number for one in theirs]
    used = [one.attempt.charge for one in judged if one.attempt and one.line.charged and not one.again]
    assert len(used) == len(set(used))
