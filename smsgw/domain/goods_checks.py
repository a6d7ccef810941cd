"""What is wrong with what merchants sell, beyond the settings' types: what, where, and what is allowed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from smsgw.domain import charging_checks, consent, goods_texts, money
from smsgw.domain.addresses import is_network
from smsgw.domain.goods import languages
from smsgw.domain.goods_texts import Offer, offers
from smsgw.domain.payments import EVENT_TYPES
from smsgw.domain.routing import CATCH_ALL
from smsgw.settings import Configuration, LinkSettings, MerchantSettings, places, submission, words
from smsgw.settings.merchant import Cap, Charge, Tariff

_MESSAGE_REFERENCE: Final = 0x0204  # user_message_reference, SMPP 3.4 §5.3.2.17
_SHORT_CODE_DIGITS: Final = range(3, 16)
_ELSEWHERE: Final = "?"  # stands for what is wrong by itself, and told already

_Place = tuple[str, str]  # link, short code


class _Billed(Struct, frozen=True):
    """A price that the YES itself costs."""

    merchant: str
    offer: Offer


def problems(configuration: Configuration) -> list[str]:
    """Find what is wrong; sentences in the form of settings problems."""
    folder = configuration.file.parent
    found = [
        f"{folder / 'links' / f'{link}.toml'}: {problem}"
        for link, problem in charging_checks.problems(configuration.links)
    ]
    found += [
        f"{configuration.file}: payments.{problem}"
        for problem in _cap_problems(configuration.main.payments.caps, ("all",))
    ]
    everywhere = _Addresses(configuration)
    for name, merchant in configuration.merchants.items():
        file = folder / "merchants" / f"{name}.toml"
        if name in configuration.services:
            found.append(f"{file}: a service has this name already; give one of the two files another name")
        found += [f"{file}: {problem}" for problem in merchant_problems(merchant, configuration.links)]
        found += [f"{file}: {problem}" for problem in everywhere.problems(name)]
    for name, problem in everywhere.service_problems():
        found.append(f"{folder / 'services' / f'{name}.toml'}: {problem}")
    return found


def merchant_problems(merchant: MerchantSettings, links: Mapping[str, LinkSettings]) -> list[str]:
    """Find what is wrong with one merchant alone; "setting: sentence" each."""
    return [
        *_address_problems(merchant),
        *_product_problems(merchant),
        *(
            f"tariffs.{name}.{problem}"
            for name, tariff in merchant.tariffs.items()
            for problem in _tariff_problems(tariff, links)
        ),
        *_cap_problems(merchant.caps, ("product", "merchant")),
        *goods_texts.problems(merchant, links),
    ]


def _address_problems(merchant: MerchantSettings) -> Iterator[str]:
    """Yield what is wrong with addresses of all kinds."""
    for field, needed in (("return_url", True), ("webhook_url", False), ("authorize_url", False)):
        value = getattr(merchant, field)
        if (needed or value) and not places.is_url(value):
            yield f"{field}: must be an absolute http or https address"
    yield from _twice("reply_addresses", merchant.reply_addresses)
    for text in merchant.allowed_ips:
        if not is_network(text):
            told = f'"{text}" is no address and no network'
            yield f'allowed_ips: {told}; allowed are such as "192.0.2.7" or "2001:db8::/48"'
    for kind in merchant.webhook_events:
        if kind not in EVENT_TYPES:
            yield f"webhook_events: {words.shown(kind)} is no event; there are {', '.join(EVENT_TYPES)}"
    yield from _twice("webhook_events", merchant.webhook_events)
    if merchant.webhook_events and not merchant.webhook_url:
        yield "webhook_events: says nothing without webhook_url"


def _twice(field: str, values: Sequence[str]) -> Iterator[str]:
    yield from (f'{field}: "{value}" stands there twice' for value in sorted(set(values)) if values.count(value) > 1)


def _product_problems(merchant: MerchantSettings) -> Iterator[str]:
    there = ", ".join(merchant.tariffs) or "none"
    for name, product in merchant.products.items():
        where = f"products.{name}"
        if merchant.language in consent.WORDS and merchant.language not in product.title:
            yield f"{where}.title.{merchant.language}: missing; every product needs a title in the merchant's language"
        if not merchant.tariffs:
            yield f'tariffs: none; {where}.tariffs names "{product.tariffs[0]}"' if product.tariffs else "tariffs: none"
            continue
        yield from _twice(f"{where}.tariffs", product.tariffs)
        charged: dict[str, str] = {}
        for tariff in dict.fromkeys(product.tariffs):
            if tariff not in merchant.tariffs:
                yield f'{where}.tariffs: there is no tariff "{tariff}"; there are {there}'
                continue
            for link in merchant.tariffs[tariff].operators:
                other = charged.setdefault(link, tariff)
                if other != tariff:
                    yield (
                        f'{where}.tariffs: "{other}" and "{tariff}" are both charged at link "{link}"; allowed is one '
                        "price at each operator"
                    )


def _tariff_problems(tariff: Tariff, links: Mapping[str, LinkSettings]) -> Iterator[str]:
    if tariff.currency != _ELSEWHERE:
        yield from _currency_problems("currency", tariff.currency)
    for name, charge in tariff.operators.items():
        link = links.get(name)
        if link is None or charge.charge == _ELSEWHERE:  # which is told already
            continue
        where = f"operators.{name}"
        if charge.charge not in link.charging:
            there = ", ".join(link.charging) or "none"
            yield f'{where}.charge: link "{name}" has no [charging.{charge.charge}]; there are {there}'
            continue
        yield from (f"{where}.{problem}" for problem in _charge_problems(charge, link))


def _charge_problems(charge: Charge, link: LinkSettings) -> Iterator[str]:
    profile = link.charging[charge.charge]
    code = charge.short_code
    if profile.way == "mo":
        if not (code.isascii() and code.isdigit() and len(code) in _SHORT_CODE_DIGITS):
            told = f"{words.shown(code)} is not allowed" if code else "missing"
            yield f'short_code: {told}; way = "mo" needs the short code of 3 to 15 digits at which YES costs this'
    elif profile.way == "mt":
        yield from submission.address_problems("short_code", code)
        yield from submission.text_problems("service_type", charge.service_type)
        yield from submission.tlv_problems(charge.tlvs)
        if charge.tlvs and link.interface_version == "3.3":
            yield "tlvs: SMPP 3.3 has no optional parameters; leave them out, or set interface_version"
        if profile.user_message_reference and any(one.tag == _MESSAGE_REFERENCE for one in charge.tlvs):
            yield f"tlvs: 0x{_MESSAGE_REFERENCE:04x} is not allowed: user_message_reference = true has it"
    elif profile.way == "direct" and code:
        yield 'short_code: means nothing with way = "direct"'
    if profile.way in {"mo", "direct"}:
        for field in ("service_type", "tlvs"):
            if getattr(charge, field):
                yield f'{field}: means nothing with way = "{profile.way}"; allowed with "mt"'


def _currency_problems(field: str, currency: str) -> Iterator[str]:
    if not money.is_currency(currency):
        yield f'{field}: "{currency}" is no currency; allowed are codes of ISO 4217 such as "EUR"'


def _cap_problems(caps: Iterable[Cap], allowed: Sequence[str]) -> Iterator[str]:
    for number, cap in enumerate(caps, 1):
        where = f"caps[{number}]"
        if cap.over not in {*allowed, _ELSEWHERE}:
            place = "in the main file" if "all" in allowed else "in a merchant's file"
            named = ", ".join(f'"{one}"' for one in allowed)
            yield f'{where}.over: "{cap.over}" is not allowed {place}; allowed are {named}'
        if not cap.amount_minor and not cap.count:
            yield f"{where}.amount_minor: set amount_minor, count or both: this cap limits nothing"
        if cap.amount_minor > 0 and not cap.currency:
            yield f"{where}.currency: missing; amount_minor needs the currency that it is of"
        elif not cap.amount_minor and cap.currency not in {"", _ELSEWHERE}:
            yield f"{where}.currency: means nothing without amount_minor"
        elif cap.currency not in {"", _ELSEWHERE}:
            yield from _currency_problems(f"{where}.currency", cap.currency)


class _Addresses:
    """Where buyers of all merchants answer: addresses at which that is free, and short codes at which YES costs."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._plain: dict[_Place, list[str]] = {}
        self._billed: dict[_Place, list[_Billed]] = {}
        for name, merchant in configuration.merchants.items():
            sold_at = set()
            for offer in offers(merchant, configuration.links):
                sold_at.add(offer.link)
                if offer.profile.way == "mo" and offer.charge.short_code:
                    place = (offer.link, offer.charge.short_code)
                    self._billed.setdefault(place, []).append(_Billed(name, offer))
            for link in sorted(sold_at):
                for address in merchant.reply_addresses:
                    self._plain.setdefault((link, address), []).append(name)

    def problems(self, merchant: str) -> list[str]:
        """Return what is wrong with the places of one merchant."""
        found = [*self._price_problems(merchant), *self._language_problems(merchant)]
        return list(dict.fromkeys(found))

    def _price_problems(self, merchant: str) -> Iterator[str]:
        for (link, code), billed in self._billed.items():
            first = billed[0]
            for one in billed:
                if one.merchant != merchant:
                    continue
                where = f'tariffs.{one.offer.tariff}.operators.{link}.short_code: "{code}"'
                if _price(one) != _price(first):
                    price = money.plain(*_price(first))
                    yield (
                        f"{where} costs {price} in tariff {first.offer.tariff}{_of(first.merchant, merchant)}; "
                        "each price needs a short code of its own"
                    )
                for other in self._plain.get((link, code), ()):
                    yield (
                        f"{where} is a reply address{_of(other, merchant)}, where answers are free; "
                        "take a short code of its own"
                    )

    def _language_problems(self, merchant: str) -> Iterator[str]:
        for place in {**dict.fromkeys(self._plain), **dict.fromkeys(self._billed)}:
            here = self._merchants_at(place)
            if merchant != here[-1]:  # said once, of the last who came
                continue
            spoken = {language for name in here for language in languages(self._configuration.merchants[name])}
            for clash in consent.conflicts(spoken):
                shared = f" is shared by the merchants {', '.join(here)}" if len(here) > 1 else ""
                field = "reply_addresses" if place in self._plain else "tariffs"
                yield f'{field}: "{place[1]}"{shared}: {clash}; such languages cannot share an address'

    def _merchants_at(self, place: _Place) -> list[str]:
        here = [*self._plain.get(place, ()), *(one.merchant for one in self._billed.get(place, ()))]
        return sorted(set(here))

    def service_problems(self) -> Iterator[tuple[str, str]]:
        """Yield (service, problem) for each keyword that is an answer where buyers answer."""
        every = list(consent.WORDS)
        for name, service in self._configuration.services.items():
            code = service.short_code.lstrip("+")
            links = service.links or self._configuration.links
            merchants = sorted({one for link in links for one in self._merchants_at((link, code))})
            if not merchants:
                continue
            whose = f"that buyers of merchant {', '.join(merchants)} send to {code}"
            for field in ("keywords", "again_keywords"):
                for keyword in getattr(service, field):
                    if keyword == CATCH_ALL or consent.read(keyword, every):
                        what = "takes every answer" if keyword == CATCH_ALL else "is an answer"
                        told = f'"{keyword}" {what} {whose}; take another keyword or another short code'
                        yield name, f"{field}: {told}"


def _price(billed: _Billed) -> tuple[int, str]:
    return billed.offer.price.amount_minor, billed.offer.price.currency


def _of(other: str, merchant: str) -> str:
    return "" if other == merchant else f" of merchant {other}"
