"""Capture files: what is in them is what was said, Wireshark puts it together again, and they do not grow for ever."""

import struct
import subprocess
from itertools import count
from pathlib import Path

import pytest

from smsgw.kit.pcap import CaptureFile, Flow
from tests.peers.programs import program

OURS, PEER = ("192.0.2.1", 40_000), ("198.51.100.7", 2775)
HEAD, RECORD = 24, 16


def capture(path: Path, most_bytes: int = 1 << 20) -> CaptureFile:
    ticks = count(1_700_000_000_000_000, 1_500_000)
    return CaptureFile(path, most_bytes, lambda: next(ticks))


def packets(path: Path) -> list[tuple[int, bytes]]:
    """Return the microseconds and octets of each packet."""
    octets, at, found = path.read_bytes(), HEAD, []
    assert octets[:HEAD] == struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 101)
    while at < len(octets):
        seconds, micros, kept, length = struct.unpack_from("<IIII", octets, at)
        assert kept == length
        found.append((seconds * 1_000_000 + micros, octets[at + RECORD : at + RECORD + kept]))
        at += RECORD + kept
    return found


def checksum(octets: bytes) -> int:
    """Return 0 for octets that hold their own checksum (RFC 1071)."""
    octets += b"\0" * (len(octets) % 2)
    total = sum(int.from_bytes(octets[at : at + 2]) for at in range(0, len(octets), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def test_a_conversation_is_a_tcp_stream_each_way(tmp_path: Path) -> None:
    file = capture(tmp_path / "a.pcap")
    flow = Flow(file, OURS, PEER)
    flow.add(b"question", outgoing=True)
    flow.add(b"an answer", outgoing=False)
    flow.add(b"more", outgoing=True)
    flow.close()
    file.close()
    found = packets(file.path)
    assert [at for at, _ in found] == [1_700_000_000_000_000 + 1_500_000 * n for n in range(9)]
    said = []
    for _, packet in found:
        assert checksum(packet[:20]) == 0, "the IP header's own"
        pseudo = packet[12:20] + struct.pack("!HH", 6, len(packet) - 20)
        assert checksum(pseudo + packet[20:]) == 0, "TCP's"
        source, target, sequence, acknowledged, _, flags = struct.unpack_from("!HHIIBB", packet, 20)
        said.append((source, target, sequence, acknowledged, flags, packet[40:]))
    assert said == [
        (40_000, 2775, 0, 0, 0x02, b""),
        (2775, 40_000, 0, 1, 0x12, b""),
        (40_000, 2775, 1, 1, 0x10, b""),
        (40_000, 2775, 1, 1, 0x18, b"question"),
        (2775, 40_000, 1, 9, 0x18, b"an answer"),
        (40_000, 2775, 9, 10, 0x18, b"more"),
        (40_000, 2775, 13, 10, 0x11, b""),
        (2775, 40_000, 10, 14, 0x11, b""),
        (40_000, 2775, 14, 11, 0x10, b""),
    ]


def test_ipv6_and_what_has_no_address(tmp_path: Path) -> None:
    file = capture(tmp_path / "a.pcap")
    Flow(file, ("2001:db8::1", 1), ("2001:db8::2%eth0", 2)).add(b"abc", outgoing=True)
    Flow(file, ("", 0), ("2001:db8::2", 2))
    file.close()
    found = [packet for _, packet in packets(file.path)]
    pseudo = found[3][8:40] + struct.pack("!II", 23, 6)
    assert (found[3][0] >> 4, found[3][4:6], checksum(pseudo + found[3][40:])) == (6, b"\0\x17", 0)
    assert found[4][12:20] == bytes(8)


def test_a_long_piece_is_several_packets(tmp_path: Path) -> None:
    file = capture(tmp_path / "a.pcap")
    Flow(file, OURS, PEER).add(b"x" * 70_000, outgoing=True)
    file.close()
    assert [len(packet) - 40 for _, packet in packets(file.path)[3:]] == [32_768, 32_768, 4_464]


def test_a_file_that_is_full_ends_with_a_whole_packet(tmp_path: Path) -> None:
    told: list[bool] = []
    file = CaptureFile(tmp_path / "a.pcap", 1_000, lambda: 0, lambda: told.append(True))
    flow = Flow(file, OURS, PEER)
    for _ in range(100):
        flow.add(b"0123456789", outgoing=True)
    file.close()
    assert file.path.stat().st_size <= 1_000
    assert len(packets(file.path)) == 15
    assert told == [True]


def test_nobody_else_may_read_it_and_nothing_is_written_over(tmp_path: Path) -> None:
    file = capture(tmp_path / "a.pcap")
    file.close()
    assert file.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        capture(tmp_path / "a.pcap")


@pytest.mark.peers
def test_wireshark_follows_the_stream(tmp_path: Path) -> None:
    tshark = program("tshark", "tshark")
    file = capture(tmp_path / "a.pcap")
    flow = Flow(file, OURS, PEER)
    flow.add(b"hello ", outgoing=True)
    flow.add(b"world", outgoing=True)
    flow.close()
    file.close()
    words = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-q", "-z", "follow,tcp,ascii,0"]
    assert {"hello ", "world"} <= set(_read(tshark, file.path, *words).splitlines())
    assert _read(tshark, file.path, *words[:4], "-Y", "_ws.malformed or _ws.expert.severity >= 0x600000") == ""


def _read(tshark: str, path: Path, *words: str) -> str:
    done = subprocess.run([tshark, "-r", str(path), *words], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout
