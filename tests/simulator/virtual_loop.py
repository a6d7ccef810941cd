"""An event loop whose time passes only when nothing is left to do: timeouts take no time, sockets are real."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

_KERNEL_S = 0.002  # for octets that are on their way through the machine's own network


class _Selector(selectors.DefaultSelector):
    """Waits for sockets only; where the loop wants to wait for time, time is put forward."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        ready = super().select(timeout if timeout is None else _KERNEL_S)
        if not ready and timeout is not None:
            self.now += max(timeout, 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with its own time."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return virtual seconds."""
        return self._virtual.now


class LoopClock:
    """The running loop's time as the program's clock."""

    def now_ms(self) -> int:
        """Return milliseconds since a moment in November 2023."""
        return 1_700_000_000_000 + self.monotonic_ms()

    def monotonic_ms(self) -> int:
        """Return the loop's milliseconds."""
        return round(asyncio.get_running_loop().time() * 1000)


def run(test: Coroutine[Any, Any, Result]) -> Result:
    """Run a test in virtual time; five real minutes of it are a failure."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_within(test))


async def _within(test: Coroutine[Any, Any, Result]) -> Result:
    return await asyncio.wait_for(test, 3600)
