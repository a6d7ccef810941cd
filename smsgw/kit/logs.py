"""One log for everything: structlog's events and the standard library's records, masked, to a terminal or the journal.

``log.info("mo.accepted", mo=…, link=…)``: a fixed name, then keys. As all logging, this is global to the process.
"""

import asyncio
import atexit
import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal, TextIO, TypeAlias, cast

import msgspec
import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import format_exc_info
from structlog.typing import FilteringBoundLogger, Processor

from smsgw.kit import journald
from smsgw.kit.clock import Clock, SystemClock, rfc3339
from smsgw.kit.masking import mask, mask_prose

Destination: TypeAlias = Literal["auto", "console", "journald", "plain", "json"]
Level: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]
Event: TypeAlias = MutableMapping[str, Any]

_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # as syslog's
_LEVELS: Final[dict[str, int]] = {name: logging.getLevelNamesMapping()[name.upper()] for name in _PRIORITIES}
_APART: Final = frozenset({"event", "exception", "module"})  # not told as key=value
_MOST_LINES: Final = 1000  # that wait for the end of the loop's turn
_BARE: Final = re.compile(r"[!#-<>-\[\]-~…]+").fullmatch  # needs no quotes: printable ASCII without space, ", =, \


class _Sink:
    """What structlog calls a logger: takes the rendered entry to where entries go."""

    def __init__(self) -> None:
        self._write: Callable[[Any], None] = print
        self._close: Callable[[], None] | None = None

    def open(self, write: Callable[[Any], None], close: Callable[[], None] | None = None) -> None:
        if self._close is not None:
            self._close()
        self._write, self._close = write, close

    def take(self, entry: Any) -> None:
        """Write what the last of the processors made."""
        self._write(entry)


class _Logger(structlog.BoundLoggerBase):
    """A bound logger whose methods are structlog's filtering ones; ``configure`` puts in those of the level.

    Every message has two lines in the log, so the way from a method to its line is short: no proxy, no copies.
    """

    def _proxy_to_logger(self, method_name: str, event: str | None = None, *_: Any, **event_kw: Any) -> Any:
        entry: Any = {**self._context, **event_kw, "event": event}
        try:
            for process in self._processors:
                entry = process(self._logger, method_name, entry)
        except structlog.DropEvent:
            return
        self._logger.take(entry)


# Loggers keep these two objects; configure changes what is inside.
_SINK: Final = _Sink()
_CHAIN: Final[list[Processor]] = []


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the log of the module of that name; may be called before ``configure``."""
    return cast("FilteringBoundLogger", _Logger(_SINK, _CHAIN, {"module": name.removeprefix("smsgw.")}))


def configure(
    destination: Destination = "auto",
    level: Level = "info",
    *,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
    journal_path: Path = journald.SOCKET_PATH,
) -> None:
    """Set where log entries go, and from which level on; may be called again at any time.

    Args:
        destination: "console" for people (colours on a terminal); "journald" for its native protocol; "plain" for lines
            of key=value; "json" for lines of JSON; "auto" chooses console on a terminal, journald when the stream is
            the journal ($JOURNAL_STREAM, systemd.exec(5)), and plain otherwise.
        level: entries below it cost next to nothing.
        stream: stands for stderr.
        environ: the process's environment.
        clock: stamps console, plain and JSON lines; the journal has its own.
        journal_path: of journald's socket.
    """
    out = sys.stderr if stream is None else stream
    clock = clock or SystemClock()
    chosen = _choose(out, environ) if destination == "auto" else destination
    colours = out.isatty() and not environ.get("NO_COLOR")
    if chosen == "journald":
        journal = journald.Journal(journal_path)
        _SINK.open(journal.write, journal.close)
    else:
        writer = _Writer(out)
        _SINK.open(writer.write, writer.flush)
    render = _RENDERERS[chosen](clock, colours)
    _CHAIN[:] = [mask, _exceptions, render]
    _set_level(level)
    _tell_structlog()
    _route_standard_library(_LEVELS[level])


def _set_level(level: Level) -> None:
    for name, method in vars(structlog.make_filtering_bound_logger(level)).items():
        if callable(method) and not name.startswith("_"):
            setattr(_Logger, name, method)


_set_level("info")


def _tell_structlog() -> None:
    """Make its own tools (capture_logs), and libraries that log with it, use the same objects."""
    structlog.configure(
        processors=_CHAIN,
        wrapper_class=cast("type[FilteringBoundLogger]", _Logger),
        context_class=dict,
        logger_factory=lambda *_: _SINK,
        cache_logger_on_first_use=True,
    )


_tell_structlog()


def _choose(stream: TextIO, environ: Mapping[str, str]) -> Destination:
    if stream.isatty():
        return "console"
    try:
        about = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return "plain"
    return "journald" if environ.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}" else "plain"


class _Writer:
    """Writes lines to a stream: in a loop, at the end of its turn with one call for all of them; elsewhere at once.

    A transaction of a hundred messages has hundreds of lines, and a system call for each would cost more than the line.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._lock = Lock()
        atexit.register(self.flush)

    def write(self, lines: str) -> None:
        with self._lock:
            self._lines.append(lines)
            first = len(self._lines) == 1
        if first or len(self._lines) >= _MOST_LINES:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.flush()
            else:
                if first:
                    loop.call_soon(self.flush)
                else:
                    self.flush()

    def flush(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        with contextlib.suppress(OSError, ValueError):  # a log that cannot be written must not stop what it tells of
            self._stream.write("".join(lines))
            self._stream.flush()


def _exceptions(logger: Any, method: str, event: Event) -> Event:
    """Turn exc_info into a traceback, without the values of local variables and without numbers."""
    if "exc_info" in event:
        event = format_exc_info(logger, method, event)
        if "exception" in event:
            event["exception"] = mask_prose(event["exception"])
    return event


def _journald(_clock: Clock, _colours: bool) -> Processor:  # noqa: FBT001 - all renderers are made alike
    def render(_logger: Any, method: str, event: Event) -> bytes:
        message, fields = _tell(event)
        exception = event.get("exception")
        return journald.encode(f"{message}\n{exception}" if exception else message, _PRIORITIES[method], fields)

    return render


def _plain(clock: Clock, _colours: bool) -> Processor:  # noqa: FBT001 - as above
    def render(_logger: Any, method: str, event: Event) -> str:
        message = _line(event)
        exception = event.get("exception")
        return f"{rfc3339(clock.now_ms())} {method} {message}\n" + (f"{exception}\n" if exception else "")

    return render


def _json(clock: Clock, _colours: bool) -> Processor:  # noqa: FBT001 - as above
    def render(_logger: Any, method: str, event: Event) -> str:
        line = {"time": rfc3339(clock.now_ms()), "level": method, "event": event.pop("event"), **event}
        if _PLAIN.issuperset(map(type, line.values())):
            with contextlib.suppress(UnicodeError):  # half of a surrogate pair
                return _encode(line).decode() + "\n"
        return json.dumps(line, default=_text) + "\n"

    return render


def _console(clock: Clock, colours: bool) -> Processor:  # noqa: FBT001 - as above
    show = ConsoleRenderer(colors=colours, sort_keys=False, exception_formatter=plain_traceback, pad_event_to=28)

    def render(logger: Any, method: str, event: Event) -> str:
        now = datetime.fromtimestamp(clock.now_ms() / 1000).astimezone()
        told = {
            key: value if key == "exception" else _harmless(_text(value))
            for key, value in event.items()
            if key != "module" and value is not None
        }
        line = {"timestamp": f"{now:%H:%M:%S.%f}"[:-3], "level": method, **told}
        return f"{show(logger, method, line)}\n"

    return render


_RENDERERS: Final[dict[str, Callable[[Clock, bool], Processor]]] = {
    "journald": _journald,
    "console": _console,
    "plain": _plain,
    "json": _json,
}


def _tell(event: Event) -> tuple[str, list[tuple[str, str]]]:
    """Return the event as ``name key=value …`` on one line, and its keys with their values as they are."""
    fields = [
        (key, value if value.__class__ is str else _text(value))
        for key, value in event.items()
        if value is not None and key not in _APART
    ]
    if "module" in event:
        fields.append(("module", event["module"]))
    return _line(event), fields


def _line(event: Event) -> str:
    name = event["event"]
    line: str = name if name.isprintable() else _quoted(name)
    for key, value in event.items():
        if value is not None and key not in _APART:
            text = value if value.__class__ is str else _text(value)
            # Ids and words are identifiers, as numbers are digits: seen faster than by the pattern.
            bare = (text.isascii() and (text.isidentifier() or text.isdigit())) or _BARE(text)
            line += f" {key}={text if bare else _quoted(text)}"
    return line


def _text(value: object) -> str:
    """Bytes are payloads more often than not: only their length is told."""
    return f"[{len(value)} bytes]" if isinstance(value, bytes | bytearray) else str(value)


# What a fast encoder writes as the slow one does: others it would write out, payloads too.
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_encode: Final = msgspec.json.encode


def _harmless(text: str) -> str:
    """Return what a terminal shows without doing anything else."""
    return text if text.isprintable() else _quoted(text)[1:-1]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())


class _Routed(logging.Handler):
    """Hands the standard library's records (aiohttp's, asyncio's, warnings) to the same chain."""

    def emit(self, record: logging.LogRecord) -> None:
        log = get_logger(record.name)
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - the values, which the standard library would print, do not fit their message
            log.error("log.unreadable", line=record.lineno)
            return
        log.log(level, mask_prose(message), exc_info=record.exc_info)


def _route_standard_library(level: int) -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Routed)]:
        root.removeHandler(handler)
    root.addHandler(_Routed())
    # Never below INFO: database libraries tell statements with their values at DEBUG.
    root.setLevel(max(level, logging.INFO))
    logging.captureWarnings(capture=True)
    # Its lines hold whole request addresses, and those hold codes.
    logging.getLogger("aiohttp.access").disabled = True
