"""A payment's story on the terminal: what it is, what happened to it, its attempts, messages, refunds and changes."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from rich.table import Table
from rich.text import Text

from smsgw.commands.ground import say, screen, table
from smsgw.domain import money
from smsgw.flows.payments.desk import Story
from smsgw.kit.clock import rfc3339
from smsgw.kit.masking import mask_number
from smsgw.store.audit import Entry
from smsgw.store.charges import ChargeRow
from smsgw.store.mts import Fate
from smsgw.store.payments import PaymentRow

_HIDDEN_FACTS: Final = frozenset({"terms", "title", "charge", "deed"})  # long, or shown elsewhere


def status_of(row: PaymentRow) -> str:
    """Return a payment's status, for people."""
    return f"{row.status} (test)" if row.test else row.status


def tell_story(story: Story, *, numbers: bool) -> None:
    """Say what a payment is, and everything that happened to it."""
    row = story.payment
    price = money.plain(row.amount_minor, row.currency)
    phone = row.msisdn if numbers else mask_number(row.msisdn)
    say(f"{row.id}  {row.merchant}  {status_of(row)}{f': {row.reason}' if row.reason else ''}")
    say(f"{row.product} for {price}, {phone} at {row.link} ({row.way}), asked from {row.reply_address}")
    screen.print(_harmless(f"merchant's reference {row.merchant_reference}, made by {row.channel}"))
    if row.refunded_minor:
        say(f"{money.plain(row.refunded_minor, row.currency)} given back")
    if row.discrepancy:
        say(f"odd: the operator took money that this does not show; policy: {row.discrepancy}")
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


def shown_attempts(attempts: list[ChargeRow]) -> Table:
    """Return a table of attempts to take money."""
    shown = table("attempt", "way", "status", "reason", "operator's id", "begun", "sent", "ended", "refusals")
    for one in attempts:
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


def shown_messages(messages: list[Fate]) -> Table:
    """Return a table of messages to the phone."""
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


def shown_refunds(story: Story) -> Table:
    """Return a table of a payment's refunds."""
    shown = table("refund", "amount", "status", "reason", "by", "asked for", "ended")
    for one in story.refunds:
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


def shown_changes(changes: list[Entry]) -> Table:
    """Return a table of what people did."""
    shown = table("change", "time", "who")
    for one in changes:
        shown.add_row(one.action, rfc3339(one.at_ms), one.actor)
    return shown


def _time(ms: int | None) -> str:
    return "-" if ms is None else rfc3339(ms)
