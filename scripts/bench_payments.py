"""Measures payments from the request to the webhook: create, question, YES, billed message, its response, webhook.

The load is one process beside the daemon: merchant, SMSC and phones in plain octets, so that the daemon is what is
measured. Every step of the daemon is on disk (fsync) before it goes on. Beside it stands, in the same run, a bare
aiohttp handler that answers such a request with 201 and does nothing: what a request alone costs on this machine.
"""

import asyncio
import contextlib
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import bench_links
import uvloop
from msgspec import Struct
from rich.console import Console
from rich.table import Table

PORT: Final = 2391
RATES: Final = (100, 500)
SECONDS: Final = 10.0
CONNECTIONS: Final = 48  # of the merchant's server; requests beyond wait
MOST: Final = 64  # payments that are asked for at a time when the rate is not given
ASKED = b"7700"  # the reply address
_HEAD, _CREATED = 16, 201  # octets of a PDU's head (SMPP 3.4 §3.2); HTTP
_BIND_TRANSCEIVER, _SUBMIT_SM, _DELIVER_SM, _UNBIND, _ENQUIRE_LINK = 0x09, 0x04, 0x05, 0x06, 0x15
_RESPONSE = 0x80000000
screen = Console(soft_wrap=True, highlight=False)

_FILES: Final = {
    "smsgw.toml": """
state_dir = "state"
[web]
port = {port}
api_rate_per_s = 100000.0
[log]
destination = "json"
level = "{level}"
[payments]
prompts_per_range = 0
[webhooks]
private_networks = true
parallel_per_service = 64
""",
    "links/one.toml": """
host = "127.0.0.1"
port = {smsc}
system_id = "smsgw"
password_file = "one.password"
window = 100
prefixes = ["359"]
[charging.billed]
way = "mt"
proof = "response"
""",
    "merchants/gold.toml": """
title = "Gold"
support = "help@gold.example"
reply_addresses = ["7700"]
return_url = "https://gold.example/back"
webhook_url = "http://127.0.0.1:{hook}/hook"
webhook_events = ["payment.succeeded"]
allowed_ips = ["127.0.0.1"]
[products.gold-250]
title = {{ en = "250 gold" }}
tariffs = ["small"]
[tariffs.small]
amount_minor = 250
currency = "EUR"
[tariffs.small.operators.one]
charge = "billed"
short_code = "7500"
""",
}
_BARE: Final = """
import uvloop
from aiohttp import web
async def handler(request):
    await request.json()
    return web.json_response({"id": "pay_1", "status": "created"}, status=201)
app = web.Application()
app.router.add_post("/v1/payments", handler)
uvloop.install()
web.run_app(app, host="127.0.0.1", port=%d, access_log=None, print=None)
"""


class Figures(Struct, kw_only=True):
    """What one run has shown; seconds."""

    created_s: list[float] = []
    yes_s: list[float] = []  # from the YES to the webhook
    whole_s: list[float] = []  # from the request to the webhook
    refused: int = 0
    per_s: float = 0.0


class World:
    """The merchant's server, the SMSC and the phones."""

    def __init__(self) -> None:
        self.asked_s: dict[bytes, float] = {}
        self.said_s: dict[bytes, float] = {}
        self.paid_s: dict[bytes, float] = {}
        self.paid = asyncio.Event()  # another one is


class Smsc(asyncio.Protocol):
    """Takes everything, and answers YES to each question."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer = b""
        self._sequence = 0
        self._ids = 0
        self._out: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        """Remember where to write."""
        self._transport = transport

    def data_received(self, octets: bytes) -> None:
        """Answer every whole PDU; what is written goes out in one piece."""
        buffer, at = self._buffer + octets, 0
        while len(buffer) - at >= _HEAD:
            size = struct.unpack_from(">I", buffer, at)[0]
            if len(buffer) - at < size:
                break
            self._take(buffer[at : at + size])
            at += size
        self._buffer = buffer[at:]
        self._transport.write(b"".join(self._out))
        self._out.clear()

    def _take(self, pdu: bytes) -> None:
        command, _, number = struct.unpack_from(">III", pdu, 4)
        if command == _BIND_TRANSCEIVER:
            self._out.append(_pdu(command | _RESPONSE, number, b"smsc\0"))
        elif command in {_UNBIND, _ENQUIRE_LINK}:
            self._out.append(_pdu(command | _RESPONSE, number, b""))
        elif command == _SUBMIT_SM:
            self._ids += 1
            self._out.append(_pdu(command | _RESPONSE, number, b"%08x\0" % self._ids))
            fields = pdu[_HEAD:].split(b"\0", 1)[1]
            source, rest = fields[2:].split(b"\0", 1)
            if source == ASKED:
                self._say_yes(rest[2:].split(b"\0", 1)[0])

    def _say_yes(self, phone: bytes) -> None:
        if phone in self._world.said_s:
            return
        self._world.said_s[phone] = time.perf_counter()
        self._sequence += 1
        body = b"\0\x01\x01" + phone + b"\0\0\x01" + ASKED + b"\0\0\0\0\0\0\0\0\0\0\x03YES"
        self._out.append(_pdu(_DELIVER_SM, self._sequence, body))


def _pdu(command: int, number: int, body: bytes) -> bytes:
    return struct.pack(">IIII", _HEAD + len(body), command, 0, number) + body


class Hook(asyncio.Protocol):
    """The merchant's server, as far as it is told: answers 204, and notes which order was paid when."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        """Remember where to write."""
        self._transport = transport

    def data_received(self, octets: bytes) -> None:
        """Answer every whole request."""
        self._buffer += octets
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            size = int(_header(self._buffer[:end], b"content-length") or 0)
            if len(self._buffer) < end + 4 + size:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + size], self._buffer[end + 4 + size :]
            name = body.split(b'"merchant_reference":"', 1)[1].split(b'"', 1)[0]
            self._world.paid_s.setdefault(name, time.perf_counter())
            self._world.paid.set()
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.lower() == name:
            return value.strip()
    return None


class Asker(asyncio.Protocol):
    """One connection of the merchant's server to the API."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: Any) -> None:
        """Remember where to write."""
        self._transport = transport

    def data_received(self, octets: bytes) -> None:
        """Note the status of a whole answer."""
        self._buffer += octets
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        size = int(_header(self._buffer[:end], b"content-length") or 0)
        if len(self._buffer) >= end + 4 + size:
            status, self._buffer = int(self._buffer[9:12]), self._buffer[end + 4 + size :]
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(status)

    async def ask(self, token: str, phone: bytes) -> int:
        """Ask for a payment; return the status of the answer."""
        body = b'{"merchant":"gold","product":"gold-250","msisdn":"+%b","merchant_reference":"%b"}' % (phone, phone)
        head = (
            f"POST /v1/payments HTTP/1.1\r\nHost: pay.example\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {phone.decode()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head.encode() + body)
        return await self._answer


def measure() -> None:
    """Measure, and print a table."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    headings = (
        "asked for",
        "paid/s",
        "create p50 / p99 ms",
        "YES to webhook p50 / p99 ms",
        "request to webhook p99 ms",
    )
    for heading in (*headings, "RSS MB", "CPU %"):
        table.add_column(heading, justify="right")
    bare = uvloop.run(_bare())
    for rate in (*RATES, 0):
        figures, rss_mb, cpu = uvloop.run(_measure(rate))
        table.add_row(
            f"{rate}/s" if rate else f"{MOST} at a time",
            f"{figures.per_s:,.0f}",
            f"{_ms(figures.created_s, 0.5)} / {_ms(figures.created_s, 0.99)}",
            f"{_ms(figures.yes_s, 0.5)} / {_ms(figures.yes_s, 0.99)}",
            _ms(figures.whole_s, 0.99),
            f"{rss_mb:.0f}",
            f"{cpu * 100:.0f}",
        )
        if figures.refused:
            screen.print(f"{rate}/s: {figures.refused} requests were refused")
    screen.print(table)
    screen.print(f"a bare aiohttp handler answers {bare:,.0f} such requests a second")


def _ms(times_s: list[float], share: float) -> str:
    if not times_s:
        return "-"
    return f"{1000 * sorted(times_s)[min(len(times_s) - 1, int(len(times_s) * share))]:.1f}"


async def _measure(rate: int) -> tuple[Figures, float, float]:
    world = World()
    loop = asyncio.get_running_loop()
    smsc = await loop.create_server(lambda: Smsc(world), "127.0.0.1", 0)
    hook = await loop.create_server(lambda: Hook(world), "127.0.0.1", 0)
    ports = {"smsc": _port(smsc), "hook": _port(hook), "port": PORT, "level": "info"}
    with tempfile.TemporaryDirectory(prefix="smsgw-bench-") as folder:
        async with _daemon(Path(folder), ports) as (pid, token):
            connections = await _connect(PORT, CONNECTIONS)
            await _drive(world, connections, token, rate=50, seconds=1.0, first=0)  # warm
            before_s, began_s = bench_links._cpu_s(pid), time.perf_counter()  # noqa: SLF001 - it is of this bench
            figures = await _drive(world, connections, token, rate=rate, seconds=SECONDS, first=100_000)
            cpu = (bench_links._cpu_s(pid) - before_s) / (time.perf_counter() - began_s)  # noqa: SLF001 - as above
            rss_mb = bench_links._rss_mb(pid)  # noqa: SLF001 - as above
    smsc.close()
    hook.close()
    return figures, rss_mb, cpu


async def _drive(
    world: World, connections: deque[Asker], token: str, *, rate: int, seconds: float, first: int
) -> Figures:
    """Ask for payments at a rate, or as many at a time as ``MOST``; wait until the last ones are paid."""
    figures, tasks, number = Figures(), set(), first
    free = asyncio.Semaphore(CONNECTIONS)
    began_s = time.perf_counter()
    most = asyncio.Semaphore(MOST if not rate else 1_000_000)

    async def one(phone: bytes) -> None:
        async with free:
            connection = connections.popleft()
            world.asked_s[phone] = asked_s = time.perf_counter()
            try:
                status = await connection.ask(token, phone)
            finally:
                connections.append(connection)
        figures.created_s.append(time.perf_counter() - asked_s)
        if status != _CREATED:
            figures.refused += 1
            most.release()
            return
        if not rate:
            while phone not in world.paid_s:
                world.paid.clear()
                await world.paid.wait()
            most.release()

    while time.perf_counter() - began_s < seconds:
        due = int((time.perf_counter() - began_s) * rate) - (number - first) if rate else 1
        for _ in range(due):
            await most.acquire()
            task = asyncio.ensure_future(one(b"35988%07d" % number))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.sleep(0.002 if rate else 0)
    if tasks:
        await asyncio.wait(tasks, timeout=10)
    phones = [b"35988%07d" % one for one in range(first, number)]
    deadline_s = time.perf_counter() + 10
    while not all(phone in world.paid_s for phone in phones):
        if time.perf_counter() > deadline_s:
            break
        await asyncio.sleep(0.01)
    paid = [phone for phone in phones if phone in world.paid_s]
    figures.refused += len(phones) - len(paid)
    figures.yes_s = [world.paid_s[phone] - world.said_s[phone] for phone in paid]
    figures.whole_s = [world.paid_s[phone] - world.asked_s[phone] for phone in paid]
    last_s = max((world.paid_s[phone] for phone in paid), default=began_s + 1)
    figures.per_s = len(paid) / (last_s - began_s)
    return figures


async def _connect(port: int, count: int) -> deque[Asker]:
    loop = asyncio.get_running_loop()
    return deque([(await loop.create_connection(Asker, "127.0.0.1", port))[1] for _ in range(count)])


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


@asynccontextmanager
async def _daemon(folder: Path, values: dict[str, Any]) -> AsyncIterator[tuple[int, str]]:
    """Start a fresh daemon; give its process id, and a key to its API."""
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.format(**values), encoding="utf-8")
    (folder / "state").mkdir()
    password = folder / "links" / "one.password"
    password.write_text("secret\n", encoding="utf-8")
    password.chmod(0o600)
    config = ["--config", str(folder / "smsgw.toml")]
    command = [sys.executable, "-m", "smsgw"]
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    await asyncio.to_thread(subprocess.run, [*command, "migrate", *config], **quiet)  # type: ignore[call-overload]  # mypy does not see into it
    with (folder / "log").open("wb") as log:
        daemon = await asyncio.create_subprocess_exec(*command, "run", *config, stdout=log, stderr=log)
    try:
        await _until_bound(folder / "log")
        made = await asyncio.to_thread(
            subprocess.run,
            [*command, "keys", "create", "--merchant", "gold", "--scope", "payments:write", *config],
            check=True,
            capture_output=True,
            text=True,
        )
        await asyncio.sleep(1.5)  # until the daemon knows the key
        yield daemon.pid, made.stdout.strip().splitlines()[-1]
    finally:
        daemon.terminate()
        try:
            async with asyncio.timeout(30):
                await daemon.wait()
        except TimeoutError:
            daemon.kill()


async def _until_bound(log: Path) -> None:
    deadline_s = time.monotonic() + 20
    # A look now and then disturbs nobody.
    while "link.bound" not in log.read_text(encoding="utf-8"):  # noqa: ASYNC240 - before the measurement
        if time.monotonic() > deadline_s:
            sys.exit(f"scripts/bench: the daemon did not bind:\n{log.read_text(encoding='utf-8')[-2000:]}")  # noqa: ASYNC240 - as above
        await asyncio.sleep(0.05)


async def _bare() -> float:
    """Return how many such requests a handler that does nothing answers."""
    with _serving(PORT + 1):
        connections = await _connect(PORT + 1, 32)
        ends_s, done = time.perf_counter() + 3, 0

        async def ask(connection: Asker) -> None:
            nonlocal done
            while time.perf_counter() < ends_s:
                await connection.ask("x", b"359880000000")
                done += 1

        await asyncio.gather(*(ask(connection) for connection in connections))
    return done / 3


@contextlib.contextmanager
def _serving(port: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", _BARE % port])
    try:
        time.sleep(1.5)
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    measure()
