"""Events that are posted once more, by somebody's wish; in the audit log."""

from typing import Final

from msgspec import structs

from smsgw.flows.audit import entry
from smsgw.flows.ports import Ports
from smsgw.store import audit, events
from smsgw.store.database import Transaction
from smsgw.store.events import Choice

_PAGE: Final = 500  # in one transaction: the daemon writes in between


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
    total = 0
    while True:
        count, last = await ports.database.transact(lambda transaction: _page(ports, transaction, choice, rush=rush))  # noqa: B023 - awaited before the next
        total += count
        if not last:
            break
        choice = structs.replace(choice, before=last)
    async with ports.database.write() as transaction:
        await audit.record(transaction, [entry(ports, actor, "webhooks.replayed", subject, {"events": total})])
    return total


async def _page(ports: Ports, transaction: Transaction, choice: Choice, *, rush: bool) -> tuple[int, str]:
    """Replay the latest of the chosen; return how many, and the id below which the rest is; "" when there is none."""
    rows = await events.walk(transaction, choice, _PAGE)
    free = [row.id for row in rows if row.node is None and (rush or row.status != "pending")]
    await events.again(transaction, free, ports.clock.now_ms())
    return len(free), rows[-1].id if len(rows) == _PAGE else ""
