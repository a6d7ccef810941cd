"""The commands. Every failure that we know of is one clear line and an exit status of its own.

Each command has a module of its own name in `commands`, which is imported when the command is wanted: whoever looks at
one code does not wait for the daemon, the simulator and the demo to be read.
"""

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from smsgw.commands.ground import HELP

# What runs a gateway first, then what looks into it.
_COMMANDS: Final = (
    "run",
    "check",
    "migrate",
    "demo",
    "simulate",
    "bench",
    "codes",
    "keys",
    "messages",
    "numbers",
    "payments",
    "webhooks",
    "trace",
    "version",
)


class _WhenWanted(TyperGroup):
    """Knows the names of all commands, and reads those that are wanted."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: dict[str, Any] = dict.fromkeys(_COMMANDS)  # a misspelt one is told which is meant

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer has a click of its own
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as above
        if cmd_name not in self.commands:
            return None
        if self.commands[cmd_name] is None:
            self.commands[cmd_name] = _read(cmd_name)
        return self.commands[cmd_name]


def _read(name: str) -> Any:
    """Return a command: a module's function of that name, or its `commands`."""
    module, alone = import_module(f"smsgw.commands.{name}"), typer.Typer()
    if hasattr(module, "commands"):
        alone.add_typer(module.commands, name=name)
    else:
        alone.command(name)(getattr(module, name))
    return typer.main.get_group(alone).commands[name]


commands = typer.Typer(
    name="smsgw",
    cls=_WhenWanted,
    help="An SMS payment gateway at the carrier edge.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=HELP,
)


@commands.callback()
def _all() -> None:
    pass


def main() -> None:
    """Run the command line."""
    commands()
