"""Groups what is waiting: items flow in one by one, one handler call (one transaction) takes all of them that wait."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import copy_context
from typing import Final, Generic, TypeAlias, TypeVar

from smsgw.errors import StoreBroken

Item = TypeVar("Item")
Result = TypeVar("Result")

_Entries: TypeAlias = list[tuple[Item, asyncio.Future[Result]]]

_LIMIT: Final = 500
_CAPACITY: Final = 10_000


class Batch(Generic[Item, Result]):
    """Hands waiting items to ``handle`` together: alone at night, by the hundred under load, without timers.

    One handler call runs at a time; what arrives meanwhile is the next batch. The worker is a task that exists while
    there is work; it owns every item until the item's future is done, and the end of a waiter does not end the work.

    When the handler fails,
      - with an error that asks to try again later (``retry``), or StoreBroken: all items fail with it at once;
      - with any other: its items are handled one by one, each in a call of its own, so that a poisoned one fails alone.
        The handler must therefore have undone everything when it raises (its transaction is rolled back).

    Args:
        handle: takes 1 to ``limit`` items; returns one result per item, in order. A result that is an exception is
            raised to whoever waits for that item; the others have succeeded.
        name: names the task.
        limit: items per call.
        capacity: items that may wait beside those being handled.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        name: str,
        limit: int = _LIMIT,
        capacity: int = _CAPACITY,
    ) -> None:
        self._handle = handle
        self._name = name
        self._limit = limit
        self._capacity = capacity
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._closed = False
        self._context = copy_context()  # the worker must not log under the name of whoever submitted first

    @property
    def full(self) -> bool:
        """Whether ``submit`` would refuse: as many items wait as may, or the batch is closed."""
        return self._closed or len(self._waiting) >= self._capacity

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Take an item; the future is done when the transaction that holds it has committed, or failed.

        The item is handled even if the future is cancelled.

        Raises:
            asyncio.QueueFull: ``full``; nothing was taken.
        """
        if self.full:
            raise asyncio.QueueFull
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = loop.create_task(self._work(), name=f"batch {self._name}", context=self._context)
        return future

    async def add(self, item: Item) -> Result:
        """Submit an item and wait for its result."""
        return await self.submit(item)

    async def close(self) -> None:
        """Refuse new items and return when those that were taken are done; no item is lost if the wait is cancelled."""
        self._closed = True
        while self._worker is not None:
            await asyncio.wait((self._worker,))

    async def _work(self) -> None:
        waiting = self._waiting
        batch: _Entries[Item, Result] = []
        try:
            while waiting:
                batch = [waiting.popleft() for _ in range(min(len(waiting), self._limit))]
                await self._settle(batch)
        finally:
            # Only a cancelled worker (the loop is being torn down) leaves futures behind: nobody may wait for ever.
            for _, future in (*batch, *waiting):
                future.cancel()
            waiting.clear()
            self._worker = None

    async def _settle(self, batch: _Entries[Item, Result]) -> Exception | None:
        """See that every future of the batch is done; return an error that other items would meet as well."""
        failure: Exception | None = None
        try:
            results = await self._handle([item for item, _ in batch])
        except asyncio.CancelledError:
            if self._worker is None or self._worker.cancelling():
                raise
            # Something inside the handler was cancelled, not this worker: the others in the queue go on.
            _fail(batch, RuntimeError(f"batch {self._name}: cancelled inside the handler"))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who wait
            failure = error
        else:
            self._succeed(batch, results)
        if failure is None:
            return None
        shared = isinstance(failure, StoreBroken) or bool(getattr(failure, "retry", False))
        if len(batch) > 1 and not shared:
            return await self._settle_alone(batch)
        _fail(batch, failure)
        return failure if shared else None

    def _succeed(self, batch: _Entries[Item, Result], results: Sequence[Result | Exception]) -> None:
        if len(results) != len(batch):
            # Committed, but nobody can tell whose result is whose, and to try again would do it twice.
            _fail(batch, RuntimeError(f"batch {self._name}: {len(results)} results for {len(batch)} items"))
            return
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def _settle_alone(self, batch: _Entries[Item, Result]) -> Exception | None:
        for at, entry in enumerate(batch, 1):
            shared = await self._settle([entry])
            if shared is not None:
                _fail(batch[at:], shared)
                return shared
        return None


def _fail(batch: _Entries[Item, Result], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
