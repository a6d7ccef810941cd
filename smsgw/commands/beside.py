"""What a command needs to work beside the daemon: the settings, the store, the keys; and errors as single lines."""

import asyncio
import getpass
import os
import random
import secrets
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from smsgw import settings
from smsgw.domain import catalog
from smsgw.errors import SmsgwError
from smsgw.flows.ports import Ports
from smsgw.kit import logs, vault
from smsgw.kit.clock import SystemClock
from smsgw.kit.ids import IdMaker
from smsgw.settings import Configuration
from smsgw.store import migrate
from smsgw.store.opening import MIGRATIONS, open_database

_TRY_AGAIN = 75  # EX_TEMPFAIL
_FAILED = 70  # EX_SOFTWARE

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", envvar="SMSGW_CONFIG", metavar="FILE", help="The main settings file.")
]
DEFAULT_FILE = Path("/etc/smsgw/smsgw.toml")

Work = Callable[[Ports, Configuration], Coroutine[Any, Any, None]]


def perform(config: Path, work: Work) -> None:
    """Run a command's work; a failure that we know of is a line for each problem, and the error's own exit status."""
    logs.configure("plain", "warning")
    try:
        configuration = settings.load(config, environment=os.environ, check=catalog.problems)
        uvloop.run(_perform(configuration, work))
    except SmsgwError as error:
        for line in str(error).splitlines():
            typer.echo(f"smsgw: {line}", err=True)
        raise typer.Exit(getattr(error, "exit_status", _TRY_AGAIN if error.retry else _FAILED)) from None


async def _perform(configuration: Configuration, work: Work) -> None:
    main, clock = configuration.main, SystemClock()
    keys = await asyncio.to_thread(vault.read_keys, configuration.state_dir / main.key_file)
    database = await open_database(configuration)
    try:
        await migrate.check(database, MIGRATIONS)
        ports = Ports(
            node=main.node,
            database=database,
            clock=clock,
            ids=IdMaker(clock, secrets.token_bytes),
            random_bytes=secrets.token_bytes,
            random=random.random,
            vault=vault.Vault(keys, secrets.token_bytes),
        )
        await work(ports, configuration)
    finally:
        await database.close()


def actor() -> str:
    """Return who is written into the audit log."""
    return f"command:{getpass.getuser()}"
