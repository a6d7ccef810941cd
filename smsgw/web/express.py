"""The short way for plain visits: a GET of a verify address that comes whole and simple is answered here, in one go.

Most visits are one small request that any browser or proxy sends in one piece. They need none of what a web framework
is ready for, and that is most of what a visit costs. What one strict pattern does not take whole (forms, other
addresses, requests in pieces or with a body, rare headers) is given to aiohttp, with the connection, for good.
"""

import asyncio
import re
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from typing import Final, cast

from aiohttp.web import Response
from yarl import URL

from smsgw.errors import StoreUnavailable
from smsgw.flows.visits import Redemption
from smsgw.kit.logs import get_logger
from smsgw.web.connection import READING_S, head_of
from smsgw.web.guard import HEADERS
from smsgw.web.verify import Plain, Verify

log = get_logger(__name__)

# RFC 9112 §3 in its strictest reading. The query is RFC 3986's, the service one of our names.
_PLAIN: Final = re.compile(
    rb"GET /v/([A-Za-z0-9_.-]{1,64})\?([!$-;=?-Z_a-z~]{0,4096}) HTTP/1\.1\r\n"
    rb"((?:[A-Za-z0-9-]{1,64}:[\t -~]{0,4096}\r\n){1,64})\r\n"
).fullmatch
# Headers that say more of the message or the connection than that the request is over.
_LINES: Final = re.IGNORECASE | re.MULTILINE
_RARE: Final = re.compile(
    rb"^(?:connection:(?!\s*keep-alive\s*\r)|content-|transfer-|expect:|upgrade:|te:|trailer:|http2-)", _LINES
).search
_FORWARDED: Final = re.compile(rb"^x-forwarded-for:[ \t]*(.*?)[ \t]*\r$", _LINES).findall
_HOST: Final = re.compile(rb"^host:", _LINES).findall
_MOST_BEHIND: Final = 65_536  # octets of further requests, above which nothing more is read


def read(data: bytes) -> Plain | None:
    """Return what a plain visit says; None when this is anything else than exactly one whole plain visit."""
    match = _PLAIN(data)
    if match is None:
        return None
    service, query, headers = match.groups()
    if _RARE(headers) or len(_HOST(headers)) != 1:
        return None
    typed, state = _fields(query.decode())
    return Plain(service.decode(), typed, state, b",".join(_FORWARDED(headers)).decode())


def _fields(query: str) -> tuple[str, str]:
    """Return the first ``code`` and the first ``state`` of a query."""
    if "%" in query or "+" in query:
        fields = URL.build(path="/", query_string=query, encoded=True).query  # as aiohttp reads it
        return fields.get("code", ""), fields.get("state", "")
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        found.setdefault(name, value)
    return found.get("code", ""), found.get("state", "")


class Express:
    """What all connections share.

    Args:
        verify: decides, and says where visitors are sent.
        now_ms: the wall's, for the dates of answers.
        silence_s: longest wait for a request, and for the next.
        page: our page of an HTTP status.
        other: makes the protocol that takes over what is not plain.
    """

    def __init__(
        self,
        verify: Verify,
        *,
        now_ms: Callable[[], int],
        silence_s: float,
        page: Callable[[int], Response],
        other: Callable[[], asyncio.Protocol],
    ) -> None:
        self.visitors: set[Visitor] = set()
        self.silence_s = silence_s
        self.other = other
        self._verify = verify
        self._now_ms = now_ms
        self._page = page

    def visit(self, data: bytes, address: str) -> asyncio.Future[Redemption] | None:
        """Begin a visit; None when these octets are not exactly one, or it is not answered by a redirect.

        Raises:
            asyncio.QueueFull: too many visitors wait.
        """
        plain = read(data)
        return None if plain is None else self._verify.begin(plain, address)

    def answer(self, decided: asyncio.Future[Redemption]) -> bytes:
        """Return what a decided visit is answered."""
        try:
            place = self._verify.place(decided.result())
        except (StoreUnavailable, TimeoutError):
            return self.fault(503)
        except Exception as error:  # nothing that goes wrong inside may be shown outside
            log.error("web.failed", exc_info=error)
            return self.fault(500)
        return _redirect(self._now_ms() // 1000) + f"{place}\r\n\r\n".encode()

    def fault(self, status: int) -> bytes:
        """Return a fault's page."""
        log.warning("code.not_verified", status=status)
        page = self._page(status)
        assert isinstance(page.body, bytes)
        return head_of(page, {"Date": _date(self._now_ms() // 1000)}) + page.body

    async def stop(self, patience_s: float) -> None:
        """Answer the visits that have begun, and close."""
        begun = [visit for visitor in tuple(self.visitors) if (visit := visitor.stop()) is not None]
        if begun:
            await asyncio.wait(begun, timeout=patience_s)
            await asyncio.sleep(0)  # for the answers
        for visitor in tuple(self.visitors):
            visitor.abort()


class Visitor(asyncio.Protocol):
    """One connection, as long as all that comes is plain."""

    def __init__(self, express: Express) -> None:
        self._express = express
        self._loop = asyncio.get_running_loop()
        self._address = "unknown"
        self._visit: asyncio.Future[Redemption] | None = None
        self._behind = b""  # came before its turn
        self._reading = True
        self._stopping = False
        self._quiet_since = self._loop.time()
        self._silence: asyncio.TimerHandle | None = None
        self._cut: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not derive from asyncio's
        # A visitor who does not read is noticed at the first octet that the kernel has no room for: with fewer than the
        # usual 64 KiB left over nobody would be, and to close such a connection waits for its visitor, for ever.
        self._transport.set_write_buffer_limits(0)
        peer = transport.get_extra_info("peername")
        self._address = peer[0] if isinstance(peer, tuple) else "unknown"
        self._express.visitors.add(self)
        self._expect(self._express.silence_s)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it ended changes nothing
        """End; a visit that has begun is decided all the same."""
        self._forget()

    def data_received(self, data: bytes) -> None:
        """Take a request."""
        if self._visit is not None or self._cut is not None:
            self._behind += data
            if self._reading and len(self._behind) > _MOST_BEHIND:
                self._reading = False
                self._transport.pause_reading()
            return
        try:
            visit = self._express.visit(data, self._address)
        except asyncio.QueueFull:
            self._write(self._express.fault(503))
            return
        if visit is None:
            self._give_away(data)
            return
        self._visit = visit
        visit.add_done_callback(self._answer)

    def _answer(self, decided: asyncio.Future[Redemption]) -> None:
        self._visit = None
        if decided.cancelled():
            self._transport.abort()
            return
        if self._transport.is_closing():
            decided.exception()  # looked at; nobody is there to hear it
            return
        self._write(self._express.answer(decided))
        if self._stopping:
            self._transport.close()
        elif self._behind and self._cut is None:
            self._go_on()

    def _write(self, octets: bytes) -> None:
        self._quiet_since = self._loop.time()
        self._transport.write(octets)

    def _go_on(self) -> None:
        data, self._behind = self._behind, b""
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        if data:
            self.data_received(data)

    def _give_away(self, data: bytes) -> None:
        """Let aiohttp have the connection; to it, it has just been made."""
        self._forget()
        other = self._express.other()
        self._transport.set_protocol(other)
        other.connection_made(self._transport)
        other.data_received(data)

    def _forget(self) -> None:
        self._express.visitors.discard(self)
        for timer in (self._silence, self._cut):
            if timer is not None:
                timer.cancel()

    def pause_writing(self) -> None:
        """Begin to wait for a visitor who does not read."""
        self._cut = self._loop.call_later(READING_S, self._transport.abort)

    def resume_writing(self) -> None:
        """Go on: it was read."""
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None
        if self._visit is None:
            self._go_on()

    def _expect(self, seconds: float) -> None:
        self._silence = self._loop.call_later(seconds, self._no_more)

    def _no_more(self) -> None:
        """Close after a silence; the timer is set anew only here, so that requests cost none."""
        left = self._quiet_since + self._express.silence_s - self._loop.time()
        if self._visit is not None or left > 0:
            self._expect(max(left, 0.1))
        else:
            self._transport.close()

    def stop(self) -> asyncio.Future[Redemption] | None:
        """Close after the visit that is under way, which is returned; at once if there is none."""
        self._stopping = True
        if self._visit is None:
            self._transport.close()
        return self._visit

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


@lru_cache(maxsize=2)
def _redirect(second: int) -> bytes:
    """Return a redirect up to its target; RFC 9110 §6.6.1 wants the date."""
    lines = [f"{name}: {value}" for name, value in {**HEADERS, "Date": _date(second), "Content-Length": "0"}.items()]
    return "\r\n".join(["HTTP/1.1 303 See Other", *lines, "Location: "]).encode()
