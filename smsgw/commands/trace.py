"""`smsgw trace`: has a running daemon tell every PDU of a link for a while, and capture its octets."""

import re
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from smsgw.commands.ground import DEFAULT_FILE, ConfigFile, fail, load
from smsgw.errors import SmsgwError
from smsgw.kit.clock import SystemClock, rfc3339
from smsgw.links import traces
from smsgw.settings import Configuration

screen = Console(soft_wrap=True, highlight=False)

_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_LONGEST_MS: Final = 24 * 3_600_000


class TraceError(SmsgwError):
    """The trace cannot be switched; the message says why."""

    exit_status = 1


def _duration(text: str) -> int:
    """Return milliseconds for 90s, 10m, 2h."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smh])", text)
    length_ms = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < length_ms <= _LONGEST_MS:
        raise typer.BadParameter("a number and s, m or h, such as 90s, 10m or 2h; at most 24h")
    return length_ms


def trace(
    link: Annotated[str, typer.Argument(help="The link's name; none: shows which links are traced.")] = "",
    *,
    how_long: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long: 90s, 10m, 2h; at most 24h.")
    ] = "10m",
    capture: Annotated[bool, typer.Option("--capture", help="Write the octets to a file for Wireshark, too.")] = False,
    off: Annotated[bool, typer.Option("--off", help="End it now.")] = False,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Tell every PDU of a link in the daemon's log, for a while.

    Numbers are masked there, and texts are told by their length. A capture holds both in clear, but no password: it is
    readable by the daemon's user alone; delete it when you have read it.
    """
    for_ms = _duration(how_long)
    configuration = load(config)
    try:
        if not link:
            _show(configuration.state_dir)
        elif link not in configuration.links:
            known = ", ".join(configuration.links) or "none"
            raise TraceError(f"{link}: no such link; there are: {known}")
        elif off:
            ended = traces.switch_off(configuration.state_dir, link)
            screen.print(f"{link}: {'traced no more' if ended else 'was not traced'}", markup=False)
        else:
            _begin(configuration, link, for_ms, capture=capture)
    except OSError as error:
        fail(TraceError(f"{error.filename}: {error.strerror}"), 1)
    except SmsgwError as error:
        fail(error, 1)


def _show(state_dir: Path) -> None:
    now_ms = SystemClock().now_ms()
    on = {name: one for name, one in traces.switches(state_dir).items() if one.until_ms > now_ms}
    if not on:
        screen.print("no link is traced")
    for name, one in on.items():
        capture = f", captured in {state_dir / traces.FOLDER / one.capture}" if one.capture else ""
        screen.print(f"{name}: traced until {rfc3339(one.until_ms)}{capture}", markup=False)


def _begin(configuration: Configuration, link: str, for_ms: int, *, capture: bool) -> None:
    now_ms = SystemClock().now_ms()
    file = traces.switch_on(configuration.state_dir, link, now_ms, for_ms, capture=capture)
    screen.print(
        f"{link}: traced until {rfc3339(now_ms + for_ms)}; look: journalctl -fu smsgw LINK={link}", markup=False
    )
    if file:
        screen.print(f"captured in {file}", markup=False)
