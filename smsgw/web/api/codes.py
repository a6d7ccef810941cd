"""/v1/codes: codes found by number or by what was typed, their traces, and what may be done to one; never the code."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from smsgw.domain import codes as domain
from smsgw.domain.codes import Outcome
from smsgw.flows import amend, trace
from smsgw.flows.amend import Extension
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.trace import LAST, Trace
from smsgw.kit.clock import rfc3339
from smsgw.store import attempts as store
from smsgw.store.codes import Stored
from smsgw.web.api.gate import service_of
from smsgw.web.api.operations import Before, Call, Caller, Count, Moment, Operation, ServiceName
from smsgw.web.api.problem import Fault

Status = Literal["live", "expired", "used_up", "revoked"]


class Find(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose codes. A code as somebody typed it is looked at by POST /v1/codes/verify, which counts guesses."""

    service: ServiceName
    msisdn: Annotated[str, Meta(description="The phone's number, with its country code.", pattern="^\\+?[0-9]{1,20}$")]
    before: Before | None = None
    limit: Count = 20


class Page(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which attempts of a code."""

    before: Before | None = None
    limit: Count = 50


class Extend(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much longer, and how much more often."""

    seconds: Annotated[int, Meta(ge=0, le=86_400 * 3660)] = 0
    uses: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class Conditions(Struct, frozen=True, kw_only=True):
    """The conditions of one code."""

    length: int
    alphabet: Literal["digits", "letters", "both"]
    valid_for_s: Annotated[int | None, Meta(description="Null: not limited by time.")]
    counted_from: Literal["receipt", "first_use"]
    uses: Annotated[int | None, Meta(description="Null: not limited by number.")]


class Code(Struct, frozen=True, kw_only=True):
    """A code, without the code."""

    id: str
    service: str
    status: Status
    test: bool
    msisdn: str
    issued_at: Moment
    first_used_at: Moment | None
    revoked_at: Moment | None
    valid_until: Moment | None
    used: int
    uses_left: int | None
    policy: Conditions


class Codes(Struct, frozen=True, kw_only=True):
    """A page of codes, the latest first."""

    codes: list[Code]
    more: Annotated[str | None, Meta(description="The next page is `before` this.")]


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
    status: str
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


class Reissued(Struct, frozen=True, kw_only=True):
    """The code that took the place of another."""

    code: Code
    replaces: str


class CodeRoom:
    """Codes, looked up and changed.

    Args:
        ports: the world.
        catalog: services and links.
        send: takes messages that have been committed.
    """

    def __init__(self, ports: Ports, catalog: Catalog, send: Callable[[Sequence[Outgoing]], None]) -> None:
        self._ports = ports
        self._catalog = catalog
        self._send = send

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="GET",
                path="/v1/codes",
                name="findCodes",
                summary="Find codes",
                text="By the phone's number, the latest first. Whose a typed code is, POST /v1/codes/verify tells.",
                scope="codes:read",
                handler=self.find,
                query=Find,
                gives=Codes,
                problems=("query_invalid", "service_not_allowed"),
            ),
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
            Operation(
                method="POST",
                path="/v1/codes/{id}/revoke",
                name="revokeCode",
                summary="Revoke a code",
                text="The code is good for nothing from now on. Once more changes nothing.",
                scope="codes:write",
                handler=self.revoke,
                gives=Code,
                problems=("not_found",),
            ),
            Operation(
                method="POST",
                path="/v1/codes/{id}/extend",
                name="extendCode",
                summary="Extend a code",
                text="Moves the code's own limits. Every such request adds to them: when in doubt, look before again.",
                scope="codes:write",
                handler=self.extend,
                takes=Extend,
                gives=Code,
                problems=("not_found", "revoked", "no_such_limit", "too_much", "changed_meanwhile"),
            ),
            Operation(
                method="POST",
                path="/v1/codes/{id}/reissue",
                name="reissueCode",
                summary="Replace a code",
                text=(
                    "Revokes the code, makes a new one under the same conditions, and sends it to the phone that "
                    "bought it. Its time and uses begin anew."
                ),
                scope="codes:write",
                handler=self.reissue,
                gives=Reissued,
                problems=("not_found", "revoked", "service_gone", "link_gone", "not_answerable"),
            ),
        ]

    async def find(self, call: Call) -> Codes:
        """Find them."""
        asked: Find = call.query
        name = service_of(call.caller, asked.service).name
        number = asked.msisdn.removeprefix("+")
        rows = await trace.of_phone(self._ports, name, number, asked.before or LAST, asked.limit + 1)
        more = rows[asked.limit - 1].id if len(rows) > asked.limit else None
        return self._page([one for one in rows[: asked.limit] if _visible(call.caller, one)], more)

    def _page(self, rows: Sequence[Stored], more: str | None) -> Codes:
        return Codes(codes=[self._code(one) for one in rows], more=more)

    async def show(self, call: Call) -> CodeTrace:
        """Trace it."""
        asked: Page = call.query
        found = await trace.show(self._ports, call.request.match_info["id"], asked.before or LAST, asked.limit)
        if found is None or not _visible(call.caller, found.stored):
            raise _unknown()
        return CodeTrace(
            code=self._code(found.stored),
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

    async def revoke(self, call: Call) -> Code:
        """Revoke it."""
        stored = await self._own(call)
        await amend.revoke(self._ports, stored.id, call.caller.key.id)
        return await self._now(stored.id)

    async def extend(self, call: Call) -> Code:
        """Extend it."""
        body: Extend = call.body
        stored = await self._own(call)
        extension = Extension(ms=body.seconds * 1000, uses=body.uses)
        await amend.extend(self._ports, stored.id, extension, call.caller.key.id)
        return await self._now(stored.id)

    async def reissue(self, call: Call) -> Reissued:
        """Replace it."""
        stored = await self._own(call)
        code, messages = await amend.reissue(self._ports, self._catalog, stored.id, call.caller.key.id)
        self._send(messages)
        return Reissued(code=await self._now(code), replaces=stored.id)

    async def _own(self, call: Call) -> Stored:
        stored = await trace.find(self._ports, call.request.match_info["id"])
        if stored is None or not _visible(call.caller, stored):
            raise _unknown()
        return stored

    async def _now(self, code: str) -> Code:
        stored = await trace.find(self._ports, code)
        if stored is None:
            raise _unknown()
        return self._code(stored)

    def _code(self, stored: Stored) -> Code:
        code, policy = stored.code, stored.code.policy
        outcome = domain.judge(code, self._ports.clock.now_ms())
        return Code(
            id=stored.id,
            service=stored.service,
            status="revoked" if code.revoked else _status(outcome),
            test=stored.test,
            msisdn=stored.msisdn,
            issued_at=rfc3339(code.issued_ms),
            first_used_at=_moment(code.first_used_ms),
            revoked_at=_moment(stored.revoked_ms),
            valid_until=_moment(domain.expires_ms(code)),
            used=code.used,
            uses_left=domain.uses_left(code),
            policy=Conditions(
                length=policy.length,
                alphabet=policy.alphabet,
                valid_for_s=None if policy.valid_ms is None else policy.valid_ms // 1000,
                counted_from=policy.counted_from,
                uses=policy.uses,
            ),
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


def _visible(caller: Caller, stored: Stored) -> bool:
    return stored.service in caller.services and stored.test == caller.key.test


def _unknown() -> Fault:
    return Fault("not_found", "there is no such code of a service of yours")


def _status(outcome: Outcome) -> Status:
    if outcome is Outcome.EXPIRED:
        return "expired"
    return "used_up" if outcome is Outcome.USED_UP else "live"


def _moment(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)


def _reply(one: trace.Reply) -> Reply:
    fate = one.fate
    return Reply(
        id=fate.id,
        status=fate.status,
        part=fate.part,
        parts=fate.parts,
        tries=fate.tries,
        created_at=rfc3339(fate.created_ms),
        answered_at=_moment(fate.answered_ms),
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
        valid_until=_moment(one.valid_until_ms),
        latency_ms=one.latency_ms,
    )
