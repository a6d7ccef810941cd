"""Ids: a kind and a UUIDv7, strictly increasing whatever the clock does."""

import random
import uuid
from collections.abc import Callable

from hypothesis import given, strategies as st

from smsgw.kit.clock import ManualClock
from smsgw.kit.ids import IdMaker

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def unpacked(made: str) -> uuid.UUID:
    value = 0
    for character in made.rpartition("_")[2]:
        value = value << 5 | CROCKFORD.index(character)
    return uuid.UUID(int=value)


def seeded(seed: int = 1) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def test_an_id_is_its_kind_and_26_characters() -> None:
    made = IdMaker(ManualClock(), seeded()).new("mo")
    kind, mark, rest = made.partition("_")
    assert (kind, mark, len(rest)) == ("mo", "_", 26)
    assert set(rest) <= set(CROCKFORD)


def test_the_characters_are_a_uuid_of_version_7_with_the_time_in_front() -> None:
    clock = ManualClock(1_772_366_400_250)
    ids = IdMaker(clock, seeded())
    for _ in range(1000):
        made = unpacked(ids.new("pay"))
        assert made.version == 7
        assert made.variant == uuid.RFC_4122
        assert made.int >> 80 == 1_772_366_400_250


def test_ids_of_one_millisecond_increase() -> None:
    ids = IdMaker(ManualClock(), seeded())
    made = [ids.new("mo") for _ in range(20_000)]
    assert made == sorted(set(made))


def test_the_time_runs_ahead_when_one_millisecond_is_not_enough() -> None:
    clock = ManualClock(1000)
    ids = IdMaker(clock, seeded())
    made = [unpacked(ids.new("mo")).int >> 80 for _ in range(50_000)]
    assert made[0] == 1000
    assert 1003 <= made[-1] <= 1007  # 8,192 to 16,384 ids in each


def test_a_millisecond_has_room_for_8192_ids_wherever_its_counter_began() -> None:
    for seed in range(10):
        ids = IdMaker(ManualClock(), seeded(seed))
        assert len({ids.new("mo")[:13] for _ in range(8192)}) == 1


@given(st.lists(st.integers(-50, 50), max_size=60), st.integers())
def test_ids_increase_when_the_clock_is_put_forward_or_back(jumps: list[int], seed: int) -> None:
    clock = ManualClock(1000)
    ids = IdMaker(clock, seeded(seed))
    made = []
    for jump in jumps:
        made += [ids.new("mo"), ids.new("mo")]
        clock.set_wall(clock.now_ms() + jump)
    assert made == sorted(set(made))


def test_two_processes_that_share_a_millisecond_make_different_ids() -> None:
    clock = ManualClock()
    ours, theirs = IdMaker(clock, seeded(1)), IdMaker(clock, seeded(2))
    assert not {ours.new("mo") for _ in range(1000)} & {theirs.new("mo") for _ in range(1000)}


def test_a_seed_makes_the_same_ids_again() -> None:
    first, second = IdMaker(ManualClock(), seeded()), IdMaker(ManualClock(), seeded())
    assert [first.new("mo") for _ in range(300)] == [second.new("mo") for _ in range(300)]


def test_all_random_bits_are_random() -> None:
    """60 bits behind the counter take both values, each about as often."""
    clock = ManualClock()
    ids = IdMaker(clock, seeded())
    made = [unpacked(ids.new("mo")).int for _ in range(2000)]
    for bit in range(60):
        assert 800 < sum(value >> bit & 1 for value in made) < 1200
