"""What arrives is stored with all that it causes in one transaction, and acknowledged only then."""

import asyncio

import pytest

from smsgw.errors import StoreBroken, StoreConflict, StoreUnavailable
from smsgw.flows import drafts
from smsgw.flows.drafts import Arrival
from smsgw.flows.ports import Catalog, Ports
from smsgw.settings import Answers
from smsgw.smpp import tlvs
from smsgw.smpp.pdus import DataSm
from tests.flows.logged import entries, logged
from tests.flows.world import LINK, PHONE, SUN, changed, deliver, narrow, texts, world
from tests.servers.engines import Engine
from tests.store.look import columns

# --- one purchase ---------------------------------------------------------------------------------------------------


async def test_a_paid_message_is_recorded_buys_a_code_and_is_answered_at_once(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        before = one.database.transactions
        arrival = await one.sms("sun please", session=session)
        assert one.database.transactions == before + 1
        assert await columns(engine, "mos", arrival.id) == {
            "id": arrival.id,
            "link": "north",
            "session": session,
            "received_ms": one.clock.now_ms(),
            "source": PHONE,
            "destination": "1234",
            "esm_class": 0,
            "data_coding": 8,
            "payload": "sun please".encode("utf-16-be"),
            "tlvs": b"",
            "fingerprint": (await one.rows("mos", "fingerprint"))[0][0],
            "operator_id": None,
            "part_key": None,
            "part_number": None,
            "part_total": None,
            "status": "done",
            "whole": None,
            "body": "sun please",
            "service": "sun",
            "outcome": "code_issued",
            "types": None,
            "incomplete": 0,
        }
        [code] = await one.codes()
        found = await one.rows("codes", "id", "service", "mo", "link", "msisdn", "lookup", "issued_ms", "used")
        lookup = one.ports.vault.lookups("sun", code)[0]
        name = arrival.id.replace("mo_", "code_")
        assert found == [(name, "sun", arrival.id, "north", PHONE, lookup, one.clock.now_ms(), 0)]
        assert texts(one.sent) == [f"Code {code} until 2023-11-14 23:13"]


async def test_the_answer_goes_from_the_short_code_back_to_the_phone_as_it_was_written(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        arrival = await one.sms()
        [message] = one.sent
        names = ("mo", "node", "link", "source", "source_ton", "source_npi", "destination", "dest_ton", "dest_npi")
        assert await one.rows("mts", *names) == [(arrival.id, "left", "north", "1234", 3, 9, PHONE, 1, 1)]
        facts = ("status", "registered", "tries", "created_ms", "not_before_ms", "expires_ms")
        now_ms = one.clock.now_ms()
        assert await one.rows("mts", *facts) == [("queued", 1, 0, now_ms, now_ms, now_ms + 86_400_000)]
        [(sealed,)] = await one.rows("mts", "sealed")
        assert one.ports.vault.open(sealed, message.row.id, "k1") == message.payload
        assert (await one.codes())[0].encode() not in sealed


async def test_what_is_handed_to_the_senders_is_what_would_be_read_back(engine: Engine) -> None:
    from smsgw.store import mts

    async with world(engine, services={"sun": changed(SUN, reply="x" * 200 + "{code}", max_replies=2)}) as one:
        await one.sms()
        async with one.database.read() as reader:
            assert await mts.queued(reader, "north", "left", "", 10) == [message.row for message in one.sent]
        assert [(message.row.part, message.row.parts, message.row.esm_class) for message in one.sent] == [
            (1, 2, 0x40),
            (2, 2, 0x40),
        ]


async def test_nobody_is_told_before_the_commit(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        future = one.receiver.submit(one.arrival())
        seen: list[object] = []
        one.database.on_commit = [lambda: seen.extend([future.done(), list(one.sent)])]
        await future
        assert seen == [False, []]
        assert len(one.sent) == 1


async def test_many_that_wait_share_a_transaction_and_each_buys_its_own_code(engine: Engine) -> None:
    async with world(engine) as one:
        one.database.open.clear()
        futures = [one.receiver.submit(one.arrival(source_addr=f"3598812345{number:02}")) for number in range(60)]
        await asyncio.sleep(0)
        one.database.open.set()
        await asyncio.gather(*futures)
        assert one.database.transactions <= 3
        assert len(set(await one.codes())) == 60
        assert len(one.sent) == await one.count("mts") == 60


async def test_messages_of_all_links_share_it_too(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        await one.take(one.arrival(link="north"), one.arrival(link="south"), one.arrival(link="north"))
        assert await one.rows("mts", "link") == [("north",), ("south",), ("north",)]


async def test_a_data_sm_buys_as_a_deliver_sm_does(sqlite: Engine) -> None:
    pdu = DataSm(source_addr=PHONE, destination_addr="1234", tlvs={tlvs.MESSAGE_PAYLOAD: b"SUN"})
    async with world(sqlite) as one:
        await one.take(one.arrival(pdu=pdu))
        assert await one.verdicts() == [("done", "code_issued")]
        assert await one.rows("mos", "payload", "tlvs") == [(b"SUN", b"")]


# --- what buys nothing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "outcome", "answer"),
    [
        ({"text": "moon"}, "unknown_keyword", "What?"),
        ({"text": "SUN", "destination_addr": "9999"}, "unknown_short_code", "Where?"),
        ({"text": ""}, "empty", "Empty!"),
        ({"text": " \n"}, "empty", "Empty!"),
        ({"text": b"\xff\xff"}, "unreadable", "Can't read."),
        ({"text": b"SUN", "data_coding": 4}, "unreadable", "Can't read."),
        ({"text": b"\x04", "data_coding": 8}, "unreadable", "Can't read."),
    ],
)
async def test_what_buys_nothing_is_recorded_and_answered_by_the_rule(
    engine: Engine, fields: dict[str, object], outcome: str, answer: str
) -> None:
    async with world(engine) as one:
        await one.sms(**fields)  # type: ignore[arg-type]  # each case names fields of the right kind
        assert await one.verdicts() == [("done", outcome)]
        assert texts(one.sent) == [answer]
        assert await one.count("codes") == 0


async def test_an_empty_rule_means_no_answer(sqlite: Engine) -> None:
    async with world(sqlite, answers=Answers()) as one:
        for text in ("moon", "", b"\xff\xff"):
            await one.sms(text)
        await one.sms(destination_addr="9999")
        assert one.sent == []
        assert len(await one.verdicts()) == 4


@pytest.mark.parametrize("source", ["1234", "Info", "", "+12345"])
async def test_what_is_no_phone_gets_no_free_answer_or_two_machines_would_talk_for_ever(
    sqlite: Engine, source: str
) -> None:
    async with world(sqlite) as one:
        await one.sms("moon", source_addr=source)
        assert one.sent == []
        await one.sms("SUN", source_addr=source)
        assert len(one.sent) == 1, "what was bought is delivered, whatever the operator calls the subscriber"


# --- strange contents -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("SUN 😀🏳️‍🌈", "SUN 😀🏳️‍🌈"),
        ("SUN\0\0", "SUN␀␀"),
        ("SUN \ud83d", "SUN \N{REPLACEMENT CHARACTER}"),
        ("SUN '; drop table mos; --", "SUN '; drop table mos; --"),
        ("\u202eSUN", None),
    ],
)
async def test_strange_texts_are_kept_and_read_as_far_as_they_can_be(
    engine: Engine, text: str, body: str | None
) -> None:
    octets = text.encode("utf-16-be", "surrogatepass")
    async with world(engine) as one:
        await one.sms(octets, data_coding=8)
        assert await one.rows("mos", "payload", "body") == [(octets, text if body is None else body)]
        if body is not None:
            assert await one.verdicts() == [("done", "code_issued")]


async def test_a_text_of_1600_characters_in_one_payload(engine: Engine) -> None:
    text = "SUN " + "я" * 1_596
    pdu = deliver(b"", data_coding=8, tlvs={tlvs.MESSAGE_PAYLOAD: text.encode("utf-16-be"), 0x1401: b"x\0"})
    async with world(engine) as one:
        await one.take(one.arrival(pdu=pdu))
        assert await one.rows("mos", "body", "outcome") == [(text, "code_issued")]
        assert await one.rows("mos", "tlvs") == [(b"\x14\x01\x00\x02x\0",)]


async def test_a_message_from_every_octet(engine: Engine) -> None:
    async with world(engine) as one:
        for data_coding in range(16):
            await one.sms(
                bytes(range(256))[: 254 // 2 * 2], data_coding=data_coding, source_addr="\x01\xff\x80" + PHONE
            )
        assert len(await one.verdicts()) == 16


# --- codes that are taken -------------------------------------------------------------------------------------------


async def test_a_code_that_is_taken_is_drawn_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch, "AB")
    async with world(engine, services={"sun": changed(SUN, length=4)}) as one:
        for number in range(4):
            await one.take(*(one.arrival(source_addr=f"{PHONE}{number}{other}") for other in range(3)))
        codes = await one.codes()
        assert len(set(codes)) == len(codes) == 12
        assert {f"Code {code} until 2023-11-14 23:13" for code in codes} == set(texts(one.sent))
        assert min(map(len, codes)) == 4


async def test_when_all_are_taken_codes_become_longer_and_nobody_is_turned_away(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, "AB")
    async with world(engine, services={"sun": changed(SUN, length=4)}) as one:
        results = await one.take(*(one.arrival(source_addr=f"{PHONE}{number}") for number in range(60)))
        assert results == [None] * 60
        codes = await one.codes()
        assert len(set(codes)) == 60
        assert max(map(len, codes)) > 4
        assert await one.count("mts") == 60


async def test_the_same_code_of_another_service_is_another_code(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch, "A")
    services = {"sun": SUN, "moon": changed(SUN, keywords=["MOON"])}
    async with world(sqlite, services=services) as one:
        await one.sms("SUN")
        await one.sms("MOON")
        assert await one.codes() == ["AAAAAAAA", "AAAAAAAA"]


# --- when the store does not work -----------------------------------------------------------------------------------


async def test_when_the_store_is_away_nothing_is_kept_and_nobody_is_answered(engine: Engine) -> None:
    async with world(engine) as one:
        one.database.before = [StoreUnavailable("the disk is full")]
        results = await one.take(*(one.arrival() for _ in range(5)))
        assert [type(result) for result in results] == [StoreUnavailable] * 5
        assert one.sent == []
        for table in ("mos", "codes", "mts"):
            assert await one.count(table) == 0
        await one.sms()
        assert await one.count("codes") == 1, "it works again by itself"


async def test_after_a_broken_disk_nothing_is_acknowledged(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        one.database.behind = [StoreBroken("an fsync failed")]
        [result] = await one.take(one.arrival())
        assert isinstance(result, StoreBroken)
        assert one.sent == []


async def test_a_message_that_cannot_even_be_drafted_fails_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(engine) as one:
        good, bad = one.arrival(), one.arrival("moon")
        draft = drafts.draft

        def broken(ports: Ports, catalog: Catalog, arrival: Arrival) -> drafts.Draft:
            if arrival is bad:
                raise ZeroDivisionError
            return draft(ports, catalog, arrival)

        monkeypatch.setattr(drafts, "draft", broken)
        results = await one.take(bad, good)
        assert isinstance(results[0], ZeroDivisionError)
        assert results[1] is None
        assert await one.count("codes") == 1


async def test_one_poisoned_message_fails_alone(engine: Engine) -> None:
    async with world(engine) as one:
        poison = changed(one.arrival(), received_ms=2**63)
        good = [one.arrival(source_addr="3591"), one.arrival(source_addr="3592")]
        results = await one.take(good[0], poison, good[1])
        assert [results[0], results[2]] == [None, None]
        assert isinstance(results[1], ValueError | OverflowError)
        assert await one.rows("mos", "source") == [("3591",), ("3592",)]
        assert len(one.sent) == await one.count("codes") == 2
        await one.sms("moon")
        assert await one.doubted() == [], "what was rolled back for sure is in no doubt"


async def test_one_that_is_in_conflict_with_what_is_stored_fails_alone(engine: Engine) -> None:
    async with world(engine) as one:
        first = await one.sms()
        results = await one.take(one.arrival("SUN 1"), changed(one.arrival("SUN 2"), id=first.id), one.arrival("SUN 3"))
        assert [type(result) for result in results] == [type(None), StoreConflict, type(None)]
        assert len(one.sent) == await one.count("codes") == 3


async def test_a_full_queue_says_so(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        one.database.open.clear()
        futures = []
        while not one.receiver.full:
            futures.append(one.receiver.submit(one.arrival()))
        with pytest.raises(asyncio.QueueFull):
            one.receiver.submit(one.arrival())
        one.database.open.set()
        await asyncio.gather(*futures)
        assert await one.count("codes") == len(futures)


async def test_at_the_end_what_waits_is_finished_and_nothing_more_is_taken(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        future = one.receiver.submit(one.arrival())
        await one.receiver.close()
        assert future.done()
        assert await one.count("codes") == 1
        with pytest.raises(asyncio.QueueFull):
            one.receiver.submit(one.arrival())


async def test_an_arrival_that_nobody_waits_for_any_more_is_stored_all_the_same(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        one.receiver.submit(one.arrival()).cancel()
        await one.receiver.close()
        assert await one.count("codes") == len(one.sent) == 1


async def test_the_log_tells_the_story_without_numbers_texts_or_codes(sqlite: Engine) -> None:
    with logged() as stream:
        async with world(sqlite) as one:
            arrival = await one.sms()
            [code] = await one.codes()
            [entry] = await entries(stream, "mo.accepted")
    assert (entry["mo"], entry["link"], entry["service"]) == (arrival.id, "north", "sun")
    assert not any(secret in stream.getvalue() for secret in (PHONE, code, "SUN"))


async def test_two_seeded_worlds_are_alike(tmp_path: object, sqlite: Engine) -> None:
    """Whatever is drawn comes through the ports, so that a simulation can be run again."""

    async def live(place: str) -> list[tuple[object, ...]]:
        async with world(Engine(dialect="sqlite", place=place), seed=7) as one:
            session = await one.begin()
            await one.sms(session=session)
            await one.take(*(one.arrival(source_addr=f"{PHONE}{number}", session=session) for number in range(5)))
            await one.end(session)
            return [row for table in ("mos", "codes", "mts", "link_sessions") for row in await one.rows(table, "*")]

    assert await live(f"{sqlite.place}.a") == await live(f"{sqlite.place}.b")
    assert LINK.receipts, "so that all columns of an MT are in play"
