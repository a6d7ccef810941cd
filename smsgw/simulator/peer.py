"""One connection of the SMSC: who is bound on it, what is on its way to it, and how its requests are answered."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

import msgspec

from smsgw.errors import PduError
from smsgw.kit.wire import Wire
from smsgw.simulator.deliveries import Deliveries, Delivery
from smsgw.simulator.faults import (
    Duplicates,
    ErrorAnswers,
    Mischief,
    NoAnswers,
    Octets,
    Redeliveries,
    RefuseBinds,
    RepeatedAnswers,
    ShuffledAnswers,
    SlowAnswers,
)
from smsgw.simulator.operations import Ledger
from smsgw.simulator.treatment import Treatment
from smsgw.smpp import pdus, status, tlvs
from smsgw.smpp.codec import encode
from smsgw.smpp.events import Answered, Ended, Event, Late, Received, TimedOut, Unsolicited
from smsgw.smpp.pdus import DataSm, Pdu, SubmitSm
from smsgw.smpp.session import Session
from smsgw.smpp.states import State

AnyBind = pdus.BindTransmitter | pdus.BindReceiver | pdus.BindTransceiver

_KINDS: Final[dict[type[Pdu], str]] = {
    pdus.BindTransceiver: "transceiver",
    pdus.BindTransmitter: "transmitter",
    pdus.BindReceiver: "receiver",
}
_OPERATIONS: Final = (pdus.QuerySm, pdus.CancelSm, pdus.ReplaceSm)


class Bind(msgspec.Struct, frozen=True, kw_only=True):
    """A bind that stands."""

    connection: int
    kind: str  # transceiver, transmitter, receiver
    system_id: str


class Owner(Protocol):
    """What a connection needs of the SMSC that it belongs to."""

    mischief: Mischief
    deliveries: Deliveries
    ledger: Ledger

    def now_ms(self) -> int:
        """Return the monotonic clock."""

    def judge(self, kind: str, system_id: str, password: str) -> int:
        """Return the command_status that answers a bind."""

    def greeting(self) -> dict[int, bytes]:
        """Return the TLVs of the answer to a bind."""

    def next_message_id(self) -> str:
        """Return an id for a submitted message."""

    def treat(self, request: SubmitSm | DataSm) -> Treatment:
        """Return what is special about a message that is being submitted."""

    def submitted(self, request: SubmitSm | DataSm, message_id: str, treatment: Treatment) -> None:
        """Take what was submitted."""

    def acknowledged(self, delivery: Delivery) -> None:
        """Hear that the peer has taken a deliver_sm."""

    def binds_changed(self, peer: "Peer") -> None:
        """Hear that this connection is bound, or no longer."""

    def gone(self, peer: "Peer") -> None:
        """Hear that this connection is over."""

    def pump(self) -> None:
        """Send what waits to whoever takes it now."""

    def show(self, connection: int, sent: bool, pdu: Pdu, sequence_number: int) -> None:  # noqa: FBT001 - a hook's order
        """Hear of a PDU, in the order of the wire."""


class Peer:
    """One connection."""

    def __init__(self, number: int, session: Session, owner: Owner) -> None:
        self.number = number
        self.bind: Bind | None = None
        self.session = session
        self.wire = Wire(
            session,
            on_events=self._on_events,
            now_ms=owner.now_ms,
            on_writable=owner.pump,
            on_closed=self._on_closed,
        )
        self._owner = owner
        self._sent: dict[int, Delivery] = {}  # unanswered, by sequence number, oldest first
        self._slow: set[asyncio.TimerHandle] = set()
        self._together: list[Callable[[], object]] = []  # answers that wait for others, to be given the last first
        self._over = False

    @property
    def has_room(self) -> bool:
        """Whether a deliver_sm can be sent here now."""
        return self.wire.can_write and not self._over and self.receives and self.session.free > 0

    @property
    def receives(self) -> bool:
        """Whether the peer is bound and takes messages."""
        return self.session.state in {State.BOUND_RX, State.BOUND_TRX}

    def send(self, delivery: Delivery) -> None:
        """Send a deliver_sm; ``has_room`` is true."""
        now_ms = self._owner.now_ms()
        try:
            sequence_number = self.session.request(delivery.pdu, now_ms)
        except PduError as error:
            self._owner.deliveries.answered(delivery, error.command_status, now_ms)
            return
        self._sent[sequence_number] = delivery
        self._owner.show(self.number, sent=True, pdu=delivery.pdu, sequence_number=sequence_number)
        if self.session.free and self._owner.mischief.take(Duplicates):
            sequence_number = self.session.request(delivery.pdu, now_ms)  # nobody waits for the answer to this one
            self._owner.show(self.number, sent=True, pdu=delivery.pdu, sequence_number=sequence_number)
        self.wire.send_soon()

    def announce(self, pdu: pdus.AlertNotification | pdus.Outbind) -> None:
        """Send what has no response."""
        now_ms = self._owner.now_ms()
        sequence_number = self.session.request(pdu, now_ms)
        self._owner.show(self.number, sent=True, pdu=pdu, sequence_number=sequence_number)
        self.wire.send_soon()

    def write_octets(self, fault: Octets) -> asyncio.Transport | None:
        """Write what no session would; a connection that is to hang is given away."""
        self.wire.write_raw(fault.octets)
        if not fault.hang:
            return None
        self._over = True
        return self.wire.detach()

    def unbind(self) -> None:
        """Ask the peer to end the session, if it is bound."""
        if self.session.bound:
            self.session.unbind(self._owner.now_ms())
            self.wire.send_soon()

    def _on_events(self, events: list[Event]) -> None:
        """Deal with what happened. Lost is not looked at: all that is left in ``_sent`` at the end is lost."""
        for event in events:
            if isinstance(event, Received):
                self._on_request(event.request)
            elif isinstance(event, Answered):
                self._on_answer(event.response)
            elif isinstance(event, Late | Unsolicited):  # a generic_nack to what no session wrote, too
                self._owner.show(
                    self.number, sent=False, pdu=event.response, sequence_number=event.response.sequence_number
                )
            elif isinstance(event, TimedOut):
                delivery = self._sent.pop(event.sequence_number, None)
                if delivery is not None:
                    self._owner.deliveries.unanswered(delivery, self._owner.now_ms())
            elif isinstance(event, Ended):
                self.wire.close()
        self._owner.pump()

    def _on_closed(self) -> None:
        self._over = True
        for timer in self._slow:
            timer.cancel()
        self._owner.deliveries.lost(list(self._sent.values()))
        if self.bind is not None:
            self.bind = None
            self._owner.binds_changed(self)
        self._owner.gone(self)

    def _on_answer(self, response: Pdu) -> None:
        if self._drops():
            return
        self._owner.show(self.number, sent=False, pdu=response, sequence_number=response.sequence_number)
        delivery = self._sent.pop(response.sequence_number, None)
        if delivery is None:
            return
        now_ms, command_status = self._owner.now_ms(), response.command_status
        if type(response) is pdus.GenericNack:
            command_status = command_status or status.ESME_RUNKNOWNERR
        if command_status == status.ESME_ROK:
            self._owner.acknowledged(delivery)
        if command_status == status.ESME_ROK and self._owner.mischief.take(Redeliveries):
            self._owner.deliveries.unanswered(delivery, now_ms)
        else:
            self._owner.deliveries.answered(delivery, command_status, now_ms)

    def _on_request(self, request: Pdu) -> None:
        if self._drops():
            return
        self._owner.show(self.number, sent=False, pdu=request, sequence_number=request.sequence_number)
        if isinstance(request, AnyBind):
            self._on_bind(request)
        elif isinstance(request, SubmitSm | DataSm):
            self._on_submit(request)
        elif isinstance(request, _OPERATIONS):
            self._give(request, self._owner.ledger.answer(request))

    def _on_bind(self, request: AnyBind) -> None:
        refusal, kind = self._owner.mischief.take(RefuseBinds), _KINDS[type(request)]
        command_status = refusal.status if refusal else self._owner.judge(kind, request.system_id, request.password)
        if command_status:
            self._respond(request, command_status=command_status)
            return
        self._respond(request, system_id="simulator", tlvs=self._owner.greeting())
        self.bind = Bind(connection=self.number, kind=kind, system_id=request.system_id)
        self._owner.binds_changed(self)

    def _on_submit(self, request: SubmitSm | DataSm) -> None:
        mischief = self._owner.mischief
        error = mischief.take(ErrorAnswers)
        if error:
            self._refuse(request, error)
            return
        if throttled := mischief.throttles(self._owner.now_ms()):
            self._respond(request, command_status=throttled)
            return
        treatment = self._owner.treat(request)
        if treatment.refusal:
            self._respond(request, command_status=treatment.refusal)
            return
        message_id = self._owner.next_message_id()
        said = {"command_status": treatment.status} if treatment.status else {"message_id": message_id}
        self._answer_submit(request, partial(self._respond, request, **said), treatment)
        if treatment.taken:
            self._owner.submitted(request, message_id, treatment)

    def _answer_submit(self, request: SubmitSm | DataSm, respond: Callable[[], Pdu], treatment: Treatment) -> None:
        """Answer a message that is taken, as late and as often as it is to be."""
        mischief, after_ms = self._owner.mischief, treatment.answer_after_ms
        if treatment.breaks:
            self._over = True
            self.wire.abort()
        elif after_ms is None:
            return
        elif slow := mischief.take(SlowAnswers):
            self._later(after_ms + slow.delay_ms, respond)
        elif shuffled := mischief.current(ShuffledAnswers):
            self._shuffle(respond, shuffled)
        elif mischief.take(NoAnswers):
            return
        elif after_ms:
            self._later(after_ms, partial(self._respond_as_told, request, respond))
        else:
            self._respond_as_told(request, respond)

    def _respond_as_told(self, request: SubmitSm | DataSm, respond: Callable[[], Pdu]) -> None:
        response = respond()
        if self._owner.mischief.take(RepeatedAnswers):
            self.wire.write_raw(encode(response, request.sequence_number))

    def _refuse(self, request: SubmitSm | DataSm, error: ErrorAnswers) -> None:
        if error.form == "nack":
            self._give(request, pdus.GenericNack(command_status=error.status))
            return
        more = {} if error.form == "bare" else {"tlvs": {tlvs.ADDITIONAL_STATUS_INFO_TEXT: b"no\0"}}
        self._respond(request, command_status=error.status, **more)

    def _shuffle(self, respond: Callable[[], object], fault: ShuffledAnswers) -> None:
        self._together.append(respond)
        if len(self._together) >= fault.together:
            self._owner.mischief.take(ShuffledAnswers)
            while self._together:
                self._together.pop()()

    def _respond(self, request: Pdu, **fields: Any) -> Pdu:
        return self._give(request, pdus.RESPONSE_TO[type(request)](**fields))

    def _give(self, request: Pdu, response: Pdu) -> Pdu:
        if self.session.state is not State.CLOSED:
            self.session.respond(request, response, self._owner.now_ms())
            self.wire.send_soon()
            self._owner.show(self.number, sent=True, pdu=response, sequence_number=request.sequence_number)
        return response

    def _drops(self) -> bool:
        """Whether this PDU comes too late: the connection breaks instead of taking it, or is over already."""
        if self._owner.mischief.drops():
            self._over = True
            self.wire.abort()
        return self._over

    def _later(self, delay_ms: int, what: Callable[[], object]) -> None:
        def run() -> None:
            self._slow.discard(timer)
            what()

        timer = asyncio.get_running_loop().call_later(delay_ms / 1000, run)
        self._slow.add(timer)
