"""GET /v1/codes/{id}: the trace of one code, from the SMS that bought it to the last attempt to use it."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from smsgw.flows import trace
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.trace import LAST, Trace
from smsgw.kit.clock import rfc3339
from smsgw.store import attempts as store
from smsgw.web.api.codes import Code, code_of, is_visible, moment, unknown
from smsgw.web.api.operations import Before, Call, Count, Moment, Operation


class Page(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which attempts of a code."""

    before: Before | None = None
    limit: Count = 50


class Message(Struct, frozen=True, kw_only=True):
    """The SMS that bought it."""

    id: str
    link: str
    received_at: Moment
    msisdn: str
    short_code: str
    price: Annotated[str, Meta(description="As the service tells it to subscribers now.")]


class Receipt(Struct, frozen=True, kw_only=True):
    """What the operator reported."""

    received_at: Moment
    state: str


class Reply(Struct, frozen=True, kw_only=True):
    """One SMS that told the code, or a part of it."""

    id: str
    message: Annotated[
        str | None,
        Meta(description="The SMS that it answers: that bought the code, or asked for it again. Null: a reissue."),
    ]
    status: str
    message_status: Annotated[str, Meta(description="How the whole stands, of which this is one of `parts` parts.")]
    part: int
    parts: int
    tries: int
    created_at: Moment
    answered_at: Moment | None
    expires_at: Moment
    command_status: Annotated[int | None, Meta(description="The operator's answer (SMPP); 0: accepted.")]
    receipts: list[Receipt]


class Attempt(Struct, frozen=True, kw_only=True):
    """Somebody tried the code."""

    id: str
    at: Moment
    visitor: str
    outcome: str
    reason: Annotated[str | None, Meta(description="More than the outcome tells: again, looked, revoked, …")]
    channel: str
    redemption: str
    state: str
    uses_left: int | None
    valid_until: Moment | None
    latency_ms: int


class Change(Struct, frozen=True, kw_only=True):
    """What was done to the code."""

    at: Moment
    actor: str
    action: str
    detail: dict[str, Any]


class CodeTrace(Struct, frozen=True, kw_only=True):
    """The trace of a code."""

    code: Code
    message: Message | None
    replies: list[Reply]
    attempts: list[Attempt]
    more: Annotated[str | None, Meta(description="The next attempts are `before` this.")]
    changes: list[Change]


class Traces:
    """The traces of codes.

    Args:
        ports: the world.
        catalog: services, as they are sold now.
    """

    def __init__(self, ports: Ports, catalog: Catalog) -> None:
        self._ports = ports
        self._catalog = catalog

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="GET",
                path="/v1/codes/{id}",
                name="traceCode",
                summary="Trace a code",
                text="The SMS that bought it, the fate of the replies, every attempt to use it, and what was changed.",
                scope="codes:read",
                handler=self.show,
                query=Page,
                gives=CodeTrace,
                problems=("query_invalid", "not_found"),
            ),
        ]

    async def show(self, call: Call) -> CodeTrace:
        """Trace it."""
        asked: Page = call.query
        found = await trace.show(self._ports, call.request.match_info["id"], asked.before or LAST, asked.limit)
        if found is None or not is_visible(call.caller, found.stored):
            raise unknown()
        return CodeTrace(
            code=code_of(found.stored, self._ports.clock.now_ms()),
            message=self._message(found),
            replies=[_reply(one) for one in found.replies],
            attempts=[_attempt(one) for one in found.attempts],
            more=found.more,
            changes=[
                Change(
                    at=rfc3339(one.at_ms),
                    actor=one.actor,
                    action=one.action,
                    detail=msgspec.json.decode(one.detail, type=dict[str, Any]),
                )
                for one in found.changes
            ],
        )

    def _message(self, found: Trace) -> Message | None:
        origin = found.origin
        if origin is None:
            return None
        service = self._catalog.services.get(found.stored.service)
        return Message(
            id=origin.id,
            link=origin.link,
            received_at=rfc3339(origin.received_ms),
            msisdn=origin.source,
            short_code=origin.destination,
            price=service.settings.price if service else "",
        )


def _reply(one: trace.Reply) -> Reply:
    fate = one.fate
    return Reply(
        id=fate.id,
        message=fate.mo,
        status=fate.status,
        message_status=one.whole.value,
        part=fate.part,
        parts=fate.parts,
        tries=fate.tries,
        created_at=rfc3339(fate.created_ms),
        answered_at=moment(fate.answered_ms),
        expires_at=rfc3339(fate.expires_ms),
        command_status=fate.command_status,
        receipts=[Receipt(received_at=rfc3339(at_ms), state=state) for at_ms, state in one.receipts],
    )


def _attempt(one: store.Attempt) -> Attempt:
    return Attempt(
        id=one.id,
        at=rfc3339(one.at_ms),
        visitor=one.visitor,
        outcome=one.outcome,
        reason=one.reason,
        channel=one.channel,
        redemption=one.redemption,
        state=one.state,
        uses_left=one.uses_left,
        valid_until=moment(one.valid_until_ms),
        latency_ms=one.latency_ms,
    )
