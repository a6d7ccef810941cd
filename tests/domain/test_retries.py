"""When a merchant is tried again: the pauses of Standard Webhooks 1.0, never shorter, a tenth longer at most.

And what a server's Retry-After comes to, whoever wrote it.
"""

from typing import Final

import pytest
from hypothesis import given, strategies

from smsgw.domain.retries import ASKED_MS, PAUSES_MS, asked_ms, pause_ms

NOW_MS: Final = 784_111_777_000  # Sun, 06 Nov 1994 08:49:37 GMT


def test_the_pauses_are_those_of_the_specification() -> None:
    hours = [pause / 3_600_000 for pause in PAUSES_MS]
    assert hours == [5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]


def test_chance_makes_them_longer_only() -> None:
    assert (pause_ms(1, 10, 0.0), pause_ms(1, 10, 0.999999)) == (5_000, 5_500)


def test_after_the_last_try_there_is_no_pause() -> None:
    assert [pause_ms(tries, 3, 0.0) for tries in (1, 2, 3, 4)] == [5_000, 300_000, None, None]
    assert pause_ms(9, 10, 0.0) == 86_400_000
    assert pause_ms(10, 99, 0.0) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("86400", 86_400),
        ("86401", 86_400),
        ("999999999999", 86_400),
        ("Sun, 06 Nov 1994 08:51:37 GMT", 120),
        ("Sunday, 06-Nov-94 08:51:37 GMT", 120),  # RFC 9110 §5.6.7: two forms that are obsolete, and are read
        ("Sun Nov  6 08:51:37 1994", 120),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("-5", 0),
        ("1.5", 0),
        ("٣", 0),
        ("soon", 0),
        ("9" * 5_000, 0),
        ("Sun, 06 Nov 99999 08:51:37 GMT", 0),
        ("", 0),
    ],
)
def test_a_server_may_ask_for_seconds_or_until_a_date_a_day_at_most(value: str, seconds: int) -> None:
    assert asked_ms(value, NOW_MS) == seconds * 1000


@given(strategies.text() | strategies.text("0123456789 ,:-+GMTSunNov"))
def test_no_header_does_harm(value: str) -> None:
    assert 0 <= asked_ms(value, NOW_MS) <= ASKED_MS
