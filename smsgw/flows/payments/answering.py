"""Answers from phones: what each means, which payment it moves, what its sender is told for nothing.

Called in the transaction that stores the messages, after redeliveries have been taken out: an answer counts once.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Final

from msgspec import Struct

from smsgw.domain import reply_addresses, sandbox, wording
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
from smsgw.kit.logs import get_logger
from smsgw.settings.merchant import Language
from smsgw.store import payments as store, phones
from smsgw.store.database import Transaction
from smsgw.store.payments import Paid, PaymentRow

log = get_logger(__name__)

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
    billed: bool = False  # the operator has taken money for it
    otherwise: list[Outgoing]  # what is answered when no question is open and it is none of the words


class Heard(Struct, frozen=True, kw_only=True):
    """What came of a reply."""

    outcome: str
    merchant: str | None
    answers: list[Outgoing]
    payment: str | None = None


def key_of(link: str, address: str, msisdn: str) -> str:
    """Return what a phone's questions at one reply address have in common."""
    return f"{link}\x1f{address}\x1f{msisdn}"


class Ear:
    """Takes answers.

    Args:
        ports: the world.
        catalog: merchants, links, limits.
        cashbox: makes money of a YES.
        sent: payments whose question has left us; of those that no SMSC has taken yet it decides whether a YES can be
            an answer.
    """

    def __init__(self, ports: Ports, catalog: Catalog, cashbox: Cashbox, sent: Container[str] = ()) -> None:
        self._ports = ports
        self._catalog = catalog
        self._cashbox = cashbox
        self._sent = sent

    async def take(
        self, transaction: Transaction, replies: Sequence[Reply], now_ms: int
    ) -> tuple[list[Heard], Effects | None]:
        """Take replies in the order in which they came.

        Returns:
            What came of each; its answers are not stored yet. And what is to be done after the commit.
        """
        if not replies:
            return [], None
        numbers = {one.msisdn for one in replies}
        await store.lock_phones(transaction, numbers)
        book = Book(self._ports, self._catalog, now_ms)
        after = first_of("pay", now_ms - REMEMBERED_MS)
        stopped = {one.msisdn for one in replies if one.answer is not None and one.answer.kind is Kind.STOP}
        keys = {one.address_key for one in replies}
        await book.load(transaction, await store.heard_about(transaction, keys, after, stopped))
        rows = [row for row in book.rows if row.address_key in keys and row.id > after]
        paid = await store.paid(transaction, numbers, self._cashbox.month_began_ms(now_ms))
        names = {self._tally(one) for one in replies}
        told = {
            name: asked for name, (asked, _) in (await phones.tallies(transaction, names, now_ms // HOUR_MS)).items()
        }
        by_key: dict[str, list[str]] = {}
        for row in rows:
            by_key.setdefault(row.address_key, []).append(row.id)
        heard = [self._take(book, one, by_key.get(one.address_key, []), paid, told) for one in replies]
        return heard, await book.write(transaction)

    def _take(self, book: Book, one: Reply, ids: Sequence[str], paid: Sequence[Paid], told: dict[str, int]) -> Heard:
        grace_ms = int(self._catalog.payments.grace_s * 1000)
        asked = [_asked(book.row(name), grace_ms, self._sent) for name in ids]
        ruling = judge(one.answer, asked, one.received_ms)
        row = book.find(ruling.payment) if ruling.payment else None
        if one.answer is None and row is None:
            if one.billed:
                self._notice_billed(book, one, row)
            return Heard(outcome="unknown_keyword", merchant=None, answers=one.otherwise)
        say = self._act(book, one, ruling, row, paid)
        if row is not None and say in _CLAIMING and _is_more(row, one):
            say = Say.ABOUT
        if one.billed and ruling.deed is not Deed.CONFIRM:
            self._notice_billed(book, one, row)
        answers = self._say(book, one, row, say, told) if say is not None else []
        return Heard(
            outcome=f"payment_{ruling.deed.value}",
            merchant=row.merchant if row else None,
            answers=answers,
            payment=row.id if row else None,
        )

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
            test = self._is_test(one)
            for name in self._askers(one.to) | {row.merchant if row is not None else ""}:
                book.unblock(one.msisdn, sandbox.apart(name, test=test))
            return Say.STARTED
        if row is None:
            return Say.HELP_NOTHING if deed is Deed.HELP else Say.NOTHING
        if deed is Deed.CONFIRM:
            book.count(asked_name(row.msisdn, test=bool(row.test)), answered=1)
            book.count(range_name(row.msisdn, test=bool(row.test)), answered=1)
            self._cashbox.confirm(book, row.id, paid, evidence)
            return None
        if deed is Deed.DECLINE:
            book.move(row.id, Fact.DECLINED, evidence)
            return Say.DECLINED_BILLED if one.billed else Say.DECLINED
        book.note(row.id, Fact.ANSWERED, evidence)
        return _SAY.get(deed)

    def _askers(self, to: Answerable) -> set[str]:
        """Return who asks from an address, and "" for a block of all: a START may come long after the last question."""
        place, simulated = (to.link, to.destination), sandbox.for_tests(self._catalog.links)
        merchants = self._catalog.merchants.items()
        return {"", *(name for name, one in merchants if place in reply_addresses.index({name: one}, simulated))}

    def _notice_billed(self, book: Book, one: Reply, row: PaymentRow | None) -> None:
        """Where the operator bills answers, one that paid for nothing has cost money all the same, whatever it says."""
        if row is None or book.terms(row).way != "mo":
            log.error("charge.stray", mo=one.mo, link=one.to.link)
        else:
            self._cashbox.discrepancy(book, row.id, {"mo": one.mo, "by": "answer"}, others=True)

    def _stop(self, book: Book, one: Reply, row: PaymentRow | None, evidence: dict[str, object]) -> None:
        """Ask this phone no more: for the merchant of the latest question, or, where there was none, for anybody.

        Whatever that merchant has asked it is declined, at this and at other reply addresses.
        """
        merchant = row.merchant if row is not None else ""
        test = self._is_test(one)
        book.block(one.msisdn, sandbox.apart(merchant, test=test), one.mo)
        for other in book.rows:
            theirs = other.msisdn == one.msisdn and merchant in {"", other.merchant} and bool(other.test) == test
            if theirs and Status(other.status) in OPEN:
                book.move(other.id, Fact.DECLINED, evidence)

    def _is_test(self, one: Reply) -> bool:
        """Whether a reply comes from a simulated phone."""
        link = self._catalog.links.get(one.to.link)
        return link is not None and link.test

    def _tally(self, one: Reply) -> str:
        return sandbox.apart(f"free {one.msisdn}", test=self._is_test(one))

    def _evidence(self, one: Reply, deed: Deed) -> dict[str, object]:
        return {"mo": one.mo, "answer": one.text[:_LONGEST_KEPT], "received_ms": one.received_ms, "deed": deed.value}

    def _say(self, book: Book, one: Reply, row: PaymentRow | None, say: Say, told: dict[str, int]) -> list[Outgoing]:
        """Answer for nothing, a few times an hour; machines that answer answers are not talked to for ever."""
        name = self._tally(one)
        most = self._catalog.payments.answers_per_number + (_ACKNOWLEDGED if say in _OWED else 0)
        if told.get(name, 0) >= most:
            return []
        told[name] = told.get(name, 0) + 1
        book.count(name, asked=1)
        words = book.texts(row) if row is not None else None
        text = words.of(say) if words else _plain(say, one)
        return texts.reply(self._ports, one.to, text, book.now_ms, row.id if row else None)


# What says that a question stands, or that nothing was charged.
_CLAIMING: Final = frozenset({Say.HELP, Say.TOO_LATE})


def _is_more(row: PaymentRow, one: Reply) -> bool:
    """Whether there is more to a payment than a question: it was confirmed, or the answer itself has cost money."""
    return row.confirmed_ms is not None or one.billed or (Status(row.status) not in OPEN and _asks_for_help(one))


def _asks_for_help(one: Reply) -> bool:
    return one.answer is not None and one.answer.kind is Kind.HELP


_OWED: Final = frozenset({Say.STOPPED, Say.STARTED})
_ACKNOWLEDGED: Final = 5  # of these in an hour, beyond the answers that need not be

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
    language: Language = "en" if "en" in one.languages else one.languages[0]
    nobody = {"merchant": one.to.destination, "address": one.to.destination, "product": "", "price": "", "support": ""}
    words = {"yes": wording.yes_word(language), "no": wording.no_word(language), "reference": ""}
    return wording.say(say, language, nobody | words)


def _asked(row: PaymentRow, grace_ms: int, sent: Container[str]) -> Asked:
    return Asked(
        id=row.id,
        merchant=row.merchant,
        status=Status(row.status),
        reference=row.reference,
        until_ms=row.confirm_by_ms + grace_ms,
        prompted_ms=row.prompted_ms,
        sent=row.prompted_ms is not None or row.id in sent,
        test=bool(row.test),
        confirmed_ms=row.confirmed_ms,
        settled_ms=row.settled_ms,
    )


def asked_name(msisdn: str, *, test: bool) -> str:
    """Return under which name the questions to a phone are counted."""
    return sandbox.apart(f"phone {msisdn}", test=test)


def range_name(msisdn: str, *, test: bool) -> str:
    """Return under which name the questions to numbers alike but for three digits are counted."""
    return sandbox.apart(f"range {msisdn[:-3]}", test=test)
