"""Loads a gateway and measures it: a full window of messages, and the times until response and answer.

Each message comes from its own MSISDN, so that every submit_sm tells by its destination which message it answers.
"""

import asyncio
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from smsgw.errors import StartError
from smsgw.kit.wire import Wire
from smsgw.smpp import pdus
from smsgw.smpp.events import Answered, Ended, Event, Received
from smsgw.smpp.pdus import RESPONSE_TO, DeliverSm, SubmitSm
from smsgw.smpp.session import Session, SessionSettings
from smsgw.smpp.states import State

_TURN_S: Final = 0.001  # between looks at the pace and at progress
_RECEIVERS: Final = frozenset({State.BOUND_RX, State.BOUND_TRX})


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, and how fast."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: any free port
    messages: int = 20_000
    window: int = 50  # unanswered deliver_sm per bind
    per_second: int = 0  # 0: as fast as the window lets
    text: str = "CODE"  # plain ASCII, at most 160 characters
    destination: str = "1234"
    first_msisdn: int = 359_880_000_000
    bind_ms: int = 120_000  # longest wait for a bind
    settle_ms: int = 1_000  # pause between the bind and the first message
    quiet_ms: int = 10_000  # without progress, after which the rest counts as missing


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long it took, in milliseconds; zeros when it never happened."""

    p50: float
    p99: float
    max: float


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    sent: int  # deliver_sm
    answered: int  # of these, with a response of any status
    refused: int  # of these, with a status other than 0
    mts: int  # submit_sm
    matched: int  # messages that were answered by at least one submit_sm
    duplicates: int  # submit_sm beyond the first for a message
    stray: int  # submit_sm that answer no message of ours
    seconds: float  # from the first deliver_sm to the last progress
    per_second: float  # matched messages
    response_ms: Latency  # deliver_sm to deliver_sm_resp
    mt_ms: Latency  # deliver_sm to the first submit_sm

    @property
    def complete(self) -> bool:
        """Whether each message was accepted, and answered exactly once."""
        return self.sent == self.answered == self.matched == self.mts and not self.refused


class Load:
    """An SMSC that does nothing else.

    Args:
        plan: what is sent, and how fast.
        now_ns: a clock that never goes back.
    """

    def __init__(self, plan: LoadPlan, *, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._plan = plan
        self._now_ns = now_ns
        self._octets = plan.text.encode("ascii")
        self._sessions: dict[Session, Wire[Event]] = {}
        self._server: asyncio.Server | None = None
        self._bound = asyncio.Event()
        self._quiet = asyncio.Event()  # nobody is connected any more; looked at only while stopping
        self._started = False
        self._begin_ns = self._progress_ns = 0
        self._sent = self._answered = self._refused = 0
        self._mts = self._matched = self._duplicates = self._stray = 0
        self._sent_ns = [0] * plan.messages
        self._response_ns: list[int] = []
        self._mt_ns = [-1] * plan.messages  # durations; -1: none yet

    async def start(self) -> int:
        """Listen; return the port. Any credentials will do.

        Raises:
            StartError: the port is taken, or the address is not this machine's.
        """
        plan = self._plan
        try:
            self._server = await asyncio.get_running_loop().create_server(self._accept, plan.host, plan.port)
        except OSError as error:
            reason = error.strerror or error
            raise StartError(f"bench: cannot listen on {plan.host}:{plan.port}: {reason}", os.EX_UNAVAILABLE) from None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def run(self, on_progress: Callable[[int], None] | None = None) -> LoadResult:
        """Wait for a bind, send everything, wait for the answers.

        Args:
            on_progress: called now and then with the number of messages that are answered.

        Raises:
            TimeoutError: nobody bound in time.
        """
        async with asyncio.timeout(self._plan.bind_ms / 1000):
            await self._bound.wait()
        await asyncio.sleep(self._plan.settle_ms / 1000)
        self._begin_ns = self._progress_ns = self._now_ns()
        self._started = True
        while not self._is_over():
            self._fill()
            await asyncio.sleep(_TURN_S if self._plan.per_second else _TURN_S * 20)
            if on_progress is not None:
                on_progress(self._matched)
        return self._result()

    async def stop(self) -> None:
        """Ask the peers to unbind, and close."""
        if self._server is not None:
            self._server.close()
        for session, wire in self._sessions.items():
            if session.bound:
                session.unbind(self._now_ms())
            wire.close()
        if self._sessions:
            await self._quiet.wait()  # not for long: a wire cuts off a peer that does not read

    def _is_over(self) -> bool:
        if self._answered == self._sent == self._matched == self._plan.messages:
            return True
        return self._now_ns() - self._progress_ns > self._plan.quiet_ms * 1_000_000

    # The hot path

    def _fill(self) -> None:
        """Send as much as windows and pace allow."""
        if not self._started or self._sent == self._plan.messages:
            return
        allowed = self._plan.messages - self._sent
        if self._plan.per_second:
            due = (self._now_ns() - self._begin_ns) * self._plan.per_second // 1_000_000_000 + 1
            allowed = min(allowed, due - self._sent)
        for session, wire in self._sessions.items():
            room = min(session.free, allowed) if wire.can_write and session.state in _RECEIVERS else 0
            if room > 0:
                allowed -= room
                self._send(session, room)
                wire.send_soon()

    def _send(self, session: Session, room: int) -> None:
        now_ms, now_ns, first = self._now_ms(), self._now_ns(), self._plan.first_msisdn
        for index in range(self._sent, self._sent + room):
            self._sent_ns[index] = now_ns
            pdu = DeliverSm(
                source_addr_ton=1,
                source_addr_npi=1,
                source_addr=str(first + index),
                dest_addr_npi=1,
                destination_addr=self._plan.destination,
                short_message=self._octets,
            )
            session.request(pdu, now_ms)
        self._sent += room

    def _on_events(self, session: Session, events: list[Event]) -> None:
        now_ns = self._now_ns()
        first = self._plan.first_msisdn
        for event in events:
            if isinstance(event, Answered):
                assert isinstance(event.request, DeliverSm)
                self._answered += 1
                self._refused += event.response.command_status != 0
                self._response_ns.append(now_ns - self._sent_ns[int(event.request.source_addr) - first])
            elif isinstance(event, Received):
                self._on_request(session, event.request, now_ns)
            elif isinstance(event, Ended):
                self._sessions[session].close()
        self._progress_ns = now_ns
        self._fill()

    def _on_request(self, session: Session, request: pdus.Pdu, now_ns: int) -> None:
        if isinstance(request, SubmitSm):
            self._mts += 1
            session.respond(request, pdus.SubmitSmResp(message_id=f"{self._mts:x}"), self._now_ms())
            self._match(request.destination_addr, now_ns)
            return
        session.respond(request, RESPONSE_TO[type(request)](), self._now_ms())
        if session.state in _RECEIVERS:
            self._bound.set()

    def _match(self, destination: str, now_ns: int) -> None:
        number = destination.removeprefix("+")
        index = int(number) - self._plan.first_msisdn if number.isdecimal() else -1
        if not 0 <= index < self._sent:
            self._stray += 1
        elif self._mt_ns[index] >= 0:
            self._duplicates += 1
        else:
            self._mt_ns[index] = now_ns - self._sent_ns[index]
            self._matched += 1

    # The rest

    def _accept(self) -> asyncio.BaseProtocol:
        settings = SessionSettings(role="smsc", window=self._plan.window, max_unanswered_in=100_000)
        session = Session(settings, now_ms=self._now_ms())
        wire = Wire(
            session,
            on_events=partial(self._on_events, session),
            now_ms=self._now_ms,
            on_writable=self._fill,
            on_closed=partial(self._forget, session),
        )
        self._sessions[session] = wire
        return wire

    def _forget(self, session: Session) -> None:
        del self._sessions[session]
        if not self._sessions:
            self._quiet.set()

    def _now_ms(self) -> int:
        return self._now_ns() // 1_000_000

    def _result(self) -> LoadResult:
        seconds = (self._progress_ns - self._begin_ns) / 1e9
        return LoadResult(
            sent=self._sent,
            answered=self._answered,
            refused=self._refused,
            mts=self._mts,
            matched=self._matched,
            duplicates=self._duplicates,
            stray=self._stray,
            seconds=seconds,
            per_second=self._matched / seconds if seconds else 0.0,
            response_ms=_latency(self._response_ns),
            mt_ms=_latency([one for one in self._mt_ns if one >= 0]),
        )


def _latency(durations_ns: list[int]) -> Latency:
    ordered = sorted(durations_ns) or [0]
    p50, p99, longest = (ordered[int(share * (len(ordered) - 1))] / 1e6 for share in (0.5, 0.99, 1.0))
    return Latency(p50=p50, p99=p99, max=longest)
