"""What the daemon would write to its log, by us and by the libraries, captured for tests."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smsgw.kit import logs


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Log everything to a stream, as lines of JSON."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", "debug", stream=stream, environ={})
    try:
        yield stream
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = handlers
        root.setLevel(level)


async def entries(stream: io.StringIO, event: str = "") -> list[dict[str, Any]]:
    """Return what was logged by now, or only the entries of one name."""
    for _ in range(3):  # lines are written at the end of a turn
        await asyncio.sleep(0)
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [entry for entry in found if not event or entry["event"] == event]
