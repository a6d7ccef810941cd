"""`smsgw webhooks`: what merchants were told, whether they took it; told once more; the secrets that sign it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import typer

from smsgw.commands.ground import DEFAULT_FILE, HELP, ConfigFile, say, screen, table, tell
from smsgw.commands.visits import actor, perform
from smsgw.errors import SmsgwError
from smsgw.flows import endpoints, replay, secrets
from smsgw.flows.ports import Ports
from smsgw.kit.clock import rfc3339
from smsgw.kit.ids import first_of
from smsgw.settings import Configuration
from smsgw.store import endpoints as closed, events
from smsgw.store.events import Choice, Delivery

commands = typer.Typer(
    help="What merchants are told: events and their deliveries.", no_args_is_help=True, context_settings=HELP
)

_NO_SUCH: Final = 1
_DAY_S: Final = 86_400


class _NotFoundError(SmsgwError):
    """There is no such thing; the message is one sentence."""

    exit_status = _NO_SUCH


def _moment(text: str) -> int:
    """Return milliseconds for a time as RFC 3339 or ISO 8601 has it; without a zone it is UTC."""
    found = datetime.fromisoformat(text)
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


Service = Annotated[str, typer.Option("--service", "-s", help="Only of this service.")]
Since = Annotated[
    int | None, typer.Option("--since", parser=_moment, metavar="TIME", help="From this time on: 2026-03-01T12:00:00Z.")
]
Until = Annotated[int | None, typer.Option("--until", parser=_moment, metavar="TIME", help="Before this time.")]
Status = Literal["pending", "delivered", "given_up", "not_posted"]


def _choice(service: str, status: str, since: int | None, until: int | None) -> Choice:
    every = Choice()
    return Choice(
        first=every.first if since is None else first_of("evt", since),
        before=every.before if until is None else first_of("evt", until),
        service=service,
        status=status,
    )


@commands.command("list")
def show_list(
    *,
    service: Service = "",
    status: Annotated[Status | None, typer.Option(help="Only those.")] = None,
    since: Since = None,
    until: Until = None,
    count: Annotated[int, typer.Option("-n", min=1, max=10_000, help="The most.")] = 50,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Show the latest events."""

    async def work(ports: Ports, configuration: Configuration) -> None:
        async with ports.database.read() as reader:
            rows = await events.walk(reader, _choice(service, status or "", since, until), count)
            gone = await closed.gone(reader)
        if rows:
            _print(rows)
        else:
            say(_nothing(configuration))
        for name in sorted(gone):
            tell(
                f"{name}: its address answered 410 Gone at {rfc3339(gone[name].at_ms)}: nothing is posted there; "
                f"smsgw webhooks enable {name}",
                style="yellow",
            )

    perform(config, work)


def _nothing(configuration: Configuration) -> str:
    services, merchants = configuration.services.values(), configuration.merchants.values()
    if any(one.webhook_url for one in services) or any(one.webhook_url for one in merchants):
        return "no such events: nothing of the kind has happened since a webhook_url was set"
    return "no events: no service or merchant has a webhook_url in its settings"


def _print(rows: Sequence[Delivery]) -> None:
    shown = table("event", "at", "service", "type", "subject", "status", "tries", "last answer")
    for row in rows:
        last = row.error or ("" if row.http_status is None else f"HTTP status {row.http_status}")
        shown.add_row(row.id, rfc3339(row.at_ms), row.service, row.type, row.subject, row.status, str(row.tries), last)
    screen.print(shown)


@commands.command()
def show(event: str, config: ConfigFile = DEFAULT_FILE) -> None:
    """Show one event: what is told, and how far its delivery has come."""

    async def work(ports: Ports, _: Configuration) -> None:
        async with ports.database.read() as reader:
            rows = await events.walk(reader, Choice(first=event, before=f"{event}0"), 1)
        if not rows:
            raise _NotFoundError(f"there is no event {event}")
        [row] = rows
        next_ms = row.next_ms if row.status == "pending" else None
        for name, value in [
            ("event", row.id),
            ("service", row.service),
            ("status", row.status),
            ("tries", row.tries),
            ("next try", "" if next_ms is None else rfc3339(next_ms)),
            ("settled", "" if row.settled_ms is None else rfc3339(row.settled_ms)),
            ("HTTP status", "" if row.http_status is None else row.http_status),
            ("error", row.error or ""),
        ]:
            screen.print(f"{name:<12} {value}".rstrip(), markup=False)
        screen.print(json.dumps(json.loads(row.body), indent=2, ensure_ascii=False), markup=False)

    perform(config, work)


@commands.command("replay")
def post_again(
    event: Annotated[list[str] | None, typer.Argument(help="Ids.")] = None,
    service: Service = "",
    since: Since = None,
    until: Until = None,
    *,
    given_up: Annotated[bool, typer.Option("--given-up", help="Those that were given up.")] = False,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Have events posted once more, with the same ids: some, a service's of some time, or all that were given up.

    Each is tried within seconds, and if that fails, again by the schedule. An event that waits for its next try is
    tried now if you name it; with --service it keeps its pause.
    """
    if bool(event) == bool(given_up or (service and since is not None)):
        raise typer.BadParameter("name events, or --service and --since, or --given-up")

    async def work(ports: Ports, configuration: Configuration) -> None:
        choices = [Choice(first=one, before=f"{one}0") for one in event or []]
        if not event:
            choices = [_choice(service, "given_up" if given_up else "", since, until)]
        names = event or [service or "given_up"]
        pairs = zip(choices, names, strict=True)
        found = [await replay.replay(ports, choice, actor(), name, rush=bool(event)) for choice, name in pairs]
        missing = [name for name, count in zip(names, found, strict=True) if event and not count]
        screen.print(f"{sum(found)} event(s) will be posted again", markup=False)
        one = configuration.services.get(service) or configuration.merchants.get(service)
        silent = one is None or not one.webhook_url
        if service and silent:
            screen.print(f"{service} has no webhook_url now: its events wait until it has one", markup=False)
        if missing:
            raise _NotFoundError(f"not there, or being posted just now: {', '.join(missing)}")

    perform(config, work)


@commands.command()
def enable(service: str, config: ConfigFile = DEFAULT_FILE) -> None:
    """Post to a service's address again that has answered 410 Gone; what waits is posted within seconds."""

    async def work(ports: Ports, configuration: Configuration) -> None:
        _known(configuration, service)
        done = await endpoints.enable(ports, service, actor())
        if done.was_gone:
            say(f"{service}: events are posted again, {done.waiting} of them wait")
        else:
            say(f"{service}: its address is in use")

    perform(config, work)


of_secrets = typer.Typer(
    name="secret",
    help="The secrets that a service's events are signed with.",
    no_args_is_help=True,
    context_settings=HELP,
)
commands.add_typer(of_secrets)


@of_secrets.command("show")
def show_secrets(service: str, config: ConfigFile = DEFAULT_FILE) -> None:
    """Show the secrets that sign at the moment, the newest first; it is in the audit log."""

    async def work(ports: Ports, configuration: Configuration) -> None:
        _known(configuration, service)
        await secrets.Secrets(ports).make([service])
        for one in await secrets.reveal(ports, service, actor()):
            say(one.secret if one.until_ms is None else f"{one.secret}  until {rfc3339(one.until_ms)}")

    perform(config, work)


@of_secrets.command("new")
def new_secret(
    service: str,
    overlap: Annotated[
        int, typer.Option(min=0, max=30 * _DAY_S, help="Seconds that those before sign beside it.")
    ] = _DAY_S,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Make a new secret, and print it. Each event is signed with all of them until the overlap is over."""

    async def work(ports: Ports, configuration: Configuration) -> None:
        _known(configuration, service)
        made, beside = await secrets.add(ports, service, overlap * 1000, actor())
        say(made.secret)
        if beside:
            until = rfc3339(ports.clock.now_ms() + overlap * 1000)
            tell(f"the one before signs beside it until {until}; smsgw webhooks secret revoke {service} ends it sooner")

    perform(config, work)


@of_secrets.command("revoke")
def revoke_secrets(service: str, config: ConfigFile = DEFAULT_FILE) -> None:
    """Take all secrets but the newest out of use; daemons sign with them for five more seconds at most."""

    async def work(ports: Ports, configuration: Configuration) -> None:
        _known(configuration, service)
        count = await secrets.revoke_older(ports, service, actor())
        say(f"{count} older secret(s) of {service} are revoked" if count else f"{service} has one secret only")

    perform(config, work)


def _known(configuration: Configuration, service: str) -> None:
    if service not in configuration.services and service not in configuration.merchants:
        raise _NotFoundError(f"there is no service or merchant {service} in the settings")
