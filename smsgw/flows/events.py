"""What merchants are told about a code, as rows of the outbox; only of services that have a webhook_url.

An event never holds a code, and of a phone number only what shows country and operator.
"""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from smsgw.domain import codes
from smsgw.domain.catalog import Service
from smsgw.flows.ports import Ports
from smsgw.flows.visits import Redemption
from smsgw.kit.clock import rfc3339
from smsgw.kit.masking import mask_number
from smsgw.store.codes import CodeRow
from smsgw.store.events import Event

_Service = Annotated[str, Meta(description="The service's name.")]
_Code = Annotated[str, Meta(description="The code's id, for its trace; never the code itself.")]
_UsesLeft = Annotated[int | None, Meta(description="Null: as often as one likes.")]
_ValidUntil = Annotated[
    str | None,
    Meta(description="RFC 3339. Null: no end is known yet, as it counts from the first use, or none at all."),
]
_Test = Annotated[bool, Meta(description="Bought from a simulated operator.")]
_Timestamp = Annotated[str, Meta(description="When it happened, RFC 3339; not when it is posted.")]


class Issued(Struct, frozen=True, kw_only=True):
    """What is told of a code that was made."""

    service: _Service
    code: _Code
    mo: Annotated[str, Meta(description="The id of the SMS that bought it.")]
    msisdn: Annotated[str, Meta(description="The phone's number, masked: its first five digits and its last two.")]
    uses_left: _UsesLeft
    valid_until: _ValidUntil
    test: _Test


class Redeemed(Struct, frozen=True, kw_only=True):
    """What is told of a use that was counted."""

    service: _Service
    code: _Code
    redemption: Annotated[
        str,
        Meta(description="What the visit may be spent as, once: `jti` in the return token, `redemption` in the API."),
    ]
    state: Annotated[str, Meta(description="Your own, as it came with the code.")]
    uses_left: _UsesLeft
    valid_until: _ValidUntil
    test: _Test


class CodeIssued(Struct, frozen=True, kw_only=True):
    """An SMS has bought a code, or a code was replaced by a new one."""

    type: Literal["code.issued"] = "code.issued"
    timestamp: _Timestamp
    data: Issued


class CodeRedeemed(Struct, frozen=True, kw_only=True):
    """A use of a code was counted; reloads within ten minutes are none."""

    type: Literal["code.redeemed"] = "code.redeemed"
    timestamp: _Timestamp
    data: Redeemed


class CodeExhausted(Struct, frozen=True, kw_only=True):
    """A code was used for the last time; follows the `code.redeemed` of that use."""

    type: Literal["code.exhausted"] = "code.exhausted"
    timestamp: _Timestamp
    data: Redeemed


Body = CodeIssued | CodeRedeemed | CodeExhausted
BODIES: Final = (CodeIssued, CodeRedeemed, CodeExhausted)


def issued(ports: Ports, service: Service, row: CodeRow) -> Event:
    """Return the event of a code that was made."""
    code = codes.Code(policy=service.policy, issued_ms=row.issued_ms, first_used_ms=None, used=0)
    told = Issued(
        service=row.service,
        code=row.id,
        mo=row.mo,
        msisdn=mask_number(row.msisdn),
        uses_left=codes.uses_left(code),
        valid_until=_time(codes.expires_ms(code)),
        test=bool(row.test),
    )
    return _event(ports, CodeIssued(timestamp=rfc3339(row.issued_ms), data=told), 0, row.issued_ms)


def redeemed(ports: Ports, redemption: Redemption, used: int) -> list[Event]:
    """Return the events of a use that was counted.

    Args:
        ports: the world.
        redemption: a success.
        used: how often the code was used, with this time; gives the events their places after all earlier ones.
    """
    assert redemption.code is not None
    told = Redeemed(
        service=redemption.service,
        code=redemption.code,
        redemption=redemption.id,
        state=redemption.state,
        uses_left=redemption.uses_left,
        valid_until=_time(redemption.valid_until_ms),
        test=redemption.test,
    )
    at_ms, timestamp = redemption.at_ms, rfc3339(redemption.at_ms)
    found = [_event(ports, CodeRedeemed(timestamp=timestamp, data=told), 2 * used, at_ms)]
    if redemption.uses_left == 0:
        found.append(_event(ports, CodeExhausted(timestamp=timestamp, data=told), 2 * used + 1, at_ms))
    return found


def services_of(events: Iterable[Event]) -> set[str]:
    """Return whom the events are for."""
    return {event.service for event in events}


def _event(ports: Ports, body: Body, place: int, at_ms: int) -> Event:
    """Return a row with a body as Standard Webhooks 1.0 recommends it: type, timestamp, data."""
    return Event(
        id=ports.ids.new("evt"),
        service=body.data.service,
        type=body.type,
        subject=body.data.code,
        place=place,
        body=msgspec.json.encode(body).decode(),
        at_ms=at_ms,
        test=int(body.data.test),
    )


def _time(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
