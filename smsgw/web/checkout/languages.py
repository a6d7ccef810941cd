"""In which language a page is: as the visitor chose it here, or as the browser asks for it."""

import re
from typing import Final, cast

from aiohttp import web

from smsgw.settings.merchant import Language
from smsgw.web.checkout.words import WORDS

COOKIE: Final = "pay_lang"
YEAR_S: Final = 365 * 86_400
_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]{1,32})?\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?"
).fullmatch
_MOST_RANGES: Final = 20


def choose(request: web.Request, otherwise: Language) -> Language:
    """Return the language of a page: of the address, of an earlier choice, of the browser, of the merchant."""
    for wanted in (request.query.get("lang", ""), request.cookies.get(COOKIE, "")):
        if wanted in WORDS:
            return cast("Language", wanted)
    return accepted(request.headers.get("Accept-Language", "")) or otherwise


def accepted(header: str) -> Language | None:
    """Return the best of ours in an Accept-Language (RFC 9110 §12.5.4); None when there is none."""
    best: tuple[float, Language] | None = None
    for text in header.split(",")[:_MOST_RANGES]:
        match = _RANGE(text)
        if match is None or match[1].lower() not in WORDS:
            continue
        weight = float(match[2] or 1)
        if weight > 0 and (best is None or weight > best[0]):
            best = (weight, cast("Language", match[1].lower()))
    return best[1] if best else None
