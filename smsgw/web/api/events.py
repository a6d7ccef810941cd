"""/v1/events: what was told, and told once more."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from smsgw.flows import deliveries, replay
from smsgw.flows.payments.whose import Whose
from smsgw.store.events import Choice, Delivery
from smsgw.web.api import repeats
from smsgw.web.api.deliveries import WebhookDelivery, delivery_of
from smsgw.web.api.operations import AnyName, Before, Call, Count, Operation
from smsgw.web.api.posting import PostingRoom, more_of
from smsgw.web.api.problem import Fault

_Type = Annotated[str, Meta(description="The event's type.", pattern="^[a-z_.]{1,60}$")]


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


class EventRoom(PostingRoom):
    """Events."""

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
        ]

    async def events(self, call: Call) -> EventPage:
        """List them."""
        query: EventQuery = call.query
        choice = self._choice(call, query.merchant, before=query.before, type=query.type or "")
        rows = await deliveries.listed(self._ports, choice, query.count + 1)
        return EventPage(events=[event_of(row) for row in rows[: query.count]], more=more_of(rows, query.count))

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

    async def _own(self, call: Call) -> Delivery:
        whose = Whose(merchants=call.caller.names, test=call.caller.key.test)
        row = await deliveries.get(self._ports, call.request.match_info["id"], whose)
        if row is None:
            raise Fault("not_found", "there is no such event of yours")
        return row


def event_of(row: Delivery) -> Event:
    """Return an event as the API shows it."""
    return Event(id=row.id, body=_body.decode(row.body), delivery=delivery_of(row))


_body = msgspec.json.Decoder(dict[str, Any])
