"""What merchants are told about a code, as rows of the outbox; only of services that have a webhook_url.

An event never holds a code, and of a phone number only what shows country and operator.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from smsgw.domain import codes
from smsgw.domain.catalog import Service
from smsgw.flows.ports import Ports
from smsgw.flows.visits import Redemption
from smsgw.kit.clock import rfc3339
from smsgw.kit.masking import mask_number
from smsgw.store.codes import CodeRow
from smsgw.store.events import Event

ISSUED: Final = "code.issued"
REDEEMED: Final = "code.redeemed"
EXHAUSTED: Final = "code.exhausted"


def issued(ports: Ports, service: Service, row: CodeRow) -> Event:
    """Return the event of a code that was made."""
    code = codes.Code(policy=service.policy, issued_ms=row.issued_ms, first_used_ms=None, used=0)
    told = {
        "service": row.service,
        "code": row.id,
        "mo": row.mo,
        "msisdn": mask_number(row.msisdn),
        "uses_left": codes.uses_left(code),
        "valid_until": _time(codes.expires_ms(code)),
        "test": bool(row.test),
    }
    return _event(ports, ISSUED, 0, told, row.issued_ms)


def redeemed(ports: Ports, redemption: Redemption, used: int) -> list[Event]:
    """Return the events of a use that was counted.

    Args:
        ports: the world.
        redemption: a success.
        used: how often the code was used, with this time; gives the events their places after all earlier ones.
    """
    told = {
        "service": redemption.service,
        "code": redemption.code,
        "redemption": redemption.id,
        "state": redemption.state,
        "uses_left": redemption.uses_left,
        "valid_until": _time(redemption.valid_until_ms),
        "test": redemption.test,
    }
    found = [_event(ports, REDEEMED, 2 * used, told, redemption.at_ms)]
    if redemption.uses_left == 0:
        found.append(_event(ports, EXHAUSTED, 2 * used + 1, told, redemption.at_ms))
    return found


def services_of(events: Iterable[Event]) -> set[str]:
    """Return whom the events are for."""
    return {event.service for event in events}


def _event(ports: Ports, kind: str, place: int, told: Mapping[str, Any], at_ms: int) -> Event:
    """Return a row with a body as Standard Webhooks 1.0 recommends it: type, timestamp, data."""
    body = {"type": kind, "timestamp": rfc3339(at_ms), "data": told}
    return Event(
        id=ports.ids.new("evt"),
        service=told["service"],
        type=kind,
        subject=told["code"],
        place=place,
        body=msgspec.json.encode(body).decode(),
        at_ms=at_ms,
    )


def _time(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
