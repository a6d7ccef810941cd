"""Which service a message is for: link, short code and first word in, a service or the reason for none out."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from smsgw.domain.keywords import first_word, fold
from smsgw.settings import ServiceSettings

CATCH_ALL = "*"


class NoService(StrEnum):
    """Why a message reaches no service; each has its answer in the settings."""

    UNKNOWN_SHORT_CODE = "unknown_short_code"
    UNKNOWN_KEYWORD = "unknown_keyword"
    EMPTY = "empty"
    UNREADABLE = "unreadable"


class Route(Struct, frozen=True, kw_only=True):
    """Where a message leads."""

    service: str
    again: bool  # asks for the latest code again, and buys nothing


class Routes:
    """An index of the services by link, short code and keyword, made once for a configuration."""

    def __init__(self, services: Mapping[str, ServiceSettings], links: Mapping[str, object]) -> None:
        self._keywords: dict[tuple[str, str], dict[str, Route]] = {}
        for name, service in services.items():
            buys, tells_again = Route(service=name, again=False), Route(service=name, again=True)
            for link in service.links or links:
                words = self._keywords.setdefault((link, service.short_code.lstrip("+")), {})
                for keyword in service.keywords:
                    words.setdefault(_key(keyword), buys)
                for keyword in service.again_keywords:
                    words.setdefault(_key(keyword), tells_again)

    def find(self, link: str, short_code: str, text: str | None) -> Route | NoService:
        """Return the way to a service, or the reason why there is none.

        Args:
            link: where the message came in.
            short_code: its destination_addr, with or without a leading "+".
            text: None when its bytes could not be decoded. A catch-all service takes even that: it was paid for.
        """
        words = self._keywords.get((link, short_code.lstrip("+")))
        if words is None:
            return NoService.UNKNOWN_SHORT_CODE
        word = first_word(text) if text else ""
        route = words.get(word) or words.get(CATCH_ALL)
        if route:
            return route
        if text is None:
            return NoService.UNREADABLE
        return NoService.UNKNOWN_KEYWORD if word else NoService.EMPTY


def conflicts(services: Mapping[str, ServiceSettings], links: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """Return (service, keyword, other service) for each keyword that two services claim on one link and short code."""
    owners: dict[tuple[str, str, str], str] = {}
    found = []
    for name, service in services.items():
        clashes = {}
        for link in service.links or links:
            for keyword in (*service.keywords, *service.again_keywords):
                owner = owners.setdefault((link, service.short_code.lstrip("+"), _key(keyword)), name)
                if owner != name:
                    clashes[keyword] = owner
        found += [(name, keyword, owner) for keyword, owner in clashes.items()]
    return found


def _key(keyword: str) -> str:
    return CATCH_ALL if keyword == CATCH_ALL else fold(keyword)
