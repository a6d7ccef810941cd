"""One operator's binds: made, kept, made again with growing pauses, and ended within a budget."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, cast

import pytest

from smsgw.errors import StoreBroken
from smsgw.flows.receive import Receiver, SessionEnded, SessionStarted
from smsgw.kit.passwords import Passwords, Secret
from smsgw.links.link import Link
from tests.links.doubles import Inbox, outgoing, ports, settings, virtual
from tests.peers import octets
from tests.peers.plain_smsc import PASSWORD, Line, PlainSmsc, correct


class Kept:
    """A link, the tasks that keep its binds, and the SMSC's view of when it came."""

    def __init__(self, smsc: PlainSmsc, changed: dict[str, Any]) -> None:
        self.smsc = smsc
        self.inbox = Inbox()
        link_settings = settings(smsc.port, **changed)
        passwords = Passwords(bind=Secret(PASSWORD))
        self.link = Link(ports(), "one", link_settings, passwords, cast("Receiver", self.inbox))
        # not link.start: that reads back what waits in the store as well
        self.tasks = [asyncio.ensure_future(self.link._keep(berth)) for berth in self.link._berths]

    async def is_bound(self) -> bool:
        """Whether the link says so, a moment later."""
        await asyncio.sleep(0.1)
        return self.link.bound

    async def comings(self, count: int) -> list[float]:
        """Return the pauses between so many connections, in seconds."""
        times: list[float] = []
        while len(times) < count:
            await self.smsc.until(lambda: len(self.smsc.lines) > len(times), 600)
            times.append(asyncio.get_running_loop().time())
        return [round(later - earlier, 1) for earlier, later in pairwise(times)]


@asynccontextmanager
async def kept(**changed: Any) -> AsyncIterator[Kept]:
    """Give a link that is being kept."""
    async with PlainSmsc() as smsc:
        made = Kept(smsc, changed)
        try:
            yield made
        finally:
            made.inbox.full = False
            for task in made.tasks:
                task.cancel()
            await asyncio.gather(*made.tasks, return_exceptions=True)


def hang_up(line: Line, _: octets.Pdu) -> None:
    """Break the connection instead of answering."""
    line.drop()


# Made again


@virtual
async def test_the_pauses_grow_up_to_a_ceiling() -> None:
    async with kept(reconnect_first_s=0.5, reconnect_ceiling_s=5.0) as one:
        one.smsc.answer = hang_up
        assert await one.comings(7) == pytest.approx([0.5, 1.0, 2.0, 4.0, 5.0, 5.0], abs=0.11)


@virtual
async def test_a_bind_that_lasted_makes_the_pauses_short_again() -> None:
    async with kept(reconnect_first_s=0.5, reconnect_ceiling_s=60.0) as one:
        one.smsc.answer = hang_up
        await one.comings(4)
        one.smsc.answer = correct
        line = await one.smsc.until_bound(seconds=60)
        await asyncio.sleep(11)
        before = asyncio.get_running_loop().time()
        line.drop()
        await one.smsc.until(lambda: not one.smsc.live)
        await one.smsc.until_bound()
        assert asyncio.get_running_loop().time() - before < 0.7


@virtual
async def test_a_bind_that_did_not_last_does_not() -> None:
    async with kept(reconnect_first_s=0.5, reconnect_ceiling_s=60.0) as one:
        times = []
        for _ in range(4):
            line = await one.smsc.until_bound(seconds=60)
            times.append(asyncio.get_running_loop().time())
            await asyncio.sleep(1)
            line.drop()
            await one.smsc.until(lambda: not one.smsc.live)
        pauses = [later - earlier - 1 for earlier, later in pairwise(times)]
        assert pauses == pytest.approx([0.5, 1.0, 2.0], abs=0.11)


@virtual
async def test_a_refused_password_is_tried_again_slowly() -> None:
    async with kept(credentials_retry_s=60.0, reconnect_first_s=0.5) as one:
        one.smsc.answer = lambda *_: octets.INVALID_PASSWORD
        assert await one.comings(3) == pytest.approx([60.0, 60.0], abs=0.11)


@virtual
async def test_any_other_refusal_is_tried_again_soon() -> None:
    async with kept(credentials_retry_s=60.0, reconnect_first_s=0.5) as one:
        one.smsc.answer = lambda *_: octets.THROTTLED
        assert await one.comings(3) == pytest.approx([0.5, 1.0], abs=0.11)


@virtual
async def test_an_smsc_that_is_not_there_is_found_when_it_comes() -> None:
    async with kept(reconnect_first_s=0.5) as one:
        await one.smsc.close()
        await asyncio.sleep(5)
        assert not one.link.bound
        await one.smsc.listen()
        await one.smsc.until_bound()


# In order


@virtual
async def test_a_session_begins_when_the_end_of_the_one_before_is_stored() -> None:
    async with kept() as one:
        line = await one.smsc.until_bound()
        one.inbox.fails = 3
        line.drop()
        await one.smsc.until(lambda: not one.smsc.live)
        await one.smsc.until_bound()
        assert one.inbox.fails == 0
        first, second, third = one.inbox.items
        assert isinstance(first, SessionStarted)
        assert isinstance(second, SessionEnded)
        assert isinstance(third, SessionStarted)
        assert (second.session, second.proven) == (first.row.id, first.row.proven)


@virtual
async def test_a_receiver_without_room_puts_the_bind_off() -> None:
    async with kept() as one:
        one.inbox.full = True
        await asyncio.sleep(5)
        assert one.smsc.lines != []
        assert one.smsc.live == []
        one.inbox.full = False
        await one.smsc.until_bound()


@virtual
async def test_a_broken_store_ends_the_link() -> None:
    async with kept() as one:
        line = await one.smsc.until_bound()

        def broken(_: object) -> asyncio.Future[None]:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.set_exception(StoreBroken("fsync failed"))
            return future

        one.inbox.submit = broken  # type: ignore[assignment, method-assign]  # a store that breaks just now
        line.drop()
        with pytest.raises(StoreBroken):
            await one.tasks[0]


# A pair


@virtual
async def test_a_pair_is_bound_when_both_are() -> None:
    async with kept(bind="separate") as one:
        receiver, transmitter = await one.smsc.until_bound("receiver"), await one.smsc.until_bound("transmitter")
        assert await one.is_bound()
        transmitter.drop()
        assert not await one.is_bound()
        assert not receiver.closed
        await one.smsc.until_bound("transmitter")
        assert await one.is_bound()


# Ended


@virtual
async def test_a_stop_ends_in_time_although_the_smsc_does_not_answer() -> None:
    async with kept() as one:
        one.smsc.answer = lambda line, pdu: correct(line, pdu) if pdu.command in octets.BINDS else None
        line = await one.smsc.until_bound()
        one.link.outbox._hold(outgoing("mt_1"))
        one.link._pump()
        await one.smsc.until(lambda: line.heard_of(octets.SUBMIT_SM))
        before = asyncio.get_running_loop().time()
        await one.link.stop(3.0)
        assert asyncio.get_running_loop().time() - before == pytest.approx(3.0, abs=0.1)
        await one.smsc.until(lambda: line.closed)


@virtual
async def test_a_link_that_stops_is_not_made_again() -> None:
    async with kept(reconnect_first_s=0.5) as one:
        one.smsc.answer = hang_up
        await one.comings(2)
        await one.smsc.until(lambda: one.smsc.lines[1].closed)
        await asyncio.sleep(0.1)
        await one.link.stop(3.0)
        await asyncio.sleep(10)
        assert len(one.smsc.lines) == 2


@virtual
async def test_a_link_that_was_just_connecting_does_not_bind_any_more() -> None:
    async with kept() as one:
        submit = one.inbox.submit
        came: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        one.inbox.submit = lambda item: came if isinstance(item, SessionStarted) else submit(item)  # type: ignore[method-assign]  # a slow store
        await one.smsc.until(lambda: one.smsc.lines)
        await one.link.stop(3.0)
        came.set_result(None)
        await asyncio.sleep(10)
        assert [line.heard for line in one.smsc.lines] == [[]]
