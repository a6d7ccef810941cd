"""Where a visitor's browser brings a code: judged, counted, and sent to one of the merchant's pages with a proof."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote_plus

from aiohttp import web
from msgspec import Struct
from multidict import MultiMapping

from smsgw.domain.addresses import Network, client
from smsgw.domain.codes import Outcome
from smsgw.errors import StoreUnavailable
from smsgw.flows.ports import Catalog
from smsgw.flows.redeem import Verifier
from smsgw.flows.returns import Returns
from smsgw.flows.visits import Redemption, Visit
from smsgw.kit.logs import get_logger
from smsgw.settings import ServiceSettings
from smsgw.web.guard import page

log = get_logger(__name__)

# Too slow, not a form, an unknown charset, not compressed as it says, cut short.
_NO_FORM = (TimeoutError, ValueError, LookupError, web.RequestPayloadError, ConnectionError)

MAX_STATE = 512  # characters of the merchant's own; with the token it must fit an address


class Limits(Struct, frozen=True, kw_only=True):
    """How long a visitor may wait, and whose word is taken for where a visitor comes from."""

    body_timeout_s: float
    verify_timeout_s: float
    proxies: Sequence[Network]


class Plain(Struct, frozen=True):
    """What a plain visit says."""

    service: str
    typed: str
    state: str
    forwarded: str  # X-Forwarded-For, all of them


class Verify:
    """GET and POST /v/<service> with the fields ``code`` and ``state``; answers 303 to the service's own pages only."""

    def __init__(self, verifier: Verifier, returns: Returns, catalog: Catalog, limits: Limits) -> None:
        self._verifier = verifier
        self._returns = returns
        self._catalog = catalog
        self._limits = limits

    async def get(self, request: web.Request) -> web.Response:
        """Take the fields from the query."""
        return await self._answer(request, request.query)

    async def post(self, request: web.Request) -> web.Response:
        """Take the fields from the form."""
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                form = await request.post()
        except _NO_FORM:
            return page(request, 400)
        return await self._answer(request, form)

    async def _answer(self, request: web.Request, fields: MultiMapping[object]) -> web.Response:
        service = self._catalog.services.get(request.match_info["service"])
        if service is None:
            return page(request, 404)
        typed, state = fields.get("code", ""), fields.get("state", "")
        if not isinstance(state, str) or not is_state(state):
            return page(request, 400)
        visitor = visitor_of(request, self._limits.proxies)
        visit = Visit(service=service.name, typed=typed if isinstance(typed, str) else "", visitor=visitor, state=state)
        try:
            redemption = await self._verifier.begin(visit, self._limits.verify_timeout_s)
        except (StoreUnavailable, asyncio.QueueFull, TimeoutError):
            log.warning("code.not_verified", service=service.name)
            return page(request, 503)
        return web.Response(status=303, headers={"Location": self.place(redemption)})

    def begin(self, plain: Plain, address: str) -> asyncio.Future[Redemption] | None:
        """Begin a plain visit; None when it is not answered by a redirect.

        Raises:
            asyncio.QueueFull: too many visitors wait.
        """
        service = self._catalog.services.get(plain.service)
        if service is None or not is_state(plain.state):
            return None
        proxies = self._limits.proxies
        visitor = client(address, plain.forwarded, proxies) if proxies else address
        visit = Visit(service=service.name, typed=plain.typed, visitor=visitor, state=plain.state)
        return self._verifier.begin(visit, self._limits.verify_timeout_s)

    def place(self, redemption: Redemption) -> str:
        """Return where a visitor is sent."""
        settings = self._catalog.services[redemption.service].settings
        return location(settings, redemption, self._returns.token(redemption, settings))


def is_state(state: str) -> bool:
    """Whether a merchant's state can be kept and passed on: not too long, and whole characters without NUL."""
    return len(state) <= MAX_STATE and "\0" not in state and not any("\ud800" <= mark <= "\udfff" for mark in state)


def visitor_of(request: web.Request, proxies: Sequence[Network]) -> str:
    """Return the address that a request comes from."""
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", ())) if proxies else ""
    return client(request.remote or "unknown", forwarded, proxies)


def location(settings: ServiceSettings, redemption: Redemption, token: str) -> str:
    """Return the merchant's page for an outcome, with the return token and the merchant's own state."""
    return with_fields(target(settings, redemption.outcome), token, redemption.state)


def with_fields(page_url: str, token: str, state: str) -> str:
    """Return a merchant's page with a return token and the merchant's own state."""
    before, behind = _around_token(page_url)
    own = f"&state={quote_plus(state)}" if state else ""
    return f"{before}{token}{own}{behind}"


@lru_cache(maxsize=10_000)  # far more than there are pages
def _around_token(page_url: str) -> tuple[str, str]:
    """Return an address up to the value of ``rt``, and what follows the fields."""
    head, hash_mark, fragment = page_url.partition("#")
    return f"{head}{'&' if '?' in head else '?'}rt=", f"{hash_mark}{fragment}"


def target(settings: ServiceSettings, outcome: Outcome) -> str:
    """Return the merchant's page for an outcome."""
    if outcome is Outcome.SUCCESS:
        return settings.success_url
    if outcome is Outcome.EXPIRED:
        return settings.expired_url
    if outcome is Outcome.USED_UP:
        return settings.used_up_url or settings.expired_url
    if outcome is Outcome.THROTTLED:
        return settings.throttled_url or settings.invalid_url
    return settings.invalid_url
