"""Ends waits that last too long: one timer for all of them, as nearly every one of them is over long before."""

import asyncio
from collections import deque
from typing import Any


class Patience:
    """Gives up on futures; a timer for each would cost more than the rest of a short wait.

    Waits end in the order in which they began: one that is shorter than those before it may last as long as they do.
    """

    def __init__(self) -> None:
        self._waits: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, future: "asyncio.Future[Any]", seconds: float) -> None:
        """Let a future that is not done by then fail with TimeoutError."""
        waits = self._waits
        while waits and waits[0][1].done():
            waits.popleft()
        waits.append((asyncio.get_running_loop().time() + seconds, future))
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_at(self._waits[0][0], self._look)

    def _look(self) -> None:
        self._timer = None
        waits, now = self._waits, asyncio.get_running_loop().time()
        while waits and (waits[0][1].done() or waits[0][0] <= now):
            _, future = waits.popleft()
            if not future.done():
                future.set_exception(TimeoutError())
        if waits:
            self._arm()
