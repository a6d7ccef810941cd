"""A payment's own page, /pay/p/<token>: how it stands, live; the way back to the merchant, with a signed token.

Whoever has the address may see the page and cancel what nobody has confirmed; nobody can guess it, and so nobody can
forge a request for it either. The page is whole without a script: it looks again by itself.
"""

import asyncio
from contextlib import suppress
from typing import Final
from urllib.parse import urlencode

import aiohttp_jinja2
import msgspec
from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from smsgw.domain import money
from smsgw.domain.goods import Merchant
from smsgw.domain.payments import Status
from smsgw.errors import StoreUnavailable
from smsgw.flows.amend import Refused
from smsgw.flows.payments import pages, returning
from smsgw.flows.payments.whose import Whose
from smsgw.settings.merchant import Language
from smsgw.store.payments import PaymentRow
from smsgw.web.checkout import languages
from smsgw.web.checkout.cookies import Cookies
from smsgw.web.checkout.room import Room
from smsgw.web.checkout.shown import FINAL, Panel, facts, panel, version
from smsgw.web.checkout.view import View
from smsgw.web.checkout.words import WORDS
from smsgw.web.verify import with_fields

LOOK_S: Final = 2.0  # between two looks into the store, for what other nodes do
LONGEST_S: Final = 1_200.0  # of one stream; the browser opens the next
RECONNECT_MS: Final = 2_000
MOST_OF_ONE: Final = 10  # streams of one payment
_SELF_MADE: Final = "checkout-"  # references that no merchant gave
_RETURNED: Final = FINAL | {Status.UNKNOWN}


class Found:
    """A payment that a request is about."""

    def __init__(self, row: PaymentRow, merchant: Merchant, place: str, language: Language) -> None:
        self.row = row
        self.merchant = merchant
        self.place = place  # the page's address
        self.language = language


class StatusPage:
    """Everything below /pay/p/<token>."""

    def __init__(self, room: Room, view: View) -> None:
        self._room = room
        self._view = view
        self._streams: dict[str, int] = {}
        self._closing = False

    async def get(self, request: web.Request) -> web.Response:
        """Show how the payment stands."""
        found = await self._find(request)
        if found is None:
            return self._view.plain(request, "nothing", 404)
        row, merchant, language = found.row, found.merchant, found.language
        words = WORDS[language]
        context = {
            "panel": self._panel(found),
            "facts": facts(row, merchant, words, language, self._room.catalog),
            "amount": money.shown(row.amount_minor, row.currency, language),
            "place": found.place,
            "again": self._again(found),
            "test": bool(row.test),
        }
        response = self._view.render(request, "status.html", merchant, language, context)
        return Cookies(request, self._room).write(response)

    async def state(self, request: web.Request) -> web.Response:
        """Tell the page's script how the payment stands, for browsers to which the stream does not get."""
        found = await self._find(request)
        if found is None:
            raise web.HTTPNotFound
        return web.Response(text=self._told(request, found), content_type="application/json")

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel the payment, unless it was confirmed just now: then the page says so."""
        found = await self._find(request)
        if found is None:
            return self._view.plain(request, "nothing", 404)
        whose = Whose(merchants=frozenset({found.row.merchant}), test=None)
        with suppress(Refused):
            await self._room.payments.cancel(found.row.id, whose, "buyer")
        return _see(found.place)

    async def back(self, request: web.Request) -> web.Response:
        """Send the buyer back to the merchant, with what came of the payment."""
        found = await self._find(request)
        if found is None:
            return self._view.plain(request, "nothing", 404)
        row, merchant = found.row, found.merchant
        if row.status not in _RETURNED:
            return _see(found.place)
        told = returning.claims(row, merchant, self._room.ports.clock.now_ms())
        token = self._room.returns.sign(merchant.name, returning.KIND, told)
        return _see(with_fields(merchant.settings.return_url, token, row.state))

    # Live

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Tell how the payment stands, and each change, until it is final."""
        found = await self._find(request)
        if found is None:
            raise web.HTTPNotFound
        name, streams = found.row.id, self._streams
        if sum(streams.values()) >= self._room.most_streams or streams.get(name, 0) >= MOST_OF_ONE:
            raise web.HTTPServiceUnavailable  # the script asks now and then instead
        streams[name] = streams.get(name, 0) + 1
        try:
            return await self._stream(request, found)
        finally:
            streams[name] -= 1
            if not streams[name]:
                del streams[name]

    async def _stream(self, request: web.Request, found: Found) -> web.StreamResponse:
        headers = {**self._room.headers, "X-Accel-Buffering": "no"}
        async with sse_response(request, headers=headers) as stream:
            with suppress(ConnectionResetError, StoreUnavailable, TimeoutError):
                async with asyncio.timeout(LONGEST_S):
                    await self._tell(request, stream, found)
        return stream

    async def _tell(self, request: web.Request, stream: EventSourceResponse, found: Found) -> None:
        seen: tuple[object, ...] = ()
        with self._room.watch.bell(found.row.id) as bell:
            while not self._closing and request.transport is not None and not request.transport.is_closing():
                bell.clear()
                row = await self._room.payments.get(found.row.id)
                if row is None:
                    return
                if version(row) != seen:
                    seen, found.row = version(row), row
                    await stream.send(self._told(request, found), event="state", retry=RECONNECT_MS)
                if row.status in FINAL:
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await bell.wait()

    def hang_up(self) -> None:
        """End the streams, which would hold up the stop."""
        self._closing = True
        self._room.watch.ring()

    # What is shown

    def _told(self, request: web.Request, found: Found) -> str:
        shown = self._panel(found)
        context = {
            "panel": shown,
            "words": WORDS[found.language],
            "merchant": found.merchant.settings.title,
            "place": found.place,
            "again": self._again(found),
        }
        html = aiohttp_jinja2.render_string("checkout/panel.html", request, context)
        told = {"status": shown.status, "mood": shown.mood, "title": shown.title, "final": shown.final, "html": html}
        return msgspec.json.encode(told).decode()

    def _panel(self, found: Found) -> Panel:
        now_ms = self._room.ports.clock.now_ms()
        return panel(found.row, found.merchant, WORDS[found.language], found.language, now_ms)

    def _again(self, found: Found) -> str:
        """Return where the same product can be ordered once more; "" where only the merchant can begin."""
        row, merchant = found.row, found.merchant
        ended = row.status in FINAL and row.status != Status.SUCCEEDED and row.discrepancy is None
        if not ended or row.channel != "checkout" or not merchant.settings.checkout_open or row.test:
            return ""
        if row.product not in merchant.goods:
            return ""
        fields = {"product": row.product, "state": row.state}
        if not row.merchant_reference.startswith(_SELF_MADE):
            fields["reference"] = row.merchant_reference.partition("~")[0]
        return f"/pay/{merchant.name}?{urlencode(fields)}"

    async def _find(self, request: web.Request) -> Found | None:
        payment = pages.payment_of(self._room.ports, request.match_info["token"])
        row = await self._room.payments.get(payment) if payment else None
        merchant = self._room.catalog.merchants.get(row.merchant) if row else None
        if row is None or merchant is None:
            return None
        own: Language = row.language  # type: ignore[assignment]  # the column holds nothing else
        return Found(row, merchant, pages.path_of(self._room.ports, row.id), languages.choose(request, own))


def _see(place: str) -> web.Response:
    return web.Response(status=303, headers={"Location": place})
