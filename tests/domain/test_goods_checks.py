"""What merchants sell: every sentence that says what is wrong with it, alone and beside others."""

from typing import Any

import pytest
from msgspec import structs

from smsgw.domain import catalog, consent
from smsgw.domain.goods_checks import problems
from smsgw.settings import Configuration, Payments, ServiceSettings
from smsgw.settings.merchant import Cap, Charge, Product, Tariff
from smsgw.settings.submission import Tlv
from tests.domain.shop import (
    BILLED,
    GOLD_250,
    LARGE,
    LINK,
    MERCHANT,
    SERVICE,
    SMALL,
    configuration,
    link,
    merchant,
    tariff,
)


def found(one: Configuration) -> list[str]:
    """What is wrong, with the folder's name left out."""
    return [problem.removeprefix("/conf/") for problem in problems(one)]


def of_merchant(**changes: Any) -> list[str]:
    told = found(configuration(gold=merchant(**changes)))
    assert all(problem.startswith("merchants/gold.toml: ") for problem in told)
    return [problem.removeprefix("merchants/gold.toml: ") for problem in told]


def test_nothing_is_wrong_with_the_shop() -> None:
    assert found(configuration(gold=MERCHANT)) == []
    assert catalog.problems(configuration(gold=MERCHANT, services={"sun": SERVICE})) == []


# --- one merchant ---------------------------------------------------------------------------------------------------

URL = "must be an absolute http or https address"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"return_url": ""}, f"return_url: {URL}"),
        ({"return_url": "games.example"}, f"return_url: {URL}"),
        ({"webhook_url": "ftp://x.example"}, f"webhook_url: {URL}"),
        ({"authorize_url": "javascript:alert(1)"}, f"authorize_url: {URL}"),
        ({"reply_addresses": ["1777", "1777"]}, 'reply_addresses: "1777" stands there twice'),
        (
            {"allowed_ips": ["192.0.2.7/24"]},
            (
                'allowed_ips: "192.0.2.7/24" is no address and no network; allowed are such as "192.0.2.7" or '
                '"2001:db8::/48"'
            ),
        ),
        (
            {"webhook_events": ["payment.succeeded"]},
            "webhook_events: says nothing without webhook_url",
        ),
        (
            {"webhook_url": "https://x.example", "webhook_events": ["payment.failed"] * 2},
            'webhook_events: "payment.failed" stands there twice',
        ),
        (
            {"products": {"a": structs.replace(GOLD_250, title={"bg": "250 злато"})}},
            "products.a.title.en: missing; every product needs a title in the merchant's language",
        ),
        (
            {"products": {"a": structs.replace(GOLD_250, tariffs=["tiny"])}},
            'products.a.tariffs: there is no tariff "tiny"; there are small, large',
        ),
        (
            {"products": {"a": structs.replace(GOLD_250, tariffs=["small", "small"])}},
            'products.a.tariffs: "small" stands there twice',
        ),
        ({"tariffs": {}, "products": {"a": GOLD_250}}, 'tariffs: none; products.a.tariffs names "small"'),
        (
            {"products": {"a": structs.replace(GOLD_250, tariffs=["small", "large"])}},
            (
                'products.a.tariffs: "small" and "large" are both charged at link "north"; allowed is one price '
                "at each operator"
            ),
        ),
        (
            {"tariffs": {"small": structs.replace(SMALL, currency="EUT"), "large": LARGE}},
            'tariffs.small.currency: "EUT" is no currency; allowed are codes of ISO 4217 such as "EUR"',
        ),
    ],
)
def test_what_is_wrong_with_a_merchant(changes: dict[str, Any], problem: str) -> None:
    assert of_merchant(**changes)[0] == problem


def test_an_event_that_there_is_not_is_told_what_there_is() -> None:
    [problem] = of_merchant(webhook_url="https://x.example", webhook_events=["payment.paid", "payment.refunded"])
    assert problem.startswith('webhook_events: "payment.paid" is no event; there are payment.awaiting_confirmation, ')


TLV = Tlv(tag=0x1400, type="int8", value=7)


@pytest.mark.parametrize(
    ("at", "changes", "problem"),
    [
        (
            "north",
            {"charge": "bill"},
            'charge: link "north" has no [charging.bill]; there are billed, premium, wallet',
        ),
        (
            "south",
            {"short_code": ""},
            'short_code: missing; way = "mo" needs the short code of 3 to 15 digits at which YES costs this',
        ),
        (
            "south",
            {"short_code": "GOLD"},
            (
                'short_code: "GOLD" is not allowed; way = "mo" needs the short code of 3 to 15 digits at which '
                "YES costs this"
            ),
        ),
        ("south", {"service_type": "GOLD"}, 'service_type: means nothing with way = "mo"; allowed with "mt"'),
        ("south", {"tlvs": [TLV]}, 'tlvs: means nothing with way = "mo"; allowed with "mt"'),
        ("north", {"charge": "wallet", "short_code": "1777"}, 'short_code: means nothing with way = "direct"'),
        (
            "north",
            {"charge": "wallet", "service_type": "GOLD"},
            'service_type: means nothing with way = "direct"; allowed with "mt"',
        ),
        (
            "north",
            {"short_code": "Golden Games"},
            'short_code: "Golden Games" has 12 characters; with letters 11 are allowed',
        ),
        (
            "north",
            {"service_type": "злато"},
            'service_type: "злато" is not allowed; allowed are the visible characters of ASCII and spaces',
        ),
        ("north", {"tlvs": [TLV, TLV]}, 'tlvs: "0x1400" stands there twice'),
        (
            "north",
            {"tlvs": [Tlv(tag=0x0204, type="int16", value=1)]},
            "tlvs: 0x0204 is not allowed: user_message_reference = true has it",
        ),
        (
            "north",
            {"tlvs": [Tlv(tag=0x1400, type="int8", value=256)]},
            "tlvs: 0x1400: 256 is no int8; allowed are whole numbers from 0 to 255",
        ),
    ],
)
def test_what_is_wrong_with_a_charge(at: str, changes: dict[str, Any], problem: str) -> None:
    tariffs = {"small": tariff(at, **changes), "large": LARGE}
    assert of_merchant(tariffs=tariffs)[0] == f"tariffs.small.operators.{at}.{problem}"


def test_smpp_3_3_has_no_optional_parameters() -> None:
    old = link(interface_version="3.3", bind="separate")
    tariffs = {"small": tariff("north", tlvs=[TLV]), "large": LARGE}
    [problem] = found(configuration(links={"north": old, "south": LINK}, gold=merchant(tariffs=tariffs)))
    assert "tariffs.small.operators.north.tlvs: SMPP 3.3 has no optional parameters" in problem


def test_what_is_told_already_is_not_told_again() -> None:
    wrong = {"small": Tariff(amount_minor=1, currency="?", operators={"west": Charge(charge="?")}), "large": LARGE}
    assert of_merchant(tariffs=wrong) == []
    gone = merchant(language="?", products={"a": Product(title={}, tariffs=[])}, reply_addresses=[])
    assert found(configuration(gold=gone)) == []


# --- caps -----------------------------------------------------------------------------------------------------------


def cap(**changes: Any) -> Cap:
    return structs.replace(Cap(per="day", amount_minor=2_000, currency="EUR"), **changes)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"over": "product"}, None),
        ({"amount_minor": 0, "currency": "", "count": 3}, None),
        ({"over": "all"}, 'over: "all" is not allowed in a merchant\'s file; allowed are "product", "merchant"'),
        (
            {"amount_minor": 0, "currency": ""},
            "amount_minor: set amount_minor, count or both: this cap limits nothing",
        ),
        ({"currency": ""}, "currency: missing; amount_minor needs the currency that it is of"),
        ({"amount_minor": 0, "count": 3}, "currency: means nothing without amount_minor"),
        ({"currency": "EUT"}, 'currency: "EUT" is no currency; allowed are codes of ISO 4217 such as "EUR"'),
    ],
)
def test_a_merchant_s_cap(changes: dict[str, Any], problem: str | None) -> None:
    told = of_merchant(caps=[cap(), cap(**changes)])
    assert told == ([f"caps[2].{problem}"] if problem else [])


def test_a_cap_over_everything_stands_in_the_main_file() -> None:
    assert found(configuration(payments=Payments(caps=[cap(over="all")]))) == []
    [problem] = found(configuration(payments=Payments(caps=[cap(over="merchant")])))
    allowed = 'is not allowed in the main file; allowed are "all"'
    assert problem == f'smsgw.toml: payments.caps[1].over: "merchant" {allowed}'


def test_the_zone_of_days_and_months_is_known() -> None:
    [problem] = catalog.problems(configuration(payments=Payments(time_zone="Sofia")))
    assert problem.endswith('payments.time_zone: "Sofia" is unknown; allowed are names such as "Europe/Kyiv"')


# --- beside others --------------------------------------------------------------------------------------------------


def test_a_merchant_and_a_service_have_different_names() -> None:
    told = found(configuration(services={"gold": SERVICE}, gold=MERCHANT))
    assert told == ["merchants/gold.toml: a service has this name already; give one of the two files another name"]


def premium(code: str, amount_minor: int = 250, currency: str = "EUR") -> Tariff:
    return Tariff(
        amount_minor=amount_minor,
        currency=currency,
        operators={"south": Charge(charge="premium", short_code=code)},
    )


def selling(*codes: tuple[str, int], **changes: Any) -> Any:
    """A merchant whose YES costs."""
    tariffs = {f"t{number}": premium(code, amount) for number, (code, amount) in enumerate(codes)}
    products = {f"p-{name}": Product(title={"en": "gold"}, tariffs=[name]) for name in tariffs}
    return merchant(tariffs=tariffs, products=products, **changes)


def test_each_price_of_a_yes_has_a_short_code_of_its_own() -> None:
    assert found(configuration(gold=selling(("1920", 250), ("1921", 500)))) == []
    [problem] = found(configuration(gold=selling(("1920", 250), ("1920", 500))))
    assert problem == (
        'merchants/gold.toml: tariffs.t1.operators.south.short_code: "1920" costs 2.50 EUR in tariff t0; each price '
        "needs a short code of its own"
    )


def test_merchants_may_share_a_short_code_at_the_same_price_only() -> None:
    assert found(configuration(gold=selling(("1920", 250)), moon=selling(("1920", 250)))) == []
    [problem] = found(configuration(gold=selling(("1920", 250)), moon=selling(("1920", 500))))
    assert problem.startswith("merchants/moon.toml: tariffs.t0.operators.south.short_code: ")
    assert '"1920" costs 2.50 EUR in tariff t0 of merchant gold; ' in problem


def test_where_yes_costs_no_answer_is_free() -> None:
    [problem] = found(configuration(gold=selling(("1777", 250))))
    free = "where answers are free; take a short code of its own"
    where = "merchants/gold.toml: tariffs.t0.operators.south.short_code"
    assert problem == f'{where}: "1777" is a reply address, {free}'
    [problem] = found(configuration(gold=selling(("1920", 250)), moon=billed_at("south")))
    assert problem == f'{where}: "1920" is a reply address of merchant moon, {free}'


def billed_at(link: str) -> Any:
    """A merchant with free answers to 1920 at one operator."""
    tariffs = {"small": Tariff(amount_minor=1, currency="EUR", operators={link: Charge(charge="billed")})}
    return merchant(reply_addresses=["1920"], tariffs=tariffs, products={"a": GOLD_250})


def test_a_reply_address_at_another_operator_is_another_one() -> None:
    assert found(configuration(gold=selling(("1920", 250)), moon=billed_at("north"))) == []


def answering(**changes: Any) -> list[str]:
    service: ServiceSettings = structs.replace(SERVICE, **changes)
    return found(configuration(services={"sun": service}, gold=MERCHANT))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"keywords": ["SUN"]}, None),
        ({"keywords": ["YES"], "short_code": "1234"}, None),
        ({"keywords": ["YES"]}, 'keywords: "YES" is an answer'),
        ({"keywords": ["дa"]}, 'keywords: "дa" is an answer'),  # with a Latin a
        ({"keywords": ["Tak"]}, 'keywords: "Tak" is an answer'),  # in every language, whichever the merchant speaks
        ({"keywords": ["STOP"]}, 'keywords: "STOP" is an answer'),
        ({"keywords": ["YES47"]}, 'keywords: "YES47" is an answer'),
        ({"again_keywords": ["info"]}, 'again_keywords: "info" is an answer'),
        ({"keywords": ["*"]}, 'keywords: "*" takes every answer'),
        ({"keywords": ["YES"], "short_code": "+1777"}, 'keywords: "YES" is an answer'),
        ({"keywords": ["YES"], "links": ["east"]}, None),
        ({"keywords": ["YES"], "short_code": "1920"}, 'keywords: "YES" is an answer'),  # where YES costs
        ({"keywords": ["YES"], "short_code": "1920", "links": ["north"]}, None),
    ],
)
def test_a_service_s_keyword_is_no_answer_to_a_question(changes: dict[str, Any], problem: str | None) -> None:
    told = answering(**({"short_code": "1777"} | changes))
    if problem is None:
        assert told == []
        return
    code = changes.get("short_code", "1777").lstrip("+")
    whose = f"that buyers of merchant gold send to {code}; take another keyword or another short code"
    assert told == [f"services/sun.toml: {problem} {whose}"]


def test_languages_that_share_an_address_mean_the_same_by_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    clashing = {**consent.WORDS, "uk": {**consent.WORDS["uk"], consent.Kind.YES: ("не",)}}
    monkeypatch.setattr(consent, "WORDS", clashing)
    ukrainian = merchant(language="uk", products={"a": structs.replace(GOLD_250, title={"uk": "250 золота"})})
    apart = structs.replace(ukrainian, reply_addresses=["1778"], tariffs={"small": LARGE})
    assert found(configuration(gold=MERCHANT, moon=apart)) == []
    told = found(configuration(gold=MERCHANT, moon=ukrainian))
    assert told[0] == (
        'merchants/moon.toml: reply_addresses: "1777" is shared by the merchants gold, moon: "HE" means no (bg) and '
        "yes (uk); such languages cannot share an address"
    )


def test_a_charge_at_a_link_that_is_there_in_a_way_that_is_there() -> None:
    odd = link(charging={"billed": BILLED})
    told = found(configuration(links={"north": odd, "south": odd}, gold=MERCHANT))
    assert [problem.split(": ")[1] for problem in told] == [
        "tariffs.small.operators.south.charge",
        "tariffs.large.operators.north.charge",
    ]
