"""Who may ask: keys that are known, live, for this, from here, and not too often; everybody else gets a problem."""

import asyncio

import pytest

from smsgw.errors import SmsgwError, StoreUnavailable
from smsgw.flows import apikeys
from smsgw.settings import Web
from smsgw.store.api_keys import Scope
from tests.flows.world import LINK, SECOND, changed
from tests.servers.engines import Engine
from tests.store.look import select
from tests.web.api.merchant import ALL, PATIENT, SOLD, Merchant, merchant, problem, told

BODY = {"service": "sun", "code": "X"}


async def asked(here: Merchant, token: str | None = None, **body: str) -> tuple[int, str]:
    answer = await here.ask("POST", "/v1/codes/verify", json=BODY | body, token=token)
    return (200, "") if answer.status == 200 else problem(answer)


async def test_a_key_is_shown_once_and_kept_as_a_hash(engine: Engine) -> None:
    async with merchant(engine) as here:
        assert here.token.startswith(f"smsgw_live_{here.key.removeprefix('api_')}_")
        assert len(here.token.rpartition("_")[2]) == 32
        [row] = await select(engine, "select * from api_keys")
        assert here.token.rpartition("_")[2] not in repr(row)
        assert (await here.with_key(test=True)).token.startswith("smsgw_test_")


async def test_without_a_key_nothing_is_told(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        answer = await here.here.ask("POST", "/v1/codes/verify", json=BODY)
        assert problem(answer) == (401, "key_missing")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="smsgw"'


async def test_a_key_that_is_none_is_refused(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        other = "0" if here.token[-1] != "0" else "1"
        for token in (here.token[:-1] + other, here.token.replace("live", "test"), here.token + "0", "x", "", "smsgw_"):
            assert await asked(here, token) == (401, "key_unknown")
        answer = await here.here.ask("POST", "/v1/codes/verify", json=BODY, headers={"Authorization": "Basic eDp5"})
        assert problem(answer) == (401, "key_unknown")


async def test_a_revoked_key_is_refused_within_five_seconds(engine: Engine) -> None:
    async with merchant(engine) as here:
        assert await asked(here) == (200, "")
        assert await apikeys.revoke(here.one.ports, here.key, "tests")
        assert not await apikeys.revoke(here.one.ports, here.key, "tests"), "once"
        here.one.clock.advance(5 * SECOND)
        assert await asked(here) == (401, "key_unknown")


async def test_and_while_nobody_can_say_so_it_opens_nothing(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    async with merchant(sqlite) as here:
        assert await asked(here) == (200, "")
        here.one.clock.advance(5 * SECOND)

        def away() -> object:
            raise StoreUnavailable("away")

        monkeypatch.setattr(here.one.database, "read", away)
        assert await asked(here) == (503, "unavailable")


async def test_a_new_key_is_known_at_once_or_a_second_later(engine: Engine) -> None:
    async with merchant(engine) as here:
        assert await asked(here) == (200, "")
        other = await here.with_key()
        here.one.clock.advance(SECOND + 1)
        assert await asked(other) == (200, "")


async def test_two_keys_of_a_kind_may_live_so_that_one_can_follow_the_other(engine: Engine) -> None:
    async with merchant(engine) as here:
        await here.with_key()
        with pytest.raises(SmsgwError, match="two keys for these services already"):
            await here.with_key()
        await here.with_key(test=True)
        await here.with_key(["moon", "sun"])
        await apikeys.revoke(here.one.ports, here.key, "tests")
        await here.with_key()


async def test_keys_that_are_made_at_once_are_counted_too(engine: Engine) -> None:
    async with merchant(engine) as here:
        made = await asyncio.gather(*(here.with_key(["moon"]) for _ in range(6)), return_exceptions=True)
        assert sum(isinstance(one, Merchant) for one in made) == 2


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/codes/verify", "codes:verify"),
        ("POST", "/v1/codes/redeem", "codes:redeem"),
        ("POST", "/v1/redemptions/red_1/consume", "codes:redeem"),
        ("POST", "/v1/returns/exchange", "codes:redeem"),
        ("GET", "/v1/codes", "codes:read"),
        ("GET", "/v1/codes/code_1", "codes:read"),
        ("POST", "/v1/codes/code_1/revoke", "codes:write"),
        ("POST", "/v1/codes/code_1/extend", "codes:write"),
        ("POST", "/v1/codes/code_1/reissue", "codes:write"),
        ("GET", "/v1/plain/sun", "codes:redeem"),
    ],
)
async def test_each_operation_wants_its_scope(sqlite: Engine, method: str, path: str, scope: Scope) -> None:
    async with merchant(sqlite, scopes=[one for one in ALL if one != scope]) as here:
        assert problem(await here.ask(method, path, json={})) == (403, "scope_missing")


async def test_a_service_of_somebody_else_is_not_told_from_one_that_is_not_there(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        assert await asked(here, service="moon") == await asked(here, service="nowhere") == (403, "service_not_allowed")


@pytest.mark.parametrize("allowed", [[], ["192.0.2.0/24"], ["2001:db8::/32"]])
async def test_an_address_that_is_not_allowed_is_refused(engine: Engine, allowed: list[str]) -> None:
    async with merchant(engine, services={"sun": changed(SOLD, allowed_ips=allowed)}) as here:
        assert await asked(here) == (403, "address_not_allowed")
        assert problem(await here.ask("GET", "/v1/codes/code_1")) == (403, "address_not_allowed")
        assert await here.one.count("attempts") == 0


async def test_each_service_has_addresses_of_its_own(sqlite: Engine) -> None:
    services = {"sun": SOLD, "moon": changed(SOLD, keywords=["MOON"], allowed_ips=["192.0.2.7"])}
    async with merchant(sqlite, services=services) as here:
        both = await here.with_key(["sun", "moon"])
        assert await asked(both) == (200, "")
        assert await asked(both, service="moon") == (403, "address_not_allowed")


@pytest.mark.parametrize(
    ("proxies", "forwarded", "status"),
    [
        ([], "192.0.2.7", 403),
        (["127.0.0.1"], "192.0.2.7", 200),
        (["127.0.0.1"], "192.0.2.7, 192.0.2.8", 403),
        (["127.0.0.1"], "192.0.2.8, 192.0.2.7", 200),
        (["127.0.0.1"], "2001:db8::7", 200),
    ],
)
async def test_only_our_proxies_say_where_a_request_comes_from(
    sqlite: Engine, proxies: list[str], forwarded: str, status: int
) -> None:
    settings = changed(PATIENT, proxies=proxies)
    services = {"sun": changed(SOLD, allowed_ips=["192.0.2.7", "2001:db8::/64"])}
    async with merchant(sqlite, settings, services=services) as here:
        answer = await here.ask("POST", "/v1/codes/verify", json=BODY, headers={"X-Forwarded-For": forwarded})
        assert answer.status == status


async def test_a_burst_is_slowed_down_for_each_key(sqlite: Engine) -> None:
    settings = Web(port=0, api_rate_per_s=2)
    async with merchant(sqlite, settings) as here:
        other = await here.with_key()
        assert [await asked(here) for _ in range(2)] == [(200, "")] * 2
        answer = await here.ask("POST", "/v1/codes/verify", json=BODY)
        assert problem(answer) == (429, "too_many_requests")
        assert answer.headers["Retry-After"] == "1"
        here.one.clock.advance(1001)
        assert await asked(here) == await asked(other) == (200, "")


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/codes/verify"), ("GET", "/v1/plain/sun")])
async def test_who_has_found_a_key_and_tries_it_elsewhere_takes_nothing_from_its_rate(
    sqlite: Engine, method: str, path: str
) -> None:
    settings = changed(PATIENT, proxies=["127.0.0.1"], api_rate_per_s=2)
    async with merchant(sqlite, settings, services={"sun": changed(SOLD, allowed_ips=["192.0.2.7"])}) as here:

        async def ask(address: str) -> int:
            return (await here.ask(method, path, json=BODY, headers={"X-Forwarded-For": address})).status

        assert [await ask("198.51.100.1") for _ in range(10)] == [403] * 10
        assert [await ask("192.0.2.7") for _ in range(3)] == [200, 200, 429]


async def test_test_keys_see_test_codes_and_live_keys_live_ones(engine: Engine) -> None:
    async with merchant(engine) as here:
        live = await here.here.code()
        await here.one.sms("SUN", link="lab")
        test = (await here.one.codes())[-1]
        tester = await here.with_key(test=True)
        here.one.clock.advance(SECOND + 1)
        assert [(await here.verify(code))["outcome"] for code in (live, test)] == ["success", "invalid"]
        assert [(await tester.verify(code))["outcome"] for code in (live, test)] == ["invalid", "success"]
        names = [name for (name,) in await here.one.rows("codes", "id")]
        seen = [[(await one.ask("GET", f"/v1/codes/{name}")).status for name in names] for one in (here, tester)]
        assert seen == [[200, 404], [404, 200]]
        redemption = (await tester.redeem(test))["redemption"]
        assert problem(await here.ask("POST", f"/v1/redemptions/{redemption}/consume")) == (404, "not_found")
        assert told(await tester.ask("POST", f"/v1/redemptions/{redemption}/consume"))["redemption"] == redemption
        assert LINK.test is False
