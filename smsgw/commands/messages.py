"""smsgw messages: what became of an SMS that we sent; ask the operator about it, have it cancelled or replaced."""

import asyncio
from typing import Annotated, Final

import typer

from smsgw.commands.ground import DEFAULT_FILE, HELP, ConfigFile, say, screen, table
from smsgw.commands.visits import Visit, visit
from smsgw.errors import SmsgwError
from smsgw.flows import operations as flow
from smsgw.flows.operations import Question
from smsgw.kit.clock import rfc3339
from smsgw.store import mts, operations as store, receipts
from smsgw.store.mts import Fate
from smsgw.store.operations import Kind

_LOOK_S: Final = 0.3
_PATIENCE_S: Final = 60  # for the daemon to ask, and the SMSC to answer

commands = typer.Typer(
    help="What became of SMS that were sent; questions to the operator.", no_args_is_help=True, context_settings=HELP
)

MessageId = Annotated[str, typer.Argument(metavar="ID", help="The message's id, mt_…")]


class MessageError(SmsgwError):
    """The question has no good answer; the message says why."""

    exit_status = 1


@commands.command()
def show(message: MessageId, config: ConfigFile = DEFAULT_FILE) -> None:
    """Show how a message stands, its receipts, and what the operator was asked about it."""

    async def work(one: Visit) -> None:
        async with one.ports.database.read() as reader:
            found = await mts.by_ids(reader, [message])
            told = await receipts.of_mts(reader, [message])
            asked = await store.of_mt(reader, message)
        if not found:
            raise MessageError(f"{message}: there is no such message")
        _show(found[0])
        reports = table("receipt", "state")
        for at_ms, state in told.get(message, []):
            reports.add_row(rfc3339(at_ms), state)
        questions = table("asked", "what", "by", "outcome", "answer")
        for one_asked in asked:
            questions.add_row(
                rfc3339(one_asked.created_ms),
                one_asked.kind,
                one_asked.actor,
                one_asked.status,
                one_asked.result or "-",
            )
        for part in (reports, questions):
            if part.row_count:
                screen.print(part)

    visit(config, work)


def _show(fate: Fate) -> None:
    say(f"{fate.id}  {fate.link}  {fate.status}  part {fate.part} of {fate.parts}")
    say(f"from {fate.source} to {fate.destination}, made {rfc3339(fate.created_ms)}, tried {fate.tries} times")
    if fate.answered_ms is not None:
        say(f"answered {rfc3339(fate.answered_ms)} with status {fate.command_status}")


@commands.command()
def query(message: MessageId, config: ConfigFile = DEFAULT_FILE) -> None:
    """Ask the operator what became of a message (query_sm)."""
    _ask(config, "query", message)


@commands.command()
def cancel(message: MessageId, config: ConfigFile = DEFAULT_FILE) -> None:
    """Have a message not delivered any more (cancel_sm)."""
    _ask(config, "cancel", message)


@commands.command()
def replace(
    message: MessageId,
    text: Annotated[str, typer.Option(prompt="Text", help="To deliver instead.")],
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Have another text delivered in place of a message's own (replace_sm)."""
    _ask(config, "replace", message, text)


def _ask(config: ConfigFile, kind: Kind, message: str, text: str = "") -> None:
    """Leave the question to the running daemon, and wait for its answer."""

    async def work(one: Visit) -> None:
        question = Question(kind=kind, mt=message, actor=one.actor, wait_ms=_PATIENCE_S * 1000, text=text)
        name = await flow.request(one.ports, one.catalog, question)
        for _ in range(int(_PATIENCE_S / _LOOK_S)):
            await asyncio.sleep(_LOOK_S)
            async with one.ports.database.read() as reader:
                answer = await store.by_id(reader, name)
            if answer is None or answer.status not in {"done", "failed"}:
                continue
            if answer.status == "failed":
                raise MessageError(f"{message}: {flow.NEEDED[kind]} failed: {answer.result}")
            say(f"{message}: {answer.result}")
            return
        raise MessageError(f"{message}: nobody has asked within {_PATIENCE_S} s; is the daemon running, and bound?")

    visit(config, work)
