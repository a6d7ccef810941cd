"""The OpenAPI document: made of the types that read and write, and schemathesis finds nothing that breaks it."""

import asyncio
import itertools
import json
from collections import Counter
from typing import Any, get_args

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks

from smsgw.domain.payments import EventType
from smsgw.settings import Web
from smsgw.store.api_keys import Scope
from tests.flows.world import PHONE
from tests.servers.engines import Engine
from tests.web.api.merchant import SOLD, Merchant, merchant, told
from tests.web.api.shop import shop

load_all_checks()
FAST = Web(port=0, api_rate_per_s=100_000, verify_timeout_s=20)
EXAMPLES = 15
PAGES = ("/v1/products", "/v1/payments", "/v1/payment-methods", "/v1/events", "/v1/webhook-deliveries")
BEHIND_THE_DOOR = (
    "GET /v1/codes",
    "POST /v1/codes/verify",
    "POST /v1/codes/redeem",
    "GET /v1/plain/{service}",
    *(f"GET {path}" for path in PAGES),
    "GET /v1/webhook-endpoints",
    "POST /v1/webhook-deliveries/replay",
    "POST /v1/webhook-endpoints/{merchant}/enable",
    "POST /v1/webhook-endpoints/{merchant}/rotate-secret",
)
KEYS = itertools.count()
TURNS = itertools.count()
CHECKED = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "positive_data_acceptance",
        "missing_required_header",
        "unsupported_method",
        "ignored_auth",
    )
]


async def document(here: Merchant) -> dict[str, Any]:
    return told(await here.here.ask("GET", "/v1/openapi.json"))


async def test_everybody_may_read_the_document(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        found = await document(here)
    assert found["openapi"] == "3.1.0"
    assert set(found["paths"]) == {
        "/v1/codes/verify",
        "/v1/codes/redeem",
        "/v1/redemptions/{id}/consume",
        "/v1/returns/exchange",
        "/v1/codes",
        "/v1/codes/{id}",
        "/v1/codes/{id}/revoke",
        "/v1/codes/{id}/extend",
        "/v1/codes/{id}/reissue",
        "/v1/plain/{service}",
        "/v1/products",
        "/v1/payments",
        "/v1/payments/{id}",
        "/v1/payments/{id}/cancel",
        "/v1/payments/{id}/refunds",
        "/v1/payments/{id}/events",
        "/v1/payments/{id}/evidence",
        "/v1/payment-methods",
        "/v1/payment-methods/{id}",
        "/v1/payment-methods/{id}/remove",
        "/v1/events",
        "/v1/events/{id}",
        "/v1/events/{id}/replay",
        "/v1/webhook-deliveries",
        "/v1/webhook-deliveries/replay",
        "/v1/webhook-endpoints",
        "/v1/webhook-endpoints/{merchant}/enable",
        "/v1/webhook-endpoints/{merchant}/rotate-secret",
    }


async def test_what_is_posted_to_merchants_is_described_by_the_types_that_write_it(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        found = await document(here)
    assert set(found["webhooks"]) == {"code.issued", "code.redeemed", "code.exhausted", *get_args(EventType)}
    for kind, one in found["webhooks"].items():
        ref = one["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        body = found["components"]["schemas"][ref.rpartition("/")[2]]
        if kind.startswith("code."):
            assert body["properties"]["type"] == {"enum": [kind], "default": kind}
        else:
            assert kind in body["properties"]["type"]["enum"]
        data = found["components"]["schemas"][body["properties"]["data"]["$ref"].rpartition("/")[2]]
        assert all("description" in json.dumps(field) for field in data["properties"].values())


async def test_what_it_refers_to_is_there(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        found = await document(here)
    text = json.dumps(found)
    refs = {piece.partition('"')[0] for piece in text.split('"$ref": "#/components/schemas/')[1:]}
    assert refs <= set(found["components"]["schemas"])
    assert set(found["components"]["schemas"]) <= refs


def run(raw: dict[str, Any], port: int, token: str) -> Counter[tuple[str, int]]:
    """Try every operation with schemathesis; return how often each was answered with which status."""
    schema = schemathesis.openapi.from_dict(raw)
    schema.config.update(base_url=f"http://127.0.0.1:{port}")
    statuses: Counter[tuple[str, int]] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]  # an operation that cannot be read fails the test here
        for mode in schemathesis.GenerationMode:
            attempt(operation, mode, token, statuses)
    return statuses


def attempt(operation: Any, mode: schemathesis.GenerationMode, token: str, statuses: Counter[tuple[str, int]]) -> None:
    """Try one operation with what its document allows, or with what it does not."""

    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def each(case: Any) -> None:
        # To JSON Schema 2.0 is an integer; we take a count without a decimal point only.
        body = case.body if isinstance(case.body, dict) else {}
        hypothesis.assume(not any(isinstance(value, float) for value in body.values()))
        if mode is schemathesis.GenerationMode.POSITIVE:  # a name that is sold leads further in
            case.query = dict(case.query or {})
            lead_on(operation.path, body, case.path_parameters or {}, case.query)
            if "Idempotency-Key" in (case.headers or {}):
                case.headers["Idempotency-Key"] = f"key-{next(KEYS)}"  # another request, another key
        answer = case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKED)
        statuses[operation.label, answer.status_code] += 1

    each()


def lead_on(path: str, body: dict[str, Any], parameters: dict[str, Any], query: dict[str, Any]) -> None:
    """Name what there is; and of two ways to say whose phone it is, take one."""
    for place in (body, parameters, query):
        if "service" in place:
            place["service"] = "sun"
        if "merchant" in place:
            place["merchant"] = "gold"
    if path in PAGES or path == "/v1/webhook-deliveries/replay":
        (query if path in PAGES else body)["merchant"] = "gold"  # the key is for several
    if "msisdn" in query and (path != "/v1/codes" or next(TURNS) % 2):
        query["msisdn"] = PHONE
    if path == "/v1/payments" and body:
        for name in ("method", "remember"):
            body.pop(name, None)
        body |= {"product": "gold-250", "msisdn": PHONE}


@pytest.mark.timeout(300)
async def test_schemathesis_finds_nothing(sqlite: Engine) -> None:
    scopes = get_args(Scope)
    async with shop(sqlite, FAST, scopes, names=["gold", "sun"], services={"sun": SOLD}) as here:
        await here.here.code()
        raw = await document(here)
        statuses = await asyncio.to_thread(run, raw, here.here.port, here.token)
        assert len({label for label, _ in statuses}) == sum(map(len, raw["paths"].values()))
        for label in BEHIND_THE_DOOR:
            assert statuses[label, 200] > 0, f"{label} is tried behind the door too"
        assert statuses["POST /v1/payments", 201] == 1, "then the phone has a question"
        assert await here.one.count("attempts") > 0
