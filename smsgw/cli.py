"""The commands. Every failure that we know of is one clear line and an exit status of its own."""

import asyncio
import gc
import os
import signal
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.progress import Progress
from rich.table import Table
from typer.core import TyperGroup

from smsgw import settings
from smsgw.app import App
from smsgw.commands import codes, ground, keys, messages, numbers, payments, webhooks
from smsgw.commands.ground import DEFAULT_FILE, ConfigFile, errors, load, screen, tell
from smsgw.commands.simulate import simulate
from smsgw.commands.trace import trace
from smsgw.demo import bench as measuring
from smsgw.demo.world import KEYWORD, SHORT_CODE, Places, open_demo
from smsgw.domain import carrier_remarks, catalog, goods_remarks, goods_texts, money
from smsgw.domain.catalog import Service
from smsgw.domain.goods_texts import Offer
from smsgw.kit import logs, passwords, tls
from smsgw.kit.clock import SystemClock
from smsgw.kit.systemd import Systemd
from smsgw.settings import Configuration, MerchantSettings
from smsgw.simulator.load import LoadPlan
from smsgw.store.opening import bring_up_to_date

_ENDED_AT_ONCE = 1

_ORDER: Final = (
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


class _InOrder(TyperGroup):
    """Lists what runs a gateway first, then what looks into it."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer has a click of its own
        return sorted(self.commands, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


commands = typer.Typer(
    name="smsgw",
    cls=_InOrder,
    help="An SMS payment gateway at the carrier edge.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=ground.HELP,
)
commands.add_typer(codes.commands, name="codes")
commands.add_typer(keys.commands, name="keys")
commands.add_typer(messages.commands, name="messages")
commands.add_typer(numbers.commands, name="numbers")
commands.add_typer(payments.commands, name="payments")
commands.add_typer(webhooks.commands, name="webhooks")
commands.command()(trace)
commands.command()(simulate)


def main() -> None:
    """Run the command line."""
    commands()


def _stop_on_signals(app: App) -> None:
    def stop() -> None:
        if not app.request_stop():
            _end_at_once()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, logs.get_logger(__name__).warning, "app.settings_are_read_at_the_start")


def _end_at_once() -> NoReturn:
    """End as a power cut would, which the store is made for: whoever asks twice does not want to wait."""
    tell("told again to stop: ended at once; what was in flight is taken up at the next start")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(_ENDED_AT_ONCE)


@commands.command()
def run(config: ConfigFile = DEFAULT_FILE) -> None:
    """Run the gateway until SIGTERM."""
    configuration = load(config)
    log = configuration.main.log
    logs.configure(log.destination, log.level)
    ground.run(_serve(configuration))


async def _serve(configuration: Configuration) -> None:
    systemd = Systemd()
    app = App(configuration, systemd=systemd)
    _stop_on_signals(app)
    await app.start()
    # What lives as long as the daemon need not be looked at again, and messages live too short to be worth a look each
    # few hundred: the collector would take a tenth of the time under load, and hold everything up when it looks at all.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    systemd.ready(f"verify address on port {app.verify_port}")
    try:
        await app.wait()
    finally:
        await app.stop()


@commands.command()
def check(config: ConfigFile = DEFAULT_FILE) -> None:
    """Read the settings and the password files, and name every mistake in them."""
    configuration = load(config, lambda found: passwords.problems(found, Systemd()) + tls.problems(found))
    remarks = (*carrier_remarks.remarks(configuration), *goods_remarks.remarks(configuration))
    for warning in (*settings.warnings(configuration), *remarks):
        tell(f"warning: {warning}", style="yellow")
    table = ground.table("service", "short code", "keywords", "sold at", "answer", "saving")
    for name, service in catalog.build(configuration.services).items():
        sold = service.settings
        links = ", ".join(sold.links) or "all links"
        table.add_row(name, sold.short_code, ", ".join(sold.keywords), links, *_costs(service, configuration))
    counts = f"{len(configuration.links)} link(s), {len(configuration.services)} service(s)"
    if configuration.merchants:
        counts += f", {len(configuration.merchants)} merchant(s)"
    screen.print(f"{config}: {counts}, no mistakes", markup=False)
    if configuration.services:
        screen.print(table)
    if configuration.merchants:
        screen.print(_goods(configuration))


def _goods(configuration: Configuration) -> Table:
    """Return what merchants sell: each product at each of its prices, where, how, and what its question takes."""
    shown = ground.table("merchant", "product", "price", "charged at", "question")
    for name, merchant in configuration.merchants.items():
        rows: dict[tuple[str, str], list[Offer]] = {}
        for offer in goods_texts.offers(merchant, configuration.links):
            rows.setdefault((offer.product, offer.tariff), []).append(offer)
        for (product, _), offers in rows.items():
            price = money.plain(offers[0].price.amount_minor, offers[0].price.currency)
            shown.add_row(name, product, price, ", ".join(map(_charged, offers)), _asked(merchant, offers))
        for product in sorted(merchant.products.keys() - {product for product, _ in rows}):
            shown.add_row(name, product, "-", "nowhere", "-")
    return shown


def _charged(offer: Offer) -> str:
    """Return in words where and how a price is charged."""
    code = f" {offer.charge.short_code}" if offer.charge.short_code else ""
    return f"{offer.link} ({offer.profile.way}{code})"


def _asked(merchant: MerchantSettings, offers: list[Offer]) -> str:
    """Return in words what a question takes in each language, where it takes most."""
    each = [goods_texts.prompt_costs(merchant, offer) for offer in offers]
    dearest = {language: max((one[language] for one in each), key=lambda cost: cost.total) for language in each[0]}
    return "; ".join(f"{language}: {cost}" for language, cost in dearest.items())


def _costs(service: Service, configuration: Configuration) -> tuple[str, str]:
    """Return in words what a service's answers take where they take most, and what their letters make of it."""
    links = catalog.sold_at(service.settings, configuration.links).values()
    both = [catalog.answer_costs(service, link) for link in links] or [catalog.answer_costs(service, None)]
    now, other = max(both, key=lambda pair: pair[0].total)
    if other is None:
        return str(now), ""
    if service.settings.characters == "transliterate":
        return str(now), f"{other.total - now.total} SMS by transliteration; as written: {other}"
    return str(now), f"{now.total - other.total} SMS if transliterated: {other}"


@commands.command()
def migrate(config: ConfigFile = DEFAULT_FILE) -> None:
    """Bring the database to this program's schema."""
    configuration = load(config)
    logs.configure("plain", "warning")
    ground.run(_migrate(configuration))


async def _migrate(configuration: Configuration) -> None:
    applied = await bring_up_to_date(configuration, SystemClock().now_ms())
    for name in applied:
        screen.print(f"applied {name}", markup=False)
    if not applied:
        screen.print("nothing to do: the database is up to date")


@commands.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its settings and its database.")] = Path(
        ".smsgw/demo"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port; 0: any free one.")] = 8080,
    verify_port: Annotated[int, typer.Option(min=0, max=65535, help="The verify address's port; 0: any.")] = 8081,
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the daemon's log.")] = False,
) -> None:
    """Show the whole thing on one page: a phone, an operator, the gateway and a merchant's site."""
    logs.configure("auto", "info" if verbose else "warning")
    ground.run(_demo(Places(folder=folder, host="127.0.0.1", port=port, verify_port=verify_port)))


async def _demo(places: Places) -> None:
    async with AsyncExitStack() as stack:
        app, url = await open_demo(places, stack)
        _stop_on_signals(app)
        screen.print(f"\n  Open  [bold]{url}[/bold]\n\n  and send {KEYWORD} to {SHORT_CODE} from the phone there.")
        screen.print(f"  Settings and database: {places.folder}    Ctrl+C ends it.\n")
        await app.wait()


@commands.command()
def bench(
    messages: Annotated[int, typer.Option("-n", min=1, max=1_000_000, help="Messages of each run.")] = 20_000,
    window: Annotated[
        list[int] | None, typer.Option("-w", min=1, max=1000, help="Unanswered messages; give it several times.")
    ] = None,
    rate: Annotated[int, typer.Option("-r", min=0, help="Messages a second of one more, paced run; 0: none.")] = 1000,
) -> None:
    """Measure this machine: from a paid SMS to its answer, everything on disk."""
    windows = window or [10, 50, 200]
    plans = [LoadPlan(messages=messages, window=size) for size in windows]
    if rate:
        plans.append(LoadPlan(messages=min(messages, rate * 10), window=max(windows), per_second=rate))
    logs.configure("plain", "warning")
    ground.run(_bench(plans))


async def _bench(plans: list[LoadPlan]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("window", "paced", "SMS/s", "to the answer p50 / p99 ms", "to the response p50 / p99 ms", "RSS MB"):
        table.add_column(heading, justify="right")
    table.add_column("")
    with Progress(console=errors, transient=True) as progress:
        for plan in plans:
            task = progress.add_task(f"window {plan.window}", total=plan.messages)
            one = await measuring.measure(plan, lambda done, task=task: progress.update(task, completed=done))  # type: ignore[misc]  # mypy can't type a lambda's default
            result = one.result
            table.add_row(
                str(plan.window),
                f"{plan.per_second}/s" if plan.per_second else "-",
                f"{result.per_second:,.0f}",
                f"{result.mt_ms.p50:.1f} / {result.mt_ms.p99:.1f}",
                f"{result.response_ms.p50:.1f} / {result.response_ms.p99:.1f}",
                f"{one.rss_mb:.0f}",
                "" if result.complete else f"incomplete: {result.matched} of {plan.messages} answered",
            )
    screen.print(table)


@commands.command()
def version() -> None:
    """Print the version."""
    screen.print(f"smsgw {installed_version('smsgw')}", markup=False)
