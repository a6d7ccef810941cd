"""/v1/payments/{id}/refunds: money given back, and looked at."""

from typing import Annotated

from msgspec import Meta, Struct

from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.events import Refund, view_refund
from smsgw.web.api import repeats
from smsgw.web.api.operations import Call, Operation
from smsgw.web.api.owned import own, story_of, whose
from smsgw.web.api.problem import Fault
from smsgw.web.api.repeats import Repeats
from smsgw.web.verify import is_state


class RefundRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much goes back, and why."""

    amount_minor: (
        Annotated[
            int, Meta(description="In the currency's minor units; left out: all that is left.", ge=1, le=100_000_000)
        ]
        | None
    ) = None
    reason: Annotated[
        str, Meta(description="Your own words, for the records.", min_length=1, max_length=200, pattern="^[^\\u0000]*$")
    ]


class Refunds(Struct, frozen=True, kw_only=True):
    """A payment's refunds, the first first."""

    refunds: list[Refund]


class RefundRoom:
    """Refunds.

    Args:
        payments: what can be done about them.
        again: keeps requests from being done twice.
    """

    def __init__(self, payments: Payments, again: Repeats) -> None:
        self._payments = payments
        self._again = again

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="POST",
                path="/v1/payments/{id}/refunds",
                name="refundPayment",
                summary="Give money back",
                text=(
                    "All of it or a part, never more than was taken, however many requests race. By the operator's "
                    "way, where it has one; otherwise `manual`: it is recorded, and you give it back by other means."
                ),
                scope="payments:refund",
                handler=self.refund,
                takes=RefundRequest,
                gives=Refund,
                idempotent=True,
                status=201,
                problems=("not_found", *repeats.AT_ONCE, "not_refundable", "too_much"),
            ),
            Operation(
                method="GET",
                path="/v1/payments/{id}/refunds",
                name="listRefunds",
                summary="Look at a payment's refunds",
                text="The first first.",
                scope="payments:read",
                handler=self.refunds,
                gives=Refunds,
                problems=("not_found",),
            ),
        ]

    async def refund(self, call: Call) -> Refund:
        """Give money back."""
        body: RefundRequest = call.body
        if not is_state(body.reason):
            raise Fault("body_invalid", "reason: has characters that cannot be kept")
        row = await own(self._payments, call)
        with self._again.once(call, row.merchant) as once:
            done = await self._payments.refund(
                row.id,
                body.amount_minor,
                whose=whose(call.caller),
                reason=body.reason,
                actor=call.caller.key.id,
                once=once,
            )
        if done.repeated:
            repeats.say_repeated(call)
        assert done.refund is not None
        return view_refund(done.refund)

    async def refunds(self, call: Call) -> Refunds:
        """Look at what went back."""
        story = await story_of(self._payments, call)
        return Refunds(refunds=[view_refund(one) for one in story.refunds])
