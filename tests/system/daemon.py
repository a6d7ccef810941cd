"""The real daemon as a process of its own: a folder of settings, a log that can be waited for, an end in every case."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from smsgw import settings
from smsgw.domain import catalog
from smsgw.store.opening import bring_up_to_date
from tests.peers.plain_smsc import PASSWORD, SHORT_CODE
from tests.waiting import until

Table = Mapping[str, Any]

PATIENCE_S: Final = 20.0
SERVICE: Final[Table] = {
    "short_code": SHORT_CODE,
    "keywords": ["SUN", "СЛЪНЦЕ"],
    "reply": "Your code is {code}",  # the code is the last word: peers that know nothing of us find it
    "success_url": "http://shop.example/in",
    "expired_url": "http://shop.example/over",
    "invalid_url": "http://shop.example/wrong",
    "uses": 1000,
}
LINK: Final[Table] = {
    "host": "127.0.0.1",
    "system_id": "smsgw",
    "password_file": "password",
    "window": 50,
    "reconnect_first_s": 0.05,
    "reconnect_ceiling_s": 0.2,
}


class Answered(NamedTuple):
    """An HTTP answer."""

    status: int
    location: str
    body: str

    @property
    def place(self) -> str:
        """Where the visitor is sent, without what proves it."""
        return self.location.partition("?")[0]


class Daemon:
    """A configuration, and the process that runs on it; may be started again and again.

    Args:
        folder: for the settings, the database and the log.
        links: the links' settings beyond LINK, by name; "port" is needed.
        main: the main file's settings, with its tables.
        service: settings of the one service, "sun", beyond SERVICE.
        merchants: the merchants' settings, by name.
    """

    def __init__(
        self,
        folder: Path,
        links: Mapping[str, Table],
        *,
        main: Table | None = None,
        service: Table | None = None,
        merchants: Mapping[str, Table] | None = None,
    ) -> None:
        self.folder = folder
        self.file = folder / "smsgw.toml"
        self.database = folder / "smsgw.db"
        self.process: subprocess.Popen[bytes] | None = None
        self._log_file = folder / "log"
        self._read = 0
        self._entries: list[dict[str, Any]] = []
        for name in ("links", "services", "merchants"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        chosen: dict[str, Any] = {"stop_timeout_s": 5.0, "web": {"port": 0}, "log": {"destination": "json"}}
        self.file.write_text(toml(chosen | dict(main or {})))
        (folder / "links" / "password").write_text(PASSWORD)
        (folder / "links" / "password").chmod(0o600)
        for name, link in links.items():
            (folder / "links" / f"{name}.toml").write_text(toml({**LINK, **link}))
        for name, merchant in (merchants or {}).items():
            (folder / "merchants" / f"{name}.toml").write_text(toml(merchant))
        (folder / "services" / "sun.toml").write_text(toml({**SERVICE, **(service or {})}))

    async def migrate(self) -> Self:
        """Make the database."""
        configuration = settings.load(self.file, environment={}, check=catalog.problems)
        await bring_up_to_date(configuration, now_ms=0)
        return self

    # The process

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it; what was logged before is forgotten."""
        assert self.process is None
        self._read = self._log_file.stat().st_size if self._log_file.exists() else 0
        self._entries.clear()
        with self._log_file.open("ab") as log:
            # should the tests be killed, the daemon goes with them
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "smsgw", "run", "-c", str(self.file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        """Ask it to stop; return its exit status."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self, seconds: float = PATIENCE_S) -> int:
        """Wait until it has ended; return its exit status."""
        process = self.process
        assert process is not None
        await until(lambda: process.poll() is not None, seconds, self.tail)
        self.process = None
        return process.returncode

    async def end(self) -> None:
        """End it if it still runs."""
        if self.process is not None:
            await self.kill()

    def memory_kib(self) -> int:
        """Return the memory that it holds now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise ValueError("no VmRSS")

    # What it tells

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Everything that it has logged since its start; what is not JSON is an entry with ``line`` alone."""
        with self._log_file.open("rb") as log:
            log.seek(self._read)
            fresh = log.read()
        fresh = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(fresh)
        self._entries += [_entry(line) for line in fresh.decode().splitlines()]
        return self._entries

    def told(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Return the entries of one event with these fields."""
        return [
            entry
            for entry in self.entries
            if entry.get("event") == event and all(entry.get(key) == value for key, value in fields.items())
        ]

    def lines(self) -> list[str]:
        """Return what it has printed beside its log."""
        return [entry["line"] for entry in self.entries if "line" in entry]

    async def until_told(self, event: str, *, times: int = 1, **fields: object) -> dict[str, Any]:
        """Wait until it has logged this so often; return the last entry."""
        await until(lambda: len(self.told(event, **fields)) >= times, PATIENCE_S, self.tail)
        return self.told(event, **fields)[-1]

    def tail(self) -> str:
        """Return the end of the log, for a test that fails."""
        return self._log_file.read_text()[-3000:] if self._log_file.exists() else "no log"

    # Its web address

    async def get(self, path: str, seconds: float = PATIENCE_S) -> Answered:
        """Ask for a page."""
        port = (await self.until_told("web.listening"))["port"]
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
                await writer.wait_closed()
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return Answered(int(first.split()[1]), headers.get("location", ""), body.decode())

    async def verify(self, code: str) -> Answered:
        """Bring a code."""
        return await self.get(f"/v/sun?code={code}")


@asynccontextmanager
async def daemon_of(
    folder: Path,
    links: Mapping[str, Table],
    *,
    main: Table | None = None,
    service: Table | None = None,
    merchants: Mapping[str, Table] | None = None,
) -> AsyncIterator[Daemon]:
    """Give a daemon with its database made, not started; it does not outlive the block."""
    daemon = await Daemon(folder, links, main=main, service=service, merchants=merchants).migrate()
    try:
        yield daemon
    finally:
        await daemon.end()


def toml(table: Table, path: str = "") -> str:
    """Write a table: values first, then the tables in it; None leaves a value out."""
    values = [
        f"{name} = {json.dumps(value)}"
        for name, value in table.items()
        if not isinstance(value, Mapping) and value is not None
    ]
    tables = [
        f"[{path}{name}]\n{toml(value, f'{path}{name}.')}"
        for name, value in table.items()
        if isinstance(value, Mapping)
    ]
    return "\n".join([*values, *tables]) + "\n"


def _entry(line: str) -> dict[str, Any]:
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError:
        return {"line": line}
    return entry
