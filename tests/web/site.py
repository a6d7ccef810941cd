"""The verify address on a real port, with a small world behind it, and visitors of every kind."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import msgspec

from smsgw.flows.apikeys import ApiKeys
from smsgw.flows.payments.desk import Payments
from smsgw.flows.redeem import Verifier
from smsgw.flows.returns import Returns
from smsgw.settings import Guessing, Web
from smsgw.web.server import Desks, Server, create
from tests.flows.payments.market import Market, market
from tests.flows.world import World, world
from tests.servers.engines import Engine

# The store may take its time on a busy machine; tests of its slowness let a second go by.
QUICK = Web(port=0, body_timeout_s=0.2, verify_timeout_s=0.9)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the server answered."""

    status: int
    headers: Mapping[str, str]  # in any case
    text: str

    def json(self) -> Any:
        """What it says."""
        return json.loads(self.text)

    @property
    def place(self) -> str:
        """Where the visitor is sent, without what proves it."""
        parts = urlsplit(self.headers["Location"])
        kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in {"rt", "state"}]
        return parts._replace(query=urlencode(kept)).geturl()

    @property
    def fields(self) -> dict[str, str]:
        """What the visitor carries there."""
        return dict(parse_qsl(urlsplit(self.headers["Location"]).query))


async def desks_of(one: World, guessing: Guessing | None = None) -> Desks:
    """Return what stands behind the server."""
    payments = one.payments if isinstance(one, Market) else Payments(one.ports, one.catalog, one.sent.extend)
    returns = Returns(one.ports)
    await returns.refresh(one.catalog.services)
    return Desks(
        verifier=Verifier(one.ports, one.catalog, guessing or Guessing()),
        returns=returns,
        ports=one.ports,
        keys=ApiKeys(one.ports),
        send=one.sent.extend,
        payments=payments,
    )


class Site:
    """A running server and its world."""

    def __init__(self, one: World, server: Server, session: aiohttp.ClientSession) -> None:
        self.one = one
        self.server = server
        self.port = server.port
        self.session = session
        self._states = itertools.count()

    async def code(self, text: str = "SUN") -> str:
        """Buy a code."""
        await self.one.sms(text)
        return (await self.one.codes())[-1]

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """Ask, follow no redirect, read the answer to its end."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, allow_redirects=False, **options) as response:
            return Answer(status=response.status, headers=response.headers, text=await response.text())

    async def get(self, code: str, service: str = "sun") -> Answer:
        """Bring a code in the address."""
        return await self.ask("GET", f"/v/{service}", params={"code": code, "state": self.state()})

    async def post(self, code: str, service: str = "sun") -> Answer:
        """Bring a code in a form."""
        return await self.ask("POST", f"/v/{service}", data={"code": code, "state": self.state()})

    def state(self) -> str:
        """Return another state each time: another visit."""
        return f"visit {next(self._states)}"

    async def raw(self, *pieces: bytes, hang_up: bool = False) -> bytes:
        """Send octets as they are; return what comes back until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return b"" if hang_up else await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()

    async def form(self, body: bytes, kind: str = "application/x-www-form-urlencoded", *more: str) -> bytes:
        """Post octets as a form of some kind, and have the connection closed."""
        lines = ["POST /v/sun HTTP/1.1", "Host: x", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        try:
            return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        finally:
            writer.close()


@asynccontextmanager
async def site(
    engine: Engine, settings: Web = QUICK, healthy: Callable[[], bool] = lambda: True, **changes: Any
) -> AsyncIterator[Site]:
    """Serve a world; one with merchants is a market."""
    async with (market if "merchants" in changes else world)(engine, **changes) as one:
        desks = await desks_of(one)
        server = Server(create(settings, desks, one.catalog, healthy), settings)
        await server.start()
        try:
            async with aiohttp.ClientSession() as session:
                yield Site(one, server, session)
        finally:
            one.database.open.set()
            await server.stop()
            await desks.verifier.close()
            await desks.payments.close()
