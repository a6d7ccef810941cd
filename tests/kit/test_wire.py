"""Octets between transport and session: one write a turn, deadlines in time, pressure passed on in both directions."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from smsgw.kit.wire import CLOSE_GRACE_MS, SLICE_BYTES, Wire
from smsgw.smpp import pdus
from smsgw.smpp.codec import encode
from smsgw.smpp.events import Answered, Bound, Ended, Event, Received
from smsgw.smpp.pdus import RESPONSE_TO
from smsgw.smpp.session import Session, SessionSettings
from tests.simulator.virtual_loop import LoopClock, run

if TYPE_CHECKING:
    from collections.abc import Callable

CLOCK = LoopClock()


class Toy:
    """A session that makes events of what it hears, and writes what it is told."""

    def __init__(self) -> None:
        self.wants_reading = True
        self.output = b""
        self.taken = 0
        self.deadline: int | None = None
        self.ticks: list[int] = []

    def receive(self, data: bytes, now_ms: int) -> list[str]:  # noqa: ARG002 - a toy has no clock
        return [data.decode()] if data else []

    def take_output(self) -> bytes:
        self.taken += 1
        output, self.output = self.output, b""
        return output

    def deadline_ms(self) -> int | None:
        return self.deadline

    def tick(self, now_ms: int) -> list[str]:
        self.ticks.append(now_ms)
        if self.deadline is not None and now_ms >= self.deadline:
            self.deadline = None
            return ["tick"]
        return []

    def connection_lost(self, now_ms: int) -> list[str]:  # noqa: ARG002 - a toy has no clock
        return ["lost"]


class FakeTransport(asyncio.Transport):
    """Remembers what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.paused = False
        self.closing = False
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True


class Bench:
    """A wire between a toy session and a fake transport."""

    def __init__(self) -> None:
        self.session = Toy()
        self.told: list[str] = []
        self.writable = 0
        self.react: Callable[[str], None] = lambda _: None
        self.wire = Wire(
            self.session,
            on_events=self._on_events,
            now_ms=CLOCK.monotonic_ms,
            on_writable=self._on_writable,
            on_closed=lambda: self.told.append("closed"),
        )
        self.transport = FakeTransport()

    def connect(self) -> "Bench":
        self.wire.connection_made(self.transport)
        return self

    def _on_events(self, events: list[str]) -> None:
        self.told += events
        for event in events:
            self.react(event)

    def _on_writable(self) -> None:
        self.writable += 1


async def turn() -> None:
    await asyncio.sleep(0)


def test_what_is_sent_in_one_turn_is_written_once() -> None:
    async def test() -> None:
        bench = Bench().connect()
        for pdu in (b"one ", b"two ", b"three"):
            bench.session.output += pdu
            bench.wire.send_soon()
        assert bench.transport.written == []
        taken = bench.session.taken
        await turn()
        assert bench.transport.written == [b"one two three"]
        assert bench.session.taken == taken + 1

    run(test())


def test_answers_given_while_events_are_told_are_written_at_once() -> None:
    async def test() -> None:
        bench = Bench().connect()

        def react(event: str) -> None:
            bench.session.output += event.upper().encode()
            bench.wire.send_soon()

        bench.react = react
        bench.wire.data_received(b"hello")
        assert bench.transport.written == [b"HELLO"]
        await turn()
        assert bench.transport.written == [b"HELLO"]

    run(test())


def test_output_from_before_the_connection_is_written_when_it_stands() -> None:
    async def test() -> None:
        bench = Bench()
        bench.session.output = b"bind"
        bench.wire.send_soon()
        await turn()
        assert not bench.wire.can_write
        bench.connect()
        assert bench.transport.written == [b"bind"]

    run(test())


def test_a_peer_that_does_not_read_is_not_written_to() -> None:
    async def test() -> None:
        bench = Bench().connect()
        bench.wire.pause_writing()
        bench.session.output = b"wait"
        bench.wire.send_soon()
        await turn()
        assert (bench.wire.can_write, bench.transport.written, bench.session.output) == (False, [], b"wait")
        bench.wire.resume_writing()
        assert (bench.wire.can_write, bench.transport.written, bench.writable) == (True, [b"wait"], 1)

    run(test())


def test_a_session_that_wants_no_reading_is_spared_until_it_does() -> None:
    async def test() -> None:
        bench = Bench().connect()
        bench.session.wants_reading = False
        bench.wire.data_received(b"full")
        assert bench.transport.paused
        bench.session.wants_reading = True
        bench.wire.send_soon()
        await turn()
        assert not bench.transport.paused

    run(test())


LONG = b"a" * SLICE_BYTES + b"b" * SLICE_BYTES + b"c"


def test_a_long_read_is_handed_on_in_slices_and_others_have_their_turns_between_them() -> None:
    async def test() -> None:
        bench = Bench().connect()
        bench.wire.data_received(LONG)
        assert [text[0] for text in bench.told] == ["a"]
        assert bench.transport.paused, "what is read meanwhile would have to wait in memory"
        await turn()
        assert [text[0] for text in bench.told] == ["a", "b"]
        await turn()
        assert "".join(bench.told) == LONG.decode()
        assert not bench.transport.paused

    run(test())


def test_what_was_read_before_the_end_is_told_before_it() -> None:
    async def test() -> None:
        bench = Bench().connect()
        bench.wire.data_received(LONG)
        bench.wire.connection_lost(None)
        assert "".join(bench.told) == LONG.decode() + "lostclosed"
        await turn()
        assert bench.told[-1] == "closed"

    run(test())


def test_a_slice_waits_while_the_session_wants_no_reading() -> None:
    async def test() -> None:
        bench = Bench().connect()
        bench.react = lambda _: setattr(bench.session, "wants_reading", False)
        bench.wire.data_received(LONG)
        await turn()
        await turn()
        assert [text[0] for text in bench.told] == ["a"]
        bench.react = lambda _: None
        bench.session.wants_reading = True
        bench.wire.send_soon()
        for _ in range(4):
            await turn()
        assert "".join(bench.told) == LONG.decode()

    run(test())


def test_the_session_is_woken_at_its_deadline() -> None:
    async def test() -> None:
        bench = Bench()
        start_ms = CLOCK.monotonic_ms()
        bench.session.deadline = start_ms + 30_000
        bench.connect()
        await asyncio.sleep(29.9)
        assert bench.told == []
        await asyncio.sleep(0.2)
        assert bench.told == ["tick"]
        assert bench.session.ticks == [start_ms + 30_000]

    run(test())


def test_an_earlier_deadline_replaces_a_later_one() -> None:
    async def test() -> None:
        bench = Bench()
        start_ms = CLOCK.monotonic_ms()
        bench.session.deadline = start_ms + 30_000
        bench.connect()
        bench.session.deadline = start_ms + 1_000
        bench.wire.send_soon()
        await asyncio.sleep(1.1)
        assert bench.told == ["tick"]

    run(test())


def test_a_deadline_that_moved_on_is_kept_all_the_same() -> None:
    async def test() -> None:
        bench = Bench()
        start_ms = CLOCK.monotonic_ms()
        bench.session.deadline = start_ms + 1_000
        bench.connect()
        bench.session.deadline = start_ms + 5_000
        bench.wire.send_soon()
        await asyncio.sleep(4.9)
        assert bench.told == []
        await asyncio.sleep(0.2)
        assert bench.told == ["tick"]

    run(test())


def test_the_end_is_told_once_and_in_order() -> None:
    async def test() -> None:
        bench = Bench()
        bench.session.deadline = CLOCK.monotonic_ms() + 1_000
        bench.connect()
        bench.wire.connection_lost(None)
        assert bench.told == ["lost", "closed"]
        assert bench.wire.closed
        assert not bench.wire.can_write
        await asyncio.sleep(5)
        assert bench.session.ticks == []

    run(test())


def test_closing_writes_the_rest_and_cuts_off_a_peer_that_does_not_read_it() -> None:
    async def test() -> None:
        bench = Bench().connect()
        bench.session.output = b"unbind_resp"
        bench.wire.close()
        bench.wire.close()
        assert (bench.transport.written, bench.transport.closing) == ([b"unbind_resp"], True)
        await asyncio.sleep(CLOSE_GRACE_MS / 1000 - 0.1)
        assert not bench.transport.aborted
        await asyncio.sleep(0.2)
        assert bench.transport.aborted

    run(test())


def test_nothing_is_written_to_a_transport_that_closes() -> None:
    async def test() -> None:
        bench = Bench().connect()
        bench.wire.abort()
        bench.session.output = b"late"
        bench.wire.send_soon()
        bench.wire.write_raw(b"later")
        await turn()
        assert bench.transport.written == []

    run(test())


def test_raw_octets_follow_the_output() -> None:
    async def test() -> None:
        bench = Bench().connect()
        bench.session.output = b"response"
        bench.wire.write_raw(b"garbage")
        assert bench.transport.written == [b"responsegarbage"]

    run(test())


def test_a_connection_that_is_given_away_is_lost_to_the_session() -> None:
    async def test() -> None:
        bench = Bench().connect()
        assert bench.wire.detach() is bench.transport
        assert bench.told == ["lost", "closed"]
        bench.wire.abort()
        assert not bench.transport.aborted
        assert bench.wire.detach() is None
        assert bench.told == ["lost", "closed"]

    run(test())


class End:
    """One end of a real connection, which answers everything."""

    def __init__(self, settings: SessionSettings) -> None:
        self.session = Session(settings, now_ms=CLOCK.monotonic_ms())
        self.gone = asyncio.Event()
        self.wire = Wire(
            self.session,
            on_events=self._on_events,
            now_ms=CLOCK.monotonic_ms,
            on_writable=self.fill,
            on_closed=self.gone.set,
        )
        self.events: list[Event] = []
        self.answered = 0
        self.left = 0
        self.done = asyncio.Event()

    def fill(self) -> None:
        while self.left and self.session.free and self.wire.can_write:
            self.left -= 1
            submit = pdus.SubmitSm(destination_addr="1", short_message=b"x" * 100)
            self.session.request(submit, CLOCK.monotonic_ms())
        self.wire.send_soon()

    def _on_events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Received):
                response = RESPONSE_TO[type(event.request)]()
                self.session.respond(event.request, response, CLOCK.monotonic_ms())
            elif isinstance(event, Answered):
                self.answered += 1
            elif isinstance(event, Ended):
                self.wire.close()
                self.done.set()
            elif isinstance(event, Bound):
                self.fill()
        if self.left:
            self.fill()
        elif not self.session.unanswered and self.answered and self.session.bound:
            self.session.unbind(CLOCK.monotonic_ms())


async def exchange(server_tls: ssl.SSLContext | None = None, client_tls: ssl.SSLContext | None = None) -> None:
    """Submit 2,000 messages over a real connection."""
    loop = asyncio.get_running_loop()
    smsc = End(SessionSettings(role="smsc"))
    server = await loop.create_server(lambda: smsc.wire, "127.0.0.1", 0, ssl=server_tls)
    esme = End(SessionSettings(window=100))
    esme.left = 2000
    port = server.sockets[0].getsockname()[1]
    name = "localhost" if client_tls else None
    await loop.create_connection(lambda: esme.wire, "127.0.0.1", port, ssl=client_tls, server_hostname=name)
    esme.session.request(pdus.BindTransceiver(system_id="smsgw"), CLOCK.monotonic_ms())
    esme.wire.send_soon()
    await asyncio.wait_for(asyncio.gather(esme.done.wait(), smsc.done.wait()), 30)
    assert (esme.answered, smsc.session.answered) == (2000, 2000)
    await asyncio.wait_for(asyncio.gather(esme.gone.wait(), smsc.gone.wait()), 30)
    server.close()


async def test_two_sessions_over_a_real_connection() -> None:
    await exchange()


def test_two_sessions_over_a_real_connection_on_the_standard_loop() -> None:
    run(exchange())


async def test_two_sessions_over_tls(tmp_path: Path) -> None:
    server_tls, client_tls = contexts(tmp_path)
    await exchange(server_tls, client_tls)


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return TLS settings of a server and of a client that trusts nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    path = folder / "both.pem"
    path.write_bytes(pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())


@pytest.mark.parametrize("loop", ["virtual", "uv"])
def test_a_flood_from_a_peer_that_never_reads_is_held_back_by_tcp(loop: str) -> None:
    async def test() -> None:
        end = End(SessionSettings(role="smsc"))
        server = await asyncio.get_running_loop().create_server(lambda: end.wire, "127.0.0.1", 0)
        with socket.socket() as flood:
            flood.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            flood.connect(server.sockets[0].getsockname())
            flood.setblocking(False)
            question = encode(pdus.EnquireLink(), 7) * 4096
            stalled = sent = 0
            while stalled < 20:
                try:
                    sent += flood.send(question)
                    stalled = 0
                except BlockingIOError:
                    stalled += 1
                await asyncio.sleep(0.01)
            assert not end.session.wants_reading
            assert not end.wire.can_write
            assert sum(map(len, end.session._out)) < 1_000_000
        end.wire.abort()
        await end.gone.wait()
        server.close()

    if loop == "virtual":
        run(test())
    else:
        import uvloop

        uvloop.run(test())
