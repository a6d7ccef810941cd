"""Requests of ours that wait for their response: their sequence numbers, their places in the window, their age.

What waited too long is remembered a while, so that a late response is told from one that nobody asked for.
"""

from typing import Final

import msgspec

from smsgw.smpp.pdus import RESPONSE_TO, GenericNack, Pdu
from smsgw.smpp.states import WINDOWED

LAST_SEQUENCE_NUMBER: Final = 0x7FFFFFFF  # SMPP 3.4 §3.2; then 1 again
MOST_REMEMBERED: Final = 1024  # requests that timed out


class Sent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request on its way."""

    request: Pdu
    sequence_number: int
    sent_ms: int
    answered: int  # messages of the peer that we had answered before: its response proves that those answers arrived
    flush: int  # the number of the take_output that it waits for

    @property
    def windowed(self) -> bool:
        """Whether it takes a place in the window, and its end is told to the owner."""
        return type(self.request) in WINDOWED


class Outstanding:
    """Memory is bounded by the window, the session's own few requests, and ``MOST_REMEMBERED``.

    Attributes:
        in_window: how many wait that take a place in the window.
    """

    __slots__ = ("_expired", "_last", "_waiting", "in_window")

    def __init__(self) -> None:
        self.in_window = 0
        self._last = 0
        self._waiting: dict[int, Sent] = {}  # by sequence number, oldest first
        self._expired: dict[int, Sent] = {}  # likewise

    @property
    def oldest_ms(self) -> int | None:
        """When the oldest that waits was sent."""
        for sent in self._waiting.values():
            return sent.sent_ms
        return None

    def next_number(self) -> int:
        """Return the sequence number for the next request, none that may still be answered."""
        number = self._last % LAST_SEQUENCE_NUMBER + 1
        while number in self._waiting or number in self._expired:
            number = number % LAST_SEQUENCE_NUMBER + 1
        return number

    def use(self, number: int) -> None:
        """Let the next sequence number follow this one."""
        self._last = number

    def add(self, sent: Sent) -> None:
        """Start to wait. ``sent_ms`` never runs backwards."""
        self._waiting[sent.sequence_number] = sent
        self.in_window += sent.windowed

    def answer(self, response: Pdu) -> tuple[Sent | None, bool]:
        """Stop to wait for what this response answers, and say whether that had timed out.

        A response of another command than the request's is nobody's, and leaves the request waiting.
        """
        for late, requests in ((False, self._waiting), (True, self._expired)):
            sent = requests.get(response.sequence_number)
            if sent is not None and type(response) in (RESPONSE_TO[type(sent.request)], GenericNack):
                del requests[response.sequence_number]
                if not late:
                    self.in_window -= sent.windowed
                return sent, late
        return None, False

    def expire(self, latest_ms: int) -> Sent | None:
        """Stop to wait for the oldest request, if it was sent at ``latest_ms`` or before, and remember it."""
        oldest_ms = self.oldest_ms
        if oldest_ms is None or oldest_ms > latest_ms:
            return None
        number = next(iter(self._waiting))
        sent = self._waiting.pop(number)
        self.in_window -= sent.windowed
        self._expired[number] = sent
        if len(self._expired) > MOST_REMEMBERED:
            del self._expired[next(iter(self._expired))]
        return sent

    def abandon(self) -> list[Sent]:
        """Stop to wait for anything; forget what had timed out."""
        lost = list(self._waiting.values())
        self._waiting.clear()
        self._expired.clear()
        self.in_window = 0
        return lost
