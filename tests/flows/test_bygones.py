"""Delivered events are forgotten in time, in slices; nothing that was not delivered, and no part of an open story."""

from typing import Final

import pytest

from smsgw.flows import bygones
from smsgw.flows.bygones import DAY_MS, REST_MS, Bygones
from smsgw.kit.ids import first_of
from smsgw.store import events
from smsgw.store.events import Hold, Settled
from tests.flows.world import World, world
from tests.servers.engines import Engine
from tests.store.rows import event

KEEP: Final = 90


async def deliver(one: World, name: str, subject: str, place: int = 0, status: str = "delivered") -> None:
    """Have an event that came to this end now."""
    now_ms = one.clock.now_ms()
    async with one.database.write() as transaction:
        await events.insert(transaction, [event(name, subject=subject, place=place, at_ms=now_ms)])
        if status != "pending":
            await events.claim(transaction, [Hold(id=name, until_ms=1, node="left")])
            end = Settled(
                id=name,
                subject=subject,
                status=status,
                tries=1,
                http_status=200,
                error=None,
                at_ms=now_ms,
                node="left",
                until_ms=1,
            )
            await events.settle(transaction, [end])


async def left(one: World) -> set[str]:
    return {name for (name,) in await one.rows("events", "id")}


def evt(one: World, number: int) -> str:
    return first_of("evt", one.clock.now_ms() + number)


async def test_what_was_delivered_is_forgotten_when_it_is_old_and_nothing_else(engine: Engine) -> None:
    async with world(engine) as one:
        names = [evt(one, number) for number in range(5)]
        await deliver(one, names[0], "code_1")
        await deliver(one, names[1], "code_2", status="given_up")
        await deliver(one, names[2], "code_3")
        await deliver(one, names[3], "code_3", place=2, status="pending")
        old = Bygones(one.ports, KEEP)
        one.clock.advance(KEEP * DAY_MS)
        await deliver(one, names[4], "code_4")  # made long ago, delivered only now
        await old.sweep()
        assert await left(one) == set(names), "not a moment too early"
        one.clock.advance(REST_MS)
        await old.sweep()
        assert await left(one) == set(names[1:]), "of the third code more is to be told"


async def test_many_are_forgotten_slice_by_slice(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bygones, "_PAGE", 2)
    monkeypatch.setattr(bygones, "_PAGES", 2)
    async with world(sqlite) as one:
        names = [evt(one, number) for number in range(11)]
        for number, name in enumerate(names):
            await deliver(one, name, f"code_{number}", status="given_up" if number in {0, 1, 2} else "delivered")
        one.clock.advance(KEEP * DAY_MS + 100)
        old = Bygones(one.ports, KEEP)
        counts = []
        for _ in range(4):
            await old.sweep()
            counts.append(len(await left(one)))
        assert counts == [10, 6, 3, 3]
        before = one.database.transactions
        await old.sweep()
        assert one.database.transactions == before, "it rests"
