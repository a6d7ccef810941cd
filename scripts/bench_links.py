"""Measures many links: 25 of four binds each (memory, idle processor time, time to be all bound), and bad neighbours.

One SMSC of this process takes all binds. In the second measurement four links get the same load: first all are good,
then one is throttled all the time and one has gone silent. Throughput and latency of the other two must stay.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from smsgw.demo.bench import occasion
from smsgw.demo.throwaway import write
from smsgw.kit.wire import Wire
from smsgw.smpp import pdus
from smsgw.smpp.events import Received
from smsgw.smpp.pdus import RESPONSE_TO
from smsgw.smpp.session import Session, SessionSettings

IDLE_S = 10.0
LOAD_S = 10.0
THROTTLED = 0x58
screen = Console(soft_wrap=True, highlight=False)


class Smsc:
    """An SMSC for any number of links, told apart by their ports.

    Attributes:
        sent_s: {port: {MSISDN: when its message was delivered}}.
        took_s: {port: how long each answer took}.
    """

    def __init__(self) -> None:
        self.binds: Counter[int] = Counter()
        self.first_s = 0.0  # when the first of them came
        self.bad: dict[int, str] = {}  # {port: "throttled" or "silent"}
        self.sent_s: dict[int, dict[str, float]] = {}
        self.took_s: dict[int, list[float]] = {}
        self._wires: dict[int, list[tuple[Session, Wire[Any]]]] = {}
        self._servers: list[asyncio.Server] = []

    async def listen(self) -> int:
        """Listen for one more link; return the port."""
        loop = asyncio.get_running_loop()
        port = 0
        server = await loop.create_server(lambda: self._accept(port), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self._servers.append(server)
        self.sent_s[port], self.took_s[port], self._wires[port] = {}, [], []
        return port

    def _accept(self, port: int) -> Wire[Any]:
        session = Session(SessionSettings(role="smsc", window=1000, enquire_link_interval_ms=0), now_ms=_now_ms())
        wire: Wire[Any] = Wire(session, on_events=lambda found: self._take(port, session, wire, found), now_ms=_now_ms)
        return wire

    def _take(self, port: int, session: Session, wire: Wire[Any], found: list[Any]) -> None:
        for event in found:
            if not isinstance(event, Received):
                continue
            request, told = event.request, 0
            if isinstance(request, pdus.SubmitSm):
                if self.bad.get(port) == "silent":
                    continue
                told = THROTTLED if self.bad.get(port) else 0
                began_s = self.sent_s[port].pop(request.destination_addr, None)
                if began_s is not None and not told:
                    self.took_s[port].append(time.monotonic() - began_s)
            else:
                self.binds[port] += 1
                self.first_s = self.first_s or time.monotonic()
                self._wires[port].append((session, wire))
            response = RESPONSE_TO[type(request)](command_status=told)
            session.respond(request, response, _now_ms())
        wire.send_soon()

    def deliver(self, port: int, msisdn: str) -> None:
        """Deliver a message on the next of this link's binds."""
        wires = self._wires[port]
        session, wire = wires[len(self.sent_s[port]) % len(wires)]
        if session.free:
            pdu = pdus.DeliverSm(source_addr=msisdn, destination_addr="123", short_message=b"SUN")
            session.request(pdu, _now_ms())
            self.sent_s[port][msisdn] = time.monotonic()
            wire.send_soon()

    async def close(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()


def measure(links: int, binds: int) -> None:
    """Print both measurements."""
    asyncio.run(_measure_links(links, binds))
    alone = asyncio.run(_measure_neighbours(bad=False))
    beside = asyncio.run(_measure_neighbours(bad=True))
    for name, (per_s, p50_ms, p99_ms) in (("two good ones", alone), ("a throttled and a silent one", beside)):
        screen.print(f"2 good links beside {name}: {per_s:,.0f} SMS/s, answer p50 {p50_ms:.1f} ms, p99 {p99_ms:.1f} ms")


async def _measure_links(links: int, binds: int) -> None:
    smsc = Smsc()
    ports = [await smsc.listen() for _ in range(links)]
    with tempfile.TemporaryDirectory(prefix="smsgw-bench-") as folder:
        began_s = time.monotonic()
        async with _daemon(Path(folder), dict.fromkeys(ports, binds)) as pid:
            while smsc.binds.total() < links * binds:  # noqa: ASYNC110 - a look now and then disturbs least
                await asyncio.sleep(0.005)
            bound_s = time.monotonic()
            await asyncio.sleep(2)
            before_s = _cpu_s(pid)
            await asyncio.sleep(IDLE_S)
            idle = (_cpu_s(pid) - before_s) / IDLE_S
            rss_mb = _rss_mb(pid)
    await smsc.close()
    screen.print(
        f"{links} links of {binds} binds: {rss_mb:.0f} MB, idle {idle * 100:.2f} % of a processor, all bound "
        f"{(bound_s - smsc.first_s) * 1000:.0f} ms after the first bind, {bound_s - began_s:.1f} s after the start"
    )


async def _measure_neighbours(*, bad: bool) -> tuple[float, float, float]:
    smsc = Smsc()
    ports = [await smsc.listen() for _ in range(4)]
    good = ports[:2]
    if bad:
        smsc.bad = {ports[2]: "throttled", ports[3]: "silent"}
    with tempfile.TemporaryDirectory(prefix="smsgw-bench-") as folder:
        async with _daemon(Path(folder), dict.fromkeys(ports, 1)):
            while smsc.binds.total() < len(ports):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
            number, ends_s = 0, time.monotonic() + LOAD_S
            while time.monotonic() < ends_s:  # 100 a second on each link
                for port in ports:
                    number += 1
                    smsc.deliver(port, str(359_880_000_000 + number))
                await asyncio.sleep(0.01)
            await asyncio.sleep(1)
    await smsc.close()
    took_ms = sorted(1000 * took_s for port in good for took_s in smsc.took_s[port])
    return len(took_ms) / LOAD_S, statistics.median(took_ms), took_ms[int(len(took_ms) * 0.99)]


@asynccontextmanager
async def _daemon(folder: Path, ports: dict[int, int]) -> Any:
    """Start a fresh daemon with a link for each port, of so many binds."""
    file = write(occasion(folder, 1, 50, destination="123"))
    template = (folder / "links" / "operator.toml").read_text(encoding="utf-8")
    (folder / "links" / "operator.toml").unlink()
    for port, binds in ports.items():
        text = template.replace("port = 1\n", f"port = {port}\nbinds = {binds}\n")
        (folder / "links" / f"link-{port}.toml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "smsgw"]
    await asyncio.to_thread(
        subprocess.run, [*command, "migrate", "--config", file], check=True, stdout=subprocess.DEVNULL
    )
    with (folder / "log").open("wb") as log:
        daemon = await asyncio.create_subprocess_exec(*command, "run", "--config", str(file), stdout=log, stderr=log)
    try:
        yield daemon.pid
    finally:
        daemon.terminate()
        try:
            async with asyncio.timeout(30):
                await daemon.wait()
        except TimeoutError:
            daemon.kill()


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def _cpu_s(pid: int) -> float:
    ticks = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        fields = (thread / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime, stime: proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
