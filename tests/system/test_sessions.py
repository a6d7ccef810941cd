"""Delivered again, or sent twice? What a subscriber gets when connections end around a message (mission, promise 2)."""

import asyncio
import time
from pathlib import Path

from tests.peers import octets
from tests.peers.plain_smsc import Line, Mo, PlainSmsc, correct
from tests.system.books import Books
from tests.system.daemon import PATIENCE_S, daemon_of

NUMBER = "359888000001"


async def _answered(smsc: PlainSmsc, mo: Mo, count: int) -> None:
    """Wait until a message is acknowledged, and so many answers have come to its number."""
    await smsc.until(lambda: mo.acknowledged and len(smsc.codes.get(mo.source, [])) == count)


async def _next(smsc: PlainSmsc, line: Line) -> Line:
    """Break a connection; return the next one."""
    line.drop()
    await smsc.until(lambda: line.closed)
    return await smsc.until_bound()


async def test_the_same_text_on_the_next_connection_is_a_second_purchase(tmp_path: Path) -> None:
    """The SMSC's response to the answer has proven that it read the acknowledgement: it will not deliver again."""
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        daemon.start()
        line = await smsc.until_bound()
        await _answered(smsc, smsc.put(NUMBER), 1)
        await daemon.until_told("mt.accepted")
        await _next(smsc, line)
        await _answered(smsc, smsc.put(NUMBER), 2)
        assert len(set(smsc.codes[NUMBER])) == 2


async def test_the_same_text_after_a_crash_is_a_second_purchase(tmp_path: Path) -> None:
    """What was proven is on disk soon, although nothing else comes that night."""
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        daemon.start()
        await smsc.until_bound()
        await _answered(smsc, smsc.put(NUMBER), 1)
        unproven = "select count(*) from mos m join link_sessions s on s.id = m.session where m.id > s.proven"
        deadline = time.monotonic() + PATIENCE_S
        while await Books(file=daemon.database).number(unproven):
            assert time.monotonic() < deadline, daemon.tail()
            await asyncio.sleep(0.01)
        await daemon.kill()
        daemon.start()
        await smsc.until_bound()
        await _answered(smsc, smsc.put(NUMBER), 2)
        assert len(set(smsc.codes[NUMBER])) == 2


async def test_a_message_whose_acknowledgements_are_lost_is_bought_once(tmp_path: Path) -> None:
    async with PlainSmsc(window=0) as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        daemon.start()
        line = await smsc.until_bound()
        books = Books(file=daemon.database)
        mo = smsc.put(NUMBER)
        for lost in range(1, 4):  # that of the message, then those of its repetitions
            line.transport.pause_reading()
            line.deliver(smsc.queue.popleft())
            deadline = time.monotonic() + PATIENCE_S
            while await books.number("select count(*) from mos") < lost:
                assert time.monotonic() < deadline, daemon.tail()
                await asyncio.sleep(0.01)
            line = await _next(smsc, line)
        assert mo.answers == []
        line.deliver(smsc.queue.popleft())
        await smsc.until(lambda: mo.acknowledged and NUMBER in smsc.codes)
        assert await daemon.stop() == 0
        assert len(set(smsc.codes[NUMBER])) == 1
        stored = await books.rows("select status, count(*) from mos group by status order by status")
        assert stored == [("done", 1), ("repeated", 3)]
        assert await books.number("select count(*) from codes") == 1


async def test_an_answer_that_was_not_answered_is_sent_again(tmp_path: Path) -> None:
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port}}) as daemon:
        smsc.answer = lambda line, pdu: None if pdu.command == octets.SUBMIT_SM else correct(line, pdu)
        daemon.start()
        line = await smsc.until_bound()
        mo = smsc.put(NUMBER)
        await smsc.until(lambda: mo.acknowledged and line.heard_of(octets.SUBMIT_SM))
        again = await _next(smsc, line)
        await smsc.until(lambda: again.heard_of(octets.SUBMIT_SM))
        smsc.answer = correct
        smsc.respond(again, again.heard_of(octets.SUBMIT_SM)[0])
        await daemon.until_told("mt.accepted")
        assert await daemon.stop() == 0
        first, second = line.heard_of(octets.SUBMIT_SM) + again.heard_of(octets.SUBMIT_SM)
        assert first.body == second.body
        assert await Books(file=daemon.database).rows("select status, tries from mts") == [("accepted", 2)]


async def test_answers_that_are_put_off_are_sent_until_they_are_taken(tmp_path: Path) -> None:
    link = {"retry_first_s": 0.02, "retry_ceiling_s": 0.05}
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port, **link}}) as daemon:
        tries: dict[bytes, int] = {}

        def put_off(line: Line, pdu: octets.Pdu) -> int:
            if pdu.command != octets.SUBMIT_SM:
                return correct(line, pdu)
            tries[pdu.body] = tries.get(pdu.body, 0) + 1
            return octets.TRY_AGAIN if tries[pdu.body] < 4 else octets.OK

        smsc.answer = put_off
        daemon.start()
        await smsc.until_bound()
        for number in range(50):
            smsc.put(f"359888{number:06}")
        await smsc.until(lambda: len(smsc.codes) == 50)
        assert await daemon.stop() == 0
        assert set(tries.values()) == {4}
        assert await Books(file=daemon.database).rows("select distinct status, tries from mts") == [("accepted", 4)]


async def test_on_a_pair_messages_come_on_one_and_go_on_the_other(tmp_path: Path) -> None:
    link = {"bind": "separate"}
    async with PlainSmsc() as smsc, daemon_of(tmp_path, {"one": {"port": smsc.port, **link}}) as daemon:
        daemon.start()
        receiver, transmitter = await smsc.until_bound("receiver"), await smsc.until_bound("transmitter")
        await _answered(smsc, smsc.put(NUMBER), 1)
        assert receiver.heard_of(octets.SUBMIT_SM) == []
        assert len(transmitter.heard_of(octets.SUBMIT_SM)) == 1

        transmitter.drop()  # what comes meanwhile is answered when it is back
        await smsc.until(lambda: transmitter.closed)
        await _answered(smsc, smsc.put("359888000002"), 1)
        assert not receiver.closed
        assert await daemon.stop() == 0
        assert len(receiver.heard_of(octets.UNBIND)) == 1
