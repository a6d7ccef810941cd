"""Amounts as people read them: minor units and an ISO 4217 code in, a text for an SMS or a page out."""

from collections.abc import Mapping
from copy import copy
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.core import get_global
from babel.numbers import NumberPattern, get_currency_symbol

from smsgw.settings.merchant import Language

_USUAL: Final = 2
# ISO 4217 list one: what is not two digits. Babel has those of CLDR, which are of everyday use: none for HUF, ALL and
# COP, of which an amount would be shown a hundred times too large.
_EXPONENTS: Final[Mapping[str, int]] = {
    code: digits
    for digits, codes in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for code in codes.split()
}


def is_currency(code: str) -> bool:
    """Whether this is the ISO 4217 code of money that people pay, or once paid, somewhere; gold and tests are none."""
    return code in _currencies()


def exponent(currency: str) -> int:
    """Return how many digits of minor units stand behind the point: EUR 2, JPY 0, KWD 3."""
    return _EXPONENTS.get(currency, _USUAL)


def plain(amount_minor: int, currency: str) -> str:
    """Return an amount for an SMS, in letters that every alphabet has: "2.50 EUR"."""
    return f"{_decimal(amount_minor, currency):f} {currency}"


def shown(amount_minor: int, currency: str, language: Language) -> str:
    """Return an amount for a page, as the language writes it: "€2.50", "2,50 €"."""
    locale, pattern = _pattern(currency, language)
    amount = _decimal(amount_minor, currency)
    return str(pattern.apply(amount, locale, currency=currency, currency_digits=False))


def _decimal(amount_minor: int, currency: str) -> Decimal:
    return Decimal(amount_minor).scaleb(-exponent(currency))


@lru_cache(maxsize=1000)
def _pattern(currency: str, language: Language) -> tuple[Locale, NumberPattern]:
    """Return the language's pattern for money, with as many digits behind the point as the currency has."""
    locale = Locale.parse(language)
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (exponent(currency), exponent(currency))
    if get_currency_symbol(currency, locale)[-1:].isalpha():  # CLDR's currencySpacing, which Babel does not know
        pattern.prefix = tuple(part.replace("¤", "¤\xa0") for part in pattern.prefix)
    return locale, pattern


@lru_cache(maxsize=1)
def _currencies() -> frozenset[str]:
    territories = get_global("territory_currencies")
    return frozenset(code for rows in territories.values() for code, _, _, tender in rows if tender)
