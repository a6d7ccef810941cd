"""One bind of a link, from its TCP connection to its end: messages in to the receiver, messages out from the outbox."""

import asyncio
import hmac
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import Struct

from smsgw.errors import BindError, PduError, SessionError
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.ports import Ports
from smsgw.flows.receive import Receiver
from smsgw.kit.logs import get_logger
from smsgw.kit.passwords import Passwords, Secret
from smsgw.kit.wire import Wire
from smsgw.links.arrivals import Arrivals, look_at
from smsgw.links.asking import Asking
from smsgw.links.senders import Senders
from smsgw.links.submission import Form
from smsgw.links.trace import Tracer, Tracing
from smsgw.settings import LinkSettings
from smsgw.smpp import events, pdus, status
from smsgw.smpp.session import Session, SessionSettings
from smsgw.smpp.states import State

log = get_logger(__name__)

BINDS: Final = {
    "transceiver": pdus.BindTransceiver,
    "receiver": pdus.BindReceiver,
    "transmitter": pdus.BindTransmitter,
}
_VERSIONS: Final = {"3.3": 0x33, "3.4": 0x34, "5.0": 0x50}
_CREDENTIALS: Final = frozenset({status.ESME_RINVPASWD, status.ESME_RINVSYSID})
_OUTGOING_NAME: Final = 128  # the largest message id that is kept
_MOST_LATE: Final = 1_024  # messages whose answer may still come, though its time is over
_MOST_UNANSWERED_IN: Final = 2_500  # beyond any SMSC's window; more are put off, half of what the receiver holds

Factory = Callable[[], Wire[events.Event]]


class Parts(Struct, frozen=True, kw_only=True):
    """What a connection works with."""

    ports: Ports
    link: str
    settings: LinkSettings
    receiver: Receiver
    senders: Senders


class Connection:
    """One life of one bind. `run` and `serve` return when it is over, and raise when it did not begin.

    Args:
        parts: what it works with.
        kind: "transceiver", "receiver" or "transmitter".
        name: of the bind among the link's; default: its kind.
    """

    def __init__(self, parts: Parts, kind: str, name: str = "") -> None:
        self._parts = parts
        self._kind = kind
        self._name = name or kind
        settings = parts.settings
        self._session = Session(_session_settings(settings), now_ms=parts.ports.clock.monotonic_ms())
        self._arrivals = Arrivals(
            parts.ports,
            parts.link,
            settings,
            parts.receiver,
            session=self._session,
            written=self._on_answer_to_write,
        )
        self._form = Form(settings)
        self._asking = Asking()
        self._wire: Wire[events.Event] | None = None
        self._tracer: Tracer | None = None
        loop = asyncio.get_running_loop()
        self._bound: asyncio.Future[None] = loop.create_future()
        self._bound.add_done_callback(look_at)
        self._outbind: asyncio.Future[pdus.Outbind] | None = None  # what the SMSC says that has connected to us
        self._closed = asyncio.Event()
        self._idle = asyncio.Event()
        self._stopping = False
        self._reason = "connection_lost"
        self._in_flight: dict[int, Outgoing] = {}  # sequence number → message
        self._late: dict[int, Outgoing] = {}  # likewise, whose answer has not come in time
        self._handlers: Final[dict[type, Callable[[Any], None]]] = {
            events.Bound: self._on_bound,
            events.BindRefused: self._on_bind_refused,
            events.Received: self._on_received,
            events.Answered: self._on_answered,
            events.Late: self._on_late,
            events.TimedOut: self._on_timed_out,
            events.Lost: self._on_lost,
            events.Unsolicited: self._on_unsolicited,
            events.Violation: self._on_violation,
            events.Ended: self._on_ended,
        }

    @property
    def bound(self) -> bool:
        """Whether messages may travel."""
        return self._session.bound

    async def run(
        self, password: Secret, tracing: Tracing | None, connect: Callable[[Factory], Awaitable[Wire[events.Event]]]
    ) -> str:
        """Connect, bind, serve until the end; return its reason.

        Args:
            password: for the bind only; not kept.
            tracing: see ``trace``.
            connect: makes the connection.

        Raises:
            OSError, TimeoutError: there is no connection.
            BindError: the SMSC refused the bind.
            StoreBroken: nothing may be acknowledged any more.
        """
        async with asyncio.timeout(self._parts.settings.connect_timeout_s):
            wire = await connect(self.wire)
        return await self._live(wire, password, tracing)

    async def serve(self, passwords: Passwords, tracing: Tracing | None) -> str:
        """Wait on a connection that the SMSC has made for its outbind, then bind (§4.1.7), and as ``run``.

        Raises:
            BindError: the SMSC did not say who it is, or not what was expected. It is told nothing.
            OSError, TimeoutError, StoreBroken: as ``run``.
        """
        settings = self._parts.settings
        self._outbind = asyncio.get_running_loop().create_future()
        wire = self.wire()
        closed = asyncio.ensure_future(self._closed.wait())
        try:
            async with asyncio.timeout(settings.response_timeout_s):
                await asyncio.wait((self._outbind, closed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
        if not self._outbind.done():
            raise ConnectionError("the connection was closed before an outbind came")
        said = self._outbind.result()
        named = hmac.compare_digest(settings.outbind_system_id.encode(), said.system_id.encode())
        if not (passwords.outbind is not None and passwords.outbind.matches(said.password) and named):
            raise BindError("wrong system_id or password in an outbind", command_status=0, credentials=True)
        return await self._live(wire, passwords.bind, tracing)

    async def _live(self, wire: Wire[events.Event], password: Secret, tracing: Tracing | None) -> str:
        settings = self._parts.settings
        wire.notice_death(2 * int(settings.enquire_link_s * 1000))
        self.trace(tracing)
        try:
            await self._arrivals.begin(stores=self._kind != "transmitter")
            if not self._session.closed and not self._stopping:
                self._session.request(self._bind_pdu(password), self._now_ms())
                wire.send_soon()
            await self._bound
            log.info("link.bound", link=self._parts.link, bind=self._name, session=self._arrivals.id)
            self._parts.senders.add(self)
            await self._closed.wait()
        finally:
            self._parts.senders.remove(self)
            wire.close()
            self.trace(None)
            await self._arrivals.end()
        return self._reason

    def trace(self, tracing: Tracing | None) -> None:
        """Look at what travels, from now on; None: no more."""
        if self._tracer is not None:
            self._tracer.close()
        wire, self._tracer = self._wire, None
        if wire is not None:
            if tracing is not None:
                self._tracer = Tracer(self._parts.link, self._name, tracing.file, lambda: wire.ends)
            wire.tap = self._tracer

    def wire(self) -> Wire[events.Event]:
        """Return what a transport carries this connection's octets to and from; always the same."""
        if self._wire is None:
            self._wire = Wire(
                self._session,
                on_events=self._on_events,
                now_ms=self._now_ms,
                on_writable=self._parts.senders.pump,
                on_closed=self._on_closed,
            )
        return self._wire

    def _bind_pdu(self, password: Secret) -> pdus.Pdu:
        settings = self._parts.settings
        return BINDS[self._kind](
            system_id=settings.system_id,
            password=password.reveal(),
            system_type=settings.system_type,
            interface_version=_VERSIONS[settings.interface_version],
            addr_ton=settings.addr_ton,
            addr_npi=settings.addr_npi,
            address_range=settings.address_range,
        )

    # What the session tells

    def _on_events(self, happened: list[events.Event]) -> None:
        for event in happened:
            self._handlers[type(event)](event)
        self._arrivals.move_proof()
        self._parts.senders.pump()
        self._look_whether_idle()

    def _look_whether_idle(self) -> None:
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
        if isinstance(request, pdus.DeliverSm | pdus.DataSm):
            if self._stopping:
                self._arrivals.put_off(request)
            else:
                self._arrivals.take(request)
        elif isinstance(request, pdus.AlertNotification):
            self._arrivals.take_alert(request)
        elif isinstance(request, pdus.Outbind) and self._outbind is not None and not self._outbind.done():
            self._outbind.set_result(request)
        else:
            log.info("link.notified", link=self._parts.link, pdu=request.name)

    def _on_answer_to_write(self) -> None:
        if self._wire is not None:
            self._wire.send_soon()
        if self._stopping:
            self._look_whether_idle()

    def _on_answered(self, event: events.Answered) -> None:
        response = event.response
        message = self._in_flight.pop(response.sequence_number, None)
        if message is None:
            self._asking.answered(event)
            return
        outbox, told = self._parts.senders.outbox, response.command_status
        name = response.message_id[:_OUTGOING_NAME] if isinstance(response, pdus.SubmitSmResp) else ""
        if told == status.ESME_ROK and isinstance(response, pdus.SubmitSmResp):
            outbox.accepted(message, name)
        else:
            self._parts.senders.refused(told)
            outbox.refused(message, told, name)

    def _on_late(self, event: events.Late) -> None:
        response = event.response
        message = self._late.pop(response.sequence_number, None)
        accepted = response.command_status == status.ESME_ROK and isinstance(response, pdus.SubmitSmResp)
        self._asking.answered(event)
        log.warning("link.late", link=self._parts.link, pdu=response.name, took_ms=self._now_ms() - event.sent_ms)
        if message is not None and not accepted:
            self._parts.senders.outbox.late_refusal(message, response.command_status)
        elif message is not None:
            self._parts.senders.outbox.late(message, response.message_id[:_OUTGOING_NAME])  # type: ignore[attr-defined]  # it is a SubmitSmResp

    def _on_timed_out(self, event: events.TimedOut) -> None:
        message = self._in_flight.pop(event.sequence_number, None)
        if message is not None:
            self._late[event.sequence_number] = message
            if len(self._late) > _MOST_LATE:
                del self._late[next(iter(self._late))]
            self._parts.senders.outbox.unanswered(message)
        else:
            self._asking.unanswered(event)

    def _on_lost(self, event: events.Lost) -> None:
        message = self._in_flight.pop(event.sequence_number, None)
        if message is not None:
            self._parts.senders.outbox.unanswered(message)
        else:
            self._asking.unanswered(event)

    async def ask(self, request: pdus.Pdu) -> pdus.Pdu:
        """Send a request that is no message, and return its response; see ``Asking.ask``."""

        def send() -> int:
            number = self._session.request(request, self._now_ms())
            self.flush()
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
        self._fail_to_bind(f"no answer to the bind: {event.reason}")
        if self._wire is not None:
            self._wire.close()

    def _on_closed(self) -> None:
        self._arrivals.close()
        self._fail_to_bind("the connection was closed before the bind was answered")
        self._closed.set()
        self._idle.set()

    def _fail_to_bind(self, what: str) -> None:
        if not self._bound.done():
            cause = self._wire.error if self._wire is not None else None
            self._bound.set_exception(cause if isinstance(cause, ssl.SSLError) else ConnectionError(what))

    # What is sent

    @property
    def free(self) -> int:
        """How many more messages the window and the socket take now."""
        wire = self._wire
        return 0 if self._stopping or wire is None or not wire.can_write else self._session.free

    def send(self, message: Outgoing, now_ms: int) -> int:
        """Send a message; return how many SMS it is, 0 when it cannot be sent."""
        try:
            number = self._session.request(self._form.fill(message, self._parts.ports.clock.now_ms()), now_ms)
        except (PduError, SessionError) as error:
            told = error.command_status if isinstance(error, PduError) else status.ESME_RINVCMDID
            log.error("mt.not_sendable", mt=message.row.id, link=self._parts.link, error=str(error))
            self._parts.senders.outbox.unsendable(message, told)
            return 0
        self._in_flight[number] = message
        return message.row.sms

    def flush(self) -> None:
        """Have what was sent written at the end of this turn of the loop."""
        if self._wire is not None:
            self._wire.send_soon()

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
        if self._session.state in {State.UNBINDING, State.LEAVING}:
            await self._closed.wait()

    def abort(self) -> None:
        """Close at once."""
        if self._wire is not None:
            self._wire.abort()

    def _now_ms(self) -> int:
        return self._parts.ports.clock.monotonic_ms()


def _session_settings(settings: LinkSettings) -> SessionSettings:
    return SessionSettings(
        role="esme",
        window=settings.window,
        response_timeout_ms=int(settings.response_timeout_s * 1000),
        enquire_link_interval_ms=int(settings.enquire_link_s * 1000),
        inactivity_ms=int(settings.inactivity_s * 1000),
        interface_version=_VERSIONS[settings.interface_version],
        max_unanswered_in=_MOST_UNANSWERED_IN,
        busy_status=settings.temporary_error,
    )
