"""Batches: what waits is handled together; errors, cancellation, fullness and closing reach those whom they concern."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest

from smsgw.errors import StoreBroken, StoreConflict, StoreUnavailable
from smsgw.kit.batch import Batch

Handle = Callable[[Sequence[int]], Awaitable[Sequence[str]]]


class Store:
    """Stands for the database: remembers its calls, and commits when the test lets it."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.committed: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.errors: dict[int, Exception] = {}

    async def handle(self, items: Sequence[int]) -> list[str]:
        self.calls.append(list(items))
        await self.gate.wait()
        for item in items:
            if item in self.errors:
                raise self.errors[item]
        self.committed += items
        return [f"did {item}" for item in items]


def run(test: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
    async def with_store() -> None:
        await asyncio.wait_for(test(Store()), 10)

    asyncio.run(with_store())


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_one_item_is_handled_at_once_and_alone() -> None:
    async def test(store: Store) -> None:
        batch = Batch(store.handle, name="test")
        assert await batch.add(1) == "did 1"
        assert await batch.add(2) == "did 2"
        assert store.calls == [[1], [2]]

    run(test)


def test_what_waits_is_handled_together_in_order() -> None:
    async def test(store: Store) -> None:
        batch = Batch(store.handle, name="test")
        futures = [batch.submit(item) for item in range(10)]
        assert await asyncio.gather(*futures) == [f"did {item}" for item in range(10)]
        assert store.calls == [list(range(10))]

    run(test)


def test_a_result_that_is_an_error_reaches_the_one_that_it_is_for() -> None:
    async def test(_: Store) -> None:
        async def handle(items: Sequence[int]) -> list[str | Exception]:
            return [StoreUnavailable("not now") if item == 1 else f"did {item}" for item in items]

        batch = Batch(handle, name="test")
        told = await asyncio.gather(*(batch.submit(item) for item in range(3)), return_exceptions=True)
        assert [type(one) for one in told] == [str, StoreUnavailable, str]

    run(test)


def test_what_arrives_during_a_transaction_is_the_next_one() -> None:
    async def test(store: Store) -> None:
        store.gate.clear()
        batch = Batch(store.handle, name="test")
        futures = [batch.submit(1)]
        await turns()
        futures += [batch.submit(2), batch.submit(3)]
        await turns()
        assert store.calls == [[1]]
        assert not any(future.done() for future in futures)
        store.gate.set()
        await asyncio.gather(*futures)
        assert store.calls == [[1], [2, 3]]

    run(test)


def test_a_batch_holds_no_more_than_its_limit() -> None:
    async def test(store: Store) -> None:
        batch = Batch(store.handle, name="test", limit=4)
        await asyncio.gather(*[batch.submit(item) for item in range(10)])
        assert store.calls == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    run(test)


def test_a_poisoned_item_fails_alone() -> None:
    async def test(store: Store) -> None:
        store.errors[2] = StoreConflict("twice")
        batch = Batch(store.handle, name="test")
        results = await asyncio.gather(*[batch.submit(item) for item in (1, 2, 3)], return_exceptions=True)
        assert results == ["did 1", store.errors[2], "did 3"]
        assert store.calls == [[1, 2, 3], [1], [2], [3]]
        assert store.committed == [1, 3]

    run(test)


def test_an_item_that_failed_alone_is_not_tried_twice() -> None:
    async def test(store: Store) -> None:
        store.errors[2] = ValueError("bug")
        batch = Batch(store.handle, name="test")
        with pytest.raises(ValueError, match="bug"):
            await batch.add(2)
        assert store.calls == [[2]]

    run(test)


@pytest.mark.parametrize("error", [StoreUnavailable("disk full"), StoreBroken("fsync failed")])
def test_an_error_that_all_share_fails_all_at_once_and_the_next_batch_is_tried(error: Exception) -> None:
    async def test(store: Store) -> None:
        store.errors[2] = error
        batch = Batch(store.handle, name="test")
        results = await asyncio.gather(*[batch.submit(item) for item in (1, 2, 3)], return_exceptions=True)
        assert results == [error] * 3
        assert store.calls == [[1, 2, 3]]
        assert await batch.add(4) == "did 4"

    run(test)


def test_one_by_one_ends_when_the_store_goes_away() -> None:
    async def test(store: Store) -> None:
        store.errors = {2: ValueError("bug"), 3: StoreUnavailable("server away")}
        batch = Batch(store.handle, name="test")
        results = await asyncio.gather(*[batch.submit(item) for item in (1, 2, 3, 4, 5)], return_exceptions=True)
        away = store.errors[3]
        assert results == ["did 1", store.errors[2], away, away, away]
        assert store.calls == [[1, 2, 3, 4, 5], [1], [2], [3]]

    run(test)


def test_results_that_cannot_be_told_apart_fail_all_and_nothing_is_done_again() -> None:
    async def test(_: Store) -> None:
        calls = 0

        async def one_short(items: Sequence[int]) -> Sequence[int]:
            nonlocal calls
            calls += 1
            return items[1:]

        batch = Batch(one_short, name="short")
        results = await asyncio.gather(*[batch.submit(item) for item in (1, 2)], return_exceptions=True)
        assert [str(result) for result in results] == ["batch short: 1 results for 2 items"] * 2
        assert calls == 1

    run(test)


def test_a_cancelled_waiter_ends_neither_the_batch_nor_its_own_items_record() -> None:
    async def test(store: Store) -> None:
        store.gate.clear()
        batch = Batch(store.handle, name="test")
        waiters = [asyncio.create_task(batch.add(item)) for item in (1, 2)]
        await turns()
        late = asyncio.create_task(batch.add(3))
        await turns()
        waiters[0].cancel()
        late.cancel()
        await turns()
        store.gate.set()
        assert await waiters[1] == "did 2"
        await batch.close()
        assert waiters[0].cancelled()
        assert late.cancelled()
        assert store.committed == [1, 2, 3]

    run(test)


def test_a_cancelled_waiter_does_not_care_how_it_ends() -> None:
    async def test(store: Store) -> None:
        store.gate.clear()
        store.errors[1] = StoreUnavailable("disk full")
        batch = Batch(store.handle, name="test")
        waiters = [asyncio.create_task(batch.add(item)) for item in (1, 2)]
        await turns()
        waiters[0].cancel()
        await turns()
        store.gate.set()
        with pytest.raises(StoreUnavailable):
            await waiters[1]

    run(test)


def test_a_full_batch_refuses_and_takes_again_when_there_is_room() -> None:
    async def test(store: Store) -> None:
        store.gate.clear()
        batch = Batch(store.handle, name="test", capacity=2)
        futures = [batch.submit(1)]
        await turns()
        futures += [batch.submit(2), batch.submit(3)]  # beside the one that is being handled
        was_full = batch.full
        with pytest.raises(asyncio.QueueFull):
            batch.submit(4)
        store.gate.set()
        await asyncio.gather(*futures)
        assert (was_full, batch.full) == (True, False)
        assert await batch.add(5) == "did 5"
        assert store.committed == [1, 2, 3, 5]

    run(test)


def test_closing_finishes_what_was_taken_and_refuses_more() -> None:
    async def test(store: Store) -> None:
        store.gate.clear()
        batch = Batch(store.handle, name="test", limit=1)
        futures = [batch.submit(item) for item in (1, 2, 3)]
        closing = [asyncio.create_task(batch.close()) for _ in range(2)]
        await turns()
        assert batch.full
        with pytest.raises(asyncio.QueueFull):
            batch.submit(4)
        assert not closing[0].done()
        store.gate.set()
        await asyncio.gather(*closing)
        assert [future.result() for future in futures] == ["did 1", "did 2", "did 3"]
        await batch.close()

    run(test)


def test_a_cancelled_close_loses_nothing() -> None:
    async def test(store: Store) -> None:
        store.gate.clear()
        batch = Batch(store.handle, name="test")
        future = batch.submit(1)
        closing = asyncio.create_task(batch.close())
        await turns()
        closing.cancel()
        await turns()
        store.gate.set()
        assert await future == "did 1"

    run(test)


def test_a_cancellation_inside_the_handler_fails_its_batch_only() -> None:
    async def test(store: Store) -> None:
        async def handle(items: Sequence[int]) -> Sequence[str]:
            if 1 in items:
                raise asyncio.CancelledError
            return await store.handle(items)

        batch = Batch(handle, name="test", limit=1)
        first, second = batch.submit(1), batch.submit(2)
        assert await second == "did 2"
        with pytest.raises(RuntimeError, match="cancelled inside the handler"):
            await first

    run(test)


def test_nobody_waits_for_ever_when_the_loop_is_torn_down() -> None:
    async def test(store: Store) -> None:
        store.gate.clear()
        batch = Batch(store.handle, name="test")
        futures = [batch.submit(1)]
        await turns()
        futures.append(batch.submit(2))
        (worker,) = [task for task in asyncio.all_tasks() if task.get_name() == "batch test"]
        worker.cancel()
        await asyncio.wait(futures)
        assert [future.cancelled() for future in futures] == [True, True]

    run(test)


def test_the_worker_does_not_run_in_the_context_of_whoever_came_first() -> None:
    async def test(_: Store) -> None:
        bound = contextvars.ContextVar("bound", default="nobody")
        seen: list[str] = []

        async def handle(items: Sequence[int]) -> Sequence[int]:
            seen.append(bound.get())
            return items

        batch = Batch(handle, name="test")
        bound.set("the first message")
        await batch.add(1)
        assert seen == ["nobody"]

    run(test)


def test_no_task_is_left_when_there_is_no_work() -> None:
    async def test(store: Store) -> None:
        batch = Batch(store.handle, name="test")
        await batch.add(1)
        await turns()
        assert "batch test" not in {task.get_name() for task in asyncio.all_tasks()}

    run(test)
