"""How often and how soon: a bucket of tokens for rates, growing pauses for retries; time and chance are arguments."""

from collections.abc import Callable
from typing import Final

_MICRO: Final = 1_000_000
_SECOND_MS: Final = 1_000
_BURST_S: Final = 0.1  # how much of a second's rate may go out at once
_RECOVERY_STEPS: Final = 30  # seconds from nothing to the whole rate
_LEAST_PER_S: Final = 1.0  # however often it is too much: somebody must ask whether it still is


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

    def spend(self, n: int, now_ms: int) -> None:
        """Take ``n`` tokens, be they there or not; what follows waits for the debt."""
        self._fill(now_ms)
        self._level -= n * _MICRO

    def wait_ms(self, n: int, now_ms: int) -> int:
        """Return how long until ``take(n)`` succeeds if nobody else takes: 0 exactly when it would succeed now."""
        self._fill(now_ms)
        missing = min(n * _MICRO, self._full) - self._level
        return max(0, -(-missing // self._per_ms))

    def change(self, rate_per_s: float, burst: int, now_ms: int) -> None:
        """Go on at another rate, with what is there."""
        self._fill(now_ms)
        self._per_ms = max(1, round(rate_per_s * _MICRO / 1000))
        self._full = burst * _MICRO
        self._level = min(self._level, self._full)

    def empty(self, now_ms: int) -> None:
        """Have nothing left: what comes next waits for the first token."""
        self._fill(now_ms)
        self._level = min(self._level, 0)

    def _fill(self, now_ms: int) -> None:
        """Add what has flowed in since the last look; a clock that goes back adds nothing."""
        if self._at_ms is None or now_ms < self._at_ms:
            self._at_ms = now_ms
        self._level = min(self._full, self._level + (now_ms - self._at_ms) * self._per_ms)
        self._at_ms = now_ms


class Throttle:
    """A rate that gives way when the other side says that it is too much, and comes back by small steps.

    Each word of it halves the rate, at most once a second, for all that is on its way then is refused alike; each
    second without one gives back a thirtieth of the whole. Where no rate is set, the whole is twice what was sent in
    the second before the first word, and there is no limit again once that is reached.

    Args:
        rate_per_s: what is allowed at best; 0 is no limit.
    """

    def __init__(self, rate_per_s: float) -> None:
        self._set_per_s = rate_per_s
        self._whole_per_s = rate_per_s
        self._now_per_s = rate_per_s
        self._bucket = TokenBucket(rate_per_s, _burst(rate_per_s)) if rate_per_s else None
        self._second_ms = 0  # since when is counted
        self._count = 0
        self._before = 0  # counted in the second before
        self._told_ms: int | None = None  # when the rate was last halved; None: it is whole
        self._step_ms = 0  # when it was last changed, either way

    @property
    def per_s(self) -> float:
        """The rate now; 0 is no limit."""
        return self._now_per_s

    def wait_ms(self, now_ms: int) -> int:
        """Return how long until something may be sent: 0 when it may now."""
        if self._told_ms is not None:
            self._recover(now_ms)
        return self._bucket.wait_ms(1, now_ms) if self._bucket is not None else 0

    def spend(self, n: int, now_ms: int) -> None:
        """Count ``n`` that are being sent."""
        if not 0 <= now_ms - self._second_ms < _SECOND_MS:
            self._before = self._count if 0 <= now_ms - self._second_ms < 2 * _SECOND_MS else 0
            self._count = 0
            self._second_ms = now_ms
        self._count += n
        if self._bucket is not None:
            self._bucket.spend(n, now_ms)

    def slow_down(self, now_ms: int) -> bool:
        """Hear that it is too much; return whether the rate is lower from now on."""
        if self._told_ms is None:
            self._whole_per_s = self._set_per_s or 2.0 * max(self._before, self._count, 1)
            self._now_per_s = self._set_per_s or self._whole_per_s / 2
        elif now_ms - self._told_ms < _SECOND_MS:
            return False
        self._told_ms = self._step_ms = now_ms
        before = self._now_per_s
        self._change(max(before / 2, min(self._whole_per_s, _LEAST_PER_S)), now_ms).empty(now_ms)
        return self._now_per_s < before

    def _recover(self, now_ms: int) -> None:
        steps = (now_ms - self._step_ms) // _SECOND_MS
        if steps < 1:
            return
        wanted = self._now_per_s + steps * self._whole_per_s / _RECOVERY_STEPS
        self._step_ms = now_ms
        if wanted < self._whole_per_s:
            self._change(wanted, now_ms)
            return
        self._told_ms = None
        if self._set_per_s:
            self._change(self._set_per_s, now_ms)
        else:
            self._now_per_s, self._bucket = 0.0, None

    def _change(self, per_s: float, now_ms: int) -> TokenBucket:
        self._now_per_s = per_s
        if self._bucket is None:
            self._bucket = TokenBucket(per_s, _burst(per_s))
        else:
            self._bucket.change(per_s, _burst(per_s), now_ms)
        return self._bucket


def _burst(per_s: float) -> int:
    return max(1, int(per_s * _BURST_S))


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
