"""Rates and pauses: what a bucket allows over time, and how pauses grow."""

import random

import pytest
from hypothesis import given, strategies as st

from smsgw.kit.limits import Backoff, Throttle, TokenBucket


def test_a_burst_is_allowed_at_once_and_the_rate_afterwards() -> None:
    bucket = TokenBucket(rate_per_s=10, burst=3)
    assert [bucket.take(1, 0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait_ms(1, 0) == 100
    assert not bucket.take(1, 99)
    assert bucket.take(1, 100)
    assert not bucket.take(1, 100)


def test_the_bucket_does_not_grow_beyond_its_burst() -> None:
    bucket = TokenBucket(rate_per_s=10, burst=3)
    assert bucket.take(3, 0)
    assert [bucket.take(1, 3_600_000) for _ in range(4)] == [True, True, True, False]


def test_a_refusal_takes_nothing() -> None:
    bucket = TokenBucket(rate_per_s=1, burst=2)
    assert bucket.take(1, 0)
    assert not bucket.take(2, 0)
    assert bucket.take(1, 0)


def test_more_than_a_burst_waits_for_a_full_bucket_and_leaves_a_debt() -> None:
    bucket = TokenBucket(rate_per_s=10, burst=2)
    assert bucket.take(1, 0)
    assert bucket.wait_ms(5, 0) == 100
    assert bucket.take(5, 100)
    assert bucket.wait_ms(1, 100) == 400


def test_a_clock_that_goes_back_fills_nothing_and_blocks_nothing() -> None:
    bucket = TokenBucket(rate_per_s=10, burst=1)
    assert bucket.take(1, 1000)
    assert not bucket.take(1, 0)
    assert bucket.take(1, 100)


def test_slow_rates_count_too() -> None:
    bucket = TokenBucket(rate_per_s=0.5, burst=1)
    assert bucket.take(1, 0)
    assert bucket.wait_ms(1, 0) == 2000


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_a_bucket_that_allows_nothing_is_a_mistake(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="allows nothing"):
        TokenBucket(rate, burst)


@given(st.floats(0.01, 20_000), st.integers(1, 100), st.lists(st.tuples(st.integers(1, 20), st.integers(0, 500))))
def test_the_wait_is_exactly_as_long_as_needed(rate: float, burst: int, steps: list[tuple[int, int]]) -> None:
    bucket = TokenBucket(rate, burst)
    now_ms = taken = 0
    for n, pause_ms in steps:
        now_ms += pause_ms
        wait_ms = bucket.wait_ms(n, now_ms)
        if wait_ms:
            assert not bucket.take(n, now_ms + wait_ms - 1)
        now_ms += wait_ms
        assert bucket.take(n, now_ms)
        taken += n
        assert taken <= burst + rate * 1.01 * now_ms / 1000 + n


def test_pauses_grow_up_to_the_ceiling_and_begin_anew_after_a_success() -> None:
    backoff = Backoff(100, 1000, random=lambda: 0.0)
    assert [backoff.next() for _ in range(6)] == [100, 200, 400, 800, 1000, 1000]
    backoff.reset()
    assert backoff.next() == 100


def test_chance_shortens_pauses_by_up_to_the_jitter() -> None:
    backoff = Backoff(1000, 60_000, factor=1, jitter=0.2, random=iter([0.0, 0.5, 0.999]).__next__)
    assert [backoff.next() for _ in range(3)] == [1000, 900, 800]


@given(st.integers(1, 10_000), st.integers(1, 100_000), st.floats(1, 10), st.floats(0, 1), st.integers())
def test_no_pause_is_negative_or_above_the_ceiling(
    first_ms: int, ceiling_ms: int, factor: float, jitter: float, seed: int
) -> None:
    backoff = Backoff(first_ms, ceiling_ms, factor, jitter, random=random.Random(seed).random)
    assert all(0 <= backoff.next() <= ceiling_ms for _ in range(400))


# --- a rate that gives way ------------------------------------------------------------------------------------------


def sent(throttle: Throttle, from_ms: int, to_ms: int) -> int:
    """Send as fast as is allowed; return how many went out."""
    now_ms, count = from_ms, 0
    while now_ms < to_ms:
        if pause_ms := throttle.wait_ms(now_ms):
            now_ms += pause_ms
        else:
            throttle.spend(1, now_ms)
            count += 1
            now_ms += 1  # nobody sends more than a thousand a second here
    return count


def test_a_set_rate_is_kept() -> None:
    assert 500 <= sent(Throttle(50), 0, 10_000) <= 506


def test_what_counts_more_waits_longer() -> None:
    throttle = Throttle(10)
    throttle.spend(5, 0)
    assert throttle.wait_ms(0) == 500


def test_too_much_halves_the_rate_once_for_all_that_is_on_its_way() -> None:
    throttle = Throttle(50)
    assert throttle.slow_down(5_000)
    assert not throttle.slow_down(5_000)
    assert not throttle.slow_down(5_999)
    assert throttle.per_s == 25
    assert throttle.slow_down(6_000)
    assert throttle.per_s == 12.5


def test_nothing_more_goes_out_at_once_after_it() -> None:
    throttle = Throttle(50)
    throttle.slow_down(0)
    assert throttle.wait_ms(0) == 40


def test_the_rate_comes_back_by_equal_steps_up_to_what_is_set() -> None:
    throttle = Throttle(60)
    throttle.slow_down(0)
    rates = []
    for second in range(1, 34):
        throttle.wait_ms(second * 1_000)
        rates.append(throttle.per_s)
    assert rates[:3] == [32, 34, 36]
    assert rates[13:16] == [58, 60, 60]


def test_small_steps_lose_nothing_of_what_has_flowed_in() -> None:
    throttle = Throttle(60)
    for second in range(7):
        throttle.slow_down(second * 1_000)
    assert throttle.per_s == 1
    assert 2 <= sent(throttle, 6_000, 8_000) <= 5


def test_a_step_back_up_does_not_make_the_next_complaint_unheard() -> None:
    throttle = Throttle(64)
    throttle.slow_down(0)
    for second in range(1, 20):
        throttle.wait_ms(second * 1_100 - 1)
        throttle.slow_down(second * 1_100)
    assert throttle.per_s < 5


def test_minutes_of_complaints_leave_one_try_a_second() -> None:
    throttle = Throttle(200)
    for second in range(600):
        throttle.slow_down(second * 1_000)
    assert throttle.per_s == 1
    assert Throttle(0.5).slow_down(0) is False, "what is slower already stays as it is"


def test_without_a_set_rate_what_was_sent_is_halved_and_at_last_there_is_no_limit_again() -> None:
    throttle = Throttle(0)
    assert throttle.wait_ms(0) == 0
    for now_ms in range(0, 3_000, 10):
        throttle.spend(1, now_ms)
    assert throttle.slow_down(3_000)
    assert throttle.per_s == 50
    assert sent(throttle, 3_000, 4_000) == pytest.approx(50, abs=6)
    throttle.wait_ms(60_000)
    assert throttle.per_s == 0
    assert throttle.wait_ms(60_000) == 0


def test_a_link_that_has_sent_nothing_can_be_slowed_down() -> None:
    throttle = Throttle(0)
    throttle.slow_down(0)
    assert throttle.per_s == 1
