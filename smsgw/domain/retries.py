"""When an event that a merchant did not take is posted again: the schedule of Standard Webhooks 1.0.

Later than that when the merchant's server asks for a longer pause.
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

_SECOND: Final = 1_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE

# Before each try, from the second on; the first is made at once.
PAUSES_MS: Final = (
    5 * _SECOND,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
ASKED_MS: Final = 24 * _HOUR  # the longest pause that a server may ask for
_SECONDS = re.compile(r"[0-9]{1,12}").fullmatch
_LONGEST: Final = 64  # characters; no date has more
JITTER: Final = 0.1  # the largest share of a pause that chance adds, so that not all come back at once


def pause_ms(tries: int, max_tries: int, chance: float) -> int | None:
    """Return how long to wait after a try that failed; None when it was the last.

    Args:
        tries: that have been made, at least 1.
        max_tries: that may be made.
        chance: 0 ≤ x < 1.
    """
    if tries >= max_tries or tries > len(PAUSES_MS):
        return None
    return round(PAUSES_MS[tries - 1] * (1 + JITTER * chance))


def asked_ms(retry_after: str, now_ms: int) -> int:
    """Return the pause that a server asks for, at most ``ASKED_MS``; 0 when it is not understood (RFC 9110 §10.2.3).

    Args:
        retry_after: the header's value, seconds or a date; hostile.
        now_ms: since 1970-01-01 UTC.
    """
    value = retry_after.strip()
    if _SECONDS(value):
        return min(int(value) * _SECOND, ASKED_MS)
    if len(value) > _LONGEST:
        return 0
    try:
        date = parsedate_to_datetime(value)
        until_ms = round((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0
    return min(max(0, until_ms - now_ms), ASKED_MS)
