"""A merchant's address that answered 410 Gone is posted to again, by somebody's wish; in the audit log."""

from msgspec import Struct

from smsgw.flows.audit import entry
from smsgw.flows.ports import Ports
from smsgw.store import audit, endpoints, events
from smsgw.store.database import Transaction


class Enabled(Struct, frozen=True, kw_only=True):
    """What came of it."""

    was_gone: bool
    waiting: int  # events that are posted now, or by the schedule


async def enable(ports: Ports, service: str, actor: str) -> Enabled:
    """Have a service's events posted again; the daemon finds it at its next look around."""

    async def body(transaction: Transaction) -> Enabled:
        was_gone = await endpoints.reopen(transaction, service)
        if was_gone:
            await audit.record(transaction, [entry(ports, actor, "webhooks.enabled", service, {})])
        return Enabled(was_gone=was_gone, waiting=await events.waiting(transaction, service))

    return await ports.database.transact(body)
