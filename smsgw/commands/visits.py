"""A command's visit to the database: what it finds there, and who it is in the audit log."""

import asyncio
import os
import pwd
import random
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from smsgw.commands.ground import load, run
from smsgw.domain import sandbox
from smsgw.flows import catalog
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit import logs
from smsgw.kit.clock import SystemClock
from smsgw.kit.ids import IdMaker
from smsgw.kit.vault import Vault, read_keys
from smsgw.settings import Configuration
from smsgw.store import migrate
from smsgw.store.opening import MIGRATIONS, open_database

_NO_PORT = 1  # of the simulated operator: commands send nothing
_NOT_POSSIBLE = 1  # what was asked for: there is no such thing, or it does not allow it


class Visit(Struct, frozen=True, kw_only=True):
    """The world of one command."""

    configuration: Configuration
    ports: Ports
    catalog: Catalog
    key_file: Path
    actor: str  # for the audit log


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
