"""Time as the program sees it: integer milliseconds from a clock that is handed in, so that tests own it."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Two readings: the wall's time for records, the monotonic one for durations and deadlines."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC; may jump."""

    def monotonic_ms(self) -> int:
        """Return milliseconds since some moment in the past; never goes back."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC; may jump."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Return milliseconds since the machine's start (CLOCK_MONOTONIC)."""
        return time.monotonic_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._monotonic_ms = 0

    def now_ms(self) -> int:
        """Return the wall's time."""
        return self._now_ms

    def monotonic_ms(self) -> int:
        """Return the sum of all advances."""
        return self._monotonic_ms

    def advance(self, ms: int) -> None:
        """Let time go by on both readings."""
        if ms < 0:
            raise ValueError("time does not go back; use set_wall for a clock that is put back")
        self._now_ms += ms
        self._monotonic_ms += ms

    def set_wall(self, now_ms: int) -> None:
        """Put the wall clock forward or back, as an administrator or NTP does; the monotonic reading stays."""
        self._now_ms = now_ms


def rfc3339(ms: int) -> str:
    """Return e.g. ``2026-03-01T12:00:00.250Z`` for milliseconds since 1970-01-01 UTC."""
    seconds, rest = divmod(ms, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
