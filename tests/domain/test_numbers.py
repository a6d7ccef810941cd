"""Phones are answered; short codes and names are machines, and two machines would talk for ever. What a number is."""

from timeit import timeit

import pytest

from smsgw.domain.numbers import e164, is_phone


@pytest.mark.parametrize("address", ["+359881234567", "359881234567", "0881234567", "1234567"])
def test_these_are_phones(address: str) -> None:
    assert is_phone(address)


@pytest.mark.parametrize("address", ["", "+", "1234", "123456", "+12345", "MTel", "Info24x7x7", "8812 345", "٠١٢٣٤٥٦٧"])
def test_these_are_not(address: str) -> None:
    assert not is_phone(address)


@pytest.mark.parametrize(
    ("address", "ton", "country", "number"),
    [
        # as SMSCs write it
        ("+359888123456", 1, "", "359888123456"),
        ("00359888123456", 1, "", "359888123456"),
        ("359888123456", 1, "", "359888123456"),
        ("359888123456", 0, "", "359888123456"),
        ("359888123456", 0, "BG", "359888123456"),
        ("359888123456", 0, "UA", "359888123456"),
        ("+359888123456", 0, "UA", "359888123456"),
        ("888123456", 2, "BG", "359888123456"),
        ("0888123456", 2, "BG", "359888123456"),
        ("359888123456", 2, "BG", "359888123456"),
        ("0888123456", 0, "BG", "359888123456"),
        ("888123456", 0, "BG", "359888123456"),
        ("671234567", 0, "UA", "380671234567"),
        ("0671234567", 3, "UA", "380671234567"),
        ("0671234567", 4, "UA", "380671234567"),
        ("508251604", 0, "UA", "380508251604"),  # +508 251604 is a number of Saint Pierre, at the world's other end
        ("508251604", 1, "UA", "508251604"),
        ("508251604", 0, "", "508251604"),
        ("447700900123", 1, "", "447700900123"),  # possible, though no table has it
        ("888123456", 2, "", None),
        ("0888123456", 0, "", None),
        ("888123456", 1, "BG", None),  # +888 is nobody's
        ("359888123456", 5, "BG", None),  # letters, whatever they look like
        ("359888123456", 6, "BG", None),  # abbreviated
        ("1234", 0, "BG", None),
        ("MTel", 0, "BG", None),
        ("359 888 123456", 1, "BG", None),  # no SMSC writes so
        ("", 1, "BG", None),
        ("3598881234567890123", 1, "", None),
        ("٣٥٩٨٨٨١٢٣٤٥٦", 1, "", None),
        # as people type it
        ("+359 888 12-34-56", None, "", "359888123456"),
        ("00 359 888 123 456", None, "BG", "359888123456"),
        ("+359 (0) 888 123456", None, "", "359888123456"),
        ("(0888) 123.456", None, "BG", "359888123456"),
        ("0888/123456", None, "BG", "359888123456"),
        ("888 123 456", None, "BG", "359888123456"),
        ("359888123456", None, "BG", "359888123456"),
        ("+380 67 123 45 67", None, "BG", "380671234567"),
        ("380671234567", None, "BG", "380671234567"),
        ("\u202a+359\u00a0888\u2011123456\u202c", None, "", "359888123456"),  # copied from an address book
        ("\uff10\uff18\uff18\uff18123456", None, "BG", "359888123456"),  # wide digits
        ("0888123456", None, "", None),
        ("+44 7700 900123", None, "", None),  # possible, and not valid
        ("0888 12345", None, "BG", None),  # one digit short
        ("call me", None, "BG", None),
        ("1-800-FLOWERS", None, "US", None),
        ("+359888123456, +359888123457", None, "BG", None),
        ("0 " * 40, None, "BG", None),
        ("", None, "BG", None),
    ],
)
def test_a_number_in_e164(address: str, ton: int | None, country: str, number: str | None) -> None:
    assert e164(address, ton, country) == number


def test_a_number_that_was_read_before_costs_nothing() -> None:
    e164("+359888123456", 1, "BG")
    assert timeit(lambda: e164("+359888123456", 1, "BG"), number=10_000) / 10_000 < 5e-6
