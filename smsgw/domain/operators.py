"""Whose phone a number is: by the links' own prefixes, or by the numbering plan; who has moved is in a table."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

import phonenumbers
from msgspec import Struct

from smsgw.settings import LinkSettings

_KEPT: Final = 20_000  # numbers whose operator is remembered


class Owner(Struct, frozen=True, kw_only=True):
    """Whose a number is, and why."""

    link: str
    by: Literal["prefix", "carrier"]
    what: str  # the prefix, or the name


class Operators:
    """The links of a configuration, by the numbers that are theirs."""

    def __init__(self, links: Mapping[str, LinkSettings]) -> None:
        self._prefixes = {prefix.lstrip("+"): name for name, link in sorted(links.items()) for prefix in link.prefixes}
        self._longest = max(map(len, self._prefixes), default=0)
        self._carriers = {_key(one): name for name, link in sorted(links.items()) for one in link.carriers}
        self._find = lru_cache(maxsize=_KEPT)(self._look_up)

    def of(self, msisdn: str) -> str | None:
        """Return the link of a number (digits of E.164), or None when it is nobody's."""
        owner = self._find(msisdn)
        return owner.link if owner else None

    def why(self, msisdn: str) -> Owner | None:
        """Return the same with its reason: the longest prefix decides, where none fits the numbering plan does."""
        return self._find(msisdn)

    def _look_up(self, msisdn: str) -> Owner | None:
        for length in range(min(len(msisdn), self._longest), 0, -1):
            found = self._prefixes.get(msisdn[:length])
            if found is not None:
                return Owner(link=found, by="prefix", what=msisdn[:length])
        if not self._carriers:
            return None
        name = carrier_of(msisdn)
        link = self._carriers.get(_key(name))
        return Owner(link=link, by="carrier", what=name) if link else None


def carrier_of(msisdn: str) -> str:
    """Return the name of the operator that a number was given to, as the numbering plan has it; "" for none."""
    try:
        number = phonenumbers.parse(f"+{msisdn}")
    except phonenumbers.NumberParseException:
        return ""
    from phonenumbers import carrier  # noqa: PLC0415 - 11 MB of names, for the links that name carriers only

    return carrier.name_for_valid_number(number, "en")


def _key(name: str) -> str:
    return name.strip().casefold()
