"""Handles are exchanged once, in time, by the merchant that they are for."""

from tests.flows.world import SECOND, changed
from tests.servers.engines import Engine
from tests.web.api.merchant import SOLD, Merchant, merchant, problem, told

HANDLES = changed(SOLD, return_mode="handle")
SERVICES = {"sun": HANDLES, "moon": changed(HANDLES, keywords=["MOON"])}


async def handle(here: Merchant, code: str, service: str = "sun") -> str:
    """Return what a visitor brings back."""
    return (await here.here.ask("GET", f"/v/{service}", params={"code": code, "state": "s"})).fields["rt"]


async def exchange(here: Merchant, rt: str) -> tuple[int, str]:
    answer = await here.ask("POST", "/v1/returns/exchange", json={"rt": rt})
    return (200, told(answer)["outcome"]) if answer.status == 200 else problem(answer)


async def test_a_handle_is_exchanged_once(engine: Engine) -> None:
    async with merchant(engine, services=SERVICES) as here:
        rt = await handle(here, await here.here.code())
        found = told(await here.ask("POST", "/v1/returns/exchange", json={"rt": rt}))
        now_s = here.one.clock.now_ms() // 1000
        assert (found["aud"], found["outcome"], found["state"], found["uses_left"]) == ("sun", "success", "s", 2)
        assert (found["iat"], found["exp"], found["test"]) == (now_s, now_s + 60, False)
        assert await exchange(here, rt) == (404, "not_found")


async def test_every_outcome_has_one(sqlite: Engine) -> None:
    async with merchant(sqlite, services=SERVICES) as here:
        outcomes = [await exchange(here, await handle(here, "WRONG")) for _ in range(6)]
        assert outcomes == [(200, "invalid")] * 5 + [(200, "throttled")]


async def test_in_time_only(sqlite: Engine) -> None:
    async with merchant(sqlite, services=SERVICES) as here:
        rt = await handle(here, await here.here.code())
        here.one.clock.advance(60 * SECOND)
        assert await exchange(here, rt) == (404, "not_found")


async def test_nobody_else_s_handle_and_nothing_else_is_exchanged_or_spent(sqlite: Engine) -> None:
    async with merchant(sqlite, services=SERVICES) as here:
        moon = await handle(here, await here.here.code("MOON"), "moon")
        sun = await handle(here, await here.here.code())
        tester = await here.with_key(test=True)
        assert await exchange(tester, sun) == (404, "not_found")
        for rt in (moon, "", "rt_", "x" * 5_000, "\0", "'--"):
            assert await exchange(here, rt) == (404, "not_found")
        other = await here.with_key(["moon"])
        here.one.clock.advance(SECOND + 1)
        assert await exchange(other, moon) == (200, "success")
        assert await exchange(here, sun) == (200, "success")
