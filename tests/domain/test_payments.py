"""The table of a payment's states, walked cell by cell: money states are left by proof alone, ends are ends."""

import itertools

import pytest

from smsgw.domain.payments import MOVES, NEXT, OPEN, PAYING, Event, Fact, IllegalMove, Status, fold, follow, may

MOVED = {
    (Status.CREATED, Event.PROMPTED): Status.AWAITING,
    (Status.CREATED, Event.DECLINE): Status.DECLINED,
    (Status.CREATED, Event.EXPIRE): Status.EXPIRED,
    (Status.CREATED, Event.CANCEL): Status.CANCELED,
    (Status.CREATED, Event.FAIL): Status.FAILED,
    (Status.AWAITING, Event.CONFIRM): Status.CHARGING,
    (Status.AWAITING, Event.DECLINE): Status.DECLINED,
    (Status.AWAITING, Event.EXPIRE): Status.EXPIRED,
    (Status.AWAITING, Event.CANCEL): Status.CANCELED,
    (Status.CHARGING, Event.PROVE): Status.SUCCEEDED,
    (Status.CHARGING, Event.FAIL): Status.FAILED,
    (Status.CHARGING, Event.LOSE): Status.UNKNOWN,
    (Status.UNKNOWN, Event.PROVE): Status.SUCCEEDED,
    (Status.UNKNOWN, Event.FAIL): Status.FAILED,
}
FINAL = {Status.SUCCEEDED, Status.FAILED, Status.DECLINED, Status.EXPIRED, Status.CANCELED}


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_every_event_in_every_state(status: Status, event: Event) -> None:
    assert may(status, event) == ((status, event) in MOVED)
    if (status, event) in MOVED:
        assert follow(status, event) is MOVED[status, event]
    else:
        with pytest.raises(IllegalMove, match=f"{status.value} knows no {event.value}"):
            follow(status, event)


def test_the_table_knows_every_state_and_where_it_ends() -> None:
    assert set(NEXT) == set(Status)
    assert {status for status in Status if not NEXT[status]} == FINAL


def test_money_is_proven_only_after_a_yes() -> None:
    leads_to_success = {status for status in Status if Status.SUCCEEDED in NEXT[status].values()}
    assert leads_to_success == {Status.CHARGING, Status.UNKNOWN}
    assert {status for status in Status if Status.CHARGING in NEXT[status].values()} == {Status.AWAITING}


def test_what_is_open_and_what_counts_against_the_caps() -> None:
    assert set(OPEN) == {Status.CREATED, Status.AWAITING}
    assert set(PAYING) == {Status.CHARGING, Status.UNKNOWN, Status.SUCCEEDED}


def test_a_status_is_the_fold_of_the_facts() -> None:
    facts = [Fact.CREATED, Fact.PROMPTED, Fact.ANSWERED, Fact.CONFIRMED, Fact.INTENDED, Fact.LOST, Fact.CHARGED]
    assert [fold(facts[: end + 1]) for end in range(len(facts))] == [
        Status.CREATED,
        Status.AWAITING,
        Status.AWAITING,
        Status.CHARGING,
        Status.CHARGING,
        Status.UNKNOWN,
        Status.SUCCEEDED,
    ]
    assert fold([*facts, Fact.REFUNDED, Fact.DISCREPANCY, Fact.REPORTED]) is Status.SUCCEEDED


def test_each_event_has_one_fact() -> None:
    assert sorted(MOVES.values()) == sorted(Event)
