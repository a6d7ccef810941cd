"""Lines: what waits for a link is held once, in its order, up to a limit; what is put off has its time."""

import pytest

from smsgw.errors import StoreUnavailable
from smsgw.flows.payments import lines as module
from smsgw.flows.payments.lines import Lines, PutOff, Rounds
from smsgw.kit.clock import ManualClock


def opened(*waiting: str) -> Lines[tuple[str, str]]:
    """Return lines of two links, in which "north 1" waits for north by the name of 1."""
    lines: Lines[tuple[str, str]] = Lines(["north", "south"], lambda place: place)
    for one in waiting:
        link, name = one.split()
        lines.hold((link, name))
    return lines


def test_each_link_has_its_own_line_and_room() -> None:
    lines = opened("north 1", "south 2", "north 3", "north 4")
    room = {"north": 2, "south": 5}
    assert lines.take(room.__getitem__) == [("north", "1"), ("north", "3"), ("south", "2")]
    assert lines.take(room.__getitem__) == [("north", "4")]
    assert lines.take(room.__getitem__) == []


def test_a_link_without_room_keeps_what_waits_and_one_without_a_line_is_not_asked() -> None:
    lines = opened("north 1")
    asked = []

    def room(link: str) -> int:
        asked.append(link)
        return -1

    assert lines.take(room) == []
    assert asked == ["north"]
    assert lines


def test_nothing_is_held_twice_and_nothing_for_a_link_that_there_is_not() -> None:
    lines = opened("north 1", "north 1", "west 2")
    assert "1" in lines
    assert "2" not in lines
    assert lines.take(lambda _: 9) == [("north", "1")]
    assert "1" not in lines
    assert not lines


def test_what_was_taken_is_put_back_where_it_was() -> None:
    lines = opened("north 1", "north 2", "north 3")
    taken = lines.take(lambda _: 2)
    lines.put_back(taken)
    assert "2" in lines
    assert lines.take(lambda _: 9) == [("north", "1"), ("north", "2"), ("north", "3")]


def test_a_line_without_room_leaves_the_rest_to_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CAPACITY", 2)
    lines = opened()
    lines.lacking = False
    lines.hold(("north", "1"))
    assert not lines.full
    lines.hold(("north", "2"))
    assert (lines.full, lines.lacking) == (True, False)
    lines.hold(("north", "3"))
    assert lines.lacking
    assert "3" not in lines
    lines.hold(("south", "4"))
    assert "4" in lines


def test_what_could_not_be_read_back_is_lacking_still() -> None:
    lines = opened()
    with pytest.raises(StoreUnavailable), lines.reading_back():
        raise StoreUnavailable("gone")
    assert lines.lacking
    with lines.reading_back():
        pass
    assert not lines.lacking


def test_what_is_found_to_be_lacking_while_it_is_read_stays_so() -> None:
    lines = opened()
    with lines.reading_back():
        lines.lacking = True  # another node's attempts are ours now
    assert lines.lacking


def test_the_store_is_looked_into_now_and_then_though_nobody_asks() -> None:
    clock = ManualClock()
    rounds = Rounds(clock)
    assert [rounds.begin(), rounds.begin()] == [True, False]
    assert rounds.wait_s() == 10.0
    clock.set_wall(clock.now_ms() - 3_600_000)
    clock.advance(9_999)
    assert not rounds.begin()
    clock.advance(1)
    assert rounds.begin()


def test_what_is_put_off_is_due_when_its_pause_is_over() -> None:
    clock = ManualClock()
    put_off = PutOff(clock)
    assert (put_off.due(), put_off.wait_s()) == (set(), None)
    put_off.add("late", clock.now_ms() + 2_000)
    put_off.add("soon", clock.now_ms() + 500)
    put_off.add("past", clock.now_ms() - 500)
    assert (put_off.due(), put_off.wait_s()) == ({"past"}, 0.0)
    put_off.drop({"past"})
    assert (put_off.due(), put_off.wait_s()) == (set(), 0.5)
    assert ("past" in put_off, "soon" in put_off) == (False, True)
    clock.advance(500)
    assert put_off.due() == {"soon"}


def test_a_clock_that_is_put_back_makes_no_pause_longer() -> None:
    clock = ManualClock()
    put_off = PutOff(clock)
    put_off.add("one", clock.now_ms() + 500)
    clock.set_wall(clock.now_ms() - 3_600_000)
    clock.advance(500)
    assert put_off.due() == {"one"}
