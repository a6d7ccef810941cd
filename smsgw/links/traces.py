"""Which links are looked at, and until when: switches that a command turns beside the daemon, as files in a folder.

    traces/north.json               until when; whether its octets are captured, and where
    traces/north-20261122T1300.pcap what was captured

The daemon looks into the folder every second. A switch ends by itself; a link that is gone has none.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from smsgw.kit.clock import Clock, rfc3339
from smsgw.kit.logs import get_logger
from smsgw.kit.pcap import CaptureFile
from smsgw.links.trace import Tracing

log = get_logger(__name__)

FOLDER: Final = "traces"
MOST_CAPTURED_BYTES: Final = 256 * 1024 * 1024  # in one file; then it is full, and the lines go on
_PERIOD_S: Final = 1.0
_MOST_SWITCH_BYTES: Final = 4096


class Switch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a command asks for."""

    until_ms: int
    capture: str = ""  # a file's name in the same folder; empty: lines only


class Traced(Protocol):
    """A link, as far as it can be looked at."""

    def trace(self, tracing: Tracing | None) -> None:
        """Look on from now on; None: no more."""


def switch_on(state_dir: Path, link: str, now_ms: int, for_ms: int, *, capture: bool) -> Path | None:
    """Have the daemon look at a link for some time; return the capture file that it will write, if it is to.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = state_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%S")
    name = f"{link}-{stamp}.pcap" if capture else ""
    switch = folder / f"{link}.json"
    new = switch.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(Switch(until_ms=now_ms + for_ms, capture=name)))
    new.replace(switch)
    return folder / name if capture else None


def switch_off(state_dir: Path, link: str) -> bool:
    """Have the daemon look at a link no more; return whether it was to."""
    try:
        (state_dir / FOLDER / f"{link}.json").unlink()
    except FileNotFoundError:
        return False
    return True


def switches(state_dir: Path) -> dict[str, Switch]:
    """Return the switches that are on, by link; what cannot be read is none."""
    found = {}
    for file in sorted((state_dir / FOLDER).glob("*.json")):
        try:
            with file.open("rb") as octets:
                found[file.stem] = msgspec.json.decode(octets.read(_MOST_SWITCH_BYTES), type=Switch)
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("trace.switch_unreadable", file=str(file), error=str(error))
    return found


class Traces:
    """Turns the links' traces on and off as the switches say.

    Args:
        state_dir: holds the folder.
        links: by name.
        clock: the wall's time.
    """

    def __init__(self, state_dir: Path, links: Mapping[str, Traced], clock: Clock) -> None:
        self._state_dir = state_dir
        self._links = links
        self._clock = clock
        self._on: dict[str, tuple[Switch, CaptureFile | None]] = {}

    async def run(self) -> None:
        """Look every second, until cancelled."""
        try:
            while True:
                try:
                    self.look()
                except OSError as error:  # a folder that is not ours, a disk that is gone: nobody's message may suffer
                    log.error("trace.failed", file=error.filename, error=error.strerror)
                await asyncio.sleep(_PERIOD_S)
        finally:
            self.close()

    def close(self) -> None:
        """Look at nothing any more; the switches stay as they are."""
        for link in tuple(self._on):
            self._end(link)

    def look(self) -> None:
        """Do what the switches say now."""
        folder = self._state_dir / FOLDER
        if not self._on and not folder.is_dir():
            return
        now_ms = self._clock.now_ms()
        wanted = {}
        for link, switch in switches(self._state_dir).items():
            if switch.until_ms <= now_ms or link not in self._links:
                switch_off(self._state_dir, link)
            else:
                wanted[link] = switch
        for link in tuple(self._on):
            if wanted.get(link) != self._on[link][0]:
                self._end(link)
        for link, switch in wanted.items():
            if link not in self._on:
                self._begin(link, switch, folder)

    def _begin(self, link: str, switch: Switch, folder: Path) -> None:
        file = None
        if switch.capture:
            path = _free(folder, switch.capture)
            try:
                file = CaptureFile(
                    path,
                    MOST_CAPTURED_BYTES,
                    self._now_us,
                    lambda: log.warning("link.capture_full", link=link, file=str(path)),
                )
            except OSError as error:
                log.error("link.not_captured", link=link, file=str(path), error=error.strerror)
        self._on[link] = switch, file
        self._links[link].trace(Tracing(file))
        log.info("link.traced", link=link, until=rfc3339(switch.until_ms), file=switch.capture or None)

    def _end(self, link: str) -> None:
        _, file = self._on.pop(link)
        self._links[link].trace(None)
        if file is not None:
            file.close()
        log.info("link.traced_no_more", link=link)

    def _now_us(self) -> int:
        return self._clock.now_ms() * 1000


def _free(folder: Path, name: str) -> Path:
    """Return the name, or the next like it: a daemon that was started again meanwhile goes on in another file."""
    wanted = folder / Path(name).name
    return next(
        path
        for path in chain([wanted], (wanted.with_stem(f"{wanted.stem}-{n}") for n in count(2)))
        if not path.exists()
    )
