"""Ids that say their kind and sort by time: ``mo_`` and a UUIDv7 (RFC 9562 §5.7) in Crockford's base 32."""

from collections.abc import Callable
from threading import Lock
from typing import Final

from smsgw.kit.clock import Clock

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's, in lower case: no i, l, o, u
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]
# A random octet's low five bits are a random character: a block of randomness becomes text in one C call.
_TO_ALPHABET: Final = (_ALPHABET * 8).encode()

# 26 characters are 130 bits: two zero bits, then the 128 of the UUID. The cuts fall well:
# 10 characters  48 bits of time;
#  4 characters  version 7, 12 bits of counter, variant 2, 2 bits of counter;
# 12 characters  60 bits of chance.
_COUNTER_BITS: Final = 14
_COUNTER_END: Final = 1 << _COUNTER_BITS
_UPPER: Final = [_PAIRS[bits >> 5] + _ALPHABET[bits & 31] for bits in range(0x7 << 11, 0x8 << 11)]  # counter's upper 11
_LOWER: Final = [_ALPHABET[(bits >> 2) << 4 | 0b10 << 2 | bits & 3] for bits in range(8)]  # counter's lower 3
_TAIL: Final = 12
_BLOCK: Final = 256  # ids per purchase of randomness


class IdMaker:
    """Makes ids that increase strictly, whatever the clock does; for all threads of one process.

    Args:
        clock: the wall's milliseconds become the upper 48 bits.
        random_bytes: ``secrets.token_bytes``, or a seeded source for simulations.
    """

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._now_ms = clock.now_ms
        self._random_bytes = random_bytes
        self._ms = -1
        self._time = ""  # the characters of self._ms
        self._counter = 0
        self._tails: list[str] = []
        self._lock = Lock()

    def new(self, kind: str) -> str:
        """Return e.g. ``mo_01hf7yat00e81a4wk4x3bq7j9z``: the kind, and 26 characters that sort after all earlier ones.

        Inside a millisecond a counter grows (RFC 9562 §6.2, method 1). It starts at random in its lower half; should it
        run over, or the clock go back, time goes on from the last millisecond used.
        """
        with self._lock:
            now_ms = self._now_ms()
            counter = self._counter + 1
            if now_ms > self._ms:
                counter = self._next_ms(now_ms)
            elif counter == _COUNTER_END:
                counter = self._next_ms(self._ms + 1)
            self._counter = counter
            tails = self._tails or self._buy()
            return f"{kind}_{self._time}{_UPPER[counter >> 3]}{_LOWER[counter & 7]}{tails.pop()}"

    def _next_ms(self, ms: int) -> int:
        self._ms = ms
        self._time = "".join(_PAIRS[ms >> shift & 1023] for shift in (40, 30, 20, 10, 0))
        return int.from_bytes(self._random_bytes(2)) % (_COUNTER_END >> 1)

    def _buy(self) -> list[str]:
        text = base32(self._random_bytes(_TAIL * _BLOCK))
        self._tails = [text[at : at + _TAIL] for at in range(0, len(text), _TAIL)]
        return self._tails


def base32(random: bytes) -> str:
    """Return a character of Crockford's base 32 (5 bits of chance) for each random byte."""
    return random.translate(_TO_ALPHABET).decode("ascii")


def first_of(kind: str, ms: int) -> str:
    """Return what sorts before every id of this kind that was made at ``ms`` (wall clock) or later."""
    return f"{kind}_" + "".join(_PAIRS[max(0, ms) >> shift & 1023] for shift in (40, 30, 20, 10, 0))
