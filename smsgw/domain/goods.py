"""What merchants sell for a YES: products and their prices where each operator can charge them, made ready once."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from smsgw.domain.consent import WORDS
from smsgw.settings import LinkSettings, MerchantSettings
from smsgw.settings.charging import Meaning
from smsgw.settings.merchant import Language

Way = Literal["mo", "mt", "direct"]


class Terms(Struct, frozen=True, kw_only=True):
    """How one operator charges one price; a payment keeps them as they were when it was made."""

    profile: str  # its name in the link's [charging]
    way: Way
    proof: Literal["response", "receipt"]
    short_code: str  # mo: where the YES costs money; mt: the source of the billed message
    service_type: str = ""
    tlvs: dict[int, bytes] = {}
    validity_ms: int
    receipt_grace_ms: int
    user_message_reference: bool
    status: dict[str, str] = {}
    receipt_states: dict[str, Meaning] = {}
    receipt_errors: dict[str, Meaning] = {}
    max_tries: int
    refunds: bool = False


class Price(Struct, frozen=True, kw_only=True):
    """What a product costs at one operator."""

    tariff: str
    amount_minor: int
    currency: str  # ISO 4217
    terms: Terms


class Goods(Struct, frozen=True, kw_only=True):
    """One product."""

    name: str
    title: dict[Language, str]
    units: int
    prices: dict[str, Price]  # by link

    def title_in(self, language: Language, otherwise: Language) -> str:
        """Return the title for a buyer, or in the merchant's own language."""
        return self.title.get(language) or self.title[otherwise]


class Merchant(Struct, frozen=True, kw_only=True):
    """One merchant, ready for use."""

    name: str
    settings: MerchantSettings
    goods: dict[str, Goods]


def languages(settings: MerchantSettings) -> list[Language]:
    """Return the languages that a merchant speaks: its own, and those that it has words in."""
    titles = [language for product in settings.products.values() for language in product.title]
    spoken = {settings.language, *titles, *settings.prompt, *settings.receipt_text, *settings.charge_text}
    return [language for language in WORDS if language in spoken]


def language_for(settings: MerchantSettings, wanted: str | None) -> Language:
    """Return the language in which a buyer is spoken to: theirs ("uk", "uk-UA"), or the merchant's.

    Only texts in these have been checked for their size.
    """
    known = (wanted or "").lower().replace("_", "-").partition("-")[0]
    return next((language for language in languages(settings) if language == known), settings.language)


def build(merchants: Mapping[str, MerchantSettings], links: Mapping[str, LinkSettings]) -> dict[str, Merchant]:
    """Make the merchants ready; their settings have passed the checks."""
    return {name: _merchant(name, settings, links) for name, settings in merchants.items()}


def _merchant(name: str, settings: MerchantSettings, links: Mapping[str, LinkSettings]) -> Merchant:
    goods = {
        product: Goods(name=product, title=one.title, units=one.units, prices=_prices(settings, one.tariffs, links))
        for product, one in settings.products.items()
    }
    return Merchant(name=name, settings=settings, goods=goods)


def _prices(settings: MerchantSettings, tariffs: list[str], links: Mapping[str, LinkSettings]) -> dict[str, Price]:
    prices = {}
    for tariff in tariffs:
        one = settings.tariffs[tariff]
        for link in one.operators.keys() & links.keys():
            prices[link] = Price(
                tariff=tariff,
                amount_minor=one.amount_minor,
                currency=one.currency,
                terms=_terms(settings, tariff, link, links[link]),
            )
    return prices


def _terms(settings: MerchantSettings, tariff: str, name: str, link: LinkSettings) -> Terms:
    charge = settings.tariffs[tariff].operators[name]
    profile = link.charging[charge.charge]
    return Terms(
        profile=charge.charge,
        way=profile.way,
        proof=profile.proof,
        short_code=charge.short_code or settings.reply_addresses[0],
        service_type=charge.service_type,
        tlvs={one.tag: one.octets() for one in charge.tlvs},
        validity_ms=int(profile.validity_s * 1000),
        receipt_grace_ms=int(profile.receipt_grace_s * 1000),
        user_message_reference=profile.user_message_reference,
        status=profile.status,
        receipt_states=profile.receipt_states,
        receipt_errors=profile.receipt_errors,
        max_tries=profile.max_tries,
        refunds=profile.refunds,
    )
