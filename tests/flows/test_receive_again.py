"""Delivered again, or sent twice: each way in which an acknowledgement is lost, and each in which it only seems so."""

import asyncio

import pytest

from smsgw.errors import StoreUnavailable
from smsgw.flows import receive
from smsgw.flows.receive import Receiver, SessionEnded, SessionProven
from tests.flows.world import LINK, SECOND, World, changed, world
from tests.servers.engines import Engine

AWAY = StoreUnavailable("the server went away")


async def statuses(one: World) -> list[str]:
    return [status for status, _ in await one.verdicts()]


# --- a healthy session ----------------------------------------------------------------------------------------------


async def test_two_equal_messages_on_a_healthy_session_are_two_purchases(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        await one.take(one.arrival(session=session), one.arrival(session=session))
        await one.sms(session=session)
        assert await one.count("codes") == len(one.sent) == 3


async def test_messages_are_equal_only_on_their_own_link(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        session = await one.begin("north")
        await one.sms(session=session)
        await one.end(session)
        await one.sms(link="south", session=await one.begin("south"))
        assert await one.count("codes") == 2


# --- the end of a session -------------------------------------------------------------------------------------------


async def test_what_a_session_had_not_proven_absorbs_one_redelivery_and_the_next_is_a_purchase(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        first = await one.sms(session=session)
        await one.end(session)
        assert await one.doubted() == [first.id]
        session = await one.begin()
        again = await one.sms(session=session)
        third = await one.sms(session=session)
        assert await one.rows("mos", "id", "status", "whole", "service", "body") == [
            (first.id, "done", None, "sun", "SUN"),
            (again.id, "repeated", first.id, None, None),
            (third.id, "done", None, "sun", "SUN"),
        ]
        assert await one.count("codes") == len(one.sent) == 2
        assert await one.doubted() == []


async def test_what_was_proven_absorbs_nothing(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        proven = await one.sms(session=session)
        unproven = await one.sms("SUN 2", session=session)
        one.proven[session] = proven.id
        await one.end(session)
        assert await one.doubted() == [unproven.id]
        session = await one.begin()
        await one.sms(session=session)
        await one.sms("SUN 2", session=session)
        assert await statuses(one) == ["done", "done", "done", "repeated"]


async def test_a_proof_comes_with_the_next_arrival_too(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        first = await one.sms(session=session)
        one.proven[session] = first.id
        second = await one.sms("SUN 2", session=session)
        assert await one.rows("link_sessions", "proven") == [(first.id,)]
        await one.receiver.recover()
        assert await one.doubted() == [second.id]


async def test_a_proof_may_come_alone(engine: Engine) -> None:
    """In a quiet hour no arrival brings it, and after a crash the next equal text must be a purchase."""
    async with world(engine) as one:
        session = await one.begin()
        first = await one.sms(session=session)
        await one.receiver.submit(SessionProven(session=session, proven=first.id))
        await one.receiver.recover()
        assert await one.doubted() == []
        await one.sms(session=await one.begin())
        assert await one.count("codes") == 2


async def test_the_end_of_a_session_is_seen_by_what_waits_behind_it(sqlite: Engine) -> None:
    """Arrivals, the end, and the redelivery on the next session are stored by one transaction."""
    async with world(sqlite) as one:
        session = await one.begin()
        one.database.open.clear()
        futures = [
            one.receiver.submit(one.arrival(session=session)),
            one.receiver.submit(SessionEnded(session=session, link="north", proven=one.proven[session])),
            one.receiver.submit(one.arrival(session="ses_next")),
        ]
        one.database.open.set()
        await asyncio.gather(*futures)
        assert await statuses(one) == ["done", "repeated"]


async def test_the_end_may_be_told_twice(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        await one.sms(session=session)
        one.database.behind = [AWAY]
        with pytest.raises(StoreUnavailable):
            await one.end(session)
        await one.end(session)
        assert len(await one.doubted()) == 1


async def test_a_redelivery_whose_own_answer_is_lost_may_come_once_more(engine: Engine) -> None:
    async with world(engine) as one:
        for _ in range(4):
            session = await one.begin()
            await one.sms(session=session)
            await one.end(session)
        assert await statuses(one) == ["done", "repeated", "repeated", "repeated"]
        assert await one.count("codes") == len(one.sent) == 1
        session = await one.begin()
        await one.sms(session=session)
        await one.sms(session=session)
        assert await one.count("codes") == 2, "only one of these two can be the redelivery"


async def test_two_purchases_in_doubt_absorb_two_redeliveries(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        await one.take(one.arrival(session=session), one.arrival(session=session))
        await one.end(session)
        session = await one.begin()
        await one.take(*(one.arrival(session=session) for _ in range(3)))
        assert await statuses(one) == ["done", "done", "repeated", "repeated", "done"]


async def test_a_doubt_ends_with_the_operator_s_redelivery_window(engine: Engine) -> None:
    links = {"north": changed(LINK, redelivery_window_s=60)}
    async with world(engine, links=links) as one:
        session = await one.begin()
        await one.sms(session=session)
        await one.end(session)
        one.clock.advance(60 * SECOND)
        await one.sms(session=await one.begin())
        assert await one.count("codes") == 2
        assert len(await one.doubted()) == 1
        await one.receiver.sweep(30 * SECOND)
        assert await one.doubted() == []


async def test_what_buys_nothing_is_answered_once_too(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        for _ in range(2):
            session = await one.begin()
            await one.sms("moon", session=session)
            await one.end(session)
        assert len(one.sent) == 1


# --- a crash --------------------------------------------------------------------------------------------------------


async def test_after_a_crash_what_was_not_proven_may_come_again(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        first = await one.sms(session=session)
        second = await one.sms("SUN 2", session=session)
        one.proven[session] = first.id
        third = await one.sms("SUN 3", session=session)
        clock = one.clock
    async with world(engine, clock=clock, seed=2) as one:
        clock.advance(SECOND)
        await one.receiver.recover()
        assert await one.doubted() == [second.id, third.id]
        assert await one.rows("link_sessions", "ended_ms") == [(clock.now_ms(),)]
        session = await one.begin()
        for text in ("SUN", "SUN 2", "SUN 3"):
            await one.sms(text, session=session)
        assert await statuses(one) == ["done", "done", "done", "done", "repeated", "repeated"]


async def test_recovery_leaves_other_nodes_alone(engine: Engine) -> None:
    async with world(engine, node="left") as one:
        await one.sms(session=await one.begin())
        clock = one.clock
    async with world(engine, node="right", clock=clock, seed=2) as one:
        await one.receiver.recover()
        assert await one.doubted() == []
        assert await one.rows("link_sessions", "ended_ms") == [(None,)]


async def test_a_link_that_has_left_the_settings_is_recovered_all_the_same(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        await one.sms(session=await one.begin("south"), link="south")
        clock = one.clock
    async with world(sqlite, clock=clock, links={"north": LINK}) as one:
        await one.receiver.recover()
        assert len(await one.doubted()) == 1


# --- late answers ---------------------------------------------------------------------------------------------------


async def test_what_is_answered_too_late_may_come_again(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        one.database.on_commit = [lambda: one.clock.advance(10 * SECOND)]
        await one.sms(session=session)
        await one.take(one.arrival(session=session), one.arrival(session=session))
        assert await statuses(one) == ["done", "repeated", "done"]


async def test_what_is_answered_just_in_time_may_not(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        one.database.on_commit = [lambda: one.clock.advance(10 * SECOND - 1)]
        await one.sms(session=session)
        await one.sms(session=session)
        assert await one.count("codes") == 2


async def test_a_redelivery_that_waits_behind_the_slow_transaction_is_known(engine: Engine) -> None:
    """The store hangs; the SMSC gives up waiting and delivers again while the first transaction is still on its way."""
    async with world(engine) as one:
        session = await one.begin()
        one.database.open.clear()
        first = one.receiver.submit(one.arrival(session=session))
        await asyncio.sleep(0)
        one.clock.advance(11 * SECOND)
        second = one.receiver.submit(one.arrival(session=session))
        await asyncio.sleep(0)
        one.database.open.set()
        await asyncio.gather(first, second)
        assert await statuses(one) == ["done", "repeated"]


async def test_a_message_that_came_again_in_its_own_transaction_absorbs_nothing_more(engine: Engine) -> None:
    """Its redelivery is here, and was answered in time: the next equal message is a purchase."""
    async with world(engine) as one:
        session = await one.begin()
        first = one.arrival(session=session)
        one.clock.advance(11 * SECOND)
        await one.take(first, one.arrival(session=session))
        assert await statuses(one) == ["done", "repeated"]
        await one.sms(session=session)
        assert await statuses(one) == ["done", "repeated", "done"]


async def test_a_redelivery_that_is_answered_late_itself_may_come_again(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        first = one.arrival(session=session)
        one.clock.advance(11 * SECOND)
        one.database.on_commit = [lambda: one.clock.advance(11 * SECOND)]
        await one.take(first, one.arrival(session=session))
        await one.sms(session=session)
        await one.sms(session=session)
        assert await statuses(one) == ["done", "repeated", "repeated", "done"]


async def test_each_link_has_its_own_patience(sqlite: Engine) -> None:
    async with world(sqlite, links={"north": changed(LINK, smsc_response_timer_s=60), "south": LINK}) as one:
        one.database.on_commit = [lambda: one.clock.advance(10 * SECOND)]
        await one.take(one.arrival(link="north"), one.arrival(link="south"))
        await one.take(one.arrival(link="north"), one.arrival(link="south"))
        assert await statuses(one) == ["done", "done", "done", "repeated"]


# --- when nobody knows whether it was stored ------------------------------------------------------------------------


async def test_what_was_stored_although_it_was_refused_is_bought_once(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        one.database.behind = [AWAY]
        results = await one.take(one.arrival(session=session), one.arrival("SUN 2", session=session))
        assert [type(result) for result in results] == [StoreUnavailable] * 2
        await one.take(one.arrival(session=session), one.arrival("SUN 2", session=session))
        assert await statuses(one) == ["done", "done", "repeated", "repeated"]
        await one.sms(session=session)
        assert await one.count("codes") == 3


async def test_what_was_not_stored_is_bought_when_it_comes_again(engine: Engine) -> None:
    async with world(engine) as one:
        session = await one.begin()
        one.database.before = [AWAY]
        await one.take(one.arrival(session=session))
        await one.take(one.arrival(session=session))
        await one.take(one.arrival(session=session))
        assert await one.count("codes") == len(one.sent) == 2


async def test_an_error_of_any_other_kind_leaves_the_same_doubt(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        one.database.behind = [RuntimeError("a library's own error")]
        await one.take(one.arrival())
        await one.sms()
        assert await statuses(one) == ["done", "repeated"]


async def test_doubts_are_kept_until_the_store_works_again(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        one.database.behind = [AWAY]
        await one.take(one.arrival())
        one.database.before = [AWAY, AWAY]
        for _ in range(2):
            await one.take(one.arrival("moon"))
        await one.sms()
        assert await statuses(one) == ["done", "repeated"]


async def test_there_is_an_end_to_what_is_remembered_while_the_store_is_away(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "_MOST_DOUBTS", 2)
    async with world(sqlite) as one:
        one.database.behind = [AWAY]
        await one.take(*(one.arrival(f"SUN {number}") for number in range(3)))
        await one.take(*(one.arrival(f"SUN {number}") for number in range(3)))
        assert await statuses(one) == ["done", "done", "done", "repeated", "repeated", "done"]


async def test_doubts_that_no_message_took_along_are_stored_by_the_sweep(engine: Engine) -> None:
    """Nothing arrives for an hour, and then the daemon dies: the doubt must be on disk by then."""
    async with world(engine) as one:
        one.database.on_commit = [lambda: one.clock.advance(10 * SECOND)]
        first = await one.sms()
        assert await one.doubted() == []
        await one.receiver.sweep(30 * SECOND)
        assert await one.doubted() == [first.id]
        await one.sms()
        await one.receiver.sweep(30 * SECOND)
        assert await one.doubted() == [], "it is over, and does not come back"


async def test_the_sweep_does_not_bring_back_a_doubt_that_has_just_been_absorbed(engine: Engine) -> None:
    async with world(engine) as one:
        one.database.on_commit = [lambda: one.clock.advance(10 * SECOND)]
        await one.sms()
        one.database.open.clear()
        sweep = asyncio.ensure_future(one.receiver.sweep(30 * SECOND))
        redelivery = asyncio.ensure_future(one.sms())
        await asyncio.sleep(0)
        one.database.open.set()
        await asyncio.gather(sweep, redelivery)
        assert await statuses(one) == ["done", "repeated"]
        assert await one.doubted() == []


async def test_a_poisoned_message_does_not_let_the_end_of_a_session_overtake_the_others(engine: Engine) -> None:
    """All of them fail together and are tried one by one, in their order."""
    async with world(engine) as one:
        session = await one.begin()
        one.database.open.clear()
        poison = changed(one.arrival("moon", session=session), received_ms=2**63)
        futures = [
            one.receiver.submit(one.arrival(session=session)),
            one.receiver.submit(poison),
            one.receiver.submit(SessionEnded(session=session, link="north", proven=one.proven[session])),
        ]
        await asyncio.sleep(0)
        futures.append(one.receiver.submit(one.arrival(session="ses_next")))
        one.database.open.set()
        await asyncio.gather(*futures, return_exceptions=True)
        assert await statuses(one) == ["done", "repeated"]


# --- the operator's own ids -----------------------------------------------------------------------------------------

NUMBERED = {"north": changed(LINK, message_id_tlv=0x1401), "south": changed(LINK, message_id_tlv=0x1401)}


async def test_an_operator_s_id_decides_at_once_later_and_after_a_crash(engine: Engine) -> None:
    async with world(engine, links=NUMBERED) as one:
        seven, eight = {0x1401: b"7\0"}, {0x1401: b"8\0"}
        first = one.arrival(tlvs=seven)
        await one.take(first, one.arrival(tlvs=seven), one.arrival(tlvs=eight))
        await one.sms(tlvs=seven)
        clock = one.clock
    async with world(engine, links=NUMBERED, clock=clock, seed=2) as one:
        await one.sms(tlvs=seven)
        assert await one.rows("mos", "status", "whole") == [
            ("done", None),
            ("repeated", first.id),
            ("done", None),
            ("repeated", first.id),
            ("repeated", first.id),
        ]
        assert await one.count("codes") == 2


async def test_equal_messages_of_different_ids_are_different_purchases_whatever_was_in_doubt(engine: Engine) -> None:
    async with world(engine, links=NUMBERED) as one:
        session = await one.begin()
        await one.sms(session=session, tlvs={0x1401: b"7"})
        await one.end(session)
        await one.sms(tlvs={0x1401: b"8"})
        assert await one.count("codes") == 2


async def test_each_link_has_its_own_ids(sqlite: Engine) -> None:
    async with world(sqlite, links=NUMBERED) as one:
        await one.sms(tlvs={0x1401: b"7"})
        await one.sms(tlvs={0x1401: b"7"}, link="south")
        assert await one.count("codes") == 2


# --- order ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [1, 40])
async def test_the_end_of_a_session_never_overtakes_its_messages(engine: Engine, before: int) -> None:
    """On PostgreSQL their transactions could run beside each other."""
    async with world(engine) as one:
        session = await one.begin()
        futures = [one.receiver.submit(one.arrival(f"SUN {number}", session=session)) for number in range(before)]
        await asyncio.sleep(0)
        futures.append(one.receiver.submit(SessionEnded(session=session, link="north", proven=one.proven[session])))
        await asyncio.gather(*futures)
        assert len(await one.doubted()) == before


async def test_transactions_of_one_daemon_follow_each_other(engine: Engine) -> None:
    async with world(engine) as one:
        running, most = 0, 0
        take = Receiver._take_messages

        async def watched(*arguments: object) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await take(*arguments)  # type: ignore[arg-type]  # handed on as they came
            running -= 1

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Receiver, "_take_messages", watched)
            await asyncio.gather(*(one.receiver.submit(one.arrival(f"SUN {number}")) for number in range(200)))
        assert most == 1
        assert [body for (body,) in await one.rows("mos", "body")] == [f"SUN {number}" for number in range(200)]
