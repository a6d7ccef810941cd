"""Direct charging: the intent is on disk before the one call, and whatever happens there is never a second one."""

import asyncio
import contextlib

import pytest

from smsgw.domain.charging import Said, Told
from smsgw.errors import StoreUnavailable
from smsgw.flows.payments import lines
from smsgw.flows.payments.charging import START_MS
from smsgw.flows.ports import Charged
from smsgw.store import nodes
from tests.flows.payments.bank import BUSY, DENIED, LOST, PENDING, TAKEN, Api, bank
from tests.flows.payments.market import GOLD, LINKS
from tests.flows.world import changed
from tests.servers.engines import Engine
from tests.waiting import until


async def test_a_payment_is_charged_by_the_operators_api(engine: Engine) -> None:
    async with bank(engine) as one:
        payment = await one.confirmed(language="bg")
        assert await one.charge(payment) == "queued"
        await one.work()
        assert await one.status(payment) == "succeeded"
        [attempt] = await one.attempts(payment)
        assert (attempt.status, attempt.operator_id, attempt.tries) == ("charged", "op1", 0)
        [order] = one.api.orders
        assert (order.charge, order.link, order.profile) == (attempt.id, "north", "api")
        assert (order.amount_minor, order.currency, order.description) == (1000, "EUR", "1000 gold")
        assert (await one.events(payment))[-1] == "payment.succeeded"


async def test_the_intent_is_on_disk_before_the_call(engine: Engine) -> None:
    seen = []
    async with bank(engine) as one:
        payment = await one.confirmed()
        transactions = one.database.transactions
        one.api.before = lambda: seen.append(one.database.transactions - transactions)
        one.api.open.clear()
        await one.teller.turn()
        await until(lambda: seen)
        assert seen == [1], "one transaction was over when the call began"
        assert await one.charge(payment) == "intent"
        one.api.open.set()
        await one.work()
        assert await one.status(payment) == "succeeded"


@pytest.mark.parametrize(
    ("answer", "status", "charge"),
    [
        (DENIED, "failed", "failed"),
        (LOST, "charge_unknown", "unknown"),
        (PENDING, "charging", "accepted"),
        (TAKEN, "succeeded", "charged"),
    ],
)
async def test_what_an_answer_makes_of_a_payment(sqlite: Engine, answer: Charged, status: str, charge: str) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge = [answer]
        payment = await one.confirmed()
        await one.teller.turn()
        await one.teller.hands.rest()
        assert (await one.status(payment), await one.charge(payment)) == (status, charge)


async def test_only_a_definite_refusal_is_tried_again_and_not_for_ever(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge = [BUSY]
        payment = await one.confirmed()
        await one.work()
        assert await one.charge(payment) == "queued"
        await one.work()
        assert one.api.count("charge") == 1, "not before its pause is over"
        await one.later(5.1)
        await one.work()
        assert one.api.count("charge") == 2
        await one.later(10.1)
        await one.work()
        assert one.api.count("charge") == 3
        assert await one.status(payment) == "failed"
        assert len({name for _, name in one.api.calls}) == 1, "the same reference each time"


async def test_after_a_refusal_it_may_succeed(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge = [Charged(told=Told(Said.PUT_OFF, "operator_busy", 30_000)), TAKEN]
        payment = await one.confirmed()
        await one.work()
        await one.later(29)
        await one.work()
        assert one.api.count("charge") == 1
        await one.later(2)
        await one.work()
        assert await one.status(payment) == "succeeded"


async def test_a_mistake_of_ours_in_the_call_is_an_unknown_outcome(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge = [RuntimeError("oh")]  # type: ignore[list-item]  # a mistake
        payment = await one.confirmed()
        await one.teller.turn()
        await one.teller.hands.rest()
        assert await one.status(payment) == "charge_unknown"


# The store


async def test_nothing_is_called_while_the_intent_cannot_be_written(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        payment = await one.confirmed()
        one.database.before.append(StoreUnavailable("full"))
        with pytest.raises(StoreUnavailable):
            await one.teller.turn()
        assert one.api.calls == []
        await one.work()
        assert await one.status(payment) == "succeeded"
        assert one.api.count("charge") == 1


async def test_an_intent_that_may_have_been_written_is_not_called(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        payment = await one.confirmed()
        one.database.behind.append(StoreUnavailable("gone"))
        with pytest.raises(StoreUnavailable):
            await one.teller.turn()
        await one.teller.turn()
        await one.teller.hands.rest()
        assert (one.api.calls, await one.charge(payment)) == ([], "intent")
        await one.later(200)  # the clock gives up waiting, and the operator is asked
        assert await one.status(payment) == "charge_unknown"
        await one.wait(40)
        assert await one.status(payment) == "succeeded"
        assert one.api.count("charge") == 0


async def test_a_refusal_that_is_recorded_once_more_does_not_take_back_the_next_try(sqlite: Engine) -> None:
    """It was recorded, and nobody knew: meanwhile the attempt is made again, and is on its way."""
    async with bank(sqlite) as one:
        one.api.on_charge = [BUSY, TAKEN]
        payment = await one.confirmed()
        gone = StoreUnavailable("gone")
        one.database.on_commit = [lambda: None, lambda: one.database.behind.append(gone)]  # the intent, the answer
        await one.teller.turn()
        while await one.charge(payment) != "queued":  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.01)
        one.api.open.clear()
        for _ in range(30):
            one.clock.advance(1_000)
            one.teller.look_again()
            await one.teller.turn()
            await asyncio.sleep(0.03)
        assert one.api.most_waiting == 1
        one.api.open.set()
        await one.work()
        assert (await one.status(payment), one.api.count("charge")) == ("succeeded", 2)


async def test_a_yes_that_nobody_knows_to_be_committed_is_charged_all_the_same(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        payment = await one.prompted("gold-api")
        one.clock.advance(5_000)
        await one.work()
        one.database.behind.append(StoreUnavailable("gone"))
        with pytest.raises(StoreUnavailable):
            await one.say("YES")
        await one.wait(12)
        assert await one.status(payment.id) == "succeeded"


async def test_a_yes_of_hours_ago_is_not_charged_by_the_next_life(sqlite: Engine) -> None:
    api = Api()
    async with bank(sqlite, api) as one:
        payment = await one.confirmed()
        clock = one.clock
    clock.advance(2 * 3_600_000)
    async with bank(sqlite, api, seed=2, clock=clock) as one:
        await one.work()
        await one.later(0)
        assert (await one.status(payment), api.calls) == ("failed", [])


async def test_nobody_is_charged_a_day_after_the_yes(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge = [Charged(told=Told(Said.PUT_OFF, "operator_busy", 86_400_000), http_status=429), TAKEN]
        payment = await one.confirmed()
        await one.work()
        assert (await one.status(payment), (await one.row(payment)).reason) == ("failed", "operator_busy")
        await one.wait(2 * 86_400)
        assert one.api.count("charge") == 1


async def test_what_was_answered_is_kept_until_it_can_be_written(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        payment = await one.confirmed()
        one.api.open.clear()
        await one.teller.turn()
        await until(lambda: one.api.waiting)
        one.database.before.append(StoreUnavailable("full"))
        one.api.open.set()
        await one.teller.hands.rest()
        assert await one.status(payment) == "succeeded"


async def test_one_poisoned_answer_fails_alone(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        first, second = await one.confirmed(), await one.confirmed(msisdn="359881234568")
        await one.work()
        assert {await one.status(first), await one.status(second)} == {"succeeded"}


# Lives and deaths


async def test_a_crash_between_intent_and_call(engine: Engine) -> None:
    api = Api()
    async with bank(engine, api) as one:
        payment = await one.confirmed()
        with contextlib.suppress(asyncio.CancelledError):
            one.database.on_commit.append(_die)
            await one.teller.turn()
        clock = one.clock
        clock.advance(1_000)
    assert api.calls == []
    async with bank(engine, api, clock=clock) as one:
        assert await one.status(payment) == "charge_unknown"
        await one.work()
        assert api.count("charge") == 0, "never: who knows whether it was called"
        await one.wait(40)
        assert await one.status(payment) == "succeeded", "as the operator says when asked"


def _die() -> None:
    raise asyncio.CancelledError


async def test_a_crash_between_call_and_result(engine: Engine) -> None:
    api = Api()
    api.open.clear()
    async with bank(engine, api) as one:
        payment = await one.confirmed()
        await one.teller.turn()
        await until(lambda: api.waiting)
        assert api.count("charge") == 1
        clock = one.clock
        clock.advance(1_000)
    api.open.set()
    async with bank(engine, api, clock=clock) as one:
        assert await one.status(payment) == "charge_unknown"
        await one.wait(40)
        assert await one.status(payment) == "succeeded"
        assert api.count("charge") == 1


async def test_what_waits_is_taken_up_at_the_next_start(engine: Engine) -> None:
    async with bank(engine) as one:
        payment = await one.confirmed()
        clock = one.clock
        clock.advance(1_000)
    async with bank(engine, clock=clock) as one:
        await one.work()
        assert await one.status(payment) == "succeeded"


async def test_what_another_node_has_left_is_taken_over_once(postgres: Engine) -> None:
    api = Api()
    async with bank(postgres, api) as one:
        payment = await one.confirmed()
        clock = one.clock
        clock.advance(1_000)
    async with bank(postgres, api, clock=clock, node="right") as one:
        await one.work()
        assert api.calls == [], "not ours yet"
        async with one.database.write() as transaction:
            await nodes.bury(transaction, "left", clock.now_ms() - 1_000)
        assert await one.sweeper.inherit() == 1
        await one.work()
        assert await one.status(payment) == "succeeded"
    async with bank(postgres, api, clock=clock) as one:  # the first one again
        one.teller.look_again()
        await one.work()
    assert api.count("charge") == 1


async def test_a_node_that_was_held_up_does_not_call_any_more(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        payment = await one.confirmed()
        one.database.on_commit.append(lambda: one.clock.advance(START_MS + 1))  # a stopped process, a frozen disk
        await one.teller.turn()
        await one.teller.hands.rest()
        assert (one.api.calls, await one.charge(payment)) == ([], "queued")
        await one.work()
        assert await one.status(payment) == "succeeded"


# Limits


async def test_so_many_at_a_time_and_the_rest_waits_in_the_store(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "CAPACITY", 4)
    async with bank(sqlite) as one:
        one.teller.hands._most = 2
        one.api.open.clear()
        names = [await one.confirmed(msisdn=f"35988123{number:04}") for number in range(9)]
        await one.teller.turn()
        await until(lambda: one.api.waiting == 2)
        one.api.open.set()
        for _ in range(10):
            await one.work()
        assert {await one.status(name) for name in names} == {"succeeded"}
        assert (one.api.most_waiting, one.api.count("charge")) == (2, 9)


async def test_the_clock_ends_what_could_not_be_called_in_time(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        payment = await one.confirmed()
        await one.later(301)
        assert await one.status(payment) == "failed"
        await one.work()
        assert one.api.calls == []


async def test_a_way_to_charge_that_is_gone_from_the_settings(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        payment = await one.confirmed()
        clock = one.clock
        clock.advance(1_000)
    ways = {name: way for name, way in LINKS["north"].charging.items() if name != "api"}
    links = {**LINKS, "north": changed(LINKS["north"], charging=ways)}
    tariffs = {name: tariff for name, tariff in GOLD.tariffs.items() if name != "api"}
    products = {name: product for name, product in GOLD.products.items() if name != "gold-api"}
    gold = changed(GOLD, products=products, tariffs=tariffs)
    async with bank(sqlite, clock=clock, links=links, merchants={"gold": gold}) as one:
        await one.work()
        assert (await one.status(payment), one.api.calls) == ("failed", [])


async def test_the_loop_runs_by_itself(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        task = asyncio.get_running_loop().create_task(one.teller.run())
        one.database.before.append(StoreUnavailable("full"))
        with contextlib.suppress(StoreUnavailable):
            await one.sweeper.sweep()
        payment = await one.confirmed()
        await one.until(payment, "succeeded")
        task.cancel()
        assert one.api.count("charge") == 1
