"""The merchant's door in the demo: a proof lets one visitor in, once; an address alone lets nobody in."""

import pytest
from aiohttp import ClientSession, CookieJar

from smsgw.demo.door import Door
from smsgw.kit.tokens import Signer
from tests.demo.shop import SECRET, proof, shop

NOW_MS = 1_800_000_000_000
GOOD = {"exp": NOW_MS // 1000 + 60, "state": "mine"}


@pytest.fixture
def door() -> Door:
    return Door("sunrise", lambda: {"key_1": SECRET}, lambda: NOW_MS)


def test_a_proof_opens_it_once_for_a_day_or_until_the_code_is_over(door: Door) -> None:
    token = proof(**GOOD)
    assert door.open(token, "mine") == NOW_MS + 86_400_000
    assert door.open(token, "mine") is None
    short = proof(**GOOD, valid_until="2027-01-15T08:00:01.000Z")
    assert door.open(short, "mine") == NOW_MS + 1_000


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "a.b",
        proof(**GOOD | {"state": "theirs"}),
        proof(**GOOD, aud="moon"),
        proof(**GOOD, iss="them"),
        proof(**GOOD, outcome="expired"),
        proof(**GOOD | {"exp": NOW_MS // 1000}),
        proof(**GOOD)[:-3] + "AAA",
        Signer("key_1", b"x" * 32).sign({}),
        Signer("key_2", SECRET).sign({}),
        "eyJhbGciOiJub25lIn0.e30.",
    ],
)
def test_everything_else_stays_outside(door: Door, token: str) -> None:
    assert door.open(token, "mine") is None


async def test_the_paid_page_has_no_back_door() -> None:
    async with shop(bound=False) as one, ClientSession(one.url, cookie_jar=CookieJar(unsafe=True)) as session:
        for path, leads in (("/paid", "/"), ("/paid?rt=x", "/invalid")):
            for _ in range(2):  # without a phone, and with one
                async with session.get(path, allow_redirects=False) as response:
                    assert (response.status, response.headers["Location"]) == (303, leads)
                await (await session.get("/")).read()
