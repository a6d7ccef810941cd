"""Attempts on their way to a link that the cashier or the teller holds: one line a link, and those that are put off.

The store has all of them; what is held is a limited part of it. Whatever is not held is found by reading it back.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Generic, TypeVar

from smsgw.kit.clock import Clock

Item = TypeVar("Item")

CAPACITY: Final = 5_000  # of a line; more wait in the store
LOOK_AROUND_MS: Final = 10_000  # what was committed while its answer was lost waits in the store, and nobody tells us


class Lines(Generic[Item]):
    """What waits for its link, oldest first.

    Args:
        links: of each there is a line.
        place: says which link something waits for, and by which name it is held once.
    """

    def __init__(self, links: Iterable[str], place: Callable[[Item], tuple[str, str]]) -> None:
        self.lacking = True  # the store may have some that are not held
        self._place = place
        self._lines: dict[str, deque[Item]] = {link: deque() for link in links}
        self._held: set[str] = set()
        self._around_ms = 0  # monotonic; of the next look into the store

    def __bool__(self) -> bool:
        return bool(self._held)

    def __contains__(self, name: str) -> bool:
        return name in self._held

    @property
    def full(self) -> bool:
        """Whether a line has so many that there is no hurry to read more back."""
        return any(len(line) > CAPACITY // 2 for line in self._lines.values())

    def look_around(self, now_ms: int) -> bool:
        """Whether it is time to look into the store, though nobody has said that it has more; monotonic."""
        if now_ms < self._around_ms:
            return False
        self._around_ms = now_ms + LOOK_AROUND_MS
        return True

    def hold(self, item: Item) -> None:
        """Put something last, once; without room in its line it stays in the store."""
        link, name = self._place(item)
        line = self._lines.get(link)
        if line is None or name in self._held:
            return
        if len(line) >= CAPACITY:
            self.lacking = True
            return
        line.append(item)
        self._held.add(name)

    def take(self, room: Callable[[str], int]) -> list[Item]:
        """Take out as many of each line as its link has room for."""
        taken: list[Item] = []
        for link, line in self._lines.items():
            if line:
                taken += [line.popleft() for _ in range(min(room(link), len(line)))]
        self._held.difference_update(self._place(item)[1] for item in taken)
        return taken

    def put_back(self, taken: Sequence[Item]) -> None:
        """Put what was taken where it was."""
        for item in reversed(taken):
            link, name = self._place(item)
            self._lines[link].appendleft(item)
            self._held.add(name)


class PutOff:
    """Attempts that are made again when their pause is over, by the clock that never goes back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_ms: dict[str, int] = {}  # monotonic

    def __contains__(self, charge: str) -> bool:
        return charge in self._until_ms

    def add(self, charge: str, at_ms: int) -> None:
        """Put one off until a time of the wall's clock."""
        self._until_ms[charge] = self._clock.monotonic_ms() + max(0, at_ms - self._clock.now_ms())

    def due(self) -> set[str]:
        """Return those whose pause is over."""
        now_ms = self._clock.monotonic_ms()
        return {charge for charge, until_ms in self._until_ms.items() if until_ms <= now_ms}

    def drop(self, charges: Collection[str]) -> None:
        """Put these off no longer."""
        for charge in charges:
            del self._until_ms[charge]

    def wait_s(self) -> float:
        """Return how long until one is due, or it is time to look around."""
        now_ms = self._clock.monotonic_ms()
        return min([LOOK_AROUND_MS, *(until_ms - now_ms for until_ms in self._until_ms.values())]) / 1000
