"""What a payment looks like on its page: its state as a heading, a sentence, and what can be done; and its facts."""

from datetime import timedelta
from typing import Final, Literal
from urllib.parse import quote

from babel.dates import format_timedelta
from msgspec import Struct

from smsgw.domain import money
from smsgw.domain.goods import Merchant
from smsgw.domain.payments import OPEN, PAYING, Status
from smsgw.domain.wording import no_word, yes_word
from smsgw.flows.ports import Catalog
from smsgw.settings.merchant import Language
from smsgw.store.payments import PaymentRow
from smsgw.web.checkout import numbers
from smsgw.web.checkout.words import Words

Mood = Literal["ask", "work", "wait", "good", "calm", "bad"]

_MOODS: Final[dict[Status, Mood]] = {
    Status.CREATED: "work",
    Status.AWAITING: "ask",
    Status.CHARGING: "work",
    Status.UNKNOWN: "wait",
    Status.SUCCEEDED: "good",
    Status.DECLINED: "calm",
    Status.EXPIRED: "calm",
    Status.CANCELED: "calm",
    Status.FAILED: "bad",
}
FINAL: Final = frozenset({Status.SUCCEEDED, Status.DECLINED, Status.EXPIRED, Status.CANCELED, Status.FAILED})
_REFERENCE: Final = 8  # of the id's characters, for people; as in the receipt by SMS


class Ask(Struct, frozen=True, kw_only=True):
    """The question that the phone has, as far as the page repeats it."""

    word: str  # what is to be answered, with its reference
    language: Language  # of the word
    costs: str  # "": the answer is free
    refuse: str  # "": any answer costs money, also one that declines
    sms: str  # address that opens the phone's messages
    left_ms: int
    left: str  # the same in words
    clock: str  # the same as 14:59


class Panel(Struct, frozen=True, kw_only=True):
    """What is shown live."""

    status: str
    mood: Mood
    title: str
    lines: list[str]
    ask: Ask | None
    final: bool
    leaves: bool  # whether there is something to bring back to the merchant
    cancelable: bool


def panel(row: PaymentRow, merchant: Merchant, words: Words, language: Language, now_ms: int) -> Panel:
    """Return how a payment stands."""
    status = Status(row.status)
    return Panel(
        status=row.status,
        mood=_MOODS[status],
        title=_title(status, row, words),
        lines=_lines(status, row, merchant, words, language),
        ask=_ask(row, words, language, now_ms) if status is Status.AWAITING else None,
        final=status in FINAL,
        leaves=status in FINAL or status is Status.UNKNOWN,
        cancelable=status in OPEN,
    )


def version(row: PaymentRow) -> tuple[object, ...]:
    """Return what is another one when the page has something else to show."""
    return (row.status, row.seq, row.refunded_minor, row.discrepancy)


def facts(row: PaymentRow, merchant: Merchant, words: Words, language: Language, catalog: Catalog) -> dict[str, str]:
    """Return what does not change: {label: value}."""
    goods = merchant.goods.get(row.product)
    return {
        words.product: goods.title_in(language, merchant.settings.language) if goods else row.product,
        words.to: merchant.settings.title,
        words.phone: numbers.masked(row.msisdn),
        words.operator: numbers.operator(row.link, row.msisdn, catalog),
        words.short_code: row.reply_address,
        words.receipt: row.id[-_REFERENCE:].upper(),
    }


def _title(status: Status, row: PaymentRow, words: Words) -> str:
    titles = {
        Status.CREATED: words.sending_title,
        Status.AWAITING: words.answer_title.format(word=_word(row)),
        Status.CHARGING: words.charging_title,
        Status.UNKNOWN: words.unknown_title,
        Status.SUCCEEDED: words.paid_title,
        Status.DECLINED: words.declined_title,
        Status.EXPIRED: words.expired_title,
        Status.CANCELED: words.canceled_title,
        Status.FAILED: words.failed_title,
    }
    return titles[status]


def _lines(status: Status, row: PaymentRow, merchant: Merchant, words: Words, language: Language) -> list[str]:
    number, name = numbers.masked(row.msisdn), merchant.settings.title
    said = {
        Status.CREATED: words.sending.format(number=number),
        Status.AWAITING: words.answer.format(number=number, short_code=row.reply_address),
        Status.CHARGING: words.charging,
        Status.UNKNOWN: words.unknown.format(merchant=name),
        Status.SUCCEEDED: words.paid.format(merchant=name),
        Status.DECLINED: words.declined,
        Status.EXPIRED: words.expired,
        Status.CANCELED: words.canceled,
        Status.FAILED: words.failed.get(row.reason or "", words.failed[""]),
    }
    lines = [said[status]]
    if row.discrepancy is not None:
        lines.append(words.taken_after_all.format(merchant=name))
    elif status not in OPEN and status not in PAYING and not _has_cost(row, status):
        lines.append(words.nothing_charged)
    if row.refunded_minor:
        lines.append(words.refunded.format(amount=money.shown(row.refunded_minor, row.currency, language)))
    return lines


def _has_cost(row: PaymentRow, status: Status) -> bool:
    """Whether money was taken that the payment's status does not show, also when that has been settled since."""
    return row.refunded_minor > 0 or (row.way == "mo" and (status is Status.DECLINED or row.confirmed_ms is not None))


def _ask(row: PaymentRow, words: Words, language: Language, now_ms: int) -> Ask:
    left_ms = max(0, row.confirm_by_ms - now_ms)
    minutes, seconds = divmod(left_ms // 1000, 60)
    price = money.shown(row.amount_minor, row.currency, language)
    word = _word(row)
    return Ask(
        word=word,
        language=_language(row),
        costs=words.answer_costs.format(price=price) if row.way == "mo" else "",
        refuse=""
        if row.way == "mo"
        else words.no_other.format(no=f"{no_word(_language(row))} {row.reference}".strip()),
        sms=f"sms:{row.reply_address}?body={quote(word)}",
        left_ms=left_ms,
        left=words.about.format(time=format_timedelta(timedelta(milliseconds=left_ms), locale=language)),
        clock=f"{minutes}:{seconds:02}",
    )


def _word(row: PaymentRow) -> str:
    """Return the word of the question's language: the one that the phone shows."""
    return f"{yes_word(_language(row))} {row.reference}".strip()


def _language(row: PaymentRow) -> Language:
    language: Language = row.language  # type: ignore[assignment]  # the column holds nothing else
    return language
