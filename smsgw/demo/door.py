"""The merchant's door: reads the proof that a visitor brings back, and lets in whom it names, once."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from smsgw.demo.proofs import Proofs
from smsgw.kit.tokens import KIND

_DAY_MS: Final = 86_400_000


class Door:
    """One service's door.

    Args:
        service: the service's name.
        keys: return keys by id; asked at each visit, as they may be replaced.
        now_ms: the wall clock.
    """

    def __init__(self, service: str, keys: Callable[[], Mapping[str, bytes]], now_ms: Callable[[], int]) -> None:
        self._proofs = Proofs(service, KIND, keys, now_ms)
        self._now_ms = now_ms

    def open(self, token: str, state: str) -> int | None:
        """Return until when (wall clock) this visitor may stay, or None for whoever has to stay outside.

        Args:
            token: the field rt, as it came.
            state: what the site gave this visitor.
        """
        claims = self._proofs.read(token, state)
        if claims is None or claims.get("outcome") != "success" or not self._proofs.spend(claims):
            return None
        until = claims.get("valid_until")
        over_ms = int(datetime.fromisoformat(until).timestamp() * 1000) if until else None
        return min(self._now_ms() + _DAY_MS, over_ms or self._now_ms() + _DAY_MS)
