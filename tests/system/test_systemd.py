"""What the service manager hears of the daemon, and what it thinks of the unit that comes with it."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.peers.plain_smsc import PlainSmsc
from tests.peers.programs import program
from tests.system.daemon import PATIENCE_S, daemon_of
from tests.waiting import until

_UNIT: Final = Path(__file__).parents[2] / "systemd" / "smsgw.service"


class Manager:
    """The socket that sd_notify(3) writes to.

    Attributes:
        heard: the lines of all messages.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._heard: list[str] = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    @property
    def heard(self) -> list[str]:
        while True:
            try:
                self._heard += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self._heard


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A service manager that listens."""
    listening = Manager(tmp_path / "notify")
    with listening.socket:
        yield listening


async def test_it_says_when_it_is_ready_that_it_lives_and_when_it_stops(tmp_path: Path, manager: Manager) -> None:
    environment = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "100000"}
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        daemon.start(environment)
        await until(lambda: "READY=1" in manager.heard, PATIENCE_S, daemon.tail)
        assert (await daemon.get("/health")).status == 200
        await until(lambda: manager.heard.count("WATCHDOG=1") >= 3, PATIENCE_S, daemon.tail)
        await until(lambda: "STATUS=1 of 1 links bound" in manager.heard, PATIENCE_S, daemon.tail)
        assert "STOPPING=1" not in manager.heard
        assert await daemon.stop() == 0
        assert manager.heard.count("READY=1") == 1
        assert manager.heard.count("STOPPING=1") == 1
        assert manager.heard.index("READY=1") < manager.heard.index("STOPPING=1")


async def test_a_start_that_fails_is_never_called_ready(tmp_path: Path, manager: Manager) -> None:
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        (tmp_path / "links" / "password").unlink()
        daemon.start({"NOTIFY_SOCKET": str(manager.path)})
        assert await daemon.ended() == 78
        assert "READY=1" not in manager.heard
        assert len(daemon.lines()) == 1


@pytest.mark.peers
def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    # the same unit, with a program that is there
    unit = tmp_path / "smsgw.service"
    unit.write_text(_UNIT.read_text().replace("/opt/smsgw/.venv/bin/smsgw", "/bin/true"))
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
