"""smsgw codes: find, show, revoke, extend, reissue and reveal single codes; changes are in the audit log."""

from typing import Annotated

import typer
from rich.text import Text

from smsgw.commands.ground import DEFAULT_FILE, HELP, ConfigFile, say, screen, table
from smsgw.commands.visits import Visit, visit
from smsgw.domain import codes as domain
from smsgw.errors import SmsgwError
from smsgw.flows import amend, trace
from smsgw.flows.amend import Extension
from smsgw.flows.trace import LAST, Trace
from smsgw.kit.clock import rfc3339
from smsgw.store.codes import Stored

_PAGE = 50

commands = typer.Typer(help="Find codes, trace them, change single ones.", no_args_is_help=True, context_settings=HELP)

CodeId = Annotated[str, typer.Argument(metavar="ID", help="The code's id, code_…")]


@commands.command()
def find(
    service: Annotated[str, typer.Argument(help="The service's name.")],
    number: Annotated[str, typer.Option("--number", "-n", help="The phone's number, with its country code.")] = "",
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Find a phone's codes, the latest first; without a number, asks for a code as somebody typed it."""
    typed = "" if number else typer.prompt("Code", hide_input=True, prompt_suffix=": ", err=True)

    async def work(one: Visit) -> None:
        if number:
            rows = await trace.of_phone(one.ports, service, number.removeprefix("+"), LAST, _PAGE)
        else:
            rows = await trace.of_typed(one.ports, [service], typed)
        shown = table("id", "issued", "state", "used", "uses left", "phone")
        for row in rows:
            shown.add_row(
                row.id,
                rfc3339(row.code.issued_ms),
                _state(row, one.ports.clock.now_ms()),
                str(row.code.used),
                _or_dash(domain.uses_left(row.code)),
                row.msisdn,
            )
        screen.print(shown if rows else "no such code")

    visit(config, work)


@commands.command()
def show(code: CodeId, config: ConfigFile = DEFAULT_FILE) -> None:
    """Show the trace of a code: the SMS that bought it, the replies' fate, who tried it, what was changed."""

    async def work(one: Visit) -> None:
        found = await trace.show(one.ports, code, LAST, _PAGE)
        if found is None:
            raise _unknown(code)
        _show(found, one.ports.clock.now_ms())

    visit(config, work)


@commands.command()
def revoke(code: CodeId, config: ConfigFile = DEFAULT_FILE) -> None:
    """Make a code good for nothing."""

    async def work(one: Visit) -> None:
        await _existing(one, code)
        done = await amend.revoke(one.ports, code, one.actor)
        say(f"{code} is revoked" if done else f"{code} was revoked before")

    visit(config, work)


@commands.command()
def extend(
    code: CodeId,
    seconds: Annotated[int, typer.Option(min=0, help="So much longer.")] = 0,
    uses: Annotated[int, typer.Option(min=0, help="So much more often.")] = 0,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Let a code live longer, or be used more often."""
    if not seconds and not uses:
        raise typer.BadParameter("give --seconds, --uses or both")

    async def work(one: Visit) -> None:
        await _existing(one, code)
        await amend.extend(one.ports, code, Extension(ms=seconds * 1000, uses=uses), one.actor)
        stored = await _existing(one, code)
        until = domain.expires_ms(stored.code)
        left = _or_dash(domain.uses_left(stored.code))
        say(f"{code}: valid until {rfc3339(until) if until else '-'}, uses left {left}")

    visit(config, work)


@commands.command()
def reissue(code: CodeId, config: ConfigFile = DEFAULT_FILE) -> None:
    """Revoke a code, and send a new one to the same phone; the running daemon sends it within seconds."""

    async def work(one: Visit) -> None:
        await _existing(one, code)
        new, messages = await amend.reissue(one.ports, one.catalog, code, one.actor)
        say(f"{code} is revoked; {new} takes its place, {len(messages)} SMS on the way")

    visit(config, work)


@commands.command()
def reveal(code: CodeId, config: ConfigFile = DEFAULT_FILE) -> None:
    """Print a code in clear. That you did is in the audit log."""

    async def work(one: Visit) -> None:
        found = await amend.reveal(one.ports, code, one.actor) if trace.is_id(code) else None
        if found is None:
            raise _unknown(code)
        say(found)

    visit(config, work)


async def _existing(one: Visit, code: str) -> Stored:
    stored = await trace.find(one.ports, code)
    if stored is None:
        raise _unknown(code)
    return stored


def _unknown(code: str) -> SmsgwError:
    return SmsgwError(f"there is no code with the id {code}" if trace.is_id(code) else "an id reads code_…")


def _state(stored: Stored, now_ms: int) -> str:
    outcome = domain.judge(stored.code, now_ms)
    state = "revoked" if stored.code.revoked else "live" if outcome is domain.Outcome.SUCCESS else outcome.value
    return f"{state} (test)" if stored.test else state


def _harmless(text: str) -> Text:
    """Return what anybody may have written: no markup of ours, and nothing that a terminal obeys."""
    return Text("".join(mark if mark.isprintable() else "�" for mark in text))


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)


def _show(found: Trace, now_ms: int) -> None:
    stored, origin = found.stored, found.origin
    until = domain.expires_ms(stored.code)
    say(f"{stored.id}  {stored.service}  {_state(stored, now_ms)}")
    say(f"issued {rfc3339(stored.code.issued_ms)}, valid until {rfc3339(until) if until else '-'}")
    say(f"used {stored.code.used}, uses left {_or_dash(domain.uses_left(stored.code))}")
    if origin is not None:
        when = rfc3339(origin.received_ms)
        say(f"bought by {origin.id}: {when} from {origin.source} to {origin.destination} on {origin.link}")
    replies = table("reply", "to", "part", "status", "whole", "tries", "made", "answered", "receipts")
    for reply in found.replies:
        fate = reply.fate
        replies.add_row(
            fate.id,
            fate.mo or "-",
            f"{fate.part}/{fate.parts}",
            fate.status,
            reply.whole.value,
            str(fate.tries),
            rfc3339(fate.created_ms),
            "-" if fate.answered_ms is None else rfc3339(fate.answered_ms),
            ", ".join(f"{state} {rfc3339(at_ms)}" for at_ms, state in reply.receipts) or "-",
        )
    attempts = table("attempt", "time", "from", "outcome", "reason", "by", "ms", "redemption", "state")
    for tried in found.attempts:
        attempts.add_row(
            tried.id,
            rfc3339(tried.at_ms),
            tried.visitor,
            tried.outcome,
            tried.reason or "-",
            tried.channel,
            str(tried.latency_ms),
            tried.redemption or "-",
            _harmless(tried.state) if tried.state else "-",
        )
    changes = table("change", "time", "who")
    for change in found.changes:
        changes.add_row(change.action, rfc3339(change.at_ms), change.actor)
    for part in (replies, attempts, changes):
        if part.row_count:
            screen.print()
            screen.print(part)
    if found.more:
        say(f"\nolder attempts are left out; the API shows all: /v1/codes/{stored.id}?before={found.more}")
