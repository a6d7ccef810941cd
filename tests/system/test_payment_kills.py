"""Killed at any moment while people pay, it charges nobody twice and leaves no payment stuck (mission, promise 3)."""

import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec import Struct

from smsgw import settings
from smsgw.domain import catalog, goods
from smsgw.flows import apikeys
from smsgw.flows.ports import Ports
from smsgw.kit.clock import SystemClock
from smsgw.kit.ids import IdMaker
from smsgw.kit.vault import Key, Vault
from smsgw.simulator.billing import Billing, price_list
from smsgw.simulator.charging_api import ChargingApi, ChargingApiSettings
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.simulator.subscribers import Pace, Subscribers
from smsgw.smpp import status
from smsgw.store.opening import open_database
from tests.peers.plain_smsc import PASSWORD
from tests.system.books import Books
from tests.system.daemon import Daemon, daemon_of
from tests.system.payment_kills import LINK, MAIN, MERCHANT, PaymentCampaign, Witness


async def make_key(daemon: Daemon, merchant: str) -> str:
    """Make an API key for a merchant of a daemon that does not run."""
    configuration = settings.load(daemon.file, environment={}, check=catalog.problems)
    database = await open_database(configuration)
    clock = SystemClock()
    ports = Ports(
        node="maker",
        database=database,
        clock=clock,
        ids=IdMaker(clock, secrets.token_bytes),
        random_bytes=secrets.token_bytes,
        random=Random().random,
        vault=Vault([Key("k", bytes(32))], secrets.token_bytes),
    )
    scopes: Any = ["payments:read", "payments:write", "payments:refund"]
    try:
        return (await apikeys.create(ports, [merchant], scopes, test=False, actor="test")).token
    finally:
        await database.close()


class Operator(Struct, frozen=True, kw_only=True):
    """An operator with phones that answer, and its ledger."""

    billing: Billing
    smsc: Smsc
    witness: Witness
    link: dict[str, Any]  # the settings of a link to it


@asynccontextmanager
async def _operator() -> AsyncIterator[Operator]:
    billing = Billing()
    pace = Pace(late_response_ms=1_500, credit_ms=700, response_ms=20, pending_ms=700)
    phones = Subscribers(pace, refusal=status.ESME_RINVDSTADR)
    ground = SmscSettings(password=PASSWORD, receipt_delay_ms=100, window=50)
    smsc = Smsc(ground, billing=billing, subscribers=phones)
    api = ChargingApi(billing, phones, ChargingApiSettings(credentials=PASSWORD))
    witness = Witness(api.core.charge)
    api.core.charge = witness.charge  # type: ignore[method-assign]  # the witness stands before it
    try:
        port = await smsc.start()
        await api.start()
        ways = LINK["charging"] | {"api": LINK["charging"]["api"] | {"url": api.camara_url}}
        yield Operator(billing=billing, smsc=smsc, witness=witness, link={**LINK, "port": port, "charging": ways})
    finally:
        await api.stop()
        await smsc.stop()


def _price(daemon: Daemon, billing: Billing) -> None:
    """Tell the operator what the daemon's merchants sell there."""
    read = settings.load(daemon.file, environment={}, check=catalog.problems)
    billing.rates = price_list(goods.build(read.merchants, read.links), "one")


async def _survive(folder: Path, kills: int, store: dict[str, str], books: Books) -> None:
    seed = int(os.environ.get("SMSGW_TEST_SEED") or secrets.randbits(32))
    sys.stdout.write(f"SMSGW_TEST_SEED={seed}\n")
    main = MAIN | {"store": store}
    async with (
        _operator() as operator,
        daemon_of(folder, {"one": operator.link}, main=main, merchants={"gold": MERCHANT}) as daemon,
    ):
        _price(daemon, operator.billing)
        campaign = await _campaign(Random(seed), operator, daemon, books)
        await campaign.run(kills)
        ended = await campaign.check()
        sys.stdout.write(f"{dict(ended)}\n")
        reasons = await books.rows("select reason, count(*) from payments where reason is not null group by reason")
        sys.stdout.write(f"failed: {dict(reasons)}\n")
        assert ended["succeeded"] > kills


async def _campaign(random: Random, operator: Operator, daemon: Daemon, books: Books) -> PaymentCampaign:
    token = await make_key(daemon, "gold")
    return PaymentCampaign(
        random, operator.smsc, operator.billing, operator.witness, daemon=daemon, books=books, token=token
    )


@pytest.mark.timeout(240)
async def test_eight_kills(tmp_path: Path) -> None:
    await _survive(tmp_path, 8, {}, Books(file=tmp_path / "smsgw.db"))


@pytest.mark.timeout(240)
async def test_five_kills_on_postgresql(tmp_path: Path, postgres_dsn: str) -> None:
    await _survive(tmp_path, 5, {"engine": "postgres", "dsn": postgres_dsn}, Books(dsn=postgres_dsn))


@pytest.mark.timeout(240)
async def test_two_daemons_on_one_database_of_which_one_dies(tmp_path: Path, postgres_dsn: str) -> None:
    seed = int(os.environ.get("SMSGW_TEST_SEED") or secrets.randbits(32))
    sys.stdout.write(f"SMSGW_TEST_SEED={seed}\n")
    main = MAIN | {"store": {"engine": "postgres", "dsn": postgres_dsn}, "node_lease_s": 1.0}
    selling = {"gold": MERCHANT}
    async with _operator() as operator:
        links = {"one": operator.link}
        async with (
            daemon_of(tmp_path / "left", links, main=main | {"node": "left"}, merchants=selling) as left,
            daemon_of(tmp_path / "right", links, main=main | {"node": "right"}, merchants=selling) as right,
        ):
            _price(left, operator.billing)
            books = Books(dsn=postgres_dsn)
            campaign = await _campaign(Random(seed), operator, left, books)
            left.start()  # makes the key file
            await left.until_told("app.started")
            assert await left.stop() == 0
            (right.folder / "codes.key").write_bytes((left.folder / "codes.key").read_bytes())
            (right.folder / "codes.key").chmod(0o600)
            await campaign.run_two(right, 3.0)
            ended = await campaign.check()
            sys.stdout.write(f"{dict(ended)}\n")
            assert ended["succeeded"] > 20


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_sixty_kills(tmp_path: Path) -> None:
    await _survive(tmp_path, 60, {}, Books(file=tmp_path / "smsgw.db"))


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_sixty_kills_on_postgresql(tmp_path: Path, postgres_dsn: str) -> None:
    await _survive(tmp_path, 60, {"engine": "postgres", "dsn": postgres_dsn}, Books(dsn=postgres_dsn))
