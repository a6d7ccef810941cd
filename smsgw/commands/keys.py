"""smsgw keys: keys to the API, keys that return tokens are signed with, and the vault's own."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Final, Literal, get_args

import typer

from smsgw.commands.ground import DEFAULT_FILE, HELP, ConfigFile, say, screen, table, tell
from smsgw.commands.visits import Visit, visit
from smsgw.errors import SmsgwError
from smsgw.flows import apikeys, returns, rotation
from smsgw.kit.clock import rfc3339
from smsgw.store import api_keys
from smsgw.store.api_keys import Scope

_SCOPES: tuple[Scope, ...] = get_args(Scope)
_OF_SERVICES: Final[tuple[Scope, ...]] = ("codes:verify", "codes:redeem")
_OF_MERCHANTS: Final[tuple[Scope, ...]] = ("payments:read", "payments:write")
_DAY_S = 86_400
_LAST_TOKENS_S = 120  # the longest that a service's return token is valid: settings, return_valid_s
_LAST_PROOFS_S = 3600  # the same, of a merchant's

commands = typer.Typer(
    help="Keys: to the API, to return tokens, to codes.", no_args_is_help=True, context_settings=HELP
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A service or merchant.")]
of_returns = typer.Typer(
    name="return",
    help="The keys that return tokens are signed with; merchants check them with the same.",
    no_args_is_help=True,
    context_settings=HELP,
)
commands.add_typer(of_returns)


@commands.command()
def create(
    service: Annotated[
        list[str] | None, typer.Option("--service", "-s", help="A service or merchant it is for; may be repeated.")
    ] = None,
    merchant: Annotated[list[str] | None, typer.Option("--merchant", "-m", help="The same, for merchants.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help=f"One of {', '.join(_SCOPES)}; none named: {', '.join(_OF_SERVICES)} for services, "
            f"{', '.join(_OF_MERCHANTS)} for merchants."
        ),
    ] = None,
    *,
    test: Annotated[
        bool, typer.Option("--test", help="Sees test codes and test payments only; otherwise live ones only.")
    ] = False,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Make a key to the API, and print it: this once."""
    names = list(dict.fromkeys([*(service or []), *(merchant or [])]))
    if not names:
        raise typer.BadParameter("name a --service or a --merchant")
    if not set(scope or []) <= set(_SCOPES):
        raise typer.BadParameter(f"allowed scopes are {', '.join(_SCOPES)}")

    async def work(one: Visit) -> None:
        for name in names:
            if not _allowed_ips(
                one, name, ours="services" if merchant is None or name not in merchant else "merchants"
            ):
                tell(
                    f"warning: {name} has no allowed_ips: whoever uses the key is refused (403) until the addresses of "
                    "the merchant's servers stand in its settings and the daemon is started again",
                    style="yellow",
                )
        new = await apikeys.create(one.ports, names, _scopes(one, names, scope), test=test, actor=one.actor)
        tell("the key works within a second or two; it is shown this once", style="green")
        say(new.token)

    visit(config, work)


def _allowed_ips(one: Visit, name: str, *, ours: Literal["services", "merchants"]) -> list[str]:
    """Return the addresses from which a key may ask about a service or merchant."""
    found = one.configuration.merchants.get(name)
    if found is not None:
        return found.allowed_ips
    if ours == "merchants":
        known = ", ".join(one.configuration.merchants)
        raise SmsgwError(f"there is no merchant {name}; there are {known or 'none'}")
    _known(one, name)
    return one.configuration.services[name].allowed_ips


def _scopes(one: Visit, names: Sequence[str], named: Sequence[str] | None) -> list[Scope]:
    """Return the scopes that are named; otherwise those that such names mostly need."""
    merchants = one.configuration.merchants.keys()
    usual = {*(_OF_SERVICES if set(names) - merchants else ()), *(_OF_MERCHANTS if merchants & set(names) else ())}
    return [known for known in _SCOPES if known in (named or usual)]


@commands.command("list")
def every(config: ConfigFile = DEFAULT_FILE) -> None:
    """List the keys to the API."""

    async def work(one: Visit) -> None:
        async with one.ports.database.read() as reader:
            rows = await api_keys.every(reader)
        shown = table("id", "mode", "services", "scopes", "made", "revoked")
        for key in rows:
            shown.add_row(
                key.id,
                "test" if key.test else "live",
                ", ".join(key.services),
                ", ".join(key.scopes),
                rfc3339(key.created_ms),
                "-" if key.revoked_ms is None else rfc3339(key.revoked_ms),
            )
        screen.print(shown if rows else "no keys")

    visit(config, work)


@commands.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, api_…")], config: ConfigFile = DEFAULT_FILE
) -> None:
    """Take a key to the API out of use; daemons refuse it within five seconds."""

    async def work(one: Visit) -> None:
        if not await apikeys.revoke(one.ports, key, one.actor):
            raise SmsgwError(f"there is no such key in use: {key}")
        say(f"{key} is revoked")

    visit(config, work)


@commands.command()
def rotate(
    settle: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds that what was begun under the old key may take.")
    ] = rotation.SETTLE_S,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Put a new key in the place of the one that codes are kept under, while daemons run; may be run again."""

    async def work(one: Visit) -> None:
        lease_ms = int(one.configuration.main.node_lease_s * 1000)
        steps = rotation.Rotation(one.ports, one.key_file, lease_ms=lease_ms, settle_s=settle, tell=say)
        await steps.run(one.actor)

    visit(config, work)


@of_returns.command("list")
def list_returns(service: Name, config: ConfigFile = DEFAULT_FILE) -> None:
    """List the keys of a service or merchant."""

    async def work(one: Visit) -> None:
        _known(one, service)
        shown = table("id (kid)", "made", "signs from")
        for key in await returns.keys_of(one.ports, service):
            shown.add_row(key.id, rfc3339(key.created_ms), rfc3339(key.from_ms))
        screen.print(shown)

    visit(config, work)


@of_returns.command("new")
def new_return(
    service: Name,
    overlap: Annotated[
        int, typer.Option(min=0, max=30 * _DAY_S, help="Seconds until it signs; the merchant learns it meanwhile.")
    ] = _DAY_S,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Make a new key for a service or merchant; the one before signs until then."""

    async def work(one: Visit) -> None:
        _known(one, service)
        now_ms = one.ports.clock.now_ms()
        known = [key for key in await returns.keys_of(one.ports, service) if key.from_ms <= now_ms]
        key = await returns.add_key(one.ports, service, overlap * 1000, one.actor)
        at = rfc3339(key.from_ms)
        if known:
            before = max(known, key=lambda one: one.from_ms)
            last_s = _LAST_PROOFS_S if service in one.configuration.merchants else _LAST_TOKENS_S
            say(f"{before.id} signs until {at}; merchants check with it for {last_s} seconds more")
        say(f"{key.id} signs from {at}; smsgw keys return show {key.id} prints it")

    visit(config, work)


@of_returns.command("show")
def show_return(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, key_…")], config: ConfigFile = DEFAULT_FILE
) -> None:
    """Print a key as id=base64, for the merchant's server. That you did is in the audit log."""

    async def work(one: Visit) -> None:
        secret = await returns.show_key(one.ports, key, one.actor)
        if secret is None:
            raise SmsgwError(f"there is no such key in use: {key}")
        say(f"{key}={b64encode(secret).decode()}")  # as the sample sites take it in SMSGW_RETURN_KEYS

    visit(config, work)


def _known(one: Visit, name: str) -> None:
    there = [*one.configuration.services, *one.configuration.merchants]
    if name not in there:
        raise SmsgwError(f"there is no service or merchant {name}; there are {', '.join(there) or 'none'}")
