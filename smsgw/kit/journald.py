"""journald's native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/): one datagram per entry, real fields.

Never blocks: an entry that the journal cannot take now is dropped and counted, and the count is reported later.
"""

import array
import errno
import fcntl
import os
import re
import socket
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

SOCKET_PATH: Final = Path("/run/systemd/journal/socket")
IDENTIFIER: Final = "smsgw"

_SEND_BUFFER: Final = (
    8 << 20
)  # as sd_journal_send(3) asks for; room for bursts, the kernel lowers it to what is allowed
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_OURS: Final = frozenset({"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER"})
_NAME_LENGTH: Final = 64
_WARNING: Final = 4


def encode(message: str, priority: int, fields: Sequence[tuple[str, str]]) -> bytes:
    """Return one entry.

    Args:
        message: what journalctl shows; may have several lines.
        priority: as syslog's, 0 (emergency) to 7 (debug).
        fields: name and value; names are made valid (``link`` → ``LINK``).
    """
    head = f"PRIORITY={priority}\nSYSLOG_IDENTIFIER={IDENTIFIER}\nMESSAGE={message}\n"
    entry = head + "".join([f"{_field_name(key)}={value}\n" for key, value in fields])
    if entry.count("\n") == len(fields) + 3:  # every value is one line, as nearly always
        return entry.encode("utf-8", "backslashreplace")
    named = [("PRIORITY", str(priority)), ("SYSLOG_IDENTIFIER", IDENTIFIER), ("MESSAGE", message)]
    named += [(_field_name(key), value) for key, value in fields]
    return b"".join([_with_length(name, value.encode("utf-8", "backslashreplace")) for name, value in named])


def _with_length(name: str, value: bytes) -> bytes:
    """Return a field in the form that may hold line breaks."""
    return b"%b\n%b%b\n" % (name.encode(), len(value).to_bytes(8, "little"), value)


@lru_cache(maxsize=1024)
def _field_name(key: str) -> str:
    """Return a name that journald accepts from programs: A-Z, 0-9 and _, not beginning with _ or a digit."""
    name = re.sub(r"[^A-Z0-9_]", "_", key.upper()).lstrip("_0123456789")[:_NAME_LENGTH]
    return f"FIELD_{name}"[:_NAME_LENGTH] if not name or name in _OURS else name


class Journal:
    """A connection to the journal.

    Args:
        path: of journald's socket.
    """

    def __init__(self, path: Path = SOCKET_PATH) -> None:
        self._path = str(path)
        self._socket: socket.socket | None = None
        self.dropped = 0  # entries lost and not yet reported

    def write(self, entry: bytes) -> None:
        """Send an entry, or drop and count it. Never blocks, never raises OSError."""
        if not self._send(entry):
            self.dropped += 1
        elif self.dropped:
            self._report()

    def close(self) -> None:
        """Close the socket; a later ``write`` opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _report(self) -> None:
        count = str(self.dropped)
        if self._send(encode(f"log.dropped count={count}", _WARNING, (("count", count),))):
            self.dropped = 0

    def _send(self, entry: bytes) -> bool:
        was_open = self._socket is not None
        try:
            sock = self._socket or self._connect()
            sock.send(entry)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in {errno.EMSGSIZE, errno.ENOBUFS}:
                return self._send_as_file(entry)
            self.close()
            # A journald that was started anew listens on a new socket; one look is enough.
            return was_open and self._send(entry)
        return True

    def _connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            sock.connect(self._path)
        except OSError:
            sock.close()
            raise
        self._socket = sock
        return sock

    def _send_as_file(self, entry: bytes) -> bool:
        """Pass an entry that is too large for a datagram as a sealed file in memory."""
        assert self._socket is not None
        try:
            with os.fdopen(os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "wb") as file:
                file.write(entry)
                file.flush()
                fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
                rights = array.array("i", [file.fileno()])
                self._socket.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError:
            return False
        return True
