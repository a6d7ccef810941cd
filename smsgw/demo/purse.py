"""The gold shop's purse: reads the token that a buyer brings back, and gives what was paid for, once."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import Final

from msgspec import Struct

from smsgw.demo.door import read
from smsgw.flows.payments.returning import KIND

_MOST_SPENT: Final = 10_000


class Paid(Struct, frozen=True, kw_only=True):
    """What came of a payment."""

    outcome: str
    units: int  # of gold; 0 unless it succeeded


class Purse:
    """One merchant's purse.

    Args:
        merchant: the merchant's name.
        keys: return keys by id; asked at each visit, as they may be replaced.
        now_ms: the wall clock.
    """

    def __init__(self, merchant: str, keys: Callable[[], Mapping[str, bytes]], now_ms: Callable[[], int]) -> None:
        self._merchant = merchant
        self._keys = keys
        self._now_ms = now_ms
        self._spent: OrderedDict[str, None] = OrderedDict()

    def open(self, token: str, state: str) -> Paid | None:
        """Return what a token is worth; None for one that is none, somebody else's, too old, or was here before.

        Args:
            token: the field rt, as it came.
            state: what the shop gave this visitor.
        """
        claims = read(token, KIND, self._keys())
        if claims is None or claims.get("iss") != "smsgw" or claims.get("aud") != self._merchant:
            return None
        if claims.get("exp", 0) <= self._now_ms() / 1000 or not state:
            return None
        if not compare_digest(str(claims.get("state", "")).encode(), state.encode()):
            return None
        outcome, payment = str(claims.get("outcome", "")), str(claims.get("jti", ""))
        if outcome != "succeeded":
            return Paid(outcome=outcome, units=0)
        if payment in self._spent:
            return None
        self._spent[payment] = None
        if len(self._spent) > _MOST_SPENT:
            self._spent.popitem(last=False)
        return Paid(outcome=outcome, units=int(claims.get("units", 0)))
