"""What a visitor's browser keeps for us: a secret that proves its forms, its language, numbers, the latest payment.

A form is taken only with a token that belongs to the browser's secret: another site can have a browser send our forms,
but cannot read the secret, nor the form (SameSite=Lax keeps the secret away from its request, too).
"""

import hmac
import re
from base64 import urlsafe_b64encode
from typing import Final

from aiohttp import web

from smsgw.flows.ports import Ports
from smsgw.web.checkout.languages import COOKIE, YEAR_S
from smsgw.web.checkout.room import Room, is_secure
from smsgw.web.checkout.words import WORDS

PATH: Final = "/pay"
_SECRET: Final = "pay_form"  # noqa: S105 - the cookie's name
_PURPOSE: Final = "checkout form"
_SECRET_BYTES: Final = 18
_FORM = re.compile(r"[0-9A-Za-z_-]{24}").fullmatch
_LATEST_S: Final = 3_600


class Cookies:
    """The cookies of one request, and what is to be set with its answer."""

    def __init__(self, request: web.Request, room: Room) -> None:
        self._request = request
        self._ports: Ports = room.ports
        self._secure = is_secure(request, room)
        known = request.cookies.get(_SECRET, "")
        self._known = _FORM(known) is not None
        self.secret = known if self._known else random_text(room.ports)
        self._changes: dict[str, tuple[str, int | None]] = {}  # name: (value, seconds; None: the session)
        if not self._known:
            self._changes[_SECRET] = (self.secret, None)
        if (wanted := request.query.get("lang", "")) in WORDS and wanted != request.cookies.get(COOKIE):
            self._changes[COOKIE] = (wanted, YEAR_S)

    def form_token(self, merchant: str) -> str:
        """Return what this browser's forms of a merchant carry."""
        return self._ports.vault.ring.lookups(_PURPOSE, f"{merchant}.{self.secret}")[0]

    def is_own(self, merchant: str, token: str) -> bool:
        """Whether a form was ours, shown in this browser; of keys before the present one too."""
        if not self._known:
            return False
        known = self._ports.vault.ring.lookups(_PURPOSE, f"{merchant}.{self.secret}")
        return True in [hmac.compare_digest(one.encode(), token.encode("utf-8", "replace")) for one in known]

    def number(self, merchant: str) -> str:
        """Return the token of the remembered number; "" for none."""
        return self._request.cookies.get(f"pay_number_{merchant}", "")

    def keep_number(self, merchant: str, token: str, days: int) -> None:
        """Have a number's token kept."""
        self._changes[f"pay_number_{merchant}"] = (token, days * 86_400)

    def forget_number(self, merchant: str) -> None:
        """Have it forgotten."""
        self._changes[f"pay_number_{merchant}"] = ("", 0)

    def latest(self, merchant: str) -> str:
        """Return the token of this browser's latest payment; "" for none."""
        return self._request.cookies.get(f"pay_latest_{merchant}", "")

    def keep_latest(self, merchant: str, token: str) -> None:
        """Have the latest payment kept."""
        self._changes[f"pay_latest_{merchant}"] = (token, _LATEST_S)

    def write(self, response: web.Response) -> web.Response:
        """Set what has changed."""
        for name, (value, age_s) in self._changes.items():
            response.set_cookie(
                name, value, max_age=age_s, path=PATH, httponly=True, samesite="Lax", secure=self._secure
            )
        return response


def random_text(ports: Ports) -> str:
    """Return 24 characters that nobody guesses."""
    return urlsafe_b64encode(ports.random_bytes(_SECRET_BYTES)).decode()
