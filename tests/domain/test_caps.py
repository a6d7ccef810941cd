"""How much one phone may pay: each cap counts what it is over, since its day or month began where the phone lives."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from smsgw.domain.caps import Spent, day_began_ms, exceeded, month_began_ms
from smsgw.settings.merchant import Cap

SOFIA = ZoneInfo("Europe/Sofia")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOW = at("2026-11-15T22:30:00")  # half past midnight of the 16th in Sofia


def spent(amount_minor: int = 100, when: int = NOW, **fields: str) -> Spent:
    given: dict[str, Any] = {"merchant": "gold", "product": "small", "currency": "EUR"}
    return Spent(amount_minor=amount_minor, confirmed_ms=when, **(given | fields))


def cap(per: Any, over: Any = "merchant", amount_minor: int = 0, count: int = 0) -> Cap:
    return Cap(per=per, over=over, amount_minor=amount_minor, count=count, currency="EUR" if amount_minor else "")


BEFORE = [
    spent(300, at("2026-11-15T22:10:00")),  # today in Sofia
    spent(300, at("2026-11-15T21:50:00")),  # yesterday
    spent(300, at("2026-11-15T22:10:00"), product="big"),
    spent(300, at("2026-11-15T22:10:00"), merchant="silver"),
    spent(300, at("2026-11-15T22:10:00"), currency="USD"),
]


@pytest.mark.parametrize(
    ("one", "fits"),
    [
        (cap("payment", amount_minor=100), True),
        (cap("payment", amount_minor=99), False),
        (cap("day", "product", amount_minor=400), True),
        (cap("day", "product", amount_minor=399), False),
        (cap("day", "merchant", amount_minor=700), True),
        (cap("day", "merchant", amount_minor=699), False),
        (cap("day", "all", amount_minor=1_000), True),
        (cap("day", "all", amount_minor=999), False),
        (cap("month", "product", amount_minor=700), True),
        (cap("month", "product", amount_minor=699), False),
        (cap("day", "product", count=3), True),  # two, and this one: the other currency counts
        (cap("day", "product", count=2), False),
        (cap("month", "all", count=6), True),
        (cap("month", "all", count=5), False),
        (cap("payment", count=1), True),
    ],
)
def test_caps(one: Cap, fits: bool) -> None:  # noqa: FBT001 - a column of the table
    assert exceeded(spent(), BEFORE, [one], SOFIA) == (None if fits else one)


def test_the_first_cap_that_does_not_fit_is_named() -> None:
    small, smaller = cap("day", amount_minor=600), cap("day", amount_minor=500)
    assert exceeded(spent(), BEFORE, [cap("payment", amount_minor=1_000), small, smaller], SOFIA) is small
    assert exceeded(spent(), BEFORE, [], SOFIA) is None


def test_a_day_and_a_month_begin_where_the_phone_lives() -> None:
    assert day_began_ms(NOW, SOFIA) == at("2026-11-15T22:00:00")
    assert month_began_ms(NOW, SOFIA) == at("2026-10-31T22:00:00")
    assert month_began_ms(at("2026-10-31T21:59:59"), SOFIA) == at("2026-09-30T21:00:00")  # summer time
