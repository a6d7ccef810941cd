"""Every option that a merchant has for a service (the mission's first table), each named and seen to work."""

import asyncio
import itertools
from typing import Any

import pytest

from smsgw.domain.codes import Outcome, grouped
from smsgw.errors import StoreConflict
from smsgw.flows.redeem import Verifier
from smsgw.flows.visits import Visit
from smsgw.settings import Guessing
from smsgw.store import mts
from smsgw.web.verify import target
from tests.flows.world import SECOND, SUN, World, changed, texts, world
from tests.servers.engines import Engine

STATES = itertools.count()  # each visit is another one


async def bought(one: World) -> str:
    await one.sms("SUN")
    return (await one.codes())[-1]


async def tried(one: World, *typed: str) -> list[Outcome]:
    verifier = Verifier(one.ports, one.catalog, Guessing(visitor_failures=1_000))
    found = [
        (
            await verifier.redeem(Visit(service="sun", typed=text, visitor="192.0.2.1", state=f"{next(STATES)}"), 60)
        ).outcome
        for text in typed
    ]
    await verifier.close()
    return found


def sold(**changes: Any) -> dict[str, Any]:
    return {"services": {"sun": changed(SUN, **changes)}}


async def test_reply_template(engine: Engine) -> None:
    reply = "{code}|{valid_until}|{uses}|{price}|{service}|{support}"
    given = {"price": "2.40 EUR", "title": "Sun", "support": "help@sun.example", "time_zone": "Europe/Sofia"}
    async with world(engine, **sold(reply=reply, **given)) as one:
        code = await bought(one)
        assert texts(one.sent) == [f"{code}|2023-11-15 01:13|3|2.40 EUR|Sun|help@sun.example"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "1 h after first use"),
        ("bg", "1 ч след първата употреба"),
        ("uk", "1 год після першого використання"),
        ("ru", "1 ч после первого использования"),
    ],
)
async def test_reply_template_in_the_subscriber_s_language(sqlite: Engine, language: str, text: str) -> None:
    async with world(sqlite, **sold(reply="{code} {valid_until}", counted_from="first_use", language=language)) as one:
        code = await bought(one)
        assert texts(one.sent) == [f"{code} {text}"]


# Every combination of the three kinds: for a time from the receipt or from the first use, and for a number of uses.
@pytest.mark.parametrize("counted_from", ["receipt", "first_use"])
@pytest.mark.parametrize("valid_for_s", [0, 600])
@pytest.mark.parametrize("uses", [0, 2])
async def test_kind_of_code_and_validity(engine: Engine, counted_from: str, valid_for_s: int, uses: int) -> None:
    async with world(engine, **sold(counted_from=counted_from, valid_for_s=valid_for_s, uses=uses)) as one:
        code = await bought(one)
        one.clock.advance(300 * SECOND)
        early = await tried(one, code, code, code)
        one.clock.advance(599 * SECOND)
        late = await tried(one, code)
        one.clock.advance(SECOND)
        later = await tried(one, code)
    third = Outcome.USED_UP if uses else Outcome.SUCCESS
    assert early == [Outcome.SUCCESS, Outcome.SUCCESS, third]
    over = Outcome.EXPIRED if valid_for_s else third
    assert late == [over if counted_from == "receipt" and valid_for_s else third]
    assert later == [over]


@pytest.mark.parametrize("length", [4, 8, 16])
@pytest.mark.parametrize(
    ("alphabet", "vowels", "characters"),
    [
        ("digits", True, set("23456789")),
        ("letters", True, set("ABCDEFGHJKLMNPRSTUVWXYZ")),
        ("letters", False, set("BCDFGHJKLMNPRSTVWXZ")),
        ("both", True, set("23456789ABCDEFGHJKLMNPRSTUVWXYZ")),
        ("both", False, set("23456789BCDFGHJKLMNPRSTVWXZ")),
    ],
)
async def test_length_and_alphabet(
    sqlite: Engine, length: int, alphabet: str, characters: set[str], *, vowels: bool
) -> None:
    async with world(sqlite, **sold(length=length, alphabet=alphabet, vowels=vowels)) as one:
        await one.take(*(one.arrival("SUN") for _ in range(60)))
        codes = await one.codes()
    assert {len(code) for code in codes} == {length}
    assert set("".join(codes)) <= characters
    assert len(set("".join(codes))) > len(characters) * 0.8
    assert not set("".join(codes)) & set("1IO0Qio0q")


async def test_grouping(sqlite: Engine) -> None:
    async with world(sqlite, **sold(reply="{code}", group=4, length=10)) as one:
        code = await bought(one)
        assert texts(one.sent) == [f"{code[:4]}-{code[4:8]}-{code[8:]}"]
        assert await tried(one, grouped(code, 4)) == [Outcome.SUCCESS]


def test_success_expired_and_invalid_url() -> None:
    pages = {"success_url": "https://x/in", "expired_url": "https://x/over", "invalid_url": "https://x/what"}
    plain = changed(SUN, **pages)
    assert [target(plain, outcome).rpartition("/")[2] for outcome in Outcome] == ["in", "over", "over", "what", "what"]
    apart = changed(plain, used_up_url="https://x/used", throttled_url="https://x/slow")
    assert [target(apart, outcome).rpartition("/")[2] for outcome in Outcome] == ["in", "over", "used", "what", "slow"]


async def test_maximum_replies(engine: Engine) -> None:
    """A long answer counts once for each of its parts; the database refuses what is beyond, under any redelivery."""
    long = {"reply": "x" * 150 + "{code}", "instructions": ["y" * 200, "z"], "max_replies": 4}
    async with world(engine, **sold(**long)) as one:
        session = await one.begin()
        arrival = one.arrival("SUN", session=session)
        await one.take(arrival)
        await one.end(session)
        await one.take(changed(arrival, id=one.ports.ids.new("mo")))
        assert await one.rows("mts", "reply", "max_replies") == [(1, 4), (2, 4), (3, 4), (4, 4)], "z would be a fifth"
        extra = changed(one.sent[0].row, id=one.ports.ids.new("mt"), reply=5)
        with pytest.raises(StoreConflict):
            async with one.database.write() as transaction:
                await mts.insert(transaction, [extra])


async def test_what_people_type_is_forgiven(sqlite: Engine) -> None:
    async with world(sqlite, **sold(uses=0, alphabet="letters")) as one:
        code = await bought(one)
        cyrillic = code.translate(str.maketrans("ABEKMHPCTYX", "АВЕКМНРСТУХ"))  # noqa: RUF001 - look-alikes are the point
        typed = [code.lower(), f" {code[:4]} {code[4:]} ", f"{code[:2]}-{code[2:]}", cyrillic, f"\u200b{code}\n"]
        assert await tried(one, *typed) == [Outcome.SUCCESS] * len(typed)


async def test_a_code_bought_is_a_code_delivered_and_unique_among_the_service_s(engine: Engine) -> None:
    async with world(engine, **sold(reply="{code}")) as one:
        await asyncio.gather(*(one.take(one.arrival("SUN")) for _ in range(100)))
        codes = await one.codes()
        assert len(set(codes)) == 100
        assert sorted(texts(one.sent)) == sorted(codes)
