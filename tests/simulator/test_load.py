"""The load source counts rightly: every figure is checked against a gateway that does a known thing at a known time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from smsgw.errors import StartError
from smsgw.simulator.load import Latency, Load, LoadPlan, LoadResult
from smsgw.smpp import status
from smsgw.smpp.pdus import DeliverSm
from tests.simulator.gateway import Gateway
from tests.simulator.virtual_loop import run

FIRST = LoadPlan().first_msisdn


def now_ns() -> int:
    return round(asyncio.get_running_loop().time() * 1e9)


@asynccontextmanager
async def loaded(plan: LoadPlan) -> AsyncIterator[tuple[Load, Gateway]]:
    load = Load(plan, now_ns=now_ns)
    gateway = Gateway()
    port = await load.start()
    try:
        yield load, await gateway.connect(port)
    finally:
        await load.stop()


def answering(gateway: Gateway, delay_s: float = 0.0) -> Callable[[DeliverSm], None]:
    """Make the gateway submit an answer to each message, so much later."""

    def answer(pdu: DeliverSm) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(delay_s, gateway.submit, pdu.source_addr, b"Your code is K7XM")

    return answer


def measure(plan: LoadPlan, prepare: Callable[[Gateway], None]) -> LoadResult:
    async def test() -> LoadResult:
        async with loaded(plan) as (load, gateway):
            prepare(gateway)
            return await load.run()

    return run(test())


def test_each_message_is_sent_once_from_its_own_number_and_matched() -> None:
    numbers: list[str] = []

    def prepare(gateway: Gateway) -> None:
        submit = answering(gateway)

        def answer(pdu: DeliverSm) -> None:
            assert (pdu.short_message, pdu.destination_addr) == (b"SUN", "4321")
            numbers.append(pdu.source_addr)
            submit(pdu)

        gateway.on_delivered = answer

    result = measure(LoadPlan(messages=500, window=20, text="SUN", destination="4321"), prepare)
    assert numbers == [str(FIRST + index) for index in range(500)]
    assert (result.sent, result.answered, result.refused) == (500, 500, 0)
    assert (result.mts, result.matched, result.duplicates, result.stray) == (500, 500, 0, 0)
    assert result.complete


def test_latencies_are_those_of_the_gateway() -> None:
    def prepare(gateway: Gateway) -> None:
        gateway.on_delivered = answering(gateway, 0.25)

    result = measure(LoadPlan(messages=10), prepare)
    assert result.response_ms == Latency(p50=0, p99=0, max=0)
    assert (result.mt_ms.p50, result.mt_ms.p99, result.mt_ms.max) == pytest.approx((250, 250, 250))
    assert result.seconds == pytest.approx(0.25)
    assert result.per_second == pytest.approx(40)


def test_a_pace_is_kept() -> None:
    def prepare(gateway: Gateway) -> None:
        gateway.on_delivered = answering(gateway)

    result = measure(LoadPlan(messages=40, per_second=200), prepare)
    assert result.complete
    assert result.seconds == pytest.approx(0.195, abs=0.005)


def test_the_window_is_kept_and_a_silent_gateway_ends_the_measurement() -> None:
    def prepare(gateway: Gateway) -> None:
        gateway.answer = lambda _: None

    result = measure(LoadPlan(messages=100, window=7, quiet_ms=2_000), prepare)
    assert (result.sent, result.answered, result.matched, result.complete) == (7, 0, 0, False)
    assert result.mt_ms == Latency(p50=0, p99=0, max=0)


def test_refusals_count_as_answers_but_the_result_is_not_complete() -> None:
    def prepare(gateway: Gateway) -> None:
        gateway.on_delivered = answering(gateway)
        gateway.answer = lambda _: status.ESME_RX_T_APPN if len(gateway.delivered) == 3 else 0

    result = measure(LoadPlan(messages=10), prepare)
    assert (result.answered, result.refused, result.matched, result.complete) == (10, 1, 10, False)


def test_answers_that_are_too_many_or_to_nobody_are_told_apart() -> None:
    def prepare(gateway: Gateway) -> None:
        def answer(pdu: DeliverSm) -> None:
            if pdu.source_addr == str(FIRST + 9):  # the last one: everything before has been sent
                for _ in range(2):
                    gateway.submit(str(FIRST + 8), b"again")
                for number in ("359879999999", str(FIRST + 10), "SUN", ""):
                    gateway.submit(number, b"to nobody")
            gateway.submit(f"+{pdu.source_addr}", b"K7XM")

        gateway.on_delivered = answer

    result = measure(LoadPlan(messages=10, quiet_ms=1_000), prepare)
    assert (result.mts, result.matched, result.duplicates, result.stray) == (16, 10, 2, 4)
    assert not result.complete


def test_progress_is_told() -> None:
    told: list[int] = []

    async def test() -> None:
        async with loaded(LoadPlan(messages=10)) as (load, gateway):
            gateway.on_delivered = answering(gateway, 0.1)
            await load.run(told.append)

    run(test())
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 10)


def test_a_lost_gateway_ends_the_measurement() -> None:
    async def test() -> None:
        async with loaded(LoadPlan(messages=100, window=5, quiet_ms=1_000)) as (load, gateway):
            gateway.on_delivered = lambda _: gateway.close()
            result = await load.run()
            assert (result.matched, result.complete) == (0, False)

    run(test())


def test_nobody_who_binds_is_an_error_after_a_while() -> None:
    async def test() -> None:
        load = Load(LoadPlan(bind_ms=5_000), now_ns=now_ns)
        await load.start()
        with pytest.raises(TimeoutError):
            await load.run()
        await load.stop()

    run(test())


def test_a_taken_port_is_one_clear_line() -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(StartError, match=f"^bench: cannot listen on 127.0.0.1:{port}: "):
                await Load(LoadPlan(port=port)).start()

    run(test())
