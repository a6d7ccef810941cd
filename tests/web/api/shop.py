"""A merchant's server that sells by the API: a market behind it, an operator that charges by billed messages."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from smsgw.flows import apikeys
from smsgw.settings import MerchantSettings, Web
from smsgw.store.api_keys import Scope
from tests.flows.payments.market import GOLD, LINKS, PHONE, Market
from tests.flows.world import LINK, changed, receipt
from tests.servers.engines import Engine
from tests.web.api.merchant import HERE, Merchant
from tests.web.site import Answer, site

EVERYTHING: Final[tuple[Scope, ...]] = (
    "payments:read",
    "payments:write",
    "payments:refund",
    "payments:numbers",
    "webhooks:read",
    "webhooks:write",
)
MASKED: Final[tuple[Scope, ...]] = ("payments:read", "payments:write", "payments:refund", "webhooks:read")
HOOK: Final = "https://gold.example/hook"
OPEN: Final = changed(GOLD, allowed_ips=list(HERE), webhook_url=HOOK)
OTHERS: Final = changed(OPEN, title="Silver")
PATIENT: Final = Web(port=0, body_timeout_s=0.2, verify_timeout_s=20, api_rate_per_s=10_000)


class Shop(Merchant):
    """Asks with a key."""

    @property
    def market(self) -> Market:
        """The world behind it."""
        assert isinstance(self.one, Market)
        return self.one

    def order(self, product: str = "gold-250", **body: Any) -> dict[str, Any]:
        """Return a wish to be paid; None takes a field away."""
        given = {
            "merchant": "gold",
            "product": product,
            "msisdn": f"+{PHONE}",
            "merchant_reference": f"order {next(self._numbers)}",
        }
        return {key: value for key, value in (given | body).items() if value is not None}

    async def post(self, path: str, body: dict[str, Any] | None = None, key: str | None = None) -> Answer:
        """Change something."""
        headers = {"Idempotency-Key": key or f"key-{next(_KEYS)}"}
        options: dict[str, Any] = {} if body is None else {"json": body}
        return await self.ask("POST", path, headers=headers, **options)

    async def create(self, product: str = "gold-250", *, key: str | None = None, **body: Any) -> Answer:
        """Ask a phone for a payment."""
        return await self.post("/v1/payments", self.order(product, **body), key)

    async def paid(self, product: str = "gold-250", phone: str = PHONE, **body: Any) -> str:
        """Have a payment asked for, confirmed and charged; return its id."""
        name: str = made(await self.create(product, msisdn=phone, **body))["id"]
        await self.market.accept()
        self.market.clock.advance(4_000)  # or the answer could be meant for the payment before
        await self.market.say("YES", phone)
        [bill] = await self.market.accept(message_id=name[-8:])
        if product == "gold-250":
            proof = receipt(name[-8:], source_addr=bill.row.destination, destination_addr="7250")
            await self.market.sms(link="north", pdu=proof)
        assert await self.market.status(name) == "succeeded"
        return name

    async def with_scopes(
        self, scopes: Sequence[Scope], names: Sequence[str] = ("gold",), *, test: bool = False
    ) -> "Shop":
        """Return the same merchant with another key."""
        new = await apikeys.create(self.one.ports, names, scopes, test=test, actor="tests")
        self.market.clock.advance(1_001)  # an unknown key is looked for once a second
        return Shop(self.here, new.token, new.key.id)


_KEYS = itertools.count()


def made(answer: Answer) -> dict[str, Any]:
    """Return the JSON of an answer that must say that something was made."""
    assert answer.status == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


@asynccontextmanager
async def shop(
    engine: Engine,
    settings: Web = PATIENT,
    scopes: Sequence[Scope] = EVERYTHING,
    *,
    names: Sequence[str] = ("gold",),
    test: bool = False,
    gold: MerchantSettings = OPEN,
    **options: Any,
) -> AsyncIterator[Shop]:
    """Serve a market with two merchants; the link "lab" is a simulated operator."""
    merchants = {"gold": gold, "silver": OTHERS}
    links = LINKS | {"lab": changed(LINK, test=True)}
    given: dict[str, Any] = {"merchants": merchants, "links": links}
    async with site(engine, settings, **(given | options)) as here:
        new = await apikeys.create(here.one.ports, names, scopes, test=test, actor="tests")
        yield Shop(here, new.token, new.key.id)
