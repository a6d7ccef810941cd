"""/v1/payment-methods: remembered numbers, as tokens."""

from typing import Annotated

from msgspec import Meta, Struct

from smsgw.flows.payments import methods
from smsgw.flows.payments.methods import LAST
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.clock import rfc3339
from smsgw.kit.masking import mask_number
from smsgw.store.methods import MethodRow
from smsgw.web.api import repeats
from smsgw.web.api.codes import moment
from smsgw.web.api.gate import one_of
from smsgw.web.api.operations import AnyName, Before, Call, Count, Moment, Operation
from smsgw.web.api.owned import whose
from smsgw.web.api.payments import Typed, number
from smsgw.web.api.problem import Fault
from smsgw.web.api.repeats import Repeats


class MethodQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which remembered numbers."""

    merchant: AnyName | None = None
    msisdn: Typed | None = None
    before: Before | None = None
    count: Count = 20


class PaymentMethod(Struct, frozen=True, kw_only=True):
    """A remembered number."""

    id: Annotated[str, Meta(description="The token: `method` of a new payment.")]
    merchant: str
    msisdn: Annotated[str, Meta(description="The phone's number, masked unless the key may see it.")]
    operator: Annotated[str, Meta(description="Whose phone it was.")]
    test: bool
    created_at: Moment
    verified_at: Annotated[Moment | None, Meta(description="Of the phone's last YES; null: there was none.")]
    verify_by: Annotated[Moment | None, Meta(description="From then on the number must be asked for again.")]
    needs_verification: Annotated[
        bool, Meta(description="A payment with this token is refused: ask for the number, and send it with `remember`.")
    ]
    removed_at: Moment | None


class MethodPage(Struct, frozen=True, kw_only=True):
    """A page of remembered numbers, the latest first."""

    methods: list[PaymentMethod]
    more: Annotated[str | None, Meta(description="The next page is `before` this.")]


class MethodRoom:
    """Remembered numbers.

    Args:
        ports: the world.
        catalog: the merchants.
        again: keeps requests from being done twice.
    """

    def __init__(self, ports: Ports, catalog: Catalog, again: Repeats) -> None:
        self._ports = ports
        self._catalog = catalog
        self._again = again

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="GET",
                path="/v1/payment-methods",
                name="listMethods",
                summary="List remembered numbers",
                text="A merchant's, the latest first; or the one of a number.",
                scope="payments:read",
                handler=self.listed,
                query=MethodQuery,
                gives=MethodPage,
                problems=("query_invalid", "number_invalid", "merchant_not_allowed"),
            ),
            Operation(
                method="GET",
                path="/v1/payment-methods/{id}",
                name="getMethod",
                summary="Look at a remembered number",
                text="The number is masked unless the key has the scope `payments:numbers`.",
                scope="payments:read",
                handler=self.get,
                gives=PaymentMethod,
                problems=("not_found",),
            ),
            Operation(
                method="POST",
                path="/v1/payment-methods/{id}/remove",
                name="removeMethod",
                summary="Forget a number",
                text="No payment can be made with the token any more. Once more changes nothing.",
                scope="payments:write",
                handler=self.remove,
                gives=PaymentMethod,
                idempotent=True,
                problems=("not_found", *repeats.AT_ONCE),
            ),
        ]

    async def listed(self, call: Call) -> MethodPage:
        """List them."""
        query: MethodQuery = call.query
        rows = await methods.listed(
            self._ports,
            one_of(call.caller, query.merchant),
            test=call.caller.key.test,
            msisdn=None if query.msisdn is None else number(query.msisdn),
            before=query.before or LAST,
            count=query.count + 1,
        )
        more = rows[query.count - 1].id if len(rows) > query.count else None
        return MethodPage(methods=[self._show(call, row) for row in rows[: query.count]], more=more)

    async def get(self, call: Call) -> PaymentMethod:
        """Look at one."""
        return self._show(call, await self._own(call))

    async def remove(self, call: Call) -> PaymentMethod:
        """Forget one."""
        row = await self._own(call)

        async def work() -> PaymentMethod:
            await methods.remove(self._ports, row.id, call.caller.key.id)
            return self._show(call, await self._own(call))

        return await self._again.answer(call, row.merchant, PaymentMethod, work)

    async def _own(self, call: Call) -> MethodRow:
        row = await methods.get(self._ports, call.request.match_info["id"], whose(call.caller))
        if row is None:
            raise Fault("not_found", "there is no such payment method of a merchant of yours")
        return row

    def _show(self, call: Call, row: MethodRow) -> PaymentMethod:
        merchant = self._catalog.merchants.get(row.merchant)
        until_ms = methods.proven_until_ms(row, merchant) if merchant else None
        clear = call.caller.clear and row.removed_ms is None
        return PaymentMethod(
            id=row.id,
            merchant=row.merchant,
            msisdn=row.msisdn if clear else mask_number(row.msisdn),
            operator=row.link,
            test=bool(row.test),
            created_at=rfc3339(row.created_ms),
            verified_at=moment(row.verified_ms),
            verify_by=moment(until_ms),
            needs_verification=until_ms is None or until_ms <= self._ports.clock.now_ms(),
            removed_at=moment(row.removed_ms),
        )
