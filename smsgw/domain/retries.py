"""When an event that a merchant did not take is posted again: the schedule of Standard Webhooks 1.0."""

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
