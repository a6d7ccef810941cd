"""Times as SMPP writes them (SMPP 3.4 §7.1.1): YYMMDDhhmmsstnnp, absolute or relative."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_QUARTER: Final = timedelta(minutes=15)
_MOST_QUARTERS: Final = 48
_DAYS_OF_YEAR: Final = 365
_DAYS_OF_MONTH: Final = 30


def absolute(at_ms: int, zone: tzinfo = UTC) -> str:
    """Return a moment as the clock of a time zone shows it, to the tenth of a second.

    Args:
        at_ms: milliseconds UTC.
        zone: its difference from UTC is told in quarters of an hour, up to 12 hours; one that cannot be is told in UTC.
    """
    local = datetime.fromtimestamp(at_ms // 1000, tz=zone)
    quarters, rest = divmod(local.utcoffset() or timedelta(), _QUARTER)
    if rest or abs(quarters) > _MOST_QUARTERS:
        return absolute(at_ms)
    return f"{local:%y%m%d%H%M%S}{at_ms % 1000 // 100}{abs(quarters):02}{'-' if quarters < 0 else '+'}"


def relative(period_ms: int) -> str:
    """Return a period from now: years of 365 days, months of 30, days and the time, rounded up to seconds."""
    seconds = -(-period_ms // 1000)
    days, seconds = divmod(seconds, 86_400)
    years, days = divmod(days, _DAYS_OF_YEAR)
    months, days = divmod(days, _DAYS_OF_MONTH)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    return f"{years:02}{months:02}{days:02}{hours:02}{minutes:02}{seconds:02}000R"
