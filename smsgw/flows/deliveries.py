"""What merchants were told and whether they took it, looked up for the API; and what an address wants to hear."""

from msgspec import Struct

from smsgw.flows.payments.whose import Whose
from smsgw.flows.ports import Catalog, Ports
from smsgw.store import endpoints, events
from smsgw.store.events import Choice, Delivery

LAST = Choice().before


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where a service or merchant is told what happens."""

    name: str
    url: str  # "": nowhere
    types: list[str]  # that are posted; empty: all
    gone_ms: int | None  # since when nothing is posted: the address answered 410
    waiting: int  # events


async def listed(ports: Ports, choice: Choice, count: int) -> list[Delivery]:
    """Return the latest of the chosen events."""
    async with ports.database.read() as reader:
        return await events.walk(reader, choice, count)


async def of_subject(ports: Ports, subject: str) -> list[Delivery]:
    """Return all events of a payment or code, in their order."""
    async with ports.database.read() as reader:
        return await events.of_subject(reader, subject)


async def get(ports: Ports, event: str, whose: Whose) -> Delivery | None:
    """Return one event; None when there is none, or it is somebody else's."""
    test = -1 if whose.test is None else int(whose.test)
    rows = await listed(ports, Choice(first=event, before=f"{event}0", test=test), 1)
    return rows[0] if rows and (whose.merchants is None or rows[0].service in whose.merchants) else None


async def endpoint(ports: Ports, catalog: Catalog, name: str) -> Endpoint:
    """Return where a service or merchant is told what happens; of one that is sold no more, nowhere."""
    merchant = catalog.merchants.get(name)
    service = catalog.services.get(name)
    url = merchant.settings.webhook_url if merchant else service.settings.webhook_url if service else ""
    async with ports.database.read() as reader:
        gone = (await endpoints.gone(reader)).get(name)
        waiting = await events.waiting(reader, name)
    return Endpoint(
        name=name,
        url=url,
        types=merchant.settings.webhook_events if merchant else [],
        gone_ms=gone.at_ms if gone is not None and gone.url == url else None,
        waiting=waiting,
    )
