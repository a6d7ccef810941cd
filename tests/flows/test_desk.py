"""What a visit comes to beyond the code itself: the same visit again, limits on guessing, tests, handles, repeats."""

import asyncio
from typing import Any

import pytest

from smsgw.domain.codes import Outcome
from smsgw.errors import IdempotencyMismatch
from smsgw.flows import returns
from smsgw.flows.idempotency import Idempotency
from smsgw.flows.redeem import Verifier
from smsgw.flows.visits import Redemption, Visit
from smsgw.settings import Guessing
from smsgw.store import attempts
from tests.flows.logged import entries, logged
from tests.flows.world import LINK, SECOND, SUN, World, changed, world
from tests.servers.engines import Engine
from tests.store.look import change, select

PATIENCE = 60.0  # seconds
MINUTE = 60 * SECOND
HERE, THERE = "192.0.2.1", "198.51.100.2"


def visit(code: str = "WRONG", **fields: Any) -> Visit:
    return Visit(**({"service": "sun", "typed": code, "visitor": HERE} | fields))


async def bought(one: World, text: str = "SUN", **fields: Any) -> str:
    await one.sms(text, **fields)
    return (await one.codes())[-1]


async def redeemed(one: World, *visits: Visit, guessing: Guessing | None = None) -> list[Redemption]:
    verifier = Verifier(one.ports, one.catalog, guessing or Guessing())
    found = [await verifier.redeem(each, PATIENCE) for each in visits]
    await verifier.close()
    return found


async def tried(one: World, *visits: Visit, guessing: Guessing | None = None) -> list[Outcome]:
    return [each.outcome for each in await redeemed(one, *visits, guessing=guessing)]


async def used(one: World) -> int:
    [(count,)] = await one.rows("codes", "used")
    return int(count)


# --- the same visit again -------------------------------------------------------------------------------------------


async def test_a_reload_is_the_same_redemption_and_uses_up_nothing(engine: Engine) -> None:
    async with world(engine, services={"sun": changed(SUN, uses=1)}) as one:
        code = await bought(one)
        first, second = await redeemed(one, *[visit(code, state="basket 7")] * 2)
        one.clock.advance(10 * MINUTE - 1)
        [third] = await redeemed(one, visit(code, state="basket 7"))
        assert first.outcome is Outcome.SUCCESS
        assert [(each.id, each.outcome, each.uses_left) for each in (second, third)] == [
            (first.id, Outcome.SUCCESS, 0),
        ] * 2
        assert await used(one) == 1
        assert await one.rows("attempts", "outcome", "reason", "redemption") == [
            ("success", None, first.id),
            ("success", "again", first.id),
            ("success", "again", first.id),
        ]


async def test_after_ten_minutes_or_with_another_state_it_is_another(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        await redeemed(one, visit(code, state="a"))
        [other] = await redeemed(one, visit(code, state="b"))
        one.clock.advance(10 * MINUTE + 1)
        [late] = await redeemed(one, visit(code, state="a"))
        assert (other.outcome, late.outcome, await used(one)) == (Outcome.SUCCESS, Outcome.SUCCESS, 3)


async def test_reloads_do_not_prolong_the_ten_minutes(engine: Engine) -> None:
    async with world(engine, services={"sun": changed(SUN, uses=1)}) as one:
        code = await bought(one)
        outcomes = []
        for _ in range(4):
            outcomes += await tried(one, visit(code, state="a"))
            one.clock.advance(9 * MINUTE)
        assert outcomes == [Outcome.SUCCESS, Outcome.SUCCESS, Outcome.USED_UP, Outcome.USED_UP]


async def test_without_a_state_the_visitor_s_address_tells_who_comes_again(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        await redeemed(one, visit(code), visit(code), visit(code, visitor=THERE))
        assert await used(one) == 2


async def test_of_a_code_s_many_visitors_only_those_are_read_who_may_come_again(engine: Engine) -> None:
    async with world(engine, services={"sun": changed(SUN, uses=0)}) as one:
        code = await bought(one)
        await redeemed(one, *(visit(code, state=f"{at}") for at in range(30)))
        await redeemed(one, *(visit(code, visitor=f"198.51.100.{at}") for at in range(30)))
        [(name,)] = await one.rows("codes", "id")
        async with one.database.read() as reader:
            found = await attempts.recent(reader, [name], ["", "7"], ["198.51.100.3"], "")
        assert sorted((each.state, each.visitor) for each in found) == [("", "198.51.100.3"), ("7", HERE)]


async def test_a_double_click_in_one_transaction_is_one_redemption(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        code = await bought(one)
        verifier = Verifier(one.ports, one.catalog, Guessing())
        found = await asyncio.gather(*(verifier.redeem(visit(code, state="s"), PATIENCE) for _ in range(20)))
        await verifier.close()
        assert len({each.id for each in found}) == 1
        assert await used(one) == 1


async def test_a_code_that_was_revoked_meanwhile_is_not_repeated(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        await redeemed(one, visit(code, state="s"))
        await change(engine, "update codes set revoked_ms = 1")
        assert await tried(one, visit(code, state="s")) == [Outcome.INVALID]


async def test_a_merchant_s_server_repeats_by_its_own_key_only(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        await redeemed(one, *[visit(code, state="s", channel="api")] * 2)
        assert await used(one) == 2


# --- requests that are safe to repeat ---------------------------------------------------------------------------------


def keyed(code: str, key: str = "k", fingerprint: str = "f", caller: str = "key_1") -> Visit:
    idempotency = Idempotency(caller=caller, key=key, request=fingerprint.encode())
    return visit(code, channel="api", idempotency=idempotency)


async def test_a_repeated_request_has_the_same_answer_and_uses_up_nothing(engine: Engine) -> None:
    async with world(engine, services={"sun": changed(SUN, uses=1)}) as one:
        code = await bought(one)
        [first] = await redeemed(one, keyed(code))
        one.clock.advance(3_000 * SECOND)
        assert await redeemed(one, keyed(code)) == [first]
        assert await tried(one, keyed(code, caller="key_2"), keyed(code, key="l")) == [Outcome.USED_UP] * 2
        assert await used(one) == 1
        assert await one.count("attempts") == 3


async def test_the_same_key_with_another_request_is_refused(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        await redeemed(one, keyed(code))
        with pytest.raises(IdempotencyMismatch):
            await redeemed(one, keyed(code, fingerprint="another"))
        assert await used(one) == 1


async def test_of_equal_requests_that_race_one_uses_the_code(engine: Engine) -> None:
    async with world(engine) as one, world(engine, clock=one.clock, seed=2, node="right") as other:
        code = await bought(one)
        verifiers = [Verifier(each.ports, each.catalog, Guessing()) for each in (one, other)]
        found = await asyncio.gather(*(verifiers[at % 2].redeem(keyed(code), PATIENCE) for at in range(40)))
        for verifier in verifiers:
            await verifier.close()
        assert len({each.id for each in found}) == 1
        assert await used(one) == 1


# --- looking, tests ---------------------------------------------------------------------------------------------------


async def test_looking_uses_up_nothing_and_tells_what_a_use_would_come_to(engine: Engine) -> None:
    async with world(engine, services={"sun": changed(SUN, uses=1)}) as one:
        code = await bought(one)
        [looked] = await redeemed(one, visit(code, uses=False, channel="api"))
        assert (looked.outcome, looked.uses_left, await used(one)) == (Outcome.SUCCESS, 1, 0)
        assert await tried(one, visit(code, state="s"), visit(code, uses=False)) == [Outcome.SUCCESS, Outcome.USED_UP]


async def test_test_keys_see_test_codes_and_live_keys_live_ones(engine: Engine) -> None:
    async with world(engine, links={"north": changed(LINK, test=True)}) as one:
        code = await bought(one)
        [live, test, anybody] = await redeemed(
            one, visit(code, test=False), visit(code, test=True, uses=False), visit(code)
        )
        assert (live.outcome, live.test, live.code) == (Outcome.INVALID, False, None)
        assert (test.outcome, test.test) == (Outcome.SUCCESS, True)
        assert (anybody.outcome, anybody.test) == (Outcome.SUCCESS, True)


async def test_unknown_revoked_and_other_services_codes_look_the_same(engine: Engine) -> None:
    services = {"sun": SUN, "moon": changed(SUN, keywords=["MOON"])}
    async with world(engine, services=services) as one:
        revoked = await bought(one)
        await change(engine, "update codes set revoked_ms = 1")
        moon = await bought(one, "MOON")
        found = await redeemed(one, visit("WRONG"), visit(revoked), visit(moon))
        assert len({changed(each, id="") for each in found}) == 1
        assert [reason for (reason,) in await one.rows("attempts", "reason")] == ["unknown", "revoked", "unknown"]


# --- limits on guessing -----------------------------------------------------------------------------------------------


async def test_after_five_mistakes_a_right_code_waits_too_and_nobody_else_does(engine: Engine) -> None:
    async with world(engine) as one:
        code = await bought(one)
        found = await redeemed(one, *[visit()] * 5, visit(code))
        assert [each.outcome for each in found] == [Outcome.INVALID] * 5 + [Outcome.THROTTLED]
        assert (found[-1].wait_ms, found[-1].code) == (MINUTE, None)
        assert await tried(one, visit(code, visitor=THERE)) == [Outcome.SUCCESS]
        one.clock.advance(MINUTE)
        assert await tried(one, visit(code)) == [Outcome.SUCCESS], "no code is ever locked"
        assert (await one.rows("attempts", "outcome", "code"))[5] == ("throttled", None)


async def test_the_limits_survive_a_restart(engine: Engine) -> None:
    async with world(engine) as one:
        await tried(one, *[visit()] * 5)
        clock = one.clock
    async with world(engine, clock=clock, seed=2) as one:
        assert await tried(one, visit()) == [Outcome.THROTTLED]


async def test_one_visitor_s_guesses_on_two_nodes_are_counted_together(engine: Engine) -> None:
    async with world(engine) as one, world(engine, clock=one.clock, seed=2, node="right") as other:
        verifiers = [Verifier(each.ports, each.catalog, Guessing()) for each in (one, other)]
        found = await asyncio.gather(*(verifiers[at % 2].redeem(visit(), PATIENCE) for at in range(60)))
        for verifier in verifiers:
            await verifier.close()
        outcomes = [each.outcome for each in found]
        assert outcomes.count(Outcome.INVALID) == 5
        assert outcomes.count(Outcome.THROTTLED) == 55


async def test_an_ipv6_network_is_one_visitor(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        visits = [visit(visitor=f"2001:db8:0:1::{number:x}") for number in range(6)]
        assert (await tried(one, *visits))[-1] is Outcome.THROTTLED
        assert await tried(one, visit(visitor="2001:db8:0:2::1")) == [Outcome.INVALID]


async def test_services_are_counted_apart(sqlite: Engine) -> None:
    async with world(sqlite, services={"sun": SUN, "moon": changed(SUN, keywords=["MOON"])}) as one:
        await tried(one, *[visit()] * 5)
        assert await tried(one, visit(service="moon")) == [Outcome.INVALID]


async def test_an_expired_code_is_no_guess(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        code = await bought(one)
        one.clock.advance(3_600 * SECOND)
        assert await tried(one, *[visit(code)] * 10) == [Outcome.EXPIRED] * 10


async def test_a_service_under_attack_raises_an_alarm_and_forgives_nobody(sqlite: Engine) -> None:
    with logged() as stream:
        async with world(sqlite) as one:
            limits = Guessing(service_failures_per_hour=10, service_failures_per_day=15)
            strangers = [visit(visitor=f"203.0.113.{number}") for number in range(14)]
            await tried(one, *strangers[:10], guessing=limits)
            [alarm] = await entries(stream, "service.guessed_at")
            assert (alarm["service"], alarm["failures_in_an_hour"], alarm["level"]) == ("sun", 10, "error")
            assert await tried(one, *[visit(visitor=THERE)] * 2, guessing=limits) == [
                Outcome.INVALID,
                Outcome.THROTTLED,
            ]
            await tried(one, *strangers[10:], guessing=limits)
            [closed] = await entries(stream, "service.closed_for_guessing")
            assert (closed["level"], len(await entries(stream, "service.guessed_at"))) == ("critical", 1)


async def test_above_the_daily_limit_nothing_is_looked_at_until_the_day_has_moved_on(engine: Engine) -> None:
    async with world(engine, services={"sun": changed(SUN, valid_for_s=864_000)}) as one:
        code = await bought(one)
        limits = Guessing(service_failures_per_day=3)
        await tried(one, *[visit(visitor=f"203.0.113.{number}") for number in range(3)], guessing=limits)
        assert await tried(one, visit(code), guessing=limits) == [Outcome.THROTTLED]
        one.clock.advance(25 * 60 * MINUTE)
        assert await tried(one, visit(code), guessing=limits) == [Outcome.SUCCESS]


# --- return tokens that are handles -----------------------------------------------------------------------------------


async def test_a_handle_is_exchanged_once_in_time_and_by_its_service_only(engine: Engine) -> None:
    async with world(engine, services={"sun": changed(SUN, return_mode="handle")}) as one:
        code = await bought(one)
        [first, second] = await redeemed(one, visit(code, state="a"), visit(code, state="b"))
        assert first.handle.startswith("rt_")
        assert first.handle != second.handle
        assert await returns.exchange(one.ports, first.handle, ["moon"], test=False) is None
        claims = await returns.exchange(one.ports, first.handle, ["sun"], test=False)
        assert claims is not None
        assert (claims["jti"], claims["outcome"], claims["state"], claims["aud"]) == (first.id, "success", "a", "sun")
        assert await returns.exchange(one.ports, first.handle, ["sun"], test=False) is None, "once"
        one.clock.advance(60 * SECOND)
        assert await returns.exchange(one.ports, second.handle, ["sun"], test=False) is None, "too late"
        stored = await select(engine, "select hash, claims from handles")
        assert first.handle not in str(stored)
        assert code not in str(stored)
