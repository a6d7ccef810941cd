"""What the checkout's handlers share."""

from collections.abc import Sequence

from aiohttp import web
from msgspec import Struct

from smsgw.domain.addresses import Network, is_within
from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.watch import Watch
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.returns import Returns
from smsgw.web import guard


class Room(Struct, frozen=True, kw_only=True):
    """What the checkout's handlers share."""

    ports: Ports
    catalog: Catalog
    payments: Payments
    watch: Watch
    returns: Returns
    proxies: Sequence[Network]  # whose word is taken for where a visitor comes from, and by which scheme
    body_timeout_s: float
    patience_s: float  # longest wait for the store
    secure: bool  # whether the world reaches us by https
    frames: str  # who may show our pages in a frame: a source of CSP's frame-ancestors
    assets: str  # where the style sheet and the script are
    most_streams: int  # pages that are told live at a time; others ask now and then

    @property
    def headers(self) -> dict[str, str]:
        """What every answer says: our own style sheet and script and nothing else; forms lead to ourselves only."""
        policy = (
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
            f"form-action 'self'; frame-ancestors {self.frames}; base-uri 'none'"
        )
        return {**guard.HEADERS, "Content-Security-Policy": policy}


def is_secure(request: web.Request, room: Room) -> bool:
    """Whether the visitor speaks https, to us or to a proxy of ours."""
    if room.secure or request.secure:
        return True
    behind = is_within(request.remote or "", room.proxies)
    return behind and request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
