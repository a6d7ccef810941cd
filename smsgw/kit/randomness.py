"""Random bytes in small portions, bought in large ones: a purchase for each nonce costs more than its use."""

from collections.abc import Callable
from threading import Lock
from typing import Final

_BLOCK: Final = 8192  # bytes


class RandomPool:
    """Hands out bytes of a cryptographic generator, each once, to any thread.

    Args:
        buy: n → n bytes: ``secrets.token_bytes``, or a seeded source for simulations.
    """

    def __init__(self, buy: Callable[[int], bytes]) -> None:
        self._buy = buy
        self._lock = Lock()
        self._block = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        """Return ``count`` bytes that nobody has had before."""
        with self._lock:
            end = self._at + count
            if end > len(self._block):
                self._block = self._buy(max(_BLOCK, count))
                self._at, end = 0, count
            portion = self._block[self._at : end]
            self._at = end
            return portion
