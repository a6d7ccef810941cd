"""A gold shop with everything real: the daemon, a simulated operator that takes money, a merchant's site, browsers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from aiohttp import web
from joserfc import jws
from joserfc.jwk import OctKey
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from smsgw import settings
from smsgw.app import App
from smsgw.domain import catalog, goods
from smsgw.kit.clock import Clock, SystemClock
from smsgw.simulator.billing import Billing, price_list
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.simulator.submissions import SubmittedMessage
from smsgw.simulator.subscribers import Pace, Subscribers
from smsgw.store.opening import bring_up_to_date
from tests.demo.test_page import ARGUMENTS, CHROMIUM

BUYER: Final = "359888123445"
TYPED: Final = "0888 123 445"
_LINK: Final = """
host = "127.0.0.1"
port = {port}
system_id = "smsgw"
password_file = "operator.password"
receipts = true
country = "BG"
prefixes = ["359"]
carriers = ["Vega"]
[charging.premium]
way = "mt"
proof = "receipt"
[charging.answer]
way = "mo"
"""
_OTHER: Final = """
host = "127.0.0.1"
port = {port}
system_id = "smsgw"
password_file = "operator.password"
receipts = true
country = "UA"
prefixes = ["380"]
carriers = ["Polaris"]
[charging.premium]
way = "mt"
"""
_MERCHANT: Final = """
title = "Dragon Gold"
support = "help@dragon.example"
reply_addresses = ["7700"]
return_url = "{site}/back?from=pay"
language = "en"
checkout_open = true
{more}
[products.gold-250]
title = {{ en = "250 gold", bg = "250 злато", uk = "250 золотих", ru = "250 золотых" }}
units = 250
tariffs = ["small", "uah"]
[products.gold-500]
title = {{ en = "500 gold", bg = "500 злато", uk = "500 золотих", ru = "500 золотых" }}
units = 500
tariffs = ["middle"]
[products.gold-1000]
title = {{ en = "1,000 gold", bg = "1000 злато", uk = "1000 золотих", ru = "1000 золотых" }}
units = 1000
tariffs = ["large"]
[tariffs.small]
amount_minor = 250
currency = "EUR"
operators.vega = {{ charge = "premium", short_code = "7250" }}
[tariffs.middle]
amount_minor = 450
currency = "EUR"
operators.vega = {{ charge = "premium", short_code = "7450" }}
[tariffs.large]
amount_minor = 800
currency = "EUR"
operators.vega = {{ charge = "answer", short_code = "7800" }}
[tariffs.uah]
amount_minor = 11000
currency = "UAH"
operators.polaris = {{ charge = "premium", short_code = "7110" }}
"""


class Till:
    """What runs, and where."""

    def __init__(self, app: App, smsc: Smsc, billing: Billing, site: str) -> None:
        self.app = app
        self.smsc = smsc
        self.billing = billing
        self.site = site
        self.url = f"http://127.0.0.1:{app.verify_port}/pay/gold"
        self.returned: list[dict[str, str]] = []  # the fields that buyers came back with
        self.texts: list[tuple[str, str]] = []  # what phones have received
        self.arrived = asyncio.Event()

    def proof(self) -> dict[str, Any]:
        """Return what the latest buyer's token says; its signature and its kind are right."""
        [(key_id, secret)] = self.app.return_keys("gold").items()
        read = jws.deserialize_compact(self.returned[-1]["rt"], OctKey.import_key(secret), algorithms=["HS256"])
        assert read.headers() == {"alg": "HS256", "kid": key_id, "typ": "smsgw-payment+jws"}
        return msgspec.json.decode(read.payload, type=dict[str, Any])

    async def answer(self, text: str = "ДА", phone: str = BUYER, to: str = "7700") -> None:
        """Have a phone answer once it has the question."""
        async with asyncio.timeout(10):
            while not any(one == phone for one, _ in self.texts):
                self.arrived.clear()
                await self.arrived.wait()
        assert await self.smsc.deliver(phone, to, text) == 0

    def received(self, message: SubmittedMessage) -> None:
        self.texts.append((message.destination, message.text or ""))
        self.arrived.set()


@asynccontextmanager
async def till(
    folder: Path, *, more: str = "", main: str = "", answers_after_ms: int = 400, clock: Clock | None = None
) -> AsyncIterator[Till]:
    """Open the shop."""
    async with AsyncExitStack() as stack:
        billing = Billing()
        phones = Subscribers(Pace(answer_ms=answers_after_ms))
        smsc = Smsc(SmscSettings(receipt_delay_ms=300), billing=billing, subscribers=phones)
        port = await smsc.start()
        stack.push_async_callback(smsc.stop)
        neighbour = Smsc(SmscSettings())
        other_port = await neighbour.start()
        stack.push_async_callback(neighbour.stop)
        seen: list[dict[str, str]] = []
        site = await _merchant(seen, stack)
        for name in ("links", "merchants", "state"):
            (folder / name).mkdir()
        password = folder / "links" / "operator.password"
        password.write_text("secret\n")
        password.chmod(0o600)
        (folder / "links" / "vega.toml").write_text(_LINK.format(port=port))
        (folder / "links" / "polaris.toml").write_text(_OTHER.format(port=other_port))
        (folder / "merchants" / "gold.toml").write_text(_MERCHANT.format(site=site, more=more))
        file = folder / "smsgw.toml"
        file.write_text(f'state_dir = "state"\n[web]\nport = 0\n{main}\n')
        configuration = settings.load(file, environment={}, check=catalog.problems)
        billing.rates = price_list(goods.build(configuration.merchants, configuration.links), "vega")
        await bring_up_to_date(configuration, SystemClock().now_ms())
        app = App(configuration, clock=clock)
        await app.start()
        stack.push_async_callback(app.stop)
        one = Till(app, smsc, billing, site)
        one.returned = seen
        smsc.on_mt = one.received
        await smsc.until_bound()
        yield one


async def _merchant(seen: list[dict[str, str]], stack: AsyncExitStack) -> str:
    """Serve the merchant's site; return its address."""

    async def back(request: web.Request) -> web.Response:
        seen.append(dict(request.query))
        return web.Response(
            text="<!doctype html><title>Dragon Gold</title><h1>Welcome back</h1>", content_type="text/html"
        )

    async def icon(_: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.router.add_get("/back", back)
    app.router.add_get("/favicon.ico", icon)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Start Chromium."""
    async with async_playwright() as driver:
        found = await driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        try:
            yield found
        finally:
            await found.close()


@asynccontextmanager
async def window(
    found: Browser,
    size: tuple[int, int],
    *,
    script: bool = True,
    locale: str = "en-GB",
    scheme: Literal["light", "dark"] = "light",
    expected: Sequence[str] = (),
) -> AsyncIterator[Page]:
    """Open a page in a browser of its own; whatever it complains about fails the test, unless it is expected."""
    complaints: list[str] = []
    touch = size[0] < 500
    context: BrowserContext = await found.new_context(
        viewport={"width": size[0], "height": size[1]},
        reduced_motion="reduce",
        java_script_enabled=script,
        locale=locale,
        color_scheme=scheme,
        has_touch=touch,
        is_mobile=touch,
    )
    context.set_default_timeout(10_000)
    page = await context.new_page()
    page.on("console", lambda line: complaints.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
    finally:
        await context.close()
    foul = [one for one in complaints if not any(text in one for text in expected)]
    assert not foul, foul
