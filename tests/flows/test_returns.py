"""Return tokens as a merchant checks them: signed with the service's own key, short-lived, for every outcome."""

import hmac
import json
from base64 import urlsafe_b64decode
from typing import Any

from smsgw.domain.codes import Outcome
from smsgw.flows.returns import Returns, new_key
from smsgw.flows.visits import Redemption
from smsgw.store import service_keys
from tests.flows.world import SECOND, SUN, World, changed, world
from tests.servers.engines import Engine

REDEMPTION = Redemption(
    id="red_1", service="sun", outcome=Outcome.SUCCESS, state="basket 7 é", at_ms=0, uses_left=2, valid_until_ms=250
)


def part(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def secret(one: World, kid: str) -> bytes:
    async with one.database.read() as reader:
        [row] = [row for row in await service_keys.live(reader, "return", 0) if row.id == kid]
    return one.ports.vault.open(row.sealed, row.id, row.key_id)


async def read(one: World, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check a token with nothing but the standard library, as RFC 7515 says; return its header and claims."""
    signed, _, signature = token.rpartition(".")
    header = json.loads(part(signed.partition(".")[0]))
    key = await secret(one, header["kid"])
    assert hmac.compare_digest(hmac.digest(key, signed.encode(), "sha256"), part(signature))
    return header, json.loads(part(signed.partition(".")[2]))


async def test_a_token_says_what_happened_and_never_the_code(engine: Engine) -> None:
    async with world(engine) as one:
        returns = Returns(one.ports)
        await returns.refresh(["sun"])
        header, claims = await read(one, returns.token(REDEMPTION, SUN))
        now_s = one.clock.now_ms() // 1000
        assert (header["alg"], header["typ"]) == ("HS256", "smsgw-return+jws")
        assert claims == {
            "iss": "smsgw",
            "aud": "sun",
            "jti": "red_1",
            "outcome": "success",
            "state": "basket 7 é",
            "uses_left": 2,
            "valid_until": "1970-01-01T00:00:00.250Z",
            "test": False,
            "iat": now_s,
            "exp": now_s + 60,
        }


async def test_every_outcome_has_one(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        returns = Returns(one.ports)
        await returns.refresh(["sun"])
        for outcome in Outcome:
            _, claims = await read(one, returns.token(changed(REDEMPTION, outcome=outcome), SUN))
            assert claims["outcome"] == outcome.value


async def test_each_service_has_a_key_of_its_own_and_keeps_it(engine: Engine) -> None:
    async with world(engine, services={"sun": SUN, "moon": changed(SUN, keywords=["MOON"])}) as one:
        await Returns(one.ports).refresh(["sun", "moon"])
        returns = Returns(one.ports)  # the second start
        await returns.refresh(["sun", "moon"])
        assert sorted(await one.rows("service_keys", "service", "purpose")) == [("moon", "return"), ("sun", "return")]
        tokens = [returns.token(changed(REDEMPTION, service=name), SUN) for name in one.catalog.services]
        assert len({(await read(one, token))[0]["kid"] for token in tokens}) == 2


async def test_a_new_key_signs_from_its_moment_on(engine: Engine) -> None:
    async with world(engine) as one:
        returns = Returns(one.ports)
        await returns.refresh(["sun"])
        (old, _) = await read(one, returns.token(REDEMPTION, SUN))
        now_ms = one.clock.now_ms()
        async with one.database.write() as transaction:
            fresh = new_key(one.ports, "sun", "return", now_ms, now_ms + 60 * SECOND)
            await service_keys.insert(transaction, [fresh])
        await returns.refresh(["sun"])
        assert (await read(one, returns.token(REDEMPTION, SUN)))[0]["kid"] == old["kid"]
        one.clock.advance(60 * SECOND)
        assert (await read(one, returns.token(REDEMPTION, SUN)))[0]["kid"] == fresh.id
        async with one.database.write() as transaction:
            assert await service_keys.revoke(transaction, fresh.id, one.clock.now_ms())
            assert not await service_keys.revoke(transaction, fresh.id, one.clock.now_ms())
        await returns.refresh(["sun"])
        assert (await read(one, returns.token(REDEMPTION, SUN)))[0]["kid"] == old["kid"]


async def test_a_handle_is_the_token_where_the_service_says_so(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        assert Returns(one.ports).token(changed(REDEMPTION, handle="rt_x"), SUN) == "rt_x"
