"""smsgw payments records: an operator's own records, compared with ours."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from smsgw.commands.ground import DEFAULT_FILE, ConfigFile, say, screen, table, tell
from smsgw.commands.till import resolver_of
from smsgw.commands.visits import Visit, visit
from smsgw.domain import sandbox
from smsgw.domain.records import COLUMNS, Judged, Verdict
from smsgw.errors import SmsgwError
from smsgw.flows.payments import records as flow

_MARKS: Final = {Verdict.AGREES: "", Verdict.RESOLVED: "green", Verdict.DISCREPANCY: "red", Verdict.UNKNOWN: "yellow"}


def records(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv",
            exists=True,
            dir_okay=False,
            readable=True,
            help=f"Its first line names the columns: {', '.join(COLUMNS)}. status is charged or failed; reference may "
            "be empty; our_id may be one more.",
        ),
    ],
    *,
    link: Annotated[
        str, typer.Option("--link", "-l", help="Whose records these are; needed where there are several.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell; change nothing.")] = False,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Compare an operator's records with ours, line by line; what nobody knew is resolved by them."""

    async def work(one: Visit) -> None:
        name, bad = _operator(one, link), Counter[str]()

        def complain(number: int, what: str) -> None:
            bad["lines"] += 1
            tell(f"{file}: line {number}: {what}")

        try:
            with file.open(encoding="utf-8-sig", newline="") as text:
                lines = flow.lines_of(text, complain)
        except OSError as error:
            raise SmsgwError(f"{file}: cannot be read: {error.strerror}") from error
        found = await flow.look(one.ports, name, lines)
        resolver = resolver_of(one)
        for judged in found:
            if not dry_run:
                await flow.take(resolver, judged, one.actor)
        if not dry_run:
            await flow.keep(resolver, found, one.actor)
        _report(found, dry_run=dry_run)
        if bad["lines"]:
            raise SmsgwError(f"{file}: {bad['lines']:,} bad line(s) were left out")

    visit(config, work)


def _report(found: list[Judged], *, dry_run: bool) -> None:
    shown = table("line", "finding", "why", "payment", "attempt")
    for one in found:
        shown.add_row(
            str(one.line.number),
            Text(one.verdict.value, style=_MARKS[one.verdict]),
            one.why or "-",
            one.attempt.payment if one.attempt else "-",
            one.attempt.charge if one.attempt else "-",
        )
    if found:
        screen.print(shown)
    counts = Counter(one.verdict for one in found)
    told = ", ".join(f"{counts[verdict]:,} {_COUNTED[verdict]}" for verdict in Verdict)
    say(f"{len(found):,} line(s): {told}{'; nothing was changed' if dry_run else ''}")


_COUNTED: Final = {
    Verdict.AGREES: "agree",
    Verdict.RESOLVED: "resolved",
    Verdict.DISCREPANCY: "discrepancies",
    Verdict.UNKNOWN: "unknown here",
}


def _operator(one: Visit, link: str) -> str:
    """Return whose records these are."""
    links = {name for name in one.catalog.links if name != sandbox.NAME}
    if link:
        if link not in one.catalog.links:
            raise SmsgwError(f"there is no link {link}; there are {', '.join(sorted(links)) or 'none'}")
        return link
    if len(links) != 1:
        raise SmsgwError(f"whose records are these? Give --link: one of {', '.join(sorted(links)) or 'none'}")
    return links.pop()
