"""What systemd and the daemon tell each other: sd_notify(3), the watchdog, the credentials folder. No-op without it."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TIMEOUT_S: Final = 0.2  # systemd reads at once; a service manager in trouble must not hold the loop up


class Systemd:
    """The service manager as the environment describes it.

    Args:
        environ: the process's environment, or a test's.
        pid: this process; the watchdog's variables may be meant for another one.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, pid: int | None = None) -> None:
        self._socket_path = environ.get("NOTIFY_SOCKET", "")
        self._credentials = environ.get("CREDENTIALS_DIRECTORY", "")
        self._watchdog_us = environ.get("WATCHDOG_USEC", "")
        self._watchdog_pid = environ.get("WATCHDOG_PID", "")
        self._pid = os.getpid() if pid is None else pid

    def ready(self, status: str = "") -> bool:
        """Say that start-up, or a reload, is finished."""
        return self._notify("READY=1", *_status(status))

    def status(self, status: str) -> bool:
        """Set the one line that ``systemctl status`` shows."""
        return self._notify(*_status(status))

    def reloading(self, monotonic_ms: int) -> bool:
        """Say that a reload has begun; ``ready`` ends it.

        Args:
            monotonic_ms: CLOCK_MONOTONIC; rounded up, since systemd ignores a moment before its own request.
        """
        return self._notify("RELOADING=1", f"MONOTONIC_USEC={(monotonic_ms + 1) * 1000}")

    def stopping(self, status: str = "") -> bool:
        """Say that the daemon is on its way out."""
        return self._notify("STOPPING=1", *_status(status))

    def watchdog(self) -> bool:
        """Say that the daemon is alive and well."""
        return self._notify("WATCHDOG=1")

    @property
    def watchdog_interval_ms(self) -> int | None:
        """Half of the time after which systemd takes silence for death; None when it does not watch this process."""
        if not self._watchdog_us.isdecimal() or int(self._watchdog_us) == 0:
            return None
        if self._watchdog_pid and self._watchdog_pid != str(self._pid):
            return None
        return max(1, int(self._watchdog_us) // 2000)

    def credential(self, name: str) -> Path | None:
        """Return the file of a credential (LoadCredential= in the unit), None when there is none of that name.

        Raises:
            ValueError: the name is not a plain file name.
        """
        if not name or "/" in name or name in {".", ".."}:
            raise ValueError("a credential's name is a plain file name")
        if not self._credentials:
            return None
        path = Path(self._credentials) / name
        return path if path.is_file() else None

    def _notify(self, *lines: str) -> bool:
        """Send the lines; False when there is nobody to tell, or nobody who listens. Never raises."""
        if not lines or not self._socket_path.startswith(("/", "@")):
            return False
        address = self._socket_path
        if address.startswith("@"):  # an abstract socket: a name, not a path
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(_TIMEOUT_S)
                sock.connect(address)
                sock.sendall("\n".join(lines).encode())
        except OSError:
            return False
        return True


def _status(status: str) -> tuple[str, ...]:
    """One line at most: what follows a line break would be read as another variable."""
    return (f"STATUS={' '.join(status.split())}",) if status else ()
