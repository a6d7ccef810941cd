"""Shares out what waits among a link's binds: to the one with most room, at the rate that all have together."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from smsgw.domain.statuses import Rules
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.send import Outbox
from smsgw.kit.limits import Throttle
from smsgw.kit.logs import get_logger

log = get_logger(__name__)


class Sender(Protocol):
    """A bind, as far as it can send."""

    @property
    def free(self) -> int:
        """Return how many more messages it takes now."""

    def send(self, message: Outgoing, now_ms: int) -> int:
        """Send one; return how many parts were sent, 0 when it cannot be sent at all."""

    def flush(self) -> None:
        """Have what was sent written."""


class Senders:
    """The binds of one link that can send.

    Args:
        link: its name.
        outbox: gives what waits.
        throttle: the link's rate.
        rules: which answers mean that the link is too fast.
        now_ms: a clock that never goes back.
    """

    def __init__(self, link: str, outbox: Outbox, throttle: Throttle, rules: Rules, now_ms: Callable[[], int]) -> None:
        self.outbox = outbox
        self._link = link
        self._throttle = throttle
        self._rules = rules
        self._now_ms = now_ms
        self._binds: list[Sender] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, bind: Sender) -> None:
        """Send over this one too."""
        self._binds.append(bind)
        self.pump()

    def remove(self, bind: Sender) -> None:
        """Send over this one no more."""
        if bind in self._binds:
            self._binds.remove(bind)

    def pump(self) -> None:
        """Send as much as the windows, the rate and the sockets allow now."""
        binds = [bind for bind in self._binds if bind.free > 0]
        if not binds:
            return
        throttle, outbox, now_ms = self._throttle, self.outbox, self._now_ms()
        alone = binds[0] if len(binds) == 1 else None
        while True:
            bind = alone or max(binds, key=_room)
            if bind.free <= 0:
                break
            if pause_ms := throttle.wait_ms(now_ms):
                self._pump_in(pause_ms)
                break
            message = outbox.take()
            if message is None:
                self._pump_in(outbox.wait_ms())
                break
            if parts := bind.send(message, now_ms):
                throttle.spend(parts, now_ms)
        for bind in binds:
            bind.flush()

    def refused(self, command_status: int) -> None:
        """Hear an answer that is an error; the link may be too fast."""
        rule = self._rules.of(command_status)
        if rule.slow and self._throttle.slow_down(self._now_ms()):
            log.warning(
                "link.slowed", link=self._link, command_status=command_status, per_s=round(self._throttle.per_s, 3)
            )

    def close(self) -> None:
        """Send nothing any more."""
        self._binds.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _pump_in(self, pause_ms: int | None) -> None:
        if pause_ms is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(pause_ms / 1000, self.pump)


def _room(bind: Sender) -> int:
    return bind.free
