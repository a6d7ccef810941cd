"""GET /metrics: what carrier staff watch, in the form that Prometheus reads; only for the addresses that may."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from smsgw.domain.addresses import is_within, networks
from smsgw.flows.ports import Ports
from smsgw.settings import Web
from smsgw.store import payments
from smsgw.web.verify import visitor_of

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000


class Bound(Protocol):
    """A link, as far as it is watched."""

    @property
    def bound(self) -> bool:
        """Whether every bind stands."""


def page(
    ports: Ports, settings: Web, links: Callable[[], Mapping[str, Bound]]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler.

    Args:
        ports: the world.
        settings: who may read it.
        links: by name.
    """
    allowed, proxies = networks(tuple(settings.metrics_ips)), networks(tuple(settings.proxies))

    async def handle(request: web.Request) -> web.Response:
        if not is_within(visitor_of(request, proxies), allowed):
            raise web.HTTPForbidden
        registry = CollectorRegistry()
        _links(registry, links())
        await _payments(registry, ports)
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return handle


def _links(registry: CollectorRegistry, links: Mapping[str, Bound]) -> None:
    bound = Gauge("smsgw_link_bound", "1 while every bind of the link stands.", ["link"], registry=registry)
    for name, link in links.items():
        bound.labels(name).set(link.bound)


async def _payments(registry: CollectorRegistry, ports: Ports) -> None:
    now_ms = ports.clock.now_ms()
    async with ports.database.read() as reader:
        unknowns = await payments.figures(reader, now_ms - _HOUR_MS, now_ms - _DAY_MS)
        odd = await payments.count_odd(reader)
    unknown = Gauge(
        "smsgw_charges_unknown",
        "Payments of which nobody knows whether they were charged, confirmed longer ago than this.",
        ["link", "older_than"],
        registry=registry,
    )
    oldest = Gauge(
        "smsgw_charges_unknown_oldest_seconds", "How long ago the oldest was confirmed.", ["link"], registry=registry
    )
    for one in unknowns:
        for age, count in (("0s", one.count), ("1h", one.over_hour), ("1d", one.over_day)):
            unknown.labels(one.link, age).set(count)
        oldest.labels(one.link).set(max(0, now_ms - one.oldest_ms) / 1000)
    Gauge("smsgw_payments_odd", "Payments with a discrepancy that nobody has resolved.", registry=registry).set(odd)
