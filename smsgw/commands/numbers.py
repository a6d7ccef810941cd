"""smsgw numbers: whose phone a number is, and who has moved to another operator."""

from pathlib import Path
from typing import Annotated

import typer

from smsgw.commands.ground import DEFAULT_FILE, HELP, ConfigFile, say, tell
from smsgw.commands.visits import Visit, visit
from smsgw.domain.numbers import e164
from smsgw.domain.operators import Operators, carrier_of
from smsgw.errors import SmsgwError
from smsgw.flows import porting
from smsgw.store import ported
from smsgw.store.sheet import Sheet

commands = typer.Typer(
    help="Numbers: whose phone one is, and who has moved.", no_args_is_help=True, context_settings=HELP
)


@commands.command("import")
def take_in(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv",
            exists=True,
            dir_okay=False,
            readable=True,
            help="Lines of a number with its country's code and a link, below the line msisdn,link.",
        ),
    ],
    *,
    add: Annotated[
        bool, typer.Option("--add", help="Keep the numbers that are not in the file; without it they are forgotten.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad lines out; without it one of them stops everything.")
    ] = False,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Take in the numbers that have left the operator of their prefix, from a CSV file."""

    async def work(one: Visit) -> None:
        with Sheet() as sheet:
            bad = _read(file, one, sheet)
            if bad and not skip_bad:
                raise SmsgwError(f"{file}: {bad:,} bad line(s); nothing was changed; --skip-bad leaves them out")
            count = len(sheet)
            if not count and not add:
                raise SmsgwError(f"{file}: has no numbers, and would remove all; nothing was changed")
            done = await porting.apply(one.ports, sheet, replace=not add, actor=one.actor)
        left_out = f"; {bad:,} bad line(s) left out" if bad else ""
        say(f"{count:,} number(s): {done.added:,} added, {done.moved:,} moved, {done.removed:,} removed{left_out}")

    visit(config, work)


def _read(file: Path, one: Visit, sheet: Sheet) -> int:
    """Read the file, tell every bad line, return how many there are."""
    bad = 0
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline=None) as lines:
            for problem in porting.read(lines, one.configuration.links.keys(), sheet):
                tell(f"{file}: {problem}")
                bad += 1
    except OSError as error:
        raise SmsgwError(f"{file}: cannot be read: {error.strerror}") from error
    return bad


@commands.command()
def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="With its country's code, or as in the country.")],
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Show whose phone a number is, and why: it has moved there, by its prefix, or by the numbering plan."""

    async def work(one: Visit) -> None:
        links = one.configuration.links
        countries = sorted({link.country for link in links.values() if link.country}) or [""]
        msisdn = next((found for country in countries if (found := e164(number, None, country))), None)
        msisdn = msisdn or e164(number, 0, countries[0])  # the numbering plan may not know it yet
        if msisdn is None:
            raise SmsgwError(f"{number} is no phone's number; allowed are such as +359888123456")
        async with one.ports.database.read() as reader:
            moved = (await ported.lookup(reader, [msisdn])).get(msisdn)
        say(f"{msisdn}: {_whose(msisdn, moved, Operators(links))}")
        if moved is not None and moved not in links:
            tell(f"warning: it is told to have moved to {moved}, and there is no such link", style="yellow")

    visit(config, work)


def _whose(msisdn: str, moved: str | None, operators: Operators) -> str:
    """Return in words whose a number is."""
    owner = operators.why(msisdn)
    by = "nobody's"
    if owner is not None:
        by = f"{owner.link} (prefix {owner.what})" if owner.by == "prefix" else f"{owner.link} (carrier {owner.what})"
    elif name := carrier_of(msisdn):
        by += f" (no link has the carrier {name})"
    return by if moved is None else f"{moved} (moved there; before: {by})"
