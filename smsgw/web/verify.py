"""Where a visitor's browser brings a code: checked, counted, and sent back to one of the merchant's pages."""

import asyncio

from aiohttp import web

from smsgw.domain.codes import Outcome
from smsgw.errors import StoreUnavailable
from smsgw.flows.access import Verifier, Visit
from smsgw.flows.ports import Catalog
from smsgw.kit.logs import get_logger
from smsgw.settings import ServiceSettings
from smsgw.web.guard import page

log = get_logger(__name__)

# Too slow, not a form, an unknown charset, not compressed as it says, cut short.
_NO_FORM = (TimeoutError, ValueError, LookupError, web.RequestPayloadError, ConnectionError)


class Verify:
    """GET and POST /v/<service> with the field ``code``; answers 303 to the service's own pages, never elsewhere."""

    def __init__(self, verifier: Verifier, catalog: Catalog, *, body_timeout_s: float, verify_timeout_s: float) -> None:
        self._verifier = verifier
        self._catalog = catalog
        self._body_timeout_s = body_timeout_s
        self._verify_timeout_s = verify_timeout_s

    async def get(self, request: web.Request) -> web.Response:
        """Take the code from the query."""
        return await self._answer(request, request.query.get("code", ""))

    async def post(self, request: web.Request) -> web.Response:
        """Take the code from the form."""
        try:
            async with asyncio.timeout(self._body_timeout_s):
                form = await request.post()
        except _NO_FORM:
            return page(request, 400)
        typed = form.get("code", "")
        return await self._answer(request, typed if isinstance(typed, str) else "")

    async def _answer(self, request: web.Request, typed: str) -> web.Response:
        service = self._catalog.services.get(request.match_info["service"])
        if service is None:
            return page(request, 404)
        visit = Visit(service=service.name, typed=typed, visitor=request.remote or "unknown")
        try:
            outcome = await self._verifier.redeem(visit, self._verify_timeout_s)
        except (StoreUnavailable, asyncio.QueueFull, TimeoutError):
            log.warning("code.not_verified", service=service.name)
            return page(request, 503)
        return web.Response(status=303, headers={"Location": target(service.settings, outcome)})


def target(settings: ServiceSettings, outcome: Outcome) -> str:
    """Return the merchant's page for an outcome; a used-up code is over as an expired one is."""
    if outcome is Outcome.SUCCESS:
        return settings.success_url
    if outcome is Outcome.INVALID:
        return settings.invalid_url
    return settings.expired_url
