"""A merchant's web server on 127.0.0.1 that behaves as badly as it is told to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from smsgw.flows.ports import Letter
from smsgw.hooks.poster import HttpPoster

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """What came, and where to."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.peers: set[object] = set()
        self.port = 0
        self._answer = answer

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((dict(request.headers), await request.read()))
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        return await self._answer(request)

    def letter(self, path: str = "/hook", host: str = "127.0.0.1", scheme: str = "http") -> Letter:
        return Letter(
            url=f"{scheme}://{host}:{self.port}{path}",
            id="evt_1",
            timestamp_s=1_700_000_000,
            body='{"type":"code.issued","state":"é"}'.encode(),
            secrets=[b"s" * 32],
        )


async def fine(_: web.Request) -> web.Response:
    return web.Response(status=204)


@asynccontextmanager
async def server(answer: Answer = fine, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve every path and method."""
    one = Server(answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", one.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    one.port = runner.addresses[0][1]
    try:
        yield one
    finally:
        await runner.cleanup()


@asynccontextmanager
async def poster(*, timeout_s: float = 5.0, private_networks: bool = True, **more: object) -> AsyncIterator[HttpPoster]:
    """Open a poster."""
    one = HttpPoster(timeout_s=timeout_s, private_networks=private_networks, **more)  # type: ignore[arg-type]  # a test's own
    one.open()
    try:
        yield one
    finally:
        await one.close()
        await asyncio.sleep(0)
