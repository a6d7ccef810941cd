"""POST /v1/codes/verify looks at a code, POST /v1/codes/redeem uses it; what comes of it is an answer, not an error."""

from typing import Annotated

from msgspec import Meta, Struct

from smsgw.domain.addresses import parse
from smsgw.domain.codes import Outcome
from smsgw.flows.ports import Ports
from smsgw.flows.redeem import Verifier
from smsgw.flows.visits import Redemption, Visit
from smsgw.kit.clock import rfc3339
from smsgw.web.api import repeats
from smsgw.web.api.gate import service_of
from smsgw.web.api.operations import Call, Operation, ServiceName, VisitorAddress
from smsgw.web.api.problem import Fault
from smsgw.web.verify import MAX_STATE, is_state

Typed = Annotated[
    str,
    Meta(
        description="The code as the visitor typed it. Case, spaces, dashes and Cyrillic look-alikes are forgiven.",
        examples=["abcd-efgh"],
    ),
]
State = Annotated[
    str,
    Meta(
        description="Your own, kept with the attempt and given back.",
        max_length=MAX_STATE,
        pattern="^[^\\u0000]*$",
    ),
]


class VerifyRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code to look at."""

    service: ServiceName
    code: Typed
    visitor_ip: VisitorAddress | None = None


class RedeemRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code to use."""

    service: ServiceName
    code: Typed
    visitor_ip: VisitorAddress | None = None
    state: State = ""


class Answer(Struct, frozen=True, kw_only=True):
    """What came of it. Let the visitor in on `success` only."""

    outcome: Outcome
    service: str
    redemption: Annotated[str | None, Meta(description="What you may spend once. Null when the code was looked at.")]
    code: Annotated[str | None, Meta(description="The code's id, for its trace; never the code itself.")]
    state: str
    uses_left: Annotated[int | None, Meta(description="Null: as often as one likes, or no code.")]
    valid_until: Annotated[str | None, Meta(description="RFC 3339. Null: no end is known yet, or no code.")]
    test: Annotated[bool, Meta(description="Bought from a simulated operator.")]
    retry_after: Annotated[int | None, Meta(description="Throttled: seconds until anything is looked at again.")]


class Checks:
    """Codes as visitors bring them to merchants' servers.

    Args:
        ports: the world.
        verifier: decides.
        patience_s: longest wait for it.
    """

    def __init__(self, ports: Ports, verifier: Verifier, patience_s: float) -> None:
        self._ports = ports
        self._verifier = verifier
        self._patience_s = patience_s

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="POST",
                path="/v1/codes/verify",
                name="verifyCode",
                summary="Look at a code",
                text="Says what using the code would come to, and uses nothing up. A wrong code counts as a guess.",
                scope="codes:verify",
                handler=self.verify,
                takes=VerifyRequest,
                gives=Answer,
                problems=("service_not_allowed", "service_gone"),
            ),
            Operation(
                method="POST",
                path="/v1/codes/redeem",
                name="redeemCode",
                summary="Use a code",
                text=(
                    "Uses the code once, if it is good. Send an `Idempotency-Key` of your own with it: the same "
                    "request with the same key has the same answer for 24 hours, and uses the code once; also under "
                    "another API key of the service. An answer `throttled` is not kept: repeat the request after "
                    "`retry_after` seconds."
                ),
                scope="codes:redeem",
                handler=self.redeem,
                takes=RedeemRequest,
                gives=Answer,
                idempotent=True,
                problems=("service_not_allowed", "service_gone", *repeats.PROBLEMS),
            ),
        ]

    async def verify(self, call: Call) -> Answer:
        """Look."""
        body: VerifyRequest = call.body
        visit = Visit(
            service=service_of(call.caller, body.service).name,
            typed=body.code,
            visitor=visitor(body.visitor_ip, call.caller.key.id),
            known=body.visitor_ip is not None,
            channel="api",
            uses=False,
            test=call.caller.key.test,
        )
        return await self._answer(call, visit)

    async def redeem(self, call: Call) -> Answer:
        """Use."""
        body: RedeemRequest = call.body
        service = service_of(call.caller, body.service)
        visit = Visit(
            service=service.name,
            typed=body.code,
            visitor=visitor(body.visitor_ip, call.caller.key.id),
            known=body.visitor_ip is not None,
            state=body.state,
            channel="api",
            test=call.caller.key.test,
            idempotency=repeats.asked(call, service.name),
        )
        if not is_state(body.state):
            raise Fault("body_invalid", "state: has characters that cannot be kept")
        return await self._answer(call, visit)

    async def _answer(self, call: Call, visit: Visit) -> Answer:
        redemption = await self._verifier.redeem(visit, self._patience_s)
        answer = answer_of(redemption, uses=visit.uses)
        if answer.retry_after is not None:
            call.headers["Retry-After"] = str(answer.retry_after)
        return answer


def answer_of(redemption: Redemption, *, uses: bool) -> Answer:
    """Return what a merchant is told of a redemption."""
    until_ms = redemption.valid_until_ms
    throttled = redemption.outcome is Outcome.THROTTLED
    return Answer(
        outcome=redemption.outcome,
        service=redemption.service,
        redemption=redemption.id if uses else None,
        code=redemption.code,
        state=redemption.state,
        uses_left=redemption.uses_left,
        valid_until=None if until_ms is None else rfc3339(until_ms),
        test=redemption.test,
        retry_after=max(1, -(-redemption.wait_ms // 1000)) if throttled else None,
    )


def visitor(address: str | None, otherwise: str) -> str:
    """Return whom wrong codes are counted for.

    Raises:
        Fault: what is given is no address.
    """
    if address is None:
        return otherwise
    parsed = parse(address)
    if parsed is None:
        raise Fault("body_invalid", "visitor_ip: allowed are IPv4 and IPv6 addresses")
    return str(parsed)
