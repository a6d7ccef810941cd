"""/v1/payments: asked for, looked at, canceled, refunded; what was posted about one, and what proves its consent."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from smsgw.domain.goods import Merchant
from smsgw.domain.numbers import e164
from smsgw.domain.payments import Fact, Status
from smsgw.flows import deliveries, idempotency
from smsgw.flows.amend import Refused
from smsgw.flows.idempotency import Idempotency
from smsgw.flows.payments import methods
from smsgw.flows.payments.asking import NewPayment
from smsgw.flows.payments.desk import LAST, Payments, Whose
from smsgw.flows.payments.events import Refund, view_refund
from smsgw.flows.ports import Ports
from smsgw.kit.clock import rfc3339
from smsgw.settings.merchant import Language
from smsgw.store.payments import FactRow, PaymentRow
from smsgw.web.api import repeats
from smsgw.web.api.checks import State
from smsgw.web.api.events import Event, event_of
from smsgw.web.api.gate import merchant_of, one_of
from smsgw.web.api.hosted import Hosted, HostedPayment
from smsgw.web.api.operations import AnyName, Before, Call, Caller, Count, MerchantName, Moment, Operation
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


class Refunds(Struct, frozen=True, kw_only=True):
    """A payment's refunds, the first first."""

    refunds: list[Refund]


class PaymentEvents(Struct, frozen=True, kw_only=True):
    """Everything that was told about a payment, in its order."""

    events: list[Event]


class Consent(Struct, frozen=True, kw_only=True):
    """The question, and the answer that was a YES."""

    prompt: Annotated[str | None, Meta(description="The text of the question, as it was sent.")]
    prompt_message: Annotated[str | None, Meta(description="The id of its SMS.")]
    prompt_message_id: Annotated[str | None, Meta(description="The operator's own id of that SMS.")]
    prompted_at: Annotated[str | None, Meta(description="When the operator took it.")]
    answer: Annotated[str, Meta(description="The text of the answer, as it came.")]
    answer_message: Annotated[str, Meta(description="The id of its SMS.")]
    answered_at: Annotated[str, Meta(description="When it came.")]


class FactShown(Struct, frozen=True, kw_only=True):
    """Something that happened to a payment. Facts are only ever added."""

    id: str
    at: Moment
    kind: Fact
    told: dict[str, Any]


class Evidence(Struct, frozen=True, kw_only=True):
    """What proves a payment."""

    payment: HostedPayment
    consent: Annotated[Consent | None, Meta(description="Null: nobody has confirmed it.")]
    facts: list[FactShown]
    refunds: list[Refund]


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
_CHANGES: Final = ("not_found", *repeats.AT_ONCE)


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
                text=(
                    "Sends the question to the phone; the price is the product's at the phone's operator. Give "
                    "`msisdn` or `method`, one of them. Nothing is paid yet: wait for `payment.succeeded`, or ask now "
                    "and then. A phone answers one question at a time (409 `confirmation_open`). A `method` whose "
                    "number was never confirmed, or not for the merchant's `verify_number_days`, is refused (409 "
                    "`method_needs_verification`): ask for the number then, and send it with `remember`. Send an "
                    "`Idempotency-Key` of your own with it: the same request with the same key has the same answer for "
                    "24 hours (`Idempotent-Replayed: true`), and while the first is worked on, 409 "
                    "`idempotency_in_progress`. With a test key a simulated operator is paid, with no money."
                ),
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
                problems=(*_CHANGES, "not_cancelable"),
            ),
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
                problems=(*_CHANGES, "not_refundable", "too_much"),
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
            Operation(
                method="GET",
                path="/v1/payments/{id}/events",
                name="listPaymentEvents",
                summary="Look at a payment's events",
                text="As they were posted, in their order, with how far the delivery of each has come.",
                scope="payments:read",
                handler=self.events,
                gives=PaymentEvents,
                problems=("not_found",),
            ),
            Operation(
                method="GET",
                path="/v1/payments/{id}/evidence",
                name="getEvidence",
                summary="What proves a payment",
                text="The question and the answer with their times and message ids, and every fact. For disputes.",
                scope="payments:numbers",
                handler=self.evidence,
                gives=Evidence,
                problems=("not_found",),
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
        return self._hosted.show(call, await self._own(call))

    async def cancel(self, call: Call) -> HostedPayment:
        """Cancel one."""
        row = await self._own(call)
        with self._again.once(call, row.merchant) as once:
            done = await self._payments.cancel(row.id, whose(call.caller), call.caller.key.id, once)
        if done.repeated:
            repeats.say_repeated(call)
        return self._hosted.show(call, done.payment)

    async def refund(self, call: Call) -> Refund:
        """Give money back."""
        body: RefundRequest = call.body
        if not is_state(body.reason):
            raise Fault("body_invalid", "reason has characters that cannot be kept - at `$.reason`")
        row = await self._own(call)
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
        story = await self._payments.story(call.request.match_info["id"], whose(call.caller))
        if story is None:
            raise unknown()
        return Refunds(refunds=[view_refund(one) for one in story.refunds])

    async def events(self, call: Call) -> PaymentEvents:
        """Look at what was told."""
        row = await self._own(call)
        return PaymentEvents(events=[event_of(one) for one in await deliveries.of_subject(self._ports, row.id)])

    async def evidence(self, call: Call) -> Evidence:
        """Look at what proves it."""
        story = await self._payments.story(call.request.match_info["id"], whose(call.caller))
        if story is None:
            raise unknown()
        facts = [_fact(one) for one in story.facts]
        return Evidence(
            payment=self._hosted.show(call, story.payment),
            consent=_consent(facts),
            facts=facts,
            refunds=[view_refund(one) for one in story.refunds],
        )

    async def _own(self, call: Call) -> PaymentRow:
        row = await self._payments.get(call.request.match_info["id"], whose(call.caller))
        if row is None:
            raise unknown()
        return row


def whose(caller: Caller) -> Whose:
    """Return which payments a caller may see."""
    return Whose(merchants=caller.names, test=caller.key.test)


def number(typed: str) -> str:
    """Return the digits of a number.

    Raises:
        Fault: it is none.
    """
    msisdn = e164(typed)
    if msisdn is None:
        raise Fault("number_invalid", "no phone can have this number; send it in E.164, such as +359888123456")
    return msisdn


def unknown() -> Fault:
    """Return the answer to everything that is no payment of the caller's."""
    return Fault("not_found", "there is no such payment of a merchant of yours")


def _see_whether_whole(body: PaymentRequest) -> None:
    """See what the types cannot say.

    Raises:
        Fault: the request is not as it must be.
    """
    if (body.msisdn is None) == (body.method is None):
        raise Fault("body_invalid", "Object needs one of `msisdn` and `method`")
    if body.method is not None and body.remember:
        raise Fault("body_invalid", "A `method` is remembered already - at `$.remember`")
    if not is_state(body.state):
        raise Fault("body_invalid", "state has characters that cannot be kept - at `$.state`")
    if not body.merchant_reference.isprintable():
        raise Fault("body_invalid", "merchant_reference has characters that cannot be kept - at `$.merchant_reference`")


_INNER: Final[Mapping[Fact, Sequence[str]]] = {Fact.CREATED: ("terms",)}  # between the operator and us
_told = msgspec.json.Decoder(dict[str, Any])


def _fact(row: FactRow) -> FactShown:
    kind = Fact(row.kind)
    told = {key: value for key, value in _told.decode(row.told).items() if key not in _INNER.get(kind, ())}
    return FactShown(id=row.id, at=rfc3339(row.at_ms), kind=kind, told=told)


def _consent(facts: Sequence[FactShown]) -> Consent | None:
    confirmed = next((one for one in facts if one.kind is Fact.CONFIRMED), None)
    if confirmed is None:
        return None
    prompted = next((one for one in facts if one.kind is Fact.PROMPTED), None)
    question = prompted.told if prompted else {}
    made = next((one.told for one in facts if one.kind is Fact.CREATED), {})
    told = confirmed.told
    return Consent(
        prompt=made.get("prompt"),
        prompt_message=question.get("mt"),
        prompt_message_id=question.get("message_id"),
        prompted_at=prompted.at if prompted else None,
        answer=told.get("answer", ""),
        answer_message=told.get("mo", ""),
        answered_at=rfc3339(told["received_ms"]) if "received_ms" in told else confirmed.at,
    )
