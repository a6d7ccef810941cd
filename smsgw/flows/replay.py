"""Events that are posted once more, by somebody's wish; in the audit log."""

from typing import Final

from msgspec import Struct, structs

from smsgw.flows.audit import entry
from smsgw.flows.ports import Ports
from smsgw.store import audit, events
from smsgw.store.database import Transaction
from smsgw.store.events import Choice

_PAGE: Final = 500  # in one transaction: the daemon writes in between


class Replayed(Struct, frozen=True, kw_only=True):
    """What came of a replay."""

    events: int
    more: str  # the rest has ids below this one; "": there is none


async def replay(ports: Ports, choice: Choice, actor: str, subject: str, *, rush: bool) -> int:
    """Make the chosen events due again, with their old ids; the daemon finds them at its next look around.

    Each is tried now, once; if that fails, by the schedule. Those that are being posted just now are left alone. The
    order of a subject's events holds: behind an earlier one that waits, a replayed one waits as well.

    Args:
        ports: the world.
        choice: which.
        actor: who wants it.
        subject: what they call it, for the audit log.
        rush: whether events in the pause before their next try are tried now as well. Somebody who names an event wants
            that; whoever replays a day of a merchant does not mean to hammer a server that needs its pauses.

    Returns:
        How many.
    """
    return (await replay_some(ports, choice, actor, subject, rush=rush, pages=None)).events


async def replay_some(
    ports: Ports, choice: Choice, actor: str, subject: str, *, rush: bool, pages: int | None
) -> Replayed:
    """Do the same for so many pages of 500 at most, the latest events first."""
    total, last = 0, ""
    while True:
        count, last = await ports.database.transact(lambda transaction: _page(ports, transaction, choice, rush=rush))  # noqa: B023 - awaited before the next
        total += count
        pages = None if pages is None else pages - 1
        if not last or pages == 0:
            break
        choice = structs.replace(choice, before=last)
    async with ports.database.write() as transaction:
        await audit.record(transaction, [entry(ports, actor, "webhooks.replayed", subject, {"events": total})])
    return Replayed(events=total, more=last)


async def _page(ports: Ports, transaction: Transaction, choice: Choice, *, rush: bool) -> tuple[int, str]:
    """Replay the latest of the chosen; return how many, and the id below which the rest is; "" when there is none.

    What its merchant does not want posted is posted only when it is asked for by that.
    """
    rows = await events.walk(transaction, choice, _PAGE)
    kept = set() if rush else {"pending", *({"not_posted"} - {choice.status})}
    free = [row.id for row in rows if row.node is None and row.status not in kept]
    await events.again(transaction, free, ports.clock.now_ms())
    return len(free), rows[-1].id if len(rows) == _PAGE else ""
