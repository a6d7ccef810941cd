"""What waits to be delivered to the gateway, at least once each: acknowledged or, after many tries, given up.

No I/O here: the SMSC takes what is due, says how it fared, and comes again at ``due_ms``.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count

from smsgw.smpp import status
from smsgw.smpp.pdus import DataSm, DeliverSm

# "Try again later" in the specification's words; everything else but 0 is final.
TEMPORARY = frozenset({status.ESME_RX_T_APPN, status.ESME_RMSGQFUL, status.ESME_RTHROTTLED, status.ESME_RSYSERR})


class Delivery:
    """One deliver_sm on its way, a part of a message or the whole of it."""

    __slots__ = ("acknowledged", "attempts", "message", "pdu")

    def __init__(self, pdu: DeliverSm | DataSm, message: "Message") -> None:
        self.pdu = pdu
        self.message = message
        self.attempts = 0
        self.acknowledged = False  # once at least, also when it is delivered again all the same


class Message:
    """What ``Deliveries.add`` got in one call; done when each part is."""

    __slots__ = ("left", "on_done", "status", "unacknowledged")

    def __init__(self, parts: int, on_done: Callable[[int], None]) -> None:
        self.left = parts
        self.unacknowledged = parts
        self.on_done = on_done
        self.status = status.ESME_ROK


class Deliveries:
    """The queue.

    Args:
        limit: deliver_sm that are held, waiting or unanswered.
        max_attempts: deliver_sm that one part may take.
        redeliver_after_ms: pause before the next attempt, after a temporary error or none answer.
    """

    def __init__(self, *, limit: int, max_attempts: int, redeliver_after_ms: int) -> None:
        self.held = 0
        self._limit = limit
        self._max_attempts = max_attempts
        self._redeliver_after_ms = redeliver_after_ms
        self._waiting: deque[Delivery] = deque()
        self._later: list[tuple[int, int, Delivery]] = []  # heap: due, order of arrival
        self._order = count()

    def add(
        self, pdus: Sequence[DeliverSm | DataSm], on_done: Callable[[int], None], *, due_ms: int | None = None
    ) -> bool:
        """Hold the parts of one message until each has its end; False, and nothing held, when there is no room.

        Args:
            pdus: at least one.
            on_done: gets the first command_status that is not 0, or 0.
            due_ms: not before then.
        """
        if self.held + len(pdus) > self._limit:
            return False
        self.held += len(pdus)
        message = Message(len(pdus), on_done)
        for pdu in pdus:
            delivery = Delivery(pdu, message)
            if due_ms is None:
                self._waiting.append(delivery)
            else:
                self._put_off(delivery, due_ms)
        return True

    def take(self, now_ms: int) -> Delivery | None:
        """Return what is to be sent next, or None."""
        while self._later and self._later[0][0] <= now_ms:
            self._waiting.append(heapq.heappop(self._later)[2])
        if not self._waiting:
            return None
        delivery = self._waiting.popleft()
        delivery.attempts += 1
        return delivery

    def due_ms(self) -> int | None:
        """Return when something that was put off is due; None when nothing was."""
        return self._later[0][0] if self._later else None

    def acknowledged(self, delivery: Delivery) -> bool:
        """The gateway has taken this; True when with it, for the first time, it has taken the whole message."""
        if delivery.acknowledged:
            return False
        delivery.acknowledged = True
        delivery.message.unacknowledged -= 1
        return not delivery.message.unacknowledged

    def answered(self, delivery: Delivery, command_status: int, now_ms: int) -> None:
        """The gateway has answered."""
        if command_status in TEMPORARY:
            self._again(delivery, now_ms + self._redeliver_after_ms, command_status)
        else:
            self._done(delivery, command_status)

    def unanswered(self, delivery: Delivery, now_ms: int) -> None:
        """The gateway has not answered in time."""
        self._again(delivery, now_ms + self._redeliver_after_ms, status.ESME_RDELIVERYFAILURE)

    def lost(self, deliveries: Sequence[Delivery]) -> None:
        """The session ended before the answers to these, the oldest first; they go out again before all others."""
        for delivery in reversed(deliveries):
            if delivery.attempts >= self._max_attempts:
                self._done(delivery, status.ESME_RDELIVERYFAILURE)
            else:
                self._waiting.appendleft(delivery)

    def _again(self, delivery: Delivery, due_ms: int, command_status: int) -> None:
        if delivery.attempts >= self._max_attempts:
            self._done(delivery, command_status)
        else:
            self._put_off(delivery, due_ms)

    def _put_off(self, delivery: Delivery, due_ms: int) -> None:
        heapq.heappush(self._later, (due_ms, next(self._order), delivery))

    def _done(self, delivery: Delivery, command_status: int) -> None:
        self.held -= 1
        message = delivery.message
        message.left -= 1
        message.status = message.status or command_status
        if not message.left:
            message.on_done(message.status)
