"""One bind of a link, from its TCP connection to its end: messages in to the receiver, messages out from the outbox."""

import asyncio
import contextlib
from collections import deque
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from smsgw.errors import (
    BindError,
    PduError,
    RepeatUndecided,
    SessionError,
    SmsgwError,
    StoreBroken,
    StoreError,
    StoreUnavailable,
)
from smsgw.flows.drafts import Arrival
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.ports import Ports
from smsgw.flows.receive import Alerted, Receiver, SessionEnded, SessionProven, SessionStarted
from smsgw.flows.send import Outbox
from smsgw.kit.limits import TokenBucket
from smsgw.kit.logs import get_logger
from smsgw.kit.wire import Wire
from smsgw.links.asking import Asking
from smsgw.links.submission import Form
from smsgw.links.trace import Tracer, Tracing
from smsgw.settings import LinkSettings
from smsgw.smpp import events, pdus, status, tlvs
from smsgw.smpp.session import Session, SessionSettings
from smsgw.store.operations import AlertRow
from smsgw.store.sessions import SessionRow

if TYPE_CHECKING:
    from collections.abc import Callable

log = get_logger(__name__)

BINDS: Final = {
    "transceiver": pdus.BindTransceiver,
    "receiver": pdus.BindReceiver,
    "transmitter": pdus.BindTransmitter,
}
_VERSIONS: Final = {"3.3": 0x33, "3.4": 0x34, "5.0": 0x50}
_CREDENTIALS: Final = frozenset({status.ESME_RINVPASWD, status.ESME_RINVSYSID})
_STORE_AGAIN_S: Final = 0.5
_OUTGOING_NAME: Final = 128  # the largest message id that is kept
_MOST_MARKS: Final = 4096  # even
_TELL_NOT_STORED_S: Final = 1.0  # between two lines about messages that the store has not taken
_TELL_PROOF_S: Final = 0.1  # how long a proof waits for an arrival that carries it to the store


class Parts(Struct, frozen=True, kw_only=True):
    """What a connection works with."""

    ports: Ports
    link: str
    settings: LinkSettings
    receiver: Receiver
    outbox: Outbox
    bucket: TokenBucket | None  # the link's rate, shared by its binds


class Connection:
    """One life of one bind. `run` returns when it is over, and raises when it did not begin.

    Args:
        parts: what it works with.
        kind: "transceiver", "receiver" or "transmitter".
        password: for the bind only; not kept.
    """

    def __init__(self, parts: Parts, kind: str) -> None:
        self._parts = parts
        self._kind = kind
        self._receives = kind != "transmitter"
        settings = parts.settings
        self._form = Form(settings)
        self._session = Session(
            SessionSettings(
                role="esme",
                window=settings.window,
                response_timeout_ms=int(settings.response_timeout_s * 1000),
                enquire_link_interval_ms=int(settings.enquire_link_s * 1000),
            ),
            now_ms=parts.ports.clock.monotonic_ms(),
        )
        self._wire: Wire[events.Event] | None = None
        self._tracer: Tracer | None = None
        self._asking = Asking()
        self._id = ""
        self._bound: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._bound.add_done_callback(_look_at)
        self._closed = asyncio.Event()
        self._idle = asyncio.Event()
        self._stopping = False
        self._reason = "connection_lost"
        self._in_flight: dict[int, Outgoing] = {}  # sequence number → message
        self._unanswered: dict[str, str] = {}  # {message: the one that came before it}, in order of arrival
        self._newest = ""
        # (ordinal of an answer, message): with that answer, everything up to this message was answered
        self._answered: deque[tuple[int, str]] = deque()
        self._proven = ""
        self._stored_proof = ""  # the latest that is on its way to the store
        self._proof_timer: asyncio.TimerHandle | None = None
        self._not_stored = 0  # since the last line about them
        self._not_stored_timer: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._handlers: Final[dict[type, Callable[[Any], None]]] = {
            events.Bound: self._on_bound,
            events.BindRefused: self._on_bind_refused,
            events.Received: self._on_received,
            events.Answered: self._on_answered,
            events.Late: self._on_answered,
            events.TimedOut: self._on_unanswered,
            events.Lost: self._on_unanswered,
            events.Unsolicited: self._on_unsolicited,
            events.Violation: self._on_violation,
            events.Ended: self._on_ended,
        }

    @property
    def bound(self) -> bool:
        """Whether messages may travel."""
        return self._session.bound

    @property
    def can_send(self) -> bool:
        """Whether a request could be sent now."""
        return self._session.free > 0 and not self._stopping

    async def run(self, password: str, tracing: Tracing | None = None) -> str:
        """Connect, bind, serve until the end; return its reason.

        Args:
            password: for the bind only; not kept.
            tracing: see ``trace``.

        Raises:
            OSError, TimeoutError: there is no connection.
            BindError: the SMSC refused the bind.
            StoreBroken: nothing may be acknowledged any more.
        """
        settings = self._parts.settings
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(settings.connect_timeout_s):
            _, wire = await loop.create_connection(self._make_wire, settings.host, settings.port)
        self._wire = wire
        self.trace(tracing)
        try:
            await self._start_session()
            if not self._session.closed and not self._stopping:
                self._session.request(self._bind_pdu(password), self._now_ms())
                wire.send_soon()
            await self._bound
            log.info("link.bound", link=self._parts.link, bind=self._kind, session=self._id)
            self.pump()
            await self._closed.wait()
        finally:
            wire.close()
            self.trace(None)
            await self._end_session()
        return self._reason

    def trace(self, tracing: Tracing | None) -> None:
        """Look at what travels, from now on; None: no more."""
        if self._tracer is not None:
            self._tracer.close()
        wire, self._tracer = self._wire, None
        if wire is not None:
            if tracing is not None:
                self._tracer = Tracer(self._parts.link, self._kind, tracing.file, lambda: wire.ends)
            wire.tap = self._tracer

    def _make_wire(self) -> Wire[events.Event]:
        return Wire(
            self._session,
            on_events=self._on_events,
            now_ms=self._now_ms,
            on_writable=self.pump,
            on_closed=self._on_closed,
        )

    def _bind_pdu(self, password: str) -> pdus.Pdu:
        settings = self._parts.settings
        return BINDS[self._kind](
            system_id=settings.system_id,
            password=password,
            system_type=settings.system_type,
            interface_version=_VERSIONS[settings.interface_version],
            address_range=settings.address_range,
        )

    # The session in the store: begun before the first message can come, ended before the next one begins

    async def _start_session(self) -> None:
        ports = self._parts.ports
        self._id = ports.ids.new("ses")
        self._proven = self._stored_proof = self._newest = ports.ids.new("mo")
        if self._receives:
            row = SessionRow(
                id=self._id,
                link=self._parts.link,
                node=ports.node,
                bound_ms=ports.clock.now_ms(),
                proven=self._proven,
            )
            try:
                await self._parts.receiver.submit(SessionStarted(row=row))
            except asyncio.QueueFull:
                raise StoreUnavailable("too much waits to be stored") from None

    async def _end_session(self) -> None:
        """Record what was proven; wait for the store if need be: the next session must not begin before."""
        while self._receives and self._id:
            item = SessionEnded(session=self._id, link=self._parts.link, proven=self._proven)
            try:
                await asyncio.shield(self._parts.receiver.submit(item))
            except StoreBroken:
                raise
            except (StoreError, asyncio.QueueFull):
                await asyncio.sleep(_STORE_AGAIN_S)
            else:
                return

    # What the session tells

    def _on_events(self, happened: list[events.Event]) -> None:
        for event in happened:
            self._handlers[type(event)](event)
        self._move_proof()
        if self._session.bound:
            self.pump()
        if not self._in_flight and not self._session.unanswered_in:
            self._idle.set()

    def _on_bound(self, _: events.Bound) -> None:
        if not self._bound.done():
            self._bound.set_result(None)

    def _on_bind_refused(self, event: events.BindRefused) -> None:
        told = event.response.command_status
        error = BindError(
            f"the SMSC refused the bind with {status.name(told)}", command_status=told, credentials=told in _CREDENTIALS
        )
        if not self._bound.done():
            self._bound.set_exception(error)

    def _on_received(self, event: events.Received) -> None:
        request = event.request
        if isinstance(request, pdus.AlertNotification):
            self._take_alert(request)
            return
        if not isinstance(request, pdus.DeliverSm | pdus.DataSm):
            log.info("link.notified", link=self._parts.link, pdu=request.name)
            return
        if self._stopping:
            self._answer(request, "", self._parts.settings.temporary_error)
            return
        ports = self._parts.ports
        if self._proven == self._newest:  # what the session may leave in doubt begins here, not at its last message
            self._proven = self._newest = ports.ids.new("mo")
        mo = ports.ids.new("mo")
        arrival = Arrival(
            id=mo,
            link=self._parts.link,
            session=self._id,
            received_ms=ports.clock.now_ms(),
            arrived_ms=self._now_ms(),
            proven=self._proven,
            pdu=request,
        )
        try:
            future = self._parts.receiver.submit(arrival)
        except asyncio.QueueFull:
            self._answer(request, "", self._parts.settings.temporary_error)
        else:
            self._stored_proof = self._proven
            self._unanswered[mo] = self._newest
            self._newest = mo
            future.add_done_callback(partial(self._on_stored, request, mo))

    def _take_alert(self, alert: pdus.AlertNotification) -> None:
        """Have it recorded; it has no answer, so that what cannot be stored now is lost."""
        ports = self._parts.ports
        row = AlertRow(
            id=ports.ids.new("al"),
            link=self._parts.link,
            received_ms=ports.clock.now_ms(),
            source=alert.source_addr,
            esme=alert.esme_addr,
            ms_availability=tlvs.integer(alert.tlvs, tlvs.MS_AVAILABILITY_STATUS),
        )
        log.info("link.alert", link=row.link, alert=row.id, ms_availability=row.ms_availability)
        with contextlib.suppress(asyncio.QueueFull):
            self._parts.receiver.submit(Alerted(row=row)).add_done_callback(_look_at)

    def _on_stored(self, request: pdus.DeliverSm | pdus.DataSm, mo: str, stored: asyncio.Future[None]) -> None:
        """Acknowledge what is on disk; ask for another try of what is not."""
        error = None if stored.cancelled() else stored.exception()
        if error is None and not stored.cancelled():
            self._answer(request, mo, status.ESME_ROK)
            return
        if isinstance(error, StoreBroken):
            return  # the daemon stops; an answer now could be the last lie
        if isinstance(error, RepeatUndecided):
            log.warning("mo.undecided", mo=mo, link=self._parts.link)
            self._answer(request, mo, self._parts.settings.temporary_error)
            return
        self._tell_not_stored(mo, error)
        self._answer(request, mo, self._parts.settings.temporary_error)

    def _tell_not_stored(self, mo: str, error: BaseException | None) -> None:
        """Log what was not stored: each that is our mistake; when the store is away the first, then their number."""
        if not isinstance(error, SmsgwError):
            log.error("mo.not_stored", mo=mo, link=self._parts.link, exc_info=error)
        elif self._not_stored_timer is not None:
            self._not_stored += 1
        else:
            log.error("mo.not_stored", mo=mo, link=self._parts.link, error=str(error))
            loop = asyncio.get_running_loop()
            self._not_stored_timer = loop.call_later(_TELL_NOT_STORED_S, self._tell_number, str(error))

    def _tell_number(self, error: str) -> None:
        self._not_stored_timer = None
        if self._not_stored:
            log.error("mo.not_stored", link=self._parts.link, count=self._not_stored, error=error)
            self._not_stored = 0

    def _answer(self, request: pdus.DeliverSm | pdus.DataSm, mo: str, command_status: int) -> None:
        response = pdus.RESPONSE_TO[type(request)](command_status=command_status)
        ordinal = self._session.respond(request, response, self._now_ms())
        if ordinal and mo:
            self._mark(ordinal, mo)
        if self._wire is not None:
            self._wire.send_soon()
        if self._stopping and not self._in_flight and not self._session.unanswered_in:
            self._idle.set()

    def _mark(self, ordinal: int, mo: str) -> None:
        """Note up to which message everything is answered: what came first is not always stored first."""
        del self._unanswered[mo]
        settled = next(iter(self._unanswered.values()), self._newest)
        answered = self._answered
        if answered and answered[-1][1] == settled:
            return
        answered.append((ordinal, settled))
        if len(answered) == _MOST_MARKS:  # an SMSC that never proves anything: coarser marks do as well
            self._answered = deque(islice(answered, 1, None, 2))

    def _move_proof(self) -> None:
        proven = self._session.proven
        answered = self._answered
        while answered and answered[0][0] <= proven:
            self._proven = answered.popleft()[1]
        if self._proven != self._stored_proof and self._proof_timer is None and self._receives:
            self._proof_timer = asyncio.get_running_loop().call_later(_TELL_PROOF_S, self._tell_proof)

    def _tell_proof(self) -> None:
        """Have it stored when nothing else comes: after a crash, the same text is a purchase, not a redelivery."""
        self._proof_timer = None
        if self._proven == self._stored_proof or self._session.closed:
            return
        self._stored_proof = self._proven
        with contextlib.suppress(asyncio.QueueFull):  # then there are arrivals enough to carry it
            told = self._parts.receiver.submit(SessionProven(session=self._id, proven=self._proven))
            told.add_done_callback(_look_at)

    def _on_answered(self, event: events.Answered | events.Late) -> None:
        message = self._in_flight.pop(event.response.sequence_number, None)
        if message is None:
            self._asking.answered(event)
            return  # a question's; or timed out before, and the message is on its way again
        response = event.response
        if response.command_status == status.ESME_ROK and isinstance(response, pdus.SubmitSmResp):
            self._parts.outbox.accepted(message, response.message_id[:_OUTGOING_NAME])
        else:
            self._parts.outbox.refused(message, response.command_status)

    def _on_unanswered(self, event: events.TimedOut | events.Lost) -> None:
        message = self._in_flight.pop(event.sequence_number, None)
        if message is not None:
            self._parts.outbox.unanswered(message)
        else:
            self._asking.unanswered(event)

    async def ask(self, request: pdus.Pdu) -> pdus.Pdu:
        """Send a request that is no message, and return its response; see ``Asking.ask``."""

        def send() -> int:
            if self._stopping or self._wire is None:
                raise SessionError("the bind is being ended")
            number = self._session.request(request, self._now_ms())
            self._wire.send_soon()
            return number

        return await self._asking.ask(send)

    def _on_unsolicited(self, event: events.Unsolicited) -> None:
        log.warning("link.unsolicited", link=self._parts.link, pdu=event.response.name)

    def _on_violation(self, event: events.Violation) -> None:
        log.warning(
            "link.violation",
            link=self._parts.link,
            reason=event.reason,
            command_id=f"0x{event.command_id:08x}",
            told=status.name(event.command_status),
        )

    def _on_ended(self, event: events.Ended) -> None:
        self._reason = event.reason
        if not self._bound.done():
            self._bound.set_exception(ConnectionError(f"no answer to the bind: {event.reason}"))
        if self._wire is not None:
            self._wire.close()

    def _on_closed(self) -> None:
        for timer in (self._timer, self._proof_timer):
            if timer is not None:
                timer.cancel()
        if not self._bound.done():
            self._bound.set_exception(ConnectionError("the connection was closed before the bind was answered"))
        self._closed.set()
        self._idle.set()

    # What is sent

    def pump(self) -> None:
        """Send as much as the window, the rate and the socket allow now."""
        session, wire, bucket = self._session, self._wire, self._parts.bucket
        if wire is None or self._stopping or not wire.can_write:
            return
        now_ms = self._now_ms()
        while session.free > 0:
            if bucket is not None and (pause_ms := bucket.wait_ms(1, now_ms)):
                self._pump_in(pause_ms)
                break
            message = self._parts.outbox.take()
            if message is None:
                self._pump_in(self._parts.outbox.wait_ms())
                break
            if self._send(message, now_ms) and bucket is not None:
                bucket.take(1, now_ms)
        wire.send_soon()

    def _send(self, message: Outgoing, now_ms: int) -> bool:
        try:
            number = self._session.request(self._form.fill(message, self._parts.ports.clock.now_ms()), now_ms)
        except PduError as error:
            log.error("mt.not_sendable", mt=message.row.id, link=self._parts.link, error=str(error))
            self._parts.outbox.refused(message, error.command_status)
            return False
        self._in_flight[number] = message
        return True

    def _pump_in(self, pause_ms: int | None) -> None:
        if pause_ms is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(pause_ms / 1000, self.pump)

    # The end

    async def stop(self) -> None:
        """Take no more messages, finish what is in flight, unbind. Ends at once when cancelled."""
        self._stopping = True
        self._idle.clear()
        if self._session.bound and (self._in_flight or self._session.unanswered_in):
            await self._idle.wait()
        if self._session.bound and self._wire is not None:
            self._session.unbind(self._now_ms())
            self._wire.send_soon()
            await self._closed.wait()

    def abort(self) -> None:
        """Close at once."""
        if self._wire is not None:
            self._wire.abort()

    def _now_ms(self) -> int:
        return self._parts.ports.clock.monotonic_ms()


def _look_at(future: asyncio.Future[None]) -> None:
    """See to it that asyncio does not complain of an exception that nobody waits for any more."""
    if not future.cancelled():
        future.exception()
