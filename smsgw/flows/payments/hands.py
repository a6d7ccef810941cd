"""Calls to the outside that are under way: so many at a time for each link, and none is left behind at the end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from smsgw.kit.logs import get_logger

log = get_logger(__name__)


class Hands:
    """Does work in tasks of its own.

    Args:
        most: pieces of work at a time under one name.
        on_free: called when there is room again; must not fail or wait.
    """

    def __init__(self, most: int, on_free: Callable[[], None] = lambda: None) -> None:
        self._most = most
        self._on_free = on_free
        self._busy: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def free(self, name: str) -> int:
        """Return how much more may be begun under a name."""
        return self._most - self._busy[name]

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._tasks)

    def begin(self, name: str, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin; an error in it is told in the log, and ends nothing else."""
        self._busy[name] += 1
        task = asyncio.get_running_loop().create_task(work, name=what)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._busy[name] -= 1
        if not task.cancelled() and task.exception() is not None:
            log.error("call.failed_inside", task=task.get_name(), exc_info=task.exception())
        self._on_free()

    async def rest(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self, seconds: float) -> None:
        """Let what is under way come to its end, so long at most, and cancel the rest."""
        if not self._tasks:
            return
        _, pending = await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)
