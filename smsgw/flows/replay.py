"""Events that are posted once more, by somebody's wish; in the audit log."""

from typing import Final

from msgspec import structs

from smsgw.flows.audit import entry
from smsgw.flows.ports import Ports
from smsgw.store import audit, events
from smsgw.store.database import Transaction
from smsgw.store.events import Choice

_PAGE: Final = 500  # in one transaction: the daemon writes in between


async def replay(ports: Ports, choice: Choice, actor: str, subject: str) -> int:
    """Make the chosen events due again, with their old ids; the daemon finds them at its next look around.

    Those that are being posted just now are left alone.

    Args:
        ports: the world.
        choice: which.
        actor: who wants it.
        subject: what they call it, for the audit log.

    Returns:
        How many.
    """
    total = 0
    while True:
        count, last = await ports.database.transact(lambda transaction: _page(ports, transaction, choice))  # noqa: B023 - awaited before the next
        total += count
        if not last:
            break
        choice = structs.replace(choice, before=last)
    async with ports.database.write() as transaction:
        await audit.record(transaction, [entry(ports, actor, "webhooks.replayed", subject, {"events": total})])
    return total


async def _page(ports: Ports, transaction: Transaction, choice: Choice) -> tuple[int, str]:
    """Replay the latest of the chosen; return how many, and the id below which the rest is; "" when there is none."""
    rows = await events.walk(transaction, choice, _PAGE)
    free = [row.id for row in rows if row.node is None]
    await events.again(transaction, free, ports.clock.now_ms())
    return len(free), rows[-1].id if len(rows) == _PAGE else ""
