"""Phones are answered; short codes and names are machines, and two machines would talk for ever."""

import pytest

from smsgw.domain.numbers import is_phone


@pytest.mark.parametrize("address", ["+359881234567", "359881234567", "0881234567", "1234567"])
def test_these_are_phones(address: str) -> None:
    assert is_phone(address)


@pytest.mark.parametrize("address", ["", "+", "1234", "123456", "+12345", "MTel", "Info24x7x7", "8812 345", "٠١٢٣٤٥٦٧"])
def test_these_are_not(address: str) -> None:
    assert not is_phone(address)
