"""/v1/webhook-endpoints: where merchants are told what happens, opened again after a 410, and the secret that signs."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from smsgw.flows import deliveries, endpoints, secrets
from smsgw.web.api import repeats
from smsgw.web.api.codes import moment
from smsgw.web.api.gate import one_of
from smsgw.web.api.operations import Call, Moment, Operation
from smsgw.web.api.posting import PostingRoom
from smsgw.web.api.problem import Fault


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where a merchant or service is told what happens. Carrier staff set it."""

    merchant: Annotated[str, Meta(description="The merchant, or service.")]
    url: Annotated[str | None, Meta(description="Null: nothing is posted.")]
    events: Annotated[list[str], Meta(description="The types that are posted; none named: all.")]
    state: Annotated[
        Literal["open", "gone", "none"],
        Meta(description="gone: it has answered 410, and nothing is posted until it is enabled."),
    ]
    gone_at: Moment | None
    waiting: Annotated[int, Meta(description="Events that wait to be posted.")]


class Endpoints(Struct, frozen=True, kw_only=True):
    """All that the key is for."""

    endpoints: list[Endpoint]


class RotateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the secrets before it sign beside the new one."""

    overlap_s: Annotated[int, Meta(description="Seconds.", ge=0, le=30 * 86_400)] = 86_400


class Rotated(Struct, frozen=True, kw_only=True):
    """The new secret."""

    key: Annotated[str, Meta(description="Its id.")]
    secret: Annotated[str | None, Meta(description="`whsec_…` (Standard Webhooks). Null: it was revoked meanwhile.")]


class EndpointRoom(PostingRoom):
    """Endpoints."""

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="GET",
                path="/v1/webhook-endpoints",
                name="listEndpoints",
                summary="Where you are told",
                text="The addresses of all merchants and services that the key is for.",
                scope="webhooks:read",
                handler=self.listed,
                gives=Endpoints,
            ),
            Operation(
                method="POST",
                path="/v1/webhook-endpoints/{merchant}/enable",
                name="enableEndpoint",
                summary="Open an address again",
                text="After it has answered 410. What waits is posted at once. Takes a live key.",
                scope="webhooks:write",
                handler=self.enable,
                gives=Endpoint,
                idempotent=True,
                problems=("merchant_not_allowed", "live_key_needed", *repeats.AT_ONCE),
            ),
            Operation(
                method="POST",
                path="/v1/webhook-endpoints/{merchant}/rotate-secret",
                name="rotateSecret",
                summary="Make a new secret",
                text="It signs from now on; those before it sign beside it for `overlap_s`. Takes a live key: live and "
                "test events are signed alike.",
                scope="webhooks:write",
                handler=self.rotate,
                takes=RotateRequest,
                gives=Rotated,
                idempotent=True,
                problems=("merchant_not_allowed", "live_key_needed", "too_many_secrets", *repeats.AT_ONCE),
            ),
        ]

    async def listed(self, call: Call) -> Endpoints:
        """List them."""
        return Endpoints(endpoints=[await self._show(name) for name in sorted(call.caller.names)])

    async def enable(self, call: Call) -> Endpoint:
        """Open one again."""
        name = _live_one(call)

        async def work() -> Endpoint:
            await endpoints.enable(self._ports, name, call.caller.key.id)
            self._wake([name])
            return await self._show(name)

        return await self._again.answer(call, name, Endpoint, work)

    async def rotate(self, call: Call) -> Rotated:
        """Make the next secret; the answer that is kept does not hold it."""
        name, actor = _live_one(call), call.caller.key.id
        body: RotateRequest = call.body

        async def work() -> Rotated:
            told, _ = await secrets.add(self._ports, name, body.overlap_s * 1000, actor)
            return Rotated(key=told.key, secret=None)

        made = await self._again.answer(call, name, Rotated, work)
        known = {one.key: one.secret for one in await secrets.reveal(self._ports, name, actor)}
        return Rotated(key=made.key, secret=known.get(made.key))

    async def _show(self, name: str) -> Endpoint:
        found = await deliveries.endpoint(self._ports, self._catalog, name)
        state: Literal["open", "gone", "none"] = "gone" if found.gone_ms is not None else "open"
        return Endpoint(
            merchant=name,
            url=found.url or None,
            events=found.types,
            state=state if found.url else "none",
            gone_at=moment(found.gone_ms),
            waiting=found.waiting,
        )


def _live_one(call: Call) -> str:
    """Return whose address is to be changed. It is that of live events too, and so is the secret.

    Raises:
        Fault: it is not the caller's, or the key is for tests: more hands hold those.
    """
    name = one_of(call.caller, call.request.match_info["merchant"])
    if call.caller.key.test:
        raise Fault("live_key_needed", "live and test events have one address and one secret")
    return name
