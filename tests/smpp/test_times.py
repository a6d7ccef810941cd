"""Times in SMPP's form: the specification's own examples, zones, and periods that are never shorter than meant."""

from datetime import timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from smsgw.smpp.times import absolute, relative

NOON = 1_785_499_200_000  # 2026-07-31T12:00:00Z
SECOND = 1_000
DAY = 86_400 * SECOND


@pytest.mark.parametrize(
    ("at_ms", "offset_min", "text"),
    [
        (NOON, 0, "260731120000000+"),
        (NOON + 950, 0, "260731120000900+"),
        (NOON, 120, "260731140000008+"),
        (NOON, -330, "260731063000022-"),
        (NOON, 345, "260731174500023+"),
        (NOON, 720, "260801000000048+"),
        (NOON, 765, "260731120000000+"),  # further than SMPP can tell
        (NOON, 7, "260731120000000+"),  # no whole quarters
    ],
)
def test_a_moment_is_told_in_the_smsc_s_own_zone(at_ms: int, offset_min: int, text: str) -> None:
    assert absolute(at_ms, timezone(timedelta(minutes=offset_min))) == text


@pytest.mark.parametrize(
    ("period_ms", "text"),
    [
        (1, "000000000001000R"),
        (90 * SECOND, "000000000130000R"),
        (DAY, "000001000000000R"),
        (30 * DAY, "000100000000000R"),
        (366 * DAY, "010001000000000R"),
        (2 * 365 * DAY + 6 * 30 * DAY + 10 * DAY + 84_869 * SECOND, "020610233429000R"),  # §7.1.1.2's example
    ],
)
def test_a_period_is_told_in_its_largest_units(period_ms: int, text: str) -> None:
    assert relative(period_ms) == text


@given(st.integers(1, 366 * DAY), st.integers(-48, 48))
def test_every_time_has_16_octets_and_every_field_its_range(ms: int, quarters: int) -> None:
    for text in (relative(ms), absolute(NOON + ms, timezone(timedelta(minutes=quarters * 15)))):
        assert len(text) == 16
        assert text[:15].isdigit()
        assert int(text[2:4]) <= 12
        assert int(text[4:6]) <= 31
        assert int(text[6:8]) <= 23
