"""A small world for the flows: a real database, a clock that stands still, seeded chance, and faults on demand."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeVar

import msgspec
import pytest
from msgspec import structs

from smsgw.domain import catalog, codes
from smsgw.domain.routing import Routes
from smsgw.flows.drafts import Arrival
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.receive import Receiver, SessionEnded, SessionStarted
from smsgw.kit.clock import ManualClock
from smsgw.kit.ids import IdMaker
from smsgw.kit.vault import Key, Vault
from smsgw.settings import Answers, LinkSettings, ServiceSettings
from smsgw.smpp.pdus import DataSm, DeliverSm
from smsgw.store.database import Database, Reader, Transaction
from smsgw.store.queries import Dialect
from smsgw.store.sessions import SessionRow
from smsgw.text import coding
from smsgw.text.segments import split
from tests.servers.engines import Engine
from tests.store.look import select

T = TypeVar("T")

PHONE: Final = "359881234567"
SECOND: Final = 1_000  # milliseconds
LINK: Final = LinkSettings(
    host="smsc.example", port=2775, system_id="us", password_file="x", smsc_response_timer_s=10, receipts=True
)
SUN: Final = ServiceSettings(
    short_code="1234",
    keywords=["SUN"],
    reply="Code {code} until {valid_until}",
    success_url="https://sun.example/in",
    expired_url="https://sun.example/over",
    invalid_url="https://sun.example/what",
    valid_for_s=3_600,
    uses=3,
)
ANSWERS: Final = Answers(unknown_keyword="What?", unknown_short_code="Where?", empty="Empty!", unreadable="Can't read.")


class Fickle:
    """A database that fails when it is told to, before the commit or just behind it."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner
        self.before: list[Exception] = []  # one for each transaction to come; it is rolled back
        self.behind: list[Exception] = []  # the commit has taken place, and nobody is told
        self.on_commit: list[Callable[[], None]] = []  # what happens meanwhile; one for each transaction to come
        self.open = asyncio.Event()  # transactions wait while it is not set
        self.open.set()
        self.entered = asyncio.Event()  # somebody wants a transaction
        self.transactions = 0

    @property
    def dialect(self) -> Dialect:
        return self._inner.dialect

    @property
    def shared(self) -> bool:
        return self._inner.shared

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        self.entered.set()
        await self.open.wait()
        self.transactions += 1
        async with self._inner.write() as transaction:
            yield transaction
            if self.before:
                raise self.before.pop(0)
        self._committed()

    async def transact(self, body: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        self.entered.set()
        await self.open.wait()
        self.transactions += 1

        async def wrapped(transaction: Transaction) -> T:
            result = await body(transaction)
            if self.before:
                raise self.before.pop(0)
            return result

        done = await self._inner.transact(wrapped)
        self._committed()
        return done

    def _committed(self) -> None:
        if self.on_commit:
            self.on_commit.pop(0)()
        if self.behind:
            raise self.behind.pop(0)

    def read(self) -> AbstractAsyncContextManager[Reader]:
        return self._inner.read()

    async def close(self) -> None:
        await self._inner.close()


class World:
    """Everything that the flows need, and what they have handed out."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        *,
        clock: ManualClock | None = None,
        seed: int = 1,
        node: str = "left",
        services: Mapping[str, ServiceSettings] | None = None,
        links: Mapping[str, LinkSettings] | None = None,
        answers: Answers = ANSWERS,
    ) -> None:
        chance = random.Random(seed)
        self.engine = engine
        self.clock = clock or ManualClock()
        self.database = Fickle(database)
        links = dict(links or {"north": LINK, "south": LINK})
        services = dict(services or {"sun": SUN})
        self.ports = Ports(
            node=node,
            database=self.database,
            clock=self.clock,
            ids=IdMaker(self.clock, chance.randbytes),
            random_bytes=chance.randbytes,
            random=chance.random,
            vault=Vault([Key("k1", bytes(32))], chance.randbytes),
        )
        self.catalog = Catalog(
            links=links, services=catalog.build(services), routes=Routes(services, links), answers=answers
        )
        self.sent: list[Outgoing] = []
        self.receiver = Receiver(self.ports, self.catalog, self.sent.extend)
        self.proven: dict[str, str] = {}

    # What happens

    async def begin(self, link: str = "north") -> str:
        """Begin a session; return its id."""
        name = self.ports.ids.new("ses")
        self.proven[name] = self.ports.ids.new("mo")
        now_ms = self.clock.now_ms()
        row = SessionRow(id=name, link=link, node=self.ports.node, bound_ms=now_ms, proven=self.proven[name])
        await self.receiver.submit(SessionStarted(row=row))
        return name

    async def end(self, session: str, link: str = "north") -> None:
        """End a session, with what has been proven by then."""
        await self.receiver.submit(SessionEnded(session=session, link=link, proven=self.proven[session]))

    def arrival(
        self,
        text: str | bytes = "SUN",
        *,
        session: str = "ses_0",
        link: str = "north",
        pdu: DeliverSm | DataSm | None = None,
        **fields: Any,
    ) -> Arrival:
        """Make a message as it comes from a link now."""
        return Arrival(
            id=self.ports.ids.new("mo"),
            link=link,
            session=session,
            received_ms=self.clock.now_ms(),
            arrived_ms=self.clock.monotonic_ms(),
            proven=self.proven.get(session, ""),
            pdu=pdu or deliver(text, **fields),
        )

    async def take(self, *arrivals: Arrival) -> list[BaseException | None]:
        """Hand in arrivals at once; return what became of each future."""
        futures = [self.receiver.submit(one) for one in arrivals]
        return await asyncio.gather(*futures, return_exceptions=True)

    async def sms(self, text: str | bytes = "SUN", **fields: Any) -> Arrival:
        """Receive one message, which must succeed."""
        arrival = self.arrival(text, **fields)
        await self.receiver.submit(arrival)
        return arrival

    # What is there

    async def rows(self, table: str, *names: str) -> list[tuple[Any, ...]]:
        """Return columns of a table in the order of its ids."""
        key = "mo" if table == "mo_uncertain" else "id"
        return [
            tuple(row.values())
            for row in await select(self.engine, f"select {', '.join(names)} from {table} order by {key}")
        ]

    async def count(self, table: str) -> int:
        return len(await self.rows(table, "1 as one"))

    async def verdicts(self) -> list[tuple[Any, ...]]:
        """Return what was decided about each message."""
        return await self.rows("mos", "status", "outcome")

    async def doubted(self) -> list[str]:
        return [mo for (mo,) in await self.rows("mo_uncertain", "mo")]

    async def codes(self) -> list[str]:
        """Return the codes that were made, opened."""
        sealed = await self.rows("codes", "id", "sealed")
        return [self.ports.vault.open(bytes(text), name, "k1").decode() for name, text in sealed]


@asynccontextmanager
async def world(engine: Engine, **changes: Any) -> AsyncIterator[World]:
    """Open a database and live in it; opened again, it is the next life of the daemon."""
    async with engine.open() as database:
        one = World(database, engine, **changes)
        try:
            yield one
        finally:
            one.database.open.set()
            await one.receiver.close()


def deliver(text: str | bytes = "SUN", **fields: Any) -> DeliverSm:
    """Return a deliver_sm from the subscriber to the short code."""
    octets = text if isinstance(text, bytes) else text.encode("utf-16-be")
    given: dict[str, Any] = {"source_addr": PHONE, "source_addr_ton": 1, "source_addr_npi": 1}
    given |= {"destination_addr": "1234", "dest_addr_ton": 3, "dest_addr_npi": 9}
    given |= {"data_coding": 0 if isinstance(text, bytes) else 8, "short_message": octets}
    return DeliverSm(**(given | fields))


def parts(text: str, reference: int = 7, **fields: Any) -> list[DeliverSm]:
    """Return a long text as the deliver_sm that a phone makes of it."""
    return [
        deliver(piece.payload, esm_class=piece.esm_class, data_coding=piece.data_coding, **fields)
        for piece in split(text, reference=reference)
    ]


def receipt(message_id: str, state: str = "DELIVRD", **fields: Any) -> DeliverSm:
    """Return a delivery receipt as Appendix B writes it."""
    text = f"id:{message_id} sub:001 dlvrd:001 submit date:2608010000 done date:2608010000 stat:{state} err:000 text:"
    return deliver(text.encode(), esm_class=0x04, **fields)


def texts(outgoing: Sequence[Outgoing]) -> list[str]:
    """Return what the subscriber will read, message by message."""
    return [coding.decode(one.payload, one.row.data_coding) for one in outgoing if one.row.parts == 1]


def changed(value: T, **changes: Any) -> T:
    """Return a frozen value with other fields."""
    assert isinstance(value, msgspec.Struct)
    return structs.replace(value, **changes)


def narrow(monkeypatch: pytest.MonkeyPatch, letters: str) -> None:
    """Let codes be made of these letters only, so that they run out."""
    monkeypatch.setitem(codes._DRAWING, ("both", True), codes._drawing(letters))
