"""/v1/webhook-deliveries: whether what was told was taken; that of some time told once more."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from smsgw.flows import deliveries, replay
from smsgw.flows.deliveries import LAST
from smsgw.kit.clock import rfc3339
from smsgw.kit.ids import first_of
from smsgw.store.events import Delivery
from smsgw.web.api import repeats
from smsgw.web.api.codes import moment
from smsgw.web.api.gate import one_of
from smsgw.web.api.operations import AnyName, Before, Call, Count, Moment, Operation
from smsgw.web.api.posting import PostingRoom, more_of

_PAGES = 20  # of 500 events that one request replays

State = Literal["pending", "delivered", "given_up", "not_posted"]
_Status = Annotated[
    State,
    Meta(description="pending: tried again and again; not_posted: `webhook_events` do not name its type."),
]


class WebhookDelivery(Struct, frozen=True, kw_only=True):
    """How far the delivery of an event has come."""

    event: Annotated[str, Meta(description="The event's id, and `webhook-id` of every try.")]
    merchant: Annotated[str, Meta(description="The merchant, or service, that is told.")]
    type: str
    subject: Annotated[str, Meta(description="The payment or code that it is about.")]
    status: _Status
    tries: int
    http_status: Annotated[int | None, Meta(description="Of the last answer.")]
    error: Annotated[str | None, Meta(description="Why the last try failed, in our words.")]
    happened_at: Moment
    next_try_at: Annotated[Moment | None, Meta(description="Null: there is none.")]
    settled_at: Moment | None


class DeliveryQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries."""

    merchant: AnyName | None = None
    status: State | None = None
    before: Before | None = None
    count: Count = 20


class DeliveryPage(Struct, frozen=True, kw_only=True):
    """A page of deliveries, the latest first."""

    deliveries: list[WebhookDelivery]
    more: Annotated[str | None, Meta(description="The next page is `before` this.")]


_Time = Annotated[datetime, Meta(tz=True)]


class ReplayRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """Which events are posted once more."""

    merchant: AnyName | None = None
    since: Annotated[_Time, Meta(description="Of the first event.")]
    to: Annotated[_Time | None, Meta(description="Before this moment; left out: to the last one.")] = None
    status: Annotated[
        Literal["delivered", "given_up", "not_posted"] | None,
        Meta(description="Only those; left out: what was delivered and what was given up."),
    ] = None
    before: Annotated[Before | None, Meta(description="The `more` of the request before this one.")] = None


class ReplayAnswer(Struct, frozen=True, kw_only=True):
    """What came of it."""

    events: Annotated[int, Meta(description="How many are posted once more.")]
    more: Annotated[str | None, Meta(description="There are more: ask again, with this as `before`, and a new key.")]


class DeliveryRoom(PostingRoom):
    """Deliveries of events."""

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="GET",
                path="/v1/webhook-deliveries",
                name="listDeliveries",
                summary="List deliveries",
                text="How far the deliveries of events have come, the latest event first.",
                scope="webhooks:read",
                handler=self.deliveries,
                query=DeliveryQuery,
                gives=DeliveryPage,
                problems=("query_invalid", "merchant_not_allowed"),
            ),
            Operation(
                method="POST",
                path="/v1/webhook-deliveries/replay",
                name="replayDeliveries",
                summary="Post the events of some time once more",
                text="With their old ids, in their order per payment, the latest 10,000 of those that are left. Events "
                "in the pause before their next try keep it.",
                scope="webhooks:write",
                handler=self.replay_some,
                takes=ReplayRequest,
                gives=ReplayAnswer,
                idempotent=True,
                problems=("merchant_not_allowed", "endpoint_missing", *repeats.AT_ONCE),
            ),
        ]

    async def deliveries(self, call: Call) -> DeliveryPage:
        """List them."""
        query: DeliveryQuery = call.query
        choice = self._choice(call, query.merchant, before=query.before, status=query.status or "")
        rows = await deliveries.listed(self._ports, choice, query.count + 1)
        return DeliveryPage(
            deliveries=[delivery_of(row) for row in rows[: query.count]], more=more_of(rows, query.count)
        )

    async def replay_some(self, call: Call) -> ReplayAnswer:
        """Post those of some time once more."""
        body: ReplayRequest = call.body
        last = LAST if body.to is None else first_of("evt", _ms(body.to))
        choice = self._choice(
            call,
            one_of(call.caller, body.merchant, "body_invalid"),
            first=first_of("evt", _ms(body.since)),
            before=min(last, body.before or last),
            status=body.status or "",
        )

        async def work() -> ReplayAnswer:
            self._see_whether_posted(choice.service)
            actor = call.caller.key.id
            done = await replay.replay_some(self._ports, choice, actor, choice.service, rush=False, pages=_PAGES)
            self._wake([choice.service])
            return ReplayAnswer(events=done.events, more=done.more or None)

        return await self._again.answer(call, choice.service, ReplayAnswer, work)


def delivery_of(row: Delivery) -> WebhookDelivery:
    """Return a delivery as the API shows it."""
    return WebhookDelivery(
        event=row.id,
        merchant=row.service,
        type=row.type,
        subject=row.subject,
        status=row.status,  # type: ignore[arg-type]  # the column holds nothing else
        tries=row.tries,
        http_status=row.http_status,
        error=row.error,
        happened_at=rfc3339(row.at_ms),
        next_try_at=rfc3339(row.next_ms) if row.status == "pending" else None,
        settled_at=moment(row.settled_ms),
    )


def _ms(at: datetime) -> int:
    """Return milliseconds since 1970 of any moment that can be written."""
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
