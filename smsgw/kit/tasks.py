"""Supervised tasks: each has a name, an owner and a guard; an eternal task that ends, even cleanly, is an incident."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from smsgw.kit.logs import get_logger

log = get_logger(__name__)


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An eternal task that ended while nobody had asked it to."""

    owner: str
    task: str
    error: BaseException | None  # None when it returned; asyncio.CancelledError when somebody else cancelled it


class Supervisor:
    """Owns eternal tasks: starts them, reports the end of any of them, stops them in reverse order.

    Args:
        owner: who the tasks belong to, for logs: "app", "link kyivstar".
        on_incident: called once per incident, after it was logged; the app stops then. Must not raise.
    """

    def __init__(self, owner: str, on_incident: Callable[[Incident], None]) -> None:
        self._owner = owner
        self._on_incident = on_incident
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Start ``run`` as a task that is to last until ``stop``.

        Raises:
            RuntimeError: the supervisor is stopping or stopped.
        """
        if self._stopping:
            raise RuntimeError(f"{self._owner} is stopping; {name} is not started")
        task = asyncio.get_running_loop().create_task(run(), name=f"{self._owner}: {name}")
        self._tasks.append(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        name = task.get_name().removeprefix(f"{self._owner}: ")
        if self._stopping:
            if error is not None and not task.cancelled():
                log.warning("task.failed_while_stopping", owner=self._owner, task=name, exc_info=error)
            return
        self._tasks.remove(task)
        log.critical("task.ended", owner=self._owner, task=name, exc_info=error)
        self._on_incident(Incident(owner=self._owner, task=name, error=error))

    async def stop(self, deadline_s: float) -> list[str]:
        """Cancel the tasks, the last started first, each when the one before has ended, within a budget for all.

        Returns:
            The names of tasks that had not ended by then; they are cancelled all the same. Empty is good.
        """
        self._stopping = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_s
        stuck: list[str] = []
        for task in reversed(self._tasks):
            task.cancel()
            _, pending = await asyncio.wait((task,), timeout=max(0.0, deadline - loop.time()))
            if pending:
                stuck.append(task.get_name().removeprefix(f"{self._owner}: "))
                log.error("task.stuck", owner=self._owner, task=stuck[-1])
        self._tasks.clear()
        return stuck
