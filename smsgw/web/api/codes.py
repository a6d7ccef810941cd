"""/v1/codes: codes found by number, and what may be done to one; never the code."""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from smsgw.domain import codes as domain
from smsgw.domain.codes import Outcome
from smsgw.flows import amend, trace
from smsgw.flows.amend import Extension
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.trace import LAST
from smsgw.kit.clock import rfc3339
from smsgw.store.codes import Stored
from smsgw.web.api import repeats
from smsgw.web.api.gate import name_of
from smsgw.web.api.operations import Before, Call, Caller, Count, Moment, Operation, ServiceName
from smsgw.web.api.problem import Fault

Status = Literal["live", "expired", "used_up", "revoked"]


class Find(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose codes. A code as somebody typed it is looked at by POST /v1/codes/verify, which counts guesses."""

    service: ServiceName
    msisdn: Annotated[str, Meta(description="The phone's number, with its country code.", pattern="^\\+?[0-9]{1,20}$")]
    before: Before | None = None
    limit: Count = 20


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
                text=(
                    "Moves the code's own limits; every new request adds to them. Send an `Idempotency-Key` of your "
                    "own with it: the same request with the same key adds once, and shows the code as it is now."
                ),
                scope="codes:write",
                handler=self.extend,
                takes=Extend,
                gives=Code,
                idempotent=True,
                problems=(
                    "not_found",
                    "revoked",
                    "no_such_limit",
                    "too_much",
                    "changed_meanwhile",
                    *repeats.PROBLEMS,
                ),
            ),
            Operation(
                method="POST",
                path="/v1/codes/{id}/reissue",
                name="reissueCode",
                summary="Replace a code",
                text=(
                    "Revokes the code, makes a new one under the same conditions, and sends it to the phone that "
                    "bought it. Its time and uses begin anew. Send an `Idempotency-Key` of your own with it: the same "
                    "request with the same key makes one code, and sends it once. What one SMS bought is made anew "
                    "at most `reissues_per_day` times in a day (UTC; a setting of the service), its successors counted."
                ),
                scope="codes:write",
                handler=self.reissue,
                gives=Reissued,
                idempotent=True,
                problems=(
                    "not_found",
                    "revoked",
                    "service_gone",
                    "link_gone",
                    "not_answerable",
                    "too_many_reissues",
                    *repeats.PROBLEMS,
                ),
            ),
        ]

    async def find(self, call: Call) -> Codes:
        """Find them."""
        asked: Find = call.query
        name = name_of(call.caller, asked.service)
        number = asked.msisdn.removeprefix("+")
        before, test = asked.before or LAST, call.caller.key.test
        rows = await trace.of_phone(self._ports, name, number, before, asked.limit + 1, test=test)
        more = rows[asked.limit - 1].id if len(rows) > asked.limit else None
        now_ms = self._ports.clock.now_ms()
        return Codes(codes=[code_of(one, now_ms) for one in rows[: asked.limit]], more=more)

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
        asked = repeats.asked(call, stored.service)
        await amend.extend(self._ports, stored.id, extension, call.caller.key.id, asked)
        return await self._now(stored.id)

    async def reissue(self, call: Call) -> Reissued:
        """Replace it."""
        stored = await self._own(call)
        asked = repeats.asked(call, stored.service)
        code, messages = await amend.reissue(self._ports, self._catalog, stored.id, call.caller.key.id, asked)
        self._send(messages)
        return Reissued(code=await self._now(code), replaces=stored.id)

    async def _own(self, call: Call) -> Stored:
        stored = await trace.find(self._ports, call.request.match_info["id"])
        if stored is None or not is_visible(call.caller, stored):
            raise unknown()
        return stored

    async def _now(self, code: str) -> Code:
        stored = await trace.find(self._ports, code)
        if stored is None:
            raise unknown()
        return code_of(stored, self._ports.clock.now_ms())


def code_of(stored: Stored, now_ms: int) -> Code:
    """Return what merchants are told of a code."""
    code, policy = stored.code, stored.code.policy
    outcome = domain.judge(code, now_ms)
    return Code(
        id=stored.id,
        service=stored.service,
        status="revoked" if code.revoked else _status(outcome),
        test=stored.test,
        msisdn=stored.msisdn,
        issued_at=rfc3339(code.issued_ms),
        first_used_at=moment(code.first_used_ms),
        revoked_at=moment(stored.revoked_ms),
        valid_until=moment(domain.expires_ms(code)),
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


def is_visible(caller: Caller, stored: Stored) -> bool:
    """Whether a code is of a service of the caller's, and of the kind that the key is for."""
    return stored.service in caller.names and stored.test == caller.key.test


def unknown() -> Fault:
    """Return the answer to everything that is no code of the caller's."""
    return Fault("not_found", "there is no such code of a service of yours")


def _status(outcome: Outcome) -> Status:
    if outcome is Outcome.EXPIRED:
        return "expired"
    return "used_up" if outcome is Outcome.USED_UP else "live"


def moment(ms: int | None) -> str | None:
    """Return a moment as the API tells it; None for none."""
    return None if ms is None else rfc3339(ms)
