"""How many payments have gone which way since this daemon started: what the log says of them, counted by merchant."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from smsgw.domain.payments import Fact
from smsgw.flows.payments.effects import Effects

_FAILED: Final = f"payment.{Fact.FAILED.value}"
Name = tuple[str, str, str]  # merchant, event without "payment.", reason of a failure or ""


class Counts:
    """Adds up committed facts; tests count nothing."""

    def __init__(self) -> None:
        self._counts: Counter[Name] = Counter()

    def hear(self, effects: Effects) -> None:
        """Count what a transaction has done."""
        for event, keys in effects.stories:
            if not keys.get("test"):
                reason = str(keys.get("reason", "")) if event == _FAILED else ""
                self._counts[str(keys["merchant"]), event.removeprefix("payment."), reason] += 1

    def so_far(self) -> Mapping[Name, int]:
        """Return all of it."""
        return self._counts
