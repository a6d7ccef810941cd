"""Masking: which values a log shows, which it shows in part, and which it hides."""

import pytest
from hypothesis import given, strategies as st

from smsgw.kit.masking import mask, mask_number, mask_prose, mask_url


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("359881234545", "35988…45"),
        ("+359881234545", "35988…45"),
        ("00359 88 123 4545", "00359…45"),
        ("12345678901", "12345…01"),
        ("1234567890", "1234…90"),
        ("1234567", "1…67"),
        pytest.param("123456", "123456", id="a short code is no person's number"),
        pytest.param("MyBank", "MyBank", id="nor is a name"),
        pytest.param("x359881234545", "35988…45", id="a letter does not uncover a number"),
        ("", ""),
    ],
)
def test_a_number_is_covered_in_the_middle(number: str, shown: str) -> None:
    assert mask_number(number) == shown


@given(st.from_regex(r"\+?[0-9]{7,20}", fullmatch=True))
def test_at_least_four_digits_of_any_number_are_covered(number: str) -> None:
    digits = number.removeprefix("+")
    shown = mask_number(number)
    head, _, tail = shown.partition("…")
    assert digits.startswith(head)
    assert digits.endswith(tail)
    assert len(head) + len(tail) <= len(digits) - 4


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("msisdn", "359881234545", "35988…45"),
        ("source", "359881234545", "35988…45"),
        ("destination", "1234", "1234"),
        ("number", 359881234545, "35988…45"),
        ("text", "GOLD", "[hidden]"),
        ("code", "K7HW93XP", "[hidden]"),
        ("code", "code_01m8104th8erhtwgd2de0th35k", "code_01m8104th8erhtwgd2de0th35k"),
        ("password", "hunter2", "[hidden]"),
        ("secret", b"\x00\x01", "[hidden]"),
        ("query", "code=K7HW93XP", "[hidden]"),
        ("url", "https://shop.example/in?code=K7HW93XP", "https://shop.example/in?…"),
        ("dsn", "postgresql://smsgw:hunter2@db/smsgw", "postgresql://db/smsgw"),
        ("msisdn", None, None),
        ("link", "kyivstar", "kyivstar"),
        ("mo", "mo_01m8104th8erhtwgd2de0th35k", "mo_01m8104th8erhtwgd2de0th35k"),
    ],
)
def test_the_key_decides_what_is_shown(key: str, value: object, shown: object) -> None:
    assert mask(None, "info", {"event": "mo.accepted", key: value}) == {"event": "mo.accepted", key: shown}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/verify?code=K7HW93XP", "/verify?…"),
        ("https://a.example/x", "https://a.example/x"),
        ("https://user:word@a.example/x", "https://a.example/x"),
        ("https://user:w@rd@a.example", "https://a.example"),
        ("https://a.example/x#token", "https://a.example/x#…"),
        ("https://a.example/x?q#f", "https://a.example/x?…"),
    ],
)
def test_an_address_keeps_only_where_it_leads(url: str, shown: str) -> None:
    assert mask_url(url) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Key (msisdn)=(359881234545) exists", "Key (msisdn)=(35988…45) exists"),
        ("to +359881234545.", "to +359881234545."),
        ("mo_01m8104th8erhtwgd2de0th35k", "mo_01m8104th8erhtwgd2de0th35k"),
        ("0x7f1234567890", "0x7f1234567890"),
        ("took 0.1234567 s on port 8080", "took 0.1234567 s on port 8080"),
    ],
)
def test_numbers_are_covered_in_what_others_write(text: str, shown: str) -> None:
    assert mask_prose(text) == shown
