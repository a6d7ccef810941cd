"""Events that merchants are told, and how far the delivery of each has come: the outbox of the webhooks.

An event is stored in the transaction of what it tells. Whoever stores one holds its subject's lock, and gives it a
place after those that the subject has. What a node has claimed is its own while it lives (see ``nodes``): the clocks of
several nodes may disagree, and only what a node has claimed itself is measured by the time of a claim.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from smsgw.store.database import Reader, Row, Transaction
from smsgw.store.rows import made


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened. Columns as in migrations/*/0004_webhooks.sql."""

    id: str
    service: str
    type: str
    subject: str
    place: int
    body: str
    at_ms: int
    status: str = "pending"  # delivered, without a try: nobody wants it posted, it is for the record
    settled_ms: int | None = None
    test: int = 0  # 1: of a simulated operator


class Due(Struct, frozen=True, kw_only=True):
    """An event that waits to be posted."""

    id: str
    service: str
    type: str
    subject: str
    body: str
    tries: int  # before
    wait_ms: int | None  # until when an earlier one of its subject is in its way; None: none is


class Hold(Struct, frozen=True, kw_only=True):
    """Until when an event is a node's alone, or not looked at."""

    id: str
    until_ms: int
    node: str


class Settled(Struct, frozen=True, kw_only=True):
    """The last try of an event."""

    id: str
    subject: str
    status: str  # delivered, given_up
    tries: int
    http_status: int | None
    error: str | None
    at_ms: int
    node: str
    until_ms: int  # as it was claimed


class Retry(Struct, frozen=True, kw_only=True):
    """A try that failed, with more to come."""

    id: str
    tries: int
    http_status: int | None
    error: str | None
    next_ms: int
    node: str
    until_ms: int  # as it was claimed


class Delivery(Struct, frozen=True, kw_only=True):
    """An event with all that is known about its delivery."""

    id: str
    service: str
    type: str
    subject: str
    place: int
    body: str
    at_ms: int
    status: str  # pending, delivered, given_up; not_posted: nobody wants it posted
    tries: int
    next_ms: int
    node: str | None
    http_status: int | None
    error: str | None
    settled_ms: int | None


class Choice(Struct, frozen=True, kw_only=True):
    """Which events are meant."""

    first: str = ""  # the lowest id
    before: str = f"evt_{'z' * 26}"  # above the highest
    service: str = ""  # empty: all
    status: str = ""  # as in Delivery; empty: all
    type: str = ""  # empty: all
    test: int = -1  # 1: test events, 0: live ones, -1: both


class _Old(Struct, frozen=True, kw_only=True):
    id: str
    before_ms: int


class _Again(Struct, frozen=True, kw_only=True):
    id: str
    now_ms: int


async def insert(transaction: Transaction, rows: Sequence[Event]) -> None:
    """Store new events; they are due at once."""
    if rows:
        await transaction.executemany("events.insert", rows)


async def due(transaction: Transaction, service: str, node: str, *, now_ms: int, soon_ms: int, count: int) -> list[Due]:
    """Return events that are due and no other node's, the longest due first, locked until the transaction ends.

    Args:
        transaction: that claims or parks them.
        service: whose.
        node: who asks; gets back what it has claimed and lost.
        now_ms: now.
        soon_ms: until when those must wait whose forerunner is being posted.
        count: the most.
    """
    rows = await transaction.fetch(
        "events.due", service=service, node=node, now_ms=now_ms, soon_ms=soon_ms, count=count
    )
    return [
        Due(id=name, service=service, type=kind, subject=subject, body=body, tries=tries, wait_ms=wait_ms)
        for name, kind, subject, body, tries, wait_ms in rows
    ]


async def claim(transaction: Transaction, rows: Sequence[Hold]) -> None:
    """Take events that are due and locked."""
    if rows:
        await transaction.executemany("events.claim", rows)


async def park(transaction: Transaction, rows: Sequence[Hold]) -> None:
    """Put off events that are due and locked."""
    if rows:
        await transaction.executemany("events.park", rows)


async def settle(transaction: Transaction, rows: Sequence[Settled]) -> None:
    """Record last tries; what waited for these events is due then."""
    if rows:
        await transaction.executemany("events.settle", rows)
        in_order: list[Settled] = sorted(rows, key=_subject)  # nobody waits in a circle
        await transaction.executemany("events.follow", in_order)


def _subject(row: Settled) -> str:
    return row.subject


async def retry(transaction: Transaction, rows: Sequence[Retry]) -> None:
    """Record tries that failed."""
    if rows:
        await transaction.executemany("events.retry", rows)


async def release(transaction: Transaction, node: str, now_ms: int) -> int:
    """Give back what a node has claimed; return how many."""
    return await transaction.execute("events.release", node=node, now_ms=now_ms)


async def inherit(transaction: Transaction, node: str, now_ms: int) -> int:
    """Make due what nodes have claimed that are gone; return how many.

    Args:
        transaction: that changes them.
        node: who asks; its own claims stay.
        now_ms: now.
    """
    return await transaction.execute("events.inherit", node=node, now_ms=now_ms)


async def hasten(transaction: Transaction, service: str, *, now_ms: int, step_ms: int) -> None:
    """Make what is due after a moment due so much sooner; what a node has claimed stays as it is."""
    await transaction.execute("events.hasten", service=service, now_ms=now_ms, step_ms=step_ms)


async def ids(reader: Reader, above: str, below: str, count: int) -> list[str]:
    """Return the oldest ids between two others, which are not among them."""
    return [name for (name,) in await reader.fetch("events.ids", above=above, below=below, count=count)]


async def forget(transaction: Transaction, names: Sequence[str], before_ms: int) -> None:
    """Delete those of these events that were delivered before a moment; with a subject on its way all of them stay."""
    if names:
        await transaction.executemany("events.forget", [_Old(id=name, before_ms=before_ms) for name in sorted(names)])


async def forget_waiting(transaction: Transaction, service: str, before_ms: int, count: int) -> int:
    """Delete events of a service that happened before a moment and were not delivered; return how many."""
    return await transaction.execute("events.forget_waiting", service=service, before_ms=before_ms, count=count)


async def waiting(reader: Reader, service: str) -> int:
    """Return how many events of a service wait to be posted."""
    row = await reader.fetch_one("events.waiting", service=service)
    return int(row[0]) if row else 0


async def walk(reader: Reader, choice: Choice, count: int) -> list[Delivery]:
    """Return the latest of the chosen events."""
    query = "events.listed" if choice.service and choice.test >= 0 else "events.walk"  # the first has an index
    return _deliveries(await reader.fetch(query, **structs.asdict(choice), count=count))


async def of_subject(reader: Reader, subject: str) -> list[Delivery]:
    """Return all events of one subject, in their order."""
    return _deliveries(await reader.fetch("events.of_subject", subject=subject))


def _deliveries(rows: Iterable[Row]) -> list[Delivery]:
    return made(Delivery, rows)


async def again(transaction: Transaction, names: Sequence[str], now_ms: int) -> None:
    """Have events posted once more, with the same ids; those that a node is just posting are left to it.

    An event that was settled has all its tries anew. One in its pause has a try now, one of those that it has left, and
    no other event has a shorter pause for it.
    """
    if names:
        await transaction.executemany("events.again", [_Again(id=name, now_ms=now_ms) for name in sorted(names)])
