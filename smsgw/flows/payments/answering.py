"""Answers from phones: what each means, which payment it moves, what its sender is told for nothing.

Called in the transaction that stores the messages, after redeliveries have been taken out: an answer counts once.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from smsgw.domain import wording
from smsgw.domain.answers import REMEMBERED_MS, Asked, Deed, Ruling, judge
from smsgw.domain.consent import Answer, Kind
from smsgw.domain.payments import OPEN, Fact, Status
from smsgw.domain.wording import Say
from smsgw.flows.outgoing import Answerable, Outgoing
from smsgw.flows.payments import texts
from smsgw.flows.payments.book import HOUR_MS, Book
from smsgw.flows.payments.charging import Cashbox
from smsgw.flows.payments.effects import Effects
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.ids import first_of
from smsgw.settings.merchant import Language
from smsgw.store import payments as store
from smsgw.store.database import Transaction
from smsgw.store.payments import Paid, PaymentRow

_LONGEST_KEPT: Final = 200  # characters of an answer that are kept as evidence; a plain one has fewer


class Reply(Struct, frozen=True, kw_only=True):
    """A message at an address where questions are answered."""

    mo: str
    to: Answerable
    msisdn: str  # digits of E.164
    address_key: str
    answer: Answer | None  # None: none of the words
    text: str
    received_ms: int
    languages: tuple[Language, ...]  # of the questions that are asked from there
    otherwise: list[Outgoing]  # what is answered when no question is open and it is none of the words


class Heard(Struct, frozen=True, kw_only=True):
    """What came of a reply."""

    outcome: str
    merchant: str | None
    answers: list[Outgoing]


def key_of(link: str, address: str, msisdn: str) -> str:
    """Return what a phone's questions at one reply address have in common."""
    return f"{link}\x1f{address}\x1f{msisdn}"


class Ear:
    """Takes answers.

    Args:
        ports: the world.
        catalog: merchants, links, limits.
        cashbox: makes money of a YES.
    """

    def __init__(self, ports: Ports, catalog: Catalog, cashbox: Cashbox) -> None:
        self._ports = ports
        self._catalog = catalog
        self._cashbox = cashbox

    async def take(
        self, transaction: Transaction, replies: Sequence[Reply], now_ms: int
    ) -> tuple[list[Heard], Effects | None]:
        """Take replies in the order in which they came.

        Returns:
            What came of each; its answers are not stored yet. And what is to be done after the commit.
        """
        if not replies:
            return [], None
        phones = {one.msisdn for one in replies}
        await store.lock_phones(transaction, phones)
        book = Book(self._ports, self._catalog, now_ms)
        after = first_of("pay", now_ms - REMEMBERED_MS)
        rows = await store.by_phones(transaction, {one.address_key for one in replies}, after)
        book.know(rows)
        stopped = {one.msisdn for one in replies if one.answer is not None and one.answer.kind is Kind.STOP}
        book.know(await store.open_of_phones(transaction, stopped))
        await book.load_charges(transaction, [row.id for row in book.rows])
        paid = await store.paid(transaction, phones, self._cashbox.month_began_ms(now_ms))
        names = {_tally(one.msisdn) for one in replies}
        told = {
            name: asked for name, (asked, _) in (await store.tallies(transaction, names, now_ms // HOUR_MS)).items()
        }
        by_key: dict[str, list[str]] = {}
        for row in rows:
            by_key.setdefault(row.address_key, []).append(row.id)
        heard = [self._take(book, one, by_key.get(one.address_key, []), paid, told) for one in replies]
        return heard, await book.write(transaction)

    def _take(self, book: Book, one: Reply, ids: Sequence[str], paid: Sequence[Paid], told: dict[str, int]) -> Heard:
        grace_ms = int(self._catalog.payments.grace_s * 1000)
        ruling = judge(one.answer, [_asked(book.row(name), grace_ms) for name in ids], one.received_ms)
        row = book.find(ruling.payment) if ruling.payment else None
        if one.answer is None and row is None:
            return Heard(outcome="unknown_keyword", merchant=None, answers=one.otherwise)
        say = self._act(book, one, ruling, row, paid)
        answers = self._say(book, one, row, say, told) if say is not None else []
        return Heard(outcome=f"payment_{ruling.deed.value}", merchant=row.merchant if row else None, answers=answers)

    def _act(
        self,
        book: Book,
        one: Reply,
        ruling: Ruling,
        row: PaymentRow | None,
        paid: Sequence[Paid],
    ) -> Say | None:
        """Do what an answer does; return what its sender is told for nothing, None: nothing."""
        deed = ruling.deed
        evidence = self._evidence(one, deed)
        if deed is Deed.STOP:
            self._stop(book, one, row, evidence)
            return Say.STOPPED
        if deed is Deed.START:
            book.unblock(one.msisdn, "")
            if row is not None:
                book.unblock(one.msisdn, row.merchant)
            return Say.STARTED
        if row is None:
            return Say.HELP_NOTHING if deed is Deed.HELP else Say.NOTHING
        if deed is Deed.CONFIRM:
            book.count(asked_name(row.msisdn), answered=1)
            book.count(range_name(row.msisdn), answered=1)
            self._cashbox.confirm(book, row.id, paid, evidence | self._question(book, row))
            return None
        if deed is Deed.DECLINE:
            book.move(row.id, Fact.DECLINED, evidence)
            return Say.DECLINED
        book.note(row.id, Fact.ANSWERED, evidence)
        self._notice_billed(book, one, deed, row)
        return _SAY.get(deed)

    def _notice_billed(self, book: Book, one: Reply, deed: Deed, row: PaymentRow) -> None:
        """A YES that its operator bills has cost money, whatever it means to us."""
        terms = book.terms(row)
        billed = terms.way == "mo" and one.to.destination.lstrip("+") == terms.short_code
        if billed and deed in {Deed.AGAIN, Deed.LATE} and one.answer is not None and one.answer.kind is Kind.YES:
            self._cashbox.discrepancy(book, row.id, {"mo": one.mo, "by": "answer"})

    def _stop(self, book: Book, one: Reply, row: PaymentRow | None, evidence: dict[str, object]) -> None:
        """Ask this phone no more: for the merchant of the latest question, or, where there was none, for anybody.

        Whatever that merchant has asked it is declined, at this and at other reply addresses.
        """
        merchant = row.merchant if row is not None else ""
        book.block(one.msisdn, merchant, one.mo)
        for other in book.rows:
            theirs = other.msisdn == one.msisdn and merchant in {"", other.merchant}
            if theirs and Status(other.status) in OPEN:
                book.move(other.id, Fact.DECLINED, evidence)

    def _evidence(self, one: Reply, deed: Deed) -> dict[str, object]:
        return {"mo": one.mo, "answer": one.text[:_LONGEST_KEPT], "received_ms": one.received_ms, "deed": deed.value}

    def _question(self, book: Book, row: PaymentRow) -> dict[str, object]:
        words = book.texts(row)
        return {"prompt": words.of(Say.PROMPT)} if words else {}

    def _say(self, book: Book, one: Reply, row: PaymentRow | None, say: Say, told: dict[str, int]) -> list[Outgoing]:
        """Answer for nothing, a few times an hour; machines that answer answers are not talked to for ever."""
        name = _tally(one.msisdn)
        if told.get(name, 0) >= self._catalog.payments.answers_per_number:
            return []
        told[name] = told.get(name, 0) + 1
        book.count(name, asked=1)
        words = book.texts(row) if row is not None else None
        text = words.of(say) if words else _plain(say, one)
        return texts.reply(self._ports, one.to, text, book.now_ms, row.id if row else None)


_SAY: Final[Mapping[Deed, Say | None]] = {
    Deed.HELP: Say.HELP,
    Deed.WHICH: Say.WHICH,
    Deed.CROSSED: Say.AGAIN,
    Deed.PLAINLY: Say.PLAINLY,
    Deed.LATE: Say.TOO_LATE,
    Deed.AGAIN: None,  # recorded only
    Deed.NOTHING: Say.NOTHING,
}


def _plain(say: Say, one: Reply) -> str:
    """Return a text that names no payment, in the first language of the address."""
    language = one.languages[0]
    nobody = {"merchant": one.to.destination, "product": "", "price": "", "support": ""}
    words = {"yes": wording.yes_word(language), "no": wording.no_word(language), "reference": ""}
    return wording.say(say, language, nobody | words)


def _asked(row: PaymentRow, grace_ms: int) -> Asked:
    return Asked(
        id=row.id,
        merchant=row.merchant,
        status=Status(row.status),
        reference=row.reference,
        until_ms=row.confirm_by_ms + grace_ms,
        prompted_ms=row.prompted_ms,
        confirmed_ms=row.confirmed_ms,
        settled_ms=row.settled_ms,
    )


def _tally(msisdn: str) -> str:
    return f"free {msisdn}"


def asked_name(msisdn: str) -> str:
    """Return under which name the questions to a phone are counted."""
    return f"phone {msisdn}"


def range_name(msisdn: str) -> str:
    """Return under which name the questions to numbers alike but for three digits are counted."""
    return f"range {msisdn[:-3]}"
