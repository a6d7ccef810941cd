"""Several daemons on one database: what a dead one left is taken over once, and the living are left alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from smsgw.errors import StoreUnavailable
from smsgw.kit.clock import ManualClock
from tests.flows.world import SECOND, World, world
from tests.servers.engines import Engine

LEASE = 30 * SECOND


@asynccontextmanager
async def two(engine: Engine) -> AsyncIterator[tuple[World, World]]:
    """Two daemons that have lived for a while, with one clock."""
    async with world(engine, node="left") as left, world(engine, node="right", clock=left.clock, seed=2) as right:
        await left.receiver.recover()
        await right.receiver.recover()
        await beat(6, left, right)
        yield left, right


async def beat(times: int, *living: World) -> list[int]:
    """Let time go by while these are alive; return what each has taken over."""
    taken = [0] * len(living)
    for _ in range(times):
        living[0].clock.advance(LEASE // 3)
        for at, one in enumerate(living):
            taken[at] += await one.receiver.sweep(LEASE)
    return taken


async def test_what_a_dead_daemon_left_is_taken_over_once(engine: Engine) -> None:
    async with two(engine) as (left, right):
        session = await left.begin()
        first = await left.sms(session=session)
        assert await beat(2, right) == [0], "it may only be slow"
        assert await beat(2, right) == [1]
        assert await right.rows("mts", "node") == [("right",)]
        assert await right.rows("link_sessions", "ended_ms") != [(None,)]
        assert await right.doubted() == [first.id]
        assert await beat(6, right) == [0]


async def test_its_unproven_messages_may_be_delivered_to_the_other(engine: Engine) -> None:
    async with two(engine) as (left, right):
        await left.sms(session=await left.begin())
        await beat(4, right)
        await right.sms(session=await right.begin())
        assert await right.verdicts() == [("done", "code_issued"), ("repeated", None)]


async def test_of_two_heirs_one_inherits(engine: Engine) -> None:
    async with two(engine) as (left, right), world(engine, node="middle", clock=left.clock, seed=3) as middle:
        await middle.receiver.recover()
        await beat(6, left, right, middle)
        await left.take(*(left.arrival(f"SUN {number}") for number in range(5)))
        assert await beat(2, right, middle) == [0, 0]
        left.clock.advance(2 * LEASE // 3)
        both = await asyncio.gather(right.receiver.sweep(LEASE), middle.receiver.sweep(LEASE))
        both_again = await beat(6, right, middle)
        assert sorted(map(sum, zip(both, both_again, strict=True))) == [0, 5]


async def test_the_living_are_left_alone(engine: Engine) -> None:
    async with two(engine) as (left, right):
        session = await left.begin()
        await left.sms(session=session)
        assert await beat(20, left, right) == [0, 0]
        assert await left.doubted() == []


async def test_clocks_that_disagree_bury_nobody(engine: Engine) -> None:
    """Silence is measured by whoever listens, whatever time it is elsewhere, and however a clock is put."""
    async with (
        world(engine, node="left") as left,
        world(engine, node="right", clock=ManualClock(left.clock.now_ms() + 10 * LEASE), seed=2) as right,
    ):
        for one in (left, right):
            await one.receiver.recover()
        await left.sms(session=await left.begin())
        for turn in range(20):
            if turn == 10:
                right.clock.set_wall(right.clock.now_ms() + 100 * LEASE)
            for one in (left, right):
                one.clock.advance(LEASE // 3)
                assert await one.receiver.sweep(LEASE) == 0
        assert await left.doubted() == []
        taken = 0
        for _ in range(5):
            left.clock.advance(LEASE // 3)
            taken += await left.receiver.sweep(LEASE)
        assert [node for (node,) in await left.rows("nodes", "id")] == ["left"], (
            "one that is dead is found all the same"
        )
        assert taken == 0


async def test_after_the_store_was_away_nobody_is_taken_for_dead(engine: Engine) -> None:
    """No daemon could say that it lives, for longer than the lease; whoever comes first must not bury the other."""
    async with two(engine) as (left, right):
        await left.sms(session=await left.begin())
        for _ in range(6):
            left.clock.advance(LEASE // 3)
            for one in (left, right):
                one.database.before = [StoreUnavailable("the server is away")]
                with pytest.raises(StoreUnavailable):
                    await one.receiver.sweep(LEASE)
        assert await beat(2, right) == [0]
        assert await beat(20, left, right) == [0, 0]
        assert await left.doubted() == []


async def test_a_daemon_that_has_just_started_waits_before_it_inherits(engine: Engine) -> None:
    """After a power cut all start at once; the first must not bury the others."""
    async with world(engine, node="left") as left:
        await left.receiver.recover()
        await left.sms()
        left.clock.advance(100 * LEASE)
        async with world(engine, node="right", clock=left.clock, seed=2) as right:
            await right.receiver.recover()
            assert await beat(3, right) == [0]
            assert await beat(2, right) == [1]


async def test_one_that_was_taken_for_dead_goes_on_as_before(engine: Engine) -> None:
    async with two(engine) as (left, right):
        session = await left.begin()
        first = await left.sms(session=session)
        await beat(6, right)
        assert await left.doubted() == [first.id]
        second = await left.sms("SUN 2", session=session)
        await left.end(session)
        assert await left.doubted() == [first.id, second.id], (
            "its own messages are in doubt when its session really ends"
        )
        await beat(6, left, right)
        assert [node for (node,) in await left.rows("nodes", "id")] == ["left", "right"]
