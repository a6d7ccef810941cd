"""What Prometheus reads: links, and charges of which nobody knows; for the addresses that may."""

from types import SimpleNamespace
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from msgspec import structs

from smsgw.flows.payments.counts import Counts
from smsgw.flows.payments.whose import STAFF
from smsgw.settings import Web
from smsgw.web import metrics
from tests.flows.payments.bank import bank
from tests.flows.payments.market import MO_PHONE, Market, market
from tests.servers.engines import Engine


async def read(one: Market, settings: Web | None = None, counts: Counts | None = None) -> tuple[int, str]:
    app = web.Application()
    links: Any = {"north": SimpleNamespace(bound=True), "south": SimpleNamespace(bound=False)}
    app.router.add_get("/metrics", metrics.page(one.ports, settings or Web(), lambda: links, counts or Counts()))
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
        assert 'smsgw_charges_unknown{link="south",older_than="0s"} 0.0' in text, "a series that is always there"
        assert 'smsgw_charges_unknown_oldest_seconds{link="south"} 0.0' in text
        assert 'smsgw_link_bound{link="north"} 1.0' in text
        assert 'smsgw_link_bound{link="south"} 0.0' in text
        assert "smsgw_payments_odd 0.0" in text


async def test_payments_are_counted_by_what_became_of_them(engine: Engine) -> None:
    counts = Counts()
    async with market(engine) as one:
        one.payments.follow(counts.hear)
        paid = await one.ask(msisdn=MO_PHONE)
        await one.accept("south")
        await one.say("yes", MO_PHONE, "7025", "south")
        await one.prompted()
        await one.say("NO")
        await one.later(10)  # neither SMSC nor phone
        await one.ask()
        await one.later(60)
        _, text = await read(one, counts=counts)
        assert (await one.row(paid.id)).status == "succeeded"
    lines = {line for line in text.splitlines() if line.startswith("smsgw_payments_total")}
    assert lines >= {
        'smsgw_payments_total{event="created",merchant="gold",reason=""} 3.0',
        'smsgw_payments_total{event="charged",merchant="gold",reason=""} 1.0',
        'smsgw_payments_total{event="declined",merchant="gold",reason=""} 1.0',
        'smsgw_payments_total{event="failed",merchant="gold",reason="prompt_not_accepted"} 1.0',
    }, lines


async def test_refunds_that_wait_for_the_operator_have_an_age(engine: Engine) -> None:
    async with bank(engine) as one:
        payment = await one.confirmed()
        await one.work()
        await one.payments.refund(payment, 300, whose=STAFF, reason="r", actor="me")
        one.clock.advance(90_000)
        _, text = await read(one)
    assert "smsgw_refunds_pending 1.0" in text
    assert "smsgw_refunds_pending_oldest_seconds 90.0" in text


async def test_others_may_not_read_them(engine: Engine) -> None:
    async with market(engine) as one:
        status, text = await read(one, structs.replace(Web(), metrics_ips=["192.0.2.0/24"]))
        assert status == 403
        assert "smsgw" not in text
