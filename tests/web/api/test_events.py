"""What merchants were told: listed, looked at, posted once more; where they are told, and the secret that signs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from smsgw.flows.ports import Posted
from smsgw.flows.secrets import Secrets, told as told_secret
from smsgw.flows.webhooks import Webhooks
from smsgw.kit.clock import rfc3339
from smsgw.settings import Webhooks as WebhookSettings
from tests.flows.merchant import BUSY, TAKEN, Merchant as Server, turn
from tests.flows.payments.market import OTHER
from tests.flows.world import SECOND, changed
from tests.servers.engines import Engine
from tests.store.look import select
from tests.web.api.merchant import problem, told
from tests.web.api.shop import EVERYTHING, HOOK, OPEN, Shop, shop

CONFIRMED = ["payment.succeeded", "payment.confirmed", "payment.awaiting_confirmation"]  # the latest first


class Told(Shop):
    """A merchant with a server that is told."""

    server: Server
    hooks: Webhooks

    async def listed(self, **query: Any) -> list[tuple[str, str]]:
        found = told(await self.ask("GET", "/v1/webhook-deliveries", params=query))["deliveries"]
        return [(one["type"], one["status"]) for one in found]

    async def again(self, key: str | None = None, **body: Any) -> int:
        given = {"from": "2000-01-01T00:00:00Z"} | body
        count: int = told(await self.post("/v1/webhook-deliveries/replay", given, key))["events"]
        return count


@asynccontextmanager
async def hooked(engine: Engine, **options: Any) -> AsyncIterator[Told]:
    gold = options.pop("gold", OPEN)
    async with shop(engine, gold=gold, **options) as one:
        here = Told(one.here, one.token, one.key)
        here.server = Server()
        here.hooks = Webhooks(here.one.ports, WebhookSettings(max_tries=1), {"gold": gold}, here.server)
        await here.hooks.begin()
        yield here
        await here.hooks.close(0.0)


async def test_events_are_listed_by_type_and_page_by_page(engine: Engine) -> None:
    async with hooked(engine) as here:
        name = await here.paid()

        async def page(**query: Any) -> tuple[list[str], str | None]:
            found = told(await here.ask("GET", "/v1/events", params=query))
            assert {one["body"]["data"]["id"] for one in found["events"]} <= {name}
            return [one["body"]["type"] for one in found["events"]], found["more"]

        whole = told(await here.ask("GET", "/v1/events"))["events"]
        assert await page() == (CONFIRMED, None)
        assert await page(count=2) == (CONFIRMED[:2], whole[1]["id"])
        assert await page(count=2, before=whole[1]["id"]) == (CONFIRMED[2:], None)
        assert await page(type="payment.confirmed") == (["payment.confirmed"], None)
        assert told(await here.ask("GET", f"/v1/events/{whole[0]['id']}")) == whole[0]
        assert problem(await here.ask("GET", "/v1/events/evt_1")) == (404, "not_found")
        assert problem(await here.ask("GET", "/v1/events?type=X")) == (400, "query_invalid")


async def test_deliveries_say_how_far_they_have_come(engine: Engine) -> None:
    gold = changed(OPEN, webhook_events=CONFIRMED[:2])
    async with hooked(engine, gold=gold) as here:
        await here.paid()
        assert await here.listed() == [
            (CONFIRMED[0], "pending"),
            (CONFIRMED[1], "pending"),
            (CONFIRMED[2], "not_posted"),
        ]
        here.server.answer = lambda letter: BUSY if b"succeeded" in letter.body else TAKEN
        await turn(here.hooks)
        assert await here.listed() == [
            (CONFIRMED[0], "given_up"),
            (CONFIRMED[1], "delivered"),
            (CONFIRMED[2], "not_posted"),
        ]
        for number, status in enumerate(("given_up", "delivered", "not_posted")):
            assert await here.listed(status=status) == [(CONFIRMED[number], status)]
        assert await here.listed(status="pending") == []
        [found] = told(await here.ask("GET", "/v1/webhook-deliveries?status=given_up"))["deliveries"]
        assert (found["tries"], found["http_status"], found["error"]) == (1, 500, "HTTP status 500")
        assert found["settled_at"] is not None
        assert found["next_try_at"] is None


async def test_an_event_is_posted_once_more_with_its_id(engine: Engine) -> None:
    async with hooked(engine, gold=changed(OPEN, webhook_events=CONFIRMED[:1])) as here:
        await here.paid()
        await turn(here.hooks)
        [posted] = here.server.ids
        [unposted, *_] = [one for one in told(await here.ask("GET", "/v1/events"))["events"] if one["id"] != posted]
        for name in (posted, unposted["id"]):
            path = f"/v1/events/{name}/replay"
            first = await here.post(path, key=f"k{name}")
            assert told(first)["delivery"]["status"] == "pending"
            here.hooks.wake(["gold"])
            await turn(here.hooks)
            again = await here.post(path, key=f"k{name}")
            assert (told(again), again.headers["Idempotent-Replayed"]) == (told(first), "true")
            await turn(here.hooks)
        assert here.server.ids == [posted, posted, unposted["id"]], "the one of a type that is not posted as well"


async def test_the_events_of_some_time_are_posted_once_more(engine: Engine) -> None:
    async with hooked(engine, gold=changed(OPEN, webhook_events=CONFIRMED[:2])) as here:
        await here.paid()
        await turn(here.hooks)
        between = rfc3339(here.market.clock.now_ms() + 1)
        here.market.clock.advance(60 * SECOND)
        here.server.answer = lambda _: BUSY
        await here.paid(phone=OTHER)
        here.hooks.wake(["gold"])
        await turn(here.hooks)
        assert len(here.server.ids) == 4
        assert await here.again(to=between, status="given_up") == 0
        assert await here.again("one", to=between) == 2, "and none that is not posted"
        assert await here.again("one", to=between) == 2, "the same answer"
        assert await here.again(**{"from": between}, status="given_up") == 2
        assert await here.again(status="not_posted") == 2
        assert {status for _, status in await here.listed()} == {"pending"}
        body = {"from": "2000-01-01T00:00:00Z", "status": "pending"}
        assert problem(await here.post("/v1/webhook-deliveries/replay", body)) == (422, "body_invalid")


async def test_other_merchants_and_tests_are_not_posted_with_them(sqlite: Engine) -> None:
    async with hooked(sqlite) as here:
        await here.paid()
        await turn(here.hooks)
        for names, test in ((["silver"], False), (["gold"], True)):
            other = await here.with_scopes(EVERYTHING, names, test=test)
            body = {"from": "2000-01-01T00:00:00Z"}
            assert told(await other.post("/v1/webhook-deliveries/replay", body))["events"] == 0
            assert told(await other.ask("GET", "/v1/webhook-deliveries"))["deliveries"] == []


async def test_without_an_address_nothing_is_posted_again(sqlite: Engine) -> None:
    async with hooked(sqlite, gold=changed(OPEN, webhook_url="")) as here:
        await here.paid()
        [event, *_] = told(await here.ask("GET", "/v1/events"))["events"]
        assert problem(await here.post(f"/v1/events/{event['id']}/replay")) == (409, "endpoint_missing")
        body = {"from": "2000-01-01T00:00:00Z"}
        assert problem(await here.post("/v1/webhook-deliveries/replay", body)) == (409, "endpoint_missing")
        [found] = told(await here.ask("GET", "/v1/webhook-endpoints"))["endpoints"]
        assert (found["url"], found["state"]) == (None, "none")


async def test_an_address_that_wants_no_more_is_opened_again(engine: Engine) -> None:
    async with hooked(engine, gold=changed(OPEN, webhook_events=["payment.succeeded"])) as here:

        async def endpoint() -> dict[str, Any]:
            [found] = told(await here.ask("GET", "/v1/webhook-endpoints"))["endpoints"]
            assert (found["merchant"], found["url"], found["events"]) == ("gold", HOOK, ["payment.succeeded"])
            return {key: found[key] for key in ("state", "waiting")}

        assert await endpoint() == {"state": "open", "waiting": 0}
        await here.paid()
        here.server.answer = lambda _: Posted(http_status=410, error="HTTP status 410")
        await turn(here.hooks)
        assert await endpoint() == {"state": "gone", "waiting": 1}
        here.server.answer = lambda _: TAKEN
        found = told(await here.post("/v1/webhook-endpoints/gold/enable"))
        assert (found["state"], found["gone_at"]) == ("open", None)
        here.hooks.wake(["gold"])
        await turn(here.hooks)
        assert await endpoint() == {"state": "open", "waiting": 0}
        assert problem(await here.post("/v1/webhook-endpoints/silver/enable")) == (403, "merchant_not_allowed")


async def test_a_new_secret_signs_beside_those_before(engine: Engine) -> None:
    async with hooked(engine) as here:
        path = "/v1/webhook-endpoints/gold/rotate-secret"
        first = await here.post(path, {"overlap_s": 60}, "one")
        again = await here.post(path, {"overlap_s": 60}, "one")
        assert told(first) == told(again)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert told(first)["secret"] not in repr(await select(engine, "select answer from idempotency")), (
            "never kept in clear"
        )
        signing = Secrets(here.one.ports)
        await signing.refresh()
        known = [told_secret(one) for one in signing.of("gold")]
        assert (len(known), known[0]) == (2, told(first)["secret"])
        here.market.clock.advance(61 * SECOND)
        await signing.refresh()
        assert len(signing.of("gold")) == 1
        for _ in range(3):
            told(await here.post(path, {}))
        assert problem(await here.post(path, {})) == (409, "too_many_secrets")


@pytest.mark.parametrize("what", ["enable", "rotate-secret"])
async def test_a_test_key_neither_learns_nor_changes_what_live_events_are_signed_with(
    sqlite: Engine, what: str
) -> None:
    async with hooked(sqlite) as here:
        tester = await here.with_scopes(EVERYTHING, test=True)
        before = await here.one.rows("service_keys", "id", "revoked_ms")
        answer = await tester.post(f"/v1/webhook-endpoints/gold/{what}", {"overlap_s": 0})
        assert problem(answer) == (403, "live_key_needed")
        assert await here.one.rows("service_keys", "id", "revoked_ms") == before
