"""Unknown outcomes: the operator is asked with growing pauses, and only what it says for certain ends them."""

import asyncio
from itertools import pairwise

import pytest

from smsgw.domain.charging import Said, Told
from smsgw.flows.payments import inquiry
from smsgw.flows.payments.inquiry import MISSING_MS
from smsgw.flows.ports import Charged
from tests.flows.payments.bank import DENIED, LOST, MISSING, PENDING, TAKEN, bank
from tests.servers.engines import Engine


@pytest.mark.parametrize(("answer", "status"), [(TAKEN, "succeeded"), (DENIED, "failed")])
@pytest.mark.parametrize("first", [LOST, PENDING])
async def test_the_operator_says_what_became_of_it(
    engine: Engine, first: Charged, answer: Charged, status: str
) -> None:
    async with bank(engine) as one:
        one.api.on_charge, one.api.on_ask = [first], [answer]
        payment = await one.confirmed()
        await one.work()
        assert one.api.count("ask") == 0, "it gets a moment"
        await one.wait(40)
        assert await one.status(payment) == status
        asked = one.api.count("ask")
        await one.wait(4_000)
        assert (one.api.count("ask"), one.api.count("charge")) == (asked, 1)


async def test_pauses_grow_and_it_is_asked_for_ever(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge, one.api.on_ask = [LOST], [LOST]
        payment = await one.confirmed()
        await one.work()
        times = []
        for _ in range(4 * 3600 // 5):
            before = one.api.count("ask")
            one.clock.advance(5_000)
            await one.inquirer.turn()
            await one.inquirer.hands.rest()
            if one.api.count("ask") > before:
                times.append(one.clock.monotonic_ms())
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert pauses == sorted(pauses)
        assert 5_000 <= pauses[0] <= 10_000
        assert max(pauses) > 3_000_000
        assert 12 < len(times) < 30
        assert await one.status(payment) == "charge_unknown"
        assert len(await one.facts(payment)) < 8, "what says nothing leaves nothing"


async def test_that_it_knows_none_counts_when_it_has_said_so_for_long(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge, one.api.on_ask = [LOST], [MISSING]
        payment = await one.confirmed()
        await one.work()
        await one.wait(MISSING_MS / 1000 - 60)
        assert await one.status(payment) == "charge_unknown"
        await one.wait(MISSING_MS / 1000)
        assert await one.status(payment) == "failed"
        assert (await one.row(payment)).reason == "operator_not_charged"


async def test_a_wall_clock_that_jumps_concludes_nothing(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge, one.api.on_ask = [LOST], [MISSING]
        payment = await one.confirmed()
        await one.work()
        await one.wait(20)
        one.clock.set_wall(one.clock.now_ms() + 2 * MISSING_MS)
        await one.wait(20)
        assert await one.status(payment) == "charge_unknown"


async def test_one_other_answer_begins_the_wait_anew(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge, one.api.on_ask = [LOST], [MISSING]
        payment = await one.confirmed()
        await one.work()
        await one.wait(600)
        one.api.on_ask = [PENDING]
        await one.wait(400)
        one.api.on_ask = [MISSING]
        await one.wait(600)
        assert await one.status(payment) == "charge_unknown"
        [attempt] = await one.attempts(payment)
        assert attempt.operator_id == "op1", "its name for it is kept"


async def test_a_request_that_arrives_late_is_found(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge, one.api.on_ask = [LOST], [MISSING]
        payment = await one.confirmed()
        await one.work()
        await one.wait(300)
        one.api.on_ask = [TAKEN]
        await one.wait(300)
        assert await one.status(payment) == "succeeded"


async def test_pending_for_ever_becomes_unknown_and_is_asked_about_still(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge, one.api.on_ask = [PENDING], [PENDING]
        payment = await one.confirmed()
        await one.work()
        await one.wait(3_600 + 900 + 60)
        assert await one.status(payment) == "charge_unknown"
        one.api.on_ask = [TAKEN]
        await one.wait(3_700)
        assert await one.status(payment) == "succeeded"


async def test_a_mistake_of_ours_and_a_refusal_of_the_question_end_nothing(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge = [LOST]
        one.api.on_ask = [RuntimeError("oh"), Charged(told=Told(Said.PUT_OFF)), TAKEN]  # type: ignore[list-item]
        payment = await one.confirmed()
        await one.work()
        await one.wait(60)
        assert await one.status(payment) == "succeeded"


async def test_a_person_was_quicker(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge, one.api.on_ask = [LOST], [LOST]
        payment = await one.confirmed()
        await one.work()
        await one.resolver.resolve(payment, "failed", actor="me", note="called them")
        one.api.on_ask = [TAKEN]
        await one.wait(40)
        assert await one.status(payment) == "failed"
        assert one.api.count("ask") == 0


async def test_many_take_turns(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiry, "_PAGE", 3)
    async with bank(sqlite) as one:
        one.api.on_charge, one.api.on_ask = [LOST], [LOST]
        names = [await one.confirmed(msisdn=f"35988123{number:04}") for number in range(8)]
        await one.work()
        await one.wait(200)
        assert len({name for what, name in one.api.calls if what == "ask"}) == 8
        one.api.on_ask = [TAKEN]
        await one.wait(1_000)
        assert {await one.status(name) for name in names} == {"succeeded"}


async def test_the_loop_runs_by_itself(sqlite: Engine) -> None:
    async with bank(sqlite) as one:
        one.api.on_charge = [LOST]
        payment = await one.confirmed()
        await one.work()
        one.clock.advance(60_000)
        task = asyncio.get_running_loop().create_task(one.inquirer.run())
        await one.until(payment, "succeeded")
        task.cancel()
        assert one.api.count("charge") == 1, "it was asked about, not charged again"
