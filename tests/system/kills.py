"""A campaign of kills: the daemon dies again and again under load, and the SMSC delivers again what got no answer.

Each message comes from a number of its own, so that what a number has bought can be counted at the end; some numbers
send the same text twice at once, in a session that lives until both are acknowledged, and have bought twice.
"""

import asyncio
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Final

from tests.peers import octets
from tests.peers.octets import Pdu
from tests.peers.plain_smsc import Line, Mo, PlainSmsc, correct
from tests.system.books import Books
from tests.system.daemon import PATIENCE_S, Daemon
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_BACKLOG = 100  # messages that wait at the SMSC at any time
_DRAIN_S = 60.0
_WEIGHTS = (8, 5, 2, 2, 3, 4)  # how often each way comes


class Campaign:
    """The kills, and what must be true after them."""

    def __init__(self, random: Random, smsc: PlainSmsc, daemon: Daemon, books: Books) -> None:
        self.kills: Counter[str] = Counter()
        self.mos: list[Mo] = []
        self.bought: Counter[str] = Counter()  # {MSISDN: messages that it has sent}
        self._random = random
        self._smsc = smsc
        self._daemon = daemon
        self._books = books
        self._start_s = 1.0  # from the start to the bind
        self._ways: list[Callable[[], Awaitable[None]]] = [
            self._under_load,
            self._after_the_bind,
            self._while_starting,
            self._while_binding,
            self._while_stopping,
            self._between_lost_connections,
        ]

    async def run(self, kills: int) -> None:
        """Kill so many times, each way at least once, then let it live and work off everything."""
        began = time.monotonic()
        feeder = asyncio.ensure_future(self._feed())
        try:
            for number in range(kills):
                [way] = self._ways[number : number + 1] or self._random.choices(self._ways, weights=_WEIGHTS)
                if number % 5 == 0:
                    await self._start_and_buy_twice()
                    await self._daemon.kill()
                    self.kills["after buying twice"] += 1
                await way()
                self.kills[way.__name__.strip("_").replace("_", " ")] += 1
        finally:
            feeder.cancel()
            with suppress(asyncio.CancelledError):
                await feeder
        await self._drain()
        sys.stdout.write(f"{self._figures(time.monotonic() - began)}\n")

    async def _feed(self) -> None:
        while True:
            for _ in range(_BACKLOG - len(self._smsc.queue)):
                self._put(f"35988{len(self.mos):07}")
            await asyncio.sleep(0.005)

    def _put(self, source: str) -> Mo:
        mo = self._smsc.put(source)
        self.mos.append(mo)
        self.bought[source] += 1
        return mo

    # Lives

    async def _start(self) -> Line:
        began = time.monotonic()
        self._daemon.start()
        line = await self._smsc.until_bound()
        self._start_s = time.monotonic() - began
        return line

    async def _start_and_buy_twice(self) -> None:
        """One life in which a number sends the same text twice in one window, on one connection that lives on."""
        await self._start()
        twins = [self._put(f"35989{len(self.mos):07}")]
        twins.append(self._put(twins[0].source))
        await self._smsc.until(lambda: all(twin.acknowledged for twin in twins))
        assert [twin.deliveries for twin in twins] == [1, 1]

    async def _sleep(self, longest_s: float) -> None:
        """Let a random time go by: this is the point at which it dies."""
        await asyncio.sleep(self._random.uniform(0, longest_s))

    async def _under_load(self) -> None:
        await self._start()
        await self._sleep(0.4)
        await self._daemon.kill()

    async def _after_the_bind(self) -> None:
        """What the last session left in doubt is just being delivered again."""
        await self._start()
        await self._sleep(0.03)
        await self._daemon.kill()

    async def _while_starting(self) -> None:
        self._daemon.start()
        await self._sleep(self._start_s)
        await self._daemon.kill()

    async def _while_binding(self) -> None:
        """The bind has come, and the answer is just being sent, or never is."""
        asked = asyncio.Event()
        answers = self._random.random() < 0.5

        def answer(line: Line, pdu: Pdu) -> int | None:
            if pdu.command in octets.BINDS:
                asked.set()
                return correct(line, pdu) if answers else None
            return correct(line, pdu)

        self._smsc.answer = answer
        self._daemon.start()
        async with asyncio.timeout(PATIENCE_S):
            await asked.wait()
        await self._sleep(0.005)
        await self._daemon.kill()
        self._smsc.answer = correct

    async def _while_stopping(self) -> None:
        await self._start()
        await self._sleep(0.2)
        self._daemon.signal(signal.SIGTERM)
        await self._sleep(0.1)
        await self._daemon.kill()

    async def _between_lost_connections(self) -> None:
        """The SMSC breaks the connection again and again while it is busy; the daemon lives on."""
        line = await self._start()
        for _ in range(4):
            await self._sleep(0.1)
            line.drop()
            await self._smsc.until(lambda: not self._smsc.live)
            line = await self._smsc.until_bound()
        await self._sleep(0.1)
        await self._daemon.kill()

    async def _drain(self) -> None:
        await self._start_and_buy_twice()
        await self._smsc.until(lambda: self._smsc.idle, _DRAIN_S)
        deadline = time.monotonic() + _DRAIN_S
        while await self._books.number("select count(*) from mts where status = 'queued'"):
            assert time.monotonic() < deadline, f"answers are stuck: {self._daemon.tail()}"
            await asyncio.sleep(0.05)
        code = next(iter(self._smsc.codes.values()))[0]
        assert (await self._daemon.verify(code)).place.endswith("/in")
        assert await self._daemon.stop() == 0
        await until(lambda: not self._smsc.live, PATIENCE_S)

    def _figures(self, seconds: float) -> str:
        again = sum(mo.deliveries - 1 for mo in self.mos)
        twice = sum(len(codes) - len(set(codes)) for codes in self._smsc.codes.values())
        return (
            f"{self.kills.total()} kills in {seconds:.0f} s: {dict(self.kills)}; {len(self.mos)} messages, "
            f"{again} deliveries again, {len(self._smsc.submitted)} answers of which {twice} were sent again"
        )

    # What must be true

    async def check(self) -> None:
        """At the SMSC and in the database: nothing acknowledged is lost, sold twice or half done."""
        assert [mo.source for mo in self.mos if not mo.acknowledged] == []
        at_smsc = Counter({source: len(set(codes)) for source, codes in self._smsc.codes.items()})
        in_books: Counter[str] = Counter(
            dict(await self._books.rows("select msisdn, count(*) from codes group by msisdn"))
        )
        wrong = [number for number in self.bought if not at_smsc[number] == in_books[number] == self.bought[number]]
        assert wrong == [], f"{len(wrong)} numbers got more or less than they bought: {await self._story(wrong[0])}"
        assert in_books.total() == self.bought.total()
        for what, query in _NEVER.items():
            assert await self._books.rows(query) == [], what

    async def _story(self, number: str) -> str:
        """Tell what happened to the messages of a number."""
        mos = [mo for mo in self.mos if mo.source == number]
        told = [f"sent {len(mos)} times, delivered {[mo.deliveries for mo in mos]} times"]
        told += map(
            str, await self._books.rows(f"select id, session, status, whole from mos where source = '{number}'")
        )
        return "\n".join(told)


_NEVER: Final = {
    "a message without an outcome": "select id from mos where status not in ('done', 'repeated')",
    "a purchase without a code": "select id from mos where status = 'done' and coalesce(outcome, '') <> 'code_issued'",
    "a code without its purchase": "select id from codes where mo not in (select id from mos where status = 'done')",
    "a code without an answer": "select id from codes where mo not in (select mo from mts)",
    "a code with two answers": "select mo from mts group by mo having count(*) > 1",
    "an answer without a code": "select id from mts where mo not in (select mo from codes)",
    "an answer that was not sent": "select id from mts where status <> 'accepted'",
}
