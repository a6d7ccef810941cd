"""Killed at any moment, it loses nothing that it acknowledged and sells nothing twice (mission, promises 1, 2, 7)."""

import os
import secrets
import sys
from pathlib import Path
from random import Random

import pytest

from tests.peers.plain_smsc import PlainSmsc
from tests.system.books import Books
from tests.system.daemon import daemon_of
from tests.system.kills import Campaign


async def _survive(folder: Path, kills: int, store: dict[str, str], books: Books) -> None:
    seed = int(os.environ.get("SMSGW_TEST_SEED") or secrets.randbits(32))
    sys.stdout.write(f"SMSGW_TEST_SEED={seed}\n")
    async with (
        PlainSmsc(window=50) as smsc,
        daemon_of(folder, {"one": {"port": smsc.port}}, main={"store": store}) as daemon,
    ):
        campaign = Campaign(Random(seed), smsc, daemon, books)
        await campaign.run(kills)
        await campaign.check()


@pytest.mark.timeout(240)
async def test_nine_kills(tmp_path: Path) -> None:
    await _survive(tmp_path, 9, {}, Books(file=tmp_path / "smsgw.db"))


@pytest.mark.timeout(240)
async def test_six_kills_on_postgresql(tmp_path: Path, postgres_dsn: str) -> None:
    await _survive(tmp_path, 6, {"engine": "postgres", "dsn": postgres_dsn}, Books(dsn=postgres_dsn))


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_fifty_kills(tmp_path: Path) -> None:
    await _survive(tmp_path, 50, {}, Books(file=tmp_path / "smsgw.db"))


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_fifty_kills_on_postgresql(tmp_path: Path, postgres_dsn: str) -> None:
    await _survive(tmp_path, 50, {"engine": "postgres", "dsn": postgres_dsn}, Books(dsn=postgres_dsn))
