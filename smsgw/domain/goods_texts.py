"""What the SMS of payments take: questions, billed messages and receipts of every price, with their longest values."""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from smsgw.domain import costs, money, replies, wording
from smsgw.domain.goods import languages
from smsgw.domain.wording import Say
from smsgw.errors import TextError
from smsgw.settings import LinkSettings, MerchantSettings
from smsgw.settings.charging import ChargeProfile
from smsgw.settings.merchant import Charge, Language, Product, Tariff

MAX_PARTS: Final = 3  # SMS that a question or a receipt may take; a billed message is always one

_SAMPLE_ANSWER: Final = " 999999"  # the longest reference that an answer may repeat (domain/consent.py)
_SAMPLE_REFERENCE: Final = "W" * 30  # as long as a payment's id

# The setting that has a merchant's own words for it.
FIELDS: Final[Mapping[Say, str]] = {Say.PROMPT: "prompt", Say.CHARGE: "charge_text", Say.RECEIPT: "receipt_text"}


class Offer(Struct, frozen=True, kw_only=True):
    """A product at one of its prices at one operator, as the settings name them."""

    product: str
    goods: Product
    tariff: str
    price: Tariff
    link: str
    settings: LinkSettings
    charge: Charge
    profile: ChargeProfile


def offers(merchant: MerchantSettings, links: Mapping[str, LinkSettings]) -> Iterator[Offer]:
    """Yield all that a merchant offers, as far as what is named is there."""
    for product, goods in merchant.products.items():
        for tariff in goods.tariffs:
            price = merchant.tariffs.get(tariff)
            for link, charge in price.operators.items() if price else ():
                profile = links[link].charging.get(charge.charge) if link in links else None
                if price and profile:
                    yield Offer(
                        product=product,
                        goods=goods,
                        tariff=tariff,
                        price=price,
                        link=link,
                        settings=links[link],
                        charge=charge,
                        profile=profile,
                    )


def text(kind: Say, merchant: MerchantSettings, offer: Offer, language: Language) -> str:
    """Return a message with the longest values that it can have."""
    title = offer.goods.title.get(language) or offer.goods.title.get(merchant.language, "")
    values = {
        "product": title,
        "price": money.plain(offer.price.amount_minor, offer.price.currency),
        "merchant": merchant.title,
        "support": merchant.support,
        "yes": wording.yes_word(language) + (_SAMPLE_ANSWER if merchant.references else ""),
        "reference": _SAMPLE_REFERENCE,
    }
    said = wording.prompt_of(offer.profile.way) if kind is Say.PROMPT else kind
    return wording.say(said, language, values, own_words(kind, merchant).get(language))


def own_words(kind: Say, merchant: MerchantSettings) -> Mapping[Language, str]:
    """Return a merchant's own words for a kind of message."""
    own: Mapping[Language, str] = getattr(merchant, FIELDS[kind])
    return own


def prompt_costs(merchant: MerchantSettings, offer: Offer) -> dict[Language, costs.Cost]:
    """Return what a question takes in each language that the merchant speaks.

    Raises:
        TextError: the link cannot carry one of them.
    """
    outlet = costs.outlet_of(offer.settings)
    return {one: costs.cost([text(Say.PROMPT, merchant, offer, one)], outlet) for one in languages(merchant)}


def problems(merchant: MerchantSettings, links: Mapping[str, LinkSettings]) -> list[str]:
    """Find what is wrong with a merchant's words, and with what their messages take; "setting: sentence" each."""
    found = [problem for kind in FIELDS for problem in _word_problems(kind, merchant)]
    if merchant.receipt_text and not merchant.receipt:
        found.append("receipt_text: says nothing while receipt = false; set receipt = true")
    return found or [
        problem
        for kind in FIELDS
        for language in languages(merchant)
        for problem in _size_problems(kind, merchant, links, language)
    ]


def _word_problems(kind: Say, merchant: MerchantSettings) -> Iterator[str]:
    allowed = ", ".join(f"{{{placeholder}}}" for placeholder in wording.PLACEHOLDERS[kind])
    for language, own in own_words(kind, merchant).items():
        where = f"{FIELDS[kind]}.{language}"
        for unknown in replies.unknown_placeholders(own, wording.PLACEHOLDERS[kind]):
            shown = unknown if unknown in "{}" and unknown else f"{{{unknown}}}"
            yield f'{where}: "{shown}" is no placeholder; allowed are {allowed}'
        if kind is Say.PROMPT:
            yield from (f"{where}: {problem}" for problem in _prompt_problems(own, merchant, language))


def _prompt_problems(own: str, merchant: MerchantSettings, language: Language) -> Iterator[str]:
    for needed, what in (("product", "what is bought"), ("price", "what it costs")):
        if f"{{{needed}}}" not in own:
            yield f"does not tell {what}; put {{{needed}}} in"
    if "{yes}" in own:
        return
    if merchant.references:
        yield "does not tell which number to answer with (references = true); put {yes} in"
    elif wording.yes_word(language) not in own.upper():
        yield "does not tell what to answer; put {yes} in"


def _size_problems(
    kind: Say, merchant: MerchantSettings, links: Mapping[str, LinkSettings], language: Language
) -> list[str]:
    """Say what is wrong with the longest of a kind of message, once for each language."""
    if kind is Say.RECEIPT and not merchant.receipt:
        return []
    where = f"{FIELDS[kind]}.{language}"
    if language not in own_words(kind, merchant):
        where += ": our own words"
    worst: tuple[int, str] = (0, "")
    for offer in offers(merchant, links):
        if kind is Say.CHARGE and offer.profile.way != "mt":
            continue
        at = f"product {offer.product}, link {offer.link}"
        most = 1 if kind is Say.CHARGE else min(MAX_PARTS, offer.settings.max_parts)
        try:
            taken = costs.cost([text(kind, merchant, offer, language)], costs.outlet_of(offer.settings)).total
        except TextError as error:
            return [f"{where}: {error} ({at})"]
        if taken > most and taken - most > worst[0]:
            worst = (taken - most, f"{where}: {_too_long(kind, taken, most)} ({at})")
    return [worst[1]] if worst[0] else []


def _too_long(kind: Say, taken: int, most: int) -> str:
    if kind is Say.CHARGE:
        return (
            f"takes {taken} SMS with its longest values; a billed message must be one, or the second might cost again"
        )
    return f"takes {taken} SMS with its longest values; allowed are {most}"
