"""Several binds of one link: spread over hosts, moved when a host goes away, sharing the load and the rate."""

import asyncio
import traceback
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from smsgw.errors import BindError
from smsgw.kit.passwords import Passwords, Secret
from smsgw.links.link import Link
from tests.links.doubles import Inbox, outgoing, ports, scene, settings, virtual
from tests.peers import octets
from tests.peers.plain_smsc import PASSWORD, Line, PlainSmsc, correct

if TYPE_CHECKING:
    from smsgw.flows.receive import Receiver


class Spread:
    """A link over two SMSCs, with what it has submitted and to whom."""

    def __init__(self, hosts: list[PlainSmsc], changed: dict[str, Any]) -> None:
        self.hosts = hosts
        self.inbox = Inbox()
        password = changed.pop("password", PASSWORD)
        given = settings(hosts[0].port, hosts=[f"127.0.0.1:{one.port}" for one in hosts[1:]], **changed)
        passwords = Passwords(bind=Secret(password), outbind=Secret("theirs"))
        self.link = Link(ports(), "one", given, passwords, cast("Receiver", self.inbox))
        self.tasks = [asyncio.ensure_future(self.link._keep(berth)) for berth in self.link._berths]

    def counts(self) -> list[int]:
        """How many binds each host has."""
        return [len(one.live) for one in self.hosts]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(3_000):
            while not condition():  # noqa: ASYNC110 - of several peers at once
                await asyncio.sleep(0.05)  # virtual

    async def stand(self, *counts: int) -> None:
        """Wait until each host has so many binds."""
        await self.until(lambda: self.counts() == list(counts))


@asynccontextmanager
async def spread(hosts: int = 2, **changed: Any) -> AsyncIterator[Spread]:
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(PlainSmsc()) for _ in range(hosts)]
        made = Spread(peers, changed)
        try:
            yield made
        finally:
            for task in made.tasks:
                task.cancel()
            await asyncio.gather(*made.tasks, return_exceptions=True)


# Hosts


@virtual
async def test_binds_are_spread_over_the_hosts() -> None:
    async with spread(binds=5) as one:
        await one.stand(3, 2)
        await one.until(lambda: one.link.bound)
        assert [len(host.live) for host in one.hosts] == [3, 2]


@virtual
async def test_pairs_are_spread_as_pairs() -> None:
    async with spread(binds=2, bind="separate") as one:
        await one.stand(2, 2)
        for host in one.hosts:
            assert sorted(line.kind for line in host.live) == ["receiver", "transmitter"]


@virtual
async def test_a_host_that_goes_away_is_left_at_once_and_gone_back_to() -> None:
    async with spread(binds=4, host_return_s=60.0) as one:
        await one.stand(2, 2)
        stays = list(one.hosts[0].lines)
        began = asyncio.get_running_loop().time()
        await one.hosts[1].close()
        await one.stand(4, 0)
        assert asyncio.get_running_loop().time() - began < 1.0
        await asyncio.sleep(300)
        assert one.counts() == [4, 0]
        await one.hosts[1].listen()
        began = asyncio.get_running_loop().time()
        await one.stand(2, 2)
        assert asyncio.get_running_loop().time() - began < 62
        assert all(line in one.hosts[0].live for line in stays), "those that were at home have not moved"


@virtual
async def test_a_host_that_is_silent_costs_only_the_binds_that_begin_there() -> None:
    async with spread(binds=2, response_timeout_s=10.0) as one:
        one.hosts[0].answer = lambda *_: None
        began = asyncio.get_running_loop().time()
        await one.stand(0, 1)
        assert asyncio.get_running_loop().time() - began < 1
        await one.stand(0, 2)
        assert asyncio.get_running_loop().time() - began < 11


# Load


def load(one: Spread, many: int) -> None:
    """Have messages to so many phones wait, and send them."""
    for number in range(many):
        message = outgoing(f"mt_{number}")
        row = type(message.row)(**{**as_dict(message.row), "destination": f"3598{number:08}"})
        one.link.outbox._hold(type(message)(row=row, payload=message.payload))
    one.link._pump()


def as_dict(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def hold(line: Line, pdu: octets.Pdu) -> int | None:
    """Answer nothing but binds."""
    return None if pdu.command == octets.SUBMIT_SM else correct(line, pdu)


@virtual
async def test_messages_go_to_the_bind_with_most_room() -> None:
    async with spread(binds=4, window=10) as one:
        for host in one.hosts:
            host.answer = hold
        await one.until(lambda: one.link.bound)
        load(one, 22)
        lines = [line for host in one.hosts for line in host.live]
        await one.until(lambda: sum(line.tally[octets.SUBMIT_SM] for line in lines) == 22)
        assert sorted(line.tally[octets.SUBMIT_SM] for line in lines) == [5, 5, 6, 6]


@virtual
async def test_the_rate_is_the_link_s_not_a_bind_s() -> None:
    async with spread(binds=4, rate_per_s=10.0, window=100) as one:
        for host in one.hosts:
            host.answer = hold
        await one.until(lambda: one.link.bound)
        load(one, 100)
        await asyncio.sleep(5)
        sent = sum(line.tally[octets.SUBMIT_SM] for host in one.hosts for line in host.live)
        assert 50 <= sent <= 52


@virtual
async def test_messages_come_in_on_any_bind() -> None:
    async with spread(binds=2) as one:
        await one.stand(1, 1)
        mos = [host.put("359888123456") for host in one.hosts]
        await one.until(lambda: all(mo.acknowledged for mo in mos))
        assert len(one.inbox.arrivals) == 2


# Rate


@virtual
async def test_minutes_of_throttling_are_survived_in_order_and_at_a_slow_pace() -> None:
    """Five minutes of ESME_RTHROTTLED: nothing is lost, nothing overtakes, and the rate comes back by itself."""
    async with scene(rate_per_s=50.0, window=10) as one:
        tally: Counter[int] = Counter()
        loop = asyncio.get_running_loop()
        began = loop.time()

        def answer(line: Line, pdu: octets.Pdu) -> int | None:
            if pdu.command != octets.SUBMIT_SM:
                return correct(line, pdu)
            minute = int((loop.time() - began) // 60)
            tally[minute] += 1
            return octets.THROTTLED if minute < 5 else octets.OK

        one.smsc.answer = answer
        refused = type(one.waiting).refused

        def again(message: Any, told: int, _: str = "") -> None:
            refused(one.waiting, message, told)
            one.waiting.ready.append(message)

        one.waiting.refused = again  # type: ignore[assignment, method-assign]  # what an outbox does, without its pauses
        await one.bound()
        one.waiting.put(1_500)
        one.senders.pump()
        await one.until(lambda: sum(isinstance(said, str) for _, said in one.waiting.said) == 1_500)
        assert tally[0] < 400
        assert all(55 <= tally[minute] <= 300 for minute in range(1, 5)), tally
        assert one.throttle.per_s == 50
        assert len({name for name, said in one.waiting.said if isinstance(said, str)}) == 1_500


# What a person must mend


@virtual
async def test_a_wrong_password_is_one_alarm_however_many_binds_meet_it() -> None:
    with capture_logs() as logged:
        async with spread(binds=3, password="wrong") as one:
            await asyncio.sleep(200)
            assert [len(host.lines) for host in one.hosts] == [3 * 4] * 2, "every minute, each bind at each host"
    told = [entry["log_level"] for entry in logged if entry["event"] == "link.bind_refused"]
    assert Counter(told) == {"error": 1, "info": len(told) - 1}


@virtual
async def test_one_that_is_bound_already_is_tried_again_soon() -> None:
    async with spread(hosts=1, credentials_retry_s=60.0) as one:
        one.hosts[0].answer = lambda *_: 0x05  # ESME_RALYBND: the SMSC has not noticed the end of the bind before
        await one.until(lambda: len(one.hosts[0].lines) == 3)
        one.hosts[0].answer = correct
        began = asyncio.get_running_loop().time()
        await one.stand(1)
        assert asyncio.get_running_loop().time() - began < 5


@virtual
async def test_no_traceback_shows_a_password() -> None:
    """Not even one that shows the values of all variables."""
    async with scene() as one:
        one.smsc.answer = lambda *_: octets.THROTTLED
        with pytest.raises(BindError) as caught:
            await one.life
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(shown.format())
    assert "password = ***" in text
    own = [line for line in text.splitlines() if "smsgw/" in line or "***" in line]
    assert own
    assert PASSWORD not in text


# Dead peers


@virtual
async def test_a_peer_that_neither_answers_nor_closes_is_noticed_within_two_intervals() -> None:
    async with scene(enquire_link_s=30.0, response_timeout_s=300.0) as one:
        await one.bound()
        one.smsc.answer = lambda *_: None
        began = asyncio.get_running_loop().time()
        assert await one.life == "enquire_link_unanswered"
        assert asyncio.get_running_loop().time() - began <= 60.5


@virtual
async def test_an_enquire_link_is_answered_while_the_store_is_slow_and_everything_is_full() -> None:
    async with scene() as one:
        await one.bound()
        one.inbox.stores = False
        one.smsc.window = 10_000
        for number in range(3_000):
            one.smsc.put(f"35988{number:07}")
        number = one.line.request(octets.ENQUIRE_LINK)
        await one.smsc.until(lambda: one.line.heard_of(octets.ENQUIRE_LINK_RESP))
        assert one.line.heard_of(octets.ENQUIRE_LINK_RESP)[0].sequence == number
        put_off = [pdu for pdu in one.line.heard_of(octets.DELIVER_SM_RESP) if pdu.status == octets.TRY_AGAIN]
        assert len(put_off) >= 500, "beyond the bound they come again later"
        assert len(one.inbox.arrivals) <= 2_500
        one.smsc.window = 0


# The peer unbinds


@virtual
async def test_an_smsc_that_unbinds_while_submits_wait_answers_them_first() -> None:
    async with scene() as one:
        one.smsc.answer = hold
        await one.bound()
        one.waiting.put(3)
        one.senders.pump()
        await one.smsc.until(lambda: len(one.line.heard_of(octets.SUBMIT_SM)) == 3)
        one.line.request(octets.UNBIND)
        await asyncio.sleep(1)
        one.waiting.put(1)
        one.senders.pump()
        for pdu in one.line.heard_of(octets.SUBMIT_SM):
            one.smsc.respond(one.line, pdu)
        assert await one.life == "peer_unbound"
        assert [name for name, said in one.waiting.said if said is not None] == ["mt_0", "mt_1", "mt_2"]
        assert len(one.line.heard_of(octets.SUBMIT_SM)) == 3


@virtual
async def test_an_answer_that_comes_late_is_told() -> None:
    async with scene(response_timeout_s=5.0) as one:
        one.smsc.answer = hold
        await one.bound()
        one.waiting.put(1)
        one.senders.pump()
        await one.until(lambda: one.waiting.said == [("mt_0", None)])
        one.smsc.respond(one.line, one.line.heard_of(octets.SUBMIT_SM)[0])
        await one.until(lambda: len(one.waiting.said) == 2)
        assert one.waiting.said[1] == ("mt_0", "late 1")


@virtual
async def test_an_error_without_a_body_is_an_error() -> None:
    async with scene() as one:
        one.smsc.answer = lambda line, pdu: 0x440 if pdu.command == octets.SUBMIT_SM else correct(line, pdu)
        await one.bound()
        one.waiting.put(1)
        one.senders.pump()
        await one.until(lambda: one.waiting.said == [("mt_0", 0x440)])
