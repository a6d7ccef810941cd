"""The daemon, whole, in this process: the simulated operator inside it, operators' APIs, questions to merchants."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from smsgw import settings
from smsgw.app import App
from smsgw.domain import catalog
from smsgw.errors import SettingsError
from smsgw.flows import secrets
from smsgw.flows.amend import Refused
from smsgw.flows.payments.asking import NewPayment
from smsgw.flows.payments.whose import STAFF
from smsgw.simulator.billing import Billing
from smsgw.simulator.charging_api import ChargingApi, ChargingApiSettings
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.simulator.subscribers import Pace, Subscribers
from smsgw.store.opening import bring_up_to_date
from smsgw.web.api.trials import TRIALS
from tests.hooks.server import server
from tests.system.daemon import toml

if TYPE_CHECKING:
    from smsgw.flows.payments.desk import Payments

NUMBERS = count(1)
MERCHANT = {
    "title": "Gold",
    "support": "help@gold.example",
    "reply_addresses": ["7700"],
    "return_url": "https://gold.example/back",
    "products": {"gold": {"title": {"en": "250 gold"}, "tariffs": ["price"]}},
    "tariffs": {
        "price": {"amount_minor": 250, "currency": "EUR", "operators": {"north": {"charge": "api"}}},
    },
}


class House:
    """A daemon with its settings."""

    def __init__(self, app: App) -> None:
        assert app.payments is not None
        self.app = app
        self.payments: Payments = app.payments

    async def pay(self, case: str, *, test: bool) -> str:
        """Ask a phone; return the payment."""
        wanted = NewPayment(
            merchant="gold",
            product="gold",
            msisdn=f"35988123{case}",
            merchant_reference=f"{case}-{test}-{next(NUMBERS)}",
            test=test,
        )
        return (await self.payments.ask(wanted, 10.0)).payment.id

    def told(self, folder: Path, payment: str) -> list[str]:
        """Return what has happened to a payment, in its order."""
        with closing(sqlite3.connect(folder / "smsgw.db")) as database:
            rows = database.execute("select type from events where subject = ? order by place", (payment,))
            return [kind for (kind,) in rows]

    async def until(self, payment: str, *statuses: str, seconds: float = 20.0) -> None:
        status = ""
        for _ in range(int(seconds * 50)):
            row = await self.payments.get(payment)
            assert row is not None
            status = row.status
            if status in statuses:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{payment} is {status}")


def write(
    folder: Path, *, port: int = 1, url: str = "http://127.0.0.1:1", main: dict[str, Any] | None = None, **more: Any
) -> settings.Configuration:
    """Write settings with one operator and one merchant; read them."""
    charging = {"api": {"way": "direct", "url": url, "credentials_file": "api.secret", "refunds": True}}
    link = {
        "host": "127.0.0.1",
        "port": port,
        "system_id": "smsgw",
        "password_file": "password",
        "prefixes": ["359"],
        "country": "BG",
        "receipts": True,
        "reconnect_first_s": 0.05,
        "charging": charging,
    }
    for place, table in (
        ("smsgw.toml", {"stop_timeout_s": 1.0, "web": {"port": 0}, **(main or {})}),
        ("links/north.toml", link),
        ("merchants/gold.toml", MERCHANT | more),
    ):
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_text(toml(table))
    for name, text in (("password", "secret"), ("api.secret", "user:word")):
        (folder / "links" / name).write_text(text)
        (folder / "links" / name).chmod(0o600)
    return settings.load(folder / "smsgw.toml", environment={}, check=catalog.problems)


@asynccontextmanager
async def house(configuration: settings.Configuration) -> AsyncIterator[House]:
    """Start the daemon; stop it."""
    await bring_up_to_date(configuration, now_ms=0)
    app = App(configuration)
    await app.start()
    try:
        yield House(app)
    finally:
        await app.stop()


SANDBOX = {"sandbox": {"enabled": True}}


async def test_test_payments_go_the_whole_way_and_touch_nothing_else(tmp_path: Path) -> None:
    configuration = write(tmp_path, main=SANDBOX)
    async with house(configuration) as one:
        expected = {"9000": "succeeded", "9001": "declined", "9100": "failed", "9107": "failed"}
        expected |= {"9008": "failed", "9002": "declined", "9104": "charge_unknown", "9112": "succeeded"}
        asked = {case: await one.pay(case, test=True) for case in expected}
        for case, payment in asked.items():
            await one.until(payment, expected[case])
        row = await one.payments.get(asked["9000"])
        assert row is not None
        assert (row.link, row.test, row.confirmed_ms is not None) == ("sandbox", 1, True)
        assert row.confirmed_ms is not None
        assert row.confirmed_ms - row.created_ms >= 1_000, "as slow as a person"
        with pytest.raises(Refused, match="wants no questions"):
            await one.pay("9002", test=True)
        live = await one.pay("9002", test=False)  # a simulated STOP is no real one
        row = await one.payments.get(live)
        assert row is not None
        assert row.link == "north"
    async with house(configuration) as one:  # and once more: it starts and stops like any other
        await one.until(await one.pay("9000", test=True), "succeeded")


async def test_what_merchants_are_told_of_test_numbers_comes_true(tmp_path: Path) -> None:
    async with house(write(tmp_path, main=SANDBOX)) as one:
        soon = [trial for trial in TRIALS if trial.events[-1] != "expired"]
        asked = {trial.digits: await one.pay(trial.digits, test=True) for trial in soon}
        for trial in soon:
            expected = ["awaiting_confirmation", *trial.events][trial.digits == "9008" :]
            told: list[str] = []
            for _ in range(200):
                told = one.told(tmp_path, asked[trial.digits])
                if len(told) >= len(expected):
                    break
                await asyncio.sleep(0.1)
            row = await one.payments.get(asked[trial.digits])
            assert row is not None
            assert (told, row.reason or "") == ([f"payment.{one}" for one in expected], trial.reason), trial


async def test_without_it_there_are_no_tests(tmp_path: Path) -> None:
    async with house(write(tmp_path)) as one:
        with pytest.raises(Refused, match="no simulated operator"):
            await one.pay("9000", test=True)


def test_its_name_is_taken(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "links" / "north.toml").rename(tmp_path / "links" / "sandbox.toml")
    (tmp_path / "merchants" / "gold.toml").unlink()
    file = tmp_path / "smsgw.toml"
    assert settings.load(file, environment={}, check=catalog.problems).links.keys() == {"sandbox"}
    file.write_text(toml(SANDBOX))
    with pytest.raises(SettingsError, match=r'sandbox\.toml: the name "sandbox" is that of the simulated operator'):
        settings.load(file, environment={}, check=catalog.problems)


@asynccontextmanager
async def operator() -> AsyncIterator[tuple[int, ChargingApi, Billing]]:
    """A simulated operator outside the daemon: an SMSC for the questions, an API for the charges."""
    billing, subscribers = Billing(), Subscribers(Pace(pending_ms=200))
    smsc = Smsc(SmscSettings(), subscribers=subscribers)
    port = await smsc.start()
    api = ChargingApi(billing, subscribers, ChargingApiSettings(credentials="user:word"))
    await api.start()
    try:
        yield port, api, billing
    finally:
        await api.stop()
        await smsc.stop()


async def test_an_operators_api_charges_once_whatever_it_answers(tmp_path: Path) -> None:
    async with operator() as (port, api, billing):
        configuration = write(tmp_path, port=port, url=api.camara_url)
        async with house(configuration) as one:
            cases = {"9000": "succeeded", "9100": "failed", "9102": "succeeded", "9107": "failed", "9116": "succeeded"}
            payments = {case: await one.pay(case, test=False) for case in cases}
            for case, payment in payments.items():
                await one.until(payment, cases[case])
            row = await one.payments.get(payments["9000"])
            assert row is not None
            changed = await one.payments.refund(row.id, 100, whose=STAFF, reason="some", actor="me")
            assert changed.payment.refunded_minor == 100
            for _ in range(500):
                if billing.refunds:
                    break
                await asyncio.sleep(0.02)
            assert [refund.amount_minor for refund in billing.refunds] == [100]
        for case, status in cases.items():
            assert len(billing.charges_of(f"35988123{case}")) == (status == "succeeded")


async def test_a_merchant_is_asked_before_money_is_taken(tmp_path: Path) -> None:
    async def says(request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        return web.json_response({"allow": body["data"]["msisdn"].endswith("00")})

    async with operator() as (port, api, billing), server(says) as merchant:
        configuration = write(
            tmp_path,
            port=port,
            url=api.camara_url,
            main={"webhooks": {"private_networks": True}},
            authorize_url=f"http://127.0.0.1:{merchant.port}/may-it",
        )
        async with house(configuration) as one:
            yes, no = await one.pay("9000", test=False), await one.pay("9006", test=False)
            await one.until(yes, "succeeded")
            await one.until(no, "failed")
            assert len(billing.charges) == 1
            headers, body = merchant.requests[0]
            assert headers["webhook-signature"].startswith("v1,")
            [secret] = await secrets.reveal(one.payments._ports, "gold", "me")
            assert Webhook(secret.secret).verify(body, headers) == json.loads(body)
