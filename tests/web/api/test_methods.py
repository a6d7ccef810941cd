"""Remembered numbers: proven by a YES, used instead of a number, asked for again when the proof is old, removed."""

from tests.flows.payments.market import OTHER, PHONE
from tests.flows.world import SECOND, changed
from tests.servers.engines import Engine
from tests.web.api.merchant import problem, told
from tests.web.api.shop import EVERYTHING, MASKED, OPEN, made, shop

DAY = 86_400 * SECOND


async def test_a_number_is_remembered_when_that_is_wished(engine: Engine) -> None:
    async with shop(engine) as here:
        await here.paid()
        assert told(await here.ask("GET", "/v1/payment-methods"))["methods"] == []
        name = await here.paid(remember=True)
        method = told(await here.ask("GET", f"/v1/payments/{name}"))["method"]
        found = told(await here.ask("GET", f"/v1/payment-methods/{method}"))
        assert (found["id"], found["msisdn"], found["operator"], found["needs_verification"]) == (
            method,
            PHONE,
            "north",
            False,
        )
        assert found["verified_at"] is not None
        again = await here.paid(remember=True)
        assert told(await here.ask("GET", f"/v1/payments/{again}"))["method"] == method, "once"


async def test_it_stands_for_the_number(engine: Engine) -> None:
    async with shop(engine) as here:
        name = await here.paid(remember=True)
        method = told(await here.ask("GET", f"/v1/payments/{name}"))["method"]
        found = made(await here.create(msisdn=None, method=method))
        assert (found["msisdn"], found["method"]) == (PHONE, method)


async def test_before_its_phone_has_said_yes_it_stands_for_nothing(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        first = made(await here.create(remember=True))
        told(await here.post(f"/v1/payments/{first['id']}/cancel"))
        assert told(await here.ask("GET", f"/v1/payment-methods/{first['method']}"))["needs_verification"] is True
        answer = await here.create(msisdn=None, method=first["method"])
        assert problem(answer) == (409, "method_needs_verification")


async def test_an_old_proof_must_be_renewed_and_a_yes_does_it(sqlite: Engine) -> None:
    async with shop(sqlite, gold=changed(OPEN, verify_number_days=30)) as here:
        name = await here.paid(remember=True)
        method = told(await here.ask("GET", f"/v1/payments/{name}"))["method"]
        here.market.clock.advance(30 * DAY)
        found = told(await here.ask("GET", f"/v1/payment-methods/{method}"))
        assert found["needs_verification"] is True
        body = here.order(msisdn=None, method=method)
        assert problem(await here.post("/v1/payments", body)) == (409, "method_needs_verification")
        await here.paid(remember=True)
        assert told(await here.ask("GET", f"/v1/payment-methods/{method}"))["needs_verification"] is False
        made(await here.post("/v1/payments", body))


async def test_a_request_is_repeated_with_its_answer_also_when_the_proof_is_old_by_then(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        name = await here.paid(remember=True)
        method = told(await here.ask("GET", f"/v1/payments/{name}"))["method"]
        body = here.order(msisdn=None, method=method)
        first = made(await here.post("/v1/payments", body, "one"))
        told(await here.post(f"/v1/payment-methods/{method}/remove"))
        assert made(await here.post("/v1/payments", body, "one")) == first
        assert problem(await here.create(msisdn=None, method=method)) == (409, "method_removed")


async def test_a_number_is_removed_for_good(engine: Engine) -> None:
    async with shop(engine) as here:
        name = await here.paid(remember=True)
        method = told(await here.ask("GET", f"/v1/payments/{name}"))["method"]
        path = f"/v1/payment-methods/{method}/remove"
        first = await here.post(path, key="r")
        assert told(first)["removed_at"] is not None
        assert told(first)["msisdn"] == "35988…67", "whoever may see numbers"
        again = await here.post(path, key="r")
        assert (told(again), again.headers["Idempotent-Replayed"]) == (told(first), "true")
        assert told(await here.post(path)) == told(first), "once more changes nothing"
        assert told(await here.ask("GET", "/v1/payment-methods"))["methods"] == []
        other = await here.paid(remember=True)
        assert told(await here.ask("GET", f"/v1/payments/{other}"))["method"] != method


async def test_numbers_are_found_by_themselves_or_page_by_page(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        names = [made(await here.create(msisdn=number, remember=True))["method"] for number in (PHONE, OTHER)][::-1]

        async def page(**query: object) -> tuple[list[str], str | None]:
            found = told(await here.ask("GET", "/v1/payment-methods", params=query))
            return [one["id"] for one in found["methods"]], found["more"]

        assert await page() == (names, None)
        assert await page(count=1) == (names[:1], names[0])
        assert await page(count=1, before=names[0]) == (names[1:], None)
        assert await page(msisdn=PHONE) == (names[1:], None)
        assert await page(msisdn="+4915123456789") == ([], None)
        assert problem(await here.ask("GET", "/v1/payment-methods?msisdn=1")) == (422, "number_invalid")


async def test_they_are_their_merchants_and_masked(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        method = made(await here.create(remember=True))["method"]
        masked = await here.with_scopes(MASKED)
        assert told(await masked.ask("GET", f"/v1/payment-methods/{method}"))["msisdn"] == "35988…67"
        for names, test in ((["silver"], False), (["gold"], True)):
            other = await here.with_scopes(EVERYTHING, names, test=test)
            assert problem(await other.ask("GET", f"/v1/payment-methods/{method}")) == (404, "not_found")
            assert problem(await other.post(f"/v1/payment-methods/{method}/remove")) == (404, "not_found")
            answer = await other.create(merchant=names[0], msisdn=None, method=method)
            assert problem(answer) == (422, "method_unknown")


async def test_where_numbers_are_not_remembered_that_is_told(sqlite: Engine) -> None:
    async with shop(sqlite, gold=changed(OPEN, remember_numbers=False)) as here:
        assert problem(await here.create(remember=True)) == (409, "numbers_not_remembered")
