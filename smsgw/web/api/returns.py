"""POST /v1/returns/exchange: a return token that is a mere handle is exchanged, once, for what it stands for."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from smsgw.domain.codes import Outcome
from smsgw.flows import returns
from smsgw.flows.ports import Ports
from smsgw.web.api.operations import Call, Operation
from smsgw.web.api.problem import Fault


class ExchangeRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the visitor brought."""

    rt: Annotated[str, Meta(description="The field `rt` of the address that the visitor came to.")]


class Claims(Struct, frozen=True, kw_only=True):
    """What a return token says; the same as the claims of a signed one."""

    iss: str
    aud: Annotated[str, Meta(description="The service. Check that it is yours.")]
    jti: Annotated[str, Meta(description="The redemption. Spend it once.")]
    outcome: Outcome
    state: str
    uses_left: int | None
    valid_until: str | None
    test: bool
    iat: Annotated[int, Meta(description="Seconds since 1970.")]
    exp: Annotated[int, Meta(description="Seconds since 1970.")]


class ReturnTokens:
    """Return tokens that are handles."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="POST",
                path="/v1/returns/exchange",
                name="exchangeReturn",
                summary="Exchange a return token",
                text=(
                    "For services whose `return_mode` is `handle`: says what the visitor's `rt` stands for, once and "
                    "within its short life. A signed token needs no exchange: check it with your key."
                ),
                scope="codes:redeem",
                handler=self.exchange,
                takes=ExchangeRequest,
                gives=Claims,
                problems=("not_found",),
            )
        ]

    async def exchange(self, call: Call) -> Claims:
        """Exchange it."""
        body: ExchangeRequest = call.body
        claims = await returns.exchange(self._ports, body.rt, call.caller.names, test=call.caller.key.test)
        if claims is None:
            raise Fault("not_found", "this is no return token of a service of yours, or it is spent, or too old")
        return msgspec.convert(claims, Claims)
