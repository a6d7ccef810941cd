"""One bind from its connection to its end: what is acknowledged when, what is proven, what is sent how fast."""

import asyncio
import secrets

import pytest
from structlog.testing import capture_logs

from smsgw.errors import BindError, RepeatUndecided, StoreBroken, StoreUnavailable
from smsgw.flows.receive import SessionProven
from smsgw.kit.ids import IdMaker
from tests.links.doubles import Scene, scene, virtual
from tests.peers import octets
from tests.peers.plain_smsc import Line, Mo, correct
from tests.simulator.virtual_loop import LoopClock

NUMBER = "359888123456"


async def arrive(one: Scene, count: int) -> list[Mo]:
    """Have the SMSC deliver so many messages; return when they have come."""
    before = len(one.inbox.arrivals)
    mos = [one.smsc.put(NUMBER) for _ in range(count)]
    await one.until(lambda: len(one.inbox.arrivals) == before + count)
    return mos


async def prove(one: Scene) -> None:
    """Have a message sent and answered: what was acknowledged before it has certainly been read."""
    await asyncio.sleep(0.1)  # virtual: what is to be written is
    said = len(one.waiting.said)
    one.waiting.put(1)
    one.senders.pump()
    await one.until(lambda: len(one.waiting.said) > said)


# What comes


@virtual
async def test_a_message_is_acknowledged_when_it_is_stored() -> None:
    async with scene() as one:
        await one.bound()
        one.inbox.stores = False
        first, second = await arrive(one, 2)
        await prove(one)  # the wire has carried something since
        assert (first.answers, second.answers) == ([], [])
        one.inbox.store(one.inbox.arrivals[1])
        await one.smsc.until(lambda: second.acknowledged)
        assert first.answers == []


@virtual
async def test_what_cannot_be_stored_now_is_asked_for_again() -> None:
    async with scene(temporary_error=octets.TRY_AGAIN) as one:
        await one.bound()
        one.inbox.stores = False
        [mo] = await arrive(one, 1)
        [future] = one.inbox.stored.values()
        future.set_exception(StoreUnavailable("the disk is full"))
        await one.until(lambda: len(one.inbox.arrivals) == 2)  # it came again
        assert mo.answers == [octets.TRY_AGAIN]


@virtual
async def test_what_the_receiver_has_no_room_for_is_asked_for_again() -> None:
    async with scene() as one:
        await one.bound()
        one.inbox.full = True
        mo = one.smsc.put(NUMBER)
        await one.smsc.until(lambda: octets.TRY_AGAIN in mo.answers)
        one.inbox.full = False


@virtual
async def test_what_cannot_be_decided_yet_is_asked_for_again() -> None:
    async with scene(temporary_error=octets.TRY_AGAIN) as one:
        await one.bound()
        one.inbox.stores = False
        [mo] = await arrive(one, 1)
        [future] = one.inbox.stored.values()
        future.set_exception(RepeatUndecided("unproven on another node"))
        await one.until(lambda: len(one.inbox.arrivals) == 2)  # it came again
        assert mo.answers == [octets.TRY_AGAIN]


@virtual
async def test_what_a_session_leaves_in_doubt_begins_at_the_first_that_is_unproven() -> None:
    """However long nothing came: what other sessions brought meanwhile is not looked through at the end."""
    async with scene() as one:
        await one.bound()
        await arrive(one, 1)
        await prove(one)
        await asyncio.sleep(60)
        await arrive(one, 2)
        first, second, third = one.inbox.arrivals
        assert first.id < second.proven < second.id
        assert second.proven == third.proven
        minute_later = IdMaker(LoopClock(), secrets.token_bytes).new("mo")
        assert second.proven[:11] == minute_later[:11] != first.id[:11], "its time is the second message's"


@virtual
async def test_nothing_is_said_when_the_store_is_broken() -> None:
    async with scene() as one:
        await one.bound()
        one.inbox.stores = False
        first, second = await arrive(one, 2)
        broken, good = one.inbox.stored.values()
        broken.set_exception(StoreBroken("fsync failed"))
        good.set_result(None)
        await one.smsc.until(lambda: second.acknowledged)
        assert first.answers == []


@virtual
async def test_what_is_stored_after_the_end_is_not_answered() -> None:
    async with scene() as one:
        await one.bound()
        one.inbox.stores = False
        [mo] = await arrive(one, 1)
        one.line.drop()
        assert await one.life == "connection_lost"
        one.inbox.store(*one.inbox.arrivals)
        await asyncio.sleep(1)
        assert mo.answers == []


# What is proven: the acknowledgements that the SMSC has certainly read


@virtual
async def test_the_answer_to_a_later_request_proves_an_acknowledgement() -> None:
    async with scene() as one:
        await one.bound()
        await arrive(one, 2)
        await prove(one)
        assert (await one.end()).proven == one.inbox.arrivals[1].id


@virtual
async def test_a_proof_is_stored_soon_when_nothing_else_comes() -> None:
    async with scene() as one:
        await one.bound()
        await arrive(one, 2)
        await prove(one)
        await asyncio.sleep(1)
        [proven] = [item for item in one.inbox.items if isinstance(item, SessionProven)]
        assert proven.proven == one.inbox.arrivals[1].id


@virtual
async def test_a_proof_that_an_arrival_carries_is_not_stored_by_itself() -> None:
    async with scene() as one:
        await one.bound()
        await arrive(one, 1)
        await prove(one)
        await arrive(one, 1)
        await asyncio.sleep(1)
        assert [item for item in one.inbox.items if isinstance(item, SessionProven)] == []
        first, second = one.inbox.arrivals
        assert first.id <= second.proven < second.id


@virtual
async def test_a_store_that_is_away_is_told_of_once_and_then_by_numbers() -> None:
    with capture_logs() as logged:
        async with scene() as one:
            await one.bound()
            one.inbox.stores = False
            mos = await arrive(one, 5)
            for future in one.inbox.stored.values():
                future.set_exception(StoreUnavailable("the disk is full"))
            await one.smsc.until(lambda: all(mo.answers for mo in mos))
            await asyncio.sleep(2)
            one.inbox.stores = True
    told = [entry for entry in logged if entry["event"] == "mo.not_stored"]
    assert [entry.get("count") for entry in told] == [None, 4]
    assert {entry["error"] for entry in told} == {"the disk is full"}


@virtual
async def test_without_a_later_request_nothing_is_proven() -> None:
    async with scene() as one:
        await one.bound()
        await prove(one)
        mos = await arrive(one, 2)
        await one.smsc.until(lambda: all(mo.acknowledged for mo in mos))
        assert (await one.end()).proven == one.inbox.arrivals[0].proven < one.inbox.arrivals[0].id


@virtual
async def test_a_message_that_is_stored_later_than_its_successor_is_not_proven_with_it() -> None:
    async with scene() as one:
        await one.bound()
        one.inbox.stores = False
        await arrive(one, 3)
        first, second, third = one.inbox.arrivals
        one.inbox.store(second, third)
        await prove(one)
        one.inbox.store(first)
        assert (await one.end()).proven < first.id


@virtual
async def test_messages_stored_in_any_order_are_proven_together() -> None:
    async with scene() as one:
        await one.bound()
        one.inbox.stores = False
        await arrive(one, 3)
        first, second, third = one.inbox.arrivals
        one.inbox.store(second, third)
        await prove(one)
        one.inbox.store(first)
        await prove(one)
        assert (await one.end()).proven == third.id


@virtual
async def test_a_message_that_was_sent_away_proves_nothing_about_those_that_wait() -> None:
    async with scene() as one:
        await one.bound()
        one.inbox.stores = False
        await arrive(one, 1)
        one.inbox.full = True
        away = one.smsc.put(NUMBER)
        await one.smsc.until(lambda: away.answers)
        await prove(one)
        one.inbox.full = False
        assert (await one.end()).proven < one.inbox.arrivals[0].id


@virtual
async def test_what_is_not_proven_takes_no_memory_for_ever() -> None:
    async with scene(enquire_link_s=86_400.0) as one:
        await one.bound()
        one.smsc.window = 500
        for _ in range(30):
            mos = await arrive(one, 1000)
            await one.smsc.until(lambda mos=mos: all(mo.acknowledged for mo in mos))  # type: ignore[misc]  # a default
        assert len(one.connection._arrivals._answered) <= 10_000
        last = one.inbox.arrivals[-1].id
        await prove(one)
        assert (await one.end()).proven == last


# What is sent


@virtual
async def test_the_window_is_never_exceeded() -> None:
    async with scene(window=3) as one:
        unanswered: list[octets.Pdu] = []
        most = 0

        def hold(line: Line, pdu: octets.Pdu) -> int | None:
            nonlocal most
            if pdu.command != octets.SUBMIT_SM:
                return correct(line, pdu)
            unanswered.append(pdu)
            most = max(most, len(unanswered))
            return None

        one.smsc.answer = hold
        await one.bound()
        one.waiting.put(10)
        one.senders.pump()
        for answered in range(10):
            await one.smsc.until(lambda left=10 - answered: len(unanswered) == min(3, left))  # type: ignore[misc]  # as above
            await asyncio.sleep(1)  # there is time enough for a fourth
            one.smsc.respond(one.line, unanswered.pop(0))
        assert most == 3


@virtual
async def test_the_rate_is_kept() -> None:
    async with scene(rate_per_s=10.0, window=100) as one:
        await one.bound()
        times: list[float] = []
        loop = asyncio.get_running_loop()

        def note(line: Line, pdu: octets.Pdu) -> int | None:
            if pdu.command == octets.SUBMIT_SM:
                times.append(loop.time())
            return correct(line, pdu)

        one.smsc.answer = note
        one.waiting.put(31)
        one.senders.pump()
        await one.until(lambda: len(one.waiting.said) == 31)
        assert 2.9 <= times[-1] - times[0] <= 3.2
        assert min(later - earlier for earlier, later in zip(times, times[10:], strict=False)) > 0.9


@virtual
async def test_each_message_is_reported_as_the_smsc_answers_it() -> None:
    async with scene(response_timeout_s=5.0) as one:
        await one.bound()
        answers = iter([octets.OK, octets.THROTTLED, None])

        def answer(line: Line, pdu: octets.Pdu) -> int | None:
            return next(answers) if pdu.command == octets.SUBMIT_SM else correct(line, pdu)

        one.smsc.answer = answer
        one.waiting.put(3)
        one.senders.pump()
        await one.until(lambda: len(one.waiting.said) == 3)
        assert one.waiting.said == [("mt_0", "1"), ("mt_1", octets.THROTTLED), ("mt_2", None)]


@virtual
async def test_what_a_lost_connection_leaves_unanswered_is_reported() -> None:
    async with scene() as one:
        one.smsc.answer = lambda line, pdu: None if pdu.command == octets.SUBMIT_SM else correct(line, pdu)
        await one.bound()
        one.waiting.put(2)
        one.senders.pump()
        await one.smsc.until(lambda: len(one.line.heard_of(octets.SUBMIT_SM)) == 2)
        await one.end()
        assert one.waiting.said == [("mt_0", None), ("mt_1", None)]


@virtual
async def test_a_receiver_sends_nothing() -> None:
    async with scene("receiver") as one:
        await one.bound()
        one.waiting.put(1)
        one.senders.pump()
        await asyncio.sleep(1)
        assert one.line.heard_of(octets.SUBMIT_SM) == []
        assert len(one.inbox.began) == 1


@virtual
async def test_a_transmitter_has_no_session_in_the_store() -> None:
    async with scene("transmitter") as one:
        await one.bound()
        one.line.drop()
        await one.life
        assert one.inbox.items == []


# How it begins


@virtual
async def test_a_refused_bind_says_whether_it_is_for_the_password() -> None:
    async with scene() as one:
        one.smsc.answer = lambda *_: octets.INVALID_PASSWORD
        with pytest.raises(BindError, match="ESME_RINVPASWD") as caught:
            await one.life
        assert caught.value.credentials

    async with scene() as one:
        one.smsc.answer = lambda *_: octets.THROTTLED
        with pytest.raises(BindError) as caught:
            await one.life
        assert not caught.value.credentials


@virtual
async def test_a_bind_that_is_not_answered_is_given_up() -> None:
    async with scene(response_timeout_s=7.0) as one:
        one.smsc.answer = lambda *_: None
        began = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionError, match="bind_unanswered"):
            await one.life
        assert 7.0 <= asyncio.get_running_loop().time() - began < 8.0


@virtual
async def test_a_connection_that_breaks_during_the_bind_is_an_error() -> None:
    async with scene() as one:
        one.smsc.answer = lambda *_: None
        await one.smsc.until(lambda: one.smsc.lines and one.line.heard)
        one.line.drop()
        with pytest.raises(ConnectionError):
            await one.life
        assert len(one.inbox.ended) == 1


# How it ends


@virtual
async def test_a_stop_waits_for_what_is_in_flight_and_then_unbinds() -> None:
    async with scene() as one:
        one.smsc.answer = lambda line, pdu: None if pdu.command == octets.SUBMIT_SM else correct(line, pdu)
        await one.bound()
        one.inbox.stores = False
        [before] = await arrive(one, 1)
        one.waiting.put(1)
        one.senders.pump()
        await one.smsc.until(lambda: one.line.heard_of(octets.SUBMIT_SM))
        stopping = asyncio.ensure_future(one.connection.stop())

        after = one.smsc.put("359888654321")
        await one.smsc.until(lambda: after.answers == [octets.TRY_AGAIN])
        one.waiting.put(1)
        one.senders.pump()
        one.inbox.store(one.inbox.arrivals[0])
        await one.smsc.until(lambda: before.acknowledged)
        assert one.line.heard_of(octets.UNBIND) == []

        one.smsc.respond(one.line, one.line.heard_of(octets.SUBMIT_SM)[0])
        await stopping
        assert await one.life == "unbound"
        assert len(one.line.heard_of(octets.UNBIND)) == 1
        assert len(one.line.heard_of(octets.SUBMIT_SM)) == 1
        assert one.inbox.ended[0].proven == one.inbox.arrivals[0].id


@virtual
async def test_a_stop_with_nothing_in_flight_unbinds_at_once() -> None:
    async with scene() as one:
        await one.bound()
        await one.connection.stop()
        assert await one.life == "unbound"


@virtual
async def test_a_stop_before_the_bind_is_answered_does_not_wait() -> None:
    async with scene() as one:
        one.smsc.answer = lambda *_: None
        await one.smsc.until(lambda: one.smsc.lines and one.line.heard)
        await one.connection.stop()
        one.connection.abort()
        with pytest.raises(ConnectionError):
            await one.life
