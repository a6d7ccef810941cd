"""Where everything of the checkout is found."""

from hashlib import sha256
from pathlib import Path
from typing import Final

from aiohttp import web

from smsgw.web.checkout.form import Form
from smsgw.web.checkout.room import Room
from smsgw.web.checkout.status import StatusPage
from smsgw.web.checkout.view import View

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
    router.add_get("/pay/p/{token}", status.get)
    router.add_get("/pay/p/{token}/state", status.state)
    router.add_get("/pay/p/{token}/events", status.events, allow_head=False)
    router.add_get("/pay/p/{token}/return", status.back, allow_head=False)
    router.add_post("/pay/p/{token}/cancel", status.cancel)
    router.add_get("/pay/{merchant}", form.get)
    router.add_post("/pay/{merchant}", form.post)
    app.on_shutdown.append(hang_up)
