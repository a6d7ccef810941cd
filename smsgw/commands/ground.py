"""What all commands stand on: the settings, the screen, the way an error ends one."""

import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from smsgw import settings
from smsgw.commands.rows import Rows
from smsgw.domain import catalog as checks
from smsgw.errors import SettingsError, SmsgwError
from smsgw.settings import Configuration

DEFAULT_FILE: Final = Path("/etc/smsgw/smsgw.toml")
HELP: Final[dict[str, list[str]]] = {"help_option_names": ["-h", "--help"]}
_TRY_AGAIN = 75  # EX_TEMPFAIL
_FAILED = 70  # EX_SOFTWARE

errors = Console(stderr=True, soft_wrap=True, highlight=False)
# What a program reads is never cut; on a terminal wide rows become paragraphs (rows.py).
screen = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 240)

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", envvar="SMSGW_CONFIG", metavar="FILE", help="The main settings file.")
]


def load(file: Path, more: Callable[[Configuration], list[str]] = lambda _: []) -> Configuration:
    """Read the settings, or end; ``more`` finds what is wrong beyond them."""
    try:
        return settings.load(file, environment=os.environ, check=lambda found: checks.problems(found) + more(found))
    except SettingsError as error:
        fail(error)


def fail(error: SmsgwError, otherwise: int = _FAILED) -> NoReturn:
    """Print one line for each problem, and exit with the error's own status; ``otherwise`` for one that has none."""
    for line in str(error).splitlines():
        tell(line)
    raise typer.Exit(getattr(error, "exit_status", _TRY_AGAIN if error.retry else otherwise))


def tell(line: str, style: str = "red") -> None:
    """Print a line for whoever watches, beside what the command prints for programs."""
    errors.print(f"smsgw: {line}", style=style if errors.is_terminal else None, markup=False)


def run(work: Coroutine[Any, Any, None], otherwise: int = _FAILED) -> None:
    """Run to the end; an error that we know of is one line."""
    try:
        uvloop.run(work)
    except SmsgwError as error:
        fail(error, otherwise)


def table(*headings: str) -> Table:
    """Return an empty table in our style."""
    return Rows(*headings)


def say(text: str) -> None:
    """Print a line as it is."""
    screen.print(text, markup=False)
