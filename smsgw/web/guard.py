"""What stands before every handler: headers that keep codes private; instead of any error a plain page, or a problem.

Browsers get pages, programs (everything under /v1) get problems.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp_jinja2
from aiohttp import web

from smsgw.kit.ids import IdMaker
from smsgw.kit.logs import get_logger
from smsgw.web.api import problem
from smsgw.web.api.problem import Fault

log = get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

IDS: Final = web.AppKey("ids", IdMaker)
REQUEST_ID: Final = web.RequestKey("request_id", str)

# A code in an address must not be kept by caches, nor be told to the next site as Referer.
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Robots-Tag": "noindex",
}

PAGES = {
    400: ("That request can't be read", "Please go back to the page you came from and try again."),
    404: ("There is nothing here", "The address is not complete. Please go back to the page you came from."),
    405: ("This address takes a form or a link", "Please go back to the page you came from and try again."),
    413: ("That is too much", "An access code has at most 16 characters. Please go back and type only the code."),
    500: ("Something went wrong on our side", "Your code is still good. Please try again in a minute."),
    503: ("One moment, please", "Codes can't be checked right now. Yours is still good: please try again in a minute."),
}


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every fault with a page or a problem of the right status; say nothing about its cause."""
    if _is_programs(request.path):
        response = await _for_programs(request, handler)
    else:
        response = await _for_browsers(request, handler)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)  # a page may say what else it needs
    return response


def refused(app: web.Application, path: str, status: int) -> web.Response:
    """Return what a request is told that the library refuses before any handler."""
    if not _is_programs(path):
        return page_of(app, status)
    name = app[IDS].new("req")
    response = problem.answer(problem.fault_of_status(status), name)
    response.headers["X-Request-Id"] = name
    return response


def _is_programs(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


async def _for_browsers(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        response = error if error.status < 400 else page(request, error.status)  # noqa: PLR2004 - 4xx and 5xx
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception as error:  # nothing that goes wrong inside may be shown outside
        log.error("web.failed", path=request.path, exc_info=error)
        return page(request, 500)


async def _for_programs(request: web.Request, handler: Handler) -> web.StreamResponse:
    request[REQUEST_ID] = name = request.app[IDS].new("req")
    response: web.StreamResponse
    try:
        response = await handler(request)
    except Exception as error:  # as above
        fault = problem.fault_of(error)
        if fault is None:
            log.error("api.failed", request=name, exc_info=error)
            fault = Fault("internal")
        else:
            log.info("api.refused", request=name, problem=fault.code)
        response = problem.answer(fault, name)
    response.headers["X-Request-Id"] = name
    return response


def page(request: web.Request, status: int) -> web.Response:
    """Return the plain page of an HTTP status."""
    return page_of(request.app, status)


def page_of(app: web.Application, status: int) -> web.Response:
    """Return the plain page of an HTTP status where there is no request, or none that can be trusted."""
    title, text = PAGES.get(status, PAGES[400])
    html = aiohttp_jinja2.get_env(app).get_template("message.html").render(title=title, text=text)
    response = web.Response(text=html, content_type="text/html", charset="utf-8", status=status)
    if status == 503:  # noqa: PLR2004 - service unavailable
        response.headers["Retry-After"] = "30"
    return response
