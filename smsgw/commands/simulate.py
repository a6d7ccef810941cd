"""`smsgw simulate`: an operator's SMSC on this machine, played by hand or by a scenario that says what goes wrong."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from smsgw.commands import ground
from smsgw.commands.ground import fail, screen
from smsgw.errors import SettingsError, SmsgwError
from smsgw.kit import logs
from smsgw.simulator import certificates, scenario as scenarios
from smsgw.simulator.console import Conversation
from smsgw.simulator.rehearsal import Outcome, Place, Rehearsal, settings_of
from smsgw.simulator.scenario import Scenario
from smsgw.simulator.smsc import Smsc, SmscSettings

_UNMET: Final = 1
_MARKS: Final = {True: "[green]✓[/]", False: "[bold red]✗[/]", None: "[dim]·[/]"}


def simulate(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where the SMSC listens; 0: any free port.")] = 2775,
    system_id: Annotated[str, typer.Option(help="The system_id that the gateway must bind with.")] = "smsgw",
    password: Annotated[
        str, typer.Option(help="The password that it must bind with.", envvar="SMSGW_SIMULATOR_PASSWORD")
    ] = "secret",  # noqa: S107 - a simulator's, told to everybody
    scenario: Annotated[
        str | None, typer.Option(metavar="FILE", help="Play this scenario, a file or one of --list, and report.")
    ] = None,
    short_code: Annotated[str, typer.Option(help="The short code that a scenario's messages go to.")] = "1234",
    keyword: Annotated[str, typer.Option(help="The word that buys there.")] = "SUN",
    gateway: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the gateway listens, for scenarios with outbind.")
    ] = "127.0.0.1:2776",
    shipped: Annotated[bool, typer.Option("--list", help="List the scenarios that come with the program.")] = False,
) -> None:
    """Be an operator's SMSC on this machine, to try a gateway by hand or to rehearse what may go wrong.

    Type an SMS in one line, FROM TO TEXT, such as: 359888123456 1234 SUN

    It goes to the gateway that is bound, or to the next one that binds.

    What the gateway answers, and what it sends to subscribers, is printed.

    With --scenario it plays a scenario to its end instead, and ends with status 0 when all that was expected was seen.
    """
    if shipped:
        _list()
        return
    logs.configure("auto", "warning")
    wanted = SmscSettings(port=port, system_id=system_id, password=password)
    if scenario is None:
        ground.run(_by_hand(wanted))
        return
    try:
        found, outside = scenarios.find(scenario), _address(gateway)
    except SmsgwError as error:
        fail(error)
    place = Place(short_code=short_code, keyword=keyword, gateway=outside)
    ground.run(_rehearse(found, wanted, place))


def _list() -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("scenario")
    table.add_column("what is rehearsed", overflow="fold")
    for name in scenarios.shipped():
        table.add_row(name, escape(scenarios.find(name).description))
    screen.print(table)


def _address(written: str) -> tuple[str, int]:
    host, _, port = written.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsError([f'--gateway: "{written}" is not allowed; allowed are such as 127.0.0.1:2776'])
    return host, int(port)


async def _by_hand(wanted: SmscSettings) -> None:
    smsc = Smsc(wanted)
    conversation = Conversation(smsc, lambda line: screen.print(line, markup=False))
    port = await smsc.start()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    conversation.greet(port)
    try:
        loop.add_reader(sys.stdin, _read_keyboard, conversation, loop)
    except (OSError, ValueError):  # a file or nothing at all: it is all there at once
        conversation.typed(sys.stdin.buffer.read() + b"\n")
    try:
        await ended.wait()
    finally:
        loop.remove_reader(sys.stdin)
        await smsc.stop()


def _read_keyboard(conversation: Conversation, loop: asyncio.AbstractEventLoop) -> None:
    typed = os.read(sys.stdin.fileno(), 65_536)
    conversation.typed(typed or b"\n")  # the last line may lack its end
    if not typed:
        loop.remove_reader(sys.stdin)


async def _rehearse(scenario: Scenario, wanted: SmscSettings, place: Place) -> None:
    with ExitStack() as stack:
        authority, tls = None, None
        if scenario.smsc.tls:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smsgw-simulate-")))
            authority, key = certificates.make(folder, wanted.host)
            tls = certificates.context(authority, key)
        smsc = Smsc(settings_of(scenario, wanted, tls))
        try:
            port = await smsc.start() if scenario.smsc.listens else None
            _announce(scenario, wanted, port, authority)
            rehearsal = Rehearsal(scenario, smsc, place, _tell)
            met = await rehearsal.play()
        finally:
            await smsc.stop()
    _conclude(scenario, rehearsal)
    if not met:
        raise typer.Exit(_UNMET)


def _announce(scenario: Scenario, wanted: SmscSettings, port: int | None, authority: Path | None) -> None:
    screen.print(f"[bold]{escape(scenario.name)}[/]: {escape(scenario.description)}")
    if port is not None:
        screen.print(f'  SMSC on {wanted.host}:{port}; the gateway binds as "{wanted.system_id}"', markup=False)
    if authority is not None:
        screen.print(f"  its certificate, for tls_ca_file: {authority}", markup=False)
    for where, table in (("link", scenario.link), ("service", scenario.service)):
        if table:
            told = ", ".join(f"{name} = {_toml(value)}" for name, value in table.items())
            screen.print(f"  the gateway's {where} file must have: {told}", markup=False)
    screen.print()


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_toml(one)}' for name, one in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)


def _tell(outcome: Outcome) -> None:
    said = escape(outcome.said)
    text = f"[bold red]{said}[/]" if outcome.met is False else said
    note = f" [dim]{escape(outcome.note)}[/]" if outcome.note else ""
    screen.print(f"{outcome.at_s:7.1f} s  {_MARKS[outcome.met]} {text}{note}")


def _conclude(scenario: Scenario, rehearsal: Rehearsal) -> None:
    expected = [outcome for outcome in rehearsal.outcomes if outcome.met is not None]
    unmet = [outcome for outcome in expected if not outcome.met]
    left_out = len(scenario.steps) - len(rehearsal.outcomes)
    screen.print()
    if unmet:
        numbers = ", ".join(str(outcome.number) for outcome in unmet)
        more = f"; {left_out} step(s) were left out" if left_out else ""
        screen.print(
            f"[bold red]not as it should be[/]: {len(unmet)} of {len(expected)} expectations, at step {numbers}{more}"
        )
    else:
        screen.print(f"[bold green]as it should be[/]: {len(expected)} of {len(expected)} expectations")
    if scenario.records and not unmet:
        told = ", ".join(f"{name}: {count}" for name, count in scenario.records.items())
        screen.print(f"  look it up in the gateway's records: {told}", markup=False)
