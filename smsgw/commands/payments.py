"""smsgw payments: find them, read their story, cancel, refund, resolve; who is not asked."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import typer

from smsgw.commands.ground import DEFAULT_FILE, HELP, ConfigFile, say, screen, table
from smsgw.commands.records import records
from smsgw.commands.story import shown_attempts, shown_changes, shown_messages, shown_refunds, status_of, tell_story
from smsgw.commands.till import payments_of, resolver_of
from smsgw.commands.visits import Visit, visit
from smsgw.domain import money
from smsgw.domain.numbers import e164
from smsgw.domain.payments import Status
from smsgw.errors import SmsgwError
from smsgw.flows.audit import entry
from smsgw.flows.payments import phones
from smsgw.flows.payments.whose import STAFF
from smsgw.kit.clock import rfc3339
from smsgw.kit.ids import first_of
from smsgw.kit.masking import mask_number
from smsgw.store import audit, charges, mts, payments as store
from smsgw.store.payments import Search

commands = typer.Typer(
    help="Payments: find them, their story, refunds, what nobody knows.", no_args_is_help=True, context_settings=HELP
)

PaymentId = Annotated[str, typer.Argument(metavar="ID", help="The payment's id, pay_…")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="With its country's code, or as in the country.")]


def _moment(text: str) -> int:
    """Return milliseconds for a time as RFC 3339 or ISO 8601 has it; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("allowed is a time such as 2026-03-01T12:00:00Z") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


# What there is


@commands.command("list")
def show_list(
    *,
    merchant: Annotated[str, typer.Option("--merchant", "-m", help="Only of this merchant.")] = "",
    status: Annotated[str, typer.Option(help=f"Only those: {', '.join(Status)}.")] = "",
    phone: Annotated[str, typer.Option(help="Only of this number.")] = "",
    unknown: Annotated[bool, typer.Option("--unknown", help="Nobody knows whether they were charged.")] = False,
    odd: Annotated[bool, typer.Option("--odd", help="The operator took money that they do not show.")] = False,
    since: Annotated[
        int | None, typer.Option("--since", parser=_moment, metavar="TIME", help="From 2026-03-01T12:00:00Z on.")
    ] = None,
    count: Annotated[int, typer.Option("-n", min=1, max=10_000, help="The most.")] = 50,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """List the latest payments."""
    if status and status not in set(Status):
        raise typer.BadParameter(f"allowed are {', '.join(Status)}")
    if unknown and status:
        raise typer.BadParameter("--unknown is a status; give one of the two")

    async def work(one: Visit) -> None:
        wanted = Search(
            merchant=merchant,
            status=Status.UNKNOWN.value if unknown else status,
            msisdn=_number(one, phone) if phone else "",
            odd=odd,
            first="" if since is None else first_of("pay", since),
        )
        async with one.ports.database.read() as reader:
            rows = await store.search(reader, wanted, count)
        shown = table("id", "made", "merchant", "product", "price", "operator", "phone", "status", "reason", "odd")
        for row in rows:
            shown.add_row(
                row.id,
                rfc3339(row.created_ms),
                row.merchant,
                row.product,
                money.plain(row.amount_minor, row.currency),
                row.link,
                mask_number(row.msisdn),
                status_of(row),
                row.reason or "-",
                row.discrepancy or "-",
            )
        screen.print(shown if rows else "no such payments")

    visit(config, work)


@commands.command()
def show(
    payment: PaymentId,
    *,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="With the whole number. That you saw it is in the audit log.")
    ] = False,
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Show a payment's story: everything that happened, its attempts, messages, refunds, and who did what."""

    async def work(one: Visit) -> None:
        story = await payments_of(one).story(payment)
        if story is None:
            raise SmsgwError(f"there is no payment {payment}; an id reads pay_…")
        if numbers:  # it is in the audit log before it is told
            async with one.ports.database.write() as transaction:
                seen = entry(one.ports, one.actor, "payment.number_shown", payment, {})
                await audit.record(transaction, [seen])
        async with one.ports.database.read() as reader:
            attempts = await charges.of_payments(reader, [payment])
            messages = await mts.of_payment(reader, payment)
            changes = await audit.of_subject(reader, payment)
        tell_story(story, numbers=numbers)
        for part in (shown_attempts(attempts), shown_messages(messages), shown_refunds(story), shown_changes(changes)):
            if part.row_count:
                screen.print()
                screen.print(part)

    visit(config, work)


# Changes


@commands.command()
def cancel(payment: PaymentId, config: ConfigFile = DEFAULT_FILE) -> None:
    """Cancel a payment that nobody has confirmed."""

    async def work(one: Visit) -> None:
        row = (await payments_of(one).cancel(payment, STAFF, one.actor)).payment
        say(f"{payment} is {row.status}")

    visit(config, work)


@commands.command()
def refund(
    payment: PaymentId,
    *,
    amount: Annotated[
        int | None, typer.Option(min=1, metavar="MINOR", help="In minor units (250 is 2.50 EUR); default: all.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Kept with it, and told to the merchant.")] = "",
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Give money back; the running daemon tells the operator, where that has a way to do it."""

    async def work(one: Visit) -> None:
        payments = payments_of(one)
        await payments.refund(payment, amount, whose=STAFF, reason=reason, actor=one.actor)
        story = await payments.story(payment)
        assert story is not None
        made, row = story.refunds[-1], story.payment
        given, left = made.amount_minor, row.amount_minor - row.refunded_minor
        say(
            f"{made.id}: {money.plain(given, row.currency)} {_HOW[made.status]}; {money.plain(left, row.currency)} left"
        )

    visit(config, work)


_HOW: Final = {"pending": "on its way through the operator", "manual": "recorded; give it back by other means"}


@commands.command()
def resolve(
    payment: PaymentId,
    verdict: Annotated[
        Literal["charged", "failed", "settled"],
        typer.Argument(help="Of an unknown charge: charged or failed. Of a discrepancy: settled."),
    ],
    note: Annotated[str, typer.Option("--note", help="How you know: kept with the payment.")],
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Say what you have found out about a charge that nobody knew about, or that a discrepancy is settled."""
    if not note.strip():
        raise typer.BadParameter("--note must say how you know")

    async def work(one: Visit) -> None:
        row = await resolver_of(one).resolve(payment, verdict, actor=one.actor, note=note.strip())
        say(f"{payment} is {row.status}{f', odd: {row.discrepancy}' if row.discrepancy else ''}")

    visit(config, work)


@commands.command()
def block(
    number: Number,
    merchant: Annotated[str, typer.Option("--merchant", "-m", help="For this merchant only; default: for all.")] = "",
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Have a phone asked no more; START from the phone takes it back."""

    async def work(one: Visit) -> None:
        _known(one, merchant)
        done = await phones.block(one.ports, _number(one, number), merchant, one.actor)
        say(f"blocked for {merchant or 'all'}" if done else f"was blocked for {merchant or 'all'} before")

    visit(config, work)


@commands.command()
def unblock(
    number: Number,
    merchant: Annotated[
        str, typer.Option("--merchant", "-m", help="The block for this merchant only; default: every one.")
    ] = "",
    config: ConfigFile = DEFAULT_FILE,
) -> None:
    """Have a phone asked again."""

    async def work(one: Visit) -> None:
        freed = await phones.unblock(one.ports, _number(one, number), merchant, one.actor)
        say(f"unblocked for {', '.join(name or 'all' for name in freed)}" if freed else "was not blocked")

    visit(config, work)


commands.command()(records)


# What all of them need


def _number(one: Visit, typed: str) -> str:
    countries = sorted({link.country for link in one.catalog.links.values() if link.country}) or [""]
    found = next((read for country in countries if (read := e164(typed, None, country))), None)
    found = found or e164(typed, 0, countries[0])  # the numbering plan may not know it yet
    if found is None:
        raise SmsgwError("this is no phone's number; allowed are such as +359888123456")
    return found


def _known(one: Visit, merchant: str) -> None:
    if merchant and merchant not in one.catalog.merchants:
        there = ", ".join(sorted(one.catalog.merchants)) or "none"
        raise SmsgwError(f"there is no merchant {merchant}; there are {there}")
