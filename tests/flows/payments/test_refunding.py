"""Money back through an operator's API: under one id until it says yes or no, and counted once."""

import asyncio

from smsgw.flows.payments.whose import STAFF
from smsgw.flows.ports import Refunded
from smsgw.store import nodes
from tests.flows.payments.bank import Api, Bank, bank
from tests.servers.engines import Engine

UNKNOWN = Refunded(outcome="unknown", error="no answer in time")
REFUSED = Refunded(outcome="refused", http_status=422, error="the operator says NO")


async def paid(one: Bank) -> str:
    payment = await one.confirmed()
    await one.work()
    assert await one.status(payment) == "succeeded"
    return payment


async def refund(one: Bank, payment: str, amount_minor: int | None = None) -> None:
    await one.payments.refund(payment, amount_minor, whose=STAFF, reason="because", actor="me")


async def test_parts_and_the_rest_go_back(engine: Engine) -> None:
    async with bank(engine) as one:
        payment = await paid(one)
        await refund(one, payment, 300)
        await one.work()
        await refund(one, payment)
        await one.work()
        assert [(back.amount_minor, back.order.operator_id) for back in one.api.backs] == [(300, "op1"), (700, "op1")]
        assert [row.status for row in await one.refunds(payment)] == ["succeeded", "succeeded"]
        assert (await one.row(payment)).refunded_minor == 1000
        assert (await one.events(payment))[-2:] == ["payment.refunded"] * 2


async def test_a_refusal_gives_the_room_back(engine: Engine) -> None:
    async with bank(engine) as one:
        one.api.on_refund = [REFUSED]
        payment = await paid(one)
        await refund(one, payment)
        await one.work()
        [row] = await one.refunds(payment)
        assert (row.status, (await one.row(payment)).refunded_minor) == ("failed", 0)
        assert (await one.events(payment))[-2:] == ["payment.succeeded", "payment.refund_failed"], (
            "the merchant is told"
        )
        assert await one.refunder.ended(row, done=False, told={}) is False, "an answer counts once"
        assert (await one.row(payment)).refunded_minor == 0


async def test_what_nobody_knows_is_asked_for_again_under_the_same_id(engine: Engine) -> None:
    api = Api()
    api.on_refund = [UNKNOWN]
    async with bank(engine, api) as one:
        payment = await paid(one)
        await refund(one, payment)
        await one.wait(30)
        assert api.count("refund") >= 3
        clock = one.clock
        clock.advance(1_000)
    async with bank(engine, api, clock=clock) as one:
        api.on_refund = [Refunded(outcome="done")]
        await one.wait(60)
        [row] = await one.refunds(payment)
        assert row.status == "succeeded"
        assert {back.refund for back in api.backs} == {row.id}


async def test_a_mistake_of_ours_is_not_the_end(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_refund = [RuntimeError("oh"), Refunded(outcome="done")]  # type: ignore[list-item]  # a mistake
        payment = await paid(one)
        await refund(one, payment)
        await one.wait(20)
        assert [row.status for row in await one.refunds(payment)] == ["succeeded"]


async def test_what_a_command_asked_for_is_found(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        payment = await paid(one)
        one.payments._followers.clear()  # as another process does it
        await refund(one, payment, 1)
        await one.wait(20)
        assert [row.status for row in await one.refunds(payment)] == ["succeeded"]


async def test_two_nodes_never_ask_for_one_refund_at_once(postgres: Engine) -> None:
    api = Api()
    async with (
        bank(postgres, api) as left,
        bank(postgres, api, node="right", seed=2, clock=left.clock) as right,
    ):
        payment = await paid(left)
        api.open.clear()
        await refund(right, payment)
        for _ in range(6):
            for one in (right, left):
                await one.refunder.turn()
                await asyncio.sleep(0.05)  # a call that has begun is waited for by nobody here
            left.clock.advance(5_000)
        assert api.most_waiting == 1
        api.open.set()
        await left.work()
        assert [row.status for row in await right.refunds(payment)] == ["succeeded"]


async def test_what_a_dead_node_had_to_give_back_another_gives(postgres: Engine) -> None:
    api = Api()
    async with (
        bank(postgres, api) as left,
        bank(postgres, api, node="right", seed=2, clock=left.clock) as right,
    ):
        payment = await paid(left)
        await refund(left, payment)
        await right.wait(60)
        assert api.count("refund") == 0, "the other lives"
        [(_, seen_ms)] = await left.rows("nodes", "id", "seen_ms")
        async with left.database.write() as transaction:
            assert await nodes.bury(transaction, "left", seen_ms)
        await right.wait(60)
        assert [row.status for row in await right.refunds(payment)] == ["succeeded"]
        await left.wait(60)
        assert api.count("refund") == 1


async def test_the_loop_runs_by_itself(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        payment = await paid(one)
        task = asyncio.get_running_loop().create_task(one.refunder.run())
        await asyncio.sleep(0.05)
        await refund(one, payment)
        for _ in range(1_000):
            if (await one.events(payment))[-1] == "payment.refunded":
                break
            await asyncio.sleep(0.01)
        task.cancel()
        assert [row.status for row in await one.refunds(payment)] == ["succeeded"]
