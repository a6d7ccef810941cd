"""The server: a port, its health, its limits, its end."""

import asyncio
import json

import aiohttp
import pytest

from smsgw.errors import StartError
from smsgw.settings import Web
from smsgw.web.server import Server, create
from tests.flows.world import world
from tests.servers.engines import Engine
from tests.web.site import desks_of, site


@pytest.mark.parametrize(("healthy", "status", "told"), [(True, 200, "ok"), (False, 503, "broken")])
async def test_health_tells_how_the_store_is(sqlite: Engine, *, healthy: bool, status: int, told: str) -> None:
    async with site(sqlite, healthy=lambda: healthy) as here:
        response = await here.ask("GET", "/health")
        assert response.status == status
        assert json.loads(response.text) == {"status": told}


@pytest.mark.parametrize(
    ("host", "port"),
    [("127.0.0.1", None), ("192.0.2.1", 0), ("no such host.example", 0)],
    ids=["taken", "foreign", "name"],
)
async def test_a_port_that_cannot_be_had_is_one_sentence(sqlite: Engine, host: str, port: int | None) -> None:
    async with site(sqlite) as here:
        settings = Web(host=host, port=here.port if port is None else port)
        server = Server(create(settings, await desks_of(here.one), here.one.catalog, lambda: True), settings)
        with pytest.raises(StartError, match=f"web.host, web.port: cannot listen on {host}:") as caught:
            await server.start()
        assert caught.value.exit_status == 69
        await server.stop()


async def test_any_free_port_may_be_asked_for(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        assert here.port > 0


async def test_what_was_asked_before_the_end_is_answered(sqlite: Engine) -> None:
    settings = Web(port=0)
    async with world(sqlite) as one:
        desks = await desks_of(one)
        server = Server(create(settings, desks, one.catalog, lambda: True), settings)
        await server.start()
        async with aiohttp.ClientSession() as session:
            one.database.open.clear()
            one.database.entered.clear()
            asked = asyncio.create_task(
                session.get(f"http://127.0.0.1:{server.port}/v/sun?code=X", allow_redirects=False)
            )
            await one.database.entered.wait()
            stopping = asyncio.create_task(server.stop())
            await asyncio.sleep(0)
            one.database.open.set()
            assert (await asked).status == 303
            await stopping
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(f"http://127.0.0.1:{server.port}/health")
        await desks.verifier.close()


@pytest.mark.parametrize("garbage", [b"\0\r\n\r\n", b"\x16\x03\x01\x02\0\r\n\r\n", b"GET\r\n\r\n"])
async def test_what_is_not_http_is_refused_and_the_others_go_on(sqlite: Engine, garbage: bytes) -> None:
    async with site(sqlite) as here:
        answer = await here.raw(garbage)
        assert answer.startswith(b"HTTP/1.0 400 ") or answer == b""
        assert (await here.ask("GET", "/health")).status == 200


async def test_an_address_or_a_header_has_its_length(sqlite: Engine) -> None:
    async with site(sqlite) as here:
        for line in (b"GET /v/sun?code=" + b"A" * 20_000 + b" HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX: " + b"A" * 20_000):
            answer = await here.raw(line + b"\r\nHost: x\r\n\r\n")
            assert answer.startswith(b"HTTP/1.0 400 ")
