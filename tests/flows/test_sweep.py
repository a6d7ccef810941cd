"""What is forgotten, and that nothing is forgotten too early."""

from smsgw.flows import sweep
from smsgw.flows.redeem import Verifier
from smsgw.flows.visits import Visit
from smsgw.settings import Guessing
from tests.flows.world import SECOND, SUN, World, changed, world
from tests.servers.engines import Engine
from tests.store.look import select

HOUR = 3_600 * SECOND


async def left(one: World) -> tuple[int, ...]:
    """Return how many rows there are of visitors, hours and handles."""
    tables = ("guess_visitors", "guess_services", "handles")
    return tuple([len(await select(one.engine, f"select 1 as one from {table}")) for table in tables])


async def test_mistakes_and_handles_are_forgotten_when_they_count_no_more(engine: Engine) -> None:
    limits = Guessing()
    async with world(engine, services={"sun": changed(SUN, return_mode="handle")}) as one:
        verifier = Verifier(one.ports, one.catalog, limits)
        await verifier.redeem(Visit(service="sun", typed="WRONG", visitor="192.0.2.1"), 60)
        await sweep.forget(one.ports, limits)
        assert await left(one) == (1, 1, 1)
        one.clock.advance(600 * SECOND + 1)
        await sweep.forget(one.ports, limits)
        assert await left(one) == (0, 1, 1)
        one.clock.advance(HOUR)
        await sweep.forget(one.ports, limits)
        assert await left(one) == (0, 1, 0)
        one.clock.advance(24 * HOUR)
        await sweep.forget(one.ports, limits)
        assert await left(one) == (0, 0, 0)
        await verifier.close()


async def test_a_visitor_who_waits_is_not_forgotten(engine: Engine) -> None:
    limits = Guessing(first_pause_s=3_600)
    async with world(engine) as one:
        verifier = Verifier(one.ports, one.catalog, limits)
        for _ in range(5):
            await verifier.redeem(Visit(service="sun", typed="WRONG", visitor="192.0.2.1"), 60)
        one.clock.advance(3_500 * SECOND)
        await sweep.forget(one.ports, limits)
        assert (await left(one))[0] == 1
        await verifier.close()
