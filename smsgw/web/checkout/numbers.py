"""Phone numbers on the pages: typed in any way that people type them, shown so that only their owner knows them."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from smsgw.domain.goods import Merchant
from smsgw.domain.numbers import e164
from smsgw.domain.operators import carrier_of
from smsgw.flows.payments.tries import Unfit
from smsgw.flows.ports import Catalog

_SHOWN: Final = 2  # digits at either end of a national number
_SPACE: Final = "\N{NO-BREAK SPACE}"
_EXAMPLES: Final = {"BG": "+359 88 123 4567"}  # where the numbering plan's own example looks like nobody's


def countries(merchant: Merchant, catalog: Catalog) -> Sequence[str]:
    """Return the countries (ISO 3166) where a merchant's goods can be paid."""
    links = {link for goods in merchant.goods.values() for link in goods.prices}
    return sorted({catalog.links[link].country for link in links} - {""})


def read(typed: str, places: Collection[str], catalog: Catalog) -> str:
    """Return the number that was typed, digits of E.164.

    A number in national form may be one of several countries: then the one of an operator that we know counts.

    Raises:
        Unfit: nothing was typed (``number_missing``), it is no number (``number_invalid``), or it may be one in two
            countries (``number_ambiguous``).
    """
    if not typed.strip():
        raise Unfit("number_missing", "no number was typed")
    found = {number for place in places or [""] if (number := e164(typed, country=place)) is not None}
    if len(found) > 1:
        found = {number for number in found if catalog.operators.of(number) is not None} or found
    if not found:
        raise Unfit("number_invalid", "what was typed is no phone number")
    if len(found) > 1:
        raise Unfit("number_ambiguous", "the number may be of two countries")
    return found.pop()


@lru_cache(maxsize=100)
def example(place: str) -> str:
    """Return an example of a number, as people of a country would type it; "" stands for no country."""
    number = phonenumbers.example_number_for_type(place or "GB", PhoneNumberType.MOBILE)
    own = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL) if number else ""
    return _EXAMPLES.get(place, own).replace(" ", _SPACE)


@lru_cache(maxsize=10_000)
def masked(msisdn: str) -> str:
    """Return "+359 88 ••• 45": its owner knows it again, and nobody else can call it."""
    number = phonenumbers.parse(f"+{msisdn}")
    national = phonenumbers.national_significant_number(number)
    shown = [f"+{number.country_code}", national[:_SHOWN], "•••", national[-_SHOWN:]]
    return _SPACE.join(shown)


def operator(link: str, msisdn: str, catalog: Catalog) -> str:
    """Return what an operator is called: as its link or the numbering plan has it, or the link's own name."""
    settings = catalog.links.get(link)
    if settings is not None and settings.carriers:
        return settings.carriers[0]
    named = carrier_of(msisdn) if catalog.operators.of(msisdn) == link else ""  # not of who has taken the number along
    return named or link.replace("_", " ").replace("-", " ").title()
