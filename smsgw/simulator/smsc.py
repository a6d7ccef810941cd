"""The SMSC: listens, checks who binds, delivers messages at least once, takes what is submitted, misbehaves as told.

Subscribers' messages come in by ``deliver``; what the gateway submits goes out by ``on_mt``, one call for each message.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec

from smsgw.errors import StartError
from smsgw.kit.clock import Clock, SystemClock
from smsgw.kit.logs import get_logger
from smsgw.simulator import receipts
from smsgw.simulator.billing import Billing
from smsgw.simulator.commerce import Commerce
from smsgw.simulator.deliveries import Deliveries, Delivery
from smsgw.simulator.faults import Fault, Mischief, Octets
from smsgw.simulator.operations import Ledger, Operation
from smsgw.simulator.peer import Bind, Peer
from smsgw.simulator.receipts import Dialect
from smsgw.simulator.submissions import Submissions, SubmittedMessage
from smsgw.simulator.subscribers import Subscribers
from smsgw.simulator.treatment import Course, Treatment, course
from smsgw.smpp import status, tlvs
from smsgw.smpp.pdus import AlertNotification, DataSm, DeliverSm, Outbind, Pdu, SubmitSm
from smsgw.smpp.session import Session, SessionSettings
from smsgw.text import segments

log = get_logger(__name__)

_TLVS_SINCE: Final = 0x34  # interface_version
_STOP_S: Final = 1  # for aborted connections to be gone
_MOST_UNANSWERED_IN: Final = 100_000  # submit_sm that a fault leaves without an answer, before reading stops


class SmscSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the SMSC behaves when it behaves well, and what it is to do wrong from the start."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: any free port
    system_id: str = "smsgw"  # the gateway's; another one is refused
    password: str = "secret"  # noqa: S105 - a simulator's, told to everybody
    window: int = 10  # unanswered deliver_sm per bind
    deliver_response_timeout_ms: int = 10_000  # also the time that a peer has to bind
    enquire_link_interval_ms: int = 30_000  # 0: never asks
    redeliver_after_ms: int = 1_000  # pause after a temporary error, or none answer
    max_attempts: int = 1_000  # deliver_sm for one part, before it is given up
    max_waiting: int = 100_000  # deliver_sm that are held, above which ESME_RMSGQFUL is all that a phone gets
    max_connections: int = 32
    receipt_delay_ms: int = 500  # from the submission to the receipt
    receipt_state: receipts.State = "DELIVRD"
    interface_version: int = 0x34  # below it transceivers, TLVs and data_sm do not exist
    kinds: frozenset[str] = frozenset({"transceiver", "transmitter", "receiver"})  # of binds that are allowed
    most_binds: int = 32  # that stand at a time, above which ESME_RALYBND
    first_sequence_number: int = 1  # of our requests, on each connection
    first_message_id: int = 1
    offers: frozenset[Operation] = frozenset()  # query_sm, cancel_sm, replace_sm
    tls: ssl.SSLContext | None = None
    faults: tuple[Fault, ...] = ()

    def __repr__(self) -> str:
        """Name the address only: settings end up in tracebacks."""
        return f"SmscSettings({self.host}:{self.port})"


class Smsc:
    """The SMSC.

    Args:
        settings: see SmscSettings.
        clock: the wall clock stamps receipts, the monotonic one counts timeouts.
        billing: takes money for what its price list says; None: nothing costs anything.
        subscribers: phones that answer, and have their own fate when they are charged; None: nobody answers.

    Attributes:
        on_mt: called with each submitted message whose parts are complete.
        on_pdu: called with (connection, sent by us, PDU, sequence number) for each PDU but enquire_link and unbind.
        on_binds: called with all binds that stand, when they change.
        dialect: how receipts are written from now on.
        commerce: its till and its phones, which may be changed.
    """

    def __init__(
        self,
        settings: SmscSettings,
        *,
        clock: Clock | None = None,
        billing: Billing | None = None,
        subscribers: Subscribers | None = None,
    ) -> None:
        self.settings = settings
        self.on_mt: Callable[[SubmittedMessage], None] | None = None
        self.on_pdu: Callable[[int, bool, Pdu, int], None] | None = None
        self.on_binds: Callable[[tuple[Bind, ...]], None] | None = None
        self.mischief = Mischief(settings.faults)
        self.dialect = Dialect(state=settings.receipt_state, delays_s=(settings.receipt_delay_ms / 1000,))
        self.ledger = Ledger(settings.offers)
        self.deliveries = Deliveries(
            limit=settings.max_waiting,
            max_attempts=settings.max_attempts,
            redeliver_after_ms=settings.redeliver_after_ms,
        )
        self._clock = clock or SystemClock()
        self.commerce = Commerce(billing, subscribers, self._clock)
        self._submissions = Submissions()
        self._server: asyncio.Server | None = None
        self._peers: dict[int, Peer] = {}
        self._deaf: set[asyncio.Transport] = set()
        self._promises: set[asyncio.Future[int]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._has_receiver = asyncio.Event()
        self._quiet = asyncio.Event()  # nobody is connected
        self._quiet.set()
        self._connections = 0
        self._message_ids = settings.first_message_id - 1
        self._references = 0
        self._receipts = 0
        self._port = settings.port

    # Life

    async def start(self) -> int:
        """Listen; return the port.

        Raises:
            StartError: the port is taken, or the address is not this machine's.
        """
        host, port = self.settings.host, self._port
        loop, tls = asyncio.get_running_loop(), self.settings.tls
        try:
            self._server = await loop.create_server(self._accept, host, port, ssl=tls)
        except OSError as error:
            reason = error.strerror or error
            raise StartError(f"simulator: cannot listen on {host}:{port}: {reason}", os.EX_UNAVAILABLE) from None
        self._port = self._server.sockets[0].getsockname()[1]
        log.info("simulator.listening", host=host, port=self._port)
        return self._port

    def close(self) -> None:
        """Stop listening and break every connection, as a machine that is gone; ``start`` listens there again."""
        if self._server is not None:
            self._server.close()
        self.drop()

    async def outbind(self, host: str, port: int, system_id: str, password: str) -> None:
        """Connect to a gateway and ask it to bind (§2.2.1).

        Raises:
            OSError: nobody listens there.
        """
        await asyncio.get_running_loop().create_connection(self._accept, host, port)
        newest = self._peers[max(self._peers)]
        newest.announce(Outbind(system_id=system_id, password=password))

    async def stop(self) -> None:
        """Close every connection at once; what was not delivered never will be."""
        if self._server is not None:
            self._server.close()
        for peer in self._peers.values():
            peer.wire.abort()
        for transport in self._deaf:
            transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await self._quiet.wait()
        if self._alarm is not None:
            self._alarm.cancel()
        for timer in self._timers:
            timer.cancel()
        for promise in self._promises:
            promise.cancel()

    @property
    def binds(self) -> tuple[Bind, ...]:
        """All binds that stand."""
        return tuple(peer.bind for peer in self._peers.values() if peer.bind is not None)

    async def until_bound(self) -> None:
        """Wait until somebody is bound who takes messages."""
        await self._has_receiver.wait()

    def unbind(self) -> None:
        """Ask every peer that is bound to end its session, as an SMSC does before maintenance."""
        for peer in self._peers.values():
            peer.unbind()

    def drop(self) -> None:
        """Break every connection, now."""
        for peer in self._peers.values():
            peer.wire.abort()

    def alert(self, source: str) -> None:
        """Tell every gateway that a subscriber can be reached again (§4.12.1)."""
        for peer in self._peers.values():
            if peer.receives:
                peer.announce(AlertNotification(source_addr_ton=1, source_addr_npi=1, source_addr=source))

    # Mischief

    def misbehave(self, *faults: Fault) -> None:
        """Let these faults happen from now on."""
        bound = [peer for peer in self._peers.values() if peer.bind is not None]
        for fault in faults:
            if isinstance(fault, Octets) and bound:
                for peer in bound:
                    self._write_octets(peer, fault)
            else:
                self.mischief.plan(fault)

    def behave(self) -> None:
        """Forget all faults that have not happened yet."""
        self.mischief.clear()

    def _write_octets(self, peer: Peer, fault: Octets) -> None:
        transport = peer.write_octets(fault)
        if transport is not None:
            self._deaf.add(transport)
            transport.set_protocol(_Deaf(on_closed=partial(self._deaf.discard, transport)))

    # Messages of subscribers

    def deliver(
        self, source: str, destination: str, text: str, *, service_type: str = "", due_ms: int | None = None
    ) -> asyncio.Future[int]:
        """Deliver a message, in as many parts as it takes, as soon as somebody is bound who takes it.

        Args:
            source: the subscriber's MSISDN.
            destination: the short code.
            text: what the subscriber wrote.
            service_type: as in the PDU.
            due_ms: on the monotonic clock, not before then.

        Returns:
            The command_status of the gateway's final answer, to be awaited: 0 when all parts are acknowledged.

        Raises:
            TextError: the text holds half a surrogate pair, or takes more than 255 parts.
        """
        self._references += 1
        parts = [
            DeliverSm(
                service_type=service_type,
                source_addr_ton=1,
                source_addr_npi=1,
                source_addr=source,
                dest_addr_npi=1,
                destination_addr=destination,
                esm_class=segment.esm_class,
                data_coding=segment.data_coding,
                short_message=segment.payload,
            )
            for segment in segments.split(text, reference=self._references)
        ]
        return self.deliver_raw(*parts, due_ms=due_ms)

    def deliver_raw(self, *parts: DeliverSm | DataSm, due_ms: int | None = None) -> asyncio.Future[int]:
        """Deliver these PDUs as they are, at least once each; see ``deliver``."""
        promise: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if not self.deliveries.add(parts, partial(_keep, promise), due_ms=due_ms):
            promise.set_result(status.ESME_RMSGQFUL)
            return promise
        self._promises.add(promise)
        promise.add_done_callback(self._promises.discard)
        self.pump()
        return promise

    def pump(self) -> None:
        """Send what is due to whoever has room for it, each in turn; come again when something else is due."""
        now_ms = self.now_ms()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while takers := [peer for peer in self._peers.values() if peer.has_room]:
            for peer in takers:
                delivery = self.deliveries.take(now_ms)
                if delivery is None:
                    self._arm(now_ms)
                    return
                peer.send(delivery)
                self._peers[peer.number] = self._peers.pop(peer.number)  # to the end: whose turn it was last

    def _arm(self, now_ms: int) -> None:
        due_ms = self.deliveries.due_ms()
        if due_ms is not None:
            self._alarm = asyncio.get_running_loop().call_later(max(1, due_ms - now_ms) / 1000, self.pump)

    # What the connections ask and tell

    def now_ms(self) -> int:
        """Return the monotonic clock."""
        return self._clock.monotonic_ms()

    def judge(self, kind: str, system_id: str, password: str) -> int:
        """Return the command_status that answers a bind."""
        wanted = self.settings
        command_status = status.ESME_ROK
        if system_id != wanted.system_id:
            command_status = status.ESME_RINVSYSID
        elif password != wanted.password:
            command_status = status.ESME_RINVPASWD
        elif kind not in wanted.kinds:
            command_status = status.ESME_RBINDFAIL
        elif len(self.binds) >= wanted.most_binds:
            command_status = status.ESME_RALYBND
        return command_status

    def greeting(self) -> dict[int, bytes]:
        """Return the TLVs of the answer to a bind; version 3.3 has none."""
        version = self.settings.interface_version
        return {tlvs.SC_INTERFACE_VERSION: bytes((version,))} if version >= _TLVS_SINCE else {}

    def next_message_id(self) -> str:
        """Return an id for a submitted message, in hex as most SMSCs write it."""
        self._message_ids += 1
        return f"{self._message_ids:08x}"

    def treat(self, request: SubmitSm | DataSm) -> Treatment:
        """Return what is special about a message."""
        return self.commerce.treat(request)

    def submitted(self, request: SubmitSm | DataSm, message_id: str, treatment: Treatment) -> None:
        """Charge the message if it costs something, plan its receipts, and show it when it is whole."""
        fate = course(treatment, self.dialect, self._receipts)
        self.ledger.take(message_id, request, fate.state)
        billed = self.commerce.accepted(request, message_id)
        if billed:
            self._after(fate.ends_after_ms, partial(self.commerce.ended, message_id, fate.state))
        self._plan_receipts(request, message_id, fate, billed=billed)
        message = self._submissions.add(request, message_id)
        if message is None:
            return
        if self.on_mt is not None:
            self.on_mt(message)
        for answer in self.commerce.answers(message):
            due_ms = self.now_ms() + answer.after_ms if answer.after_ms else None
            self.deliver(message.destination, message.source, answer.text, due_ms=due_ms)

    def acknowledged(self, delivery: Delivery) -> None:
        """Charge a subscriber's message when the gateway has taken the whole of it."""
        if self.deliveries.acknowledged(delivery):
            self.commerce.acknowledged(delivery.pdu)

    def _after(self, delay_ms: int, what: Callable[[], object]) -> None:
        """Do something later, or at once when there is no delay."""
        if delay_ms <= 0:
            what()
            return

        def run() -> None:
            self._timers.discard(timer)
            what()

        timer = asyncio.get_running_loop().call_later(delay_ms / 1000, run)
        self._timers.add(timer)

    def _plan_receipts(self, request: SubmitSm | DataSm, message_id: str, fate: Course, *, billed: bool) -> None:
        """Hold the receipts back until they are due; that of a billed message never leaves before it is charged."""
        dialect, at_ms = self.dialect, self._clock.now_ms()
        if not receipts.is_wanted(request.registered_delivery, fate.state) or not _is_reported(request, dialect):
            return
        self._receipts += 1
        for report in fate.reports:
            receipt = receipts.write(
                request,
                message_id,
                report.state,
                submitted_ms=at_ms,
                done_ms=at_ms + report.after_ms,
                dialect=dialect,
                esm_class=receipts.INTERMEDIATE if report.intermediate else receipts.RECEIPT,
                error=report.error,
            )
            if billed:
                self._after(report.after_ms, partial(self.deliver_raw, receipt))  # behind the charge, which came first
            else:
                self.deliver_raw(receipt, due_ms=self.now_ms() + report.after_ms if not report.intermediate else None)

    def binds_changed(self, peer: Peer) -> None:
        """Tell everybody who waits for a bind; a new one may have a surprise in store."""
        if peer.bind is not None:
            log.info("simulator.bound", connection=peer.number, kind=peer.bind.kind)
            while peer.session.bound and (fault := self.mischief.take(Octets)):
                self._write_octets(peer, fault)
        else:
            log.info("simulator.unbound", connection=peer.number)
        if any(one.receives for one in self._peers.values()):
            self._has_receiver.set()
        else:
            self._has_receiver.clear()
        if self.on_binds is not None:
            self.on_binds(self.binds)

    def gone(self, peer: Peer) -> None:
        """Forget the connection, and send what was on it to others."""
        self._peers.pop(peer.number, None)
        if not self._peers:
            self._quiet.set()
        self.pump()

    def show(self, connection: int, sent: bool, pdu: Pdu, sequence_number: int) -> None:  # noqa: FBT001 - a hook's order
        """Show a PDU to whoever watches."""
        if self.on_pdu is not None:
            self.on_pdu(connection, sent, pdu, sequence_number)

    def _accept(self) -> asyncio.BaseProtocol:
        if len(self._peers) + len(self._deaf) >= self.settings.max_connections:
            return _Deaf(close=True)
        self._connections += 1
        settings = SessionSettings(
            role="smsc",
            window=self.settings.window,
            response_timeout_ms=self.settings.deliver_response_timeout_ms,
            enquire_link_interval_ms=self.settings.enquire_link_interval_ms,
            max_unanswered_in=_MOST_UNANSWERED_IN,
            first_sequence_number=self.settings.first_sequence_number,
        )
        peer = Peer(self._connections, Session(settings, now_ms=self.now_ms()), self)
        self._peers[peer.number] = peer
        self._quiet.clear()
        return peer.wire


class _Deaf(asyncio.Protocol):
    """Holds a connection that nobody listens to any more."""

    def __init__(self, *, close: bool = False, on_closed: Callable[[], None] | None = None) -> None:
        self._close = close
        self._on_closed = on_closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._close:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it ended changes nothing
        if self._on_closed is not None:
            self._on_closed()


def _is_reported(request: SubmitSm | DataSm, dialect: Dialect) -> bool:
    """Whether this dialect has a receipt for this part of a message."""
    if not dialect.parts:
        return True
    payload = request.short_message if isinstance(request, SubmitSm) else b""
    part = segments.parse_part(payload, request.esm_class)
    return (part.number if part else 1) in dialect.parts


def _keep(promise: asyncio.Future[int], command_status: int) -> None:
    if not promise.done():
        promise.set_result(command_status)
