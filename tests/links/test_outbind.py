"""An SMSC that connects to us: it says who it is, we bind on its connection; anybody else is told nothing."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from smsgw.kit.passwords import Passwords, Secret
from smsgw.links.link import Link
from smsgw.links.listener import Listener
from smsgw.settings import LinkSettings
from tests.links.doubles import Inbox, ports, virtual
from tests.peers.plain_smsc import PASSWORD, Line, PlainSmsc

if TYPE_CHECKING:
    from smsgw.flows.receive import Receiver

_OUTBIND = 0x0000000B


class Called:
    """A link that listens, and the SMSC that calls it."""

    def __init__(self, port: int, smsc: PlainSmsc, link: Link, inbox: Inbox) -> None:
        self.port = port
        self.smsc = smsc
        self.link = link
        self.inbox = inbox

    async def call(self, system_id: bytes = b"smsc", password: bytes = b"theirs") -> Line:
        """Connect and say who it is."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    _, line = await loop.create_connection(lambda: Line(self.smsc), "127.0.0.1", self.port)
                    break
                await asyncio.sleep(0.1)
        if system_id:
            line.request(_OUTBIND, system_id + b"\0" + password + b"\0")
        return line


@asynccontextmanager
async def called(**changed: Any) -> AsyncIterator[Called]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    given = LinkSettings(
        listen=f"127.0.0.1:{port}",
        system_id="smsgw",
        password_file="x",
        outbind_system_id="smsc",
        outbind_password_file="y",
        **changed,
    )
    inbox = Inbox()
    passwords = Passwords(bind=Secret(PASSWORD), outbind=Secret("theirs"))
    link = Link(ports(), "one", given, passwords, cast("Receiver", inbox))
    listener = Listener("one", ("127.0.0.1", port), given.binds, link._welcome)
    async with PlainSmsc() as smsc:
        task = asyncio.ensure_future(listener.run())
        try:
            yield Called(port, smsc, link, inbox)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@virtual
async def test_who_says_who_it_is_gets_our_bind_on_its_own_connection() -> None:
    async with called() as one:
        line = await one.call()
        await one.smsc.until(lambda: line.kind == "transceiver")
        await asyncio.sleep(0.1)
        assert one.link.bound
        mo = one.smsc.put("359888123456")
        await one.smsc.until(lambda: mo.acknowledged)
        line.drop()
        await one.smsc.until(lambda: line.closed)
        await asyncio.sleep(0.1)
        assert (one.link.bound, len(one.inbox.ended)) == (False, 1)


@virtual
async def test_where_binds_are_separate_it_is_a_receiver_s() -> None:
    async with called(bind="separate") as one:
        line = await one.call()
        await one.smsc.until(lambda: line.kind == "receiver")


@virtual
@pytest.mark.parametrize(
    ("system_id", "password"), [(b"smsc", b"wrong"), (b"other", b"theirs"), (b"smsc", b""), (b"smsc", b"their")]
)
async def test_who_says_something_else_is_told_nothing(system_id: bytes, password: bytes) -> None:
    with capture_logs() as logged:
        async with called() as one:
            line = await one.call(system_id, password)
            await one.smsc.until(lambda: line.closed)
            assert line.heard == []
            assert one.inbox.items == [], "the store hears nothing of it"
    [entry] = [entry for entry in logged if entry["event"] == "link.bind_refused"]
    assert entry["peer"].startswith("127.0.0.1:")
    assert "wrong" not in str({key: value for key, value in entry.items() if key != "error"})


@virtual
async def test_who_says_nothing_is_sent_away_in_time() -> None:
    async with called(response_timeout_s=5.0) as one:
        began = asyncio.get_running_loop().time()
        line = await one.call(b"")
        await one.smsc.until(lambda: line.closed)
        assert 5 <= asyncio.get_running_loop().time() - began < 8
        assert line.heard == []


@virtual
async def test_there_is_no_crowd_at_the_door() -> None:
    async with called() as one:
        lines = [await one.call(b"") for _ in range(8)]
        await asyncio.sleep(1)
        assert [line.closed for line in lines] == [True] * 3 + [False] * 5, "who says nothing gives way to who comes"


@virtual
async def test_an_address_that_is_taken_is_tried_again() -> None:
    with capture_logs() as logged, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listener = Listener("one", taken.getsockname(), 1, cast("Any", None))
        task = asyncio.ensure_future(listener.run())
        await asyncio.sleep(25)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [entry["event"] for entry in logged] == ["link.not_listening"] * 3
