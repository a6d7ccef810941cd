"""Open pages that wait for a payment: woken when it changes here; what another node does, they find by looking."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from smsgw.flows.payments.effects import Effects

MOST: Final = 10_000  # pages that wait at a time


class Watch:
    """Wakes whoever waits for a payment; `hear` is a follower of flows/payments/desk."""

    def __init__(self) -> None:
        self._bells: dict[str, set[asyncio.Event]] = {}
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether no more pages may wait; they ask now and then instead."""
        return self._count >= MOST

    def hear(self, effects: Effects) -> None:
        """Wake those who wait for what has changed."""
        if self._bells:
            for payment in self._bells.keys() & effects.changed.keys():
                for bell in self._bells[payment]:
                    bell.set()

    @contextmanager
    def bell(self, payment: str) -> Iterator[asyncio.Event]:
        """Give an event that is set after every change of a payment until the block ends."""
        bell = asyncio.Event()
        self._bells.setdefault(payment, set()).add(bell)
        self._count += 1
        try:
            yield bell
        finally:
            self._count -= 1
            self._bells[payment].discard(bell)
            if not self._bells[payment]:
                del self._bells[payment]

    def ring(self) -> None:
        """Wake everybody, at the end."""
        for bells in self._bells.values():
            for bell in bells:
                bell.set()
