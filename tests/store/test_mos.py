"""Received messages in the store: rows as they came, parts that wait, and doubts that absorb one redelivery each."""

import pytest
from msgspec import structs

from smsgw.errors import StoreConflict, StoreUnavailable
from smsgw.store import mos, sessions
from smsgw.store.database import Database
from smsgw.store.mos import Absorbed, Joined, MoRow, WaitingPart
from smsgw.store.sessions import Proof
from tests.servers.engines import Engine
from tests.store.look import columns
from tests.store.rows import mo, part, session

FAR = 10**15  # milliseconds


async def put(database: Database, *rows: MoRow) -> None:
    async with database.write() as transaction:
        await mos.insert(transaction, rows)


async def elsewhere(database: Database, node: str, *fingerprints: str) -> set[str]:
    async with database.write() as transaction:
        return (await mos.unsure(transaction, fingerprints, node, 0)).elsewhere


async def doubts(database: Database, *fingerprints: str, now_ms: int = 0) -> dict[str, list[str]]:
    async with database.write() as transaction:  # on PostgreSQL they are locked
        return (await mos.unsure(transaction, fingerprints, "left", now_ms)).doubted


# --- rows -----------------------------------------------------------------------------------------------------------


async def test_a_message_is_kept_as_it_came(engine: Engine) -> None:
    full = mo("mo_1", operator_id="north\x1f7", part_key="k", part_number=1, part_total=2, whole="mo_2")
    empty = mo("mo_2", payload=b"", tlvs=b"", body=None, service=None, outcome="unreadable", source="", destination="")
    async with engine.open() as database:
        await put(database, full, empty)
    for row in (full, empty):
        assert await columns(engine, "mos", row.id) == structs.asdict(row)


async def test_many_are_stored_at_once_and_none_is_nothing_to_do(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database)
        await put(database, *(mo(f"mo_{number:03}") for number in range(130)))
        async with database.write() as transaction:
            await mos.doubt_messages(transaction, [f"mo_{number:03}" for number in range(130)], FAR)
        assert len((await doubts(database, "f"))["f"]) == 130


@pytest.mark.parametrize("status", ["part", "joined", "done", "repeated"])
async def test_these_are_the_states(engine: Engine, status: str) -> None:
    async with engine.open() as database:
        await put(database, mo("mo_1", status=status))


async def test_there_are_no_others(engine: Engine) -> None:
    async with engine.open() as database:
        with pytest.raises(StoreConflict):
            await put(database, mo("mo_1"), mo("mo_2", status="lost"))
    assert await columns(engine, "mos", "mo_1") is None


async def test_a_message_is_stored_once(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mo("mo_1"))
        with pytest.raises(StoreConflict):
            await put(database, mo("mo_1"))


# --- the operator's ids ---------------------------------------------------------------------------------------------


async def test_messages_are_found_by_the_operator_s_ids(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mo("mo_1", operator_id="north\x1f7"), mo("mo_2", operator_id="north\x1f8"), mo("mo_3"))
        async with database.read() as reader:
            assert await mos.by_operator_ids(reader, {"north\x1f8", "north\x1f9"}) == {"north\x1f8": "mo_2"}
            assert await mos.by_operator_ids(reader, []) == {}


async def test_an_operator_s_id_is_given_once_and_none_is_given_often(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mo("mo_1", operator_id="7"), mo("mo_2"), mo("mo_3"))
        with pytest.raises(StoreConflict):
            await put(database, mo("mo_4", operator_id="7"))


# --- parts ----------------------------------------------------------------------------------------------------------


async def test_parts_wait_for_each_other_oldest_first(engine: Engine) -> None:
    async with engine.open() as database:
        await put(
            database,
            part("mo_2", 3, esm_class=0x40, payload=b"three"),
            part("mo_1", 1),
            part("mo_3", 2, part_key="other"),
            part("mo_4", 2, status="joined"),
            part("mo_5", 2, status="repeated"),
        )
        async with database.read() as reader:
            found = await mos.waiting_parts(reader, {"k", "missing"}, since_ms=999)
            assert [one.id for one in found] == ["mo_1", "mo_2"]
            assert found[1] == WaitingPart(
                id="mo_2", part_key="k", part_number=3, part_total=3, esm_class=0x40, payload=b"three"
            )
            assert await mos.waiting_parts(reader, {"k"}, since_ms=1_000) == [], "they have waited for too long"
            assert await mos.waiting_parts(reader, set(), since_ms=0) == []


async def test_a_part_is_joined_once(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, part("mo_1", 1), mo("mo_2"))
        async with database.write() as transaction:
            await mos.join_parts(transaction, [Joined(id="mo_1", whole="mo_9"), Joined(id="mo_2", whole="mo_9")])
        async with database.write() as transaction:
            await mos.join_parts(transaction, [Joined(id="mo_1", whole="mo_10")])
            await mos.join_parts(transaction, [])
    assert await columns(engine, "mos", "mo_1", "status", "whole") == {"status": "joined", "whole": "mo_9"}
    assert await columns(engine, "mos", "mo_2", "status", "whole") == {"status": "done", "whole": None}


# --- doubts ---------------------------------------------------------------------------------------------------------


async def test_a_doubt_lasts_until_its_time_and_is_then_forgotten(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mo("mo_2"), mo("mo_1"), mo("mo_3", fingerprint="g"))
        async with database.write() as transaction:
            await mos.doubt_messages(transaction, ["mo_2", "mo_1", "mo_3", "mo_missing"], 5_000)
        assert await doubts(database, "f", "g", "h", now_ms=4_999) == {"f": ["mo_1", "mo_2"], "g": ["mo_3"]}
        assert await doubts(database, "f", now_ms=5_000) == {}
        async with database.write() as transaction:
            assert await mos.forget_doubts(transaction, 4_999) == 0
            assert await mos.forget_doubts(transaction, 5_000) == 3
        assert await doubts(database, "f", "g") == {}


async def test_a_doubt_is_told_once_however_often_it_is_raised(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mo("mo_1"))
        for _ in range(2):
            async with database.write() as transaction:
                await mos.doubt_messages(transaction, ["mo_1"], FAR)
        assert await doubts(database, "f") == {"f": ["mo_1"]}


async def test_a_doubt_that_has_absorbed_its_redelivery_is_over(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mo("mo_1"), mo("mo_2"))
        async with database.write() as transaction:
            await mos.doubt_messages(transaction, ["mo_1", "mo_2"], FAR)
            await mos.absorb(transaction, [Absorbed(mo="mo_1")])
            await mos.absorb(transaction, [])
        assert await doubts(database, "f") == {"f": ["mo_2"]}


async def test_to_doubt_a_repetition_is_to_doubt_what_it_repeats(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, mo("mo_1"), mo("mo_2", status="repeated", whole="mo_1"), part("mo_3", 1, status="repeated"))
        async with database.write() as transaction:
            await mos.doubt_messages(transaction, ["mo_2", "mo_3"], FAR)
        assert await doubts(database, "f") == {"f": ["mo_1", "mo_3"]}, "a part that came twice names no other"


async def test_a_joined_part_is_doubted_itself(engine: Engine) -> None:
    async with engine.open() as database:
        await put(database, part("mo_1", 1, status="joined", whole="mo_2"), part("mo_2", 2, status="done"))
        async with database.write() as transaction:
            await mos.doubt_messages(transaction, ["mo_1", "mo_2"], FAR)
        assert await doubts(database, "f") == {"f": ["mo_1", "mo_2"]}


async def test_a_session_that_ends_leaves_in_doubt_what_it_had_not_proven(engine: Engine) -> None:
    async with engine.open() as database:
        async with database.write() as transaction:
            await sessions.start(transaction, session("ses_1"))
            await sessions.start(transaction, session("ses_2"))
            await sessions.prove(transaction, [Proof(session="ses_1", proven="mo_2", newest="mo_7")])
        await put(
            database,
            mo("mo_1"),
            mo("mo_2"),
            mo("mo_3"),
            mo("mo_4", session="ses_2"),
            mo("mo_5", status="repeated", whole="mo_3"),
            mo("mo_6", status="repeated", whole="mo_0", fingerprint="g"),
            part("mo_7", 1, status="joined", whole="mo_8", fingerprint="h"),
        )
        async with database.write() as transaction:
            count = await mos.doubt_session(transaction, "ses_1", FAR)
        assert await doubts(database, "f", "g", "h") == {"f": ["mo_3"], "g": ["mo_0"], "h": ["mo_7"]}
        assert count == 3
        async with database.write() as transaction:
            assert await mos.doubt_session(transaction, "ses_1", FAR) == 0, "each message once"
            assert await mos.doubt_session(transaction, "ses_missing", FAR) == 0


async def test_what_comes_after_a_session_s_newest_message_is_not_looked_at(engine: Engine) -> None:
    """A session that has been quiet for long costs nothing when it ends, whatever others have brought since."""
    async with engine.open() as database:
        async with database.write() as transaction:
            await sessions.start(transaction, session("ses_1"))
            await sessions.prove(transaction, [Proof(session="ses_1", proven="", newest="mo_1")])
        await put(database, mo("mo_1"), mo("mo_2", fingerprint="g"))
        async with database.write() as transaction:
            assert await mos.doubt_session(transaction, "ses_1", FAR) == 1
        assert await doubts(database, "f", "g") == {"f": ["mo_1"]}


# --- other nodes ----------------------------------------------------------------------------------------------------


async def test_other_nodes_unproven_messages_are_found(postgres_dsn: str) -> None:
    async with Engine(dialect="postgres", place=postgres_dsn).open() as database:
        async with database.write() as transaction:
            for name, node in (("ses_1", "left"), ("ses_2", "right"), ("ses_3", "right")):
                await sessions.start(transaction, session(name, node=node))
                await sessions.prove(transaction, [Proof(session=name, proven="mo_2", newest="mo_6")])
            await sessions.end(transaction, "ses_3", 5_000)
        await put(
            database,
            *(mo(f"mo_{at}", session="ses_2", fingerprint=f"f{at}") for at in (2, 3, 6, 7)),
            mo("mo_4", session="ses_3", fingerprint="f4"),
            mo("mo_5", session="ses_1", fingerprint="f5"),
        )
        every = [f"f{at}" for at in range(2, 8)]
        assert await elsewhere(database, "left", *every) == {"f3", "f6"}, "unproven, of an open session, of the other"
        assert await elsewhere(database, "left", "f6", "missing") == {"f6"}
        assert await elsewhere(database, "right", *every) == {"f5"}


async def test_of_two_transactions_with_one_fingerprint_the_second_waits(postgres_dsn: str) -> None:
    async with Engine(dialect="postgres", place=postgres_dsn).open(lock_wait_ms=50) as database:
        async with database.write() as first:
            await mos.lock_fingerprints(first, ["f", "g"])
            async with database.write() as second:
                await mos.lock_fingerprints(second, ["h"])
            with pytest.raises(StoreUnavailable):
                async with database.write() as second:
                    await mos.lock_fingerprints(second, ["h", "g"])
        async with database.write() as second:
            await mos.lock_fingerprints(second, ["g"])
