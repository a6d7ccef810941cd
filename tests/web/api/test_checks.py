"""Codes that merchants' servers bring: looked at without a use, used once for each Idempotency-Key."""

import asyncio

import pytest

from smsgw.domain.guessing import visitor_key
from smsgw.errors import IdempotencyMismatch
from smsgw.flows import apikeys, sweep
from smsgw.flows.idempotency import Idempotency
from smsgw.flows.redeem import Verifier
from smsgw.flows.visits import Redemption, Visit
from smsgw.kit.clock import rfc3339
from smsgw.kit.vault import Key
from smsgw.settings import Guessing
from tests.flows.world import SECOND, World, world
from tests.servers.engines import Engine
from tests.web.api.merchant import VISITOR, Merchant, merchant, problem, told


async def uses(here: Merchant) -> list[int]:
    return [used for (used,) in await here.one.rows("codes", "used")]


async def test_to_look_uses_nothing(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        [(name, issued_ms)] = await here.one.rows("codes", "id", "issued_ms")
        for _ in range(2):
            assert await here.verify(code) == {
                "outcome": "success",
                "service": "sun",
                "redemption": None,
                "code": name,
                "state": "",
                "uses_left": 3,
                "valid_until": rfc3339(issued_ms + 3_600 * SECOND),
                "test": False,
                "retry_after": None,
            }
        assert await uses(here) == [0]
        assert await here.one.rows("attempts", "channel", "reason", "visitor") == [("api", "looked", VISITOR)] * 2


async def test_to_redeem_uses_and_every_outcome_is_an_answer(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        answers = [await here.redeem(code, state=f"basket {number}") for number in range(4)]
        assert [one["outcome"] for one in answers] == ["success"] * 3 + ["used_up"]
        assert [one["uses_left"] for one in answers] == [2, 1, 0, 0]
        assert [one["state"] for one in answers] == [f"basket {number}" for number in range(4)]
        assert len({one["redemption"] for one in answers}) == 4
        here.one.clock.advance(3_600 * SECOND)
        assert (await here.redeem(code))["outcome"] == "expired"
        wrong = await here.redeem("WRONG")
        assert (wrong["outcome"], wrong["code"], wrong["uses_left"]) == ("invalid", None, None)


async def test_the_same_code_and_state_is_no_repetition_here_only_the_key_is(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        first = await here.redeem(code, "one", state="s")
        assert await here.redeem(code, "one", state="s") == first
        assert await here.redeem(code, '"one"', state="s") == first, "in quotes, as the draft has it"
        assert (await here.redeem(code, "two", state="s"))["uses_left"] == 1
        assert await uses(here) == [2]


async def test_the_same_key_with_another_request_is_refused(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        await here.redeem(code, "one")
        for body in ({"state": "other"}, {"visitor_ip": "192.0.2.2"}):
            assert problem(await here.redeem_raw(code, "one", **body)) == (422, "idempotency_key_reused")
        assert problem(await here.redeem_raw("OTHER", "one")) == (422, "idempotency_key_reused")
        assert await uses(here) == [1]


async def test_a_retry_under_the_next_api_key_uses_nothing_and_has_the_same_answer(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        first = await here.redeem(code, "one")
        following = await here.with_key()
        await apikeys.revoke(here.one.ports, here.key, "tests")
        here.one.clock.advance(5 * SECOND)
        assert await following.redeem(code, "one") == first
        assert problem(await following.redeem_raw("OTHER", "one")) == (422, "idempotency_key_reused")
        assert await uses(here) == [1]


async def test_a_retry_while_the_vault_has_got_its_next_key_has_the_same_answer(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        first = await here.redeem(code, "one")
        here.one.ports.vault.replace([Key("k2", bytes([2] * 32)), Key("k1", bytes(32))])
        assert await here.redeem(code, "one") == first
        assert await uses(here) == [1]


async def test_keys_of_two_services_or_of_test_and_live_are_two(engine: Engine) -> None:
    async with merchant(engine) as here:
        sun = await here.here.code()
        await here.one.sms("MOON")
        await here.one.sms("SUN", link="lab")
        _, moon, test = await here.one.codes()
        other, tester = await here.with_key(["moon", "sun"]), await here.with_key(test=True)
        here.one.clock.advance(SECOND + 1)
        answers = [
            await here.redeem(sun, "one"),
            await other.redeem(moon, "one", service="moon"),
            await tester.redeem(test, "one"),
        ]
        assert [one["outcome"] for one in answers] == ["success"] * 3
        assert await uses(here) == [1, 1, 1]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "idempotency_key_invalid"),
        ("x" * 256, "idempotency_key_invalid"),
        ("ключ", "idempotency_key_invalid"),
        ("a\tb", "idempotency_key_invalid"),
    ],
)
async def test_a_bad_key_is_told(sqlite: Engine, key: str, code: str) -> None:
    async with merchant(sqlite) as here:
        body = {"service": "sun", "code": "X"}
        answer = await here.ask("POST", "/v1/codes/redeem", json=body, headers={"Idempotency-Key": key})
        assert problem(answer) == (400, code)
        assert problem(await here.ask("POST", "/v1/codes/redeem", json=body)) == (400, "idempotency_key_missing")
        assert await here.one.count("attempts") == 0


async def test_one_key_at_once_uses_once(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        answers = await asyncio.gather(*(here.redeem(code, "one") for _ in range(20)))
        assert all(one == answers[0] for one in answers)
        assert await uses(here) == [1]


def visit(code: str, visitor: str = VISITOR, fingerprint: str = "f") -> Visit:
    asked = Idempotency(caller="sun/live", key="one", request=fingerprint.encode())
    return Visit(service="sun", typed=code, visitor=visitor, channel="api", idempotency=asked)


async def race(postgres: Engine, *fingerprints: str) -> tuple[list[Redemption | BaseException], World]:
    """Let nodes redeem with one key at the same moment."""
    async with world(postgres, node="left") as left, world(postgres, node="right", seed=2) as right:
        await left.sms()
        [code] = await left.codes()
        verifiers = [Verifier(one.ports, one.catalog, Guessing()) for one in (left, right)]
        jobs = [
            verifiers[number % 2].redeem(visit(code, f"192.0.2.{number % 3}", fingerprints[number % 2]), 20)
            for number in range(12)
        ]
        results = list(await asyncio.gather(*jobs, return_exceptions=True))
        for one in verifiers:
            await one.close()
        assert await left.rows("codes", "used") == [(1,)]
        return results, left


async def test_two_nodes_with_one_key_use_once_and_say_the_same(postgres: Engine) -> None:
    results, _ = await race(postgres, "f", "f")
    assert {one.id for one in results if isinstance(one, Redemption)} == {next(iter(results)).id}  # type: ignore[union-attr]  # the next line proves it
    assert all(isinstance(one, Redemption) for one in results)


async def test_two_nodes_with_one_key_for_two_requests_use_once(postgres: Engine) -> None:
    results, _ = await race(postgres, "f", "g")
    assert sum(isinstance(one, Redemption) for one in results) == 6
    assert sum(isinstance(one, IdempotencyMismatch) for one in results) == 6


async def test_answers_are_kept_for_a_day(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        await here.redeem(code, "one")
        here.one.clock.advance(sweep.ANSWERS_MS)
        await sweep.forget(here.one.ports, Guessing())
        assert (await here.redeem(code, "one"))["outcome"] == "success", "as it was told the day before"
        here.one.clock.advance(1)
        await sweep.forget(here.one.ports, Guessing())
        assert (await here.redeem(code, "one"))["outcome"] == "expired"


# --- limits on guessing ---------------------------------------------------------------------------------------------


async def test_wrong_codes_are_counted_for_the_visitor_that_is_named(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        for _ in range(5):
            await here.verify("WRONG")
        answer = await here.redeem_raw(code, "one")
        assert (answer.headers["Retry-After"], told(answer)["retry_after"]) == ("60", 60)
        assert told(answer)["outcome"] == "throttled"
        assert (await here.redeem(code, visitor_ip="2001:db8::1"))["outcome"] == "success"
        here.one.clock.advance(60 * SECOND)
        assert (await here.redeem(code, "one"))["outcome"] == "success", "throttled was no answer for good"


async def test_and_for_the_key_when_none_is(engine: Engine) -> None:
    async with merchant(engine) as here:
        for _ in range(5):
            await here.verify("WRONG", visitor_ip=None)
        assert (await here.verify("WRONG", visitor_ip=None))["outcome"] == "throttled"
        assert (await here.verify("WRONG"))["outcome"] == "invalid"
        other = await here.with_key()
        here.one.clock.advance(SECOND + 1)
        assert (await other.verify("WRONG", visitor_ip=None))["outcome"] == "invalid"
        assert visitor_key(here.key) == here.key


# --- what is sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed", ["", "A" * 10_000, "\0", "'; drop table codes; --", "😀" * 100, "{{7*7}}", "\u202eABC", "\r\nX: y"]
)
async def test_whatever_is_typed_is_only_not_valid(engine: Engine, typed: str) -> None:
    async with merchant(engine) as here:
        await here.here.code()
        assert (await here.verify(typed))["outcome"] == "invalid"
        assert (await here.redeem(typed))["outcome"] == "invalid"


@pytest.mark.parametrize(
    ("body", "status", "code", "path"),
    [
        (b"", 400, "body_unreadable", ""),
        (b"{", 400, "body_unreadable", ""),
        (b'{"service":"sun","code":"\xff"}', 400, "body_unreadable", ""),
        (b'{"service":"sun","code":"\\ud800"}', 400, "body_unreadable", ""),
        (b"[" * 15_000, 422, "body_invalid", ""),
        (b"[]", 422, "body_invalid", ""),
        (b'{"service":"sun","code":7}', 422, "body_invalid", "code: "),
        (b'{"service":"sun"}', 422, "body_invalid", "code"),
        (b'{"service":"sun","code":"A","uses":1}', 422, "body_invalid", "uses"),
        (b'{"service":"S N","code":"A"}', 422, "body_invalid", "service: "),
        (b'{"service":"sun","code":"A","visitor_ip":"here"}', 422, "body_invalid", "visitor_ip: "),
        (b'{"service":"sun","code":"A","state":"\\u0000"}', 422, "body_invalid", "state: "),
        (b'{"service":"sun","code":"A","state":"' + b"s" * 513 + b'"}', 422, "body_invalid", "state: "),
    ],
)
async def test_a_body_that_is_not_as_it_must_be_is_told_where(
    sqlite: Engine, body: bytes, status: int, code: str, path: str
) -> None:
    async with merchant(sqlite) as here:
        headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
        answer = await here.ask("POST", "/v1/codes/redeem", data=body, headers=headers)
        assert problem(answer) == (status, code)
        assert path in answer.text
        assert await here.one.count("attempts") == 0


async def test_no_code_is_in_a_log_or_in_the_database(sqlite: Engine, log: object) -> None:
    async with merchant(sqlite) as here:
        code = await here.here.code()
        await here.redeem(code, "one")
        stored = await here.one.rows("attempts", "id", "state", "reason")
        assert code not in repr(stored) + str(getattr(log, "getvalue", str)())
