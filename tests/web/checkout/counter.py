"""The checkout over HTTP in a world that stands still: its clock, its operator and its store are the test's."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from msgspec import structs

from smsgw.flows.payments.watch import Watch
from smsgw.settings import MerchantSettings, Web
from smsgw.web.server import Server, create
from tests.flows.payments.market import GOLD, Market, market
from tests.servers.engines import Engine
from tests.web.site import QUICK, Answer, desks_of

OPEN: Final = structs.replace(GOLD, checkout_open=True)


class Counter:
    """A running server, its world, and one browser."""

    def __init__(self, one: Market, server: Server, session: aiohttp.ClientSession) -> None:
        self.one = one
        self.server = server
        self.session = session

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """Ask as the browser, follow no redirect."""
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with self.session.request(method, url, allow_redirects=False, **options) as response:
            return Answer(status=response.status, headers=response.headers, text=await response.text())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def fields(self, path: str = "/pay/gold?product=gold-250") -> dict[str, str]:
        """Open a form; return what it carries."""
        return hidden((await self.get(path)).text)

    async def send(self, path: str = "/pay/gold?product=gold-250", **changes: str) -> Answer:
        """Open a form, fill it in and send it."""
        fields = await self.fields(path)
        return await self.ask(
            "POST", "/pay/gold", data={"product": "gold-250", **fields, "number": "0881 234 567", **changes}
        )

    async def page(self, **changes: str) -> str:
        """Begin a payment; return the address of its page."""
        answer = await self.send(**changes)
        assert answer.status == 303, answer.text
        return answer.headers["Location"]

    async def payments(self) -> list[tuple[Any, ...]]:
        return await self.one.rows("payments", "merchant_reference", "msisdn", "amount_minor", "status")


def hidden(page: str) -> dict[str, str]:
    """Return the hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


def complaint(page: str) -> str:
    """Return the sentence that says what is wrong; "" for none."""
    found = re.search(r'<p class="wrong".*?<span>(.*?)</span>', page, re.DOTALL)
    return html.unescape(found[1]).replace("\xa0", " ") if found else ""


@asynccontextmanager
async def counter(
    engine: Engine, merchant: MerchantSettings = OPEN, settings: Web = QUICK, **changes: Any
) -> AsyncIterator[Counter]:
    """Open the checkout."""
    async with market(engine, merchants={"gold": merchant}, **changes) as one:
        watch = Watch()
        one.payments.follow(watch.hear)
        desks = structs.replace(await desks_of(one), payments=one.payments, watch=watch)
        await desks.returns.refresh([*one.catalog.services, *one.catalog.merchants])
        server = Server(create(settings, desks, one.catalog, lambda: True), settings)
        await server.start()
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
                yield Counter(one, server, session)
        finally:
            one.database.open.set()
            await server.stop()
            await desks.verifier.close()
