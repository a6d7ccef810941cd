"""How often numbers may be handed in, by one visitor's address and for one merchant: each costs somebody an SMS."""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_network
from typing import Final

from smsgw.domain.addresses import parse
from smsgw.kit.limits import TokenBucket

# Mobile operators have thousands of phones behind one address: what one phone may be asked, flows/payments limits.
VISITOR_PER_S, VISITOR_AT_ONCE = 0.5, 30
MERCHANT_PER_S, MERCHANT_AT_ONCE = 50.0, 500
_MOST: Final = 10_000  # visitors that are remembered; the longest unseen is forgotten
_NETWORK: Final = 64  # of IPv6: what one household has


class Crowds:
    """Counts what is handed in."""

    def __init__(self) -> None:
        self._visitors: OrderedDict[str, TokenBucket] = OrderedDict()
        self._merchants: dict[str, TokenBucket] = {}  # as many as there are in the settings

    def may(self, visitor: str, merchant: str, now_ms: int) -> bool:
        """Count a number that is handed in; False when it is one too many."""
        bucket = self._merchants.setdefault(merchant, TokenBucket(MERCHANT_PER_S, MERCHANT_AT_ONCE))
        return self._visitor(visitor).take(1, now_ms) and bucket.take(1, now_ms)

    def _visitor(self, visitor: str) -> TokenBucket:
        address = parse(visitor)
        whose = str(ip_network((address, _NETWORK), strict=False)) if isinstance(address, IPv6Address) else visitor
        bucket = self._visitors.get(whose)
        if bucket is None:
            bucket = self._visitors[whose] = TokenBucket(VISITOR_PER_S, VISITOR_AT_ONCE)
            if len(self._visitors) > _MOST:
                self._visitors.popitem(last=False)
        self._visitors.move_to_end(whose)
        return bucket
