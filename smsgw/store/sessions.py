"""Nodes and their link sessions: which acknowledgements have provably arrived."""

from collections.abc import Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction


class SessionRow(Struct, frozen=True, kw_only=True):
    """A bind that can receive."""

    id: str
    link: str
    node: str
    bound_ms: int
    proven: str  # an id made at the bind; sorts before the session's first message


class Proof(Struct, frozen=True, kw_only=True):
    """How far a session has come."""

    session: str
    proven: str  # the last message whose acknowledgement has provably arrived, or an id before the next one
    newest: str  # the last message that it has brought; "" when there is none since the last time


async def seen(transaction: Transaction, node: str, now_ms: int) -> None:
    """Record that a node lives."""
    await transaction.execute("sessions.seen", node=node, now_ms=now_ms)


async def start(transaction: Transaction, row: SessionRow) -> None:
    """Record a bind."""
    await transaction.execute(
        "sessions.start", id=row.id, link=row.link, node=row.node, bound_ms=row.bound_ms, proven=row.proven
    )


async def prove(transaction: Transaction, rows: Sequence[Proof]) -> None:
    """Move sessions forward."""
    if rows:
        await transaction.executemany("sessions.prove", rows)


async def end(transaction: Transaction, session: str, now_ms: int) -> None:
    """Record that a session is over."""
    await transaction.execute("sessions.end", session=session, now_ms=now_ms)


async def left_open(reader: Reader, node: str) -> list[tuple[str, str]]:
    """Return (session, link) of what a node left open when it died."""
    return [(session, link) for session, link in await reader.fetch("sessions.open", node=node)]
