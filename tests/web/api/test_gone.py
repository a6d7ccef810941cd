"""A service that has been taken out of the settings: its codes open nothing, and what there was of them can be seen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from smsgw.flows.apikeys import remember_addresses
from smsgw.settings import ServiceSettings
from tests.flows.world import PHONE, changed
from tests.servers.engines import Engine
from tests.web.api.merchant import PATIENT, SOLD, Merchant, merchant, problem, told

MOON = changed(SOLD, keywords=["MOON"])
HANDED = changed(SOLD, return_mode="handle")


class Past(Merchant):
    """The merchant of a service that was sold, and what is left of it."""

    name: str  # a code's id
    code: str
    redemption: str
    rt: str


@asynccontextmanager
async def gone(engine: Engine, sun: ServiceSettings = HANDED) -> AsyncIterator[Past]:
    """Sell a code and use it once, by redirect; then start again without the service."""
    async with merchant(engine, services={"sun": HANDED, "moon": MOON}) as before:
        await remember_addresses(before.one.ports, before.one.catalog)
        if sun is not HANDED:
            before.one.catalog.services["sun"] = changed(before.one.catalog.services["sun"], settings=sun)
            await remember_addresses(before.one.ports, before.one.catalog)
        code = await before.here.code()
        fields = (await before.here.get(code)).fields
        clock = before.one.clock
    async with merchant(engine, PATIENT, services={"moon": MOON}, clock=clock, seed=2) as after:
        here = Past(after.here, before.token, before.key)
        [(here.name, here.code)] = [(name, code) for (name,) in await after.one.rows("codes", "id")]
        [(here.redemption,)] = await after.one.rows("attempts", "redemption")
        here.rt = fields["rt"]
        await remember_addresses(after.one.ports, after.one.catalog)
        yield here


async def test_its_codes_are_found_and_traced_by_its_merchant(engine: Engine) -> None:
    async with gone(engine) as here:
        found = told(await here.ask("GET", "/v1/codes", params={"service": "sun", "msisdn": PHONE}))
        assert [one["id"] for one in found["codes"]] == [here.name]
        trace = told(await here.ask("GET", f"/v1/codes/{here.name}"))
        assert (trace["code"]["service"], trace["code"]["used"], len(trace["attempts"])) == ("sun", 1, 1)
        assert trace["message"]["price"] == "", "it has none any more"


async def test_its_codes_open_nothing_and_are_not_made_anew(engine: Engine) -> None:
    async with gone(engine) as here:
        assert problem(await here.redeem_raw(here.code)) == (409, "service_gone")
        body = {"service": "sun", "code": here.code}
        assert problem(await here.ask("POST", "/v1/codes/verify", json=body)) == (409, "service_gone")
        assert problem(await here.change(here.name, "reissue")) == (409, "service_gone")
        assert (await here.here.ask("GET", "/v/sun", params={"code": here.code})).status == 404
        assert problem(await here.here.ask("GET", "/v1/plain/sun")) == (404, "not_found")
        assert told(await here.ask("POST", f"/v1/codes/{here.name}/revoke"))["status"] == "revoked"


async def test_who_was_on_the_way_back_when_it_was_deleted_comes_in_once(engine: Engine) -> None:
    """The code was used while it was sold: its return token says so, and its redemption is spent once."""
    async with gone(engine) as here:
        claims = told(await here.ask("POST", "/v1/returns/exchange", json={"rt": here.rt}))
        assert (claims["aud"], claims["outcome"], claims["jti"]) == ("sun", "success", here.redemption)
        assert problem(await here.ask("POST", "/v1/returns/exchange", json={"rt": here.rt})) == (404, "not_found")
        path = f"/v1/redemptions/{here.redemption}/consume"
        assert told(await here.ask("POST", path))["service"] == "sun"
        assert problem(await here.ask("POST", path)) == (409, "already_consumed")


async def test_a_return_token_is_too_old_as_soon_as_any(engine: Engine) -> None:
    async with gone(engine) as here:
        here.one.clock.advance(60_000)
        assert problem(await here.ask("POST", "/v1/returns/exchange", json={"rt": here.rt})) == (404, "not_found")


@pytest.mark.parametrize("allowed", [[], ["192.0.2.7"]])
async def test_only_from_the_addresses_that_it_had_last(sqlite: Engine, allowed: list[str]) -> None:
    async with gone(sqlite, changed(HANDED, allowed_ips=allowed)) as here:
        assert problem(await here.ask("GET", f"/v1/codes/{here.name}")) == (403, "address_not_allowed")
        both = await here.with_key(["moon", "sun"])
        here.one.clock.advance(1_001)
        query = {"service": "sun", "msisdn": PHONE}
        assert problem(await both.ask("GET", "/v1/codes", params=query)) == (403, "address_not_allowed")
        assert problem(await both.ask("GET", f"/v1/codes/{here.name}")) == (404, "not_found")


async def test_other_merchants_see_nothing_of_it(sqlite: Engine) -> None:
    async with gone(sqlite) as here:
        other = await here.with_key(["moon"])
        here.one.clock.advance(1_001)
        assert problem(await other.ask("GET", f"/v1/codes/{here.name}")) == (404, "not_found")
        assert problem(await other.ask("POST", "/v1/returns/exchange", json={"rt": here.rt})) == (404, "not_found")
