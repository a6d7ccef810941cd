"""New payments: looked at, refused with a reason, or stored with the question that goes to the phone.

Many that wait are one transaction. Whoever asks twice with one name of the merchant's own, or while a question is open,
is told; nobody's phone is asked about two things that a bare YES could not tell apart.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct, structs

from smsgw.domain import sandbox
from smsgw.domain.goods import Goods, Merchant, Price, Terms, language_for
from smsgw.domain.payments import OPEN, Status
from smsgw.domain.wording import Say
from smsgw.errors import IdempotencyMismatch, SmsgwError, TextError
from smsgw.flows import idempotency
from smsgw.flows.amend import Refused
from smsgw.flows.idempotency import Idempotency
from smsgw.flows.payments import texts
from smsgw.flows.payments.answering import asked_name, key_of, range_name
from smsgw.flows.payments.book import HOUR_MS, Book
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.events import Payment, view
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.ids import first_of
from smsgw.settings.merchant import Language
from smsgw.store import methods, payments as store, phones, ported, redemptions
from smsgw.store.database import Transaction
from smsgw.store.methods import MethodRow
from smsgw.store.payments import PaymentRow
from smsgw.store.redemptions import Answered

_DAY_MS: Final = 86_400_000
_REFERENCES: Final = range(10, 100)
_encode_terms = msgspec.json.encode
_known = msgspec.json.Decoder(Payment)


class NewPayment(Struct, frozen=True, kw_only=True):
    """What somebody wants to be paid for."""

    merchant: str
    product: str
    msisdn: str  # digits of E.164
    merchant_reference: str
    language: Language | None = None  # None: the merchant's
    state: str = ""
    channel: str = "api"
    method: str | None = None  # the remembered number that this is
    remember: bool = False  # whether the number is to be remembered
    test: bool = False
    idempotency: Idempotency | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """A payment that was made, or had been made by the same request before."""

    payment: Payment
    repeated: bool = False


class _Facts(Struct, frozen=True, kw_only=True):
    """What the decisions of one transaction need."""

    ported: Mapping[str, str]
    blocked: set[tuple[str, str]]
    tallies: Mapping[str, tuple[int, int]]
    by_key: dict[str, list[str]]
    references: dict[tuple[str, bool, str], str]
    answered: Mapping[tuple[str, str], Answered]
    methods: dict[tuple[str, bool, str], str]  # remembered numbers, where more are to be


class Asker:
    """Makes payments.

    Args:
        ports: the world.
        catalog: merchants, links, limits.
    """

    def __init__(self, ports: Ports, catalog: Catalog) -> None:
        self._ports = ports
        self._catalog = catalog
        limits = catalog.payments
        self._blocked = tuple(number.lstrip("+") for number in limits.blocked)
        self._allowed = tuple(number.lstrip("+") for number in limits.allowed)

    async def take(
        self, transaction: Transaction, wanted: Sequence[NewPayment], now_ms: int
    ) -> tuple[list[Asked | SmsgwError], Effects]:
        """Make payments in the order in which they were asked for; a refusal takes nothing with it."""
        book = Book(self._ports, self._catalog, now_ms)
        facts = await self._read(transaction, wanted, book, now_ms)
        results: list[Asked | SmsgwError] = []
        answers: dict[tuple[str, str], Answered] = {}
        remembered: list[MethodRow] = []
        for one in wanted:
            try:
                results.append(self._take(book, one, facts, answers, remembered))
            except (Refused, IdempotencyMismatch) as error:
                results.append(error)
        effects = await book.write(transaction)
        await methods.insert(transaction, remembered)
        await redemptions.remember(transaction, list(answers.values()), [])
        return results, effects

    async def _read(self, transaction: Transaction, wanted: Sequence[NewPayment], book: Book, now_ms: int) -> _Facts:
        numbers = {one.msisdn for one in wanted}
        await store.lock_phones(transaction, numbers)
        moved = await ported.lookup(transaction, numbers)
        keys = {
            key_of(link, address, one.msisdn)
            for one in wanted
            for link, addresses in self._addresses(one, moved).items()
            for address in addresses
        }
        rows = await store.by_phones(transaction, keys, first_of("pay", now_ms - _DAY_MS))
        book.know(rows)
        by_key: dict[str, list[str]] = {}
        for row in rows:
            by_key.setdefault(row.address_key, []).append(row.id)
        references: dict[tuple[str, bool, str], str] = {}
        for merchant, test in sorted({(one.merchant, one.test) for one in wanted}):
            names = {one.merchant_reference for one in wanted if (one.merchant, one.test) == (merchant, test)}
            found = await store.by_references(transaction, merchant, names, test=test)
            references |= {(merchant, test, name): payment for name, payment in found.items()}
        asked = [one.idempotency for one in wanted if one.idempotency]
        names = {name for one in wanted for name in _tallies(one)}
        return _Facts(
            ported=moved,
            blocked=await phones.blocked(transaction, numbers),
            tallies=await phones.tallies(transaction, names, now_ms // HOUR_MS),
            by_key=by_key,
            references=references,
            answered=await redemptions.answered(
                transaction, sorted({one.caller for one in asked}), sorted({one.key for one in asked})
            ),
            methods=await self._remembered(transaction, wanted),
        )

    async def _remembered(
        self, transaction: Transaction, wanted: Sequence[NewPayment]
    ) -> dict[tuple[str, bool, str], str]:
        """Return the remembered numbers that are to be remembered again."""
        found = {}
        for merchant, test, msisdn in sorted({(one.merchant, one.test, one.msisdn) for one in wanted if one.remember}):
            row = await methods.of_phone(transaction, merchant, msisdn, test=test)
            if row is not None:
                found[merchant, test, msisdn] = row.id
        return found

    def _addresses(self, one: NewPayment, moved: Mapping[str, str]) -> dict[str, list[str]]:
        """Return where a question may come from: {link: reply addresses}."""
        try:
            link, price = self._price(one, moved)
        except Refused:
            return {}
        return {link: self._reply_addresses(self._catalog.merchants[one.merchant], price)}

    def _reply_addresses(self, merchant: Merchant, price: Price) -> list[str]:
        if price.terms.way == "mo":
            return [price.terms.short_code]
        return list(merchant.settings.reply_addresses)

    # One

    def _take(
        self,
        book: Book,
        one: NewPayment,
        facts: _Facts,
        answers: dict[tuple[str, str], Answered],
        remembered: list[MethodRow],
    ) -> Asked:
        before = self._repeated(one, facts, answers)
        if before is not None:
            return before
        row = self._new(book, one, facts)
        if one.remember:
            row = self._remember(row, facts, remembered)
        goods = self._catalog.merchants[one.merchant].goods[one.product]
        told = {"channel": one.channel, "title": goods.title, "terms": row.charge}
        words = texts.Words(self._ports, self._catalog, self._catalog.merchants[one.merchant], row, book.now_ms)
        try:
            question = words.question()
        except TextError as error:
            raise Refused("operator_not_supported", f"the question cannot be sent to this operator: {error}") from None
        book.add(row, {**told, "prompt": words.of(Say.PROMPT)})
        book.send(question)
        for name in _tallies(one):
            book.count(name, asked=1)
        facts.by_key.setdefault(row.address_key, []).append(row.id)
        facts.references[one.merchant, one.test, one.merchant_reference] = row.id
        made = view(row)
        if one.idempotency is not None:
            asked = one.idempotency
            answer = msgspec.json.encode(made)
            answers[asked.caller, asked.key] = idempotency.answered(self._ports, asked, answer, book.now_ms)
        return Asked(payment=made)

    def _remember(self, row: PaymentRow, facts: _Facts, remembered: list[MethodRow]) -> PaymentRow:
        """Return a payment that is made with the remembered number which it makes, or which there is."""
        place = (row.merchant, bool(row.test), row.msisdn)
        if place not in facts.methods:
            remembered.append(_method(self._ports, row))
            facts.methods[place] = remembered[-1].id
        return structs.replace(row, method=facts.methods[place])

    def _repeated(self, one: NewPayment, facts: _Facts, answers: Mapping[tuple[str, str], Answered]) -> Asked | None:
        asked = one.idempotency
        if asked is None:
            return None
        place = (asked.caller, asked.key)
        known = answers.get(place) or facts.answered.get(place)
        if known is None:
            return None
        if not idempotency.is_same(self._ports, asked, known):
            raise IdempotencyMismatch("this Idempotency-Key was used with another request")
        return Asked(payment=_known.decode(known.answer), repeated=True)

    def _new(self, book: Book, one: NewPayment, facts: _Facts) -> PaymentRow:
        """Return a payment that may be made.

        Raises:
            Refused: it may not.
        """
        merchant = self._merchant(one)
        link, price = self._price(one, facts.ported)
        used = facts.references.get((one.merchant, one.test, one.merchant_reference))
        if used is not None:
            raise Refused("reference_used", f"the payment {used} has this merchant_reference; take a new one")
        self._see_whether_allowed(book, one, facts, link)
        address, reference = self._place(book, one, facts, link=link, price=price)
        goods = merchant.goods[one.product]
        limits, now_ms = self._catalog.payments, book.now_ms
        language = language_for(merchant.settings, one.language)
        return PaymentRow(
            id=self._ports.ids.new("pay"),
            merchant=one.merchant,
            test=int(one.test),
            product=one.product,
            units=goods.units,
            tariff=price.tariff,
            amount_minor=price.amount_minor,
            currency=price.currency,
            link=link,
            msisdn=one.msisdn,
            language=language,
            way=price.terms.way,
            charge=_encode_terms(price.terms).decode(),
            reply_address=address,
            address_key=key_of(link, address, one.msisdn),
            reference=reference,
            merchant_reference=one.merchant_reference,
            state=one.state,
            channel=one.channel,
            method=one.method,
            status=Status.CREATED.value,
            reason=None,
            seq=0,
            facts=0,
            created_ms=now_ms,
            confirm_by_ms=now_ms + int(limits.confirm_s * 1000),
            prompted_ms=None,
            confirmed_ms=None,
            settled_ms=None,
            due_ms=now_ms + int(limits.prompt_s * 1000),
            refunded_minor=0,
            discrepancy=None,
        )

    def _merchant(self, one: NewPayment) -> Merchant:
        merchant = self._catalog.merchants.get(one.merchant)
        if merchant is None:
            raise Refused("merchant_gone", "this merchant sells nothing any more")
        return merchant

    def price_of(
        self, merchant: str, product: str, msisdn: str, moved: Mapping[str, str], *, test: bool
    ) -> tuple[str, Price]:
        """Return the operator of a phone, and what a product costs there.

        Raises:
            Refused: there is no such operator, or no such price.
        """
        one = NewPayment(merchant=merchant, product=product, msisdn=msisdn, merchant_reference="", test=test)
        return self._price(one, moved)

    def _price(self, one: NewPayment, moved: Mapping[str, str]) -> tuple[str, Price]:
        goods = self._merchant(one).goods.get(one.product)
        if goods is None:
            raise Refused("product_unknown", f'there is no product "{one.product}"')
        if one.test:
            return self._test_price(one, goods)
        link = moved.get(one.msisdn) or self._catalog.operators.of(one.msisdn)
        # A number may have moved to a link that is in the settings no more.
        if link is None or link not in self._catalog.links or self._catalog.links[link].test:
            raise Refused("operator_unknown", "this number is of no operator that we are connected to")
        price = goods.prices.get(link)
        if price is None:
            raise Refused("operator_not_supported", "this product cannot be paid by phones of this operator")
        return link, price

    def _test_price(self, one: NewPayment, goods: Goods) -> tuple[str, Price]:
        """Return what a test costs: the price of the phone's operator if it has one, charged by a simulated one."""
        simulated = sorted(name for name, link in self._catalog.links.items() if link.test)
        otherwise = sandbox.for_tests(self._catalog.links)
        if otherwise is None:
            raise Refused("operator_unknown", "there is no simulated operator; carrier staff can enable [sandbox]")
        for link in simulated:
            if link in goods.prices:
                return link, goods.prices[link]
        real = self._catalog.operators.of(one.msisdn) or ""
        price = goods.prices.get(real) or goods.prices[min(goods.prices)] if goods.prices else None
        if price is None:
            raise Refused("operator_not_supported", "this product has no price at any operator")
        return otherwise, structs.replace(price, terms=_simulated(price.terms, self._merchant(one)))

    def _see_whether_allowed(self, book: Book, one: NewPayment, facts: _Facts, link: str) -> None:
        limits, phone = self._catalog.payments, one.msisdn
        if phone.startswith(self._blocked) or not facts.blocked.isdisjoint(
            {(phone, sandbox.apart(name, test=one.test)) for name in (one.merchant, "")}
        ):
            raise Refused("number_blocked", "this phone wants no questions; START from it brings them back")
        if phone.startswith(self._allowed) and self._allowed:
            return
        rest_ms = HOUR_MS - book.now_ms % HOUR_MS
        for name, most in zip(_tallies(one), (limits.prompts_per_number, limits.prompts_per_range), strict=True):
            asked, answered = facts.tallies.get(name, (0, 0))
            extra = book.counted(name)
            if most and asked - answered + extra >= most:
                raise Refused("too_many_prompts", "too many questions without an answer in this hour", rest_ms)
        self._see_whether_new(book, one, facts, link)

    def _see_whether_new(self, book: Book, one: NewPayment, facts: _Facts, link: str) -> None:
        """A phone that has never answered is asked once, and then not for a while."""
        pause_ms = int(self._catalog.payments.first_seen_s * 1000)
        if not pause_ms:
            return
        merchant = self._catalog.merchants[one.merchant]
        _, price = self._price(one, facts.ported)
        keys = [key_of(link, address, one.msisdn) for address in self._reply_addresses(merchant, price)]
        rows = [book.row(name) for key in keys for name in facts.by_key.get(key, [])]
        if not rows or any(row.confirmed_ms is not None for row in rows):
            return
        wait_ms = max(row.created_ms for row in rows) + pause_ms - book.now_ms
        if wait_ms > 0:
            raise Refused("too_many_prompts", "this phone was asked for the first time a moment ago", wait_ms)

    def _place(self, book: Book, one: NewPayment, facts: _Facts, *, link: str, price: Price) -> tuple[str, str]:
        """Return a reply address and a reference that no open question of this phone has.

        Raises:
            Refused: there is none.
        """
        open_one, merchant = "", self._catalog.merchants[one.merchant]
        for address in self._reply_addresses(merchant, price):
            names = facts.by_key.get(key_of(link, address, one.msisdn), [])
            standing = [row for row in map(book.row, names) if Status(row.status) in OPEN]
            if merchant.settings.references:
                taken = {
                    row.reference for row in (book.row(name) for name in names)
                }  # not one of today's, if it can be
                free = [number for number in map(str, _REFERENCES) if number not in taken]
                free = free or [
                    number for number in map(str, _REFERENCES) if number not in {row.reference for row in standing}
                ]
                if free and not any(not row.reference for row in standing):
                    return address, free[int(self._ports.random() * len(free))]
            elif not standing:
                return address, ""
            open_one = standing[-1].id if standing else open_one
        mine = book.find(open_one)
        named = f"the payment {open_one}" if mine is not None and mine.merchant == one.merchant else "another payment"
        raise Refused("confirmation_open", f"{named} waits for this phone's answer; try again when it has ended")


def _tallies(one: NewPayment) -> tuple[str, str]:
    """Return under which names a question is counted: those of its phone, and of the numbers around it."""
    return asked_name(one.msisdn, test=one.test), range_name(one.msisdn, test=one.test)


def _simulated(terms: Terms, merchant: Merchant) -> Terms:
    """Return the terms of the built-in simulated operator: a billed message, proven by its receipt."""
    return Terms(
        profile="sandbox",
        way="mt",
        proof="receipt",
        short_code=terms.short_code if terms.way == "mt" else merchant.settings.reply_addresses[0],
        service_type=sandbox.SERVICE_TYPE,
        validity_ms=60_000,
        receipt_grace_ms=60_000,
        user_message_reference=True,
        max_tries=3,
    )


def _method(ports: Ports, row: PaymentRow) -> MethodRow:
    return MethodRow(
        id=ports.ids.new("pm"),
        merchant=row.merchant,
        test=row.test,
        msisdn=row.msisdn,
        link=row.link,
        created_ms=row.created_ms,
        verified_ms=None,
        removed_ms=None,
    )
