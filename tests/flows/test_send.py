"""The outbox of a link: messages go out in order, each answer is recorded, and nothing that was queued is forgotten."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import pytest

from smsgw.errors import StoreBroken, StoreUnavailable
from smsgw.flows import send
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.send import Outbox
from smsgw.kit.vault import Key, Vault
from smsgw.smpp import status
from smsgw.store import mts
from smsgw.store.database import Reader, Transaction
from smsgw.store.mts import Settled
from tests.flows.logged import entries, logged
from tests.flows.world import LINK, SECOND, SUN, World, changed, texts, world
from tests.servers.engines import Engine
from tests.store.look import change

AWAY = StoreUnavailable("the disk is full")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for the store to come back does not make the tests wait."""
    monkeypatch.setattr(send, "_RECORD_AGAIN_S", 0.0)
    monkeypatch.setattr(send, "_READ_AGAIN_S", 0.0)


class Box:
    """An outbox with its surroundings."""

    def __init__(self, one: World, **settings: Any) -> None:
        self.one = one
        self.woken = asyncio.Event()
        self.outbox = Outbox(one.ports, "north", changed(LINK, **settings), self.woken.set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Outbox]:
        """Read back what waits, as the daemon does."""
        task = asyncio.create_task(self.outbox.run())
        try:
            await self.read_back()
            yield self.outbox
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self.outbox.close()

    async def read_back(self) -> None:
        """Wait until the store has been read again."""
        async with asyncio.timeout(10):
            while self.outbox._more.is_set():
                self.woken.clear()
                await self.woken.wait()

    def take_all(self) -> list[Outgoing]:
        taken = []
        while (message := self.outbox.take()) is not None:
            taken.append(message)
        return taken


async def buy(one: World, *texts: str) -> list[Outgoing]:
    """Buy codes, each text with a phone of its own; return their answers."""
    before = len(one.sent)
    for number, text in enumerate(texts or ("SUN",), before):
        await one.sms(text, source_addr=str(359_880_000_000 + number))
    return one.sent[before:]


async def told(one: World) -> list[tuple[Any, ...]]:
    return await one.rows("mts", "status", "command_status", "message_id", "answered_ms", "tries")


def names(messages: list[Outgoing]) -> list[str]:
    return [message.row.id for message in messages]


# --- order ----------------------------------------------------------------------------------------------------------


async def test_messages_go_out_in_the_order_in_which_they_were_committed(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            box.woken.clear()
            messages = await buy(one, "SUN 1", "SUN 2", "SUN 3")
            outbox.offer(messages)
            assert box.woken.is_set()
            assert names(box.take_all()) == names(messages)
            assert outbox.take() is None
            assert outbox.wait_ms() is None


async def test_what_waited_in_the_store_is_read_back_before_anything_new_is_taken(engine: Engine) -> None:
    async with world(engine) as one:
        old = await buy(one, "SUN 1", "SUN 2")
        box = Box(one)
        new = await buy(one, "SUN 3")
        box.outbox.offer(new)
        assert box.outbox.take() is None, "what is older waits in the store"
        async with box.running():
            found = box.take_all()
            assert names(found) == names(old + new)
            assert texts(found) == texts(old + new), "opened as it was sealed"


async def test_a_message_is_held_once(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        messages = await buy(one)
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(messages)
            outbox.offer(messages)
            assert len(box.take_all()) == 1
            outbox.offer(messages)
            assert outbox.take() is None, "it is on its way"


async def test_what_does_not_fit_waits_in_the_store(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "_CAPACITY", 4)
    monkeypatch.setattr(send, "_PAGE", 3)
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            messages = await buy(one, *(f"SUN {number}" for number in range(11)))
            for message in messages:
                outbox.offer([message])
            sent: list[Outgoing] = []
            async with asyncio.timeout(10):
                while len(sent) < len(messages):
                    batch = box.take_all()
                    assert len(batch) <= 4
                    sent += batch
                    box.woken.clear()
                    for message in batch:
                        outbox.accepted(message, message.row.id)
                    if not batch:
                        await box.woken.wait()
            assert names(sent) == names(messages)
        assert [row[0] for row in await told(one)] == ["accepted"] * 11


async def test_other_links_and_nodes_have_their_own(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        await one.sms(link="south")
        mine = await buy(one)
        async with Box(one).running() as outbox:
            message = outbox.take()
            assert message is not None
            assert [message.row.id] == names(mine)
            assert outbox.take() is None


async def test_it_can_be_told_to_look_again(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            messages = await buy(one)  # nobody offers them: another node has died
            outbox.look_again()
            await box.read_back()
            assert names(box.take_all()) == names(messages)


# --- answers --------------------------------------------------------------------------------------------------------


async def test_an_accepted_message_is_recorded_under_the_smsc_s_id(engine: Engine) -> None:
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one, "SUN 1", "SUN 2"))
            first, second = box.take_all()
            one.clock.advance(5)
            outbox.accepted(first, "é7")
            outbox.accepted(second, "")
        now_ms = one.clock.now_ms()
        assert await told(one) == [("accepted", 0, "é7", now_ms, 1), ("accepted", 0, None, now_ms, 1)]


async def test_results_that_wait_share_a_transaction(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one, *(f"SUN {number}" for number in range(50))))
            before = one.database.transactions
            for message in box.take_all():
                outbox.accepted(message, message.row.id)
            await outbox.close()
            assert one.database.transactions == before + 1
        assert {row[0] for row in await told(one)} == {"accepted"}


@pytest.mark.parametrize("command_status", [status.ESME_RINVDSTADR, 0x400, 0])
async def test_a_final_refusal_is_final(engine: Engine, command_status: int) -> None:
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            outbox.refused(box.take_all()[0], command_status)
            assert (outbox.take(), outbox.wait_ms()) == (None, None)
        assert await told(one) == [("refused", command_status, None, one.clock.now_ms(), 1)]


async def test_a_message_whose_validity_is_over_is_not_sent(engine: Engine) -> None:
    async with world(engine, services={"sun": changed(SUN, reply_valid_s=60)}) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one, "SUN 1"))
            one.clock.advance(59 * SECOND)
            outbox.offer(await buy(one, "SUN 2"))
            one.clock.advance(1 * SECOND)
            assert names(box.take_all()) == names(one.sent[1:])
        assert (await told(one))[0] == ("expired", None, None, one.clock.now_ms(), 0)


# --- trying again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command_status", [status.ESME_RTHROTTLED, status.ESME_RMSGQFUL])
async def test_a_refusal_that_says_later_is_tried_again_after_a_pause(engine: Engine, command_status: int) -> None:
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            [message] = box.take_all()
            outbox.refused(message, command_status)
            assert outbox.take() is None
            pause_ms = outbox.wait_ms()
            assert pause_ms is not None
            assert 800 <= pause_ms <= 1_000, "a second, shortened by chance"
            await outbox.close()
            assert await one.rows("mts", "status", "command_status", "tries", "not_before_ms") == [
                ("queued", command_status, 1, one.clock.now_ms() + pause_ms)
            ]
            one.clock.advance(pause_ms - 1)
            assert outbox.take() is None
            assert outbox.wait_ms() == 1
            one.clock.advance(1)
            [again] = box.take_all()
            assert again.payload == message.payload
            outbox.accepted(again, "7")
        assert [row[0] for row in await told(one)] == ["accepted"]
        assert await one.rows("mts", "tries") == [(2,)]


async def test_throttling_for_minutes_loses_nothing_and_keeps_each_subscribers_order(engine: Engine) -> None:
    async with world(engine) as one:
        box = Box(one, retry_first_s=1, retry_ceiling_s=30)
        async with box.running() as outbox:
            for _ in range(2):  # messages; both go to the same three phones
                for number in range(3):
                    await one.sms("SUN", source_addr=str(359_880_000_000 + number))
            outbox.offer(one.sent)
            refused, until_ms = 0, one.clock.now_ms() + 300 * SECOND
            taken: list[Outgoing] = []
            while len(taken) < 6:
                for message in box.take_all():
                    if one.clock.now_ms() < until_ms:
                        outbox.refused(message, status.ESME_RTHROTTLED)
                        refused += 1
                    else:
                        outbox.accepted(message, str(len(taken)))
                        taken.append(message)
                one.clock.advance(outbox.wait_ms() or 1)
        assert 3 * 10 <= refused <= 3 * 30, "it neither gives up nor hammers"
        for number in range(3):
            phone = str(359_880_000_000 + number)
            sent = [message.row.id for message in taken if message.row.destination == phone]
            assert sent == [message.row.id for message in one.sent if message.row.destination == phone]
        assert [row[0] for row in await told(one)] == ["accepted"] * 6


async def test_the_pauses_grow_up_to_their_ceiling(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        box = Box(one, retry_first_s=1, retry_ceiling_s=10)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            pauses = []
            for _ in range(6):
                [message] = box.take_all()
                outbox.refused(message, status.ESME_RTHROTTLED)
                pause_ms = outbox.wait_ms()
                assert pause_ms is not None
                pauses.append(pause_ms)
                one.clock.advance(pause_ms)
        for pause_ms, longest in zip(pauses, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000], strict=True):
            assert 0.8 * longest <= pause_ms <= longest


async def test_a_clock_that_is_put_back_makes_no_pause_longer(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            outbox.refused(box.take_all()[0], status.ESME_RTHROTTLED)
            assert outbox.take() is None
            one.clock.set_wall(one.clock.now_ms() - 3_600 * SECOND)
            assert outbox.wait_ms() == 0
            assert names(box.take_all()) == names(one.sent)


async def test_a_message_that_waits_does_not_hold_up_the_others(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one, "SUN 1", "SUN 2", "SUN 3"))
            first = outbox.take()
            assert first is not None
            outbox.refused(first, status.ESME_RTHROTTLED)
            assert names(box.take_all()) == names(one.sent[1:])
            one.clock.advance(SECOND)
            assert names(box.take_all()) == [first.row.id]


async def test_a_message_without_an_answer_is_sent_again(engine: Engine) -> None:
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            [message] = box.take_all()
            box.woken.clear()
            outbox.unanswered(message)
            assert box.woken.is_set()
            [again] = box.take_all()
            outbox.accepted(again, "7")
        assert await told(one) == [("accepted", 0, "7", one.clock.now_ms(), 2)]


async def test_an_smsc_that_never_answers_is_tried_with_growing_pauses(sqlite: Engine) -> None:
    """Every try may reach the subscriber: the first goes out at once, for it may only have been the connection."""
    async with world(sqlite) as one:
        box = Box(one, retry_first_s=1, retry_ceiling_s=10)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            pauses = []
            for _ in range(30):
                [message] = box.take_all()
                outbox.unanswered(message)
                pause_ms = outbox.wait_ms()
                assert pause_ms is not None
                pauses.append(pause_ms)
                one.clock.advance(pause_ms)
        longest = [0, 1_000, 2_000, 4_000, 8_000, *[10_000] * 25]
        assert all(0.8 * most <= pause <= most for pause, most in zip(pauses, longest, strict=True))
        assert await one.rows("mts", "status", "tries") == [("queued", 30)]


async def test_of_several_tries_that_wait_to_be_recorded_the_last_counts(sqlite: Engine) -> None:
    """The store is away for long: what waits to be recorded must not grow with every try."""
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            one.database.open.clear()
            for _ in range(50):
                [message] = box.take_all()
                outbox.unanswered(message)
                one.clock.advance(60 * SECOND)
                await asyncio.sleep(0)
            assert len(outbox._results) == 1
            [message] = box.take_all()
            one.database.open.set()
            await outbox.close()
            assert await one.rows("mts", "status", "tries") == [("queued", 50)]
            outbox.accepted(message, "7")
        assert await told(one) == [("accepted", 0, "7", one.clock.now_ms(), 51)]


async def test_a_pause_is_kept_over_a_restart(engine: Engine) -> None:
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            outbox.refused(box.take_all()[0], status.ESME_RTHROTTLED)
            pause_ms = outbox.wait_ms()
            assert pause_ms is not None
        clock = one.clock
    async with world(engine, clock=clock, seed=2) as one, Box(one).running() as outbox:
        assert (outbox.take(), outbox.wait_ms()) == (None, pause_ms)
        clock.advance(pause_ms)
        assert outbox.take() is not None


async def test_what_follows_a_refused_message_to_the_same_phone_waits_for_it(sqlite: Engine) -> None:
    """A window of ten, of which the third is refused: nothing overtakes it on its way to the same phone."""
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            for number in range(10):
                await one.sms(f"SUN {number}")
            outbox.offer(one.sent)
            arrived: list[str] = []
            refused = False
            while len(arrived) < 10:
                for message in box.take_all():
                    if message.row.id == one.sent[2].row.id and not refused:
                        refused = True
                        outbox.refused(message, status.ESME_RTHROTTLED)
                        assert box.take_all() == []
                        one.clock.advance(SECOND)
                    else:
                        outbox.accepted(message, "7")
                        arrived.append(message.row.id)
            assert arrived == names(one.sent)


async def test_one_that_is_refused_for_ever_does_not_keep_what_was_paid_for_later(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            for _ in range(3):
                await one.sms()
            poisoned, *others = one.sent
            outbox.offer(one.sent)
            taken: list[str] = []
            for _ in range(120):
                for message in box.take_all():
                    taken.append(message.row.id)
                    if message.row.id == poisoned.row.id:
                        outbox.refused(message, status.ESME_RSYSERR)
                    else:
                        outbox.accepted(message, "")
                one.clock.advance(SECOND)
            sent = [mt for mt in taken if mt != poisoned.row.id]
            assert sent == names(others), "in their order, once, within two minutes"
            assert taken.index(sent[0]) == 5, "not at the first refusal"
            assert taken[-1] == poisoned.row.id, "it is still tried"


async def test_what_cannot_be_written_was_never_sent_whatever_the_link_s_table_says(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        box = Box(one, status={"ESME_RINVPARLEN": "sent", "ESME_RINVCMDID": "again 1s"})
        async with box.running() as outbox:
            outbox.offer(await buy(one, "SUN 1", "SUN 2"))
            first, second = box.take_all()
            outbox.unsendable(first, status.ESME_RINVPARLEN)
            outbox.unsendable(second, status.ESME_RINVCMDID)
        assert [row[0] for row in await told(one)] == ["refused", "refused"]


async def test_the_order_is_kept_over_a_restart(engine: Engine) -> None:
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            for number in range(3):
                await one.sms(f"SUN {number}")
            outbox.offer(one.sent)
            [first] = box.take_all()
            outbox.refused(first, status.ESME_RTHROTTLED)
        clock, sent = one.clock, one.sent
    async with world(engine, clock=clock, seed=2) as one:
        box = Box(one)
        async with box.running() as outbox:
            assert box.take_all() == []
            clock.advance(SECOND)
            for expected in sent:
                [message] = box.take_all()
                assert message.row.id == expected.row.id
                outbox.accepted(message, "7")


async def test_a_link_s_own_statuses_say_what_its_answers_mean(sqlite: Engine) -> None:
    own = {"0x440": "again 30s", "0x441": "sent", "0x442": "unknown", "ESME_RSYSERR": "refuse"}
    async with world(sqlite) as one:
        box = Box(one, status=own)
        async with box.running() as outbox:
            outbox.offer(await buy(one, "SUN 1", "SUN 2", "SUN 3", "SUN 4"))
            later, sent, unknown, refused = box.take_all()
            outbox.refused(later, 0x440)
            outbox.refused(sent, 0x441, "77")
            outbox.refused(unknown, 0x442)
            outbox.refused(refused, status.ESME_RSYSERR)
            assert names(box.take_all()) == [unknown.row.id], "as if there had been no answer"
            assert outbox.wait_ms() == 30 * SECOND
        now_ms = one.clock.now_ms()
        assert await told(one) == [
            ("queued", 0x440, None, None, 1),
            ("accepted", 0x441, "77", now_ms, 1),
            ("queued", None, None, None, 1),
            ("refused", status.ESME_RSYSERR, None, now_ms, 1),
        ]


async def test_a_nack_that_says_ok_is_no_acceptance(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            outbox.refused(box.take_all()[0], 0)
        assert [row[0] for row in await told(one)] == ["refused"]


async def test_a_late_answer_saves_the_second_sending(engine: Engine) -> None:
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            [message] = box.take_all()
            outbox.unanswered(message)
            [again] = box.take_all()
            outbox.unanswered(again)
            outbox.late(message, "7")
            outbox.late(again, "8")
            one.clock.advance(60 * SECOND)
            assert box.take_all() == []
            await outbox.close()
            assert (outbox._held, outbox._arrived, outbox._out) == ({}, set(), set())
        assert await told(one) == [("accepted", 0, "7", one.clock.now_ms() - 60 * SECOND, 1)], "its first try"


@pytest.mark.parametrize("answer", [0x45, status.ESME_RTHROTTLED, None])
async def test_a_late_answer_counts_when_the_second_sending_comes_to_nothing(
    sqlite: Engine, answer: int | None
) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            [message] = box.take_all()
            outbox.unanswered(message)
            [again] = box.take_all()
            outbox.late(message, "first")
            if answer is None:
                outbox.unanswered(again)
            else:
                outbox.refused(again, answer)
            one.clock.advance(600 * SECOND)
            assert box.take_all() == []
        assert [(row[0], row[2]) for row in await told(one)] == [("accepted", "first")]


async def test_a_late_answer_to_what_is_on_its_way_again_changes_nothing(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            [message] = box.take_all()
            outbox.unanswered(message)
            [again] = box.take_all()
            outbox.late(message, "7")
            outbox.accepted(again, "8")
            outbox.late(message, "9")
        assert [row[2] for row in await told(one)] == ["8"]


# --- prompts and replies --------------------------------------------------------------------------------------------


@pytest.fixture
def urgent(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Let these messages be prompts."""
    chosen: set[str] = set()
    monkeypatch.setattr(send, "_lane", lambda row: int(row.id in chosen))
    return chosen


async def test_a_prompt_does_not_wait_behind_a_bulk_of_replies(sqlite: Engine, urgent: set[str]) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            messages = await buy(one, *(f"SUN {number}" for number in range(20)))
            urgent.add(messages[19].row.id)
            outbox.offer(messages)
            taken = box.take_all()
            assert names(taken) == names([messages[19], *messages[:19]])


async def test_a_prompt_in_the_store_does_not_wait_behind_a_bulk_either(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "_CAPACITY", 3)
    monkeypatch.setattr(send, "_PAGE", 2)
    async with world(engine) as one:
        messages = await buy(one, *(f"SUN {number}" for number in range(8)))
        await change(engine, f"update mts set priority = 1 where id = '{messages[7].row.id}'")
        box = Box(one)
        async with box.running():
            async with asyncio.timeout(10):
                while len(box.outbox._held) < 4:
                    box.woken.clear()
                    await box.woken.wait()
            assert names(box.take_all()) == names([messages[7], *messages[:3]])


async def test_a_flood_of_prompts_leaves_the_replies_every_tenth_place(sqlite: Engine, urgent: set[str]) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            messages = await buy(one, *(f"SUN {number}" for number in range(22)))
            urgent.update(names(messages[2:]))
            outbox.offer(messages)
            taken = names(box.take_all())
            assert [taken.index(name) for name in names(messages[:2])] == [9, 19]


async def test_prompts_have_room_of_their_own(
    sqlite: Engine, urgent: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "_CAPACITY", 2)
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            messages = await buy(one, "SUN 1", "SUN 2", "SUN 3", "SUN 4")
            urgent.add(messages[3].row.id)
            outbox.offer(messages)
            assert outbox._more.is_set(), "the third reply waits in the store"
            assert names(box.take_all()) == names([messages[3], *messages[:2]])


# --- a crash --------------------------------------------------------------------------------------------------------


async def test_what_was_not_recorded_is_sent_again_after_a_crash_and_what_was_is_not(engine: Engine) -> None:
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one, "SUN 1", "SUN 2", "SUN 3"))
            recorded, unrecorded, unanswered = box.take_all()
            outbox.accepted(recorded, "1")
            await outbox.close()
            one.database.before = [StoreBroken("an fsync failed")]
            outbox.accepted(unrecorded, "2")
        clock = one.clock
    async with world(engine, clock=clock, seed=2) as one:
        box = Box(one)
        async with box.running():
            assert names(box.take_all()) == names([unrecorded, unanswered])


# --- when the store does not work -----------------------------------------------------------------------------------


async def test_results_are_put_off_until_the_store_works_again(engine: Engine) -> None:
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one, "SUN 1", "SUN 2"))
            first, second = box.take_all()
            one.database.before = [AWAY, AWAY, AWAY]
            outbox.accepted(first, "1")
            outbox.refused(second, status.ESME_RTHROTTLED)
            await outbox.close()
            assert one.database.before == []
        assert [(row[0], row[2]) for row in await told(one)] == [("accepted", "1"), ("queued", None)]


async def test_what_is_not_recorded_counts_as_held_so_that_the_sending_slows_down(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "_CAPACITY", 2)
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            messages = await buy(one, "SUN 1", "SUN 2", "SUN 3")
            one.database.open.clear()
            outbox.offer(messages)
            for message in box.take_all():
                outbox.accepted(message, message.row.id)
            await asyncio.sleep(0)
            assert outbox.take() is None
            one.database.open.set()
            await box.read_back()
            assert names(box.take_all()) == names(messages[2:])


async def test_one_poisoned_result_does_not_take_the_others_along(engine: Engine) -> None:
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one, "SUN 1", "SUN 2", "SUN 3"))
            first, second, third = box.take_all()
            with logged() as stream:
                outbox.accepted(first, "1")
                outbox.refused(second, 2**70)  # more than a column can hold
                outbox.accepted(third, "3")
                await outbox.close()
                [entry] = await entries(stream, "mt.result_not_recorded")
        assert [row[:2] for row in await told(one)] == [("accepted", 0), ("refused", None), ("accepted", 0)]
        assert entry["mt"] == second.row.id
        assert outbox._held == {}


async def test_a_result_that_can_never_be_recorded_takes_no_room_and_is_not_sent_over_and_over(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = mts.settle

    async def poisoned(transaction: Transaction, rows: Sequence[Settled]) -> None:
        if any(row.id in bad for row in rows):
            raise ValueError("never")
        await settle(transaction, rows)

    monkeypatch.setattr(mts, "settle", poisoned)
    monkeypatch.setattr(send, "_MOST_GIVEN_UP", 2)
    async with world(engine) as one:
        box = Box(one)
        messages = await buy(one, "SUN 1", "SUN 2", "SUN 3", "SUN 4")
        bad = set(names(messages[:3]))
        async with box.running() as outbox:
            for message in box.take_all():
                outbox.accepted(message, "7")
            while outbox._recorder is not None:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0)
            assert outbox._held == {}
            outbox.offer(messages[1:3])
            outbox.look_again()
            await box.read_back()
            await asyncio.sleep(0.1)
            assert names(box.take_all()) == names(messages[:1]), "the oldest of more than can be remembered"
        assert [row[0] for row in await told(one)] == ["queued", "queued", "queued", "accepted"]


async def test_a_broken_disk_ends_the_recording(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one, "SUN 1", "SUN 2"))
            first, second = box.take_all()
            one.database.before = [StoreBroken("an fsync failed")] * 2
            outbox.accepted(first, "1")
            outbox.accepted(second, "2")
            await outbox.close()
            assert len(one.database.before) == 1, "nothing is tried one by one on such a disk"
        assert [row[0] for row in await told(one)] == ["queued", "queued"]


async def test_the_end_does_not_wait_for_a_store_that_does_not_work(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "_CLOSE_S", 0.01)
    async with world(sqlite) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one))
            [message] = box.take_all()
            one.database.open.clear()
            outbox.accepted(message, "1")
            async with asyncio.timeout(5):
                await outbox.close()
        assert [row[0] for row in await told(one)] == ["queued"]


# --- reading back ---------------------------------------------------------------------------------------------------


class Slow:
    """A reader whose rows are on their way while something happens."""

    def __init__(self, inner: Reader, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._inner = inner
        self._meanwhile = meanwhile

    async def fetch(self, query: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        rows = await self._inner.fetch(query, **parameters)
        await self._meanwhile()
        return rows

    async def fetch_one(self, query: str, /, **parameters: object) -> tuple[Any, ...] | None:
        return await self._inner.fetch_one(query, **parameters)


async def test_what_is_settled_while_the_store_is_being_read_is_not_sent_again(engine: Engine) -> None:
    async with world(engine) as one:
        box = Box(one)
        async with box.running() as outbox:
            outbox.offer(await buy(one, "SUN 1", "SUN 2"))
            first, second = box.take_all()
            read = one.database.read
            done = False

            async def meanwhile() -> None:
                nonlocal done
                if not done:
                    done = True
                    outbox.accepted(first, "1")
                    await outbox.close()

            @asynccontextmanager
            async def slowly() -> AsyncIterator[Reader]:
                async with read() as reader:
                    yield Slow(reader, meanwhile)

            one.database.read = slowly  # type: ignore[method-assign]  # the test is about this race
            outbox.look_again()
            await box.read_back()
            assert done
            assert box.take_all() == []
            assert second.row.id in outbox._held


async def test_what_is_offered_while_the_store_is_being_read_stays_behind_what_is_older(engine: Engine) -> None:
    async with world(engine) as one:
        box = Box(one)
        old, read = await buy(one), one.database.read
        await one.sms(source_addr=old[0].row.destination)
        new = one.sent[-1:]

        async def meanwhile() -> None:
            box.outbox.offer(new)

        @asynccontextmanager
        async def slowly() -> AsyncIterator[Reader]:
            async with read() as reader:
                yield Slow(reader, meanwhile)

        one.database.read = slowly  # type: ignore[method-assign]  # the test is about this race
        async with box.running() as outbox, asyncio.timeout(10):
            found: list[Outgoing] = []
            while len(found) < len(old + new):
                box.woken.clear()
                for message in box.take_all():
                    found.append(message)
                    outbox.accepted(message, "")
                if outbox.wait_ms() is None and not box.woken.is_set():
                    await asyncio.sleep(0)
            assert names(found) == names(old + new)
            await outbox.close()
            assert outbox.take() is None, "once"


async def test_reading_is_tried_again_until_the_store_works(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        messages = await buy(one)
        read = one.database.read
        failures = [AWAY, AWAY]

        @asynccontextmanager
        async def failing() -> AsyncIterator[Reader]:
            if failures:
                raise failures.pop()
            async with read() as reader:
                yield reader

        one.database.read = failing  # type: ignore[method-assign]  # the test is about these failures
        box = Box(one)
        async with box.running():
            assert names(box.take_all()) == names(messages)
        assert failures == []


async def test_an_error_that_will_not_pass_ends_the_task(sqlite: Engine) -> None:
    async with world(sqlite) as one:

        def broken() -> NoReturn:
            raise StoreBroken("the file is damaged")

        one.database.read = broken  # type: ignore[method-assign]  # the test is about this failure
        with pytest.raises(StoreBroken):
            await Box(one).outbox.run()


async def test_a_message_that_was_sealed_with_another_key_stays_and_the_others_go_out(engine: Engine) -> None:
    async with world(engine) as one:
        lost = await buy(one, "SUN 1")
        clock = one.clock
    async with world(engine, clock=clock, seed=2) as one:
        clock.advance(SECOND)
        one.ports = changed(one.ports, vault=Vault([Key("k2", b"\1" * 32)], one.ports.random_bytes))
        one.receiver = type(one.receiver)(one.ports, one.catalog, one.sent.extend)
        readable = await buy(one, "SUN 2")
        box = Box(one)
        with logged() as stream:
            async with box.running():
                assert names(box.take_all()) == names(readable)
            [entry] = await entries(stream, "mt.not_readable")
        assert entry["mt"] == lost[0].row.id
        assert [row[0] for row in await told(one)] == ["queued", "queued"]
