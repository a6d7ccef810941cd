"""Amounts as people read them: digits as ISO 4217 has them, written as each language does."""

import pytest

from smsgw.domain.money import exponent, is_currency, plain, shown
from smsgw.settings.merchant import Language
from smsgw.text import gsm7


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (250, "EUR", "2.50 EUR"),
        (5, "EUR", "0.05 EUR"),
        (100_000_000, "EUR", "1000000.00 EUR"),
        (250, "JPY", "250 JPY"),
        (2_500, "KWD", "2.500 KWD"),
        (1, "CLF", "0.0001 CLF"),
        # what CLDR, and Babel with it, shows without minor units
        (24_900, "HUF", "249.00 HUF"),
        (10_000, "ALL", "100.00 ALL"),
        (500_000, "COP", "5000.00 COP"),
        (1_500, "IQD", "1.500 IQD"),
        (0, "EUR", "0.00 EUR"),
    ],
)
def test_an_sms_has_an_amount_in_plain_letters(amount_minor: int, currency: str, text: str) -> None:
    assert plain(amount_minor, currency) == text
    assert not gsm7.missing(text)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "language", "text"),
    [
        (250, "EUR", "en", "€2.50"),
        (250, "EUR", "bg", "2,50\xa0€"),
        (250, "UAH", "uk", "2,50\xa0₴"),
        (123_450, "RUB", "ru", "1\xa0234,50\xa0₽"),
        (250, "JPY", "en", "¥250"),
        (2_500, "KWD", "en", "KWD\xa02.500"),
        (24_900, "HUF", "en", "HUF\xa0249.00"),
    ],
)
def test_a_page_has_an_amount_as_its_language_writes_it(
    amount_minor: int, currency: str, language: Language, text: str
) -> None:
    assert shown(amount_minor, currency, language) == text


def test_one_currency_s_digits_do_not_change_another_s() -> None:
    assert [shown(1_000, one, "en") for one in ("JPY", "EUR", "JPY")] == ["¥1,000", "€10.00", "¥1,000"]


@pytest.mark.parametrize("code", ["EUR", "UAH", "RUB", "USD", "JPY", "KWD", "RSD", "BGN"])
def test_these_are_currencies(code: str) -> None:
    assert is_currency(code)


@pytest.mark.parametrize("code", ["", "EUT", "eur", "XXX", "XTS", "XAU", "EURO"])
def test_these_are_none(code: str) -> None:
    assert not is_currency(code)


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("JPY", 0), ("TND", 3), ("UYW", 4)])
def test_minor_units(currency: str, digits: int) -> None:
    assert exponent(currency) == digits
