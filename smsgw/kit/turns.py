"""The loops of whoever works with the store: a turn of work, then a rest, and no end when the store is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from smsgw.errors import SmsgwError

Result = TypeVar("Result")

_AGAIN_S: Final = 0.5  # pause while the store cannot be read or written
_SHORTEST_S: Final = 0.001  # of a rest: whoever is always due lets others run all the same


class Turns:
    """Takes turns, one after the other, for as long as there is something to do.

    Args:
        take: one turn of work. An error of it that asks to try again later puts the work off; any other ends the loop.
        rest_s: asked after a turn: how long to rest if nobody wakes it; None: until somebody does.
        put_off: tells of work that is put off; must not fail or wait.
    """

    def __init__(
        self,
        take: Callable[[], Awaitable[None]],
        *,
        rest_s: Callable[[], float | None],
        put_off: Callable[[SmsgwError], None],
    ) -> None:
        self._take = take
        self._rest_s = rest_s
        self._put_off = put_off
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Have another turn taken soon; one that is being taken is followed by another, as it may have missed this."""
        self._woken.set()

    async def run(self) -> None:
        """Take turns until it is cancelled."""
        while True:
            self._woken.clear()
            try:
                await self._take()
            except SmsgwError as error:
                if not error.retry:
                    raise
                self._put_off(error)
                await asyncio.sleep(_AGAIN_S)
            else:
                await self._rest()

    async def _rest(self) -> None:
        if self._woken.is_set():
            return
        rest_s = self._rest_s()
        try:
            async with asyncio.timeout(None if rest_s is None else max(_SHORTEST_S, rest_s)):
                await self._woken.wait()
        except TimeoutError:
            pass


async def every(seconds: float, take: Callable[[], Awaitable[None]], *, put_off: Callable[[SmsgwError], None]) -> None:
    """Take a turn at once, and another after each rest, until it is cancelled.

    Args:
        seconds: of each rest, which follows a turn that was put off too.
        take: one turn of work. An error of it that asks to try again later puts the work off; any other ends the loop.
        put_off: tells of work that is put off; must not fail or wait.
    """
    while True:
        try:
            await take()
        except SmsgwError as error:
            if not error.retry:
                raise
            put_off(error)
        await asyncio.sleep(seconds)


async def insist(work: Callable[[], Awaitable[Result]], *, put_off: Callable[[SmsgwError], None]) -> Result:
    """Do a piece of work that must be done, again and again while the store is away; return what came of it.

    Args:
        work: may be done more than once. An error of it that asks to try again later is followed by another try.
        put_off: tells of each try that failed; must not fail or wait.

    Raises:
        Exception: any other error of the work.
    """
    while True:
        try:
            return await work()
        except SmsgwError as error:
            if not error.retry:
                raise
            put_off(error)
            await asyncio.sleep(_AGAIN_S)
