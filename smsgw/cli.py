"""The commands. Every failure that we know of is one clear line and an exit status of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from smsgw import settings
from smsgw.app import App
from smsgw.domain import catalog
from smsgw.errors import SettingsError, SmsgwError
from smsgw.kit import logs
from smsgw.kit.clock import SystemClock
from smsgw.kit.systemd import Systemd
from smsgw.settings import Configuration
from smsgw.store import migrate as migrations
from smsgw.store.opening import MIGRATIONS, open_database

_DEFAULT_FILE = Path("/etc/smsgw/smsgw.toml")
_TRY_AGAIN = 75  # EX_TEMPFAIL
_FAILED = 70  # EX_SOFTWARE

commands = typer.Typer(
    name="smsgw",
    help="An SMS payment gateway at the carrier edge.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
errors = Console(stderr=True, soft_wrap=True, highlight=False)
screen = Console(soft_wrap=True, highlight=False)

ConfigFile = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="SMSGW_CONFIG", metavar="FILE", help="The main settings file.", show_default=True
    ),
]


def main() -> None:
    """Run the command line."""
    commands()


def _load(file: Path) -> Configuration:
    try:
        return settings.load(file, environment=os.environ, check=catalog.problems)
    except SettingsError as error:
        _fail(error)


def _fail(error: SmsgwError) -> NoReturn:
    """Print one line for each problem, and exit with the error's own status."""
    for line in str(error).splitlines():
        errors.print(f"smsgw: {line}", style="red" if errors.is_terminal else None, markup=False)
    raise typer.Exit(getattr(error, "exit_status", _TRY_AGAIN if error.retry else _FAILED))


def _run(work: Coroutine[Any, Any, None]) -> None:
    sys.setswitchinterval(float(os.environ.get("SI", "0.005")))
    try:
        uvloop.run(work)
    except SmsgwError as error:
        _fail(error)


@commands.command()
def run(config: ConfigFile = _DEFAULT_FILE) -> None:
    """Run the gateway until SIGTERM."""
    configuration = _load(config)
    log = configuration.main.log
    logs.configure(log.destination, log.level)
    _run(_serve(configuration))


async def _serve(configuration: Configuration) -> None:
    systemd = Systemd()
    app = App(configuration, systemd=systemd)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.request_stop)
    await app.start()
    systemd.ready(f"verify address on port {app.verify_port}")
    try:
        await app.wait()
    finally:
        await app.stop()


@commands.command()
def check(config: ConfigFile = _DEFAULT_FILE) -> None:
    """Read the settings and name every mistake in them."""
    configuration = _load(config)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("service", "short code", "keywords", "sold at"):
        table.add_column(heading, style="bold" if heading == "service" else None)
    for name, service in configuration.services.items():
        table.add_row(
            name,
            service.short_code,
            ", ".join(service.keywords),
            ", ".join(service.links) or "all links",
        )
    screen.print(
        f"{config}: {len(configuration.links)} link(s), {len(configuration.services)} service(s), no mistakes",
        markup=False,
    )
    if configuration.services:
        screen.print(table)


@commands.command()
def migrate(config: ConfigFile = _DEFAULT_FILE) -> None:
    """Bring the database to this program's schema."""
    configuration = _load(config)
    logs.configure("plain", "warning")
    _run(_migrate(configuration))


async def _migrate(configuration: Configuration) -> None:
    applied = await apply_migrations(configuration)
    for name in applied:
        screen.print(f"applied {name}", markup=False)
    if not applied:
        screen.print("nothing to do: the database is up to date")


async def apply_migrations(configuration: Configuration) -> list[str]:
    """Apply what is missing; return the names."""
    database = await open_database(configuration)
    try:
        return await migrations.migrate(database, MIGRATIONS, SystemClock().now_ms())
    finally:
        await database.close()


@commands.command()
def version() -> None:
    """Print the version."""
    screen.print(f"smsgw {installed_version('smsgw')}", markup=False)
