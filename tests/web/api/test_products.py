"""What is sold: titles, prices at each operator, and what one phone would be asked for."""

from typing import Any

from tests.flows.payments.market import MO_PHONE, PHONE
from tests.servers.engines import Engine
from tests.web.api.merchant import problem, told
from tests.web.api.shop import EVERYTHING, Shop, shop


async def products(here: Shop, **query: str) -> tuple[str | None, dict[str, Any]]:
    found = told(await here.ask("GET", "/v1/products", params=query))
    assert found["merchant"] == "gold"
    return found["operator"], {one.pop("product"): one for one in found["products"]}


async def test_prices_are_told_by_operator(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        operator, found = await products(here)
        assert operator is None
        assert found["gold-250"] == {
            "titles": {"en": "250 gold", "bg": "250 злато"},
            "units": 250,
            "prices": [
                {"operator": "north", "amount_minor": 250, "currency": "EUR"},
                {"operator": "south", "amount_minor": 2500, "currency": "UAH"},
            ],
            "price": None,
        }


async def test_a_number_has_an_operator_and_prices_there(engine: Engine) -> None:
    async with shop(engine) as here:
        operator, found = await products(here, msisdn=f"+{PHONE}")
        assert operator == "north"
        assert {name: one["price"] and one["price"]["amount_minor"] for name, one in found.items()} == {
            "gold-250": 250,
            "gold-500": 500,
            "gold-api": 1000,
        }
        operator, found = await products(here, msisdn=MO_PHONE)
        assert operator == "south"
        assert found["gold-250"]["price"] == {"operator": "south", "amount_minor": 2500, "currency": "UAH"}
        assert found["gold-500"]["price"] is None
        operator, found = await products(here, msisdn="+4915123456789")
        assert (operator, found["gold-250"]["price"]) == (None, None)


async def test_a_test_key_is_told_what_the_simulated_operator_takes(sqlite: Engine) -> None:
    async with shop(sqlite, test=True) as here:
        operator, found = await products(here, msisdn=PHONE)
        assert operator == "lab"
        assert found["gold-250"]["price"] == {"operator": "lab", "amount_minor": 250, "currency": "EUR"}


async def test_what_cannot_be_shown_is_a_problem(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        assert problem(await here.ask("GET", "/v1/products?msisdn=12")) == (422, "number_invalid")
        assert problem(await here.ask("GET", "/v1/products?merchant=silver")) == (403, "merchant_not_allowed")
        both = await here.with_scopes(EVERYTHING, ["gold", "silver"])
        assert problem(await both.ask("GET", "/v1/products")) == (400, "query_invalid")
