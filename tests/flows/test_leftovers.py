"""Queued messages that nobody sends: they end, are claimed by whoever can send them, and somebody is told."""

import pytest

from smsgw.flows import leftovers
from smsgw.flows.leftovers import Leftovers
from tests.flows.logged import entries, logged
from tests.flows.test_receive_nodes import beat, two
from tests.flows.world import LINK, SECOND, SUN, World, changed, world
from tests.servers.engines import Engine

SHORT = {"sun": changed(SUN, reply_valid_s=600)}
GRACE = 100 * SECOND


def only(one: World, *links: str) -> Leftovers:
    return Leftovers(one.ports, dict.fromkeys(links, LINK))


async def statuses(one: World) -> list[str]:
    return [status for (status,) in await one.rows("mts", "status")]


@pytest.mark.parametrize("links", [("north",), ("south",), ()])
async def test_what_waited_too_long_expires_whatever_its_link(engine: Engine, links: tuple[str, ...]) -> None:
    async with world(engine, services=SHORT) as one:
        await one.sms()
        one.clock.advance(600 * SECOND)
        await only(one, *links).sweep()
        assert await statuses(one) == ["queued"], "it may be on its way, and answered in a moment"
        one.clock.advance(GRACE)
        await one.sms("SUN 2")
        await only(one, *links).sweep()
        assert await statuses(one) == ["expired", "queued"]
        assert await one.rows("mts", "answered_ms") == [(one.clock.now_ms(),), (None,)]


async def test_a_long_queue_is_looked_through_a_few_pages_at_a_time_and_from_its_start_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_PAGE", 2)
    monkeypatch.setattr(leftovers, "_PAGES", 2)
    async with world(engine, services=SHORT) as one:
        for link in ("south", "north"):
            for number in range(3):
                await one.sms(f"SUN {number}", link=link)
        walker = only(one)
        await walker.sweep()
        one.clock.advance(600 * SECOND + GRACE)
        await walker.sweep()
        assert (await statuses(one)).count("expired") == 2, "those behind the first four"
        await walker.sweep()
        await walker.sweep()
        assert await statuses(one) == ["expired"] * 6


async def test_links_that_are_not_in_the_settings_are_told_once(engine: Engine) -> None:
    async with world(engine) as one:
        for link in ("north", "south", "south"):
            await one.sms(f"SUN {link}", link=link)
        walker = only(one, "north")
        with logged() as stream:
            for _ in range(3):
                await walker.sweep()
            [entry] = await entries(stream, "mt.link_not_in_settings")
        assert (entry["link"], entry["messages"]) == ("south", 2)


# --- dead nodes -----------------------------------------------------------------------------------------------------


async def test_a_node_takes_over_what_its_own_links_can_send(engine: Engine) -> None:
    """The rest waits for a node that has the link, even one that comes long after the burial."""
    async with two(engine) as (left, right):
        await left.sms(link="north")
        await left.sms(link="south")
        del right.catalog.links["south"]
        assert await beat(4, right) == [1]
        assert await right.rows("mts", "link", "node") == [("north", "right"), ("south", "left")]
        assert await only(right, "north").sweep() == 0
        async with world(engine, node="middle", clock=left.clock, seed=3) as middle:
            await middle.receiver.recover()
            assert await only(middle, "south").sweep() == 1
            assert await only(middle, "south").sweep() == 0
        assert await right.rows("mts", "link", "node") == [("north", "right"), ("south", "middle")]


async def test_what_a_living_node_has_queued_is_left_alone(engine: Engine) -> None:
    async with two(engine) as (left, right):
        await left.sms()
        assert await only(right, "north").sweep() == 0
        assert await right.rows("mts", "node") == [("left",)]
