"""What an engineer wants to see: the gateway's binds and the last PDUs on the wire, with times, without content."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec

from smsgw.demo.feed import Feed

PDUS_LIMIT = 12  # PDUs on the screen
OPEN_LIMIT = 1000  # requests whose response is still awaited; older ones are forgotten

Sender = Literal["operator", "gateway"]


class TapPdu(msgspec.Struct, frozen=True, kw_only=True):
    """One PDU as the screen shows it: never its numbers or its text."""

    id: int
    at_ms: int
    sender: Sender
    name: str  # as in the specification: deliver_sm, submit_sm_resp
    sequence: int
    status: int
    took_ms: float | None = None  # of a response: time since its request


class TapBind(msgspec.Struct, frozen=True, kw_only=True):
    """One bind of the gateway to the operator."""

    kind: str  # transceiver, transmitter, receiver
    system_id: str


class Tap:
    """The last PDUs of all sessions, and the binds that stand."""

    def __init__(
        self, *, now_ms: Callable[[], int], now_us: Callable[[], int] = lambda: time.perf_counter_ns() // 1000
    ) -> None:
        self.pdus: Feed[TapPdu] = Feed(PDUS_LIMIT)
        self.binds: Feed[tuple[TapBind, ...]] = Feed(1)
        self.binds.put(0, ())
        self._now_ms = now_ms
        self._now_us = now_us
        self._last_id = 0
        self._asked_us: OrderedDict[tuple[int, Sender, int], int] = OrderedDict()

    def record(self, session: int, sender: Sender, name: str, sequence: int, status: int) -> None:
        """Show a PDU that was just written or read."""
        now_us, took_ms = self._now_us(), None
        if name.endswith("_resp"):
            asker: Sender = "gateway" if sender == "operator" else "operator"
            asked_us = self._asked_us.pop((session, asker, sequence), None)
            took_ms = None if asked_us is None else (now_us - asked_us) / 1000
        else:
            self._asked_us[session, sender, sequence] = now_us
            if len(self._asked_us) > OPEN_LIMIT:
                self._asked_us.popitem(last=False)
        self._last_id += 1
        pdu = TapPdu(
            id=self._last_id,
            at_ms=self._now_ms(),
            sender=sender,
            name=name,
            sequence=sequence,
            status=status,
            took_ms=took_ms,
        )
        self.pdus.put(pdu.id, pdu)

    def bound(self, binds: tuple[TapBind, ...]) -> None:
        """Show which binds stand now."""
        self.binds.put(0, binds)

    def hang_up(self) -> None:
        """Wake every open page, so that it notices that the demo ends."""
        self.binds.ring()
