"""A private PostgreSQL for tests: its own folder, a socket in it and no port, gone when the tests are."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, Literal

import asyncpg

_USER: Final = "smsgw"
_PATIENCE_S: Final = 60.0
_SETTINGS: Final = {
    "listen_addresses": "",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "autovacuum": "off",
    "logging_collector": "off",
}


def binaries() -> Path | None:
    """Where Debian's newest PostgreSQL keeps its programs."""
    places = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return max((place.parent for place in places), key=lambda place: float(place.parent.name), default=None)


class PostgresServer:
    """A cluster with real fsyncs, started once for many tests; run as the user postgres where the tests are root."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = "postgres" if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="smsgw-pg-"))  # short: a socket's path has 107 bytes at most
        self._data = self._folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        self._free: list[str] = []

    def create(self) -> None:
        """Make the cluster."""
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        options = ["--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8", f"--username={_USER}"]
        self._run("initdb", f"--pgdata={self._data}", *options)

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self._folder), *settings]
        with (self._folder / "log").open("ab") as log:
            # should the tests be killed, the server goes with them
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "INT", *self._identity(), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        deadline = time.monotonic() + _PATIENCE_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {(self._folder / 'log').read_text()}")
            time.sleep(0.01)

    def stop(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server: "fast" ends every connection, "immediate" is a crash."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT if how == "fast" else signal.SIGQUIT)
            self._process.wait(_PATIENCE_S)
            self._process = None

    def destroy(self) -> None:
        """Stop the server and forget its data."""
        self.stop("immediate")
        shutil.rmtree(self._folder)

    @property
    def socket(self) -> Path:
        """The socket that it listens on."""
        return self._folder / ".s.PGSQL.5432"

    def dsn(self, database: str) -> str:
        """How to connect to one of its databases."""
        return f"postgresql:///{database}?host={self._folder}&user={_USER}"

    def lend_database(self) -> str:
        """Give the name of an empty database that nobody else uses: one that came back, or a new one."""
        if self._free:
            return self._free.pop()
        self._made += 1
        name = f"test_{self._made}"
        self.command(f"create database {name} template template0")
        return name

    def take_back(self, name: str) -> None:
        """Empty a database (ten times as fast as to make another one), whoever is still connected to it."""
        self.command(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
        self._command(name, "drop schema public cascade; create schema public")
        self.command(f"alter database {name} reset all")
        self._free.append(name)

    def command(self, sql: str) -> None:
        """Do something to the server as a whole."""
        self._command("postgres", sql)

    def _command(self, database: str, sql: str) -> None:
        async def command() -> None:
            connection = await asyncpg.connect(self.dsn(database))
            await connection.execute(sql)
            await connection.close()

        asyncio.run(command())

    def _ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"  # the eighth line is the state of the server

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._user,
            group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
            extra_groups=None if self._user is None else [],
            cwd=self._folder,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr}")

    def _identity(self) -> list[str]:
        if self._user is None:
            return []
        entry = pwd.getpwnam(self._user)
        return [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
