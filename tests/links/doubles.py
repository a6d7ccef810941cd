"""What stands around a connection in its tests: a receiver that stores when told to, messages that wait, an SMSC."""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Self, cast

from smsgw.domain.statuses import Rules
from smsgw.errors import StoreUnavailable
from smsgw.flows.drafts import Arrival
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.ports import Ports
from smsgw.flows.receive import Item, Receiver, SessionEnded, SessionStarted
from smsgw.kit.ids import IdMaker
from smsgw.kit.limits import Throttle
from smsgw.kit.passwords import Secret
from smsgw.links.connection import Connection, Factory, Parts
from smsgw.links.senders import Senders
from smsgw.settings import LinkSettings
from smsgw.store.mts import MtRow
from tests.peers.plain_smsc import PASSWORD, Line, PlainSmsc
from tests.simulator.virtual_loop import LoopClock, run

if TYPE_CHECKING:
    from smsgw.flows.send import Outbox
    from smsgw.kit.wire import Wire
    from smsgw.smpp.events import Event

_NOBODY: Final[Any] = None  # where the part under test never looks


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in virtual time."""

    @wraps(test)
    def within(*arguments: Any, **named: Any) -> None:
        run(test(*arguments, **named))

    return within


class Inbox:
    """Stands for the receiver: keeps what was submitted, and stores it at once or when the test says so.

    Attributes:
        stores: whether arrivals are stored at once.
        full: whether everything is refused.
        fails: so many ends of sessions cannot be stored.
        stored: {id of the arrival: its future}, in order of arrival.
    """

    def __init__(self) -> None:
        self.stores = True
        self.full = False
        self.fails = 0
        self.items: list[Item] = []
        self.stored: dict[str, asyncio.Future[None]] = {}

    def submit(self, item: Item) -> asyncio.Future[None]:
        if self.full:
            raise asyncio.QueueFull
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.fails and isinstance(item, SessionEnded):
            self.fails -= 1
            future.set_exception(StoreUnavailable("the disk is full"))
            return future
        self.items.append(item)
        if isinstance(item, Arrival):
            self.stored[item.id] = future
        if self.stores or not isinstance(item, Arrival):
            future.set_result(None)
        return future

    @property
    def arrivals(self) -> list[Arrival]:
        return [item for item in self.items if isinstance(item, Arrival)]

    def store(self, *arrivals: Arrival) -> None:
        """Let these be stored, in this order."""
        for arrival in arrivals:
            self.stored[arrival.id].set_result(None)

    @property
    def began(self) -> list[SessionStarted]:
        return [item for item in self.items if isinstance(item, SessionStarted)]

    @property
    def ended(self) -> list[SessionEnded]:
        return [item for item in self.items if isinstance(item, SessionEnded)]


class Waiting:
    """Stands for the outbox: gives what waits, and keeps what was said about it."""

    def __init__(self) -> None:
        self.ready: deque[Outgoing] = deque()
        self.said: list[tuple[str, object]] = []
        self._made = count()

    def put(self, many: int) -> None:
        """Let so many messages wait."""
        self.ready.extend(outgoing(f"mt_{next(self._made)}") for _ in range(many))

    def take(self) -> Outgoing | None:
        return self.ready.popleft() if self.ready else None

    def wait_ms(self) -> int | None:
        return None

    def accepted(self, message: Outgoing, message_id: str) -> None:
        self.said.append((message.row.id, message_id))

    def refused(self, message: Outgoing, command_status: int, _: str = "") -> None:
        self.said.append((message.row.id, command_status))

    def unsendable(self, message: Outgoing, command_status: int) -> None:
        self.said.append((message.row.id, f"unsendable {command_status}"))

    def late(self, message: Outgoing, message_id: str) -> None:
        self.said.append((message.row.id, f"late {message_id}"))

    def unanswered(self, message: Outgoing) -> None:
        self.said.append((message.row.id, None))


def outgoing(mt: str, text: bytes = b"Your code is AB34") -> Outgoing:
    """Return a message that waits to be sent."""
    row = MtRow(
        id=mt,
        mo=None,
        node="test",
        link="one",
        source="1234",
        source_ton=0,
        source_npi=1,
        destination="359888123456",
        dest_ton=1,
        dest_npi=1,
        esm_class=0,
        data_coding=0,
        sealed=b"",
        key_id="",
        registered=0,
        part=1,
        parts=1,
        created_ms=0,
        expires_ms=1 << 60,
        not_before_ms=0,
        tries=0,
    )
    return Outgoing(row=row, payload=text)


def ports() -> Ports:
    """Return a world of which only clock, ids and chance exist; chance always says 0."""
    clock = LoopClock()
    return Ports(
        node="test",
        database=_NOBODY,
        clock=clock,
        ids=IdMaker(clock, secrets.token_bytes),
        random_bytes=secrets.token_bytes,
        random=lambda: 0.0,
        vault=_NOBODY,
    )


def settings(port: int, **changed: Any) -> LinkSettings:
    """Return a link's settings."""
    return LinkSettings(host="127.0.0.1", port=port, system_id="smsgw", password_file="password", **changed)


class Scene:
    """A connection between an SMSC and what stands around it."""

    def __init__(self, smsc: PlainSmsc, kind: str, changed: dict[str, Any]) -> None:
        self.smsc = smsc
        self.inbox = Inbox()
        self.waiting = Waiting()
        link = settings(smsc.port, **changed)
        world = ports()
        outbox = cast("Outbox", self.waiting)
        self.throttle = Throttle(link.rate_per_s)
        self.senders = Senders("one", outbox, self.throttle, Rules(link.status), world.clock.monotonic_ms)
        parts = Parts(
            ports=world, link="one", settings=link, receiver=cast("Receiver", self.inbox), senders=self.senders
        )
        self.connection = Connection(parts, kind)
        self.life = asyncio.ensure_future(self.connection.run(Secret(PASSWORD), None, self._connect))

    async def _connect(self, factory: "Factory") -> "Wire[Event]":
        _, wire = await asyncio.get_running_loop().create_connection(factory, "127.0.0.1", self.smsc.port)
        return wire

    async def bound(self) -> Self:
        """Wait for the bind, as both sides see it."""
        await self.smsc.until(lambda: self.smsc.live)
        await self.until(lambda: self.connection.bound)
        return self

    @property
    def line(self) -> Line:
        """The connection at the SMSC's side."""
        return self.smsc.lines[-1]

    async def until(self, condition: Any) -> None:
        """Wait for something on this side."""
        async with asyncio.timeout(600):
            while not condition():  # noqa: ASYNC110 - no event is told: these are the program's own attributes
                await asyncio.sleep(0.05)  # virtual

    async def end(self) -> SessionEnded:
        """Break the connection; return what was recorded of its end."""
        self.line.drop()
        await self.life
        return self.inbox.ended[-1]


@asynccontextmanager
async def scene(kind: str = "transceiver", **changed: Any) -> AsyncIterator[Scene]:
    """Give a connection that has begun."""
    async with PlainSmsc() as smsc:
        made = Scene(smsc, kind, changed)
        try:
            yield made
        finally:
            made.life.cancel()
            await asyncio.gather(made.life, return_exceptions=True)
