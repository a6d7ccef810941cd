"""A merchant's server that asks the API of a small world, with a key of its own."""

import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from smsgw.flows import apikeys
from smsgw.settings import Web
from smsgw.store.api_keys import Scope
from tests.flows.world import LINK, SUN, changed
from tests.servers.engines import Engine
from tests.web.site import Answer, Site, site

ALL: tuple[Scope, ...] = ("codes:verify", "codes:redeem", "codes:read", "codes:write")
HERE = ("127.0.0.1",)
VISITOR = "192.0.2.1"
SOLD = changed(SUN, allowed_ips=list(HERE), price="2.40 EUR")
PATIENT = Web(port=0, body_timeout_s=0.2, verify_timeout_s=20)


class Merchant:
    """Asks with a key."""

    def __init__(self, here: Site, token: str, key: str) -> None:
        self.here = here
        self.one = here.one
        self.token = token
        self.key = key
        self._numbers = itertools.count()

    async def ask(self, method: str, path: str, *, token: str | None = None, **options: Any) -> Answer:
        """Ask anything."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"} | options.pop("headers", {})
        return await self.here.ask(method, path, headers=headers, **options)

    async def verify(self, code: str, **body: Any) -> dict[str, Any]:
        """Look at a code."""
        body = {"service": "sun", "code": code, "visitor_ip": VISITOR} | body
        return told(await self.ask("POST", "/v1/codes/verify", json=body))

    async def redeem_raw(self, code: str, key: str | None = None, **body: Any) -> Answer:
        """Use a code."""
        key = key or f"key-{next(self._numbers)}"
        body = {"service": "sun", "code": code, "visitor_ip": VISITOR} | body
        return await self.ask("POST", "/v1/codes/redeem", json=body, headers={"Idempotency-Key": key})

    async def redeem(self, code: str, key: str | None = None, **body: Any) -> dict[str, Any]:
        """Use a code, and read the answer."""
        return told(await self.redeem_raw(code, key, **body))

    async def change(self, code: str, action: str, key: str | None = None, /, **body: Any) -> Answer:
        """Extend or reissue a code."""
        key = key or f"key-{next(self._numbers)}"
        options: dict[str, Any] = {"json": body} if body else {}
        return await self.ask("POST", f"/v1/codes/{code}/{action}", headers={"Idempotency-Key": key}, **options)

    async def with_key(self, services: Sequence[str] = ("sun",), *, test: bool = False) -> "Merchant":
        """Return the same merchant with another key."""
        new = await apikeys.create(self.one.ports, services, ALL, test=test, actor="tests")
        return Merchant(self.here, new.token, new.key.id)


def told(answer: Answer) -> dict[str, Any]:
    """Return the JSON of an answer that must be a good one."""
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"].startswith("application/json")
    found: dict[str, Any] = json.loads(answer.text)
    return found


def problem(answer: Answer) -> tuple[int, str]:
    """Return status and code of an answer that must be a problem."""
    assert answer.headers["Content-Type"].startswith("application/problem+json"), answer.text
    found = json.loads(answer.text)
    assert found["status"] == answer.status
    assert found["request_id"] == answer.headers["X-Request-Id"]
    assert found.keys() <= {"type", "title", "status", "code", "detail", "request_id"}
    assert found["type"] == f"/docs#{found['code']}"
    return answer.status, found["code"]


@asynccontextmanager
async def merchant(
    engine: Engine,
    settings: Web = PATIENT,
    scopes: Sequence[Scope] = ALL,
    *,
    test: bool = False,
    **changes: Any,
) -> AsyncIterator[Merchant]:
    """Serve a world in which "sun" is sold; the link "lab" is a simulated operator."""
    given: dict[str, Any] = {
        "services": {"sun": SOLD, "moon": changed(SOLD, keywords=["MOON"])},
        "links": {"north": LINK, "lab": changed(LINK, test=True)},
    }
    async with site(engine, settings, **(given | changes)) as here:
        new = await apikeys.create(here.one.ports, ["sun"], scopes, test=test, actor="tests")
        yield Merchant(here, new.token, new.key.id)
