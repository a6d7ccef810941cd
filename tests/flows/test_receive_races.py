"""Two daemons on one database at the worst moments: each message still buys once, and nothing stays behind."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from smsgw.errors import StoreUnavailable
from smsgw.flows.send import Outbox
from tests.flows.test_receive_nodes import beat, two
from tests.flows.world import LINK, SECOND, World, parts, world
from tests.servers.engines import Engine

Body = Callable[[Any], Awaitable[Any]]


class Gate:
    """Holds a node's next transaction open when all is done but its commit.

    Args:
        one: the node.
        lost: whether the node is told at once that it cannot know the outcome, as when the connection breaks.
    """

    def __init__(self, one: World, *, lost: bool = False) -> None:
        self.reached = asyncio.Event()
        self.go = asyncio.Event()
        self.late: asyncio.Future[Any] | None = None
        self._one = one
        self._lost = lost
        self._before = one.database.transact
        one.database.transact = self._transact  # type: ignore[method-assign]  # what a slow network would do

    async def _transact(self, body: Body) -> Any:
        async def held(transaction: Any) -> Any:
            result = await body(transaction)
            self.reached.set()
            await self.go.wait()
            return result

        self._one.database.transact = self._before  # type: ignore[method-assign]  # only the next one is held
        if not self._lost:
            return await self._before(held)
        self.late = asyncio.ensure_future(self._before(held))
        await self.reached.wait()
        raise StoreUnavailable("it is not known whether it was committed")


async def test_a_living_node_that_was_taken_over_leaves_its_doubts_when_it_really_dies(engine: Engine) -> None:
    async with two(engine) as (left, right):
        session = await left.begin()
        await left.sms("SUN 1", session=session)
        await beat(6, right)
        await beat(2, left, right)
        second = await left.sms("SUN 2", session=session)
        async with world(engine, node="left", clock=left.clock, seed=9) as again:
            await again.receiver.recover()
            assert second.id in await again.doubted()


async def test_what_a_buried_node_commits_before_it_dies_is_sent_by_the_other(engine: Engine) -> None:
    async with two(engine) as (left, right):
        await beat(6, right)
        await left.sms(session=await left.begin())
        assert sum(await beat(20, right)) == 1


async def test_two_parts_that_reach_two_nodes_at_once_make_a_whole(postgres: Engine) -> None:
    async with two(postgres) as (left, right):
        first, second = parts("SUN " + "я" * 100)
        gate = Gate(left)
        one = left.receiver.submit(left.arrival(pdu=first))
        await gate.reached.wait()
        other = right.receiver.submit(right.arrival(pdu=second))
        asyncio.get_running_loop().call_later(0.3, gate.go.set)
        await one
        await other
        assert await left.count("codes") == 1


async def test_one_doubt_absorbs_one_message_whichever_node_is_first(postgres: Engine) -> None:
    async with two(postgres) as (left, right):
        session = await left.begin()
        await left.sms(session=session)
        await left.end(session)
        gate = Gate(left)
        one = left.receiver.submit(left.arrival())
        await gate.reached.wait()
        other = right.receiver.submit(right.arrival())
        asyncio.get_running_loop().call_later(0.3, gate.go.set)
        await one
        await other
        assert await left.count("codes") == 2


async def test_a_commit_that_lands_after_it_was_given_up_absorbs_its_redelivery(postgres: Engine) -> None:
    async with two(postgres) as (left, _):
        gate = Gate(left, lost=True)
        await left.take(left.arrival())
        assert gate.late is not None
        asyncio.get_running_loop().call_later(0.3, gate.go.set)
        await left.take(left.arrival("other"))  # takes the doubt along
        await gate.late
        await left.sms()
        assert await left.count("codes") == 1


async def test_tries_that_cannot_be_recorded_do_not_pile_up(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        await one.sms()
        box = Outbox(one.ports, "north", LINK, lambda: None)
        box._more.clear()
        box.offer(one.sent)
        one.database.before = [StoreUnavailable("away")] * 1_000
        for _ in range(200):
            message = box.take()
            assert message is not None
            box.refused(message, 0x58)
            one.clock.advance(61 * SECOND)
        assert len(box._results) == 1
        one.database.before = []
        await box.close()
