"""Clocks: two readings, and the form in which times leave the program."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from smsgw.kit.clock import Clock, ManualClock, SystemClock, rfc3339


def test_the_systems_clock_reads_the_systems_time() -> None:
    clock: Clock = SystemClock()
    before = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
    reading = clock.now_ms(), clock.monotonic_ms()
    after = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
    assert before[0] <= reading[0] <= after[0]
    assert before[1] <= reading[1] <= after[1]


def test_a_manual_clock_moves_when_told() -> None:
    clock = ManualClock(1000)
    clock.advance(250)
    assert (clock.now_ms(), clock.monotonic_ms()) == (1250, 250)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


def test_a_wall_clock_can_be_put_back_and_the_monotonic_one_cannot() -> None:
    clock = ManualClock(1000)
    clock.advance(250)
    clock.set_wall(500)
    assert (clock.now_ms(), clock.monotonic_ms()) == (500, 250)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_772_366_400_250, "2026-03-01T12:00:00.250Z"),
        (1_772_366_400_007, "2026-03-01T12:00:00.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_times_leave_as_rfc_3339(ms: int, text: str) -> None:
    assert rfc3339(ms) == text


@given(st.integers(0, 253_402_300_799_999))
def test_any_time_until_the_year_9999_can_be_read_back(ms: int) -> None:
    back = datetime.fromisoformat(rfc3339(ms)) - datetime(1970, 1, 1, tzinfo=UTC)
    assert back.days * 86_400_000 + back.seconds * 1000 + back.microseconds // 1000 == ms
