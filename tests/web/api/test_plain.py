"""The plain address for old sites: one word, one line, from allowed addresses."""

import pytest

from smsgw.domain.codes import Outcome
from smsgw.web.api.plain import WORDS
from tests.flows.world import SECOND, changed
from tests.servers.engines import Engine
from tests.web.api.merchant import SOLD, Merchant, merchant, problem
from tests.web.site import Answer


async def bring(here: Merchant, code: str, method: str = "GET", **fields: str) -> Answer:
    """Bring a code without a key."""
    given = {"code": code, "visitor_ip": "192.0.2.1"} | fields
    return await here.here.ask(method, "/v1/plain/sun", **{"params" if method == "GET" else "data": given})


def test_every_outcome_has_its_word() -> None:
    assert WORDS.keys() == set(Outcome)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_each_outcome_is_one_word(engine: Engine, method: str) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        answers = [await bring(here, code, method) for _ in range(4)]
        assert [one.text for one in answers] == ["OK\n"] * 3 + ["EXPIRED\n"], "used up"
        assert {one.headers["Content-Type"] for one in answers} == {"text/plain; charset=utf-8"}
        code = await here.here.code()
        here.one.clock.advance(3_600 * SECOND)
        assert (await bring(here, code, method)).text == "EXPIRED\n"
        words = [await bring(here, "WRONG", method) for _ in range(6)]
        assert [one.text for one in words] == ["INVALID\n"] * 5 + ["WAIT\n"]
        assert (words[-1].status, words[-1].headers["Retry-After"]) == (200, "60")


async def test_only_from_allowed_addresses(sqlite: Engine) -> None:
    async with merchant(sqlite, services={"sun": changed(SOLD, allowed_ips=["192.0.2.1"])}) as here:
        assert problem(await bring(here, "X")) == (403, "address_not_allowed")
        assert problem(await here.ask("GET", "/v1/plain/sun")) == (403, "address_not_allowed"), "with a key too"


async def test_a_key_that_is_given_must_be_good(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        await here.here.code()
        assert problem(await here.ask("GET", "/v1/plain/sun", token="x")) == (401, "key_unknown")
        assert problem(await here.ask("GET", "/v1/plain/moon")) == (403, "service_not_allowed")
        assert (await here.ask("GET", "/v1/plain/sun")).text == "INVALID\n"


async def test_test_codes_open_nothing_without_a_test_key(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        await here.one.sms("SUN", link="lab")
        [code] = await here.one.codes()
        assert (await bring(here, code)).text == "INVALID\n"
        tester = await here.with_key(test=True)
        assert (await tester.ask("GET", "/v1/plain/sun", params={"code": code})).text == "OK\n"


async def test_what_is_wrong_is_a_problem(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        assert problem(await here.here.ask("GET", "/v1/plain/nowhere")) == (404, "not_found")
        assert problem(await bring(here, "X", visitor_ip="me")) == (422, "body_invalid")
        assert problem(await bring(here, "X", state="\0")) == (400, "query_invalid")
        assert (await bring(here, "A" * 10_000)).text == "INVALID\n"
        assert (await bring(here, "\0")).text == "INVALID\n"
        assert (await here.here.ask("GET", "/v1/plain/sun?code=%ff%fe")).text == "INVALID\n"
