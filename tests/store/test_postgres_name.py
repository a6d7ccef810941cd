"""The name of a node on PostgreSQL: one daemon has it, whatever becomes of its connection."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from smsgw.errors import StartError, StoreUnavailable
from smsgw.store import postgres_name
from smsgw.store.postgres_name import NodeName


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(postgres_name._SETTINGS, "lock_timeout", "100")


def name(dsn: str, node: str = "left") -> NodeName:
    return NodeName(dsn, node, 5_000)


async def cut(dsn: str) -> None:
    """End every connection that holds a name, and wait until they are gone."""
    connection = await asyncpg.connect(dsn)
    which = "pid from pg_stat_activity where application_name = 'smsgw name' and datname = current_database()"
    await connection.execute(f"select pg_terminate_backend(pid) from (select {which}) p")
    async with asyncio.timeout(10):
        while await connection.fetchval(f"select {which}"):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
    await connection.close()


async def test_one_daemon_has_a_name(postgres_dsn: str) -> None:
    first = await name(postgres_dsn).take()
    with pytest.raises(StartError, match='another smsgw runs as "left"') as told:
        await name(postgres_dsn).take()
    assert told.value.exit_status == 69
    other = await name(postgres_dsn, "right").take()
    await first.keep()
    await first.release()
    again = await name(postgres_dsn).take()
    for one in (other, again, first):
        await one.release()


async def test_after_a_lost_connection_it_is_taken_again(postgres_dsn: str) -> None:
    first = await name(postgres_dsn).take()
    await cut(postgres_dsn)
    await first.keep()
    with pytest.raises(StartError):
        await name(postgres_dsn).take()
    await first.release()


async def test_whoever_finds_it_taken_meanwhile_must_stop(postgres_dsn: str) -> None:
    first = await name(postgres_dsn).take()
    await cut(postgres_dsn)
    second = await name(postgres_dsn).take()
    with pytest.raises(StartError):
        await first.keep()
    await second.keep()
    await second.release()
    await first.keep()
    await first.release()


@asynccontextmanager
async def lost_on_our_side(node: NodeName) -> AsyncIterator[int]:
    """Let a node lose its connection in a way that the server does not notice; give the server process's id."""
    unnoticed, node._connection = node._connection, await asyncpg.connect(node._dsn)
    assert unnoticed is not None
    assert node._connection is not None
    await node._connection.close()
    try:
        yield unnoticed.get_server_pid()
    finally:
        unnoticed.terminate()


async def test_a_loss_that_the_server_has_not_noticed_costs_nobody_the_name(postgres_dsn: str) -> None:
    first = await name(postgres_dsn).take()
    async with lost_on_our_side(first):
        await first.keep()
    with pytest.raises(StartError):
        await name(postgres_dsn).take()
    await first.release()


async def test_while_the_server_cannot_end_our_lost_connection_we_wait(postgres_dsn: str) -> None:
    first = await name(postgres_dsn).take()
    async with lost_on_our_side(first) as process:
        os.kill(process, signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailable, match="our lost connection"):
                await first.keep()
        finally:
            os.kill(process, signal.SIGCONT)
        await first.keep()
    await first.release()


async def test_a_server_that_is_away_is_no_reason_to_stop(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await name(f"postgresql:///x?host={tmp_path}&user=u").keep()
