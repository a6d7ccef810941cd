"""What the SMS of payments say and take: placeholders, and the longest that each can become at each operator."""

from typing import Any

import pytest
from msgspec import structs

from smsgw.domain.goods_texts import offers, problems, prompt_costs
from smsgw.settings.merchant import Charge, Product, Tariff
from tests.domain.shop import GOLD_250, LINK, MERCHANT, link, merchant

LINKS = {"north": LINK, "south": LINK}
ALLOWED = "{product}, {price}, {merchant}, {support}"
LONG = "x" * 200


def told(**changes: Any) -> list[str]:
    return problems(merchant(**changes), LINKS)


def test_nothing_is_wrong_with_the_shop() -> None:
    assert told() == []
    assert told(references=True, receipt=True) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"prompt": {"en": "{product} {price} {yes} {code}"}},
            f'prompt.en: "{{code}}" is no placeholder; allowed are {ALLOWED}, {{yes}}',
        ),
        (
            {"prompt": {"en": "{product} {price} {yes} {"}},
            f'prompt.en: "{{" is no placeholder; allowed are {ALLOWED}, {{yes}}',
        ),
        ({"prompt": {"en": "{price} {yes}"}}, "prompt.en: does not tell what is bought; put {product} in"),
        ({"prompt": {"bg": "{product} {yes}"}}, "prompt.bg: does not tell what it costs; put {price} in"),
        ({"prompt": {"bg": "{product} {price}: YES?"}}, "prompt.bg: does not tell what to answer; put {yes} in"),
        (
            {"prompt": {"bg": "{product} {price}: да?"}, "references": True},
            "prompt.bg: does not tell which number to answer with (references = true); put {yes} in",
        ),
        (
            {"charge_text": {"en": "{yes}"}},
            f'charge_text.en: "{{yes}}" is no placeholder; allowed are {ALLOWED}, {{reference}}',
        ),
        (
            {"receipt_text": {"en": "{no}"}, "receipt": True},
            f'receipt_text.en: "{{no}}" is no placeholder; allowed are {ALLOWED}, {{reference}}',
        ),
        (
            {"receipt_text": {"en": "Thank you"}},
            "receipt_text: says nothing while receipt = false; set receipt = true",
        ),
        (
            {"prompt": {"en": "{product} {price} {yes}" + "x" * 450}},
            "prompt.en: takes 4 SMS with its longest values; allowed are 3 (product gold-250, link north)",
        ),
        (
            {"charge_text": {"en": "{product}" + "x" * 152}},
            (
                "charge_text.en: takes 2 SMS with its longest values; a billed message must be one, or the "
                "second might cost again (product gold-1000, link south)"
            ),
        ),
        (
            {"charge_text": {"bg": "{product} {reference} - благодарим, че купихте от нас!"}},
            (
                "charge_text.bg: takes 2 SMS with its longest values; a billed message must be one, or the "
                "second might cost again (product gold-250, link north)"
            ),
        ),
        (
            {"receipt": True, "receipt_text": {"uk": "Дякуємо! " * 25}},
            "receipt_text.uk: takes 4 SMS with its longest values; allowed are 3 (product gold-250, link north)",
        ),
    ],
)
def test_what_is_wrong_with_a_merchant_s_words(changes: dict[str, Any], problem: str) -> None:
    assert told(**changes) == [problem]


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": {"bg": "{product} за {price}? Отговорете ДА"}},
        {"prompt": {"en": "{product} {price} {yes}" + "x" * 400}},
        {"charge_text": {"en": "{product}" + "x" * 151}},
        {"charge_text": {"en": "Thank you"}},
    ],
)
def test_these_are_right(changes: dict[str, Any]) -> None:
    assert told(**changes) == []


def test_our_own_words_may_be_too_long_with_a_merchant_s_titles() -> None:
    goods = structs.replace(GOLD_250, title={"en": "gold", "bg": "злато " * 10})
    assert told(products={"a": goods}) == [
        (
            "charge_text.bg: our own words: takes 2 SMS with its longest values; a billed message must be one, or the "
            "second might cost again (product a, link north)"
        )
    ]


def test_only_billed_messages_must_be_one() -> None:
    wallet = Tariff(amount_minor=1, currency="EUR", operators={"north": Charge(charge="wallet")})
    goods = Product(title={"en": "x" * 150}, tariffs=["small"])
    assert told(products={"a": goods}, tariffs={"small": wallet}) == []


def test_each_operator_takes_what_it_takes() -> None:
    latin = {"north": link(codings=["default"]), "south": link(max_parts=1)}
    found = problems(MERCHANT, latin)
    assert [problem.partition(": ")[0] for problem in found] == ["prompt.bg", "charge_text.bg"]
    assert all(problem.endswith("(product gold-250, link north)") for problem in found)
    english = merchant(products={"a": structs.replace(GOLD_250, title={"en": "x" * 100})})
    [problem] = problems(english, {"south": link(max_parts=1)})
    assert problem.endswith("takes 2 SMS with its longest values; allowed are 1 (product a, link south)")


def test_a_question_s_costs_are_told_in_every_language_that_the_merchant_speaks() -> None:
    first = next(offers(MERCHANT, LINKS))
    assert (first.product, first.tariff, first.link) == ("gold-250", "small", "north")
    assert {language: str(cost) for language, cost in prompt_costs(MERCHANT, first).items()} == {
        "en": "GSM 7 bit, 1 SMS",
        "bg": "UCS-2, 2 SMS",
    }


def test_what_is_not_there_is_not_offered() -> None:
    assert list(offers(MERCHANT, {})) == []
    assert [one.link for one in offers(merchant(tariffs={}), LINKS)] == []
    assert [one.product for one in offers(MERCHANT, {"north": link(charging={})})] == []
