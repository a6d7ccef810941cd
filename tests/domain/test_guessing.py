"""Wrong codes: who must wait, how long, and what a service bears before nothing is looked at any more."""

import pytest
from hypothesis import given, strategies as st
from msgspec import structs

from smsgw.domain.guessing import HOUR_MS, Load, Visitor, after_failure, load_of, under_attack, visitor_key, wait_ms
from smsgw.settings import Guessing

LIMITS = Guessing()
QUIET = Load()
NOW = 500_000 * HOUR_MS
MINUTE = 60_000


def failed(times: int, visitor: Visitor | None = None, now_ms: int = NOW, load: Load = QUIET) -> Visitor:
    visitor = visitor or Visitor()
    for _ in range(times):
        visitor = after_failure(LIMITS, visitor, load, now_ms)
    return visitor


# --- a visitor ------------------------------------------------------------------------------------------------------


def test_four_mistakes_are_free_and_the_fifth_costs_a_minute() -> None:
    assert wait_ms(LIMITS, failed(4), QUIET, NOW) == 0
    assert wait_ms(LIMITS, failed(5), QUIET, NOW) == MINUTE
    assert wait_ms(LIMITS, failed(5), QUIET, NOW + MINUTE) == 0


def test_every_further_failure_doubles_the_pause_up_to_an_hour() -> None:
    visitor, now_ms, pauses = failed(4), NOW, []
    for _ in range(9):
        visitor = after_failure(LIMITS, visitor, QUIET, now_ms)
        pauses.append(wait_ms(LIMITS, visitor, QUIET, now_ms) // MINUTE)
        now_ms = visitor.until_ms
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_mistakes_that_are_ten_minutes_old_are_forgotten() -> None:
    visitor = failed(4)
    assert failed(1, visitor, NOW + 10 * MINUTE - 1).until_ms > 0
    assert failed(1, visitor, NOW + 10 * MINUTE) == Visitor(failures=(NOW + 10 * MINUTE,))


def test_pauses_are_forgotten_after_a_quiet_window() -> None:
    visitor = failed(6)
    end_ms = visitor.until_ms
    assert failed(1, visitor, end_ms + 10 * MINUTE - 1).pauses == 3
    assert failed(1, visitor, end_ms + 10 * MINUTE).pauses == 0


def test_the_window_slides() -> None:
    """Four mistakes at the end of ten minutes, and one at the beginning of the next, are five within one minute."""
    visitor = failed(3, failed(1), NOW + 9 * MINUTE + 50_000)
    visitor = failed(1, visitor, NOW + 10 * MINUTE)
    assert wait_ms(LIMITS, visitor, QUIET, NOW + 10 * MINUTE) == 0, "the first is ten minutes old"
    visitor = failed(1, visitor, NOW + 10 * MINUTE + 10_000)
    assert wait_ms(LIMITS, visitor, QUIET, NOW + 10 * MINUTE + 10_000) == MINUTE


def test_who_is_wrong_now_and_then_never_waits() -> None:
    visitor = Visitor()
    for number in range(100):
        now_ms = NOW + number * 150_000  # four in any ten minutes
        assert wait_ms(LIMITS, visitor, QUIET, now_ms) == 0
        visitor = failed(1, visitor, now_ms)
    assert (visitor.pauses, len(visitor.failures)) == (0, 4)


@given(
    allowed=st.integers(1, 6),
    gaps=st.lists(st.sampled_from([0, 1, 10, 100, 300, 500, 900, 999, 1_000, 1_001, 3_000]), max_size=40),
    pause_s=st.sampled_from([0.1, 1, 5]),
)
def test_no_window_holds_more_failures_than_allowed_without_a_pause(
    allowed: int, gaps: list[int], pause_s: float
) -> None:
    """However visitors time their guesses: the one that completes the number in a window costs a pause, no earlier."""
    limits = Guessing(visitor_failures=allowed, visitor_window_s=1, first_pause_s=pause_s)
    visitor, now_ms = Visitor(), NOW
    looked_at: list[tuple[int, bool]] = []  # when, and whether it cost a pause
    for gap in gaps:
        now_ms += gap
        if wait_ms(limits, visitor, QUIET, now_ms):
            continue
        visitor = after_failure(limits, visitor, QUIET, now_ms)
        paused = wait_ms(limits, visitor, QUIET, now_ms) > 0
        looked_at.append((now_ms, paused))
        within = [paused for at_ms, paused in looked_at if at_ms > now_ms - 1_000]
        assert paused or len(within) < allowed
        assert sum(not paused for paused in within) < allowed
        assert not paused or len(within) == allowed or visitor.pauses > 1, "nobody waits for fewer"
        assert len(visitor.failures) <= allowed, "what is remembered stays small"


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1"])
def test_an_ipv4_address_is_one_visitor(address: str) -> None:
    assert visitor_key(address) == "192.0.2.1"


def test_an_ipv6_network_of_64_bits_is_one_visitor() -> None:
    assert visitor_key("2001:db8:1:2:3:4:5:6") == visitor_key("2001:DB8:1:2::1") == "2001:db8:1:2::/64"
    assert visitor_key("2001:db8:1:3::1") != visitor_key("2001:db8:1:2::1")
    assert visitor_key("fe80::1%eth0") == "fe80::/64"


def test_what_is_no_address_is_a_visitor_too() -> None:
    assert visitor_key("unknown") == "unknown"
    assert len(visitor_key("x" * 10_000)) == 64


# --- a service ------------------------------------------------------------------------------------------------------


def test_failures_are_summed_up_over_the_last_hour_and_the_last_day() -> None:
    hour = NOW // HOUR_MS
    hours = {hour: 7, hour - 1: 10, hour - 23: 100, hour - 24: 1_000, hour + 1: 5}
    assert load_of(hours, NOW) == Load(hour=17, day=117)
    assert load_of(hours, NOW + HOUR_MS // 2).hour == 12, "half of the hour before is more than an hour ago"
    assert load_of({}, NOW) == QUIET


def test_under_attack_the_first_failure_costs_a_pause() -> None:
    load = Load(hour=100, day=100)
    assert under_attack(LIMITS, load)
    assert not under_attack(LIMITS, structs.replace(load, hour=99))
    assert wait_ms(LIMITS, failed(1, load=load), load, NOW) == MINUTE
    assert wait_ms(LIMITS, Visitor(), load, NOW) == 0, "who was not wrong does not wait"


def test_above_the_daily_limit_everybody_waits_until_the_day_has_moved_on() -> None:
    load = Load(hour=0, day=1_000)
    assert wait_ms(LIMITS, Visitor(), load, NOW + 10 * MINUTE) == 50 * MINUTE
    assert wait_ms(LIMITS, Visitor(), structs.replace(load, day=999), NOW) == 0
    paused = Visitor(failures=(NOW,), pauses=7, until_ms=NOW + 2 * HOUR_MS)
    assert wait_ms(LIMITS, paused, load, NOW) == 2 * HOUR_MS


# --- a million guesses ----------------------------------------------------------------------------------------------


def _guess(addresses: int, days: int) -> tuple[int, int]:
    """Let addresses guess whenever they may; return how many guesses were looked at, and how many were tried."""
    hours: dict[int, int] = {}
    visitors = [Visitor() for _ in range(addresses)]
    looked_at = tried = 0
    end_ms = NOW + days * 24 * HOUR_MS
    now_ms = NOW
    while now_ms < end_ms:
        for number, visitor in enumerate(visitors):
            load = load_of(hours, now_ms)
            tried += 1
            if wait_ms(LIMITS, visitor, load, now_ms) == 0:
                looked_at += 1
                visitors[number] = after_failure(LIMITS, visitor, load, now_ms)
                hours[now_ms // HOUR_MS] = hours.get(now_ms // HOUR_MS, 0) + 1
        now_ms += 20 * MINUTE
    return looked_at, tried


def test_of_a_million_guesses_from_a_thousand_addresses_a_few_thousand_are_looked_at() -> None:
    looked_at, tried = _guess(addresses=1_000, days=14)
    assert tried == 1_008_000
    assert looked_at <= 14 * 1_000 + 1_000, "the daily limit holds, whoever guesses"


def test_one_address_that_goes_on_and_on_gets_one_guess_an_hour() -> None:
    visitor, looked_at = Visitor(), 0
    for minute in range(14 * 24 * 60):
        if wait_ms(LIMITS, visitor, QUIET, NOW + minute * MINUTE) == 0:
            visitor, looked_at = after_failure(LIMITS, visitor, QUIET, NOW + minute * MINUTE), looked_at + 1
    assert looked_at <= 14 * 24 + 10
