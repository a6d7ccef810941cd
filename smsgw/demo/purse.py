"""The gold shop's purse: reads the token that a buyer brings back, and gives what was paid for, once."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from smsgw.demo.proofs import Proofs
from smsgw.flows.payments.returning import KIND


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
        self._proofs = Proofs(merchant, KIND, keys, now_ms)

    def open(self, token: str, state: str) -> Paid | None:
        """Return what a token is worth; None for one that is none, somebody else's, too old, or was here before.

        Args:
            token: the field rt, as it came.
            state: what the shop gave this visitor.
        """
        claims = self._proofs.read(token, state)
        if claims is None:
            return None
        outcome = str(claims.get("outcome", ""))
        if outcome != "succeeded":
            return Paid(outcome=outcome, units=0)
        return Paid(outcome=outcome, units=int(claims.get("units", 0))) if self._proofs.spend(claims) else None
