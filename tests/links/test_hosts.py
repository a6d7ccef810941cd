"""Where a bind goes: home while home is there, at once to another host when it is not, and nowhere before its pause."""

from smsgw.kit.limits import Backoff
from smsgw.links.hosts import Tour


def tour(count: int, home: int = 0) -> Tour:
    return Tour(count, home, lambda: Backoff(500, 4_000, random=lambda: 0.0))


def test_binds_begin_at_different_hosts() -> None:
    assert [tour(3, home).choose(0)[0] for home in range(5)] == [0, 1, 2, 0, 1]


def test_a_host_that_failed_is_left_for_the_next_at_once() -> None:
    one = tour(3, 1)
    one.ended(1, 0, lasted=False)
    assert one.choose(0) == (2, 0)
    one.ended(2, 0, lasted=False)
    assert one.choose(0) == (0, 0)


def test_only_when_all_have_failed_there_is_a_pause() -> None:
    one = tour(2)
    one.ended(0, 0, lasted=False)
    one.ended(1, 100, lasted=False)
    assert one.choose(100) == (0, 400)
    assert one.choose(500) == (0, 0)


def test_the_pauses_of_a_host_grow_until_a_bind_there_lasts() -> None:
    one = tour(1)
    pauses = []
    for lasted in (False, False, False, False, True, False):
        one.ended(0, 0, lasted=lasted)
        pauses.append(one.choose(0)[1])
    assert pauses == [500, 1_000, 2_000, 4_000, 500, 1_000]


def test_what_only_a_person_can_mend_is_a_long_pause_for_that_host() -> None:
    one = tour(2)
    one.ended(0, 0, lasted=False, slow_ms=60_000)
    assert one.choose(59_999) == (1, 0)
    assert one.choose(60_000) == (0, 0)


def test_a_host_that_is_back_is_gone_to() -> None:
    one = tour(2)
    one.ended(0, 0, lasted=False, slow_ms=60_000)
    one.expect(0)
    assert one.choose(0) == (0, 0)
