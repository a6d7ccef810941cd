"""Waiting for what other tasks and processes do."""

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 20.0, explain: Callable[[], str] = str) -> None:
    """Look again and again until the condition holds.

    Raises:
        AssertionError: it does not in time; with an explanation.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {explain()}"
        await asyncio.sleep(0.005)
