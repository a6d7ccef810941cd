"""Turns of work: taken when somebody calls or something is due, put off while the store is away."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from smsgw.errors import SmsgwError, StoreBroken, StoreUnavailable
from smsgw.kit import turns as module
from smsgw.kit.turns import Turns, every, insist


class Worker:
    """Counts its turns; each may do or raise what the test wants."""

    def __init__(self) -> None:
        self.count = 0
        self.put_off: list[SmsgwError] = []
        self.rest_s: float | None = None
        self.asked = 0  # how long to rest
        self.do: Callable[[], None] = lambda: None  # in the midst of a turn
        self.turns = Turns(self.take, rest_s=self.rest, put_off=self.put_off.append)

    async def take(self) -> None:
        self.count += 1
        await asyncio.sleep(0)
        self.do()

    def rest(self) -> float | None:
        self.asked += 1
        return self.rest_s

    async def until(self, count: int) -> None:
        for _ in range(5_000):
            if self.count >= count:
                break
            await asyncio.sleep(0.001)
        await self.a_while()

    async def a_while(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


def run(test: Callable[[Worker], Coroutine[Any, Any, None]]) -> None:
    async def with_worker() -> None:
        worker = Worker()
        task = asyncio.create_task(worker.turns.run())
        try:
            await asyncio.wait_for(test(worker), 10)
        finally:
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(with_worker())


def test_the_first_turn_is_taken_at_once_and_the_next_when_somebody_calls() -> None:
    async def test(worker: Worker) -> None:
        await worker.a_while()
        assert (worker.count, worker.asked) == (1, 1)
        worker.turns.wake()
        await worker.a_while()
        assert (worker.count, worker.asked) == (2, 2)

    run(test)


def test_a_call_during_a_turn_is_followed_by_another_without_a_rest() -> None:
    async def test(worker: Worker) -> None:
        worker.do = lambda: worker.turns.wake() if worker.count == 1 else None
        await worker.a_while()
        assert (worker.count, worker.asked) == (2, 1)

    run(test)


def test_the_next_turn_is_taken_when_it_is_due() -> None:
    async def test(worker: Worker) -> None:
        worker.rest_s = 0.05
        began = asyncio.get_running_loop().time()
        await worker.until(2)
        assert asyncio.get_running_loop().time() - began >= 0.05

    run(test)


@pytest.mark.parametrize("rest_s", [0.0, -5.0])
def test_what_is_due_again_and_again_lets_others_run(rest_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHORTEST_S", 0.05)

    async def test(worker: Worker) -> None:
        worker.rest_s = rest_s
        await worker.a_while()
        assert worker.count == 1
        await worker.until(2)

    run(test)


def test_a_store_that_is_away_puts_the_work_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", 0.05)
    away = StoreUnavailable("the disk is full")

    async def test(worker: Worker) -> None:
        def do() -> None:
            worker.turns.wake()
            raise away

        worker.do = do
        await worker.a_while()
        assert (worker.count, worker.put_off, worker.asked) == (1, [away], 0), "a call does not shorten the pause"
        worker.do = lambda: None
        await worker.until(2)
        assert (worker.count, worker.asked) == (2, 1)

    run(test)


@pytest.mark.parametrize("error", [StoreBroken("an fsync failed"), KeyError("a mistake of ours")])
def test_any_other_error_ends_the_loop(error: Exception) -> None:
    async def test() -> None:
        async def take() -> None:
            raise error

        put_off: list[SmsgwError] = []
        with pytest.raises(type(error)):
            await Turns(take, rest_s=lambda: None, put_off=put_off.append).run()
        assert put_off == []

    asyncio.run(test())


def test_every_so_often_a_turn_is_taken_also_after_one_that_was_put_off() -> None:
    async def test() -> None:
        away, began = StoreUnavailable("locked"), asyncio.get_running_loop().time()
        put_off: list[SmsgwError] = []
        errors: list[Exception | None] = [None, away, None, KeyError("a mistake of ours")]
        at_s: list[float] = []

        async def take() -> None:
            at_s.append(asyncio.get_running_loop().time() - began)
            error = errors.pop(0)
            if error is not None:
                raise error

        with pytest.raises(KeyError):
            await every(0.02, take, put_off=put_off.append)
        assert put_off == [away]
        assert len(at_s) == 4
        assert all(at >= number * 0.02 for number, at in enumerate(at_s))

    asyncio.run(test())


def test_what_must_be_done_is_tried_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", 0.001)
    away = StoreUnavailable("locked")
    outcomes: list[Exception | str] = [away, away, "done"]
    put_off: list[SmsgwError] = []

    async def work() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert asyncio.run(insist(work, put_off=put_off.append)) == "done"
    assert (put_off, outcomes) == ([away, away], [])
    outcomes += [StoreBroken("an fsync failed")]
    with pytest.raises(StoreBroken):
        asyncio.run(insist(work, put_off=put_off.append))
