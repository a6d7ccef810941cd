"""Redemptions that merchants spend: each successful use of a code opens one door, once."""

from collections.abc import Collection

from msgspec import Struct

from smsgw.domain.codes import Outcome
from smsgw.flows.ports import Ports
from smsgw.flows.trace import is_id
from smsgw.store import attempts, codes
from smsgw.store.attempts import Attempt
from smsgw.store.database import Reader, Transaction


class Spent(Struct, frozen=True, kw_only=True):
    """A redemption that was asked for."""

    service: str
    at_ms: int
    first: bool  # False: it was spent before


async def consume(ports: Ports, redemption: str, services: Collection[str], *, test: bool) -> Spent | None:
    """Spend a successful redemption of one of these services; None when it is none of theirs.

    Args:
        ports: the world.
        redemption: red_…; hostile.
        services: of whoever asks.
        test: whether they see redemptions of test codes, or of live ones.
    """
    if not is_id(redemption) or not redemption.startswith("red_"):
        return None
    now_ms = ports.clock.now_ms()

    async def body(transaction: Transaction) -> Spent | None:
        attempt = await attempts.by_id(transaction, f"att_{redemption.removeprefix('red_')}")
        if attempt is None or attempt.redemption != redemption or attempt.service not in services:
            return None
        if not await _opens(transaction, attempt, test=test):
            return None
        first = await attempts.consume(transaction, redemption, now_ms)
        return Spent(service=attempt.service, at_ms=now_ms, first=first)

    return await ports.database.transact(body)


async def _opens(reader: Reader, attempt: Attempt, *, test: bool) -> bool:
    """Whether an attempt has used a code of this kind."""
    if attempt.outcome != Outcome.SUCCESS or attempt.reason == "looked" or attempt.code is None:
        return False
    stored = await codes.by_id(reader, attempt.code)
    return stored is not None and stored.test == test
