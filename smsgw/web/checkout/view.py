"""The frame of every page: its language and the switch to another, whose shop it is, where style and script are."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp_jinja2
from aiohttp import web
from markupsafe import Markup, escape

from smsgw.domain.goods import Merchant
from smsgw.settings.merchant import Language
from smsgw.web.checkout import languages
from smsgw.web.checkout.cookies import Cookies
from smsgw.web.checkout.room import Room
from smsgw.web.checkout.words import WORDS

_CONTACTS: Final = (  # what a merchant may have written, and the address that opens it on a phone
    (re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "mailto:{}"),
    (re.compile(r"\+?[0-9][0-9 ()/-]{3,}"), "tel:{}"),
    (re.compile(r"https://\S+"), "{}"),
)


class View:
    """Renders pages."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def render(
        self,
        request: web.Request,
        template: str,
        merchant: Merchant | None,
        language: Language,
        context: Mapping[str, Any],
        *,
        where: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> web.Response:
        """Return a page.

        Args:
            request: where it is shown.
            template: of templates/checkout.
            merchant: whose shop it is.
            language: of the page.
            context: what this page shows beside the frame.
            where: the fields of its address, for the switch between languages.
            status: of HTTP.
        """
        frame = {
            "words": WORDS[language],
            "language": language,
            "languages": [
                {
                    "code": code,
                    "name": words.name,
                    "address": f"{request.path}?{urlencode({**(where or {}), 'lang': code})}",
                }
                for code, words in WORDS.items()
            ],
            "merchant": merchant and merchant.settings.title,
            "help": escape(WORDS[language].help).format(support=_contact(merchant.settings.support))
            if merchant
            else "",
            "assets": self._room.assets,
            "test": False,
            "form": "",
        }
        response = aiohttp_jinja2.render_template(f"checkout/{template}", request, {**frame, **context}, status=status)
        response.headers.update(self._room.headers)
        response.headers["Content-Language"] = language
        response.headers["Vary"] = "Accept-Language, Cookie"
        return response

    def plain(self, request: web.Request, what: str, status: int, merchant: Merchant | None = None) -> web.Response:
        """Return a page that only says something: why nothing can be paid here."""
        language = languages.choose(request, merchant.settings.language if merchant else "en")
        words = WORDS[language]
        name = merchant.settings.title if merchant else ""
        context = {
            "title": getattr(words, f"{what}_title"),
            "text": getattr(words, what).format(merchant=name),
            "address": merchant.settings.return_url if merchant else "",
        }
        response = self.render(request, "plain.html", merchant, language, context, status=status)
        return Cookies(request, self._room).write(response)


def _contact(support: str) -> Markup:
    """Return whom buyers ask, as a link where it is an address, a number or a page."""
    for looks, scheme in _CONTACTS:
        if looks.fullmatch(support):
            plain = (
                re.sub(r"[ ()/-]", "", support) if scheme.startswith("tel") else quote(support, safe="@:/?&=#%+.~-_")
            )
            return Markup('<a href="{}">{}</a>').format(scheme.format(plain), support)
    return Markup("{}").format(support)
