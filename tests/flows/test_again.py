"""A code is had again: the subscriber asks for it with a free keyword, and is told the latest that opens the door."""

from smsgw.flows import trace
from smsgw.flows.redeem import Verifier
from smsgw.flows.visits import Visit
from smsgw.settings import Guessing
from tests.flows.world import PHONE, SECOND, SUN, World, changed, texts, world
from tests.servers.engines import Engine
from tests.store.look import change

AGAIN = changed(SUN, again_keywords=["AGAIN"], again_per_day=2, uses=1)
DAY = 86_400 * SECOND


async def outcomes(one: World) -> list[str]:
    return [outcome for (outcome,) in await one.rows("mos", "outcome")]


async def test_the_latest_code_is_told_again_and_nothing_is_bought(engine: Engine) -> None:
    async with world(engine, services={"sun": AGAIN}) as one:
        await one.sms("SUN")
        await one.sms("SUN")
        one.sent.clear()
        await one.sms("again")
        [latest] = texts(one.sent)
        assert latest.startswith(f"Code {(await one.codes())[-1]} until")
        assert await one.count("codes") == 2
        assert await outcomes(one) == ["code_issued", "code_issued", "code_told_again"]


async def test_it_is_told_a_few_times_a_day(engine: Engine) -> None:
    async with world(engine, services={"sun": changed(AGAIN, valid_for_s=864_000)}) as one:
        await one.sms("SUN")
        for _ in range(3):
            await one.sms("AGAIN")
        assert await outcomes(one) == ["code_issued", "code_told_again", "code_told_again", "told_enough"]
        one.clock.advance(DAY)
        await one.take(one.arrival("AGAIN"), one.arrival("AGAIN"), one.arrival("AGAIN"))
        assert (await outcomes(one))[4:] == ["code_told_again", "code_told_again", "told_enough"]


async def test_what_told_it_again_is_in_its_trace_and_in_no_other(engine: Engine) -> None:
    async with world(engine, services={"sun": AGAIN}) as one:
        await one.sms("SUN")
        bought = await one.sms("SUN")
        asked = [await one.sms("AGAIN"), await one.sms("AGAIN")]
        await one.sms("AGAIN")
        other, mine = [name for (name,) in await one.rows("codes", "id")]
        found = [await trace.show(one.ports, name, trace.LAST, 9) for name in (mine, other)]
        told = [[reply.fate.mo for reply in each.replies] for each in found if each]
        assert told == [[bought.id, asked[0].id, asked[1].id], [f"mo_{other.removeprefix('code_')}"]]


async def test_who_has_no_code_that_opens_the_door_is_told_nothing(engine: Engine) -> None:
    async with world(engine, services={"sun": AGAIN, "moon": changed(SUN, keywords=["MOON"])}) as one:
        await one.sms("AGAIN")
        await one.sms("MOON")
        await one.sms("AGAIN")
        await one.sms("SUN", source_addr="359880000000")
        await one.sms("AGAIN")
        assert (await outcomes(one))[-1] == "no_code", "a stranger's code is a stranger's"
        await one.sms("SUN")
        code = (await one.codes())[-1]
        verifier = Verifier(one.ports, one.catalog, Guessing())
        await verifier.redeem(Visit(service="sun", typed=code, visitor=PHONE), 60)
        await verifier.close()
        one.sent.clear()
        await one.sms("AGAIN")
        assert (await outcomes(one))[-1] == "no_code", "it is used up"
        assert one.sent == []


async def test_a_revoked_code_is_not_told_and_the_one_before_it_is(engine: Engine) -> None:
    async with world(engine, services={"sun": AGAIN}) as one:
        await one.sms("SUN")
        first = (await one.codes())[-1]
        await one.sms("SUN")
        await change(engine, "update codes set revoked_ms = 1 where id = (select max(id) from codes)")
        one.sent.clear()
        await one.sms("AGAIN")
        assert first in texts(one.sent)[0]


async def test_it_is_told_under_the_conditions_it_was_bought_under(engine: Engine) -> None:
    async with world(engine, services={"sun": changed(AGAIN, reply="{code} {uses}", uses=3)}) as one:
        await one.sms("SUN")
        [told] = texts(one.sent)
        clock = one.clock
    async with world(
        engine, clock=clock, seed=2, services={"sun": changed(AGAIN, reply="{code} {uses}", uses=9)}
    ) as one:
        await one.sms("AGAIN")
        assert texts(one.sent) == [told]


async def test_instructions_follow_the_code_and_all_are_numbered(engine: Engine) -> None:
    services = {"sun": changed(SUN, reply="{code}" + "x" * 200, instructions=["How to use {code}"], group=4)}
    async with world(engine, services=services) as one:
        await one.sms("SUN")
        code = (await one.codes())[-1]
        assert texts(one.sent) == [f"How to use {code[:4]}-{code[4:]}"]
        assert await one.rows("mts", "reply", "max_replies", "part", "parts") == [
            (1, 3, 1, 2),
            (2, 3, 2, 2),
            (3, 3, 1, 1),
        ]
