"""/v1/events and /v1/webhook-deliveries: what was told, whether it was taken, told once more."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from smsgw.flows import deliveries, replay
from smsgw.flows.deliveries import LAST
from smsgw.flows.payments.desk import Whose
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.clock import rfc3339
from smsgw.kit.ids import first_of
from smsgw.store.events import Choice, Delivery
from smsgw.web.api import repeats
from smsgw.web.api.codes import moment
from smsgw.web.api.gate import one_of
from smsgw.web.api.operations import AnyName, Before, Call, Count, Moment, Operation
from smsgw.web.api.problem import Fault
from smsgw.web.api.repeats import Repeats

_PAGES = 20  # of 500 events that one request replays

State = Literal["pending", "delivered", "given_up", "not_posted"]
_Status = Annotated[
    State,
    Meta(description="pending: tried again and again; not_posted: `webhook_events` do not name its type."),
]
_Type = Annotated[str, Meta(description="The event's type.", pattern="^[a-z_.]{1,60}$")]


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


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened, as it is posted."""

    id: str
    body: Annotated[
        dict[str, Any], Meta(description="`type`, `timestamp` and `data`, as under `webhooks` in openapi.json.")
    ]
    delivery: WebhookDelivery


class EventQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events."""

    merchant: AnyName | None = None
    type: _Type | None = None
    before: Before | None = None
    count: Count = 20


class EventPage(Struct, frozen=True, kw_only=True):
    """A page of events, the latest first."""

    events: list[Event]
    more: Annotated[str | None, Meta(description="The next page is `before` this.")]


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


class EventRoom:
    """Events and their deliveries.

    Args:
        ports: the world.
        catalog: who has an address.
        again: keeps requests from being done twice.
        wake: hears whose events are due; must not fail or wait.
    """

    def __init__(self, ports: Ports, catalog: Catalog, again: Repeats, wake: Callable[[Collection[str]], None]) -> None:
        self._ports = ports
        self._catalog = catalog
        self._again = again
        self._wake = wake

    def operations(self) -> list[Operation]:
        """Describe them."""
        return [
            Operation(
                method="GET",
                path="/v1/events",
                name="listEvents",
                summary="List events",
                text="Everything that happened, whether it was posted or not, the latest first; kept for `keep_days`.",
                scope="webhooks:read",
                handler=self.events,
                query=EventQuery,
                gives=EventPage,
                problems=("query_invalid", "merchant_not_allowed"),
            ),
            Operation(
                method="GET",
                path="/v1/events/{id}",
                name="getEvent",
                summary="Look at an event",
                text="As it is posted, and how far its delivery has come.",
                scope="webhooks:read",
                handler=self.event,
                gives=Event,
                problems=("not_found",),
            ),
            Operation(
                method="POST",
                path="/v1/events/{id}/replay",
                name="replayEvent",
                summary="Post an event once more",
                text="With its old id, now, even in its pause, and even if its type is not posted. One that is being "
                "posted at the moment is left alone.",
                scope="webhooks:write",
                handler=self.replay,
                gives=Event,
                idempotent=True,
                problems=("not_found", "endpoint_missing", *repeats.AT_ONCE),
            ),
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

    async def events(self, call: Call) -> EventPage:
        """List them."""
        query: EventQuery = call.query
        choice = self._choice(call, query.merchant, before=query.before, type=query.type or "")
        rows = await deliveries.listed(self._ports, choice, query.count + 1)
        return EventPage(events=[event_of(row) for row in rows[: query.count]], more=_more(rows, query.count))

    async def event(self, call: Call) -> Event:
        """Look at one."""
        return event_of(await self._own(call))

    async def replay(self, call: Call) -> Event:
        """Post one once more."""
        row = await self._own(call)

        async def work() -> Event:
            self._see_whether_posted(row.service)
            choice = Choice(first=row.id, before=f"{row.id}0")
            await replay.replay(self._ports, choice, call.caller.key.id, row.id, rush=True)
            self._wake([row.service])
            return event_of(await self._own(call))

        return await self._again.answer(call, row.service, Event, work)

    async def deliveries(self, call: Call) -> DeliveryPage:
        """List them."""
        query: DeliveryQuery = call.query
        choice = self._choice(call, query.merchant, before=query.before, status=query.status or "")
        rows = await deliveries.listed(self._ports, choice, query.count + 1)
        return DeliveryPage(deliveries=[_delivery(row) for row in rows[: query.count]], more=_more(rows, query.count))

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

    def _choice(self, call: Call, name: str | None, *, before: str | None, **more: str) -> Choice:
        service = one_of(call.caller, name)
        return Choice(service=service, test=int(call.caller.key.test), before=before or LAST, **more)

    async def _own(self, call: Call) -> Delivery:
        whose = Whose(merchants=call.caller.names, test=call.caller.key.test)
        row = await deliveries.get(self._ports, call.request.match_info["id"], whose)
        if row is None:
            raise Fault("not_found", "there is no such event of yours")
        return row

    def _see_whether_posted(self, name: str) -> None:
        merchant, service = self._catalog.merchants.get(name), self._catalog.services.get(name)
        if not (merchant and merchant.settings.webhook_url) and not (service and service.settings.webhook_url):
            raise Fault("endpoint_missing", "carrier staff set webhook_url in the settings")


def event_of(row: Delivery) -> Event:
    """Return an event as the API shows it."""
    return Event(id=row.id, body=_body.decode(row.body), delivery=_delivery(row))


_body = msgspec.json.Decoder(dict[str, Any])


def _delivery(row: Delivery) -> WebhookDelivery:
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


def _more(rows: list[Delivery], count: int) -> str | None:
    return rows[count - 1].id if len(rows) > count else None


def _ms(at: datetime) -> int:
    """Return milliseconds since 1970 of any moment that can be written."""
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
