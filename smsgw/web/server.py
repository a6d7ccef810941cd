"""The HTTP server: routes and limits, from its start on a port to its end."""

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp_jinja2
import jinja2
import msgspec
from aiohttp import web
from msgspec import Struct

from smsgw.domain.addresses import networks
from smsgw.errors import StartError
from smsgw.flows.apikeys import ApiKeys
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.payments.counts import Counts
from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.watch import MOST, Watch
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.redeem import Verifier
from smsgw.flows.returns import Returns
from smsgw.kit.clock import Clock
from smsgw.kit.logs import get_logger
from smsgw.settings import Web
from smsgw.web import metrics
from smsgw.web.api.rooms import Api, Merchants
from smsgw.web.checkout import routes as checkout
from smsgw.web.checkout.room import Room
from smsgw.web.connection import Connection, Refusal
from smsgw.web.express import Express, Visitor
from smsgw.web.guard import IDS, guard, page_of, refused
from smsgw.web.metrics import Bound
from smsgw.web.verify import Limits, Verify

log = get_logger(__name__)

_HERE = Path(__file__).parent
_BODY_BYTES = 16 * 1024  # a code and a merchant's own fields; an address with them in it may be as long
_PORT_TAKEN = 69  # EX_UNAVAILABLE
_LAST_ANSWERS_S = 3.0  # for what has been asked before the end

VERIFY: Final = web.AppKey("verify", Verify)
CLOCK: Final[web.AppKey[Clock]] = web.AppKey("clock")


class Desks(Struct, frozen=True, kw_only=True):
    """The flows that requests are handed to."""

    verifier: Verifier
    returns: Returns
    ports: Ports
    keys: ApiKeys
    send: Callable[[Sequence[Outgoing]], None]  # takes messages that have been committed
    payments: Payments
    wake: Callable[[Collection[str]], None] = lambda _: None  # hears whose events are due; must not fail or wait
    watch: Watch = msgspec.field(default_factory=Watch)  # wakes pages that wait for a payment
    links: Callable[[], Mapping[str, Bound]] = dict  # that are watched, by name
    counts: Counts = msgspec.field(default_factory=Counts)  # of payments


class Look(Struct, frozen=True, kw_only=True):
    """How the plain pages look."""

    templates: Path = _HERE / "templates"  # with a message.html, which is given a title and a text
    static: Path = _HERE / "static"  # served as /static, for the templates
    words: dict[str, str] = {}  # what the templates are given beside those
    frames: str = "'none'"  # who may show the checkout in a frame (CSP): nobody, but the demo


def create(
    settings: Web, desks: Desks, catalog: Catalog, healthy: Callable[[], bool], look: Look | None = None
) -> web.Application:
    """Build the application."""
    look = look or Look()
    app = web.Application(middlewares=[guard], client_max_size=_BODY_BYTES)
    app[IDS] = desks.ports.ids
    folders = [look.templates, _HERE / "templates"]  # what a look does not change, it leaves
    pages = aiohttp_jinja2.setup(
        app, loader=jinja2.FileSystemLoader(folders), autoescape=True, undefined=jinja2.StrictUndefined
    )
    pages.globals.update(look.words)
    limits = Limits(
        body_timeout_s=settings.body_timeout_s,
        verify_timeout_s=settings.verify_timeout_s,
        proxies=networks(tuple(settings.proxies)),
    )
    verify = Verify(desks.verifier, desks.returns, catalog, limits)

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"}) if healthy() else web.json_response({"status": "broken"}, status=503)

    app[VERIFY], app[CLOCK] = verify, desks.ports.clock
    # No HEAD: a link checker must not use up a code.
    app.router.add_get("/v/{service}", verify.get, allow_head=False)
    app.router.add_post("/v/{service}", verify.post)
    app.router.add_get("/health", health)
    app.router.add_get("/metrics", metrics.page(desks.ports, settings, desks.links, desks.counts), allow_head=False)
    merchants = Merchants(
        ports=desks.ports,
        verifier=desks.verifier,
        keys=desks.keys,
        send=desks.send,
        payments=desks.payments,
        wake=desks.wake,
    )
    Api(settings, merchants, catalog).route(app)
    checkout.route(app, _checkout_room(settings, desks, catalog, look))
    app.router.add_static("/static", look.static)
    app.router.add_static("/docs/static", _HERE / "static")
    return app


def _checkout_room(settings: Web, desks: Desks, catalog: Catalog, look: Look) -> Room:
    return Room(
        ports=desks.ports,
        catalog=catalog,
        payments=desks.payments,
        watch=desks.watch,
        returns=desks.returns,
        proxies=networks(tuple(settings.proxies)),
        secure=settings.public_url.startswith("https:"),
        frames=look.frames,
        body_timeout_s=settings.body_timeout_s,
        patience_s=settings.verify_timeout_s,
        assets=checkout.assets(),
        most_streams=min(MOST, settings.max_connections // 2),  # the other half is for those who come to pay
    )


class _Discreet(logging.Logger):
    """Hears what aiohttp says about requests that it cannot read: it quotes them, and there are codes in them."""

    def exception(self, msg: object, *args: object, **options: Any) -> None:  # noqa: ARG002 - what must not be told
        """Tell the kind of fault only."""
        log.info("web.unreadable", error=type(options.get("exc_info")).__name__)


class Server:
    """A running server."""

    def __init__(self, app: web.Application, settings: Web) -> None:
        self.app = app
        self._settings = settings
        self._runner = web.AppRunner(app, shutdown_timeout=_LAST_ANSWERS_S)
        self._express = Express(
            app[VERIFY],
            now_ms=app[CLOCK].now_ms,
            silence_s=settings.headers_timeout_s,
            page=partial(page_of, app),
            other=self._connection,
        )
        self._listener: asyncio.Server | None = None
        self._full = False
        self._lingering: set[Refusal] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen.

        Raises:
            StartError: the port is taken, or the address is not this machine's.
        """
        await self._runner.setup()
        host, port = self._settings.host, self._settings.port
        try:
            self._listener = await asyncio.get_running_loop().create_server(self._accept, host, port, backlog=128)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)  # below 0: a name's fault
            raise StartError(f"web.host, web.port: cannot listen on {host}:{port}: {why}", _PORT_TAKEN) from None
        self.port = self._listener.sockets[0].getsockname()[1]
        log.info("web.listening", host=host, port=self.port)

    def _accept(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        assert server is not None
        full = len(server.connections) + len(self._express.visitors) >= self._settings.max_connections
        if full and not self._full:
            log.warning("web.full", connections=self._settings.max_connections)
        self._full = full
        return Refusal(page_of(self.app, 503), self._lingering) if full else Visitor(self._express)

    def _connection(self) -> Connection:
        server = self._runner.server
        assert server is not None
        return Connection(
            server,
            partial(refused, self.app),
            access_log=None,
            logger=_Discreet("aiohttp.server"),
            keepalive_timeout=self._settings.headers_timeout_s,
            max_line_size=_BODY_BYTES,
        )

    async def stop(self) -> None:
        """Answer what has been asked, then close."""
        if self._listener is not None:
            self._listener.close()
        for refusal in tuple(self._lingering):
            refusal.abort()
        await self._express.stop(_LAST_ANSWERS_S)
        await self._runner.cleanup()
