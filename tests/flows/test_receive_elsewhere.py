"""A message that reaches another node while its first delivery is unproven: it is bought once, whoever is first."""

import asyncio
from typing import TYPE_CHECKING

from smsgw.errors import RepeatUndecided
from smsgw.smpp.pdus import DeliverSm
from tests.flows.test_receive_nodes import beat, two
from tests.flows.test_receive_races import Gate
from tests.flows.world import LINK, World, changed, deliver, parts, world
from tests.servers.engines import Engine

if TYPE_CHECKING:
    from smsgw.settings import LinkSettings

BY_ID = changed(LINK, message_id_tlv=0x1400)


async def try_at(one: World, session: str = "", **fields: object) -> str:
    """Deliver a message; return what the operator is told."""
    session = session or await one.begin()
    [error] = await one.take(one.arrival(session=session, **fields))  # type: ignore[arg-type]  # as World.arrival takes them
    assert error is None or isinstance(error, RepeatUndecided), error
    return "again" if error else "ok"


async def test_before_the_dead_one_is_buried_it_is_not_bought_and_afterwards_it_is_a_repetition(
    postgres: Engine,
) -> None:
    async with two(postgres) as (left, right):
        await left.sms(session=await left.begin())
        session = await right.begin()
        assert await try_at(right, session) == "again"
        assert (await right.count("mos"), await right.count("codes"), len(right.sent)) == (1, 1, 0)
        await beat(4, right)
        assert await try_at(right, session) == "ok"
        assert await right.verdicts() == [("done", "code_issued"), ("repeated", None)]


async def test_when_the_session_has_ended_it_is_a_repetition_at_once(postgres: Engine) -> None:
    async with two(postgres) as (left, right):
        session = await left.begin()
        await left.sms(session=session)
        await left.end(session)
        assert await try_at(right) == "ok"
        assert await right.verdicts() == [("done", "code_issued"), ("repeated", None)]


async def test_when_the_first_is_proven_it_is_a_purchase(postgres: Engine) -> None:
    async with two(postgres) as (left, right):
        session = await left.begin()
        first = await left.sms(session=session)
        left.proven[session] = first.id
        await left.sms("SUN 2", session=session)
        assert await try_at(right) == "ok"
        assert await try_at(right, text="SUN 2") == "again"
        assert await right.count("codes") == 3


async def test_a_repetition_that_is_unproven_there_counts_as_well(postgres: Engine) -> None:
    async with two(postgres) as (left, right):
        session = await left.begin()
        await left.sms(session=session)
        await left.end(session)
        assert await try_at(right) == "ok"
        assert await try_at(left) == "again"
        assert await left.count("codes") == 1


async def test_the_others_of_its_batch_are_stored_and_acknowledged(postgres: Engine) -> None:
    async with two(postgres) as (left, right):
        await left.sms(session=await left.begin())
        session = await right.begin()
        told = await right.take(*(right.arrival(text, session=session) for text in ("SUN 1", "SUN", "SUN 2", "SUN")))
        assert [type(error) for error in told] == [type(None), RepeatUndecided, type(None), RepeatUndecided]
        assert await right.rows("mos", "body") == [("SUN",), ("SUN 1",), ("SUN 2",)]
        assert len(right.sent) == 2


async def test_a_part_of_a_long_message_is_no_exception(postgres: Engine) -> None:
    async with two(postgres) as (left, right):
        first, second = parts("SUN " + "я" * 100)
        await left.sms(session=await left.begin(), pdu=first)
        assert await try_at(right, pdu=first) == "again"
        assert await try_at(right, pdu=second) == "ok"
        assert await right.count("codes") == 1


async def test_two_equal_ones_in_a_healthy_session_stay_two_purchases(engine: Engine) -> None:
    async with two(engine) as (left, _):
        session = await left.begin()
        await left.sms(session=session)
        await left.sms(session=session)
        assert await left.count("codes") == 2


async def test_one_daemon_on_its_file_never_waits_for_another(sqlite: Engine) -> None:
    """The lock on the file says that there is none, whatever name it had in its last life."""
    async with two(sqlite) as (left, right):
        await left.sms(session=await left.begin())
        assert await try_at(right) == "ok"


# --- the operator's ids ---------------------------------------------------------------------------------------------


def numbered(operator_id: bytes) -> DeliverSm:
    return changed(deliver(), tlvs={0x1400: operator_id})


async def test_where_the_operator_sends_ids_they_decide_at_once(postgres: Engine) -> None:
    links: dict[str, LinkSettings] = {"north": BY_ID}
    async with (
        world(postgres, node="left", links=links) as left,
        world(postgres, node="right", clock=left.clock, seed=2, links=links) as right,
    ):
        session = await left.begin()
        await left.sms(session=session, pdu=numbered(b"7"))
        assert await try_at(right, pdu=numbered(b"7")) == "ok"
        assert await try_at(right, pdu=numbered(b"8")) == "ok"
        assert await right.verdicts() == [("done", "code_issued"), ("repeated", None), ("done", "code_issued")]


# --- the same moment ------------------------------------------------------------------------------------------------


async def test_a_message_that_reaches_both_in_the_same_moment_is_bought_by_one(postgres: Engine) -> None:
    """The first connection broke, and the redelivery is here before the first delivery's commit."""
    async with two(postgres) as (left, right):
        here, there = await left.begin(), await right.begin()
        gate = Gate(left)
        one = left.receiver.submit(left.arrival(session=here))
        await gate.reached.wait()
        other = asyncio.ensure_future(try_at(right, there))
        asyncio.get_running_loop().call_later(0.3, gate.go.set)
        await one
        assert await other == "again"
        assert await left.count("codes") == 1


async def test_two_nodes_with_the_same_messages_in_another_order_do_not_block_each_other(postgres: Engine) -> None:
    async with two(postgres) as (left, right):
        here, there = await left.begin(), await right.begin()
        bodies = [f"SUN {number}" for number in range(200)]
        told = await asyncio.gather(
            left.take(*(left.arrival(text, session=here) for text in bodies)),
            right.take(*(right.arrival(text, session=there) for text in reversed(bodies))),
        )
        kinds = [error for errors in told for error in errors if error is not None]
        assert {type(error) for error in kinds} == {RepeatUndecided}
        assert len(kinds) == 200 == await left.count("codes")


async def test_it_is_decided_while_the_other_is_ending_its_session(postgres: Engine) -> None:
    """The end and the doubts become visible together: in between nothing may be bought."""
    async with two(postgres) as (left, right):
        session = await left.begin()
        await left.sms(session=session)
        gate = Gate(left)
        ending = asyncio.ensure_future(left.end(session))
        await gate.reached.wait()
        asyncio.get_running_loop().call_later(0.5, gate.go.set)
        assert await try_at(right) == "again"
        await ending
        assert await try_at(right) == "ok"
        assert await right.count("codes") == 1
