"""GET /metrics: what carrier staff watch, in the form that Prometheus reads; only for the addresses that may."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final, Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from smsgw.domain.addresses import is_within, networks
from smsgw.flows.payments.counts import Counts
from smsgw.flows.ports import Ports
from smsgw.settings import Web
from smsgw.store import payments
from smsgw.web.verify import visitor_of

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000
_AGES: Final = ("0s", "1h", "1d")


class Bound(Protocol):
    """A link, as far as it is watched."""

    @property
    def bound(self) -> bool:
        """Whether every bind stands."""


def page(
    ports: Ports, settings: Web, links: Callable[[], Mapping[str, Bound]], counts: Counts
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler.

    Args:
        ports: the world.
        settings: who may read it.
        links: by name.
        counts: of payments.
    """
    allowed, proxies = networks(tuple(settings.metrics_ips)), networks(tuple(settings.proxies))

    async def handle(request: web.Request) -> web.Response:
        if not is_within(visitor_of(request, proxies), allowed):
            raise web.HTTPForbidden
        registry = CollectorRegistry()
        _links(registry, links())
        registry.register(_Told(counts))
        await _payments(registry, ports, links())
        await _refunds(registry, ports)
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return handle


def _links(registry: CollectorRegistry, links: Mapping[str, Bound]) -> None:
    bound = Gauge("smsgw_link_bound", "1 while every bind of the link stands.", ["link"], registry=registry)
    for name, link in links.items():
        bound.labels(name).set(link.bound)


class _Told(Collector):
    """Shows the counts."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield them."""
        about = "What has happened to payments here since the start, as the log has it; of failures with their reason."
        family = CounterMetricFamily("smsgw_payments", about, labels=["merchant", "event", "reason"])
        for name, count in sorted(self._counts.so_far().items()):
            family.add_metric(name, count)
        yield family


async def _payments(registry: CollectorRegistry, ports: Ports, links: Iterable[str]) -> None:
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
    for name in links:  # a link without any says so: a series that comes and goes is hard to watch
        for age in _AGES:
            unknown.labels(name, age).set(0)
        oldest.labels(name).set(0)
    for one in unknowns:
        for age, count in zip(_AGES, (one.count, one.over_hour, one.over_day), strict=True):
            unknown.labels(one.link, age).set(count)
        oldest.labels(one.link).set(max(0, now_ms - one.oldest_ms) / 1000)
    Gauge("smsgw_payments_odd", "Payments with a discrepancy that nobody has resolved.", registry=registry).set(odd)


async def _refunds(registry: CollectorRegistry, ports: Ports) -> None:
    async with ports.database.read() as reader:
        count, oldest_ms = await payments.refunds_pending(reader)
    about = "Refunds of which the operator has not said yet that the money went back."
    Gauge("smsgw_refunds_pending", about, registry=registry).set(count)
    waited_s = 0.0 if oldest_ms is None else max(0, ports.clock.now_ms() - oldest_ms) / 1000
    about = "How long ago the oldest of them was asked for."
    Gauge("smsgw_refunds_pending_oldest_seconds", about, registry=registry).set(waited_s)
