"""How often and how soon: a bucket of tokens for rates, growing pauses for retries; time and chance are arguments."""

from collections.abc import Callable
from typing import Final

_MICRO: Final = 1_000_000


class TokenBucket:
    """Allows ``rate_per_s`` on average and ``burst`` at once.

    Counts in whole millionths of a token, so that ``wait_ms`` and ``take`` never disagree by a rounding. More than
    ``burst`` at once (a message of many parts) is allowed when the bucket is full; what follows waits for the debt.

    Args:
        rate_per_s: tokens a second, at least 0.001.
        burst: size of the bucket, which begins full; at least 1.
    """

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self._per_ms = round(rate_per_s * _MICRO / 1000)
        self._full = burst * _MICRO
        if self._per_ms < 1 or burst < 1:
            raise ValueError("a rate below 0.001 a second, or a burst below 1, allows nothing")
        self._level = self._full
        self._at_ms: int | None = None

    def take(self, n: int, now_ms: int) -> bool:
        """Take ``n`` tokens if they are there; False, and nothing taken, if not."""
        self._fill(now_ms)
        wanted = n * _MICRO
        if self._level < min(wanted, self._full):
            return False
        self._level -= wanted
        return True

    def wait_ms(self, n: int, now_ms: int) -> int:
        """Return how long until ``take(n)`` succeeds if nobody else takes: 0 exactly when it would succeed now."""
        self._fill(now_ms)
        missing = min(n * _MICRO, self._full) - self._level
        return max(0, -(-missing // self._per_ms))

    def _fill(self, now_ms: int) -> None:
        """Add what has flowed in since the last look; a clock that goes back adds nothing."""
        if self._at_ms is None or now_ms < self._at_ms:
            self._at_ms = now_ms
        self._level = min(self._full, self._level + (now_ms - self._at_ms) * self._per_ms)
        self._at_ms = now_ms


class Backoff:
    """Pauses that grow by ``factor`` up to a ceiling, each shortened by chance so that many peers do not come at once.

    Args:
        first_ms: the first pause, before chance.
        ceiling_ms: no pause is longer.
        factor: growth from one pause to the next; at least 1.
        jitter: the largest share of a pause that chance takes away, 0 to 1.
        random: returns 0 ≤ x < 1.
    """

    def __init__(
        self,
        first_ms: int,
        ceiling_ms: int,
        factor: float = 2,
        jitter: float = 0.2,
        *,
        random: Callable[[], float],
    ) -> None:
        self._first_ms = first_ms
        self._ceiling_ms = ceiling_ms
        self._factor = factor
        self._jitter = jitter
        self._random = random
        self._pause_ms: float = min(first_ms, ceiling_ms)

    def next(self) -> int:
        """Return the next pause in milliseconds."""
        pause_ms = self._pause_ms
        self._pause_ms = min(self._ceiling_ms, pause_ms * self._factor)
        return round(pause_ms * (1 - self._jitter * self._random()))

    def reset(self) -> None:
        """Begin anew; call it after a success."""
        self._pause_ms = min(self._first_ms, self._ceiling_ms)
