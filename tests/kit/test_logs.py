"""Logs: one event, told in each form; masked in each; from structlog and from the standard library."""

import contextlib
import io
import json
import logging
import os
import pty
import re
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from smsgw.kit import logs
from smsgw.kit.clock import ManualClock
from smsgw.kit.logs import Destination, Level

NOON_MS = 1_772_366_400_250
log = logs.get_logger("smsgw.flows.receive")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def configured(destination: Destination = "plain", level: Level = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(destination, level, stream=stream, environ={}, clock=ManualClock(NOON_MS))
    return stream


def test_a_plain_line_is_time_level_name_and_keys() -> None:
    stream = configured()
    log.info("mo.accepted", mo="mo_1", link="kyivstar", parts=2, service=None)
    assert stream.getvalue() == "2026-03-01T12:00:00.250Z info mo.accepted mo=mo_1 link=kyivstar parts=2\n"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("two words", '"two words"'),
        ('say "a=b"', r'"say \"a=b\""'),
        ("", '""'),
        ("a\nb", r'"a\nb"'),
        ("\x1b[31m", r'"\u001b[31m"'),
        ("\u202eevil", r'"\u202eevil"'),
        ("Київ", '"Київ"'),
        (b"payload", '"[7 bytes]"'),
        (0.5, "0.5"),
        (True, "True"),
        ("35988…45", "35988…45"),
    ],
)
def test_a_value_never_breaks_its_line(value: object, told: str) -> None:
    stream = configured()
    log.info("link.bound", value=value)
    assert stream.getvalue() == f"2026-03-01T12:00:00.250Z info link.bound value={told}\n"


def test_json_is_one_object_a_line() -> None:
    stream = configured("json")
    log.warning("link.down", link="kyivstar", wait_ms=500, raw=b"\x00", path=Path("/x"), msisdn="359881234545")
    assert json.loads(stream.getvalue()) == {
        "time": "2026-03-01T12:00:00.250Z",
        "level": "warning",
        "event": "link.down",
        "module": "flows.receive",
        "link": "kyivstar",
        "wait_ms": 500,
        "raw": "[1 bytes]",
        "path": "/x",
        "msisdn": "35988…45",
    }


def test_json_tells_whatever_it_is_given() -> None:
    stream = configured("json")
    log.warning("link.down", why="Київ")
    log.warning("link.down", why="\ud83d")
    log.warning("link.down", why=["Київ", b"payload"])
    first, second, third = map(json.loads, stream.getvalue().splitlines())
    assert (first["why"], second["why"], third["why"]) == ("Київ", "\ud83d", ["Київ", "[7 bytes]"])


def test_the_console_is_aligned_and_shows_milliseconds() -> None:
    stream = configured("console")
    log.info("mo.accepted", mo="mo_1", link="kyivstar")
    log.warning("link.down", why="\x1b[31mred")
    first, second = stream.getvalue().splitlines()
    assert re.fullmatch(r"\d\d:\d\d:00\.250 \[info     \] mo\.accepted +mo=mo_1 link=kyivstar", first)
    assert re.fullmatch(r"\d\d:\d\d:00\.250 \[warning  \] link\.down +why=\\u001b\[31mred", second)
    assert first.index("mo=") == second.index("why=")


@pytest.mark.parametrize("destination", ["plain", "json", "console"])
def test_no_form_shows_what_must_be_masked(destination: Destination) -> None:
    stream = configured(destination)
    log.bind(msisdn="359881234545", link="kyivstar").info("mo.accepted", text="GOLD K7HW93XP", password="hunter2")
    told = stream.getvalue()
    assert "kyivstar" in told
    assert "35988…45" in told
    assert not re.search("359881234545|GOLD|K7HW93XP|hunter2", told)


def test_entries_below_the_level_are_not_told_and_the_level_can_change() -> None:
    stream = configured(level="warning")
    log.info("mo.accepted")
    assert stream.getvalue() == ""
    stream = configured(level="debug")
    log.debug("mo.accepted")
    assert "debug mo.accepted" in stream.getvalue()
    stream = configured(level="error")
    log.warning("link.down")
    assert stream.getvalue() == ""


def test_bound_keys_are_told_with_each_event() -> None:
    stream = configured()
    log.bind(mo="mo_1").info("mo.accepted", link="x")
    assert stream.getvalue().endswith(" mo.accepted mo=mo_1 link=x\n")


@pytest.mark.parametrize("destination", ["plain", "json", "console"])
def test_an_exception_shows_where_but_neither_values_nor_numbers(destination: Destination) -> None:
    stream = configured(destination)

    def fail(secret: str) -> None:
        raise ValueError(f"cannot send to 359881234545 {len(secret)}")

    try:
        fail("K7HW93XP")
    except ValueError:
        log.exception("mt.failed", mt="mt_1")
    told = stream.getvalue()
    assert "Traceback (most recent call last)" in told
    assert "ValueError: cannot send to 35988…45 8" in told
    assert "test_logs.py" in told
    assert not re.search("359881234545|secret = |'K7HW93XP'", told)


def test_an_exception_object_can_be_handed_in_and_none_is_none() -> None:
    stream = configured()
    log.error("task.ended", exc_info=OSError("disk"))
    log.error("task.ended", exc_info=None)
    assert stream.getvalue().count("OSError: disk") == 1


def test_the_standard_librarys_records_take_the_same_way() -> None:
    stream = configured()
    logging.getLogger("asyncio").warning("slow callback for %s", "359881234545")
    logging.getLogger("aiohttp.server").error("broken\nline", exc_info=ValueError("x"))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "2026-03-01T12:00:00.250Z warning slow callback for 35988…45"
    assert lines[1] == '2026-03-01T12:00:00.250Z error "broken\\nline"'
    assert lines[2] == "ValueError: x"


def test_libraries_do_not_tell_their_statements_or_requests() -> None:
    stream = configured(level="debug")
    logging.getLogger("aiosqlite").debug("executing select '359881234545'")
    logging.getLogger("aiohttp.access").info("GET /verify?code=K7HW93XP")
    assert stream.getvalue() == ""


def test_a_record_of_a_level_in_between_is_told_at_the_one_below() -> None:
    stream = configured()
    logging.getLogger("x").log(35, "odd")
    logging.getLogger("x").log(99, "very odd")
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["warning", "critical"]


def test_a_broken_record_is_told_without_its_values() -> None:
    stream = configured()
    record = logging.makeLogRecord({"name": "x", "levelno": 30, "msg": "%d", "args": ("359881234545",), "lineno": 7})
    (handler,) = [handler for handler in logging.getLogger().handlers if isinstance(handler, logs._Routed)]
    handler.handle(record)
    assert stream.getvalue() == "2026-03-01T12:00:00.250Z error log.unreadable line=7\n"


def test_warnings_are_told() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        stream = configured()
        warnings.warn("old", UserWarning, stacklevel=1)
        assert "UserWarning: old" in stream.getvalue()
        logging.captureWarnings(capture=False)


def test_configuring_again_does_not_tell_twice() -> None:
    configured()
    stream = configured()
    logging.getLogger("x").warning("once")
    log.info("once")
    assert stream.getvalue().count("once") == 2


def test_a_stream_that_is_gone_stops_nobody() -> None:
    stream = configured()
    stream.close()
    log.info("mo.accepted")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        logs.configure("plain", stream=pipe)
        log.info("mo.accepted")
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


def test_events_can_be_captured_in_tests_after_configuring() -> None:
    configured()
    log.info("before")
    with structlog.testing.capture_logs() as captured:
        log.info("mo.accepted", mo="mo_1")
    assert captured == [{"event": "mo.accepted", "log_level": "info", "module": "flows.receive", "mo": "mo_1"}]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "socket"))
        sock.settimeout(5)
        yield sock


def test_the_journal_gets_fields(journal: socket.socket) -> None:
    logs.configure("journald", journal_path=Path(journal.getsockname()))
    log.info("mo.accepted", mo="mo_1", link="kyivstar", code="K7HW93XP", attempt=2, service=None)
    assert journal.recv(4096).decode().splitlines() == [
        "PRIORITY=6",
        "SYSLOG_IDENTIFIER=smsgw",
        "MESSAGE=mo.accepted mo=mo_1 link=kyivstar code=[hidden] attempt=2",
        "MO=mo_1",
        "LINK=kyivstar",
        "CODE=[hidden]",
        "ATTEMPT=2",
        "MODULE=flows.receive",
    ]


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", 7), ("info", 6), ("warning", 4), ("error", 3), ("critical", 2)]
)
def test_levels_are_syslogs_priorities(journal: socket.socket, level: str, priority: int) -> None:
    logs.configure("journald", "debug", journal_path=Path(journal.getsockname()))
    getattr(log, level)("link.down")
    assert f"PRIORITY={priority}\n".encode() in journal.recv(4096)


def test_the_journal_gets_a_traceback_below_the_message(journal: socket.socket) -> None:
    logs.configure("journald", journal_path=Path(journal.getsockname()))
    log.error("task.ended", task="sweep", exc_info=ValueError("bug"))
    entry = journal.recv(65536)
    told = b"task.ended task=sweep\nValueError: bug"
    assert b"MESSAGE\n" + len(told).to_bytes(8, "little") + told + b"\n" in entry
    assert b"TASK\n" + (5).to_bytes(8, "little") + b"sweep\n" in entry


def test_auto_is_the_console_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "w") as terminal:
        logs.configure(stream=terminal, environ={}, clock=ManualClock(NOON_MS))
        log.info("mo.accepted", link="kyivstar")
        told = screen.read(4096).decode()
    assert "\x1b[" in told
    assert "mo.accepted" in told


def test_no_color_is_respected() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "w") as terminal:
        logs.configure(stream=terminal, environ={"NO_COLOR": "1"}, clock=ManualClock(NOON_MS))
        log.info("mo.accepted", link="kyivstar")
        assert "\x1b[" not in screen.read(4096).decode()


def test_auto_is_the_journal_when_the_stream_is(tmp_path: Path, journal: socket.socket) -> None:
    with (tmp_path / "stderr").open("w+") as stream:
        about = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"}
        logs.configure(stream=stream, environ=environ, journal_path=Path(journal.getsockname()))
        log.info("mo.accepted")
        assert b"MESSAGE=mo.accepted\n" in journal.recv(4096)
        assert (tmp_path / "stderr").read_text() == ""


@pytest.mark.parametrize("environ", [{}, {"JOURNAL_STREAM": "1:2"}, {"JOURNAL_STREAM": "nonsense"}])
def test_auto_is_plain_when_stderr_goes_elsewhere(tmp_path: Path, environ: dict[str, str]) -> None:
    with (tmp_path / "stderr").open("w") as stream:
        logs.configure(stream=stream, environ=environ, clock=ManualClock(NOON_MS))
        log.info("mo.accepted")
    assert (tmp_path / "stderr").read_text() == "2026-03-01T12:00:00.250Z info mo.accepted\n"


def test_auto_is_plain_when_the_stream_is_no_file_at_all() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream, environ={"JOURNAL_STREAM": "1:2"}, clock=ManualClock(NOON_MS))
    structlog.get_logger().info("mo.accepted")
    assert stream.getvalue() == "2026-03-01T12:00:00.250Z info mo.accepted\n"


def test_stderr_is_the_stream_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure("plain")
    log.info("mo.accepted")
    assert stderr.getvalue().endswith(" info mo.accepted\n")
