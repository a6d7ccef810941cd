"""The sample sites in PHP, Python and Node, run against the gateway: right codes come in, and no forged proof does."""

import asyncio
import hmac
import json
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.merchant.shops import COMMANDS, Shop, shop, token_of, visitor
from tests.servers.engines import Engine

pytestmark = pytest.mark.parametrize("language", sorted(COMMANDS))
INSIDE, OUTSIDE, DOOR = "Members only", "This code is not valid", "Sunrise Weather"


def part(value: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forge(at: Shop, service: str = "sun", header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Make a token as the gateway would, but for what is said to be different. Keys: of "sun" first, then "moon"."""
    names = list(at.keys)
    kid = names[0] if service == "sun" else names[1]
    now = int(time.time())
    head = part({"alg": "HS256", "kid": kid, "typ": "smsgw-return+jws"} | (header or {}))
    body = part(
        {"iss": "smsgw", "aud": "sun", "jti": "red_01hf7yat00e81a4wk4x3bq7j9z", "outcome": "success", "state": "s"}
        | {"uses_left": None, "valid_until": None, "test": False, "iat": now, "exp": now + 60}
        | claims
    )
    signature = hmac.digest(at.keys[kid], f"{head}.{body}".encode(), "sha256")
    return f"{head}.{body}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_a_visitor_with_a_code_comes_in_and_stays_in(sqlite: Engine, tmp_path: Path, language: str) -> None:
    async with shop(language, sqlite, tmp_path) as at, visitor(at) as one:
        assert await one.ends_at(f"{at.url}/members") == DOOR, "nobody comes in without a code"
        code = await at.gateway.code()
        lands = await one.bring(code, await one.state())
        status, location, _ = await one.go(lands)
        assert (status, location) == (303, "/members"), "the token leaves the address at once"
        assert await one.ends_at(f"{at.url}/members") == INSIDE
        assert await one.ends_at(f"{at.url}/members") == INSIDE


async def test_a_bookmark_or_a_shared_address_opens_nothing(sqlite: Engine, tmp_path: Path, language: str) -> None:
    async with shop(language, sqlite, tmp_path) as at, visitor(at) as one, visitor(at) as other:
        lands = await one.bring(await at.gateway.code(), await one.state())
        await other.state()
        assert await other.ends_at(lands) == OUTSIDE, "another visitor's proof"
        assert await one.ends_at(lands) == INSIDE
        assert await one.ends_at(lands) == OUTSIDE, "spent"
        assert await other.ends_at(f"{at.url}/members") == DOOR


async def test_of_one_proof_that_comes_many_times_at_once_one_counts(
    sqlite: Engine, tmp_path: Path, language: str
) -> None:
    async with shop(language, sqlite, tmp_path) as at, visitor(at) as one:
        lands = await one.bring(await at.gateway.code(), await one.state())
        answers = await asyncio.gather(*(one.go(lands) for _ in range(10)))
        assert sorted(location for _, location, _ in answers) == ["/invalid"] * 9 + ["/members"]


async def test_other_outcomes_stay_outside(sqlite: Engine, tmp_path: Path, language: str) -> None:
    async with shop(language, sqlite, tmp_path) as at, visitor(at) as one:
        state = await one.state()
        wrong = await one.bring("WRONG", state)
        assert await one.ends_at(wrong) == OUTSIDE
        moved = f"{at.url}/members?rt={token_of(wrong)}&state={state}"
        assert await one.ends_at(moved) == OUTSIDE, "a proof of failure on the success page"
        code = await at.gateway.code()
        at.gateway.one.clock.advance(86_400_000)
        assert await one.ends_at(await one.bring(code, state)) == "This code is over"


async def test_no_forged_proof_opens_the_door(sqlite: Engine, tmp_path: Path, language: str) -> None:
    async with shop(language, sqlite, tmp_path) as at, visitor(at) as one:
        state = await one.state()
        good = forge(at, state=state)
        head, body, signature = good.split(".")
        now = int(time.time())
        forged = [
            "",
            "x",
            "..",
            "a.b.c",
            f"{head}.{body}.",
            f"{head}.{body}.{signature[:-4]}AAAA",
            f"{head}.{body}",
            f"{good}.{signature}",
            f"{part({'alg': 'none'})}.{body}.",
            f"{part({'alg': 'none', 'typ': 'smsgw-return+jws', 'kid': next(iter(at.keys))})}.{body}.",
            "[]." + body + "." + signature,
            f"{head}.{part({'state': state})}.{signature}",
            forge(at, state=state, header={"alg": "HS512"}),
            forge(at, state=state, header={"typ": "JWT"}),
            forge(at, state=state, header={"kid": "key_unknown"}),
            forge(at, state=state, header={"kid": None}),
            forge(at, state=state, header={"kid": {"a": 1}}),
            forge(at, "moon", state=state),
            forge(at, "moon", state=state, aud="moon"),
            forge(at, state=state, aud="moon"),
            forge(at, state=state, aud=["sun"]),
            forge(at, state=state, iss="other"),
            forge(at, state=state, outcome="expired"),
            forge(at, state=state, outcome="invalid"),
            forge(at, state=state, outcome=None),
            forge(at, state=state, test=True),
            forge(at, state=state, test=None),
            forge(at, state=state, exp=now - 1),
            forge(at, state=state, exp=None),
            forge(at, state=state, exp="9999999999"),
            forge(at, state=state, exp=True),
            forge(at, state=state, iat=now + 3600),
            forge(at, state=""),
            forge(at, state="other"),
            forge(at, state=None),
            forge(at, state=[state]),
            forge(at, state=state, jti="../../etc/passwd"),
            forge(at, state=state, jti="red_01hf7yat00e81a4wk4x3bq7j9z\n"),
            forge(at, state=state, jti=7),
            "A" * 7_000,
            "é" * 10,
        ]
        for token in forged:
            status, location, _ = await one.go(f"{at.url}/members", None) if not token else await _bring(one, at, token)
            assert (status, location) in {(303, "/invalid"), (303, "/"), (414, ""), (431, "")}, token[:200]
        assert (await _bring(one, at, good))[1] == "/members", "the true one is not refused"


async def test_an_address_that_is_none_does_not_end_the_site(sqlite: Engine, tmp_path: Path, language: str) -> None:
    async with shop(language, sqlite, tmp_path) as at, visitor(at) as one:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        try:
            writer.write(b"GET // HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).split(b" ")[1:2] in [[b"200"], [b"404"]]
        finally:
            writer.close()
        assert await one.ends_at(f"{at.url}/") == DOOR


async def _bring(one: Any, at: Shop, token: str) -> tuple[int, str, str]:
    from urllib.parse import quote

    found: tuple[int, str, str] = await one.go(f"{at.url}/members?rt={quote(token)}")
    return found
