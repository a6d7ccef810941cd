"""Merchants made ready: what each price is charged by, and the language that a buyer is spoken to in."""

import pytest
from msgspec import structs

from smsgw.domain.goods import build, language_for, languages
from tests.domain.shop import BILLED, LINK, MERCHANT, link, tariff


def test_a_product_has_a_price_at_each_operator_that_charges_it() -> None:
    gold = build({"gold": MERCHANT}, {"north": LINK, "south": LINK})["gold"]
    prices = gold.goods["gold-250"].prices
    assert {name: (one.tariff, one.terms.way, one.terms.short_code) for name, one in prices.items()} == {
        "north": ("small", "mt", "1777"),  # billed messages come from the reply address
        "south": ("small", "mo", "1920"),
    }
    assert gold.goods["gold-1000"].prices["north"].amount_minor == 1_000
    assert build({"gold": MERCHANT}, {"south": LINK})["gold"].goods["gold-250"].prices.keys() == {"south"}


def test_the_terms_are_those_of_profile_and_tariff_in_whole_milliseconds() -> None:
    profile = structs.replace(BILLED, validity_s=0.5, receipt_grace_s=60.0, status={"0x440": "again"}, max_tries=7)
    changed = structs.replace(MERCHANT, tariffs={**MERCHANT.tariffs, "small": tariff("north", short_code="GAMES")})
    shop = build({"gold": changed}, {"north": link(charging={"billed": profile, "wallet": profile})})["gold"]
    terms = shop.goods["gold-250"].prices["north"].terms
    assert (terms.short_code, terms.validity_ms, terms.receipt_grace_ms) == ("GAMES", 500, 60_000)
    assert (terms.status, terms.max_tries, terms.proof) == ({"0x440": "again"}, 7, "response")


def test_a_title_in_the_buyer_s_language_or_the_merchant_s() -> None:
    goods = build({"gold": MERCHANT}, {})["gold"].goods
    assert goods["gold-250"].title_in("bg", "en") == "250 злато"
    assert goods["gold-1000"].title_in("bg", "en") == "1000 gold"


def test_a_merchant_speaks_its_language_and_those_that_it_has_words_in() -> None:
    assert languages(MERCHANT) == ["en", "bg"]
    assert languages(structs.replace(MERCHANT, charge_text={"ru": "x"}, language="uk")) == ["en", "bg", "uk", "ru"]


@pytest.mark.parametrize(
    ("wanted", "language"),
    [("bg", "bg"), ("bg-BG", "bg"), ("BG_bg", "bg"), ("uk", "en"), ("", "en"), (None, "en"), ("bgx", "en")],
)
def test_a_buyer_is_spoken_to_in_a_language_that_the_merchant_speaks(wanted: str | None, language: str) -> None:
    assert language_for(MERCHANT, wanted) == language
