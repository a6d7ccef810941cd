"""What Prometheus reads: links, and charges of which nobody knows; for the addresses that may."""

from types import SimpleNamespace
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from msgspec import structs

from smsgw.settings import Web
from smsgw.web import metrics
from tests.flows.payments.market import Market, market
from tests.servers.engines import Engine


async def read(one: Market, settings: Web | None = None) -> tuple[int, str]:
    app = web.Application()
    links: Any = {"north": SimpleNamespace(bound=True), "south": SimpleNamespace(bound=False)}
    app.router.add_get("/metrics", metrics.page(one.ports, settings or Web(), lambda: links))
    async with TestClient(TestServer(app)) as client:
        answer = await client.get("/metrics")
        return answer.status, await answer.text()


async def test_unknown_charges_are_counted_by_age(engine: Engine) -> None:
    async with market(engine) as one:
        await one.prompted()
        await one.say("YES")
        [bill] = one.ready()
        one.outboxes["north"].unanswered(bill)
        await one.settle()
        one.clock.advance(2 * 3_600_000)
        status, text = await read(one)
        assert status == 200
        assert 'smsgw_charges_unknown{link="north",older_than="0s"} 1.0' in text
        assert 'smsgw_charges_unknown{link="north",older_than="1h"} 1.0' in text
        assert 'smsgw_charges_unknown{link="north",older_than="1d"} 0.0' in text
        assert 'smsgw_charges_unknown_oldest_seconds{link="north"} 7200.0' in text
        assert 'smsgw_link_bound{link="north"} 1.0' in text
        assert 'smsgw_link_bound{link="south"} 0.0' in text
        assert "smsgw_payments_odd 0.0" in text


async def test_others_may_not_read_them(engine: Engine) -> None:
    async with market(engine) as one:
        status, text = await read(one, structs.replace(Web(), metrics_ips=["192.0.2.0/24"]))
        assert status == 403
        assert "smsgw" not in text
