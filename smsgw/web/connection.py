"""One visitor's connection: what nobody may take from us for longer than it needs, and answers that are always ours."""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Final, cast

from aiohttp import web
from aiohttp.web import BaseRequest, Request, Response, StreamResponse

from smsgw.web.guard import HEADERS

READING_S: Final = 10.0  # for a visitor to read what is written, before the connection is cut
LINGER_S: Final = 1.0  # for one too many to read that it is; closed sooner, its own request would wipe the answer out
MOST_LINGERING: Final = 100

_MARK: Final = "X-Frame-Options"  # the guard sets all of them or none

Refuse = Callable[[str, int], Response]  # path, status

_UNREAD: Final = "UNKNOWN"  # what aiohttp calls the method of a request that it could not read
_BEGIN: Final = 256  # octets of a request in which its method and the begin of its path stand
_PATH = re.compile(rb"[!-~]+ +(?:https?://[^/\s]*)?(/[^\s?#]*)", re.IGNORECASE).match


class Connection(web.RequestHandler):
    """aiohttp's connection, with our page or problem for what it finds by itself: bad HTTP, a foreign Expect.

    The wait for a request, to the end of its headers, is aiohttp's own ``keepalive_timeout``: it counts from the
    connection's begin, and from each answer, however many octets come meanwhile.
    """

    __slots__ = ("_before", "_begin", "_cut", "_refuse")

    def __init__(self, server: web.Server, refuse: Refuse, **options: object) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)  # type: ignore[arg-type]  # aiohttp's own
        self._refuse = refuse
        self._begin = b""  # of the request that is being read
        self._before = ""  # the path of the one before, on this connection
        self._cut: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Read; the first octets of a request are kept, as nobody else knows the path of one that cannot be read."""
        if len(self._begin) < _BEGIN:
            self._begin += data[: _BEGIN - len(self._begin)]
        super().data_received(data)

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> StreamResponse:
        """Answer what the application never saw; the library's own words quote the request."""
        super().handle_error(request, status, exc, message)  # logs, and raises when an answer has begun already
        response = self._refuse(self._path(request), status)
        response.force_close()
        return response

    def _path(self, request: BaseRequest) -> str:
        """Return a request's path; of one that was sent behind another without waiting, the other's."""
        if request.method != _UNREAD:
            return request.path
        found = _PATH(self._begin.lstrip(b"\r\n"))
        return found[1].decode("latin-1") if found else self._before

    async def finish_response(
        self, request: BaseRequest, resp: StreamResponse, start_time: float | None
    ) -> tuple[StreamResponse, bool]:
        """Write an answer; one that did not come through the guard gets its headers, a fault its page or problem."""
        if isinstance(resp, web.HTTPException) and isinstance(request, Request):
            resp = self._refuse(request.path, resp.status)
        if not resp.prepared and _MARK not in resp.headers:
            resp.headers.update(HEADERS)
        self._before, self._begin = self._path(request), b""
        return await super().finish_response(request, resp, start_time)

    def pause_writing(self) -> None:
        """Begin to wait for a visitor who does not read."""
        super().pause_writing()
        if self.transport is not None:
            self._cut = self._loop.call_later(READING_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it was read."""
        self._stop_waiting()
        super().resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None


def head_of(page: Response, more: Mapping[str, str]) -> bytes:
    """Return what stands before the body of one of our pages, for those who write it themselves."""
    assert isinstance(page.body, bytes)
    headers = {**HEADERS, **page.headers, "Content-Length": str(len(page.body)), **more}
    lines = [f"HTTP/1.1 {page.status} {page.reason}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


class Refusal(asyncio.Protocol):
    """A connection too many: told so, and closed.

    Args:
        page: what it is told.
        lingering: those whose visitors are still reading; when there are many, nobody gets that time.
    """

    def __init__(self, page: Response, lingering: "set[Refusal]") -> None:
        self._page = page
        self._lingering = lingering
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell at once, whatever is asked; these few octets fit into every socket's buffer."""
        assert isinstance(self._page.body, bytes)
        transport = self._transport = cast("asyncio.Transport", transport)  # uvloop's do not derive from asyncio's
        transport.write(head_of(self._page, {"Connection": "close"}) + self._page.body)
        if len(self._lingering) < MOST_LINGERING:
            self._lingering.add(self)
            self._end = asyncio.get_running_loop().call_later(LINGER_S, transport.close)
            transport.write_eof()  # after this the visitor closes, or the time is over
        else:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it ended changes nothing
        """End."""
        self._lingering.discard(self)
        if self._end is not None:
            self._end.cancel()

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()
