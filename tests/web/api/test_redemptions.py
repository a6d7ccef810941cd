"""Redemptions: each opens one door, once, for its own merchant."""

import asyncio

from tests.flows.world import changed
from tests.servers.engines import Engine
from tests.web.api.merchant import SOLD, Merchant, merchant, problem, told


async def consume(here: Merchant, redemption: str) -> tuple[int, str]:
    answer = await here.ask("POST", f"/v1/redemptions/{redemption}/consume")
    if answer.status != 200:
        return problem(answer)
    assert told(answer)["redemption"] == redemption
    return 200, told(answer)["service"]


async def test_a_redemption_is_spent_once(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        redemption = (await here.redeem(code))["redemption"]
        assert await consume(here, redemption) == (200, "sun")
        assert await consume(here, redemption) == (409, "already_consumed")


async def test_at_once_too(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        redemption = (await here.redeem(code))["redemption"]
        done = await asyncio.gather(*(consume(here, redemption) for _ in range(10)))
        assert sorted(done) == [(200, "sun")] + [(409, "already_consumed")] * 9


async def test_a_visitor_s_redemption_is_spent_with_the_id_in_the_token(engine: Engine) -> None:
    async with merchant(engine, services={"sun": changed(SOLD, return_mode="handle")}) as here:
        code = await here.here.code()
        handles = [(await here.here.ask("GET", f"/v/sun?code={code}&state=s")).fields["rt"] for _ in range(2)]
        exchanged = [told(await here.ask("POST", "/v1/returns/exchange", json={"rt": rt})) for rt in handles]
        assert exchanged[0]["jti"] == exchanged[1]["jti"], "a reload is the same redemption"
        assert await consume(here, exchanged[0]["jti"]) == (200, "sun")
        assert await consume(here, exchanged[1]["jti"]) == (409, "already_consumed")


async def test_only_what_has_used_a_code_can_be_spent(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        await here.verify(code)
        wrong = (await here.redeem("WRONG"))["redemption"]
        looked = (await here.one.rows("attempts", "id"))[0][0].replace("att_", "red_")
        for redemption in (wrong, looked, "red_1", "att_1", "red_'--", "x", "red_" + "0" * 26):
            assert await consume(here, redemption) == (404, "not_found")


async def test_only_by_the_service_s_own_merchant(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code("MOON")
        moon = await here.with_key(["moon"])
        here.one.clock.advance(1_001)
        redemption = (await moon.redeem(code, service="moon"))["redemption"]
        assert await consume(here, redemption) == (404, "not_found")
        assert await consume(moon, redemption) == (200, "moon")
