"""One SMPP session, either role, without a socket: octets and time go in, events and octets to write come out.

The owner calls ``receive`` with what it read, ``tick`` when ``deadline_ms`` has come, ``connection_lost`` at the end,
and after each call writes what ``take_output`` returns. The states are told in states.py.
"""

from typing import Final

import msgspec

from smsgw.errors import PduError, SessionError
from smsgw.smpp import pdus, status
from smsgw.smpp.codec import decode, decode_header, encode
from smsgw.smpp.events import (
    Answered,
    BindRefused,
    Bound,
    Ended,
    Event,
    Late,
    Lost,
    Reason,
    Received,
    TimedOut,
    Unsolicited,
    Violation,
)
from smsgw.smpp.framing import Framer
from smsgw.smpp.outstanding import Outstanding, Sent
from smsgw.smpp.pdus import RESPONSE_BIT, RESPONSE_TO, Pdu
from smsgw.smpp.pulse import Pulse
from smsgw.smpp.states import BIND_STEPS, BOUND, MESSAGES, SENDS, WINDOWED, Role, State, Step, after, refusal
from smsgw.smpp.versions import OPTIONAL_SINCE, agreed, without_options

PATIENCE_MS: Final = 500  # for the answer to our unbind, before messages that crossed it are refused
LEAVE_MS: Final = 5_000  # for what is to be finished, before we agree to an unbind
MOST_OUTPUT_BYTES: Final = 262_144  # output not taken, above which the peer is not read any more

_NONE: Final[frozenset[type[Pdu]]] = frozenset()


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the two sides of a session have agreed on."""

    role: Role = "esme"  # which side we are
    window: int = 10  # our unanswered requests
    response_timeout_ms: int = 30_000  # also the time that an ESME has to bind, when we are the SMSC
    enquire_link_interval_ms: int = 30_000  # of silence, before we ask; 0 = never
    max_pdu_bytes: int = 65_536
    max_unanswered_in: int = 500  # messages of the peer that wait for our response; above it: see busy_status
    busy_status: int | None = None  # what more of them are told; None: the peer is not read meanwhile
    inactivity_ms: int = 0  # without messages, before we unbind; 0 = never
    interface_version: int = 0x34  # ours (§5.2.4)
    first_sequence_number: int = 1  # of our requests; each side numbers its own


class Session:
    """A session from its connection to its end.

    Attributes:
        state: see states.py.
        answered: how many messages (submit_sm, deliver_sm, data_sm) of the peer we have responded to.
        proven: how many of these responses the peer has certainly read: it has answered a request of ours that was
            written after them.
        interface_version: what both sides speak; below 3.4 there are no optional parameters, data_sm and transceivers.
    """

    __slots__ = (
        "_flushes",
        "_framer",
        "_leave",
        "_leave_ms",
        "_opened_ms",
        "_out",
        "_out_bytes",
        "_outstanding",
        "_owed",
        "_owed_total",
        "_patient",
        "_patient_ms",
        "_peer",
        "_pulse",
        "_sends",
        "_takes",
        "_why_unbound",
        "answered",
        "interface_version",
        "proven",
        "settings",
        "state",
    )

    def __init__(self, settings: SessionSettings, *, now_ms: int) -> None:
        self.settings = settings
        self.state = State.OPEN
        self.answered = 0
        self.proven = 0
        self._peer: Role = "smsc" if settings.role == "esme" else "esme"
        self._sends = SENDS[settings.role].get(State.OPEN, _NONE)
        self._takes = SENDS[self._peer].get(State.OPEN, _NONE)
        self._framer = Framer(settings.max_pdu_bytes)
        self._outstanding = Outstanding()
        self._outstanding.use(settings.first_sequence_number - 1)
        self._owed: dict[int, int] = {}  # sequence number → requests of the peer that wait for our response
        self._owed_total = 0
        self._patient: list[bytes] = []  # refusals that wait for the answer to our unbind
        self._patient_ms = 0  # until when
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._flushes = 0
        self._opened_ms = now_ms
        self._pulse = Pulse(
            settings.enquire_link_interval_ms, settings.response_timeout_ms, settings.inactivity_ms, now_ms
        )
        self._leave = 0  # the number of the peer's unbind that waits for our answer
        self._leave_ms = 0  # until when
        self._why_unbound: Reason = "unbound"
        self.interface_version = settings.interface_version

    # What the owner may ask

    @property
    def bound(self) -> bool:
        """Whether messages may travel, in one direction at least."""
        return self.state in BOUND

    @property
    def closed(self) -> bool:
        """Whether the session is over."""
        return self.state is State.CLOSED

    @property
    def free(self) -> int:
        """Places in the window for requests of ours that this state allows; 0 when it allows none."""
        if not self._sends & WINDOWED:
            return 0
        return self.settings.window - self._outstanding.in_window

    @property
    def unanswered(self) -> int:
        """Requests in our window that the peer has not answered."""
        return self._outstanding.in_window

    @property
    def unanswered_in(self) -> int:
        """Requests of the peer that wait for ``respond``."""
        return self._owed_total

    @property
    def wants_reading(self) -> bool:
        """False while the peer should not be read: too many of its requests, or of our octets, are waiting."""
        room = self._owed_total < self.settings.max_unanswered_in or self.settings.busy_status is not None
        return room and self._out_bytes < MOST_OUTPUT_BYTES

    def deadline_ms(self) -> int | None:
        """When ``tick`` must be called next, unless something else happens before; None for never."""
        if self.closed:
            return None
        times = [self._no_bind_ms(), self._patient_ms if self._patient else None]
        if self.state in BOUND:
            pulse = self._pulse
            times += [pulse.question_ms(), pulse.verdict_ms(), self._useless_ms()]
        elif self.state is State.LEAVING:
            times.append(self._leave_ms)
        if self._outstanding.oldest_ms is not None:
            times.append(self._outstanding.oldest_ms + self.settings.response_timeout_ms)
        return min((time for time in times if time is not None), default=None)

    # What the owner does

    def take_output(self) -> bytes:
        """Return all octets that are to be written now; they count as written from here on."""
        if not self._out:
            return b""
        output = b"".join(self._out)
        self._out.clear()
        self._out_bytes = 0
        self._flushes += 1
        return output

    def request(self, pdu: Pdu, now_ms: int) -> int:
        """Send a request and return its sequence number; its end is an event (outbind, alert_notification: none).

        Raises:
            SessionError: the state does not allow it, or the window is full. Nothing has changed.
            PduError: a field does not fit. Nothing has changed.
        """
        kind = type(pdu)
        if kind not in self._sends:
            raise SessionError(f"{pdu.name} is not possible in state {self.state}")
        if kind in WINDOWED and self._outstanding.in_window >= self.settings.window:
            raise SessionError("the window is full")
        if self.interface_version < OPTIONAL_SINCE:
            pdu = without_options(pdu)
        sequence_number = self._send(pdu, now_ms)
        if kind in WINDOWED:
            self._pulse.moved_ms = now_ms
        if kind in BIND_STEPS:
            self._move(Step.BIND)
        return sequence_number

    def respond(self, request: Pdu, response: Pdu, now_ms: int) -> int:
        """Answer a request that was ``Received``.

        Returns:
            The ordinal of the answer (from 1, compare ``proven``) for messages; 0 for other requests, and when the
            session is over: then nothing is written, and the peer does not know that we took the message.

        Raises:
            SessionError: the request does not wait for a response, or not for this one. Nothing has changed.
            PduError: a field does not fit. Nothing has changed.
        """
        if self.closed:
            return 0
        kind, sequence_number = type(request), request.sequence_number
        if type(response) not in (RESPONSE_TO.get(kind), pdus.GenericNack):
            raise SessionError(f"{response.name} does not answer {request.name}")
        waiting = self._owed.get(sequence_number, 0)
        if not waiting:
            raise SessionError(f"this {request.name} does not wait for a response")
        self._write(encode(response, sequence_number))
        if waiting == 1:
            del self._owed[sequence_number]
        else:
            self._owed[sequence_number] = waiting - 1
        self._owed_total -= 1
        if self.state is State.LEAVING and self._is_finished():
            self._leave_ms = now_ms  # `tick` tells of the end
        if kind in BIND_STEPS:
            self._move(_verdict(kind, response))
        return self._count_answer(now_ms) if kind in MESSAGES else 0

    def unbind(self, now_ms: int) -> None:
        """Ask the peer to end the session; ``Ended`` follows in any case.

        Raises:
            SessionError: the session is not bound.
        """
        self._move(Step.UNBIND)
        self._send(pdus.Unbind(), now_ms)

    def receive(self, data: bytes, now_ms: int) -> list[Event]:
        """Take octets that were read. Never raises, whatever they are."""
        events: list[Event] = []
        if self.closed:
            return events
        frames = self._framer.feed(data)
        if frames:
            self._pulse.heard_ms = now_ms  # whole PDUs only: half a PDU and then nothing is silence
        for frame in frames:
            try:
                pdu = decode(frame)
            except PduError as error:
                self._on_unreadable(frame, error, events)
            else:
                if pdu.command_id & RESPONSE_BIT:
                    self._on_response(pdu, events)
                else:
                    self._on_request(pdu, events)
            if events and type(events[-1]) is Ended:
                return events  # by this frame; what follows it is nobody's any more
        if self.state is State.LEAVING and self._is_finished():
            self._agree_to_unbind(events)
        elif self._framer.broken:
            told = self._framer.broken.command_status
            self._write(encode(pdus.GenericNack(command_status=told), 0))  # §4.3.1: 0 when there is no number
            events.append(Violation(reason=str(self._framer.broken), command_status=told, command_id=0))
            self._end("framing", events)
        return events

    def tick(self, now_ms: int) -> list[Event]:
        """Do what time demands: let requests time out, ask a silent peer. Too early, it does nothing."""
        events: list[Event] = []
        no_bind_ms = self._no_bind_ms()
        if no_bind_ms is not None and no_bind_ms <= now_ms:
            self._end("no_bind", events)
        latest_ms = now_ms - self.settings.response_timeout_ms
        while not self.closed and (sent := self._outstanding.expire(latest_ms)):
            self._on_timeout(sent, now_ms, events)
        if self._patient and self._patient_ms <= now_ms:
            for refusal_pdu in self._patient:
                self._write(refusal_pdu)
            self._patient.clear()
        if self.state in BOUND:
            self._feel_pulse(now_ms, events)
        elif self.state is State.LEAVING and (self._leave_ms <= now_ms or self._is_finished()):
            self._agree_to_unbind(events)
        return events

    def connection_lost(self, now_ms: int) -> list[Event]:  # noqa: ARG002 - all that happens, happens at a time
        """End every request of ours that has no response; a second call has nothing to add."""
        events: list[Event] = [
            Lost(
                request=sent.request,
                sequence_number=sent.sequence_number,
                sent_ms=sent.sent_ms,
                written=sent.flush < self._flushes,
            )
            for sent in self._outstanding.abandon()
            if sent.windowed or type(sent.request) in BIND_STEPS
        ]
        if not self.closed:
            self._end("connection_lost", events)
        return events

    # What the peer does

    def _on_request(self, pdu: Pdu, events: list[Event]) -> None:
        kind = type(pdu)
        if kind in self._takes:
            told = self.settings.busy_status
            if told is not None and self._owed_total >= self.settings.max_unanswered_in and kind in MESSAGES:
                self._refuse(pdu.command_id, pdu.sequence_number, told)
                return
            self._pulse.moved_ms = self._pulse.heard_ms
            if kind in RESPONSE_TO:
                self._owed[pdu.sequence_number] = self._owed.get(pdu.sequence_number, 0) + 1
                self._owed_total += 1
            if kind in BIND_STEPS:
                self._move(Step.BIND)
            events.append(Received(request=pdu))
        elif kind is pdus.EnquireLink:
            self._write(encode(pdus.EnquireLinkResp(), pdu.sequence_number))
        elif kind is pdus.Unbind:
            self._on_unbind(pdu.sequence_number, events)
        else:
            self._on_forbidden(pdu, events)

    def _on_forbidden(self, pdu: Pdu, events: list[Event]) -> None:
        kind = type(pdu)
        told = refusal(self._peer, self.state, kind)
        if told == status.ESME_RX_T_APPN and kind in RESPONSE_TO:
            if self.state is State.UNBINDING:
                self._put_off(RESPONSE_TO[kind](command_status=told), pdu.sequence_number)
            else:
                self._refuse(pdu.command_id, pdu.sequence_number, told)
        else:
            self._refuse(pdu.command_id, pdu.sequence_number, told)
            reason = f"{pdu.name} in state {self.state}"
            events.append(Violation(reason=reason, command_status=told, command_id=pdu.command_id))

    def _on_unbind(self, sequence_number: int, events: list[Event]) -> None:
        """Agree, but finish first what waits for its answer: it would be sent, or delivered, a second time."""
        self._leave = sequence_number
        if self.settings.role == "smsc" or self.state not in BOUND or self._is_finished():
            self._agree_to_unbind(events)
            return
        self._move(Step.LEAVE)
        self._leave_ms = self._pulse.heard_ms + min(LEAVE_MS, self.settings.response_timeout_ms)

    def _is_finished(self) -> bool:
        return not self._outstanding.in_window and not self._owed_total

    def _agree_to_unbind(self, events: list[Event]) -> None:
        self._write(encode(pdus.UnbindResp(), self._leave))
        self._end("peer_unbound", events)

    def _put_off(self, response: Pdu, sequence_number: int) -> None:
        """Refuse later what was on its way when we asked to unbind.

        A peer that answers the unbind and closes at once resets a connection on which something is still written to
        it, and its answer, which proves that all of ours have arrived, is lost with it. One that wants its messages
        answered first gets that after a moment; what is never answered comes again as well.
        """
        if not self._patient:
            self._patient_ms = self._pulse.heard_ms + PATIENCE_MS
        if len(self._patient) < self.settings.max_unanswered_in:
            self._patient.append(encode(response, sequence_number))

    def _on_response(self, pdu: Pdu, events: list[Event]) -> None:
        sent, late = self._outstanding.answer(pdu)
        if sent is None:
            events.append(Unsolicited(response=pdu))
            return
        self.proven = max(self.proven, sent.answered)
        kind = type(sent.request)
        if sent.windowed:
            self._pulse.moved_ms = self._pulse.heard_ms
            event = Late if late else Answered
            events.append(event(request=sent.request, response=pdu, sent_ms=sent.sent_ms))
        elif kind is pdus.EnquireLink:
            self._pulse.answered(sent.sequence_number)
        elif kind is pdus.Unbind:
            self._end(self._why_unbound, events)
        else:
            step = _verdict(kind, pdu)
            self._move(step)
            self.interface_version = agreed(self.settings.interface_version, pdu)
            events.append(BindRefused(response=pdu) if step is Step.REFUSE else Bound(response=pdu))

    def _on_unreadable(self, frame: bytes, error: PduError, events: list[Event]) -> None:
        """Answer a bad request; take from a bad response what its header says, for the peer has decided."""
        told, command_id = error.command_status, error.command_id
        events.append(Violation(reason=str(error), command_status=told, command_id=command_id))
        if not command_id & RESPONSE_BIT:
            self._refuse(command_id, error.sequence_number, told)
        elif command_id in pdus.BY_ID:
            self._on_response(decode_header(frame), events)

    def _refuse(self, command_id: int, sequence_number: int, command_status: int) -> None:
        request = pdus.BY_ID.get(command_id)
        if request is None:
            self._write(encode(pdus.GenericNack(command_status=command_status), sequence_number))
        elif request in RESPONSE_TO:
            self._write(encode(RESPONSE_TO[request](command_status=command_status), sequence_number))

    # What time does

    def _on_timeout(self, sent: Sent, now_ms: int, events: list[Event]) -> None:
        if self._pulse.unproven_ms is None and self.proven < self.answered:
            self._pulse.unproven_ms = now_ms  # what this request would have proven, another one must
        kind = type(sent.request)
        if sent.windowed:
            number, sent_ms = sent.sequence_number, sent.sent_ms
            events.append(TimedOut(request=sent.request, sequence_number=number, sent_ms=sent_ms))
        elif kind is pdus.Unbind:
            self._end("unbind_unanswered", events)
        elif kind in BIND_STEPS:
            self._end("bind_unanswered", events)

    def _feel_pulse(self, now_ms: int, events: list[Event]) -> None:
        pulse = self._pulse
        verdict_ms = pulse.verdict_ms()
        if verdict_ms is not None and verdict_ms <= now_ms and pulse.gone():
            self._end("enquire_link_unanswered", events)
            return
        useless_ms = self._useless_ms()
        if useless_ms is not None and useless_ms <= now_ms:
            self._why_unbound = "inactive"
            self.unbind(now_ms)
            return
        question_ms = pulse.question_ms()
        if question_ms is not None and question_ms <= now_ms:
            pulse.asked(self._send(pdus.EnquireLink(), now_ms), now_ms)

    def _useless_ms(self) -> int | None:
        """When to unbind because no messages travel; not while one waits for its answer."""
        return self._pulse.useless_ms() if self._is_finished() else None

    def _no_bind_ms(self) -> int | None:
        """When an SMSC has waited long enough for the ESME to bind."""
        if self.settings.role == "esme" or self.state is not State.OPEN:
            return None
        return self._opened_ms + self.settings.response_timeout_ms

    # What these are made of

    def _send(self, pdu: Pdu, now_ms: int) -> int:
        sequence_number = self._outstanding.next_number()
        self._write(encode(pdu, sequence_number))
        self._outstanding.use(sequence_number)
        if type(pdu) in RESPONSE_TO:
            self._outstanding.add(
                Sent(
                    request=pdu,
                    sequence_number=sequence_number,
                    sent_ms=now_ms,
                    answered=self.answered,
                    flush=self._flushes,
                )
            )
            self._pulse.unproven_ms = None
        return sequence_number

    def _write(self, frame: bytes) -> None:
        self._out.append(frame)
        self._out_bytes += len(frame)

    def _count_answer(self, now_ms: int) -> int:
        self.answered += 1
        if self._pulse.unproven_ms is None:
            self._pulse.unproven_ms = now_ms
        return self.answered

    def _move(self, step: Step) -> None:
        self.state = after(self.state, step)
        self._sends = SENDS[self.settings.role].get(self.state, _NONE)
        self._takes = SENDS[self._peer].get(self.state, _NONE)

    def _end(self, reason: Reason, events: list[Event]) -> None:
        self._move(Step.END)
        self._framer = Framer(self.settings.max_pdu_bytes)
        self._patient.clear()
        self._owed.clear()
        self._owed_total = 0
        events.append(Ended(reason=reason))


def _verdict(bind: type[Pdu], response: Pdu) -> Step:
    """The step that the answer to a bind means."""
    refused = response.command_status != status.ESME_ROK or type(response) is pdus.GenericNack
    return Step.REFUSE if refused else BIND_STEPS[bind]
