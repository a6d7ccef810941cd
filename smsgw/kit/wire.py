"""Carries octets between a transport and a sans-I/O session, wakes it at its deadlines, and pushes back both ways.

What the peer sends goes into the session, and what that means goes to the owner as a list of events. What the session
wants written goes out once per turn of the loop, however many PDUs it is. There is no task and no queue here: when the
peer does not read, the session's output is not taken, so that it soon wants no more reading; TCP does the rest.

A long read is handed on in slices, one per turn of the loop, so that other connections have their turns between them.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Generic, Literal, Protocol, TypeVar, cast

WRITE_BUFFER_BYTES: Final = 262_144  # waiting in the transport, above which nothing more is written
SLICE_BYTES: Final = 16_384  # handed on in one turn of the loop; some two hundred messages, some ten milliseconds
_LONGEST_IDLE_S: Final = 32_767  # tcp(7)
CLOSE_GRACE_MS: Final = 2_000  # for the peer to read what was written last

EventT = TypeVar("EventT")
Tap = Callable[[bytes, Literal["in", "out"]], None]


class SansIoSession(Protocol[EventT]):
    """What a session must offer: octets and time in, events, octets and deadlines out. Never raises."""

    @property
    def wants_reading(self) -> bool:
        """False while the peer should not be read."""

    def receive(self, data: bytes, now_ms: int) -> list[EventT]:
        """Take octets that were read."""

    def take_output(self) -> bytes:
        """Return the octets to write now; they count as written."""

    def deadline_ms(self) -> int | None:
        """Return when ``tick`` is due; None for never."""

    def tick(self, now_ms: int) -> list[EventT]:
        """Do what time demands; too early is harmless."""

    def connection_lost(self, now_ms: int) -> list[EventT]:
        """Tell how everything that was under way ended."""


class Wire(asyncio.Protocol, Generic[EventT]):
    """One connection; TLS or not is the transport's business.

    Whoever makes the session do something (a request, a response) calls ``send_soon`` afterwards, except inside
    ``on_events``, where it is done anyway.

    Args:
        session: owned by this wire from now on, in all that concerns octets and time.
        on_events: called with at least one event; must not raise and must not wait.
        now_ms: the clock of the session's deadlines.
        on_writable: called when ``can_write`` has become true again.
        on_closed: called last, when the connection is gone and its events were handed out.
    """

    def __init__(
        self,
        session: SansIoSession[EventT],
        *,
        on_events: Callable[[list[EventT]], None],
        now_ms: Callable[[], int],
        on_writable: Callable[[], None] | None = None,
        on_closed: Callable[[], None] | None = None,
    ) -> None:
        self.can_write = False  # not before the connection stands, not while the peer does not read
        self.closed = False
        self.error: Exception | None = None  # why the connection ended, where somebody said so
        self.tap: Tap | None = None  # looks at all octets; must not raise
        self._session = session
        self._on_events = on_events
        self._now_ms = now_ms
        self._on_writable = on_writable
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reading = True
        self._rest = b""  # read, but not handed on yet; nothing more is read meanwhile
        self._slice_is_coming = False
        self._flush_is_coming = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0
        self._grace: asyncio.TimerHandle | None = None

    # What the owner does

    def send_soon(self) -> None:
        """Write the session's output at the end of this turn of the loop; cheap to call often."""
        if not self._flush_is_coming and not self.closed:
            self._flush_is_coming = True
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Write what output there is, then close; a peer that does not read it is cut off after two seconds."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._put(transport, self._session.take_output())
        transport.close()
        self._grace = self._loop.call_later(CLOSE_GRACE_MS / 1000, transport.abort)

    def abort(self) -> None:
        """Close at once; what was not written is lost."""
        if self._transport is not None:
            self._transport.abort()

    def notice_death(self, after_ms: int) -> None:
        """Have the kernel end a connection whose peer is gone, too: should our own questions ever fail to.

        Args:
            after_ms: without a sign that anything written has arrived.
        """
        found = self._transport.get_extra_info("socket") if self._transport is not None else None
        if found is None or found.family not in {socket.AF_INET, socket.AF_INET6}:
            return
        seconds = min(max(1, after_ms // 2000), _LONGEST_IDLE_S)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("KEEPIDLE", seconds), ("KEEPINTVL", seconds), ("KEEPCNT", 1), ("USER_TIMEOUT", after_ms)):
            option = getattr(socket, f"TCP_{name}", None)
            if option is not None:
                found.setsockopt(socket.IPPROTO_TCP, option, value)

    def write_raw(self, octets: bytes) -> None:
        """Write octets past the session, after its own output; for peers that misbehave on purpose."""
        if self._transport is not None and not self._transport.is_closing():
            self._put(self._transport, self._session.take_output() + octets)

    def detach(self) -> asyncio.Transport | None:
        """Give the connection away; for this session it is lost."""
        transport, self._transport = self._transport, None
        if transport is not None:
            self.connection_lost(None)
        return transport

    # What the transport does

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: from here on the session's clock runs."""
        transport = cast("asyncio.Transport", transport)  # not in name: uvloop's do not derive from asyncio's
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._transport = transport
        self.can_write = True
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Hand what was read to the session, and what it means to the owner; then write the answers."""
        if self.tap is not None:
            self.tap(data, "in")
        if self._rest or len(data) > SLICE_BYTES:
            self._rest += data
            self._take_slice()
        else:
            self._tell(self._session.receive(data, self._now_ms()))

    def _take_slice(self) -> None:
        """Hand on the next octets of a long read; not while the session wants none."""
        self._slice_is_coming = False
        if not self._session.wants_reading or not self._rest:
            self._flush()
            return
        data, self._rest = self._rest[:SLICE_BYTES], self._rest[SLICE_BYTES:]
        self._tell(self._session.receive(data, self._now_ms()))

    def pause_writing(self) -> None:
        """Stop taking output: the peer does not read."""
        self.can_write = False

    def resume_writing(self) -> None:
        """Go on: the peer has read."""
        self.can_write = True
        self._flush()
        if self._on_writable is not None:
            self._on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """End: the session tells what was under way."""
        self.error = exc
        self.can_write = False
        self.closed = True
        for timer in (self._timer, self._grace):
            if timer is not None:
                timer.cancel()
        # What was read before the end counts: a response among it is a response.
        rest, self._rest = self._rest, b""
        events = self._session.receive(rest, self._now_ms()) if rest else []
        events += self._session.connection_lost(self._now_ms())
        if events:
            self._on_events(events)
        if self._on_closed is not None:
            self._on_closed()

    @property
    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """The addresses and ports of both ends, ours first; zeros where there are none."""
        found = [self._transport.get_extra_info(name) if self._transport else None for name in ("sockname", "peername")]
        ours, peer = [(one[0], one[1]) if isinstance(one, tuple) else ("", 0) for one in found]
        return ours, peer

    # Tools of the above

    def _put(self, transport: asyncio.Transport, output: bytes) -> None:
        if self.tap is not None and output:
            self.tap(output, "out")
        transport.write(output)

    def _tell(self, events: list[EventT]) -> None:
        if events:
            self._flush_is_coming = True  # so that send_soon inside on_events costs nothing
            self._on_events(events)
        self._flush()

    def _flush(self) -> None:
        self._flush_is_coming = False
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        wants_reading = self._session.wants_reading
        # Between two slices nothing is written, or a peer with a small buffer would get many small pieces.
        if self.can_write and not (self._rest and wants_reading):
            output = self._session.take_output()
            if output:
                self._put(transport, output)
                wants_reading = self._session.wants_reading
        if self._rest and wants_reading and not self._slice_is_coming:
            self._slice_is_coming = True
            self._loop.call_soon(self._take_slice)
        if (wants_reading and not self._rest) != self._reading:
            self._reading = not self._reading
            if self._reading:
                transport.resume_reading()
            else:
                transport.pause_reading()
        self._arm()

    def _arm(self) -> None:
        """See to it that ``_wake`` comes at the deadline at the latest; early is harmless and cheaper than rearming."""
        deadline_ms = self._session.deadline_ms()
        if deadline_ms is None:
            return
        if self._timer is not None:
            if self._timer_ms <= deadline_ms:
                return
            self._timer.cancel()
        self._timer_ms = deadline_ms
        self._timer = self._loop.call_later(max(0, deadline_ms - self._now_ms()) / 1000, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._tell(self._session.tick(self._now_ms()))
