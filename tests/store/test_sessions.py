"""Nodes and their sessions in the store: who lives, what was left open, and proofs that only move forward."""

import pytest

from smsgw.store import nodes, sessions
from smsgw.store.sessions import Proof
from tests.servers.engines import Engine
from tests.store.look import columns, select
from tests.store.rows import session


async def test_a_session_is_open_until_it_ends(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.write() as transaction:
            for name, node in (("ses_1", "left"), ("ses_2", "left"), ("ses_3", "right")):
                await sessions.start(transaction, session(name, node=node))
            await sessions.end(transaction, "ses_1", 5_000)
        async with database.write() as transaction:
            await sessions.end(transaction, "ses_1", 6_000)
        async with database.read() as reader:
            assert await sessions.left_open(reader, "left") == [("ses_2", "north")]
            assert await sessions.left_open(reader, "nobody") == []
    assert await columns(engine, "link_sessions", "ses_1") == {
        "id": "ses_1",
        "link": "north",
        "node": "left",
        "bound_ms": 1_000,
        "ended_ms": 5_000,
        "proven": "mo_0",
        "newest": "mo_0",
    }


async def test_a_beginning_may_be_told_twice(engine: Engine) -> None:
    """The first time it was not known whether it was stored."""
    async with engine.open() as database:
        for bound_ms in (1_000, 2_000):
            async with database.write() as transaction:
                await sessions.start(transaction, session("ses_1", bound_ms=bound_ms))
    assert await columns(engine, "link_sessions", "ses_1", "bound_ms") == {"bound_ms": 1_000}


@pytest.mark.parametrize(
    ("proofs", "proven"),
    [
        ([], "mo_0"),
        (["mo_2"], "mo_2"),
        (["mo_2", "mo_1"], "mo_2"),
        (["mo_2", "mo_2"], "mo_2"),
        (["mo_1", "mo_2"], "mo_2"),
        ([""], "mo_0"),
    ],
)
async def test_proofs_only_move_forward(engine: Engine, proofs: list[str], proven: str) -> None:
    async with engine.open() as database, database.write() as transaction:
        await sessions.start(transaction, session("ses_1"))
        await sessions.prove(transaction, [])
        await sessions.prove(transaction, [Proof(session="ses_1", proven=one, newest="") for one in proofs])
        await sessions.prove(transaction, [Proof(session="ses_missing", proven="mo_9", newest="mo_9")])
    assert await columns(engine, "link_sessions", "ses_1", "proven") == {"proven": proven}


async def test_what_a_session_has_brought_moves_forward_beside_its_proofs(engine: Engine) -> None:
    async with engine.open() as database, database.write() as transaction:
        await sessions.start(transaction, session("ses_1"))
        for proven, newest in (("mo_0", "mo_3"), ("mo_2", "mo_1"), ("mo_1", "")):
            await sessions.prove(transaction, [Proof(session="ses_1", proven=proven, newest=newest)])
    assert await columns(engine, "link_sessions", "ses_1", "proven", "newest") == {"proven": "mo_2", "newest": "mo_3"}


async def test_a_session_that_goes_on_although_another_node_has_ended_it_is_open_again(engine: Engine) -> None:
    async with engine.open() as database, database.write() as transaction:
        await sessions.start(transaction, session("ses_1"))
        await sessions.end(transaction, "ses_1", 5_000)
        await sessions.prove(transaction, [Proof(session="ses_1", proven="", newest="")])
        assert await sessions.left_open(transaction, "left") == [("ses_1", "north")]
    assert await columns(engine, "link_sessions", "ses_1", "proven") == {"proven": "mo_0"}


# --- nodes ----------------------------------------------------------------------------------------------------------


async def test_a_node_is_remembered_with_its_latest_start_and_sign_of_life(engine: Engine) -> None:
    async with engine.open() as database:
        for now_ms in (1_000, 2_000):
            async with database.write() as transaction:
                await sessions.seen(transaction, "left", now_ms)
        async with database.write() as transaction:
            await nodes.beat(transaction, "left", 3_000)
            await nodes.beat(transaction, "right", 3_500)
    assert await select(engine, "select * from nodes order by id") == [
        {"id": "left", "started_ms": 2_000, "seen_ms": 3_000, "keys": ""},
        {"id": "right", "started_ms": 3_500, "seen_ms": 3_500, "keys": ""},
    ]


async def test_the_others_are_found_and_taken_off_the_list_once(engine: Engine) -> None:
    async with engine.open() as database, database.write() as transaction:
        for node, seen_ms in (("left", 0), ("right", 999), ("middle", 1_000)):
            await nodes.beat(transaction, node, seen_ms)
        assert await nodes.others(transaction, "left") == {"right": 999, "middle": 1_000}
        assert await nodes.bury(transaction, "right", 999)
        assert not await nodes.bury(transaction, "right", 999)
        assert not await nodes.bury(transaction, "middle", 999), "it was heard of again"
    assert [row["id"] for row in await select(engine, "select id from nodes order by id")] == ["left", "middle"]
