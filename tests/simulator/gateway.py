"""A small gateway for tests: binds, answers each deliver_sm as it is told, submits what it is asked to."""

import asyncio
from collections.abc import Callable
from typing import Self

from smsgw.kit.wire import Wire
from smsgw.smpp import pdus
from smsgw.smpp.events import Answered, BindRefused, Bound, Ended, Event, Received, TimedOut, Violation
from smsgw.smpp.pdus import DeliverSm, DeliverSmResp, Pdu, SubmitSm
from smsgw.smpp.session import Session, SessionSettings
from tests.simulator.virtual_loop import LoopClock

BINDS: dict[str, type[pdus.BindTransceiver | pdus.BindReceiver | pdus.BindTransmitter]] = {
    "transceiver": pdus.BindTransceiver,
    "receiver": pdus.BindReceiver,
    "transmitter": pdus.BindTransmitter,
}

Answer = Callable[[DeliverSm], int | None]


class Gateway:
    """One connection to the SMSC.

    Attributes:
        answer: gives the status of the answer to a deliver_sm; None: no answer.
        delivered: what came in, in order.
        events: everything else that the session told.
    """

    def __init__(self, *, response_timeout_ms: int = 5_000, window: int = 1_000) -> None:
        self.answer: Answer = lambda _: 0
        self.on_delivered: Callable[[DeliverSm], None] = lambda _: None
        self.delivered: list[DeliverSm] = []
        self.events: list[Event] = []
        self.session: Session
        self.wire: Wire[Event]
        self._settings = SessionSettings(window=window, response_timeout_ms=response_timeout_ms)
        self._clock = LoopClock()
        self._changed = asyncio.Condition()
        self._wakers: set[asyncio.Task[None]] = set()

    async def connect(
        self, port: int, kind: str = "transceiver", *, password: str = "secret", name: str = "smsgw"
    ) -> Self:
        """Connect and bind; whether that worked stands in ``session.bound``."""
        self.session = Session(self._settings, now_ms=self._clock.monotonic_ms())
        self.wire = Wire(self.session, on_events=self._on_events, now_ms=self._clock.monotonic_ms)
        await asyncio.get_running_loop().create_connection(lambda: self.wire, "127.0.0.1", port)
        self.request(BINDS[kind](system_id=name, password=password))
        await self.until(lambda: self.told(Bound) or self.told(BindRefused) or self.wire.closed)
        return self

    def request(self, pdu: Pdu) -> None:
        """Send a request; its answer is among the events."""
        self.session.request(pdu, self._clock.monotonic_ms())
        self.wire.send_soon()

    def submit(self, destination: str, text: bytes, *, registered_delivery: int = 0) -> None:
        """Submit a message in the default alphabet."""
        self.request(
            SubmitSm(
                source_addr="1234",
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=destination,
                short_message=text,
                registered_delivery=registered_delivery,
            )
        )

    def told(self, *kinds: type[Answered | Bound | BindRefused | Ended | TimedOut | Violation]) -> list[Event]:
        """Return the events of these kinds."""
        return [event for event in self.events if isinstance(event, kinds)]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that this connection is to see."""
        async with self._changed, asyncio.timeout(600):
            await self._changed.wait_for(lambda: bool(condition()))

    def close(self) -> None:
        """Break the connection."""
        self.wire.abort()

    def _on_events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Received) and isinstance(event.request, DeliverSm):
                self.delivered.append(event.request)
                command_status = self.answer(event.request)
                if command_status is not None:
                    response = DeliverSmResp(command_status=command_status)
                    self.session.respond(event.request, response, self._clock.monotonic_ms())
                self.on_delivered(event.request)
            else:
                self.events.append(event)
            if isinstance(event, Ended):
                self.wire.close()
        task = asyncio.ensure_future(self._wake())
        self._wakers.add(task)
        task.add_done_callback(self._wakers.discard)

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()
