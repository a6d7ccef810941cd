"""Where everything of the checkout is found."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from aiohttp import web

from smsgw.errors import StoreUnavailable
from smsgw.kit.logs import get_logger
from smsgw.web.checkout.form import Form
from smsgw.web.checkout.room import Room
from smsgw.web.checkout.status import StatusPage
from smsgw.web.checkout.view import View

log = get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATIC: Final = Path(__file__).parents[1] / "static" / "checkout"
_KINDS: Final = {"checkout.css": "text/css", "checkout.js": "text/javascript", "icon.svg": "image/svg+xml"}
_KEPT: Final = "public, max-age=31536000, immutable"  # another version has another address


def assets() -> str:
    """Return the address of the folder of the style sheet and the script, another one for each version."""
    octets = b"".join((STATIC / name).read_bytes() for name in sorted(_KINDS))
    return f"/pay/static/{sha256(octets).hexdigest()[:12]}"


def route(app: web.Application, room: Room) -> None:
    """Add the checkout to the application."""
    view = View(room)
    form, status = Form(room, view), StatusPage(room, view)

    def careful(handler: Handler) -> Handler:
        """Say in the checkout's own words what goes wrong, and nothing about its cause."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPRequestEntityTooLarge:
                return view.plain(request, "nothing", 413)
            except web.HTTPException:
                raise
            except (StoreUnavailable, TimeoutError):
                log.warning("checkout.not_shown")
                return view.plain(request, "trouble", 503)
            except Exception as error:  # as in web/guard
                log.error("checkout.failed", exc_info=error)
                return view.plain(request, "trouble", 500)

        return handle

    bodies = {name: (STATIC / name).read_bytes() for name in _KINDS}

    async def asset(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in bodies:
            raise web.HTTPNotFound
        headers = {"Cache-Control": _KEPT}
        return web.Response(body=bodies[name], content_type=_KINDS[name], charset="utf-8", headers=headers)

    async def hang_up(_: web.Application) -> None:
        status.hang_up()

    router = app.router
    router.add_get("/pay/static/{version}/{name}", asset)
    router.add_get("/pay/p/{token}", careful(status.get))
    router.add_get("/pay/p/{token}/state", careful(status.state))
    router.add_get("/pay/p/{token}/events", careful(status.events), allow_head=False)
    router.add_get("/pay/p/{token}/return", careful(status.back), allow_head=False)
    router.add_post("/pay/p/{token}/cancel", careful(status.cancel))
    router.add_get("/pay/{merchant}", careful(form.get))
    router.add_post("/pay/{merchant}", careful(form.post))
    app.on_shutdown.append(hang_up)
