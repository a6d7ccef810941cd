"""Capture files that Wireshark reads: octets of TCP connections, put back into packets that could have carried them.

Classic pcap (LINKTYPE_RAW): each piece that was read or written becomes an IP packet with a TCP header whose numbers go
on from the piece before, so that streams are put together again. What was on the wire may have been cut otherwise.
"""

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import BinaryIO, Final

_MAGIC_US: Final = 0xA1B2C3D4  # microseconds
_LINKTYPE_RAW: Final = 101  # begins with an IPv4 or IPv6 header (tcpdump.org/linktypes.html)
_SNAPLEN: Final = 262_144
_FILE_HEAD: Final = struct.pack("<IHHiIII", _MAGIC_US, 2, 4, 0, 0, _SNAPLEN, _LINKTYPE_RAW)
_RECORD: Final = struct.Struct("<IIII")
_TCP: Final = struct.Struct("!HHIIBBHHH")
_MOST_OCTETS: Final = 32_768  # in one packet
_SYN, _ACK, _PSH, _FIN = 0x02, 0x10, 0x08, 0x01
_TCP_PROTOCOL: Final = 6
_TTL: Final = 64
_WINDOW: Final = 65_535
_NOBODY: Final = ip_address("0.0.0.0")  # noqa: S104 - an address in a file, nothing listens there

Address = tuple[str, int]


class CaptureFile:
    """A capture that ends when it is full; readable by its owner alone.

    Args:
        path: made anew; must not exist.
        most_bytes: what the file may hold.
        now_us: the wall's microseconds since 1970.
        on_full: hears of it, once.
    """

    def __init__(
        self, path: Path, most_bytes: int, now_us: Callable[[], int], on_full: Callable[[], None] = lambda: None
    ) -> None:
        self.path = path
        self._full = False
        self._on_full = on_full
        self._left = most_bytes - len(_FILE_HEAD)
        self._now_us = now_us
        self._file: BinaryIO = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
        self._file.write(_FILE_HEAD)
        self._file.flush()

    def write(self, packet: bytes) -> None:
        """Add a packet, unless the file would grow beyond its bound.

        Raises:
            OSError: the disk does not take it.
        """
        size = _RECORD.size + len(packet)
        if self._full:
            return
        if size > self._left:
            self._full = True
            self._on_full()
            return
        self._left -= size
        now_us = self._now_us()
        record = _RECORD.pack(now_us // 1_000_000 & 0xFFFFFFFF, now_us % 1_000_000, len(packet), len(packet)) + packet
        try:
            self._file.write(record)
            self._file.flush()
        except OSError:
            self._full = True  # told once, not for each packet to come
            raise

    def close(self) -> None:
        """End; what the disk did not take is lost."""
        with suppress(OSError):
            self._file.close()


class Flow:
    """One TCP connection in a capture, from the first piece that is told to the last.

    Args:
        file: where its packets go.
        ours: our address and port.
        peer: the other side's.
    """

    def __init__(self, file: CaptureFile, ours: Address, peer: Address) -> None:
        self._file = file
        here, there = _numbers(ours[0], peer[0])
        self._ends = {True: (here, ours[1], there, peer[1]), False: (there, peer[1], here, ours[1])}
        self._next = {True: 0, False: 0}  # sequence numbers, by who speaks
        self._say(_SYN, b"", outgoing=True)
        self._say(_SYN | _ACK, b"", outgoing=False)
        self._say(_ACK, b"", outgoing=True)

    def add(self, octets: bytes, *, outgoing: bool) -> None:
        """Add what was written or read."""
        for start in range(0, len(octets), _MOST_OCTETS):
            self._say(_PSH | _ACK, octets[start : start + _MOST_OCTETS], outgoing=outgoing)

    def close(self) -> None:
        """Add the end of the connection."""
        self._say(_FIN | _ACK, b"", outgoing=True)
        self._say(_FIN | _ACK, b"", outgoing=False)
        self._say(_ACK, b"", outgoing=True)

    def _say(self, flags: int, octets: bytes, *, outgoing: bool) -> None:
        source, source_port, target, target_port = self._ends[outgoing]
        acknowledged = self._next[not outgoing] if flags & _ACK else 0
        parts = (source_port, target_port, self._next[outgoing], acknowledged, 5 << 4, flags, _WINDOW)
        length = _TCP.size + len(octets)
        pseudo = source.packed + target.packed + struct.pack("!II", length, _TCP_PROTOCOL)  # RFC 8200 §8.1
        check = _checksum(pseudo + _TCP.pack(*parts, 0, 0) + octets)
        self._next[outgoing] += len(octets) + bool(flags & (_SYN | _FIN))
        self._next[outgoing] &= 0xFFFFFFFF
        self._file.write(_ip(source, target, length) + _TCP.pack(*parts, check, 0) + octets)


def _numbers(ours: str, peer: str) -> "tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]":
    """Return both addresses in one family; what is none (a Unix socket, a test) is 0.0.0.0."""
    try:
        here, there = ip_address(ours.partition("%")[0]), ip_address(peer.partition("%")[0])
    except ValueError:
        return _NOBODY, _NOBODY
    return (here, there) if here.version == there.version else (_NOBODY, _NOBODY)


def _ip(source: "IPv4Address | IPv6Address", target: "IPv4Address | IPv6Address", length: int) -> bytes:
    addresses = source.packed + target.packed
    if isinstance(source, IPv6Address):
        return struct.pack("!IHBB", 6 << 28, length, _TCP_PROTOCOL, _TTL) + addresses
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, _TTL, _TCP_PROTOCOL, 0)
    check = _checksum(head + addresses)
    return head[:10] + struct.pack("!H", check) + addresses


def _checksum(octets: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
