"""What all commands stand on: the settings, the screen, the way an error ends one, and the world of a short visit."""

import asyncio
import os
import pwd
import random
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
import uvloop
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from smsgw import settings
from smsgw.commands.rows import Rows
from smsgw.domain import catalog as checks, sandbox
from smsgw.errors import SettingsError, SmsgwError
from smsgw.flows import catalog
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit import logs
from smsgw.kit.clock import SystemClock
from smsgw.kit.ids import IdMaker
from smsgw.kit.vault import Vault, read_keys
from smsgw.settings import Configuration
from smsgw.store import migrate
from smsgw.store.opening import MIGRATIONS, open_database

DEFAULT_FILE: Final = Path("/etc/smsgw/smsgw.toml")
HELP: Final[dict[str, list[str]]] = {"help_option_names": ["-h", "--help"]}
_TRY_AGAIN = 75  # EX_TEMPFAIL
_FAILED = 70  # EX_SOFTWARE
_NO_PORT = 1  # of the simulated operator: commands send nothing
_NOT_POSSIBLE = 1  # what was asked for: there is no such thing, or it does not allow it

errors = Console(stderr=True, soft_wrap=True, highlight=False)
# What a program reads is never cut; on a terminal wide rows become paragraphs (rows.py).
screen = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 240)

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", envvar="SMSGW_CONFIG", metavar="FILE", help="The main settings file.")
]


class Visit(Struct, frozen=True, kw_only=True):
    """The world of one command."""

    configuration: Configuration
    ports: Ports
    catalog: Catalog
    key_file: Path
    actor: str  # for the audit log


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


def visit(file: Path, work: Callable[[Visit], Coroutine[Any, Any, None]]) -> None:
    """Do something with the database of these settings."""
    configuration = load(file)
    logs.configure("plain", "warning")

    async def do() -> None:
        async with visiting(configuration) as one:
            await work(one)

    run(do(), otherwise=_NOT_POSSIBLE)


def perform(file: Path, work: Callable[[Ports, Configuration], Coroutine[Any, Any, None]]) -> None:
    """Do something that takes the store and the settings only."""
    visit(file, lambda one: work(one.ports, one.configuration))


def actor() -> str:
    """Return who is written into the audit log."""
    return f"cli:{_user()}"


@asynccontextmanager
async def visiting(configuration: Configuration) -> AsyncIterator[Visit]:
    """Open the database and the keys for a while.

    Raises:
        SettingsError, StartError, StoreError: they cannot be used.
    """
    key_file = configuration.state_dir / configuration.main.key_file
    vault = Vault(read_keys(key_file), secrets.token_bytes)
    database = await open_database(configuration)
    try:
        await migrate.check(database, MIGRATIONS)
        clock = SystemClock()
        yield Visit(
            configuration=configuration,
            ports=Ports(
                node=configuration.main.node,
                database=database,
                clock=clock,
                ids=IdMaker(clock, secrets.token_bytes),
                random_bytes=secrets.token_bytes,
                random=random.random,
                vault=vault,
            ),
            catalog=catalog.build(sandbox.with_link(configuration, _NO_PORT)),
            key_file=key_file,
            actor=actor(),
        )
    finally:
        await asyncio.shield(database.close())


def _user() -> str:
    """Return who runs the command; behind sudo, who they were before."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    before = os.environ.get("SUDO_USER", "")
    return f"{before} as {name}" if before else name


def table(*headings: str) -> Table:
    """Return an empty table in our style."""
    return Rows(*headings)


def say(text: str) -> None:
    """Print a line as it is."""
    screen.print(text, markup=False)
