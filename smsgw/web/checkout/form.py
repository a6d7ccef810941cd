"""Where a buyer begins: /pay/<merchant> shows the goods and takes the number, on two pages or on one.

What is sold and what it costs comes from the settings alone; the form says only which product it is. A refusal comes
back with the form as it was filled in, with one sentence at the field that it is about.
"""

import asyncio
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct, structs

from smsgw.domain import money
from smsgw.domain.goods import Goods, Merchant
from smsgw.domain.payments import OPEN
from smsgw.errors import IdempotencyMismatch, SmsgwError
from smsgw.flows import idempotency
from smsgw.flows.amend import Refused
from smsgw.flows.payments import methods, pages, remembered, tries
from smsgw.flows.payments.asking import NewPayment
from smsgw.flows.payments.events import Payment
from smsgw.flows.payments.remembered import Remembered
from smsgw.flows.payments.tries import Unfit
from smsgw.kit.logs import get_logger
from smsgw.settings.merchant import Language
from smsgw.web.checkout import languages, numbers
from smsgw.web.checkout.cookies import Cookies, random_text
from smsgw.web.checkout.crowds import Crowds
from smsgw.web.checkout.room import Room
from smsgw.web.checkout.view import View
from smsgw.web.checkout.words import WORDS, Words
from smsgw.web.verify import is_state, visitor_of

log = get_logger(__name__)

Field = Literal["product", "number", "form"]  # what a sentence is about

# Too slow, not a form, an unknown charset, not compressed as it says, cut short.
_NO_FORM: Final = (TimeoutError, ValueError, LookupError, web.RequestPayloadError, ConnectionError)
_REFERENCE = re.compile(r"[!-}]{1,100}").fullmatch  # visible ASCII without ~, which numbers further tries
_KEY = re.compile(r"[0-9A-Za-z_-]{24}").fullmatch
_LONGEST_TYPED: Final = 60
_DIGEST: Final = 24  # hexadecimal digits that tell requests of one form apart

_FIELDS: Final[Mapping[str, Field]] = {
    "choose_first": "product",
    "product_unknown": "product",
    "operator_not_supported": "product",
    "number_missing": "number",
    "number_invalid": "number",
    "number_ambiguous": "number",
    "operator_unknown": "number",
    "number_blocked": "number",
    "too_many_prompts": "number",
    "confirmation_open": "number",
}
_STATUS: Final[Mapping[str, int]] = {"slow_down": 429, "busy": 503, "form_expired": 403}
_OTHERS: Final[Mapping[str, str]] = {"service_gone": "product_unknown"}


class Filled(Struct, frozen=True, kw_only=True):
    """What stands in the form, and what came along with the visitor; all of it hostile until `_filled` has seen it."""

    product: str = ""
    number: str = ""
    remember: bool = False
    other: bool = False  # another number than the remembered one
    reference: str = ""
    state: str = ""
    layout: str = ""
    key: str = ""

    @property
    def carried(self) -> dict[str, str]:
        """What every address of this visit carries on."""
        carried = {"reference": self.reference, "state": self.state, "layout": self.layout}
        return {name: value for name, value in carried.items() if value}


class Form:
    """GET and POST /pay/<merchant>."""

    def __init__(self, room: Room, view: View) -> None:
        self._room = room
        self._view = view
        self._crowds = Crowds()

    async def get(self, request: web.Request) -> web.Response:
        """Show the goods, or the number's page."""
        visit = await self._visit(request)
        if isinstance(visit, web.Response):
            return visit
        filled = _filled(request.query, visit.merchant)
        if filled is None:
            return self._view.plain(request, "nothing", 400, visit.merchant)
        filled = structs.replace(filled, number="")  # numbers do not belong into addresses
        return await self._show(visit, filled)

    async def post(self, request: web.Request) -> web.Response:
        """Take what was filled in: begin a payment, or say why not."""
        visit = await self._visit(request)
        if isinstance(visit, web.Response):
            return visit
        try:
            async with asyncio.timeout(self._room.body_timeout_s):
                fields = await request.post()
        except _NO_FORM:
            return self._view.plain(request, "nothing", 400, visit.merchant)
        texts = {name: value for name, value in fields.items() if isinstance(value, str)}
        filled = _filled(texts, visit.merchant)
        if filled is None:
            return self._view.plain(request, "nothing", 400, visit.merchant)
        try:
            return await self._do(visit, filled, texts)
        except Refused as refusal:
            return await self._show(visit, filled, refusal.reason)

    async def _visit(self, request: web.Request) -> "_Visit | web.Response":
        merchant = self._room.catalog.merchants.get(request.match_info["merchant"])
        if merchant is None:
            return self._view.plain(request, "nothing", 404)
        if not merchant.settings.checkout_open:
            return self._view.plain(request, "closed", 403, merchant)
        cookies = Cookies(request, self._room)
        known = await remembered.number_of(self._room.ports, merchant, cookies.number(merchant.name))
        language = languages.choose(request, merchant.settings.language)
        return _Visit(request=request, merchant=merchant, cookies=cookies, language=language, known=known)

    # What is asked for

    async def _do(self, visit: "_Visit", filled: Filled, texts: Mapping[str, str]) -> web.Response:
        """Do what a button says.

        Raises:
            Refused: the payment may not be made.
        """
        what = texts.get("do", "pay")
        if what == "language":  # its address says which; what was typed is kept
            return await self._show(visit, filled)
        if not visit.cookies.is_own(visit.merchant.name, texts.get("token", "")) or not filled.key:
            raise Unfit("form_expired", "the form was not shown in this browser")
        if what == "other":
            return await self._show(visit, structs.replace(filled, other=True))
        if what == "forget":
            if visit.known is not None:
                await methods.remove(self._room.ports, visit.known.method, "buyer")
            visit.cookies.forget_number(visit.merchant.name)
            visit.known = None
            return await self._show(visit, filled, forgotten=True)
        try:
            return await self._pay(visit, filled)
        except (SmsgwError, TimeoutError, asyncio.QueueFull) as error:
            if isinstance(error, Refused):
                raise
            log.warning("checkout.put_off", merchant=visit.merchant.name, error=type(error).__name__)
            raise Unfit("busy", "the store is not available") from None

    async def _pay(self, visit: "_Visit", filled: Filled) -> web.Response:
        room, merchant = self._room, visit.merchant
        goods = merchant.goods.get(filled.product)
        if goods is None or not goods.prices:
            raise Unfit("product_unknown" if filled.product else "choose_first", "nothing that is sold was chosen")
        known = None if filled.other else visit.known
        msisdn = known.msisdn if known else numbers.read(filled.number, visit.countries(room), room.catalog)
        visitor = visitor_of(visit.request, room.proxies)
        if not self._crowds.may(visitor, merchant.name, room.ports.clock.now_ms()):
            raise Unfit("slow_down", "too many numbers from there")
        remember = filled.remember and merchant.settings.remember_numbers
        # One form is one payment, however often it is sent; filled in anew it is another one.
        told = f"{filled.product}\x1f{msisdn}\x1f{filled.reference}\x1f{filled.state}"
        digest = sha256(f"{filled.key}\x1f{told}".encode("utf-8", "replace")).hexdigest()[:_DIGEST]
        once = idempotency.asked(f"{merchant.name} checkout", test=False, key=digest, request=told)
        wanted = NewPayment(
            merchant=merchant.name,
            product=goods.name,
            msisdn=msisdn,
            merchant_reference=filled.reference or f"checkout-{digest}",
            language=visit.language,
            state=filled.state,
            channel="checkout",
            method=known.method if known else None,
            remember=remember and known is None,
            idempotency=once,
        )
        payment = await self._ask(visit, wanted)
        visit.cookies.keep_latest(merchant.name, pages.token_of(room.ports, payment.id))
        if wanted.remember and (keepsake := remembered.token_of(room.ports, payment)) is not None:
            visit.cookies.keep_number(merchant.name, keepsake, merchant.settings.verify_number_days)
        log.info("checkout.begun", payment=payment.id, merchant=merchant.name, product=goods.name)
        return visit.cookies.write(
            web.Response(status=303, headers={"Location": pages.path_of(room.ports, payment.id)})
        )

    async def _ask(self, visit: "_Visit", wanted: NewPayment) -> Payment:
        """Ask for a payment; under a reference that was tried before, for a further try.

        Raises:
            Refused, SmsgwError, TimeoutError, asyncio.QueueFull: as `Payments.ask`.
        """
        room = self._room
        try:
            return (await room.payments.ask(wanted, room.patience_s)).payment
        except IdempotencyMismatch:
            raise Unfit("form_expired", "another form has this key") from None
        except Refused as refusal:
            if refusal.reason != "reference_used":
                raise
        async with asyncio.timeout(room.patience_s):
            name = await tries.next_name(room.ports, visit.merchant.name, wanted.merchant_reference)
        again = structs.replace(wanted, merchant_reference=name)
        return (await room.payments.ask(again, room.patience_s)).payment

    # What is shown

    async def _show(
        self, visit: "_Visit", filled: Filled, reason: str = "", *, forgotten: bool = False
    ) -> web.Response:
        merchant, words = visit.merchant, WORDS[visit.language]
        reason = _OTHERS.get(reason, reason)
        both = (filled.layout or merchant.settings.checkout) == "one_page"
        field = _FIELDS.get(reason, "form") if reason else None
        step: Literal["goods", "number", "both"] = "both" if both else ("number" if filled.product else "goods")
        if step == "number" and field == "product":
            step = "goods"
        places = visit.countries(self._room)
        example = numbers.example(places[0] if places else "")
        known = None if filled.other else visit.known
        context = {
            "step": step,
            "goods": [self._goods(visit, one, filled) for one in merchant.goods.values() if one.prices],
            "filled": filled,
            "remembers": merchant.settings.remember_numbers,
            "known": known and numbers.masked(known.msisdn),
            "example": example,
            "field": field,
            "complaint": _sentence(words, reason, example=example, address=merchant.settings.reply_addresses[0]),
            "forgotten": forgotten,
            "token": visit.cookies.form_token(merchant.name),
            "key": filled.key if _KEY(filled.key) else random_text(self._room.ports),
            "waiting": await self._waiting(visit),
            "here": f"/pay/{merchant.name}",
            "back": f"/pay/{merchant.name}?{urlencode(filled.carried)}",
            "leave": merchant.settings.return_url,
            "form": "" if step == "goods" else "pay",  # in which the switch between languages stands
        }
        chosen = merchant.goods.get(filled.product)
        context["title"] = chosen.title_in(visit.language, merchant.settings.language) if chosen else ""
        context["price"] = _price(chosen, words, visit) if chosen else ""
        where = {**({"product": filled.product} if filled.product else {}), **filled.carried}
        status = _STATUS.get(reason, 422) if reason else 200
        response = self._view.render(
            visit.request, "form.html", merchant, visit.language, context, where=where, status=status
        )
        return visit.cookies.write(response)

    def _goods(self, visit: "_Visit", goods: Goods, filled: Filled) -> dict[str, object]:
        return {
            "name": goods.name,
            "title": goods.title_in(visit.language, visit.merchant.settings.language),
            "price": _price(goods, WORDS[visit.language], visit),
            "address": f"/pay/{visit.merchant.name}?{urlencode({'product': goods.name, **filled.carried})}",
        }

    async def _waiting(self, visit: "_Visit") -> str:
        """Return the address of this browser's payment that waits for an answer; "" for none."""
        token = visit.cookies.latest(visit.merchant.name)
        payment = pages.payment_of(self._room.ports, token) if token else None
        row = await self._room.payments.get(payment) if payment else None
        return pages.path_of(self._room.ports, row.id) if row is not None and row.status in OPEN else ""


class _Visit:
    """One request for a merchant's form."""

    def __init__(
        self,
        *,
        request: web.Request,
        merchant: Merchant,
        cookies: Cookies,
        language: Language,
        known: Remembered | None,
    ) -> None:
        self.request = request
        self.merchant = merchant
        self.cookies = cookies
        self.language = language
        self.known = known

    def countries(self, room: Room) -> list[str]:
        """Return where this merchant's goods can be paid."""
        return list(numbers.countries(self.merchant, room.catalog))


def _filled(fields: Mapping[str, str], merchant: Merchant) -> Filled | None:
    """Return what was filled in, as far as it can be used; None when what the merchant sent along cannot be kept."""
    state, reference = fields.get("state", ""), fields.get("reference", "")
    if not is_state(state) or (reference and not _REFERENCE(reference)):
        return None
    product, layout = fields.get("product", ""), fields.get("layout", "")
    return Filled(
        product=product if product in merchant.goods else "",
        number=fields.get("number", "")[:_LONGEST_TYPED],
        remember=fields.get("remember") == "1",
        other=fields.get("other") == "1",
        reference=reference,
        state=state,
        layout=layout if layout in {"one_page", "two_pages"} else "",
        key=key if _KEY(key := fields.get("key", "")) else "",
    )


def _sentence(words: Words, reason: str, **values: str) -> str:
    return str(getattr(words, reason, words.busy)).format_map(values) if reason else ""


def _price(goods: Goods, words: Words, visit: _Visit) -> str:
    """Return what a product costs: at the visitor's operator if we know it, else the least in each currency."""
    known = goods.prices.get(visit.known.link) if visit.known else None
    if known is not None:
        return money.shown(known.amount_minor, known.currency, visit.language)
    amounts: dict[str, set[int]] = {}
    for price in goods.prices.values():
        amounts.setdefault(price.currency, set()).add(price.amount_minor)
    least = " / ".join(money.shown(min(found), currency, visit.language) for currency, found in sorted(amounts.items()))
    return words.start.format(price=least) if max(map(len, amounts.values()), default=0) > 1 else least
