"""journald's native protocol, spoken to a real datagram socket that is read as journald reads it."""

import array
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from smsgw.kit import journald
from smsgw.kit.journald import Journal


def parse(entry: bytes) -> dict[str, bytes]:
    """Read an entry as https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ describes it."""
    fields: dict[str, bytes] = {}
    while entry:
        line, _, rest = entry.partition(b"\n")
        name, mark, value = line.partition(b"=")
        if not mark:
            size = int.from_bytes(rest[:8], "little")
            value, entry = rest[8 : 8 + size], rest[9 + size :]
            assert rest[8 + size : 9 + size] == b"\n"
        else:
            entry = rest
        assert name.decode() not in fields
        fields[name.decode()] = value
    return fields


def listen(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(path))
    sock.settimeout(5)
    return sock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "socket"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    yield journal
    journal.close()


def test_an_entry_has_a_message_a_priority_and_a_field_per_key() -> None:
    entry = journald.encode("mo.accepted link=kyivstar", 6, [("link", "kyivstar"), ("mo", "mo_1")])
    assert parse(entry) == {
        "MESSAGE": b"mo.accepted link=kyivstar",
        "PRIORITY": b"6",
        "SYSLOG_IDENTIFIER": b"smsgw",
        "LINK": b"kyivstar",
        "MO": b"mo_1",
    }


def test_values_of_several_lines_carry_their_length() -> None:
    entry = journald.encode("task.ended\nTraceback: é", 2, [("why", "a\nPRIORITY=0\n"), ("link", "x")])
    fields = parse(entry)
    assert fields["MESSAGE"].decode() == "task.ended\nTraceback: é"
    assert fields["WHY"] == b"a\nPRIORITY=0\n"
    assert fields["PRIORITY"] == b"2"
    assert fields["LINK"] == b"x"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("link", "LINK"),
        ("system_id", "SYSTEM_ID"),
        ("a-b.c é", "A_B_C__"),
        ("_pid", "PID"),
        ("5xx", "XX"),
        ("", "MESSAGE"),
        ("-", "FIELD_"),
        ("message", "FIELD_MESSAGE"),
        ("priority", "FIELD_PRIORITY"),
        ("x" * 100, "X" * 64),
    ],
)
def test_names_are_made_valid_and_never_shadow_ours(key: str, name: str) -> None:
    fields = parse(journald.encode("event", 6, [(key, "value")] if key else []))
    assert name in fields


@given(st.text(), st.text())
def test_any_value_is_carried_as_it_is(message: str, value: str) -> None:
    fields = parse(journald.encode(message, 6, [("key", value)]))
    assert fields["MESSAGE"] == message.encode("utf-8", "backslashreplace")
    assert fields["KEY"] == value.encode("utf-8", "backslashreplace")
    assert set(fields) == {"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "KEY"}


def test_an_entry_is_one_datagram(journal: Journal, path: Path) -> None:
    with listen(path) as sock:
        journal.write(b"MESSAGE=one\n")
        journal.write(b"MESSAGE=two\n")
        assert [sock.recv(4096), sock.recv(4096)] == [b"MESSAGE=one\n", b"MESSAGE=two\n"]


def test_an_entry_too_large_for_a_datagram_comes_as_a_sealed_file(journal: Journal, path: Path) -> None:
    entry = b"MESSAGE=" + b"x" * 20_000_000 + b"\n"
    with listen(path) as sock:
        journal.write(entry)
        data, rights, _, _ = sock.recvmsg(4096, socket.CMSG_SPACE(4))
    assert data == b""
    ((_, kind, descriptor),) = rights
    assert kind == socket.SCM_RIGHTS
    with os.fdopen(array.array("i", descriptor)[0], "rb") as file:
        seals = fcntl.fcntl(file, fcntl.F_GET_SEALS)
        wanted = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        assert seals & wanted == wanted
        file.seek(0)
        assert file.read() == entry
    assert journal.dropped == 0


def test_a_journal_that_does_not_read_is_not_waited_for_and_hears_how_much_it_missed(
    journal: Journal, path: Path
) -> None:
    with listen(path) as sock:
        written = 0
        while journal.dropped < 3:
            journal.write(b"MESSAGE=burst\n")
            written += 1
            assert written < 1_000_000
        for _ in range(written - 3):
            assert sock.recv(4096) == b"MESSAGE=burst\n"
        journal.write(b"MESSAGE=after\n")
        assert sock.recv(4096) == b"MESSAGE=after\n"
        report = parse(sock.recv(4096))
        assert report["MESSAGE"] == b"log.dropped count=3"
        assert report["PRIORITY"] == b"4"
        assert report["COUNT"] == b"3"
        assert journal.dropped == 0
        journal.write(b"MESSAGE=last\n")
        assert sock.recv(4096) == b"MESSAGE=last\n"


def test_a_journal_that_is_not_there_costs_only_its_entries(journal: Journal, path: Path) -> None:
    journal.write(b"MESSAGE=lost\n")
    assert journal.dropped == 1
    with listen(path) as sock:
        journal.write(b"MESSAGE=kept\n")
        assert sock.recv(4096) == b"MESSAGE=kept\n"
        assert parse(sock.recv(4096))["COUNT"] == b"1"


def test_a_journal_that_was_started_anew_is_found_without_a_loss(journal: Journal, path: Path) -> None:
    with listen(path) as sock:
        journal.write(b"MESSAGE=one\n")
        assert sock.recv(4096) == b"MESSAGE=one\n"
    path.unlink()
    with listen(path) as sock:
        journal.write(b"MESSAGE=two\n")
        assert sock.recv(4096) == b"MESSAGE=two\n"
    assert journal.dropped == 0


def test_a_large_entry_that_nobody_can_take_is_counted(journal: Journal, path: Path) -> None:
    with listen(path) as sock:
        while journal.dropped == 0:
            journal.write(b"MESSAGE=burst\n")
        journal.write(b"x" * 20_000_000)
        assert journal.dropped == 2
        assert sock.recv(4096) == b"MESSAGE=burst\n"
