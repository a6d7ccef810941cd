"""Which service a message is for: link, short code and first word in, a service or the reason for none out."""

from collections.abc import Mapping
from enum import StrEnum

from smsgw.domain.keywords import first_word, fold
from smsgw.settings import ServiceSettings

CATCH_ALL = "*"


class NoService(StrEnum):
    """Why a message reaches no service; each has its answer in the settings."""

    UNKNOWN_SHORT_CODE = "unknown_short_code"
    UNKNOWN_KEYWORD = "unknown_keyword"
    EMPTY = "empty"
    UNREADABLE = "unreadable"


class Routes:
    """An index of the services by link, short code and keyword, made once for a configuration."""

    def __init__(self, services: Mapping[str, ServiceSettings], links: Mapping[str, object]) -> None:
        self._keywords: dict[tuple[str, str], dict[str, str]] = {}
        for name, service in services.items():
            for link in service.links or links:
                words = self._keywords.setdefault((link, service.short_code.lstrip("+")), {})
                for keyword in service.keywords:
                    words.setdefault(_key(keyword), name)

    def find(self, link: str, short_code: str, text: str | None) -> str | NoService:
        """Return the service's name, or the reason why there is none.

        Args:
            link: where the message came in.
            short_code: its destination_addr, with or without a leading "+".
            text: None when its bytes could not be decoded. A catch-all service takes even that: it was paid for.
        """
        words = self._keywords.get((link, short_code.lstrip("+")))
        if words is None:
            return NoService.UNKNOWN_SHORT_CODE
        word = first_word(text) if text else ""
        service = words.get(word) or words.get(CATCH_ALL)
        if service:
            return service
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
            for keyword in service.keywords:
                owner = owners.setdefault((link, service.short_code.lstrip("+"), _key(keyword)), name)
                if owner != name:
                    clashes[keyword] = owner
        found += [(name, keyword, owner) for keyword, owner in clashes.items()]
    return found


def _key(keyword: str) -> str:
    return CATCH_ALL if keyword == CATCH_ALL else fold(keyword)
