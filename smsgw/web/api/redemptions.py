"""POST /v1/redemptions/{id}/consume: a merchant spends a redemption, so that nobody comes in with it twice."""

from msgspec import Struct

from smsgw.flows import spend
from smsgw.flows.ports import Ports
from smsgw.kit.clock import rfc3339
from smsgw.web.api.operations import Call, Moment, Operation
from smsgw.web.api.problem import Fault


class Consumed(Struct, frozen=True, kw_only=True):
    """A redemption that is spent now."""

    redemption: str
    service: str
    consumed_at: Moment


class Redemptions:
    """Successful uses of codes."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="POST",
                path="/v1/redemptions/{id}/consume",
                name="consumeRedemption",
                summary="Spend a redemption",
                text=(
                    "Spends a successful redemption (`jti` of a return token, `redemption` of an answer) once. Whoever "
                    "brings the same one again gets 409: let nobody in then."
                ),
                scope="codes:redeem",
                handler=self.consume,
                gives=Consumed,
                problems=("not_found", "already_consumed"),
            )
        ]

    async def consume(self, call: Call) -> Consumed:
        """Spend it."""
        redemption = call.request.match_info["id"]
        spent = await spend.consume(self._ports, redemption, call.caller.names, test=call.caller.key.test)
        if spent is None:
            raise Fault("not_found", "there is no such redemption of a service of yours")
        if not spent.first:
            raise Fault("already_consumed", "this redemption has been spent before: let nobody in")
        return Consumed(redemption=redemption, service=spent.service, consumed_at=rfc3339(spent.at_ms))
