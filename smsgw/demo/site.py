"""The demo's page: a phone beside a merchant's site, live by server-sent events; all of it is served from here."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp_jinja2
import jinja2
import msgspec
import phonenumbers
from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from smsgw.demo.door import Door
from smsgw.demo.feed import Feed
from smsgw.demo.phone import CODE_PATTERN, LISTENERS_LIMIT, TEXT_LIMIT, Phone, PhoneBusy, Phones
from smsgw.demo.purse import Purse
from smsgw.demo.tap import Tap, TapBind
from smsgw.kit.clock import Clock, SystemClock
from smsgw.kit.logs import get_logger
from smsgw.simulator.peer import Bind
from smsgw.simulator.smsc import Smsc
from smsgw.simulator.submissions import SubmittedMessage
from smsgw.smpp.pdus import Pdu

_HERE: Final = Path(__file__).parent
TEMPLATES: Final = _HERE / "templates"
STATIC: Final = _HERE / "static"

COOKIE = "phone"
BACK = "/gold/back"  # ends the checkout, in its frame
BODY_LIMIT = 32 * 1024  # bytes; 1,600 characters that JSON escapes as surrogate pairs take 19,200
BODY_TIMEOUT_S = 10
RECONNECT_MS = 1000
LOOK_S = 1  # whether the browser of an event stream is still there

log = get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Feeds = dict[str, Feed[Any]]  # by the name of their events


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What the merchant sells, and where."""

    short_code: str
    keyword: str
    price: str  # as the visitor reads it
    verify_url: str  # the gateway's address for this service
    pay_url: str  # the gateway's checkout of the gold shop
    # where this site is reached; the gateway sends visitors back to its /paid, /expired, /invalid and /gold/back
    site_url: str


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page sends to the phone."""

    text: str


class Site(msgspec.Struct, kw_only=True):
    """What the handlers work with."""

    phones: Phones
    tap: Tap
    offer: Offer
    door: Door
    purse: Purse
    now_ms: Callable[[], int]
    closing: bool = False


SITE: Final = web.AppKey("SITE", Site)


def create_site(
    *,
    smsc: Smsc,
    offer: Offer,
    door: Door,
    purse: Purse,
    code_pattern: str = CODE_PATTERN,
    clock: Clock | None = None,
) -> web.Application:
    """Build the page and everything it asks for.

    Args:
        smsc: the operator, started or not; its hooks are taken.
        offer: see Offer.
        door: lets visitors in who bring a proof.
        purse: takes what visitors of the gold shop have paid for.
        code_pattern: a regular expression that finds the access code in an answer.
        clock: stamps messages and PDUs.
    """
    clock = clock or SystemClock()
    phones = Phones(smsc.deliver, short_code=offer.short_code, now_ms=clock.now_ms, code_pattern=code_pattern)
    tap = Tap(now_ms=clock.now_ms)
    _plug_in(smsc, phones, tap)
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_guard])
    app[SITE] = Site(phones=phones, tap=tap, offer=offer, door=door, purse=purse, now_ms=clock.now_ms)
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    app.router.add_get("/paid", _enter)
    for path, template in (("/", "home"), ("/expired", "expired"), ("/invalid", "invalid")):
        app.router.add_get(path, _page(f"{template}.html"))
    app.router.add_get("/gold", _gold)
    app.router.add_get("/gold/buy", _buy)
    app.router.add_get(BACK, _bring_gold)
    app.router.add_get("/phone/events", _events)
    app.router.add_post("/phone/messages", _send)
    app.router.add_static("/static", STATIC)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(_hang_up)
    return app


def _plug_in(smsc: Smsc, phones: Phones, tap: Tap) -> None:
    """Let the phones and the page see what the operator sees."""

    def on_mt(message: SubmittedMessage) -> None:
        phones.receive(message.destination, "(a message that is not text)" if message.text is None else message.text)

    def on_pdu(connection: int, sent: bool, pdu: Pdu, sequence_number: int) -> None:  # noqa: FBT001 - the hook's order
        tap.record(connection, "operator" if sent else "gateway", pdu.name, sequence_number, pdu.command_status)

    def on_binds(binds: tuple[Bind, ...]) -> None:
        tap.bound(tuple(TapBind(kind=bind.kind, system_id=bind.system_id) for bind in binds))

    smsc.on_mt, smsc.on_pdu, smsc.on_binds = on_mt, on_pdu, on_binds
    on_binds(smsc.binds)


def _page(template: str) -> Handler:
    async def show(request: web.Request) -> web.Response:
        return _show(request, template)

    return show


async def _enter(request: web.Request) -> web.Response:
    """The page that was paid for: a proof opens it, and its address alone does not."""
    site = request.app[SITE]
    phone = site.phones.find(request.cookies.get(COOKIE, ""))
    if "rt" in request.query:
        until_ms = site.door.open(request.query["rt"], phone.state if phone else "")
        if phone is None or until_ms is None:
            return _go("/invalid")
        phone.inside_until_ms = until_ms
        return _go("/paid")  # without the proof in the address
    if phone is None or phone.inside_until_ms <= site.now_ms():
        return _go("/")
    return _show(request, "paid.html")


async def _gold(request: web.Request) -> web.Response:
    """The gold shop, with what this browser has bought; what came of its latest payment is told once."""
    phone = request.app[SITE].phones.find(request.cookies.get(COOKIE, ""))
    response = _show(request, "gold.html")
    if phone is not None:
        phone.news = ""
    return response


async def _buy(request: web.Request) -> web.Response:
    """The gateway's checkout, beside the phone."""
    return _show(request, "buy.html")


async def _bring_gold(request: web.Request) -> web.Response:
    """Where buyers come back to: the token says what they have paid for, and counts once."""
    site = request.app[SITE]
    phone = site.phones.find(request.cookies.get(COOKIE, ""))
    if phone is not None and "rt" in request.query:
        paid = site.purse.open(request.query["rt"], phone.state)
        if paid is not None:
            phone.gold += paid.units
            phone.news = paid.outcome
    return aiohttp_jinja2.render_template("back.html", request, {})


def _go(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})


def _show(request: web.Request, template: str, status: int = 200) -> web.Response:
    """Render a page with this browser's phone, which is switched on at the first visit."""
    site = request.app[SITE]
    phone, key = site.phones.find(request.cookies.get(COOKIE, "")), None
    if phone is None:
        new = site.phones.switch_on()
        if new is None:
            raise web.HTTPServiceUnavailable(text="Every phone of the demo is in use. Please try again later.")
        key, phone = new
    number = phonenumbers.parse(f"+{phone.msisdn}")
    context = {
        "offer": site.offer,
        "number": phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL),
        "text_limit": TEXT_LIMIT,
        "path": request.path,
        "state": phone.state,
        "gold": phone.gold,
        "news": phone.news,
        "checkout": f"{site.offer.pay_url}?{urlencode({'state': phone.state, 'layout': _layout(request)})}",
    }
    response = aiohttp_jinja2.render_template(template, request, context, status=status)
    if key is not None:
        response.set_cookie(COOKIE, key, httponly=True, samesite="Lax")
    return response


def _layout(request: web.Request) -> str:
    return "one_page" if request.query.get("layout") == "one_page" else "two_pages"


async def _send(request: web.Request) -> web.Response:
    """Send a message from this browser's phone: 202, and how it fared comes as an event."""
    phone = _phone(request)
    if request.content_type != "application/json":
        # A page of another origin cannot send this type without asking first, and is never allowed to.
        raise web.HTTPUnsupportedMediaType(text="Send application/json.")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="The message did not arrive in time.") from None
    try:
        draft = msgspec.json.decode(body, type=Draft)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise web.HTTPBadRequest(text='Send one JSON object with the member "text".') from None
    _check(draft.text)
    try:
        message = phone.send(draft.text)
    except PhoneBusy:
        raise web.HTTPTooManyRequests(text="Your earlier messages are still on their way to the gateway.") from None
    return _json(message, 202)


def _check(text: str) -> None:
    if not text.strip():
        raise web.HTTPUnprocessableEntity(text="Write something first.")
    if len(text) > TEXT_LIMIT:
        raise web.HTTPUnprocessableEntity(
            text=f"A message has at most {TEXT_LIMIT} characters; this one has {len(text)}."
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise web.HTTPUnprocessableEntity(text="The message contains half a character (a lone surrogate).") from None


async def _events(request: web.Request) -> web.StreamResponse:
    """Everything that the page shows live: first as it is, then each change."""
    site, phone = request.app[SITE], _phone(request)
    if phone.messages.watchers >= LISTENERS_LIMIT:
        raise web.HTTPTooManyRequests(text="This phone is open in too many tabs.")
    bell, tap = asyncio.Event(), site.tap
    with phone.messages.watched_by(bell), tap.pdus.watched_by(bell), tap.binds.watched_by(bell):
        async with sse_response(request) as stream:
            feeds: Feeds = {"messages": phone.messages, "wire": tap.pdus, "binds": tap.binds}
            with suppress(ConnectionResetError):  # the browser has gone while we wrote
                await _stream(request, stream, feeds, bell)
    return stream


async def _stream(request: web.Request, stream: EventSourceResponse, feeds: Feeds, bell: asyncio.Event) -> None:
    seen = dict.fromkeys(feeds, 0)
    bell.set()
    while await _rings(request, bell):
        bell.clear()
        for event, feed in feeds.items():
            changed, seen[event] = feed.since(seen[event])
            if changed:
                await stream.send(_encode(changed), event=event, retry=RECONNECT_MS)


async def _rings(request: web.Request, bell: asyncio.Event) -> bool:
    """Wait for a change; False when the demo ends, or the browser has gone and nothing would ever be read."""
    while not request.app[SITE].closing:
        if request.transport is None or request.transport.is_closing():
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await bell.wait()
                return True
    return False


async def _hang_up(app: web.Application) -> None:
    """End the open event streams, which would hold up the stop."""
    site = app[SITE]
    site.closing = True
    site.phones.hang_up()
    site.tap.hang_up()


def _phone(request: web.Request) -> Phone:
    phone = request.app[SITE].phones.find(request.cookies.get(COOKIE, ""))
    if phone is None:
        raise web.HTTPNotFound(text="This phone is not switched on. Load the page again.")
    return phone


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every error its form: a problem for the phone, a page for a visitor."""
    try:
        _only_one_name(request, request.app[SITE].offer)
        return await handler(request)
    except web.HTTPException as error:
        return _error(request, error)
    except Exception as error:
        log.error("demo.failed", path=request.path, exc_info=error)
        return _error(request, web.HTTPInternalServerError())


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_headers(request.app[SITE].offer, "'self'" if request.path == BACK else "'none'"))
    response.headers.setdefault("Cache-Control", "no-cache" if request.path.startswith("/static/") else "no-store")


def _only_one_name(request: web.Request, offer: Offer) -> None:
    """Send "localhost" to the address that the gateway sends visitors back to: for cookies it is another site."""
    home = urlsplit(offer.site_url)
    if request.method == "GET" and request.url.host == "localhost" != home.hostname and request.url.port == home.port:
        raise web.HTTPTemporaryRedirect(f"{home.scheme}://{home.netloc}{request.rel_url}")


def _error(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if request.path.startswith("/phone/"):
        problem = {"type": "about:blank", "title": error.reason, "status": error.status, "detail": error.text}
        return _json(problem, error.status, "application/problem+json")
    if error.status < web.HTTPBadRequest.status_code:
        raise error
    if error.status == web.HTTPNotFound.status_code:
        with suppress(web.HTTPServiceUnavailable):  # no phone is left to show beside it
            return _show(request, "missing.html", error.status)
    title, text = _TROUBLES.get(error.status, _TROUBLE)
    context = {"title": title, "text": text, "home": "/"}
    response = aiohttp_jinja2.render_template("message.html", request, context, status=error.status)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


_TROUBLE: Final = ("That did not work", "The demo can do nothing with this request.")
_TROUBLES: Final = {
    404: ("No path leads here", "This page does not exist."),
    405: ("That did not work", "This page can only be looked at."),
    500: ("Something went wrong", "The terminal where the demo runs may say more."),
    503: ("Every phone is in use", "So many visitors are here that no phone is left. Please try again later."),
}


def _headers(offer: Offer, frames: str) -> dict[str, str]:
    """Nothing but our own files, and the gateway's checkout in a frame, which ends at a page of ours.

    The form, and the look whether the gateway is there, may leave the site.
    """
    gateway, home = _origin(offer.verify_url), _origin(offer.site_url)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self' {gateway}; form-action 'self' {gateway} {home}; frame-src 'self' {gateway}; "
        f"base-uri 'none'; frame-ancestors {frames}"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _json(value: object, status: int, content_type: str = "application/json") -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type=content_type)


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()
