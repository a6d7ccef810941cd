"""Tests at a simulated operator leave the phones that really have these numbers alone."""

import pytest

from smsgw.domain import sandbox
from smsgw.flows.amend import Refused
from smsgw.settings import LinkSettings, Payments as Limits
from smsgw.settings.merchant import Cap
from tests.flows.payments.market import GOLD, LINKS, PHONE, Market, market
from tests.flows.world import changed, receipt
from tests.servers.engines import Engine

SANDBOX = LinkSettings(host="x", system_id="us", password_file="x", receipts=True, test=True)
WITH = {**LINKS, sandbox.NAME: SANDBOX}


async def a_test(one: Market, **fields: object) -> str:
    return (await one.prompted(test=True, **fields)).id  # type: ignore[arg-type]  # a test's


async def test_a_test_goes_to_the_sandbox_and_is_charged_there(engine: Engine) -> None:
    async with market(engine, links=WITH) as one:
        payment = await a_test(one)
        row = await one.row(payment)
        assert (row.link, row.test, row.way) == ("sandbox", 1, "mt")
        await one.say("YES", link="north")
        assert await one.status(payment) == "awaiting_confirmation", "a real phone answers no test"
        await one.say("YES", link="sandbox")
        [bill] = one.ready("sandbox")
        assert bill.row.service_type == "TEST"
        one.outboxes["sandbox"].accepted(bill, "T1")
        await one.settle("sandbox")
        await one.sms(link="sandbox", pdu=receipt("T1", source_addr=PHONE, destination_addr=bill.row.source))
        assert await one.status(payment) == "succeeded"


async def test_a_simulated_stop_blocks_tests_only(engine: Engine) -> None:
    async with market(engine, links=WITH) as one:
        payment = await a_test(one)
        await one.say("STOP", link="sandbox")
        assert await one.status(payment) == "declined"
        with pytest.raises(Refused, match="wants no questions"):
            await one.ask(test=True)
        await one.ask()
        await one.say("START", link="sandbox")
        await one.ask(test=True)


async def test_a_real_stop_blocks_no_tests(engine: Engine) -> None:
    async with market(engine, links=WITH) as one:
        await one.prompted()
        await one.say("STOP")
        with pytest.raises(Refused, match="wants no questions"):
            await one.ask()
        await one.ask(test=True)


async def test_limits_and_caps_do_not_meet(sqlite: Engine) -> None:
    capped = changed(GOLD, caps=[Cap(per="day", count=1)])
    limits = Limits(prompts_per_number=1)
    async with market(sqlite, links=WITH, merchants={"gold": capped}, limits=limits) as one:
        payment = await a_test(one)
        live = await one.prompted()
        with pytest.raises(Refused, match="too many questions"):
            await one.ask(msisdn=PHONE, test=True)
        await one.say("YES", link="sandbox")
        await one.say("YES")
        assert await one.status(payment) == "charging"
        assert await one.status(live.id) == "charging", "the test counts in no cap"
