"""Payments that merchants' servers ask for: made, refused, looked at, canceled, refunded, proven."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from smsgw.flows import apikeys
from smsgw.flows.payments import pages
from smsgw.settings import Payments as Limits
from tests.flows.payments.market import MO_PHONE, OTHER, PHONE
from tests.flows.world import changed
from tests.servers.engines import Engine
from tests.web.api.merchant import problem, told
from tests.web.api.shop import EVERYTHING, MASKED, OPEN, PATIENT, made, shop


async def test_a_payment_is_made_with_the_price_of_the_phones_operator(engine: Engine) -> None:
    async with shop(engine) as here:
        answer = await here.create(state="basket 7", merchant_reference="order A", language="bg")
        found = made(answer)
        assert answer.headers["Location"] == f"/v1/payments/{found['id']}"
        assert "Idempotent-Replayed" not in answer.headers
        page = pages.path_of(here.one.ports, found["id"])
        assert found.pop("checkout_url") == f"http://127.0.0.1:{here.here.port}{page}"
        assert {key: found[key] for key in ("status", "amount_minor", "currency", "operator", "units")} == {
            "status": "created",
            "amount_minor": 250,
            "currency": "EUR",
            "operator": "north",
            "units": 250,
        }
        assert (found["merchant_reference"], found["state"], found["msisdn"]) == ("order A", "basket 7", PHONE)
        assert (await here.market.row(found["id"])).language == "bg"
        questions = await here.market.accept()
        assert {one.row.destination for one in questions} == {PHONE}
        assert told(await here.ask("GET", answer.headers["Location"]))["status"] == "awaiting_confirmation"


async def test_the_address_of_its_page_is_the_one_that_the_world_knows(sqlite: Engine) -> None:
    async with shop(sqlite, changed(PATIENT, public_url="https://pay.example/sms/")) as here:
        found = made(await here.create())
        assert found["checkout_url"] == f"https://pay.example/sms{pages.path_of(here.one.ports, found['id'])}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"product": "silver"}, (422, "product_unknown")),
        ({"msisdn": "+4915123456789"}, (422, "operator_unknown")),
        ({"product": "gold-500", "msisdn": f"+{MO_PHONE}"}, (422, "operator_not_supported")),
        ({"msisdn": "+359"}, (422, "number_invalid")),
        ({"msisdn": "0881234567"}, (422, "number_invalid")),
        ({"msisdn": None}, (422, "body_invalid")),
        ({"method": "pm_1"}, (422, "body_invalid")),
        ({"msisdn": None, "method": "pm_1"}, (422, "method_unknown")),
        ({"msisdn": None, "method": "pm_1", "remember": True}, (422, "body_invalid")),
        ({"merchant": "silver"}, (403, "merchant_not_allowed")),
        ({"merchant": "nowhere"}, (403, "merchant_not_allowed")),
        ({"amount_minor": 1}, (422, "body_invalid")),
        ({"currency": "EUR"}, (422, "body_invalid")),
        ({"merchant_reference": None}, (422, "body_invalid")),
        ({"merchant_reference": ""}, (422, "body_invalid")),
        ({"merchant_reference": "a\n"}, (422, "body_invalid")),
        ({"merchant_reference": "x" * 101}, (422, "body_invalid")),
        ({"state": "x" * 513}, (422, "body_invalid")),
        ({"state": "\0"}, (422, "body_invalid")),
        ({"language": "de"}, (422, "body_invalid")),
    ],
)
async def test_what_cannot_be_paid_is_refused_and_nobody_is_asked(
    sqlite: Engine, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    async with shop(sqlite) as here:
        assert problem(await here.create(**body)) == expected
        assert await here.one.count("payments") == 0
        assert here.market.sent == []


async def test_numbers_are_read_as_people_type_them(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        assert made(await here.create(msisdn="+359 (88) 123-45.67"))["msisdn"] == PHONE
        assert made(await here.create(msisdn="00359881234568"))["msisdn"] == OTHER


async def test_a_phone_is_asked_one_thing_at_a_time(engine: Engine) -> None:
    async with shop(engine) as here:
        first = made(await here.create())
        answer = await here.create()
        assert problem(answer) == (409, "confirmation_open")
        assert first["id"] in answer.json()["detail"]


async def test_nobody_learns_of_the_payments_of_others(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        first = made(await here.create())
        other = await here.with_scopes(EVERYTHING, ["silver"])
        answer = await other.create(merchant="silver")
        assert problem(answer) == (409, "confirmation_open")
        assert first["id"] not in answer.text


async def test_a_hundred_at_once_for_one_phone_ask_it_once(engine: Engine) -> None:
    async with shop(engine) as here:
        answers = await asyncio.gather(*(here.create() for _ in range(100)))
        assert Counter(one.status for one in answers) == {201: 1, 409: 99}
        assert {problem(one)[1] for one in answers if one.status == 409} == {"confirmation_open"}
        assert len(here.market.sent) == 1


async def test_a_reference_is_used_once_and_for_ever(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        first = made(await here.create(merchant_reference="one"))
        told(await here.post(f"/v1/payments/{first['id']}/cancel"))
        answer = await here.create(merchant_reference="one")
        assert problem(answer) == (409, "reference_used")
        assert first["id"] in answer.json()["detail"]
        test = await here.with_scopes(EVERYTHING, test=True)
        assert made(await test.create(merchant_reference="one"))["test"] is True, "tests have references of their own"


async def test_a_phone_that_said_stop_is_left_alone(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        made(await here.create())
        await here.market.accept()
        await here.market.say("STOP")
        assert problem(await here.create()) == (403, "number_blocked")


async def test_a_phone_is_not_asked_all_day(sqlite: Engine) -> None:
    async with shop(sqlite, limits=Limits(prompts_per_number=2)) as here:
        for _ in range(2):
            name = made(await here.create())["id"]
            told(await here.post(f"/v1/payments/{name}/cancel"))
        answer = await here.create()
        assert problem(answer) == (429, "too_many_prompts")
        assert 0 < int(answer.headers["Retry-After"]) <= 3_600


# Numbers


async def test_numbers_are_masked_unless_the_key_may_see_them(sqlite: Engine) -> None:
    async with shop(sqlite, scopes=MASKED) as here:
        found = made(await here.create())
        assert found["msisdn"] == "35988…67"
        clear = await here.with_scopes(EVERYTHING)
        for one, number in ((here, "35988…67"), (clear, PHONE)):
            assert told(await one.ask("GET", f"/v1/payments/{found['id']}"))["msisdn"] == number
            page = told(await one.ask("GET", "/v1/payments"))
            assert [one["msisdn"] for one in page["payments"]] == [number]
        assert problem(await here.ask("GET", f"/v1/payments/{found['id']}/evidence")) == (403, "scope_missing")


async def test_events_show_numbers_masked_whatever_the_key_may_see(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        name = await here.paid()
        assert PHONE not in (await here.ask("GET", f"/v1/payments/{name}/events")).text


# Once


async def test_a_request_that_is_repeated_has_the_same_answer_and_says_so(engine: Engine) -> None:
    async with shop(engine) as here:
        body = here.order(remember=True)
        first = await here.post("/v1/payments", body, "one")
        await here.market.accept()
        again = await here.post("/v1/payments", body, "one")
        assert (again.status, again.json()) == (201, first.json())
        assert again.headers["Location"] == first.headers["Location"]
        assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
        assert await here.one.count("payments") == 1
        assert problem(await here.post("/v1/payments", body | {"state": "x"}, "one")) == (422, "idempotency_key_reused")


async def test_it_is_the_same_request_under_the_merchants_next_key(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        body = here.order()
        first = await here.post("/v1/payments", body, "one")
        other = await here.with_scopes(EVERYTHING)
        assert (await other.post("/v1/payments", body, "one")).json() == first.json()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/payments",
        "/v1/payments/{id}/cancel",
        "/v1/payments/{id}/refunds",
        "/v1/payment-methods/{method}/remove",
        "/v1/events/{event}/replay",
        "/v1/webhook-endpoints/gold/enable",
        "/v1/webhook-endpoints/gold/rotate-secret",
        "/v1/webhook-deliveries/replay",
    ],
)
async def test_every_change_wants_a_key_of_its_own(sqlite: Engine, path: str) -> None:
    async with shop(sqlite) as here:
        name = made(await here.create(remember=True))["id"]
        await here.market.accept()
        [(method,)] = await here.one.rows("methods", "id")
        [(event,)] = await here.one.rows("events", "id")
        bodies: dict[str, Any] = {
            "/v1/payments": here.order(),
            "/v1/payments/{id}/refunds": {"reason": "x"},
            "/v1/webhook-endpoints/gold/rotate-secret": {},
            "/v1/webhook-deliveries/replay": {"from": "2026-01-01T00:00:00Z"},
        }
        options = {"json": bodies[path]} if path in bodies else {}
        path = path.format(id=name, method=method, event=event)
        assert problem(await here.ask("POST", path, **options)) == (400, "idempotency_key_missing")
        headers = {"Idempotency-Key": "ключ"}
        assert problem(await here.ask("POST", path, headers=headers, **options)) == (400, "idempotency_key_invalid")


async def test_while_the_first_is_worked_on_others_are_told_to_wait(engine: Engine) -> None:
    async with shop(engine) as here:
        body = here.order()
        await here.create(msisdn=f"+{OTHER}")  # the key to the API is read by now
        here.market.database.open.clear()
        here.market.database.entered.clear()
        first = asyncio.create_task(here.post("/v1/payments", body, "one"))
        await here.market.database.entered.wait()
        second = await here.post("/v1/payments", body, "one")
        assert problem(second) == (409, "idempotency_in_progress")
        assert second.headers["Retry-After"] == "1"
        here.market.database.open.set()
        assert made(await first)["id"] == made(await here.post("/v1/payments", body, "one"))["id"]


async def test_a_refused_request_may_be_repeated_when_the_reason_is_gone(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        first = made(await here.create())["id"]
        body = here.order()
        assert problem(await here.post("/v1/payments", body, "one")) == (409, "confirmation_open")
        told(await here.post(f"/v1/payments/{first}/cancel"))
        made(await here.post("/v1/payments", body, "one"))


# Looked at


async def test_payments_are_listed_page_by_page(engine: Engine) -> None:
    async with shop(engine, limits=Limits(prompts_per_number=10)) as here:
        names = []
        for number in range(5):
            names.append(made(await here.create(merchant_reference=f"r{number}"))["id"])
            told(await here.post(f"/v1/payments/{names[-1]}/cancel"))
        names.append(made(await here.create())["id"])
        names.reverse()

        async def page(**query: Any) -> tuple[list[str], str | None]:
            found = told(await here.ask("GET", "/v1/payments", params=query))
            return [one["id"] for one in found["payments"]], found["more"]

        assert await page() == (names, None)
        assert await page(merchant="gold", count=6) == (names, None)
        assert await page(count=4) == (names[:4], names[3])
        assert await page(count=4, before=names[3]) == (names[4:], None)
        assert await page(status="canceled", count=2) == (names[1:3], names[2])
        assert await page(status="created") == (names[:1], None)
        assert await page(merchant_reference="r4") == (names[1:2], None)
        assert await page(merchant_reference="r4", status="created") == ([], None)
        assert await page(merchant_reference="r9") == ([], None)


@pytest.mark.parametrize(
    "query", [{"status": "gone"}, {"count": 0}, {"count": 101}, {"before": "x"}, {"merchant": "G"}, {"what": "x"}]
)
async def test_a_bad_query_is_told(sqlite: Engine, query: dict[str, Any]) -> None:
    async with shop(sqlite) as here:
        assert problem(await here.ask("GET", "/v1/payments", params=query)) == (400, "query_invalid")


async def test_who_has_several_merchants_names_one(sqlite: Engine) -> None:
    async with shop(sqlite, names=["gold", "silver"]) as here:
        assert problem(await here.ask("GET", "/v1/payments")) == (400, "query_invalid")
        made(await here.create())
        for merchant, count in (("gold", 1), ("silver", 0)):
            assert len(told(await here.ask("GET", f"/v1/payments?merchant={merchant}"))["payments"]) == count
        assert problem(await here.ask("GET", "/v1/payments?merchant=nowhere")) == (403, "merchant_not_allowed")


async def test_keys_see_their_own_merchants_and_tests_or_live_ones_only(engine: Engine) -> None:
    async with shop(engine) as here:
        name = await here.paid()
        silver = await here.with_scopes(EVERYTHING, ["silver"])
        test = await here.with_scopes(EVERYTHING, test=True)
        [event, *_] = told(await here.ask("GET", f"/v1/payments/{name}/events"))["events"]
        for other in (silver, test):
            for path in ("", "/refunds", "/events", "/evidence"):
                assert problem(await other.ask("GET", f"/v1/payments/{name}{path}")) == (404, "not_found")
            assert problem(await other.post(f"/v1/payments/{name}/cancel")) == (404, "not_found")
            assert problem(await other.post(f"/v1/payments/{name}/refunds", {"reason": "x"})) == (404, "not_found")
            assert problem(await other.ask("GET", f"/v1/events/{event['id']}")) == (404, "not_found")
            assert problem(await other.post(f"/v1/events/{event['id']}/replay")) == (404, "not_found")
            assert told(await other.ask("GET", "/v1/payments"))["payments"] == []
            assert told(await other.ask("GET", "/v1/events"))["events"] == []
        made(await test.create())
        assert len(told(await test.ask("GET", "/v1/payments"))["payments"]) == 1
        assert len(told(await here.ask("GET", "/v1/payments"))["payments"]) == 1


async def test_events_are_shown_in_their_order_with_their_deliveries(engine: Engine) -> None:
    gold = changed(OPEN, webhook_events=["payment.succeeded"])
    async with shop(engine, gold=gold) as here:
        name = await here.paid()
        found = told(await here.ask("GET", f"/v1/payments/{name}/events"))["events"]
        assert [(one["body"]["type"], one["delivery"]["status"]) for one in found] == [
            ("payment.awaiting_confirmation", "not_posted"),
            ("payment.confirmed", "not_posted"),
            ("payment.succeeded", "pending"),
        ]
        assert [one["body"]["data"]["sequence"] for one in found] == [1, 2, 3]
        assert {one["body"]["data"]["id"] for one in found} == {name}


async def test_the_evidence_says_what_was_asked_and_answered(engine: Engine) -> None:
    async with shop(engine) as here:
        name = made(await here.create())["id"]
        path = f"/v1/payments/{name}/evidence"
        assert told(await here.ask("GET", path))["consent"] is None
        [question] = await here.market.accept(message_id="Q1")
        await here.market.say("Да!")
        found = told(await here.ask("GET", path))
        assert found["payment"]["msisdn"] == PHONE
        consent = found["consent"]
        assert consent["prompt"].startswith("Gold")
        assert (consent["answer"], consent["prompt_message"], consent["prompt_message_id"]) == (
            "Да!",
            question.row.id,
            "Q1",
        )
        assert [one["kind"] for one in found["facts"]][:3] == ["created", "prompted", "confirmed"]
        assert "terms" not in found["facts"][0]["told"], "how the operator charges is not the merchant's"
        assert consent["answer_message"].startswith("mo_")


# Changed


async def test_a_payment_that_nobody_has_confirmed_is_canceled(engine: Engine) -> None:
    async with shop(engine) as here:
        name = made(await here.create())["id"]
        await here.market.accept()
        first = await here.post(f"/v1/payments/{name}/cancel", key="c")
        assert told(first)["status"] == "canceled"
        again = await here.post(f"/v1/payments/{name}/cancel", key="c")
        assert told(again) == told(first)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert told(await here.post(f"/v1/payments/{name}/cancel"))["status"] == "canceled"
        other = await here.paid(phone=OTHER)
        assert problem(await here.post(f"/v1/payments/{other}/cancel")) == (409, "not_cancelable")
        assert problem(await here.post("/v1/payments/pay_1/cancel")) == (404, "not_found")


async def test_money_goes_back_whole_or_in_parts_and_never_more(engine: Engine) -> None:
    async with shop(engine) as here:
        name = await here.paid()
        path = f"/v1/payments/{name}/refunds"
        assert problem(await here.post(path, {"amount_minor": 251, "reason": "x"})) == (409, "too_much")
        first = await here.post(path, {"amount_minor": 100, "reason": "half eaten"}, "r1")
        refund = made(first)
        assert (refund["amount_minor"], refund["status"], refund["reason"]) == (100, "manual", "half eaten")
        again = await here.post(path, {"amount_minor": 100, "reason": "half eaten"}, "r1")
        assert (made(again), again.headers["Idempotent-Replayed"]) == (refund, "true")
        assert made(await here.post(path, {"reason": "the rest"}))["amount_minor"] == 150
        assert made(await here.post(path, {"amount_minor": 100, "reason": "half eaten"}, "r1")) == refund, "as it was"
        assert problem(await here.post(path, {"reason": "more"})) == (409, "too_much")
        found = told(await here.ask("GET", path))["refunds"]
        assert [one["amount_minor"] for one in found] == [100, 150]
        assert told(await here.ask("GET", f"/v1/payments/{name}"))["refunded_minor"] == 250


async def test_however_many_requests_race(engine: Engine) -> None:
    async with shop(engine) as here:
        name = await here.paid()
        path = f"/v1/payments/{name}/refunds"
        answers = await asyncio.gather(*(here.post(path, {"amount_minor": 60, "reason": "x"}) for _ in range(12)))
        assert Counter(one.status for one in answers) == {201: 4, 409: 8}


async def test_where_nothing_was_taken_nothing_goes_back(sqlite: Engine) -> None:
    async with shop(sqlite) as here:
        name = made(await here.create())["id"]
        assert problem(await here.post(f"/v1/payments/{name}/refunds", {"reason": "x"})) == (409, "not_refundable")
        for body in ({}, {"reason": ""}, {"reason": "x", "amount_minor": 0}, {"reason": "x", "what": 1}):
            assert problem(await here.post(f"/v1/payments/{name}/refunds", body)) == (422, "body_invalid")


async def test_each_operation_wants_its_scope(sqlite: Engine) -> None:
    wanted = {
        ("GET", "/v1/products"): "payments:read",
        ("POST", "/v1/payments"): "payments:write",
        ("GET", "/v1/payments"): "payments:read",
        ("GET", "/v1/payments/pay_1"): "payments:read",
        ("POST", "/v1/payments/pay_1/cancel"): "payments:write",
        ("POST", "/v1/payments/pay_1/refunds"): "payments:refund",
        ("GET", "/v1/payments/pay_1/refunds"): "payments:read",
        ("GET", "/v1/payments/pay_1/events"): "payments:read",
        ("GET", "/v1/payments/pay_1/evidence"): "payments:numbers",
        ("GET", "/v1/payment-methods"): "payments:read",
        ("GET", "/v1/payment-methods/pm_1"): "payments:read",
        ("POST", "/v1/payment-methods/pm_1/remove"): "payments:write",
        ("GET", "/v1/events"): "webhooks:read",
        ("GET", "/v1/events/evt_1"): "webhooks:read",
        ("POST", "/v1/events/evt_1/replay"): "webhooks:write",
        ("GET", "/v1/webhook-deliveries"): "webhooks:read",
        ("POST", "/v1/webhook-deliveries/replay"): "webhooks:write",
        ("GET", "/v1/webhook-endpoints"): "webhooks:read",
        ("POST", "/v1/webhook-endpoints/gold/enable"): "webhooks:write",
        ("POST", "/v1/webhook-endpoints/gold/rotate-secret"): "webhooks:write",
    }
    async with shop(sqlite) as here:
        for scope in sorted(set(wanted.values())):
            other = await here.with_scopes([one for one in EVERYTHING if one != scope], ["gold", "silver"])
            for (method, path), needed in wanted.items():
                if needed == scope:
                    assert problem(await other.ask(method, path, json={})) == (403, "scope_missing")
            assert await apikeys.revoke(here.one.ports, other.key, "tests"), "two of a kind may live"


async def test_from_other_addresses_the_key_opens_nothing(sqlite: Engine) -> None:
    async with shop(sqlite, gold=changed(OPEN, allowed_ips=["192.0.2.0/24"])) as here:
        assert problem(await here.create()) == (403, "address_not_allowed")
        both = await here.with_scopes(EVERYTHING, ["gold", "silver"])
        assert problem(await both.create()) == (403, "address_not_allowed")
        made(await both.create(merchant="silver"))
