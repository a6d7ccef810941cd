"""Measures the verify address beside a bare aiohttp handler that answers 303: the same load on both, in turn.

Every request brings a right code: judged, its use counted, the attempt stored with fsync, the visitor sent on with a
signed token. Beside them stand as many other codes as ``--rows`` says.
"""

import asyncio
import contextlib
import secrets
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from smsgw.domain import catalog
from smsgw.domain.codes import generate
from smsgw.kit.clock import SystemClock
from smsgw.kit.ids import IdMaker
from smsgw.kit.vault import Vault, make_key, read_keys
from smsgw.settings import ServiceSettings

CODES = 20_000  # that visitors bring, in turn
CONNECTIONS = (32, 128)  # that ask again as soon as they are answered
PACED = 32  # connections of the paced run
PACE = 500  # requests a second in the paced run
SECONDS = 8.0
PORT, BARE_PORT = 2381, 2382
SERVICE = """
short_code = "123"
keywords = ["*"]
reply = "{code}"
success_url = "https://merchant.example/in"
expired_url = "https://merchant.example/over"
invalid_url = "https://merchant.example/what"
valid_for_s = 864000
length = 10
"""
BARE = """
import uvloop
from aiohttp import web
async def handler(request):
    request.query.get("code")
    return web.Response(status=303, headers={"Location": "https://merchant.example/in"})
app = web.Application()
app.router.add_get("/v/{service}", handler)
async def main():
    return app
uvloop.install()
web.run_app(main(), host="127.0.0.1", port=%d, access_log=None, print=None)
"""
screen = Console(soft_wrap=True, highlight=False)


def measure(rows: int, rounds: int) -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory(prefix="smsgw-bench-") as folder, _serve(Path(folder), rows) as codes, _bare():
        paths = [f"/v/shop?code={code}&state={number}" for number, code in enumerate(codes)]
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("codes", "connections", "verify/s", "bare 303/s", "ratio", "p50/p99 ms"):
            table.add_column(heading, justify="right")
        for connections in CONNECTIONS:
            ours, bare = [], []
            for _ in range(rounds):
                bare.append(uvloop.run(_load(BARE_PORT, paths, connections))[0])
                ours.append(uvloop.run(_load(PORT, paths, connections)))
            table.add_row(
                f"{rows + CODES:,}",
                str(connections),
                f"{statistics.median(rate for rate, _ in ours):,.0f}",
                f"{statistics.median(bare):,.0f}",
                f"{statistics.median(a / b for (a, _), b in zip(ours, bare, strict=True)):.2f}",
                _latencies([one for _, latencies in ours for one in latencies]),
            )
        paced = uvloop.run(_load(PORT, paths, PACED, PACE))
        table.add_row(f"{rows + CODES:,}", str(PACED), f"{paced[0]:,.0f}", "-", "-", _latencies(paced[1]))
        screen.print(table)


def _latencies(latencies: list[float]) -> str:
    return f"{_percentile(latencies, 50):.1f} / {_percentile(latencies, 99):.1f}"


def _percentile(latencies: list[float], percent: int) -> float:
    return sorted(latencies)[min(len(latencies) - 1, len(latencies) * percent // 100)] * 1000


@contextlib.contextmanager
def _serve(folder: Path, rows: int) -> Iterator[list[str]]:
    """Run a daemon on a database with codes; yield those that visitors bring."""
    (folder / "services").mkdir()
    (folder / "services" / "shop.toml").write_text(SERVICE)
    file = folder / "smsgw.toml"
    file.write_text(f'state_dir = "."\n[web]\nport = {PORT}\n[log]\ndestination = "plain"\n')
    smsgw = [sys.executable, "-m", "smsgw"]
    subprocess.run([*smsgw, "migrate", "--config", str(file)], check=True, stdout=subprocess.DEVNULL)
    make_key(folder / "codes.key", secrets.token_bytes)
    codes = _fill(folder, rows)
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen([*smsgw, "run", "--config", str(file)], stdout=log, stderr=log)
        try:
            _wait_for(PORT)
            yield codes
        finally:
            daemon.terminate()
            daemon.wait(timeout=30)


@contextlib.contextmanager
def _bare() -> Iterator[None]:
    server = subprocess.Popen([sys.executable, "-c", BARE % BARE_PORT])
    try:
        _wait_for(BARE_PORT)
        yield
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    sys.exit(f"scripts/bench: nothing listens on port {port}")


def _fill(folder: Path, rows: int) -> list[str]:
    """Store codes; return those that are known."""
    vault = Vault(read_keys(folder / "codes.key"), secrets.token_bytes)
    settings = msgspec.convert({"short_code": "1", **_toml(SERVICE)}, ServiceSettings)
    policy = catalog.policy_of(settings)
    text = msgspec.json.encode(policy).decode()
    ids = IdMaker(SystemClock(), secrets.token_bytes)
    now_ms = int(time.time() * 1000)
    codes = [generate(policy, secrets.token_bytes) for _ in range(CODES)]
    raw = sqlite3.connect(folder / "smsgw.db", isolation_level=None)
    raw.execute("pragma synchronous = off")
    insert = (
        "insert into codes (id, service, mo, link, msisdn, lookup, sealed, key_id, policy, issued_ms) "
        "values (?, 'shop', ?, 'north', ?, ?, ?, 'k1', ?, ?)"
    )

    def row(lookup: str) -> tuple[object, ...]:
        code_id = ids.new("code")
        phone = f"35988{secrets.randbelow(10**7):07}"
        return code_id, code_id.replace("code_", "mo_"), phone, lookup, secrets.token_bytes(36), text, now_ms

    known = [row(vault.lookups("shop", code)[0]) for code in codes]
    for at in range(0, rows, 100_000):
        raw.execute("begin")
        raw.executemany(insert, (row(secrets.token_urlsafe(15)) for _ in range(min(100_000, rows - at))))
        raw.execute("commit")
    raw.execute("begin")
    raw.executemany(insert, known)
    raw.execute("commit")
    raw.execute("pragma wal_checkpoint(truncate)")
    raw.close()
    return codes


def _toml(text: str) -> dict[str, object]:
    return tomllib.loads(text)


class _Visitor(asyncio.Protocol):
    """One connection that asks, reads the answer's head (a 303 has no body that matters), and asks again."""

    def __init__(self, paths: Iterator[str], latencies: list[float], *, paced: bool) -> None:
        self.free = True
        self._paths = paths
        self._latencies = latencies
        self._paced = paced
        self._read = b""
        self._asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if not self._paced:
            self.ask()

    def ask(self) -> None:
        self.free = False
        self._asked = time.perf_counter()
        path = quote(next(self._paths), safe="/?&=")
        self.transport.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, rest = self._read.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if not end or len(rest) < length:
            return
        if b" 303 " not in head[:20] or b"merchant.example/in" not in head:
            sys.exit(f"scripts/bench: an answer that should not be: {head!r}")
        self._read = b""
        self.free = True
        self._latencies.append(time.perf_counter() - self._asked)
        if not self._paced:
            self.ask()


async def _load(port: int, paths: list[str], connections: int, pace: int = 0) -> tuple[float, list[float]]:
    """Ask for some seconds; return answers a second, and how long each took."""
    number = 0

    def endless() -> Iterator[str]:
        nonlocal number
        while True:
            yield f"{paths[number % len(paths)]}-{number}"
            number += 1

    latencies: list[float] = []
    source = endless()
    loop = asyncio.get_running_loop()
    visitors = [_Visitor(source, latencies, paced=bool(pace)) for _ in range(connections)]
    began = time.perf_counter()
    for visitor in visitors:
        await loop.create_connection(lambda visitor=visitor: visitor, "127.0.0.1", port)  # type: ignore[misc]
    if not pace:
        await asyncio.sleep(SECONDS)
    for due in range(int(pace * SECONDS)):
        await asyncio.sleep(max(0.0, began + due / pace - time.perf_counter()))
        if free := next((visitor for visitor in visitors if visitor.free), None):
            free.ask()
    took = time.perf_counter() - began
    count = len(latencies)
    for visitor in visitors:
        visitor.transport.close()
    return count / took, latencies[:]
