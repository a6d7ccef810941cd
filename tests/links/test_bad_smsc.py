"""An SMSC that breaks every rule gets a defined answer, costs bounded memory, and does not disturb another operator."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.peers import octets
from tests.peers.octets import HEADER, Pdu
from tests.peers.plain_smsc import PASSWORD, SHORT_CODE, Line, PlainSmsc, correct
from tests.system.books import Books
from tests.system.daemon import Daemon, Table, daemon_of

_DELIVER: Final = octets.pack(octets.DELIVER_SM, 77, body=octets.deliver_sm("359887000001", SHORT_CODE, b"SUN"))
_UNKNOWN: Final = 0x00010203
_MOST_FLOOD: Final = 32_000_000  # octets; whoever swallows them all would swallow any number
_FLOOD: Final = 2000  # messages, beyond any window
_MOST_GROWTH_KIB: Final = 40_000


class Two(NamedTuple):
    """A daemon with two operators, of which one is good."""

    daemon: Daemon
    bad: PlainSmsc
    good: PlainSmsc

    async def goes_on(self) -> None:
        """Buy a code at the good operator, and see that its connection has always stood."""
        number = f"359888{len(self.good.submitted):06}"
        mo = self.good.put(number)
        await self.good.until(lambda: mo.acknowledged and number in self.good.codes)
        assert len(self.good.lines) == 1

    async def buys(self) -> None:
        """Buy a code at the bad operator."""
        submitted = len(self.bad.submitted)
        mo = self.bad.put("359889000000")
        await self.bad.until(lambda: mo.acknowledged and len(self.bad.submitted) > submitted)

    async def again(self, line: Line) -> Line:
        """Wait until this connection has ended and the next one is bound."""
        await self.bad.until(lambda: line.closed)
        return await self.bad.until_bound()


@asynccontextmanager
async def two(folder: Path, **link: Any) -> AsyncIterator[Two]:
    """Give a daemon with a good link that is bound, and a bad one with these settings."""
    async with PlainSmsc() as bad, PlainSmsc() as good:
        links = {"bad": {"port": bad.port, **link}, "good": {"port": good.port}}
        async with daemon_of(folder, links) as daemon:
            daemon.start()
            await good.until_bound()
            yield Two(daemon, bad, good)


# Octets that are no SMPP


async def test_a_length_that_cannot_be_is_nacked_and_ends_the_session(tmp_path: Path) -> None:
    async with two(tmp_path) as it:
        for length in (0xFFFFFFFF, 3, 0, 15, 70_000):
            line = await it.bad.until_bound()
            line.write(HEADER.pack(length, octets.DELIVER_SM, 0, 77))
            await it.again(line)
            assert line.heard[-1] == Pdu(octets.GENERIC_NACK, octets.INVALID_COMMAND_LENGTH, 0, b"")
        assert len(it.daemon.told("link.violation", link="bad")) == 5
        assert len(it.daemon.told("link.lost", link="bad", reason="framing")) == 5
        await it.buys()
        await it.goes_on()


async def test_half_a_pdu_and_then_nothing_is_given_up(tmp_path: Path) -> None:
    async with two(tmp_path, enquire_link_s=0.2, response_timeout_s=0.3) as it:
        it.bad.answer = lambda line, pdu: None if pdu.command == octets.ENQUIRE_LINK else correct(line, pdu)
        line = await it.bad.until_bound()
        line.write(_DELIVER[: len(_DELIVER) // 2])
        await it.goes_on()
        await it.again(line)
        assert it.daemon.told("link.lost", link="bad")[0]["reason"] == "enquire_link_unanswered"
        it.bad.answer = correct
        await it.bad.until_bound()
        await it.buys()
        await it.goes_on()
        # the half message has left nothing behind
        assert (
            await Books(file=it.daemon.database).number("select count(*) from mos where source = '359887000001'") == 0
        )


async def test_a_pdu_in_single_octets_is_a_pdu(tmp_path: Path) -> None:
    async with two(tmp_path) as it:
        line = await it.bad.until_bound()
        for octet in _DELIVER:
            line.write(bytes([octet]))
            await asyncio.sleep(0)
        await it.bad.until(lambda: line.heard_of(octets.DELIVER_SM_RESP))
        assert line.heard_of(octets.DELIVER_SM_RESP) == [Pdu(octets.DELIVER_SM_RESP, octets.OK, 77, b"\0")]


# PDUs that have no business here


async def test_what_has_no_meaning_is_refused_and_the_session_goes_on(tmp_path: Path) -> None:
    async with two(tmp_path) as it:
        line = await it.bad.until_bound()
        line.write(octets.pack(_UNKNOWN, 78))
        line.write(octets.pack(octets.SUBMIT_SM_RESP, 0x7FFFFF00, body=b"f00\0"))
        line.write(octets.pack(octets.GENERIC_NACK, 0x7FFFFF01, status=3))
        line.write(octets.pack(_UNKNOWN | octets.RESPONSE, 79))
        line.write(octets.pack(octets.SUBMIT_SM, 80, body=b"an ESME would send this"))
        line.write(octets.pack(octets.DELIVER_SM, 81, body=b"no end"))
        await it.buys()
        nacks = [(pdu.command, pdu.status, pdu.sequence) for pdu in line.heard if 78 <= pdu.sequence <= 81]
        assert nacks[0] == (octets.GENERIC_NACK, octets.INVALID_COMMAND_ID, 78)
        assert [sequence for _, _, sequence in nacks] == [78, 80, 81]
        assert all(status != octets.OK for _, status, _ in nacks)
        assert len(it.daemon.told("link.unsolicited", link="bad")) == 2
        assert len(it.bad.lines) == 1
        await it.goes_on()


async def test_a_flood_that_does_not_read_its_answers_is_not_read_any_more(tmp_path: Path) -> None:
    async with two(tmp_path) as it:
        line = await it.bad.until_bound()
        await it.buys()
        await it.goes_on()
        before_kib = it.daemon.memory_kib()
        line.transport.pause_reading()
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):  # the machine's own are many megabytes
            line.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, buffer, 16_384)
        line.write(b"".join(octets.pack(octets.DELIVER_SM, 1000 + n, body=_DELIVER[16:]) for n in range(_FLOOD)))
        await _write_until_nobody_reads(line)
        assert it.daemon.memory_kib() - before_kib < _MOST_GROWTH_KIB
        await it.goes_on()

        line.transport.resume_reading()
        await it.bad.until(lambda: line.tally[octets.DELIVER_SM_RESP] > _FLOOD)  # the first one was bought before
        answers = {pdu.sequence for pdu in line.heard_of(octets.DELIVER_SM_RESP) if pdu.status == octets.OK}
        assert answers >= set(range(1000, 1000 + _FLOOD))
        assert len(it.bad.lines) == 1


async def _write_until_nobody_reads(line: Line) -> None:
    """Ask questions, the cheapest way to have answers written, until no more of them are taken for a second."""
    questions = octets.pack(octets.ENQUIRE_LINK, 5) * 4000
    written = 0
    since = time.monotonic()
    while time.monotonic() - since < 1.0:
        if line.transport.get_write_buffer_size() < len(questions):
            assert written < _MOST_FLOOD, "it swallows everything"
            line.write(questions)
            written += len(questions)
            since = time.monotonic()
        await asyncio.sleep(0.001)


# Binds


async def test_a_refused_connection_is_tried_again_until_it_stands(tmp_path: Path) -> None:
    async with PlainSmsc() as bad, PlainSmsc() as good:
        await bad.close()
        links = {"bad": {"port": bad.port}, "good": {"port": good.port}}
        async with daemon_of(tmp_path, links) as daemon:
            it = Two(daemon, bad, good)
            daemon.start()
            entry = await daemon.until_told("link.unreachable", times=3, link="bad")
            assert entry["peer"] == f"127.0.0.1:{bad.port}"
            assert "refused" in entry["error"]
            await it.goes_on()
            await bad.listen()
            await bad.until_bound()
            await it.buys()


async def test_a_connection_that_breaks_during_the_bind_is_made_again(tmp_path: Path) -> None:
    async with two(tmp_path) as it:
        line = await it.bad.until_bound()

        def answer(line: Line, pdu: Pdu) -> int | None:
            if pdu.command in octets.BINDS and len(it.bad.lines) <= 4:
                line.drop()
                return None
            return correct(line, pdu)

        it.bad.answer = answer
        line.drop()
        await it.again(line)
        await it.buys()
        assert len(it.daemon.told("link.unreachable", link="bad")) == 3
        assert len(it.bad.lines) == 5
        await it.goes_on()


async def test_a_bind_that_is_never_answered_is_tried_again(tmp_path: Path) -> None:
    async with two(tmp_path, response_timeout_s=0.3) as it:
        it.bad.answer = lambda *_: None
        (await it.bad.until_bound()).drop()
        entry = await it.daemon.until_told("link.unreachable", times=2, link="bad")
        assert entry["error"] == "no answer to the bind: bind_unanswered"
        await it.goes_on()
        it.bad.answer = correct
        await it.bad.until_bound()
        await it.buys()


async def test_a_wrong_password_is_one_clear_line_and_a_long_pause(tmp_path: Path) -> None:
    async with PlainSmsc() as bad, PlainSmsc() as good:
        wrong: Table = {"port": bad.port, "password_file": "wrong"}
        links = {"bad": wrong, "good": {"port": good.port}}
        async with daemon_of(tmp_path, links) as daemon:
            (tmp_path / "links" / "wrong").touch(0o600)
            (tmp_path / "links" / "wrong").write_text("guess-me")
            daemon.start()
            entry = await daemon.until_told("link.bind_refused", level="error", link="bad")
            assert entry["error"] == "the SMSC refused the bind with ESME_RINVPASWD"
            it = Two(daemon, bad, good)
            began = time.monotonic()
            while time.monotonic() - began < 1.0:  # five ordinary pauses
                await it.goes_on()
            assert len(bad.lines) == 1
            assert PASSWORD not in daemon.tail()
            assert "guess-me" not in daemon.tail()
