"""What is written into the audit log, in the transaction that does it."""

from collections.abc import Mapping

import msgspec

from smsgw.flows.ports import Ports
from smsgw.store.audit import Entry


def entry(ports: Ports, actor: str, action: str, subject: str, detail: Mapping[str, object]) -> Entry:
    """Return an entry of the audit log."""
    return Entry(
        id=ports.ids.new("aud"),
        at_ms=ports.clock.now_ms(),
        actor=actor,
        action=action,
        subject=subject,
        detail=msgspec.json.encode(detail).decode(),
    )
