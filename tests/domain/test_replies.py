"""Templates: placeholders are filled in one pass, times and periods are told as people read them."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from smsgw.domain.replies import PLACEHOLDERS, duration, local_time, render, unknown_placeholders

VALUES = {name: f"<{name}>" for name in PLACEHOLDERS}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("no placeholder", "no placeholder"),
        ("{code}", "<code>"),
        ("{code}{code}", "<code><code>"),
        ("a {code} b {valid_until} c", "a <code> b <valid_until> c"),
        ("{service}: {price}, {uses}, {support}", "<service>: <price>, <uses>, <support>"),
    ],
)
def test_placeholders_are_filled_in(template: str, text: str) -> None:
    assert render(template, VALUES) == text


def test_a_value_with_braces_in_it_stays_as_it_is() -> None:
    values = VALUES | {"service": "{code}", "price": "{", "support": "}"}
    assert render("{service}{price}code{support}", values) == "{code}{code}"


@pytest.mark.parametrize(
    ("template", "unknown"),
    [
        ("{code} {valid_until} {uses} {price} {service} {support}", []),
        ("plain", []),
        ("{kode}", ["kode"]),
        ("{Code}", ["Code"]),
        ("{ code }", [" code "]),
        ("{}", [""]),
        ("{a} {b}", ["a", "b"]),
        ("{code", ["{"]),
        ("code}", ["}"]),
        ("{{code}}", ["{", "}"]),
        ("}{", ["{", "}"]),
    ],
)
def test_what_is_no_placeholder_is_found(template: str, unknown: list[str]) -> None:
    assert unknown_placeholders(template) == unknown


@given(st.text("{}ab code", max_size=30))
def test_a_template_without_problems_can_always_be_filled(template: str) -> None:
    if not unknown_placeholders(template):
        assert "{" not in render(template, dict.fromkeys(PLACEHOLDERS, "x"))


def test_a_moment_is_told_in_the_service_s_own_time() -> None:
    at_ms = 1_785_502_859_999  # 2026-07-31T13:00:59.999Z
    assert local_time(at_ms, ZoneInfo("UTC")) == "2026-07-31 13:00"
    assert local_time(at_ms, ZoneInfo("Europe/Sofia")) == "2026-07-31 16:00"
    assert local_time(at_ms, ZoneInfo("America/New_York")) == "2026-07-31 09:00"


def test_the_hour_that_comes_twice_is_told_as_the_clock_on_the_wall_shows_it() -> None:
    at_ms = 1_792_887_900_000  # 2026-10-25T00:25Z; an hour later Sofia puts its clocks back
    assert [local_time(at_ms + hour * 3_600_000, ZoneInfo("Europe/Sofia")) for hour in (0, 1, 2)] == [
        "2026-10-25 03:25",
        "2026-10-25 03:25",
        "2026-10-25 04:25",
    ]


@pytest.mark.parametrize(
    ("ms", "told"),
    [
        (1_000, "1 s"),
        (59_000, "59 s"),
        (60_000, "1 min"),
        (90_000, "90 s"),
        (5_400_000, "90 min"),
        (3_600_000, "1 h"),
        (86_400_000, "1 day"),
        (172_800_000, "2 days"),
        (90_000_000, "25 h"),
    ],
)
def test_a_period_is_told_in_its_largest_whole_unit(ms: int, told: str) -> None:
    assert duration(ms) == told
