"""The SMSC as a bad one: each scripted fault as the gateway sees it, with everything that is bounded all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from smsgw.simulator import faults
from smsgw.simulator.faults import (
    Drops,
    Duplicates,
    ErrorAnswers,
    NoAnswers,
    Octets,
    Redeliveries,
    RefuseBinds,
    RepeatedAnswers,
    SlowAnswers,
)
from smsgw.simulator.smsc import Smsc, SmscSettings
from smsgw.smpp import status
from smsgw.smpp.events import (
    Answered,
    BindRefused,
    Bound,
    Ended,
    Late,
    TimedOut,
    Unsolicited,
    Violation,
)
from tests.simulator.gateway import Gateway
from tests.simulator.virtual_loop import LoopClock, run

SUBSCRIBER = "359881234567"


@asynccontextmanager
async def bound(*settings_faults: faults.Fault) -> AsyncIterator[tuple[Smsc, Gateway]]:
    """An SMSC with these faults from the start, and a gateway that has tried to bind."""
    smsc = Smsc(SmscSettings(faults=settings_faults), clock=LoopClock())
    port = await smsc.start()
    try:
        yield smsc, await Gateway().connect(port)
    finally:
        await smsc.stop()


async def statuses(gateway: Gateway, count: int) -> list[int]:
    """Submit messages one by one and return the statuses of their answers."""
    for _ in range(count):
        before = len(gateway.told(Answered))
        gateway.submit(SUBSCRIBER, b"K7XM")
        await gateway.until(lambda before=before: len(gateway.told(Answered)) > before)  # type: ignore[misc]
    return [event.response.command_status for event in gateway.told(Answered)]  # type: ignore[union-attr]


def test_a_bind_is_refused_although_the_password_is_right() -> None:
    async def test() -> None:
        async with bound(RefuseBinds()) as (smsc, gateway):
            [refused] = gateway.told(BindRefused)
            assert isinstance(refused, BindRefused)
            assert refused.response.command_status == status.ESME_RINVPASWD
            assert smsc.binds == ()

    run(test())


def test_submits_stay_without_an_answer() -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            smsc.misbehave(NoAnswers(times=2))
            for _ in range(3):
                gateway.submit(SUBSCRIBER, b"K7XM")
            await gateway.until(lambda: len(gateway.told(TimedOut)) == 2)
            assert len(gateway.told(Answered)) == 1
            assert gateway.session.bound

    run(test())


def test_submits_are_answered_with_errors_and_not_taken() -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            taken: list[object] = []
            smsc.on_mt = taken.append
            smsc.misbehave(ErrorAnswers(times=2), ErrorAnswers(status=status.ESME_RMSGQFUL))
            throttled = status.ESME_RTHROTTLED
            assert await statuses(gateway, 4) == [throttled, throttled, status.ESME_RMSGQFUL, 0]
            assert len(taken) == 1

    run(test())


def test_an_answer_comes_late() -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            smsc.misbehave(SlowAnswers(delay_ms=7_000))
            gateway.submit(SUBSCRIBER, b"K7XM")
            await gateway.until(lambda: any(isinstance(event, Late) for event in gateway.events))
            assert len(gateway.told(TimedOut)) == 1

    run(test())


def test_a_late_answer_to_a_gateway_that_has_gone_is_no_trouble() -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            smsc.misbehave(SlowAnswers(delay_ms=7_000))
            gateway.submit(SUBSCRIBER, b"K7XM")
            await asyncio.sleep(1)
            gateway.close()
            await asyncio.sleep(10)
            assert smsc.binds == ()

    run(test())


def test_an_answer_comes_twice() -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            smsc.misbehave(RepeatedAnswers())
            assert await statuses(gateway, 1) == [0]
            await gateway.until(lambda: any(isinstance(event, Unsolicited) for event in gateway.events))

    run(test())


def test_a_message_is_delivered_twice_at_once() -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            smsc.misbehave(Duplicates())
            assert await smsc.deliver(SUBSCRIBER, "1234", "CODE") == 0
            await gateway.until(lambda: len(gateway.delivered) == 2)
            first, second = gateway.delivered
            assert first.sequence_number != second.sequence_number
            assert (first.source_addr, first.short_message) == (second.source_addr, second.short_message)
            assert await smsc.deliver(SUBSCRIBER, "1234", "CODE") == 0
            assert len(gateway.delivered) == 3

    run(test())


def test_an_acknowledged_message_comes_again() -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            smsc.misbehave(Redeliveries(times=2))
            began = LoopClock().monotonic_ms()
            assert await smsc.deliver(SUBSCRIBER, "1234", "CODE") == 0
            assert [pdu.short_message for pdu in gateway.delivered] == [b"CODE"] * 3
            assert LoopClock().monotonic_ms() - began == pytest.approx(2_000, abs=50)

    run(test())


def test_the_connection_breaks_before_a_message_is_acknowledged_and_it_comes_again() -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            smsc.misbehave(Drops(after_pdus=1))
            first = smsc.deliver(SUBSCRIBER, "1234", "one")
            second = smsc.deliver(SUBSCRIBER, "1234", "two")
            await gateway.until(lambda: gateway.told(Ended))
            assert (first.done(), second.done()) == (True, False)
            assert gateway.told(Ended) == [Ended(reason="connection_lost")]
            again = await Gateway().connect(smsc._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]
            assert await second == 0
            assert [pdu.short_message for pdu in again.delivered] == [b"two"]

    run(test())


def test_the_connection_breaks_instead_of_a_bind() -> None:
    async def test() -> None:
        async with bound(Drops()) as (smsc, gateway):
            assert gateway.told(Bound, BindRefused) == []
            assert gateway.wire.closed
            assert smsc.binds == ()

    run(test())


@pytest.mark.parametrize("octets", [faults.LENGTH_3, faults.LENGTH_4_GB], ids=["3", "4 GB"])
def test_an_impossible_length_ends_the_gateways_session(octets: Octets) -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            smsc.misbehave(octets)
            await gateway.until(lambda: gateway.told(Ended))
            assert gateway.told(Ended) == [Ended(reason="framing")]

    run(test())


def test_an_unknown_command_and_a_stray_response_leave_the_session_alive() -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            smsc.misbehave(faults.UNKNOWN_COMMAND, faults.STRAY_RESPONSE)
            await gateway.until(lambda: any(isinstance(event, Unsolicited) for event in gateway.events))
            assert len(gateway.told(Violation)) == 1
            assert await smsc.deliver(SUBSCRIBER, "1234", "CODE") == 0

    run(test())


def test_octets_wait_for_the_next_bind_when_nobody_is_bound() -> None:
    async def test() -> None:
        async with bound(faults.STRAY_RESPONSE) as (smsc, gateway):
            await gateway.until(lambda: any(isinstance(event, Unsolicited) for event in gateway.events))
            second = await Gateway().connect(smsc._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]
            await asyncio.sleep(1)
            assert [event for event in second.events if isinstance(event, Unsolicited)] == []

    run(test())


@pytest.mark.parametrize("fault", [faults.HALF_A_PDU, faults.HANG], ids=["half a PDU", "silence"])
def test_a_connection_hangs_and_what_was_on_it_goes_to_the_next(fault: Octets) -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            gateway.answer = lambda _: None
            promise = smsc.deliver(SUBSCRIBER, "1234", "CODE")
            await gateway.until(lambda: gateway.delivered)
            smsc.misbehave(fault)
            assert smsc.binds == ()
            gateway.submit(SUBSCRIBER, b"K7XM")
            await gateway.until(lambda: gateway.told(TimedOut))
            assert not gateway.told(Ended)
            second = await Gateway().connect(smsc._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]
            assert await promise == 0
            assert len(second.delivered) == 1
            await gateway.until(lambda: gateway.told(Ended))
            assert gateway.told(Ended) == [Ended(reason="enquire_link_unanswered")]

    run(test())


def test_behaving_again_ends_all_mischief() -> None:
    async def test() -> None:
        async with bound() as (smsc, gateway):
            smsc.misbehave(ErrorAnswers(times=None), Drops(after_pdus=1))
            assert await statuses(gateway, 1) == [status.ESME_RTHROTTLED]
            smsc.behave()
            assert await statuses(gateway, 3) == [status.ESME_RTHROTTLED, 0, 0, 0]

    run(test())
