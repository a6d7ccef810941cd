"""Supervised tasks: an end that nobody asked for is an incident, and stopping has an order and a budget."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs

from smsgw.kit.tasks import Incident, Supervisor


class App:
    """Owns a supervisor and remembers what is reported to it."""

    def __init__(self) -> None:
        self.incidents: list[Incident] = []
        self.supervisor = Supervisor("app", self.incidents.append)
        self.ended: list[str] = []

    def eternal(self, name: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def run() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.append(name)

        return run


def run(test: Callable[[App], Coroutine[Any, Any, None]]) -> list[Any]:
    async def with_app() -> None:
        await asyncio.wait_for(test(App()), 10)

    with capture_logs() as logged:
        asyncio.run(with_app())
    return logged


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_task_that_returns_is_an_incident() -> None:
    async def test(app: App) -> None:
        async def short() -> None:
            await asyncio.sleep(0)

        task = app.supervisor.start("sweep", short)
        assert task.get_name() == "app: sweep"
        await turns()
        assert app.incidents == [Incident(owner="app", task="sweep", error=None)]
        assert await app.supervisor.stop(1) == []

    (entry,) = run(test)
    assert (entry["event"], entry["log_level"], entry["task"]) == ("task.ended", "critical", "sweep")


def test_a_task_that_fails_is_an_incident_with_its_error() -> None:
    error = ValueError("bug")

    async def test(app: App) -> None:
        async def failing() -> None:
            raise error

        app.supervisor.start("sweep", failing)
        await turns()
        assert app.incidents == [Incident(owner="app", task="sweep", error=error)]

    (entry,) = run(test)
    assert entry["exc_info"] is error


def test_a_task_that_somebody_else_cancels_is_an_incident() -> None:
    async def test(app: App) -> None:
        app.supervisor.start("sweep", app.eternal("sweep")).cancel()
        await turns()
        (incident,) = app.incidents
        assert isinstance(incident.error, asyncio.CancelledError)

    run(test)


def test_tasks_are_stopped_in_reverse_order_and_that_is_no_incident() -> None:
    async def test(app: App) -> None:
        for name in ("store", "links", "web"):
            app.supervisor.start(name, app.eternal(name))
        await turns()
        assert await app.supervisor.stop(1) == []
        assert app.ended == ["web", "links", "store"]
        assert app.incidents == []

    assert run(test) == []


def test_a_task_has_ended_before_the_one_below_it_is_asked_to() -> None:
    async def test(app: App) -> None:
        async def slow() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await turns()
                app.ended.append("slow")

        app.supervisor.start("store", app.eternal("store"))
        app.supervisor.start("slow", slow)
        await turns()
        await app.supervisor.stop(1)
        assert app.ended == ["slow", "store"]

    run(test)


def test_a_task_that_does_not_end_is_named_and_the_others_are_stopped_all_the_same() -> None:
    async def test(app: App) -> None:
        release = asyncio.Event()

        async def deaf() -> None:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue

        app.supervisor.start("store", app.eternal("store"))
        task = app.supervisor.start("deaf", deaf)
        await turns()
        try:
            assert await app.supervisor.stop(0) == ["deaf"]
            assert app.ended == ["store"]
        finally:
            release.set()
            await task

    logged = run(test)
    assert [(entry["event"], entry["task"]) for entry in logged] == [("task.stuck", "deaf")]


def test_an_error_while_stopping_is_told_and_is_no_incident() -> None:
    async def test(app: App) -> None:
        async def clumsy() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                raise OSError("on the way out")

        app.supervisor.start("clumsy", clumsy)
        await turns()
        assert await app.supervisor.stop(1) == []
        assert app.incidents == []

    (entry,) = run(test)
    assert (entry["event"], entry["task"]) == ("task.failed_while_stopping", "clumsy")


def test_nothing_starts_while_stopping() -> None:
    async def test(app: App) -> None:
        await app.supervisor.stop(1)
        with pytest.raises(RuntimeError, match="app is stopping; web is not started"):
            app.supervisor.start("web", app.eternal("web"))

    run(test)
