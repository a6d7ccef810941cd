"""The sample shops in PHP, Python and Node sell gold through the whole daemon: bad lines, hasty buyers, paid goods."""

import asyncio
import re
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from smsgw import settings
from smsgw.domain import catalog
from smsgw.flows import apikeys, secrets
from smsgw.flows.payments.whose import STAFF
from tests.hooks.server import server
from tests.merchant.gold import GoldShop, gold
from tests.merchant.shops import COMMANDS
from tests.peers.programs import free_port
from tests.system.daemon import toml
from tests.test_app import MERCHANT, SANDBOX, House, house, write
from tests.waiting import until

LANGUAGES: Final = sorted(COMMANDS)
YES, SILENT = "9000", "9005"  # the last digits of phones
TIMEOUT_S: Final = 1.0


class Line:
    """The way from a shop to the daemon, which loses what the test says."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.faults: dict[str, list[str]] = {}  # of the next requests with an Idempotency-Key
        self.asked: list[str] = []  # the Idempotency-Key of each request
        self._port = port
        self._session = session

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Bring a request to the daemon, and maybe its answer back."""
        key = request.headers.get("Idempotency-Key", "")
        self.asked.append(key)
        faults = self.faults.get(key)
        fault = faults.pop(0) if faults else ""
        if fault == "503":
            return web.Response(status=503)
        url, body = f"http://127.0.0.1:{self._port}{request.path_qs}", await request.read()
        async with self._session.request(request.method, url, data=body, headers=request.headers) as answer:
            told = await answer.read()
        if fault == "late":
            await asyncio.sleep(TIMEOUT_S + 0.5)
        if fault == "cut":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(body=told, status=answer.status, content_type=answer.content_type)


class Buyer:
    """A browser at a shop."""

    def __init__(self, shop: GoldShop, session: aiohttp.ClientSession) -> None:
        self.shop = shop
        self._session = session

    async def go(self, url: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Return the status, the Location and the page."""
        method = "GET" if form is None else "POST"
        async with self._session.request(method, url, data=form, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def order(self) -> str:
        """Open the form; return the order in it."""
        return order_in((await self.go(f"{self.shop.url}/"))[2])

    async def buy(self, order: str, number: str) -> tuple[int, str, str]:
        """Send the form."""
        return await self.go(f"{self.shop.url}/buy", {"order": order, "number": number})


class Street:
    """The daemon and its shops, each with a merchant of its own."""

    def __init__(self, one: House, folder: Path, shops: dict[str, GoldShop], lines: dict[str, Line]) -> None:
        self.one = one
        self.folder = folder
        self.shops = shops
        self.lines = lines

    @asynccontextmanager
    async def buyer(self, language: str) -> AsyncIterator[Buyer]:
        """Open a browser of its own."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            yield Buyer(self.shops[language], session)

    async def payment(self, language: str, order: str) -> str:
        """Return the id of the one payment of an order."""
        row = await self.one.payments.by_reference(f"gold-{language}", order, test=True)
        assert row is not None
        return row.id

    async def end(self, language: str, order: str) -> None:
        """Cancel a payment; its phone is free again."""
        await self.one.payments.cancel(await self.payment(language, order), STAFF, "me")


@asynccontextmanager
async def street(folder: Path) -> AsyncIterator[Street]:
    """Start the daemon, with its simulated operator, and the three shops."""
    ports = {language: free_port() for language in LANGUAGES}
    write(folder)
    for number, (language, port) in enumerate(ports.items()):
        place = f"http://127.0.0.1:{port}"
        changes: dict[str, Any] = {"reply_addresses": [f"77{number:02}"], "allowed_ips": ["127.0.0.1"]}
        changes |= {"webhook_url": f"{place}/hook", "return_url": f"{place}/back"}
        (folder / "merchants" / f"gold-{language}.toml").write_text(toml(MERCHANT | changes))
    (folder / "merchants" / "gold.toml").unlink()
    main = {**SANDBOX, "stop_timeout_s": 1.0, "web": {"port": 0}, "webhooks": {"private_networks": True}}
    (folder / "smsgw.toml").write_text(toml(main))
    configuration = settings.load(folder / "smsgw.toml", environment={}, check=catalog.problems)
    async with house(configuration) as one, aiohttp.ClientSession() as session, AsyncExitStack() as exits:
        shops, lines = {}, {}
        for language, port in ports.items():
            lines[language] = Line(one.app.verify_port, session)
            way = await exits.enter_async_context(server(lines[language].pass_on))
            (folder / language).mkdir()
            way_in = {"port": str(port), "SMSGW_API": f"http://127.0.0.1:{way.port}/v1"}
            chosen = way_in | await papers(one, f"gold-{language}")
            shops[language] = exits.enter_context(gold(language, folder / language, **chosen))
        await asyncio.sleep(1)  # new keys are looked for once a second
        yield Street(one, folder, shops, lines)


async def papers(one: House, merchant: str) -> dict[str, str]:
    """Return what a merchant sets in a shop."""
    ports = one.payments._ports
    key = await apikeys.create(ports, [merchant], ["payments:read", "payments:write"], test=True, actor="me")
    [secret] = await secrets.reveal(ports, merchant, "me")
    returns = one.app.return_keys(merchant)
    return {
        "SMSGW_API_KEY": key.token,
        "SMSGW_MERCHANT": merchant,
        "SMSGW_WEBHOOK_SECRETS": secret.secret,
        "SMSGW_RETURN_KEYS": " ".join(f"{name}={b64encode(key).decode()}" for name, key in returns.items()),
        "SMSGW_TEST": "yes",
        "SMSGW_TIMEOUT_S": str(TIMEOUT_S),
    }


async def test_the_shops_sell_gold(tmp_path: Path) -> None:
    async with street(tmp_path) as at, asyncio.timeout(60):
        # together, for they wait most of the time
        await asyncio.gather(*(scene(at, language) for scene in SCENES for language in LANGUAGES))


async def a_payment_whose_answers_are_lost(at: Street, language: str) -> None:
    """The phone is asked once, the goods come once, and the buyer comes back."""
    shop, line = at.shops[language], at.lines[language]
    async with at.buyer(language) as one:
        order = await one.order()
        line.faults[order] = ["late", "503"]
        status, page, text = await one.buy(order, phone(language, YES, 1))
        assert (status, line.asked.count(order)) == (303, 3), text
        payment = await at.payment(language, order)
        await until((shop.folder / "goods" / payment).exists, 20, shop.log.read_text)
        assert shop.log.read_text().count(f"goods for {order}: 1 of gold\n") == 1
        _, back, _ = await one.go(f"{page}/return")
        assert back.startswith(f"{shop.url}/back?")
        async with at.buyer(language) as other:
            await other.order()
            assert (await other.go(back))[1] == "/unpaid", "another visitor's proof"
        assert (await one.go(back))[:2] == (303, "/paid")
        assert "Paid." in (await one.go(f"{shop.url}/paid"))[2]
        assert (await one.go(back))[1] == "/unpaid", "it is spent"


async def a_phone_that_is_asked_already(at: Street, language: str) -> None:
    """The buyer is told to answer the other question; the same order can be sent again after that."""
    async with at.buyer(language) as one:
        first, second = await one.order(), await one.order()
        assert (await one.buy(first, phone(language, SILENT, 2)))[0] == 303
        status, _, page = await one.buy(second, phone(language, SILENT, 2))
        assert (status, order_in(page)) == (409, second)
        assert "Another SMS waits for your answer" in page
        assert at.lines[language].asked.count(second) == 1, "it is not asked again by itself"
        await at.end(language, first)
        assert (await one.buy(second, phone(language, SILENT, 2)))[0] == 303


async def buyers_in_haste(at: Street, language: str) -> None:
    """A form that is sent twice, at once and a day later, is one payment; and it is nobody else's."""
    async with at.buyer(language) as one, at.buyer(language) as other:
        order = await one.order()
        at.lines[language].faults[order] = ["cut"]
        number = phone(language, SILENT, 3)
        answers = await asyncio.gather(*(one.buy(order, number) for _ in range(2)))
        [place] = {(status, place) for status, place, _ in answers}
        assert place[0] == 303, answers
        with closing(sqlite3.connect(at.folder / "smsgw.db")) as database:  # a day later
            done = database.execute("delete from idempotency where key = ?", (order,))
            assert done.rowcount == 1
            database.commit()
        assert (await one.buy(order, number))[:2] == place
        await other.order()
        status, _, page = await other.buy(order, number)
        assert (status, order_in(page) == order) == (409, False)
        assert "(reference_used)" in page


async def what_buyers_can_mend(at: Street, language: str) -> None:
    """A wrong number is put right in the same order; what the gateway does not answer is sent again."""
    async with at.buyer(language) as one:
        order = await one.order()
        status, _, page = await one.buy(order, '12"<b>')
        assert (status, order_in(page)) == (409, order)
        assert "This is no phone number" in page
        assert "<b>" not in page
        at.lines[language].faults[order] = ["503"] * 3
        status, _, page = await one.buy(order, phone(language, SILENT, 4))
        assert (status, order_in(page)) == (409, order)
        assert "press Pay again: you pay once at most" in page
        assert (await one.buy(order, phone(language, SILENT, 4)))[0] == 303
        status, _, page = await one.buy(order, phone(language, SILENT, 5))
        assert (status, order_in(page) == order) == (409, False), "a paid order is not asked of another phone"
        assert "(idempotency_key_reused)" in page
    async with at.buyer(language) as stranger:
        assert (await stranger.buy("0" * 32, phone(language, SILENT, 5)))[:2] == (303, "/"), "another site's form"


SCENES: Final = (a_payment_whose_answers_are_lost, a_phone_that_is_asked_already, buyers_in_haste, what_buyers_can_mend)


def order_in(page: str) -> str:
    """Return the order in a form."""
    found = re.search(r'name="order" value="([0-9a-f]{32})"', page)
    assert found is not None, page
    return found[1]


def phone(language: str, digits: str, nth: int) -> str:
    """Return a number that nobody else uses."""
    return f"+35988{nth}{LANGUAGES.index(language)}1{digits}"
