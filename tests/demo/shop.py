"""The demo with a small gateway behind it: real SMPP between them, a code for each message, a verify address."""

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from smsgw.demo.door import Door
from smsgw.demo.purse import Purse
from smsgw.demo.site import Offer, create_site
from smsgw.kit.clock import SystemClock
from smsgw.kit.tokens import Signer
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.smpp.pdus import DeliverSm
from tests.simulator.gateway import Gateway

ANSWER = b"Firstlight: your code is K7XM2P9A. It opens the forecast for 24 h. Questions: help@firstlight.example"
SECRET = b"s" * 32
NUMBERS = itertools.count()
PAGES = {"K7XM2P9A": "paid", "OLD": "expired"}


class Shop:
    """What runs, and where."""

    def __init__(self) -> None:
        self.smsc = Smsc(SmscSettings(redeliver_after_ms=50))
        self.gateway = Gateway()
        self.smpp_port = 0
        self.url = ""
        self.verify_url = ""
        self.verified: list[str] = []
        self._verify = web.AppRunner(self._verify_app(), access_log=None)
        self._site: web.AppRunner | None = None

    async def open(self) -> None:
        """Start everything but the gateway's bind."""
        site = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{site.getsockname()[1]}"
        self.smpp_port = await self.smsc.start()
        verify_port = await listen(self._verify)
        self.verify_url = f"http://127.0.0.1:{verify_port}/v/sunrise"
        offer = Offer(
            short_code="1234",
            keyword="SUN",
            price="€1.20",
            verify_url=self.verify_url,
            pay_url=self.verify_url.replace("/v/sunrise", "/pay/gold"),
            site_url=self.url,
        )
        door = Door("sunrise", lambda: {"key_1": SECRET}, SystemClock().now_ms)
        purse = Purse("gold", lambda: {"key_1": SECRET}, SystemClock().now_ms)
        app = create_site(smsc=self.smsc, offer=offer, door=door, purse=purse)
        self._site = web.AppRunner(app, access_log=None, shutdown_timeout=5)
        await self._site.setup()
        await web.SockSite(self._site, site).start()

    async def bind(self) -> None:
        """Let the gateway bind and answer."""
        self.gateway.on_delivered = self._on_delivered
        await self.gateway.connect(self.smpp_port)

    async def close_verify(self) -> None:
        """Take the verify address away."""
        await self._verify.cleanup()

    async def close(self) -> None:
        """Stop everything."""
        if self._site is not None:
            await self._site.cleanup()
        await self._verify.cleanup()
        await self.smsc.stop()

    def _on_delivered(self, pdu: DeliverSm) -> None:
        sun = pdu.short_message.strip().upper() == b"SUN"
        self.gateway.submit(pdu.source_addr, ANSWER if sun else b"We do not know this word.")

    def _verify_app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v/sunrise", self._on_verify)
        app.router.add_get("/health", self._on_health)
        return app

    async def _on_health(self, request: web.Request) -> web.Response:
        assert request.path == "/health"
        return web.Response(text="ok")

    async def _on_verify(self, request: web.Request) -> web.Response:
        form = await request.post()
        code = str(form.get("code", ""))
        self.verified.append(code)
        page = PAGES.get(code.upper(), "invalid")
        token = proof(state=str(form.get("state", "")))
        raise web.HTTPSeeOther(f"{self.url}/{page}?rt={token}")


def proof(**claims: Any) -> str:
    """Make a return token as the gateway does."""
    said = {"iss": "smsgw", "aud": "sunrise", "outcome": "success", "jti": f"red_{next(NUMBERS)}"}
    return Signer("key_1", SECRET).sign(said | {"exp": time.time() + 60, "valid_until": None} | claims)


async def listen(runner: web.AppRunner) -> int:
    """Start an HTTP server on a free port."""
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port: int = runner.addresses[0][1]
    return port


@asynccontextmanager
async def shop(*, bound: bool = True) -> AsyncIterator[Shop]:
    """Open the demo for one test."""
    one = Shop()
    await one.open()
    try:
        if bound:
            await one.bind()
        async with asyncio.timeout(60):
            yield one
    finally:
        await one.close()
