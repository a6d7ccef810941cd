"""systemd: what the daemon says on a real socket, and what it learns from its environment."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from smsgw.kit.systemd import Systemd


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


@pytest.fixture
def systemd(listener: socket.socket) -> Systemd:
    return Systemd({"NOTIFY_SOCKET": listener.getsockname()})


def heard(listener: socket.socket) -> list[str]:
    return listener.recv(4096).decode().split("\n")


def test_the_daemon_says_how_it_is(systemd: Systemd, listener: socket.socket) -> None:
    assert systemd.ready("2 links")
    assert heard(listener) == ["READY=1", "STATUS=2 links"]
    assert systemd.ready()
    assert heard(listener) == ["READY=1"]
    assert systemd.status("1 of 2 links is bound")
    assert heard(listener) == ["STATUS=1 of 2 links is bound"]
    assert systemd.watchdog()
    assert heard(listener) == ["WATCHDOG=1"]
    assert systemd.stopping("draining")
    assert heard(listener) == ["STOPPING=1", "STATUS=draining"]


def test_a_reload_carries_a_time_that_is_not_before_systemds_own(systemd: Systemd, listener: socket.socket) -> None:
    assert systemd.reloading(monotonic_ms=12_345)
    assert heard(listener) == ["RELOADING=1", "MONOTONIC_USEC=12346000"]


def test_a_status_is_one_line(systemd: Systemd, listener: socket.socket) -> None:
    assert systemd.status("good\nREADY=1")
    assert heard(listener) == ["STATUS=good READY=1"]
    assert not systemd.status("")


def test_an_abstract_socket_is_a_name(tmp_path: Path) -> None:
    name = f"smsgw-test-{tmp_path.name}-{id(tmp_path)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.settimeout(5)
        assert Systemd({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert heard(sock) == ["READY=1"]


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "/nowhere/at/all"])
def test_without_systemd_nothing_happens(address: str) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": address} if address else {})
    assert not systemd.ready("x")
    assert not systemd.watchdog()
    assert systemd.watchdog_interval_ms is None
    assert systemd.credential("key") is None


def test_a_socket_that_nobody_reads_does_not_hold_the_daemon_up(systemd: Systemd) -> None:
    said = 0
    while systemd.watchdog():
        said += 1
        assert said < 100_000


@pytest.mark.parametrize(
    ("environ", "interval_ms"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"}, 15_000),
        ({"WATCHDOG_USEC": "30000000"}, 15_000),
        ({"WATCHDOG_USEC": "1000"}, 1),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_wants_a_sign_in_half_of_its_time(environ: dict[str, str], interval_ms: int | None) -> None:
    assert Systemd(environ, pid=77).watchdog_interval_ms == interval_ms


def test_a_credential_is_a_file_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "code-key").write_bytes(b"secret")
    systemd = Systemd({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert systemd.credential("code-key") == tmp_path / "code-key"
    assert systemd.credential("other") is None


@pytest.mark.parametrize("name", ["", ".", "..", "../etc/passwd", "a/b"])
def test_a_credential_is_never_looked_for_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        Systemd({"CREDENTIALS_DIRECTORY": str(tmp_path)}).credential(name)
