"""Codes found and traced by the API, and what may be done to one; the code itself is never told."""

import asyncio
import json
from typing import Any

import pytest

from smsgw.flows import amend, trace
from smsgw.flows.access import DAY_MS
from smsgw.flows.amend import Extension, Refused
from smsgw.flows.idempotency import Idempotency
from smsgw.store import mts, receipts
from smsgw.store.mts import Settled
from tests.flows.world import PHONE, SECOND, changed, narrow, world
from tests.servers.engines import Engine
from tests.store.look import change, select
from tests.store.rows import receipt
from tests.web.api.merchant import SOLD, VISITOR, Merchant, merchant, problem, told


async def names(here: Merchant) -> list[str]:
    return [name for (name,) in await here.one.rows("codes", "id")]


async def get(here: Merchant, path: str, **query: Any) -> dict[str, Any]:
    return told(await here.ask("GET", path, params=query))


async def settle(here: Merchant) -> None:
    """The operator takes the answers, and reports the first."""
    ids = [name for (name,) in await here.one.rows("mts", "id")]
    settled = [
        Settled(id=mt, status="accepted", command_status=0, message_id=f"m{at}", answered_ms=5_000, tries=1)
        for at, mt in enumerate(ids)
    ]
    async with here.one.ports.database.write() as transaction:
        await mts.settle(transaction, settled)
        await receipts.insert(transaction, [receipt("rcpt_1", received_ms=6_000, mt=ids[0])])


async def test_a_trace_tells_all_but_the_code(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        await settle(here)
        await here.here.get(code)
        await here.redeem(code, state="basket")
        [name] = await names(here)
        answer = await here.ask("GET", f"/v1/codes/{name}")
        assert code not in answer.text
        found = told(answer)
        assert {key: found["code"][key] for key in ("status", "used", "uses_left", "test", "msisdn", "service")} == {
            "status": "live",
            "used": 2,
            "uses_left": 1,
            "test": False,
            "msisdn": PHONE,
            "service": "sun",
        }
        message = found["message"]
        assert (message["link"], message["msisdn"], message["short_code"]) == ("north", PHONE, "1234")
        assert (message["price"], message["id"]) == ("2.40 EUR", name.replace("code_", "mo_"))
        [reply] = found["replies"]
        assert (reply["status"], reply["tries"], reply["answered_at"]) == ("accepted", 1, "1970-01-01T00:00:05.000Z")
        assert reply["receipts"] == [{"received_at": "1970-01-01T00:00:06.000Z", "state": "DELIVRD"}]
        tried = [(one["channel"], one["visitor"], one["outcome"]) for one in found["attempts"]]
        assert tried == [("api", VISITOR, "success"), ("redirect", "127.0.0.1", "success")], "the latest first"
        assert found["attempts"][0]["state"] == "basket"
        assert (found["more"], found["changes"]) == (None, [])


async def test_attempts_come_in_pages(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        for _ in range(5):
            await here.verify(code)
        [name] = await names(here)
        seen: list[str] = []
        before: dict[str, str] = {}
        found: dict[str, Any] = {}
        for size in (2, 2, 1):
            found = await get(here, f"/v1/codes/{name}", limit=2, **before)
            assert len(found["attempts"]) == size
            seen += [one["id"] for one in found["attempts"]]
            before = {"before": found["more"]}
        assert found["more"] is None
        assert len(set(seen)) == 5
        assert seen == sorted(seen, reverse=True)


async def test_codes_are_found_by_number(engine: Engine) -> None:
    async with merchant(engine) as here:
        typed = [await here.here.code() for _ in range(3)]
        await here.one.sms("MOON")
        await here.one.sms("SUN", source_addr="359880000000")
        mine = list(reversed((await names(here))[:3]))
        found = await get(here, "/v1/codes", service="sun", msisdn=f"+{PHONE}", limit=2)
        assert [one["id"] for one in found["codes"]] == mine[:2]
        found = await get(here, "/v1/codes", service="sun", msisdn=PHONE, limit=2, before=found["more"])
        assert ([one["id"] for one in found["codes"]], found["more"]) == (mine[2:], None)
        assert not any(code in json.dumps(found) for code in typed)


async def test_pages_are_full_whatever_other_kind_of_codes_the_phone_has(engine: Engine) -> None:
    async with merchant(engine) as here:
        for link in ("north", "lab", "lab", "north", "lab"):
            await here.one.sms("SUN", link=link)
        tester = await here.with_key(test=True)
        here.one.clock.advance(SECOND + 1)
        mine = list(reversed(await names(here)))
        for who, expected in ((here, [mine[1], mine[4]]), (tester, [mine[0], mine[2], mine[3]])):
            found = await get(who, "/v1/codes", service="sun", msisdn=PHONE, limit=2)
            more = found["more"]
            assert [one["id"] for one in found["codes"]] == expected[:2]
            assert more == (None if len(expected) == 2 else expected[1]), "no page that is empty"
        every = await trace.of_phone(here.one.ports, "sun", PHONE, trace.LAST, 9)
        assert [one.id for one in every] == mine, "staff see both"


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"service": "sun"}, "msisdn: "),
        ({"service": "sun", "msisdn": "1", "code": "A"}, "code: "),
        ({"msisdn": "1"}, "service"),
        ({"service": "sun", "msisdn": "1'--"}, "msisdn: "),
        ({"service": "sun", "msisdn": "1", "limit": "0"}, "limit: "),
        ({"service": "sun", "msisdn": "1", "limit": "x"}, "limit: "),
        ({"service": "sun", "msisdn": "1", "before": "\0"}, "before: "),
        ({"service": "sun", "msisdn": "1", "order": "up"}, "order"),
        ([("service", "sun"), ("msisdn", "1"), ("msisdn", "2")], "once"),
    ],
)
async def test_a_question_that_is_not_as_it_must_be_is_told_where(sqlite: Engine, query: Any, path: str) -> None:
    async with merchant(sqlite) as here:
        answer = await here.ask("GET", "/v1/codes", params=query)
        assert problem(answer) == (400, "query_invalid")
        assert path in answer.text


@pytest.mark.parametrize("name", ["code_1", "x", "code_'--", "code_%00", "%ff", "%2e%2e", "code_" + "a" * 500, "код"])
@pytest.mark.parametrize("more", ["", "/revoke", "/extend", "/reissue"])
async def test_what_is_no_code_is_not_found(sqlite: Engine, name: str, more: str) -> None:
    async with merchant(sqlite) as here:
        body: dict[str, Any] = {"json": {"uses": 1}} if more else {}
        assert problem(await here.ask("POST" if more else "GET", f"/v1/codes/{name}{more}", **body)) == (
            404,
            "not_found",
        )


async def test_another_service_s_code_is_not_found(sqlite: Engine) -> None:
    async with merchant(sqlite) as here:
        await here.one.sms("MOON")
        [name] = await names(here)
        for method, more in (("GET", ""), ("POST", "/revoke"), ("POST", "/reissue")):
            assert problem(await here.ask(method, f"/v1/codes/{name}{more}")) == (404, "not_found")
        assert await here.one.rows("codes", "revoked_ms") == [(None,)]


# --- changes --------------------------------------------------------------------------------------------------------


async def changes(here: Merchant, name: str) -> list[tuple[str, str]]:
    found = await get(here, f"/v1/codes/{name}")
    return [(one["action"], one["actor"]) for one in found["changes"]]


async def test_a_revoked_code_is_not_valid_any_more(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        [name] = await names(here)
        for _ in range(2):
            assert told(await here.ask("POST", f"/v1/codes/{name}/revoke"))["status"] == "revoked"
        answer = await here.redeem(code)
        assert (answer["outcome"], answer["code"]) == ("invalid", None), "as one that never was"
        assert await changes(here, name) == [("code.revoked", here.key)], "once"


async def test_an_extension_moves_the_code_s_own_limits(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        await here.here.code()
        name = (await names(here))[0]
        here.one.clock.advance(3_600 * SECOND)
        assert (await here.verify(code))["outcome"] == "expired"
        body = {"seconds": 60, "uses": 2}
        found = told(await here.change(name, "extend", **body))
        assert (found["status"], found["uses_left"], found["policy"]["valid_for_s"]) == ("live", 5, 3_660)
        assert (await here.verify(code))["outcome"] == "success"
        assert await changes(here, name) == [("code.extended", here.key)]
        policies = [json.loads(policy)["uses"] for (policy,) in await here.one.rows("codes", "policy")]
        assert policies == [5, 3], "nobody else's"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"seconds": -1}, 422, "body_invalid"),
        ({"uses": -1}, 422, "body_invalid"),
        ({"uses": 10**30}, 422, "body_invalid"),
        ({"seconds": 60}, 409, "no_such_limit"),
    ],
)
async def test_an_extension_that_cannot_be(sqlite: Engine, body: dict[str, int], status: int, code: str) -> None:
    async with merchant(sqlite, services={"sun": changed(SOLD, valid_for_s=0)}) as here:
        await here.here.code()
        [name] = await names(here)
        assert problem(await here.change(name, "extend", **body)) == (status, code)
        await here.ask("POST", f"/v1/codes/{name}/revoke")
        if status == 409:
            assert problem(await here.change(name, "extend", **body)) == (409, "revoked")


async def test_no_code_lives_for_ever(engine: Engine) -> None:
    async with merchant(engine) as here:
        await here.here.code()
        [name] = await names(here)
        await amend.extend(here.one.ports, name, Extension(ms=amend.LONGEST_MS - 3_600_000), "x")
        with pytest.raises(Refused, match="100 years"):
            await amend.extend(here.one.ports, name, Extension(ms=1), "x")
        assert (await get(here, f"/v1/codes/{name}"))["code"]["status"] == "live", "and it can still be told"


async def test_extensions_at_once_all_count(engine: Engine) -> None:
    async with merchant(engine) as here:
        await here.here.code()
        [name] = await names(here)
        body = {"uses": 1}
        answers = await asyncio.gather(*(here.change(name, "extend", **body) for _ in range(4)))
        done = [answer for answer in answers if answer.status == 200]
        assert (await get(here, f"/v1/codes/{name}"))["code"]["uses_left"] == 3 + len(done)


async def test_a_new_code_takes_the_place_of_the_old_one(engine: Engine) -> None:
    async with merchant(engine) as here:
        old = await here.here.code()
        await here.redeem(old)
        [name] = await names(here)
        here.one.sent.clear()
        found = told(await here.change(name, "reissue"))
        new = (await here.one.codes())[-1]
        assert (found["replaces"], found["code"]["uses_left"], found["code"]["msisdn"]) == (name, 3, PHONE)
        assert (await here.verify(old))["outcome"] == "invalid"
        assert (await here.verify(new))["outcome"] == "success"
        [message] = here.one.sent
        assert new in message.payload.decode("ascii", "replace") or new in message.payload.decode(
            "utf-16-be", "replace"
        )
        [row] = await select(engine, "select mo, reply, max_replies, destination from mts where mo is null")
        assert tuple(row.values()) == (None, None, None, PHONE)
        assert await changes(here, name) == [("code.reissued", here.key)]
        traced = await get(here, f"/v1/codes/{found['code']['id']}")
        assert [one["id"] for one in traced["replies"]] == [message.row.id]
        assert [one["action"] for one in traced["changes"]] == ["code.replaces"]
        assert problem(await here.change(name, "reissue")) == (409, "revoked"), "once"
        assert (await here.change(found["code"]["id"], "reissue")).status == 200, "and so on"


async def test_codes_made_anew_at_once_are_one(engine: Engine) -> None:
    async with merchant(engine) as here:
        await here.here.code()
        [name] = await names(here)
        answers = await asyncio.gather(*(here.change(name, "reissue") for _ in range(4)))
        assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
        assert len(await names(here)) == 2


async def test_a_service_that_has_changed_still_gives_the_old_conditions(engine: Engine) -> None:
    async with merchant(engine) as here:
        await here.here.code()
        [name] = await names(here)
        await amend.extend(here.one.ports, name, Extension(uses=4), "x")
        found = told(await here.change(name, "reissue"))
        assert found["code"]["policy"]["uses"] == 7


async def test_a_new_code_is_never_somebody_else_s(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "AB")
    async with merchant(sqlite) as here:
        await here.here.code()
        [name] = await names(here)
        for _ in range(40):
            await change(sqlite, "delete from reissues")
            name = told(await here.change(name, "reissue"))["code"]["id"]
            here.one.clock.advance(SECOND)
        assert len(set(await here.one.codes())) == 41


# --- a phone is not written to without end --------------------------------------------------------------------------


async def test_what_one_message_bought_is_made_anew_a_few_times_a_day_its_successors_counted(engine: Engine) -> None:
    async with merchant(engine) as here:
        await here.here.code()
        await here.here.code()
        first, other = await names(here)
        name = first
        for _ in range(3):
            name = told(await here.change(name, "reissue"))["code"]["id"]
        here.one.sent.clear()
        answer = await here.change(name, "reissue")
        assert problem(answer) == (429, "too_many_reissues")
        assert "allows 3 a day" in answer.text
        now_ms = here.one.clock.now_ms()
        assert answer.headers["Retry-After"] == str(-(-(DAY_MS - now_ms % DAY_MS) // 1000))
        assert (here.one.sent, (await here.verify(first))["outcome"]) == ([], "invalid")
        assert (await get(here, f"/v1/codes/{name}"))["code"]["status"] == "live", "it is not revoked either"
        assert (await here.change(other, "reissue")).status == 200, "another purchase"
        here.one.clock.advance(DAY_MS - now_ms % DAY_MS)
        assert (await here.change(name, "reissue")).status == 200, "another day"


async def test_the_service_says_how_often_and_what_was_refused_counts_not(engine: Engine) -> None:
    async with merchant(engine, services={"sun": changed(SOLD, reissues_per_day=1)}) as here:
        await here.here.code()
        [name] = await names(here)
        await change(engine, "update codes set revoked_ms = 1")
        assert problem(await here.change(name, "reissue")) == (409, "revoked")
        await change(engine, "update codes set revoked_ms = null")
        new = told(await here.change(name, "reissue"))["code"]["id"]
        assert problem(await here.change(new, "reissue")) == (429, "too_many_reissues")
        with pytest.raises(Refused, match="allows 1 a day"):
            await amend.reissue(here.one.ports, here.one.catalog, new, "cli:ada")


async def test_two_nodes_that_make_codes_anew_at_once_keep_to_the_limit(postgres: Engine) -> None:
    """Many codes of one purchase, as if each had been made anew from the one before: all of them at once."""
    services = {"sun": changed(SOLD, reissues_per_day=5)}
    async with (
        world(postgres, node="left", services=services) as left,
        world(postgres, node="right", seed=2, services=services) as right,
    ):
        for _ in range(12):
            await left.sms()
        await change(postgres, "update codes set mo = (select min(id) from mos)")
        found = [name for (name,) in await left.rows("codes", "id")]
        nodes = [left, right] * 6
        jobs = [amend.reissue(one.ports, one.catalog, name, "x") for one, name in zip(nodes, found, strict=True)]
        done = await asyncio.gather(*jobs, return_exceptions=True)
        assert sum(isinstance(one, tuple) for one in done) == 5
        assert {one.reason for one in done if isinstance(one, Refused)} == {"too_many_reissues"}
        assert len(await select(postgres, "select 1 as one from mts where mo is null")) == 5


# --- changes that are asked for twice -------------------------------------------------------------------------------


async def test_the_same_extension_with_the_same_key_adds_once(engine: Engine) -> None:
    async with merchant(engine) as here:
        await here.here.code()
        [name] = await names(here)
        first = told(await here.change(name, "extend", "one", uses=2))
        assert told(await here.change(name, "extend", "one", uses=2)) == first
        assert problem(await here.change(name, "extend", "one", uses=3)) == (422, "idempotency_key_reused")
        assert problem(await here.change(name, "reissue", "one")) == (422, "idempotency_key_reused")
        assert (first["uses_left"], await changes(here, name)) == (5, [("code.extended", here.key)])


async def test_the_same_request_for_a_new_code_makes_one_and_sends_it_once(engine: Engine) -> None:
    async with merchant(engine) as here:
        await here.here.code()
        [name] = await names(here)
        here.one.sent.clear()
        first = told(await here.change(name, "reissue", "one"))
        following = await here.with_key()
        here.one.clock.advance(SECOND + 1)
        for again in (here, following):
            assert told(await again.change(name, "reissue", "one")) == first
        assert (len(await names(here)), len(here.one.sent), await here.one.count("mts")) == (2, 1, 2)
        assert problem(await here.change(first["code"]["id"], "reissue", "one")) == (422, "idempotency_key_reused")


async def test_what_could_not_be_done_may_be_tried_again_with_its_key(engine: Engine) -> None:
    async with merchant(engine) as here:
        await here.here.code()
        [name] = await names(here)
        await change(engine, "update codes set revoked_ms = 1")
        assert problem(await here.change(name, "reissue", "one")) == (409, "revoked")
        await change(engine, "update codes set revoked_ms = null")
        assert (await here.change(name, "reissue", "one")).status == 200


@pytest.mark.parametrize(("action", "body"), [("extend", {"uses": 1}), ("reissue", None)])
async def test_a_change_that_must_not_happen_twice_wants_a_key(sqlite: Engine, action: str, body: Any) -> None:
    async with merchant(sqlite) as here:
        await here.here.code()
        [name] = await names(here)
        answer = await here.ask("POST", f"/v1/codes/{name}/{action}", json=body)
        assert problem(answer) == (400, "idempotency_key_missing")
        assert problem(await here.change(name, action, "ключ", **(body or {}))) == (400, "idempotency_key_invalid")
        assert await changes(here, name) == []


@pytest.mark.parametrize(("action", "body"), [("extend", {"uses": 1}), ("reissue", {})])
async def test_one_key_at_once_changes_once(engine: Engine, action: str, body: dict[str, int]) -> None:
    async with merchant(engine) as here:
        await here.here.code()
        [name] = await names(here)
        answers = await asyncio.gather(*(here.change(name, action, "one", **body) for _ in range(8)))
        assert all(told(one) == told(answers[0]) for one in answers)
        assert len(await changes(here, name)) == 1


async def test_two_nodes_that_are_asked_with_one_key_make_one_code(postgres: Engine) -> None:
    async with world(postgres, node="left") as left, world(postgres, node="right", seed=2) as right:
        await left.sms()
        [(name,)] = await left.rows("codes", "id")
        asked = Idempotency(caller="sun/live", key="one", request=b"f")
        jobs = [amend.reissue(one.ports, one.catalog, name, "x", asked) for one in (left, right) * 4]
        done = await asyncio.gather(*jobs)
        assert len({code for code, _ in done}) == 1
        assert sum(len(messages) for _, messages in done) == 1
        assert await left.count("codes") == 2


async def test_to_reveal_is_written_down_first(engine: Engine) -> None:
    async with merchant(engine) as here:
        code = await here.here.code()
        [name] = await names(here)
        assert await amend.reveal(here.one.ports, name, "cli:ada") == code
        assert await amend.reveal(here.one.ports, "code_1", "cli:ada") is None
        assert await changes(here, name) == [("code.revealed", "cli:ada")]
