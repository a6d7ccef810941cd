"""Codes in use: every attempt is decided, counted and recorded in one transaction, however many come at once."""

import asyncio
import itertools
from typing import Any

import pytest

from smsgw.domain.codes import Outcome
from smsgw.errors import StoreUnavailable
from smsgw.flows.redeem import Verifier
from smsgw.flows.visits import Visit
from smsgw.settings import Guessing
from tests.flows.logged import entries, logged
from tests.flows.world import PHONE, SECOND, SUN, World, changed, world
from tests.servers.engines import Engine

VISITOR = "192.0.2.1"
PATIENCE = 60.0  # seconds
STATES = itertools.count()


async def bought(one: World, text: str = "SUN") -> str:
    """Buy a code."""
    await one.sms(text)
    return (await one.codes())[-1]


def visit(code: str, service: str = "sun") -> Visit:
    return Visit(service=service, typed=code, visitor=VISITOR, state=f"visit {next(STATES)}")


async def tried(one: World, *visits: Visit) -> list[Outcome]:
    """Let visitors come one after the other."""
    verifier = Verifier(one.ports, one.catalog, Guessing())
    outcomes = [(await verifier.redeem(each, PATIENCE)).outcome for each in visits]
    await verifier.close()
    return outcomes


async def attempts(one: World) -> list[tuple[Any, ...]]:
    return await one.rows("attempts", "service", "code", "at_ms", "visitor", "outcome")


async def test_a_code_opens_the_door_as_often_as_it_was_bought_for(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        assert await tried(one, *(visit(code) for _ in range(5))) == [Outcome.SUCCESS] * 3 + [Outcome.USED_UP] * 2
        assert await one.rows("codes", "used", "first_used_ms") == [(3, one.clock.now_ms())]


async def test_every_attempt_is_recorded_with_its_code_time_and_visitor(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        [(name,)] = await one.rows("codes", "id")
        now_ms = one.clock.now_ms()
        await tried(one, visit(code), visit("WRONG"), visit(""))
        assert await attempts(one) == [
            ("sun", name, now_ms, VISITOR, "success"),
            ("sun", None, now_ms, VISITOR, "invalid"),
            ("sun", None, now_ms, VISITOR, "invalid"),
        ]


async def test_what_people_type_is_forgiven(engine: Engine) -> None:
    async with world(engine, services={"sun": changed(SUN, uses=0)}) as one:
        code = await bought(one)
        spaced = f" {code[:4].lower()}-{code[4:]}\n"
        assert await tried(one, visit(spaced), visit(code.lower())) == [Outcome.SUCCESS] * 2


@pytest.mark.parametrize(
    "typed", ["", " ", "A" * 8, "A" * 10_000, "'; drop table codes; --", "\0", "\ud800", "{code}", "%", "\x1f", "😀"]
)
async def test_whatever_else_is_typed_is_not_valid(engine: Engine, typed: str) -> None:
    async with world(engine) as one:
        await bought(one)
        assert await tried(one, visit(typed)) == [Outcome.INVALID]
        assert [row[1] for row in await attempts(one)] == [None]


async def test_another_service_s_code_is_not_valid_and_not_used(engine: Engine) -> None:
    services = {"sun": SUN, "moon": changed(SUN, keywords=["MOON"])}
    async with world(engine, services=services) as one:
        code = await bought(one, "MOON")
        assert await tried(one, visit(code, "sun"), visit(code, "moon")) == [Outcome.INVALID, Outcome.SUCCESS]
        assert await one.rows("attempts", "service", "outcome") == [("sun", "invalid"), ("moon", "success")]


# --- time -----------------------------------------------------------------------------------------------------------


async def test_a_code_ends_with_its_time_from_the_receipt(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        one.clock.advance(3_600 * SECOND - 1)
        assert await tried(one, visit(code)) == [Outcome.SUCCESS]
        one.clock.advance(1)
        assert await tried(one, visit(code)) == [Outcome.EXPIRED]
        assert await one.rows("codes", "used") == [(1,)]


async def test_or_from_its_first_use(engine: Engine) -> None:
    services = {"sun": changed(SUN, counted_from="first_use", uses=0)}
    async with world(engine, services=services) as one:
        code = await bought(one)
        one.clock.advance(365 * 86_400 * SECOND)
        first = one.clock.now_ms()
        assert await tried(one, visit(code)) == [Outcome.SUCCESS]
        one.clock.advance(3_600 * SECOND - 1)
        assert await tried(one, visit(code)) == [Outcome.SUCCESS]
        one.clock.advance(1)
        assert await tried(one, visit(code)) == [Outcome.EXPIRED]
        assert await one.rows("codes", "first_used_ms", "used") == [(first, 2)]


async def test_a_code_keeps_the_conditions_it_was_bought_under(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        clock = one.clock
    services = {"sun": changed(SUN, uses=1, valid_for_s=1)}
    async with world(engine, clock=clock, seed=2, services=services) as one:
        clock.advance(60 * SECOND)
        assert await tried(one, visit(code), visit(code)) == [Outcome.SUCCESS] * 2


# --- all at once ----------------------------------------------------------------------------------------------------


async def test_of_200_visitors_with_one_code_as_many_come_in_as_it_allows(engine: Engine) -> None:
    """Two daemons on one PostgreSQL; on SQLite two connections to one file."""
    async with world(engine) as one, world(engine, clock=one.clock, seed=2, node="right") as other:
        code = await bought(one)
        verifiers = [Verifier(one.ports, one.catalog, Guessing()), Verifier(other.ports, other.catalog, Guessing())]
        visits = [changed(visit(code), visitor=f"192.0.2.{at}") for at in range(200)]
        jobs = [verifiers[at % 2].redeem(each, PATIENCE) for at, each in enumerate(visits)]
        outcomes = await asyncio.gather(*jobs)
        for verifier in verifiers:
            await verifier.close()
        assert sorted(each.outcome for each in outcomes) == [Outcome.SUCCESS] * 3 + [Outcome.USED_UP] * 197
        assert await one.rows("codes", "used") == [(3,)]
        assert await one.count("attempts") == 200


async def test_two_daemons_never_wait_for_each_other_in_a_circle(engine: Engine) -> None:
    async with world(engine) as one, world(engine, clock=one.clock, seed=2, node="right") as other:
        await one.take(*(one.arrival(f"SUN {number}") for number in range(40)))
        codes = await one.codes()
        verifiers = [Verifier(one.ports, one.catalog, Guessing()), Verifier(other.ports, other.catalog, Guessing())]
        orders = [codes, codes[::-1]] * 3
        outcomes = await asyncio.gather(
            *(verifiers[at % 2].redeem(visit(code), PATIENCE) for at, order in enumerate(orders) for code in order)
        )
        for verifier in verifiers:
            await verifier.close()
        assert sorted(each.outcome for each in outcomes) == [Outcome.SUCCESS] * 120 + [Outcome.USED_UP] * 120


async def test_visitors_who_come_at_once_share_a_transaction(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        code = await bought(one)
        before = one.database.transactions
        verifier = Verifier(one.ports, one.catalog, Guessing())
        outcomes = await asyncio.gather(*(verifier.redeem(visit(code), PATIENCE) for _ in range(150)))
        assert [each.outcome for each in outcomes].count(Outcome.SUCCESS) == 3
        assert one.database.transactions <= before + 2


# --- when the store does not work -----------------------------------------------------------------------------------


async def test_when_the_store_is_away_nothing_is_decided(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        one.database.before = [StoreUnavailable("locked")]
        verifier = Verifier(one.ports, one.catalog, Guessing())
        with pytest.raises(StoreUnavailable):
            await verifier.redeem(visit(code), PATIENCE)
        assert await one.rows("codes", "used") == [(0,)]
        assert await attempts(one) == []
        assert (await verifier.redeem(visit(code), PATIENCE)).outcome is Outcome.SUCCESS


async def test_who_was_told_to_come_again_has_used_up_nothing(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        verifier = Verifier(one.ports, one.catalog, Guessing())
        one.database.open.clear()
        with pytest.raises(TimeoutError):
            await verifier.redeem(visit(code), 0.01)
        one.clock.advance(10)
        one.database.open.set()
        assert (await verifier.redeem(visit(code), PATIENCE)).outcome is Outcome.SUCCESS
        await verifier.close()
        assert await one.rows("codes", "used") == [(1,)]
        assert [row[-1] for row in await attempts(one)] == ["success"]


async def test_a_decision_that_comes_too_late_is_none(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        code = await bought(one)
        verifier = Verifier(one.ports, one.catalog, Guessing())
        one.database.open.clear()
        one.database.entered.clear()
        waiting = asyncio.ensure_future(verifier.redeem(visit(code), PATIENCE))
        await one.database.entered.wait()
        one.clock.advance(61 * SECOND)
        one.database.open.set()
        with pytest.raises(TimeoutError):
            await waiting
        assert await attempts(one) == []


async def test_too_many_visitors_are_told_so(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        verifier = Verifier(one.ports, one.catalog, Guessing())
        one.database.open.clear()
        waiting = [asyncio.ensure_future(verifier.redeem(visit("X"), PATIENCE)) for _ in range(2_300)]
        results = asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(0)
        one.database.open.set()
        kinds = [type(result) for result in await results]
        assert asyncio.QueueFull in kinds
        assert kinds.count(asyncio.QueueFull) < 400


async def test_the_log_names_the_code_s_row_and_never_the_code(sqlite: Engine) -> None:
    with logged() as stream:
        async with world(sqlite) as one:
            code = await bought(one)
            await tried(one, visit(code), visit("SECRET23"))
            told = await entries(stream, "code.attempt")
            [purchase] = await entries(stream, "mo.accepted")
    assert [(entry["outcome"], entry["code"]) for entry in told] == [
        ("success", purchase["mo"].replace("mo_", "code_")),
        ("invalid", None),
    ]
    assert not any(secret in stream.getvalue() for secret in (code, "SECRET23", PHONE, VISITOR))
