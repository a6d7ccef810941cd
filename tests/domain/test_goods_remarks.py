"""What ``smsgw check`` warns of in what merchants sell."""

from typing import Any

import pytest
from msgspec import structs

from smsgw.domain.goods_remarks import remarks
from smsgw.settings import Configuration, Payments, Settings
from smsgw.settings.main import Webhooks
from smsgw.settings.merchant import Cap
from tests.domain.shop import MERCHANT, configuration, merchant


def found(one: Configuration) -> list[str]:
    return [remark.removeprefix("/conf/") for remark in remarks(one)]


def of_merchant(**changes: Any) -> list[str]:
    return [remark.removeprefix("merchants/gold.toml: ") for remark in found(configuration(gold=merchant(**changes)))]


def test_there_is_nothing_to_say_of_the_shop() -> None:
    assert found(configuration(gold=MERCHANT)) == []
    assert found(configuration()) == []


def test_a_cap_in_money_that_nobody_takes_is_told_of() -> None:
    assert of_merchant(caps=[Cap(per="day", count=3), Cap(per="day", currency="BGN", amount_minor=5_000)]) == [
        "caps[2].currency: nothing is sold in BGN, so this cap limits nothing; prices are in EUR"
    ]


@pytest.mark.parametrize(
    ("most", "told"),
    [
        (1_000, []),
        (999, ["gold-1000 costs 10.00 EUR, which is more: nobody can buy it"]),
        (249, ["gold-250 costs 2.50 EUR, which is more: nobody can buy it, nor 1 other(s)"]),
    ],
)
def test_a_cap_below_a_price_is_told_of(most: int, told: list[str]) -> None:
    caps = [Cap(per="month", currency="EUR", amount_minor=most)]
    assert of_merchant(caps=caps) == [f"caps[1].amount_minor: {one}" for one in told]


def test_caps_over_everything_are_looked_at_too() -> None:
    caps = [Cap(over="all", per="day", currency="USD", amount_minor=100)]
    assert found(configuration(payments=Payments(caps=caps), gold=MERCHANT)) == [
        "smsgw.toml: payments.caps[1].currency: nothing is sold in USD, so this cap limits nothing; prices are in EUR"
    ]
    assert found(configuration(payments=Payments(caps=caps))) == []  # where nothing is sold yet


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3:8080", "[::1]:8080", "localhost:9000"])
def test_a_private_address_is_told_of(host: str) -> None:
    shown = host.rsplit(":", 1)[0].strip("[]") if not host.endswith("1") else host
    told = f"{shown} is not on the Internet: nothing is posted there; set webhooks.private_networks"
    url = f"http://{host}/hook"
    assert of_merchant(webhook_url=url, authorize_url=url) == [f"webhook_url: {told}", f"authorize_url: {told}"]
    allowed = structs.replace(
        configuration(gold=merchant(webhook_url=url)), main=Settings(webhooks=Webhooks(private_networks=True))
    )
    assert found(allowed) == []


def test_names_and_addresses_on_the_internet_are_not_told_of() -> None:
    assert of_merchant(webhook_url="https://games.example/hook", authorize_url="https://8.8.8.8/ask") == []
