"""An SMSC with its own idea of SMPP, so that tests do not share smsgw's blind spots: it delivers until it is told OK.

What was not acknowledged when a connection ends is delivered again on the next one, with the same content. What is
answered with "try again" comes again a moment later. ``answer`` says how requests are answered, or that they are not.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, Self

from tests.peers import octets
from tests.peers.octets import Pdu, Submit

PASSWORD: Final = "secret"
SHORT_CODE: Final = "1234"

_AGAIN_S: Final = 0.05  # pause after a temporary error


class Mo:
    """A subscriber's message, and what became of it."""

    __slots__ = ("answers", "deliveries", "source", "text")

    def __init__(self, source: str, text: bytes) -> None:
        self.source = source
        self.text = text
        self.deliveries = 0
        self.answers: list[int] = []  # command_status of each deliver_sm_resp

    @property
    def acknowledged(self) -> bool:
        """Whether the gateway has said OK."""
        return octets.OK in self.answers


class Line(asyncio.Protocol):
    """One connection.

    Attributes:
        kind: "receiver", "transmitter" or "transceiver" once it is bound.
        heard: every PDU that came.
        tally: how many of them, by command_id.
    """

    def __init__(self, smsc: "PlainSmsc") -> None:
        self.kind = ""
        self.heard: list[Pdu] = []
        self.tally: Counter[int] = Counter()
        self.unanswered: dict[int, Mo] = {}
        self.closed = False
        self.transport: asyncio.Transport
        self._smsc = smsc
        self._buffer = bytearray()
        self._sequence = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a socket's, which is a Transport
        self._smsc.lines.append(self)
        self._smsc.changed()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        for pdu in octets.cut(self._buffer):
            self.heard.append(pdu)
            self.tally[pdu.command] += 1
            self._smsc.take(self, pdu)
        self._smsc.pump()
        self._smsc.changed()

    def connection_lost(self, _: Exception | None) -> None:
        self.closed = True
        self._smsc.gone(self)

    @property
    def receives(self) -> bool:
        """Whether messages may be delivered here."""
        return self.kind in {"receiver", "transceiver"} and not self.closed

    def request(self, command: int, body: bytes = b"") -> int:
        """Send a request; return its sequence number."""
        self._sequence += 1
        self.write(octets.pack(command, self._sequence, body=body))
        return self._sequence

    def write(self, data: bytes) -> None:
        """Write octets, whatever they are."""
        if not self.closed:
            self.transport.write(data)

    def deliver(self, mo: Mo) -> None:
        """Deliver a message."""
        mo.deliveries += 1
        number = self.request(octets.DELIVER_SM, octets.deliver_sm(mo.source, SHORT_CODE, mo.text))
        self.unanswered[number] = mo

    def heard_of(self, command: int) -> list[Pdu]:
        """Return what came of one command."""
        return [pdu for pdu in self.heard if pdu.command == command]

    def drop(self) -> None:
        """Break the connection."""
        self.transport.abort()


class PlainSmsc:
    """The SMSC, on a free port of this machine; an ``async with`` starts and stops it.

    Args:
        window: unanswered deliver_sm per connection.

    Attributes:
        answer: returns the command_status for a request, None for no answer.
        lines: all connections there have been.
        submitted: what was submitted and answered with OK.
    """

    def __init__(self, *, window: int = 20) -> None:
        self.window = window
        self.port = 0
        self.answer: Callable[[Line, Pdu], int | None] = correct
        self.lines: list[Line] = []
        self.queue: deque[Mo] = deque()
        self.put_off = 0  # messages that come again in a moment
        self.submitted: list[Submit] = []
        self.codes: dict[str, list[str]] = {}  # {MSISDN: the last word of each message to it}
        self._server: asyncio.Server | None = None
        self._message_ids = 0
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def listen(self) -> None:
        """Listen; on the same port again after ``close``."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Line(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, break every connection."""
        if self._server is not None:
            self._server.close()
        for line in self.lines:
            if not line.closed:
                line.drop()
        await self.until(lambda: all(line.closed for line in self.lines))

    @property
    def live(self) -> list[Line]:
        """The connections that stand and are bound."""
        return [line for line in self.lines if line.kind and not line.closed]

    @property
    def idle(self) -> bool:
        """Whether everything is acknowledged or refused for good."""
        return not self.queue and not self.put_off and not any(line.unanswered for line in self.live)

    def put(self, source: str, text: bytes = b"SUN") -> Mo:
        """Deliver a message as soon as possible."""
        mo = Mo(source, text)
        self.queue.append(mo)
        self.pump()
        return mo

    def pump(self) -> None:
        """Deliver what waits, as far as the windows allow."""
        for line in self.lines:
            while self.queue and line.receives and len(line.unanswered) < self.window:
                line.deliver(self.queue.popleft())

    async def until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait for something that happens here.

        Raises:
            TimeoutError: it did not.
        """
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_bound(self, kind: str = "transceiver", seconds: float = 20.0) -> Line:
        """Wait for a bind of this kind; return its connection."""
        await self.until(lambda: any(line.kind == kind for line in self.live), seconds)
        return next(line for line in self.live if line.kind == kind)

    # What the connections tell

    def changed(self) -> None:
        """Wake whoever waits for a condition."""
        self._changed.set()

    def gone(self, line: Line) -> None:
        """Deliver again what this connection has not acknowledged, the oldest first."""
        self.queue.extendleft(reversed(line.unanswered.values()))
        line.unanswered.clear()
        self.pump()
        self.changed()

    def take(self, line: Line, pdu: Pdu) -> None:
        """Deal with what came."""
        if pdu.command == octets.DELIVER_SM_RESP:
            self._on_answer(line, pdu)
        elif not pdu.command & octets.RESPONSE:
            status = self.answer(line, pdu)
            if status is not None:
                self.respond(line, pdu, status)

    def respond(self, line: Line, pdu: Pdu, status: int = octets.OK) -> None:
        """Answer a request; one that is answered with OK takes effect."""
        body = b""
        if pdu.command == octets.SUBMIT_SM and status == octets.OK:
            body = self._on_submit(octets.submit_sm(pdu.body))
        elif pdu.command in octets.BINDS and status == octets.OK:
            body = b"plain\0"
        line.write(octets.pack(pdu.command | octets.RESPONSE, pdu.sequence, status=status, body=body))
        if pdu.command in octets.BINDS and status == octets.OK:
            line.kind = octets.BINDS[pdu.command]
            self.pump()
        if pdu.command == octets.UNBIND:
            line.transport.close()

    def _on_submit(self, submit: Submit) -> bytes:
        self.submitted.append(submit)
        self.codes.setdefault(submit.destination, []).append(submit.text.decode("ascii", "replace").split()[-1])
        self._message_ids += 1
        return b"%d\0" % self._message_ids

    def _on_answer(self, line: Line, pdu: Pdu) -> None:
        mo = line.unanswered.pop(pdu.sequence, None)
        if mo is None:
            return
        mo.answers.append(pdu.status)
        if pdu.status == octets.TRY_AGAIN:
            self.put_off += 1
            asyncio.get_running_loop().call_later(_AGAIN_S, self._again, mo)

    def _again(self, mo: Mo) -> None:
        self.put_off -= 1
        self.queue.append(mo)
        self.pump()


def correct(_: Line, pdu: Pdu) -> int:
    """Answer as an SMSC does that has nothing to complain about."""
    if pdu.command in octets.BINDS:
        return octets.OK if octets.bind(pdu.body)[1] == PASSWORD else octets.INVALID_PASSWORD
    return octets.OK
