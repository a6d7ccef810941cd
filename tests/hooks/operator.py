"""An operator's charging API for the tests of its client: the simulator's, or one at any other address."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from msgspec import structs

from smsgw.domain.charging import Said
from smsgw.flows.ports import Charged, Order
from smsgw.hooks.charging import HttpCharger
from smsgw.kit.clock import ManualClock
from smsgw.kit.passwords import Secret
from smsgw.settings import ChargeProfile, LinkSettings
from smsgw.simulator.billing import Billing
from smsgw.simulator.charging_api import ChargingApi, ChargingApiSettings
from smsgw.simulator.subscribers import Pace, Subscribers

DIALECTS: Final = ("camara", "example")
ORDER: Final = Order(
    charge="chg_1",
    payment="pay_1",
    link="north",
    profile="api",
    msisdn="359881239000",
    amount_minor=525,
    currency="EUR",
    description="500 злато",
)


def order(case: str = "9000", **changes: Any) -> Order:
    """Return an order of a phone of the simulator's table."""
    return structs.replace(ORDER, msisdn=f"35988123{case}", **changes)


def said(one: Charged) -> Said:
    return one.told.said


@asynccontextmanager
async def charger(
    url: str, *, adapter: str = "camara", timeout_s: float = 5.0, secret: str = "", **more: Any
) -> AsyncIterator[HttpCharger]:
    """Open a client of one API."""
    profile = ChargeProfile(way="direct", adapter=adapter, url=url, timeout_s=timeout_s)  # type: ignore[arg-type]  # a table's
    links = {"north": LinkSettings(host="x", system_id="us", password_file="x", charging={"api": profile})}
    credentials: Mapping[tuple[str, str], Secret] = {("north", "api"): Secret(secret)} if secret else {}
    one = HttpCharger(links, credentials, ManualClock(), **more)
    one.open()
    try:
        yield one
    finally:
        await one.close()


@asynccontextmanager
async def simulated(
    adapter: str, *, credentials: str = "", secret: str = "", timeout_s: float = 5.0, pace: Pace | None = None
) -> AsyncIterator[tuple[HttpCharger, Billing, ChargingApi]]:
    """Open the simulator's API, and a client of it."""
    billing = Billing()
    api = ChargingApi(billing, Subscribers(pace or Pace()), ChargingApiSettings(credentials=credentials))
    await api.start()
    try:
        url = api.camara_url if adapter == "camara" else api.example_url
        async with charger(url, adapter=adapter, secret=secret, timeout_s=timeout_s) as one:
            yield one, billing, api
    finally:
        await api.stop()
