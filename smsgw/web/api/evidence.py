"""/v1/payments/{id}/events and /evidence: what was told about a payment, and what proves its consent."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from smsgw.domain.payments import Fact
from smsgw.flows import deliveries
from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.events import Refund, view_refund
from smsgw.flows.ports import Ports
from smsgw.kit.clock import rfc3339
from smsgw.store.payments import FactRow
from smsgw.web.api.events import Event, event_of
from smsgw.web.api.hosted import Hosted, HostedPayment
from smsgw.web.api.operations import Call, Moment, Operation
from smsgw.web.api.owned import own, story_of


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


class EvidenceRoom:
    """What is on record about payments.

    Args:
        ports: the world.
        payments: what is known about them.
        hosted: shows them.
    """

    def __init__(self, ports: Ports, payments: Payments, hosted: Hosted) -> None:
        self._ports = ports
        self._payments = payments
        self._hosted = hosted

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
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

    async def events(self, call: Call) -> PaymentEvents:
        """Look at what was told."""
        row = await own(self._payments, call)
        return PaymentEvents(events=[event_of(one) for one in await deliveries.of_subject(self._ports, row.id)])

    async def evidence(self, call: Call) -> Evidence:
        """Look at what proves it."""
        story = await story_of(self._payments, call)
        facts = [_fact(one) for one in story.facts]
        return Evidence(
            payment=self._hosted.show(call, story.payment),
            consent=_consent(facts),
            facts=facts,
            refunds=[view_refund(one) for one in story.refunds],
        )


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
