"""smsgw payments: find them, read their story, cancel, refund, resolve; the operator's records; who is not asked."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import typer
from rich.text import Text

from smsgw.commands.ground import DEFAULT_FILE, HELP, ConfigFile, Visit, say, screen, table, tell, visit
from smsgw.domain import money, sandbox
from smsgw.domain.numbers import e164
from smsgw.domain.payments import Status
from smsgw.domain.records import COLUMNS, Judged, Verdict
from smsgw.errors import SmsgwError
from smsgw.flows.audit import entry
from smsgw.flows.payments import phones, records as flow
from smsgw.flows.payments.desk import STAFF, Payments, Story
from smsgw.kit.clock import rfc3339
from smsgw.kit.ids import first_of
from smsgw.kit.masking import mask_number
from smsgw.store import audit, mts, payments as store
from smsgw.store.audit import Entry
from smsgw.store.mts import Fate
from smsgw.store.payments import ChargeRow, PaymentRow, RefundRow, Search

commands = typer.Typer(
    help="Payments: find them, their story, refunds, what nobody knows.", no_args_is_help=True, context_settings=HELP
)

PaymentId = Annotated[str, typer.Argument(metavar="ID", help="The payment's id, pay_…")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="With its country's code, or as in the country.")]
_HIDDEN_FACTS: Final = frozenset({"terms", "title", "charge", "deed"})  # long, or shown elsewhere
_MARKS: Final = {Verdict.AGREES: "", Verdict.RESOLVED: "green", Verdict.DISCREPANCY: "red", Verdict.UNKNOWN: "yellow"}


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
                _status(row),
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
        story = await _payments(one).story(payment)
        if story is None:
            raise SmsgwError(f"there is no payment {payment}; an id reads pay_…")
        if numbers:  # it is in the audit log before it is told
            async with one.ports.database.write() as transaction:
                seen = entry(one.ports, one.actor, "payment.number_shown", payment, {})
                await audit.record(transaction, [seen])
        async with one.ports.database.read() as reader:
            charges = await store.charges_of(reader, [payment])
            messages = await mts.of_payment(reader, payment)
            changes = await audit.of_subject(reader, payment)
        _show(story, numbers=numbers)
        for part in (_attempts(charges), _messages(messages), _refunds(story), _changes(changes)):
            if part.row_count:
                screen.print()
                screen.print(part)

    visit(config, work)


# Changes


@commands.command()
def cancel(payment: PaymentId, config: ConfigFile = DEFAULT_FILE) -> None:
    """Cancel a payment that nobody has confirmed."""

    async def work(one: Visit) -> None:
        row = (await _payments(one).cancel(payment, STAFF, one.actor)).payment
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
        payments = _payments(one)
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
        row = await _payments(one).resolve(payment, verdict, actor=one.actor, note=note.strip())
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


# The operator's records


@commands.command()
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
        payments = _payments(one)
        for judged in found:
            if not dry_run:
                await flow.take(payments, judged, one.actor)
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


# What all of them need


def _payments(one: Visit) -> Payments:
    """Return the flows of payments; what they want sent is found in the store by the running daemon."""
    return Payments(one.ports, one.catalog, lambda _: None)


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


def _status(row: PaymentRow) -> str:
    return f"{row.status} (test)" if row.test else row.status


def _show(story: Story, *, numbers: bool) -> None:
    row = story.payment
    price = money.plain(row.amount_minor, row.currency)
    phone = row.msisdn if numbers else mask_number(row.msisdn)
    say(f"{row.id}  {row.merchant}  {_status(row)}{f': {row.reason}' if row.reason else ''}")
    say(f"{row.product} for {price}, {phone} at {row.link} ({row.way}), asked from {row.reply_address}")
    screen.print(_harmless(f"merchant's reference {row.merchant_reference}, made by {row.channel}"))
    if row.refunded_minor:
        say(f"{money.plain(row.refunded_minor, row.currency)} given back")
    if row.discrepancy:
        say(f"odd: the operator took money that this does not show; policy: {row.discrepancy}")
        say(f"once that is done: smsgw payments resolve {row.id} settled --note …")
    if row.status == Status.UNKNOWN:
        say("nobody knows whether it was charged; it is never sent again")
        say(f"once you have found out: smsgw payments resolve {row.id} charged (or: failed) --note …")
    timeline = table("time", "after", "what", "details")
    for fact in story.facts:
        after_s = (fact.at_ms - row.created_ms) / 1000
        told = msgspec.json.decode(fact.told)
        timeline.add_row(rfc3339(fact.at_ms), f"+{after_s:.1f} s", fact.kind.replace("_", " "), _details(told))
    screen.print()
    screen.print(timeline)


def _details(told: Mapping[str, Any]) -> Text:
    """Return what is told of a fact, for people."""
    parts = []
    for name, value in told.items():
        if name in _HIDDEN_FACTS or value in (None, ""):
            continue
        shown = rfc3339(value) if name.endswith("_ms") and isinstance(value, int) else value
        parts.append(f"{name.removesuffix('_ms')}={shown}")
    return _harmless(", ".join(parts) or "-")


def _harmless(text: str) -> Text:
    """Return what anybody may have written: no markup of ours, and nothing that a terminal obeys."""
    return Text("".join(mark if mark.isprintable() else "�" for mark in text))


def _attempts(charges: list[ChargeRow]) -> Any:
    shown = table("attempt", "way", "status", "reason", "operator's id", "begun", "sent", "ended", "refusals")
    for one in charges:
        shown.add_row(
            one.id,
            one.way,
            one.status,
            one.reason or "-",
            _harmless(one.operator_id or "-"),
            rfc3339(one.created_ms),
            _time(one.intent_ms),
            _time(one.settled_ms),
            str(one.tries),
        )
    return shown


def _messages(messages: list[Fate]) -> Any:
    shown = table("message", "from", "part", "status", "answer", "tries", "made", "answered")
    for one in messages:
        shown.add_row(
            one.id,
            one.source,
            f"{one.part}/{one.parts}",
            one.status,
            "-" if one.command_status is None else f"{one.command_status:#x}",
            str(one.tries),
            rfc3339(one.created_ms),
            _time(one.answered_ms),
        )
    return shown


def _refunds(story: Story) -> Any:
    shown = table("refund", "amount", "status", "reason", "by", "asked for", "ended")
    refunds: list[RefundRow] = story.refunds
    for one in refunds:
        amount = money.plain(one.amount_minor, story.payment.currency)
        shown.add_row(
            one.id,
            amount,
            one.status,
            _harmless(one.reason or "-"),
            one.actor,
            rfc3339(one.created_ms),
            _time(one.settled_ms),
        )
    return shown


def _changes(changes: list[Entry]) -> Any:
    shown = table("change", "time", "who")
    for one in changes:
        shown.add_row(one.action, rfc3339(one.at_ms), one.actor)
    return shown


def _time(ms: int | None) -> str:
    return "-" if ms is None else rfc3339(ms)
