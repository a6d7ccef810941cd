"""The table of an MT's states, walked cell by cell: states only move forward, and four of them are the end."""

import itertools

import pytest

from smsgw.domain.messages import NEXT, Event, Status, follow

MOVES = {
    (Status.QUEUED, Event.ACCEPT): Status.ACCEPTED,
    (Status.QUEUED, Event.REFUSE): Status.REFUSED,
    (Status.QUEUED, Event.RETRY): Status.QUEUED,
    (Status.QUEUED, Event.EXPIRE): Status.EXPIRED,
    (Status.QUEUED, Event.INTEND): Status.INTENT,
    (Status.INTENT, Event.ACCEPT): Status.ACCEPTED,
    (Status.INTENT, Event.REFUSE): Status.REFUSED,
    (Status.INTENT, Event.RETRY): Status.QUEUED,
    (Status.INTENT, Event.EXPIRE): Status.EXPIRED,
    (Status.INTENT, Event.LOSE): Status.UNKNOWN,
    (Status.INTENT, Event.DELIVER): Status.DELIVERED,
    (Status.INTENT, Event.FAIL): Status.FAILED,
    (Status.UNKNOWN, Event.ACCEPT): Status.ACCEPTED,
    (Status.UNKNOWN, Event.REFUSE): Status.REFUSED,
    (Status.UNKNOWN, Event.DELIVER): Status.DELIVERED,
    (Status.UNKNOWN, Event.FAIL): Status.FAILED,
    (Status.ACCEPTED, Event.DELIVER): Status.DELIVERED,
    (Status.ACCEPTED, Event.FAIL): Status.FAILED,
}
FINAL = {Status.REFUSED, Status.EXPIRED, Status.DELIVERED, Status.FAILED}
ORDER = [Status.QUEUED, Status.INTENT, Status.UNKNOWN, Status.ACCEPTED, *sorted(FINAL)]


@pytest.mark.parametrize(("state", "event"), list(itertools.product(Status, Event)))
def test_every_event_in_every_state(state: Status, event: Event) -> None:
    assert follow(state, event) is MOVES.get((state, event), state)


def test_the_table_knows_every_state() -> None:
    assert set(NEXT) == set(Status)
    assert {state for state in Status if not NEXT[state]} == FINAL


@pytest.mark.parametrize("state", sorted(FINAL))
@pytest.mark.parametrize("event", Event)
def test_nothing_follows_the_end(state: Status, event: Event) -> None:
    assert follow(state, event) is state


@pytest.mark.parametrize("walk", list(itertools.product(Event, repeat=3)))
def test_no_walk_goes_back(walk: tuple[Event, ...]) -> None:
    state = Status.QUEUED
    for event in walk:
        after = follow(state, event)
        put_off = (state, event, after) == (Status.INTENT, Event.RETRY, Status.QUEUED)  # a definite refusal
        assert put_off or ORDER.index(after) >= ORDER.index(state)
        state = after
