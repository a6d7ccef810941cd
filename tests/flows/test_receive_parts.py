"""Long messages: parts in one batch, over many, over a crash; bought once when whole, kept when not."""

import asyncio

import pytest

from smsgw.flows.drafts import Arrival
from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DeliverSm
from tests.flows.world import LINK, PHONE, SECOND, World, changed, deliver, parts, world
from tests.servers.engines import Engine

TEXT = "SUN " + "я" * 200 + " 😀"


def arrivals(one: World, pdus: list[DeliverSm], **fields: str) -> list[Arrival]:
    return [one.arrival(pdu=pdu, **fields) for pdu in pdus]


async def facts(one: World) -> list[tuple[object, ...]]:
    return await one.rows("mos", "id", "status", "whole", "body")


async def test_parts_that_come_together_are_one_purchase(engine: Engine) -> None:
    async with world(engine) as one:
        a, b, c, d = arrivals(one, parts(TEXT))
        await one.take(a, b, c, d)
        assert await facts(one) == [
            (a.id, "joined", d.id, None),
            (b.id, "joined", d.id, None),
            (c.id, "joined", d.id, None),
            (d.id, "done", None, TEXT),
        ]
        assert await one.rows("codes", "mo") == [(d.id,)]
        assert len(one.sent) == 1


async def test_parts_that_come_one_by_one_in_any_order_are_one_purchase(engine: Engine) -> None:
    async with world(engine) as one:
        a, b, c, d = arrivals(one, parts(TEXT))
        for one_part in (d, a, c):
            assert await one.take(one_part) == [None], "a part is acknowledged when it is stored"
            assert one.sent == []
        await one.take(b)
        assert await facts(one) == [
            (a.id, "joined", b.id, None),
            (b.id, "done", None, TEXT),
            (c.id, "joined", b.id, None),
            (d.id, "joined", b.id, None),
        ]
        assert await one.count("codes") == len(one.sent) == 1


async def test_parts_wait_over_a_crash(engine: Engine) -> None:
    async with world(engine) as one:
        first, *rest = parts(TEXT)
        await one.take(*arrivals(one, [first]))
        clock = one.clock
    async with world(engine, clock=clock, seed=2) as one:
        clock.advance(SECOND)
        await one.receiver.recover()
        await one.take(*arrivals(one, rest))
        assert (await one.rows("mos", "body", "outcome"))[-1] == (TEXT, "code_issued")
        assert await one.count("codes") == 1


async def test_a_part_that_the_crash_left_in_doubt_may_come_again(engine: Engine) -> None:
    async with world(engine) as one:
        first, second, *rest = parts(TEXT)
        session = await one.begin()
        await one.take(*arrivals(one, [first, second], session=session))
        clock = one.clock
    async with world(engine, clock=clock, seed=2) as one:
        clock.advance(SECOND)
        await one.receiver.recover()
        await one.take(*arrivals(one, [second, *rest]))
        assert [status for status, _ in await one.verdicts()] == ["joined", "joined", "repeated", "joined", "done"]
        assert await one.count("codes") == 1


async def test_a_part_that_comes_twice_counts_once(engine: Engine) -> None:
    async with world(engine) as one:
        first, second = parts("SUN " + "я" * 70)
        await one.take(*arrivals(one, [first, first]))
        await one.take(*arrivals(one, [first, second]))
        assert [status for status, _ in await one.verdicts()] == ["joined", "repeated", "repeated", "done"]
        assert await one.count("codes") == 1


async def test_the_same_long_text_sent_twice_is_two_purchases(engine: Engine) -> None:
    async with world(engine) as one:
        await one.take(*arrivals(one, parts(TEXT) + parts(TEXT)))
        await one.take(*arrivals(one, parts(TEXT)))
        assert await one.count("codes") == 3


async def test_messages_of_several_phones_and_links_do_not_mix(engine: Engine) -> None:
    async with world(engine) as one:
        first, second = parts("SUN " + "я" * 70)
        other = [changed(pdu, source_addr=f"{PHONE}9") for pdu in (first, second)]
        mixed = [first, other[1], other[0], second]
        await one.take(*arrivals(one, mixed), *arrivals(one, [second, first], link="south"))
        assert await one.count("codes") == 3


async def test_parts_may_be_described_by_tlvs_instead(engine: Engine) -> None:
    def sar(number: int, text: bytes) -> DeliverSm:
        described = {
            tlvs.SAR_MSG_REF_NUM: b"\0\7",
            tlvs.SAR_TOTAL_SEGMENTS: b"\2",
            tlvs.SAR_SEGMENT_SEQNUM: bytes((number,)),
        }
        return deliver(text, tlvs=described)

    async with world(engine) as one:
        await one.take(*arrivals(one, [sar(2, b"SHINE")]))
        await one.take(*arrivals(one, [sar(1, b"SUN ")]))
        assert (await one.rows("mos", "body"))[-1] == ("SUN SHINE",)
        assert await one.count("codes") == 1


@pytest.mark.parametrize(("waited_s", "codes"), [(599, 1), (600, 0)])
async def test_parts_wait_for_as_long_as_their_link_says(engine: Engine, waited_s: int, codes: int) -> None:
    """Another link's longer patience, in the same transaction, is no reason to wait."""
    links = {"north": changed(LINK, part_expiry_s=600), "south": changed(LINK, part_expiry_s=86_400)}
    async with world(engine, links=links) as one:
        first, second = parts("SUN " + "я" * 70)
        await one.take(*arrivals(one, [first]))
        one.clock.advance(waited_s * SECOND)
        await one.take(*arrivals(one, [first], link="south"), *arrivals(one, [second]))
        assert await one.count("codes") == codes
        assert len(await one.verdicts()) == 3, "what is never whole is kept"


async def test_a_long_text_that_cannot_be_read_is_answered_by_the_rule(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        await one.take(*arrivals(one, [changed(pdu, data_coding=4) for pdu in parts("SUN " + "я" * 70)]))
        assert await one.verdicts() == [("joined", None), ("done", "unreadable")]
        assert len(one.sent) == 1


async def test_255_parts_are_joined(sqlite: Engine) -> None:
    text = "SUN " + "x" * (153 * 255 - 4)
    async with world(sqlite) as one:
        pieces = parts(text)
        assert len(pieces) == 255
        await one.take(*arrivals(one, pieces[200:]))
        await one.take(*arrivals(one, pieces[:200]))
        assert await one.count("codes") == 1
        assert (await one.rows("mos", "body"))[-1] == (text,)


async def test_parts_in_batches_that_are_stored_beside_each_other_find_each_other(engine: Engine) -> None:
    async with world(engine) as one:
        pdus = [pdu for number in range(20) for pdu in parts(TEXT, reference=number)]
        futures = []
        for at in range(0, len(pdus), 7):
            futures += [one.receiver.submit(arrival) for arrival in arrivals(one, pdus[at : at + 7])]
            await asyncio.sleep(0)
        await asyncio.gather(*futures)
        assert await one.count("codes") == 20


# --- what never becomes whole ---------------------------------------------------------------------------------------

PATIENCE = int(LINK.part_expiry_s) * SECOND


async def story(one: World) -> list[tuple[object, ...]]:
    return await one.rows("mos", "status", "outcome", "incomplete", "body")


async def test_what_there_is_of_a_message_is_answered_in_the_end(engine: Engine) -> None:
    async with world(engine) as one:
        first, _, third, _ = arrivals(one, parts(TEXT))
        await one.take(third, first)
        one.clock.advance(PATIENCE - 1)
        assert await one.receiver.give_up_parts() == 0
        one.clock.advance(1)
        assert await one.receiver.give_up_parts() == 1
        assert await one.receiver.give_up_parts() == 0
        there = TEXT[:67] + TEXT[134:201]
        assert sorted(await story(one), key=str) == [
            ("done", "code_issued", 1, there),
            ("joined", None, 0, None),
        ]
        [message] = one.sent
        assert (message.row.destination, message.row.dest_ton, message.row.dest_npi) == (PHONE, 1, 1)
        assert (message.row.source, message.row.source_ton, message.row.source_npi) == ("1234", 3, 9)
        assert await one.rows("codes", "mo") == [(message.row.mo,)]


async def test_without_its_beginning_nobody_knows_what_it_asks_for(engine: Engine) -> None:
    async with world(engine) as one:
        _, *rest = arrivals(one, parts(TEXT))
        await one.take(*rest)
        one.clock.advance(PATIENCE)
        assert await one.receiver.give_up_parts() == 1
        assert ("done", "incomplete", 1, TEXT[67:]) in await story(one)
        assert one.sent == []


async def test_a_part_that_comes_after_the_end_buys_nothing_more(engine: Engine) -> None:
    async with world(engine) as one:
        first, second = arrivals(one, parts("SUN " + "я" * 70))
        await one.take(first)
        one.clock.advance(PATIENCE)
        await one.receiver.give_up_parts()
        await one.take(second)
        one.clock.advance(PATIENCE)
        await one.receiver.give_up_parts()
        assert [row[:3] for row in await story(one)] == [("done", "code_issued", 1), ("done", "incomplete", 1)]
        assert await one.count("codes") == 1


async def test_a_part_that_is_delivered_again_after_the_end_is_no_new_purchase(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        first, _ = parts("SUN " + "я" * 70)
        await one.take(*arrivals(one, [first], session=session))
        await one.end(session)
        one.clock.advance(PATIENCE)
        await one.receiver.give_up_parts()
        await one.take(*arrivals(one, [first]))
        one.clock.advance(PATIENCE)
        await one.receiver.give_up_parts()
        assert await one.count("codes") == len(one.sent) == 1


@pytest.mark.parametrize("apart", [False, True])
async def test_a_reference_that_is_used_again_ends_the_message_before(engine: Engine, apart: bool) -> None:  # noqa: FBT001 - a column
    async with world(engine) as one:
        old = arrivals(one, parts("SUN " + "а" * 140, reference=7)[:2])  # noqa: RUF001 - Cyrillic
        new = arrivals(one, parts("SUN " + "я" * 140, reference=7))
        for batch in (old, new) if apart else ([*old, *new],):
            await one.take(*batch)
        assert sorted((outcome, incomplete) for _, outcome, incomplete, _ in await story(one) if outcome) == [
            ("code_issued", 0),
            ("code_issued", 1),
        ]
        assert len(one.sent) == 2


async def test_what_was_given_up_takes_no_part_of_the_next_message_along(engine: Engine) -> None:
    async with world(engine) as one:
        old, new = parts("SUN " + "а" * 100, reference=7), parts("SUN " + "я" * 100, reference=7)  # noqa: RUF001 - Cyrillic
        await one.take(*arrivals(one, old[:1]))
        one.clock.advance(PATIENCE)
        await one.take(*arrivals(one, new[1:]))
        assert await one.receiver.give_up_parts() == 1
        await one.take(*arrivals(one, new[:1]))
        assert await one.rows("mos", "status", "outcome", "incomplete", "body") == [
            ("done", "code_issued", 1, "SUN " + "а" * 63),  # noqa: RUF001 - Cyrillic
            ("joined", None, 0, None),
            ("done", "code_issued", 0, "SUN " + "я" * 100),
        ]


async def test_a_crash_before_the_end_leaves_it_to_the_next_life(engine: Engine) -> None:
    async with world(engine) as one:
        await one.take(*arrivals(one, parts(TEXT)[:2]))
        clock = one.clock
    async with world(engine, clock=clock, seed=2) as one:
        clock.advance(PATIENCE)
        assert await one.receiver.give_up_parts() == 1
        assert len(one.sent) == 1


async def test_a_flood_of_parts_that_never_complete_is_given_up_in_slices(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        first, _ = parts("SUN " + "я" * 70)
        flood = [changed(first, source_addr=f"35988{n:07}") for n in range(1_200)]
        for at in range(0, len(flood), 400):
            await one.take(*arrivals(one, flood[at : at + 400]))
        one.clock.advance(PATIENCE)
        before = one.database.transactions
        assert await one.receiver.give_up_parts() == 1_200
        assert one.database.transactions - before == 6
        assert len(one.sent) == 1_200
