"""Whose phone a number is: by the links' own prefixes, or by the numbering plan; who has moved is in a table."""

from collections.abc import Mapping

from smsgw.settings import LinkSettings


class Operators:
    """The links of a configuration, by the numbers that are theirs."""

    def __init__(self, links: Mapping[str, LinkSettings]) -> None:
        self._prefixes = {prefix.lstrip("+"): name for name, link in sorted(links.items()) for prefix in link.prefixes}

    def of(self, msisdn: str) -> str | None:
        """Return the link of a number (digits of E.164), or None when it is nobody's."""
        for length in range(len(msisdn), 0, -1):
            found = self._prefixes.get(msisdn[:length])
            if found is not None:
                return found
        return None
