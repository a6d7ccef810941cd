"""The last values of something that changes, for any number of watchers: a slow one misses steps, never the outcome."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Feed(Generic[Value]):
    """At most ``size`` values in the order of their first arrival, each of which may be replaced.

    A watcher is an ``asyncio.Event`` that is set after every change; it then asks for what is new ``since`` the version
    that it has seen. Nothing is queued for anybody, so that a watcher who does not read costs nothing.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._version = 0
        self._values: dict[int, tuple[int, Value]] = {}
        self._watchers: set[asyncio.Event] = set()

    @property
    def watched(self) -> bool:
        """Whether anybody watches now."""
        return bool(self._watchers)

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return len(self._watchers)

    def put(self, key: int, value: Value) -> None:
        """Add the value, or replace the one with this key in its place; the oldest leaves when there are too many."""
        self._version += 1
        self._values[key] = (self._version, value)
        if len(self._values) > self._size:
            del self._values[next(iter(self._values))]
        self.ring()

    def replace(self, key: int, value: Value) -> None:
        """Replace the value with this key, unless it has left already."""
        if key in self._values:
            self.put(key, value)

    def since(self, version: int) -> tuple[list[Value], int]:
        """What is newer than the version, and the version to ask for next; 0 asks for everything."""
        return [value for at, value in self._values.values() if at > version], self._version

    def ring(self) -> None:
        """Wake every watcher."""
        for watcher in self._watchers:
            watcher.set()

    @contextmanager
    def watched_by(self, watcher: asyncio.Event) -> Iterator[None]:
        """Wake the watcher after every change until the block ends."""
        self._watchers.add(watcher)
        try:
            yield
        finally:
            self._watchers.discard(watcher)
