"""The order in which a link's messages go out: those of one subscriber one after the other, those of all others beside.

A subscriber's next message waits until the one before has come to its end, so that a refusal in the middle of a window
puts off what follows it too, and the parts of a long text arrive as they were written. One that is refused again and
again gives way: what comes after it may be paid for, and wrong with nothing. An SMSC answers within
milliseconds; what this costs is nothing beside the radio, and nobody else waits for it.
"""

import heapq
from collections import deque
from collections.abc import Callable, Collection

from smsgw.flows.outgoing import Outgoing


class Lane:
    """Messages that wait, oldest first.

    Args:
        pause_ms: says how much is left of a pause that ends at a time (ms), at another.
    """

    __slots__ = ("_behind", "_first", "_later", "_pause_ms", "_ready")

    def __init__(self, pause_ms: Callable[[int, int], int]) -> None:
        self._pause_ms = pause_ms
        self._ready: deque[Outgoing] = deque()
        self._later: list[tuple[int, str, Outgoing]] = []  # heap by the time of the next try
        self._first: dict[str, str] = {}  # {subscriber: the message whose turn it is}: it is out, or put off, or next
        self._behind: dict[str, deque[Outgoing]] = {}  # {subscriber: those whose turn it is not}

    def put(self, message: Outgoing, now_ms: int) -> None:
        """Take a message behind all others."""
        row = message.row
        if row.not_before_ms <= now_ms:
            self._ready.append(message)
        elif row.destination in self._first:
            self._behind.setdefault(row.destination, deque()).append(message)
        else:
            self._first[row.destination] = row.id
            heapq.heappush(self._later, (row.not_before_ms, row.id, message))

    def take(self, now_ms: int) -> Outgoing | None:
        """Return the next message; ``again`` or ``done`` must follow."""
        later, ready, first = self._later, self._ready, self._first
        while later and not self._pause_ms(later[0][0], now_ms):
            ready.append(heapq.heappop(later)[2])
        while ready:
            message = ready.popleft()
            row = message.row
            turn = first.setdefault(row.destination, row.id)
            if turn == row.id:
                return message
            self._behind.setdefault(row.destination, deque()).append(message)
        return None

    def again(self, message: Outgoing) -> None:
        """Put off one that was taken until its time (``not_before_ms``); it stays before the subscriber's others."""
        heapq.heappush(self._later, (message.row.not_before_ms, message.row.id, message))

    def give_way(self, message: Outgoing, now_ms: int) -> None:
        """Put off one that was taken, and let the subscriber's others pass: it may be this one that is never taken."""
        self.again(message)
        if message.row.destination in self._behind:
            self.done(message, now_ms)

    def done(self, message: Outgoing, now_ms: int) -> None:
        """Hear that one that was taken has come to its end: it is the next one's turn."""
        subscriber = message.row.destination
        behind = self._behind.get(subscriber)
        if not behind:
            del self._first[subscriber]
            return
        following = behind.popleft()
        if not behind:
            del self._behind[subscriber]
        self._first[subscriber] = following.row.id
        if self._pause_ms(following.row.not_before_ms, now_ms):
            self.again(following)
        else:
            self._ready.appendleft(following)

    def drop(self, ids: Collection[str]) -> list[Outgoing]:
        """Take out those of these messages that wait, without a turn for anybody; for the end only."""
        waiting = [
            *self._ready,
            *(entry[2] for entry in self._later),
            *(one for some in self._behind.values() for one in some),
        ]
        dropped = [one for one in waiting if one.row.id in ids]
        self._ready = deque(one for one in self._ready if one.row.id not in ids)
        self._later = [entry for entry in self._later if entry[1] not in ids]
        heapq.heapify(self._later)
        for subscriber, some in self._behind.items():
            self._behind[subscriber] = deque(one for one in some if one.row.id not in ids)
        return dropped

    def wait_ms(self, now_ms: int) -> int | None:
        """Return how long until a message is due that is not due now; None when there is none."""
        return self._pause_ms(self._later[0][0], now_ms) if self._later else None
