"""/v1/payments: asked for, looked at, canceled."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from smsgw.domain.goods import Merchant
from smsgw.domain.numbers import e164
from smsgw.domain.payments import Status
from smsgw.flows import idempotency
from smsgw.flows.amend import Refused
from smsgw.flows.idempotency import Idempotency
from smsgw.flows.payments import methods
from smsgw.flows.payments.asking import NewPayment
from smsgw.flows.payments.desk import LAST, Payments
from smsgw.flows.payments.whose import Whose
from smsgw.flows.ports import Ports
from smsgw.settings.merchant import Language
from smsgw.web.api import repeats
from smsgw.web.api.checks import State
from smsgw.web.api.gate import merchant_of, one_of
from smsgw.web.api.hosted import Hosted, HostedPayment
from smsgw.web.api.operations import AnyName, Before, Call, Caller, Count, MerchantName, Operation
from smsgw.web.api.owned import own, whose
from smsgw.web.api.problem import Fault
from smsgw.web.api.repeats import Repeats
from smsgw.web.verify import is_state

Reference = Annotated[
    str,
    Meta(description="Your own name for the payment, never used before.", pattern="^[ -~]+$", max_length=100),
]
Typed = Annotated[
    str,
    Meta(
        description="The phone's number in E.164, with its country code; blanks, dashes and brackets are forgiven.",
        max_length=60,
        examples=["+359 88 812 3456"],
    ),
]
MethodId = Annotated[str, Meta(description="A remembered number.", pattern="^pm_[0-9a-z]{1,40}$")]


class PaymentRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be paid: never how much, that is the product's price at the phone's operator."""

    merchant: MerchantName
    product: Annotated[str, Meta(description="The product's name.", pattern="^[a-z0-9][a-z0-9_-]{0,39}$")]
    merchant_reference: Reference
    msisdn: Typed | None = None
    method: MethodId | None = None
    language: Annotated[
        Language | None, Meta(description="The buyer's. Where the product has no title in it, the merchant's is taken.")
    ] = None
    state: State = ""
    remember: Annotated[
        bool, Meta(description="Remember the number: the payment's `method` stands for it from then on.")
    ] = False


class PaymentQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which payments."""

    merchant: AnyName | None = None
    status: Status | None = None
    merchant_reference: Reference | None = None
    before: Before | None = None
    count: Count = 20


class PaymentPage(Struct, frozen=True, kw_only=True):
    """A page of payments, the latest first."""

    payments: list[HostedPayment]
    more: Annotated[str | None, Meta(description="The next page is `before` this.")]


_OF_REQUEST: Final = (
    "merchant_not_allowed",
    "merchant_gone",
    "product_unknown",
    "number_invalid",
    "operator_unknown",
    "operator_not_supported",
    "number_blocked",
    "too_many_prompts",
    "confirmation_open",
    "reference_used",
    "numbers_not_remembered",
    "method_unknown",
    "method_removed",
    "method_needs_verification",
    *repeats.AT_ONCE,
)
_ABOUT_CREATE: Final = (
    "Sends the question to the phone; the price is the product's at the phone's operator. Give "
    "`msisdn` or `method`, one of them. Nothing is paid yet: wait for `payment.succeeded`, or ask now "
    "and then. A phone answers one question at a time (409 `confirmation_open`). A `method` whose "
    "number was never confirmed, or not for the merchant's `verify_number_days`, is refused (409 "
    "`method_needs_verification`): ask for the number then, and send it with `remember`. Send an "
    "`Idempotency-Key` of your own with it: the same request with the same key has the same answer for "
    "24 hours (`Idempotent-Replayed: true`), and while the first is worked on, 409 "
    "`idempotency_in_progress`. With a test key a simulated operator is paid, with no money."
)


class PaymentRoom:
    """Payments.

    Args:
        ports: the world.
        payments: what can be done about them.
        hosted: shows them.
        again: keeps requests from being done twice.
        patience_s: longest wait for a decision.
    """

    def __init__(self, ports: Ports, payments: Payments, hosted: Hosted, again: Repeats, *, patience_s: float) -> None:
        self._ports = ports
        self._payments = payments
        self._hosted = hosted
        self._again = again
        self._patience_s = patience_s

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="POST",
                path="/v1/payments",
                name="createPayment",
                summary="Ask a phone for a payment",
                text=_ABOUT_CREATE,
                scope="payments:write",
                handler=self.create,
                takes=PaymentRequest,
                gives=HostedPayment,
                idempotent=True,
                status=201,
                located=True,
                problems=_OF_REQUEST,
            ),
            Operation(
                method="GET",
                path="/v1/payments",
                name="listPayments",
                summary="List payments",
                text="A merchant's payments, the latest first; all, those of one status, or the one of a reference.",
                scope="payments:read",
                handler=self.listed,
                query=PaymentQuery,
                gives=PaymentPage,
                problems=("query_invalid", "merchant_not_allowed"),
            ),
            Operation(
                method="GET",
                path="/v1/payments/{id}",
                name="getPayment",
                summary="Look at a payment",
                text="The number is masked unless the key has the scope `payments:numbers`.",
                scope="payments:read",
                handler=self.get,
                gives=HostedPayment,
                problems=("not_found",),
            ),
            Operation(
                method="POST",
                path="/v1/payments/{id}/cancel",
                name="cancelPayment",
                summary="Cancel a payment",
                text="Only one that nobody has confirmed. A canceled one may be canceled again: that changes nothing.",
                scope="payments:write",
                handler=self.cancel,
                gives=HostedPayment,
                idempotent=True,
                problems=("not_found", *repeats.AT_ONCE, "not_cancelable"),
            ),
        ]

    async def create(self, call: Call) -> HostedPayment:
        """Ask for one."""
        body: PaymentRequest = call.body
        merchant = merchant_of(call.caller, body.merchant)
        _see_whether_whole(body)
        with self._again.once(call, merchant.name) as once:
            msisdn = await self._phone(call.caller, body, merchant, once)
            asked = await self._payments.ask(
                NewPayment(
                    merchant=merchant.name,
                    product=body.product,
                    msisdn=msisdn,
                    merchant_reference=body.merchant_reference,
                    language=body.language,
                    state=body.state,
                    method=body.method,
                    remember=body.remember,
                    test=call.caller.key.test,
                    idempotency=once,
                ),
                self._patience_s,
            )
        if asked.repeated:
            repeats.say_repeated(call)
        call.headers["Location"] = f"/v1/payments/{asked.payment.id}"
        return self._hosted.with_page(call, asked.payment, msisdn if call.caller.clear else None)

    async def _phone(self, caller: Caller, body: PaymentRequest, merchant: Merchant, once: Idempotency) -> str:
        """Return the number that is asked.

        Raises:
            Fault, Refused: there is none, or it must be asked for.
        """
        if body.remember and not merchant.settings.remember_numbers:
            raise Fault("numbers_not_remembered", "leave remember out")
        if body.method is None:
            return number(body.msisdn or "")
        mine = Whose(merchants=frozenset({merchant.name}), test=caller.key.test)
        row = await methods.get(self._ports, body.method, mine)
        if row is None:
            raise Fault("method_unknown")
        try:
            methods.see_whether_usable(row, merchant, self._ports.clock.now_ms())
        except Refused:
            if await idempotency.known(self._ports, once) is None:  # else it was usable, and here is the same request
                raise
        return row.msisdn

    async def listed(self, call: Call) -> PaymentPage:
        """List them."""
        query: PaymentQuery = call.query
        name, test = one_of(call.caller, query.merchant), call.caller.key.test
        before, status = query.before or LAST, query.status.value if query.status else ""
        if query.merchant_reference is not None:
            row = await self._payments.by_reference(name, query.merchant_reference, test=test)
            fits = row is not None and row.id < before and status in {"", row.status}
            return PaymentPage(payments=[self._hosted.show(call, row)] if row is not None and fits else [], more=None)
        rows = await self._payments.listed(name, test=test, before=before, status=status, count=query.count + 1)
        return PaymentPage(
            payments=[self._hosted.show(call, row) for row in rows[: query.count]],
            more=rows[query.count - 1].id if len(rows) > query.count else None,
        )

    async def get(self, call: Call) -> HostedPayment:
        """Look at one."""
        return self._hosted.show(call, await own(self._payments, call))

    async def cancel(self, call: Call) -> HostedPayment:
        """Cancel one."""
        row = await own(self._payments, call)
        with self._again.once(call, row.merchant) as once:
            done = await self._payments.cancel(row.id, whose(call.caller), call.caller.key.id, once)
        if done.repeated:
            repeats.say_repeated(call)
        return self._hosted.show(call, done.payment)


def number(typed: str) -> str:
    """Return the digits of a number.

    Raises:
        Fault: it is none.
    """
    msisdn = e164(typed)
    if msisdn is None:
        raise Fault("number_invalid", "no phone can have this number; send it in E.164, such as +359888123456")
    return msisdn


def _see_whether_whole(body: PaymentRequest) -> None:
    """See what the types cannot say.

    Raises:
        Fault: the request is not as it must be.
    """
    if (body.msisdn is None) == (body.method is None):
        raise Fault("body_invalid", "msisdn, method: one of them is needed, and not both")
    if body.method is not None and body.remember:
        raise Fault("body_invalid", "remember: a method is remembered already")
    if not is_state(body.state):
        raise Fault("body_invalid", "state: has characters that cannot be kept")
    if not body.merchant_reference.isprintable():
        raise Fault("body_invalid", "merchant_reference: has characters that cannot be kept")
