"""What is forgotten, and that nothing is forgotten too early."""

import pytest

from smsgw.flows import spend, sweep
from smsgw.flows.redeem import Verifier
from smsgw.flows.visits import Redemption, Visit
from smsgw.settings import Guessing, Retention
from tests.flows.payments.market import market
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


# --- attempts, and what was spent of them ---------------------------------------------------------------------------


async def kept(one: World) -> tuple[int, int]:
    """Return how many attempts and spent redemptions there are."""
    return await one.count("attempts"), len(await select(one.engine, "select 1 as one from consumed"))


async def spent(one: World, code: str, count: int) -> list[str]:
    """Use a code a few times, and spend each use; return the redemptions."""
    verifier = Verifier(one.ports, one.catalog, Guessing())
    found = [
        (await verifier.redeem(Visit(service="sun", typed=code, visitor="192.0.2.1", state=str(at)), 60)).id
        for at in range(count)
    ]
    await verifier.close()
    for redemption in found:
        done = await spend.consume(one.ports, redemption, ["sun"], test=False)
        assert done is not None
        assert done.first
    return found


async def test_attempts_are_kept_for_their_days_and_what_was_spent_as_long(engine: Engine) -> None:
    retention = Retention(attempts_days=30)
    async with world(engine, services={"sun": changed(SUN, valid_for_s=0, uses=9)}) as one:
        await one.sms()
        [code] = await one.codes()
        [redemption, _] = await spent(one, code, 2)
        one.clock.advance(30 * 24 * HOUR)
        await sweep.forget_attempts(one.ports, retention)
        assert await kept(one) == (2, 2), "not a moment too early"
        again = await spend.consume(one.ports, redemption, ["sun"], test=False)
        assert again is not None
        assert not again.first
        one.clock.advance(1)
        [late] = await spent(one, code, 1)
        assert await sweep.forget_attempts(one.ports, retention) == 4
        assert await kept(one) == (1, 1)
        assert await spend.consume(one.ports, redemption, ["sun"], test=False) is None, "never a second time"
        later = await spend.consume(one.ports, late, ["sun"], test=False)
        assert later is not None
        assert not later.first
        assert await one.rows("codes", "used") == [(3,)], "codes and their uses stay"


async def test_a_sweep_deletes_in_slices_and_what_was_spent_after_its_attempts(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_SLICE", 2)
    monkeypatch.setattr(sweep, "_SLICES", 2)
    retention = Retention(attempts_days=7)
    async with world(engine, services={"sun": changed(SUN, uses=9)}) as one:
        await one.sms()
        [code] = await one.codes()
        await spent(one, code, 5)
        one.clock.advance(7 * 24 * HOUR + 1)
        left_over = []
        for _ in range(4):
            transactions = one.database.transactions
            await sweep.forget_attempts(one.ports, retention)
            assert one.database.transactions - transactions <= 2
            left_over.append(await kept(one))
        assert left_over == [(1, 5), (0, 3), (0, 1), (0, 0)]


# --- attempts that change nothing -----------------------------------------------------------------------------------


async def test_who_hammers_an_expired_code_is_answered_and_writes_a_few_rows(engine: Engine) -> None:
    limits = Guessing(visitor_attempts_kept=4)
    async with world(engine, services={"sun": changed(SUN, return_mode="handle")}) as one:
        await one.sms()
        [code] = await one.codes()
        one.clock.advance(3_600 * SECOND)
        verifiers = [Verifier(one.ports, one.catalog, limits) for _ in range(2)]
        visits = [Visit(service="sun", typed=code, visitor=f"192.0.2.{at % 2}") for at in range(60)]
        for at, visit in enumerate(visits):
            assert (await verifiers[at // 2 % 2].redeem(visit, 60)).outcome == "expired", "nobody is locked out"
        assert (await one.count("attempts"), await left(one)) == (8, (2, 0, 8)), "whatever node they come to"
        one.clock.advance(600 * SECOND)
        await verifiers[0].redeem(visits[0], 60)
        assert await one.count("attempts") == 9, "another window"
        one.clock.advance(600 * SECOND)
        await sweep.forget(one.ports, limits)
        assert (await left(one))[0] == 0
        for verifier in verifiers:
            await verifier.close()


async def test_reloads_and_waiting_write_a_few_rows_and_what_counts_is_always_written(engine: Engine) -> None:
    limits = Guessing(visitor_attempts_kept=2)
    services = {"sun": changed(SUN, return_mode="handle", uses=2)}
    async with world(engine, services=services) as one:
        await one.sms()
        [code] = await one.codes()
        verifier = Verifier(one.ports, one.catalog, limits)

        async def come(typed: str, state: str = "") -> Redemption:
            return await verifier.redeem(Visit(service="sun", typed=typed, visitor="192.0.2.1", state=state), 60)

        first = [await come(code, state="a") for _ in range(6)]
        assert {each.id for each in first} == {first[0].id}
        assert len({each.handle for each in first}) == 6, "each opens the door"
        assert [(await come(code, state="b")).outcome, (await come(code, state="c")).outcome] == ["success", "used_up"]
        assert [(await come("WRONG")).outcome for _ in range(8)] == ["invalid"] * 5 + ["throttled"] * 3
        told = await one.rows("attempts", "outcome", "reason")
        assert told == [
            ("success", None),
            ("success", "again"),
            ("success", "again"),
            ("success", None),
            *[("invalid", "unknown")] * 5,
        ]
        await verifier.close()


async def test_what_a_server_asks_for_all_its_visitors_is_always_written(engine: Engine) -> None:
    async with world(engine) as one:
        await one.sms()
        [code] = await one.codes()
        one.clock.advance(3_600 * SECOND)
        verifier = Verifier(one.ports, one.catalog, Guessing(visitor_attempts_kept=1))
        visit = Visit(service="sun", typed=code, visitor="api_1", channel="api", uses=False, known=False)
        for _ in range(3):
            await verifier.redeem(visit, 60)
        await verifier.close()
        assert await one.rows("attempts", "outcome") == [("expired",)] * 3


async def test_payments_that_ended_long_ago_are_forgotten_and_those_that_are_odd_stay(engine: Engine) -> None:
    async with market(engine) as one:
        ended, odd, standing = [await one.prompted(msisdn=f"35988123456{n}") for n in range(3)]
        await one.say("NO", "359881234560")
        await one.payments.cancel(odd.id, one.everybody, "test")
        await one.resolver.record(odd.id, charged=True, told={})
        one.clock.advance(31 * 86_400_000)
        assert await sweep.forget_payments(one.ports, 32) == 0
        assert await sweep.forget_payments(one.ports, 30) == 1
        assert [name for (name,) in await one.rows("payments", "id")] == [odd.id, standing.id]
        assert ended.id not in {payment for (payment,) in await one.rows("facts", "payment")}
        assert await select(engine, "select name from tallies") == []
