"""What need not be remembered any more: deleted now and then, a little after it has ceased to count."""

from collections.abc import Awaitable, Callable
from typing import Final

from smsgw.domain.guessing import HOUR_MS
from smsgw.flows.access import DAY_MS
from smsgw.flows.ports import Ports
from smsgw.kit.ids import first_of
from smsgw.settings import Guessing, Retention
from smsgw.store import attempts, codes, guesses, payments, phones, receipts, redemptions
from smsgw.store.database import Transaction

# How long a request with an Idempotency-Key may be repeated.
ANSWERS_MS: Final = 24 * HOUR_MS
_HOURS_A_DAY: Final = 24
_SLICE: Final = 1_000  # rows that one transaction deletes: visitors do not wait long behind it
_SLICES: Final = 100  # in one go; what is left is for the next


async def forget(ports: Ports, limits: Guessing) -> None:
    """Delete forgiven visitors, hours and days that count no more, old answers, and return handles."""
    now_ms = ports.clock.now_ms()
    async with ports.database.write() as transaction:
        window_ms = int(limits.visitor_window_s * 1000)
        await guesses.forget(transaction, now_ms - window_ms, now_ms // HOUR_MS - _HOURS_A_DAY)
        await redemptions.forget(transaction, now_ms - ANSWERS_MS, now_ms - HOUR_MS)
        await codes.forget_reissues(transaction, now_ms // DAY_MS - 1)  # nodes' clocks differ a little


async def forget_receipts(ports: Ports, retention: Retention) -> int:
    """Delete the receipts that no message has claimed for too long; return how many."""
    before_ms = ports.clock.now_ms() - retention.unmatched_receipts_h * HOUR_MS
    return await _in_slices(ports, lambda tx, count: receipts.forget_unmatched(tx, before_ms, count))


async def forget_payments(ports: Ports, keep_days: int) -> int:
    """Delete payments that ended too long ago, and hours of questions that count no more; return how many payments."""
    now_ms = ports.clock.now_ms()
    async with ports.database.write() as transaction:
        await phones.forget_tallies(transaction, now_ms // HOUR_MS - _HOURS_A_DAY)
    before = first_of("pay", now_ms - keep_days * DAY_MS)
    return await _in_slices(ports, lambda tx, count: payments.forget(tx, before, count))


async def forget_attempts(ports: Ports, retention: Retention) -> int:
    """Delete the attempts that are too old, and then what was spent of them; return how many rows.

    An attempt and its redemption have one id but for their kinds. What was spent is forgotten when all attempts as old
    are gone: as long as there is one that could be spent, it is known whether it was.
    """
    before_ms = ports.clock.now_ms() - retention.attempts_days * DAY_MS
    attempt, redemption = first_of("att", before_ms), first_of("red", before_ms)
    return await _in_slices(
        ports,
        lambda tx, count: attempts.forget(tx, attempt, count),
        lambda tx, count: attempts.forget_consumed(tx, redemption, count),
    )


async def _in_slices(ports: Ports, *kinds: Callable[[Transaction, int], Awaitable[int]]) -> int:
    """Delete slice by slice, each kind when all of the one before are gone; return how many rows."""
    deleted, left = 0, list(kinds)
    for _ in range(_SLICES):
        if not left:
            break
        async with ports.database.write() as transaction:
            count = await left[0](transaction, _SLICE)
        deleted += count
        if count < _SLICE:
            left.pop(0)
    return deleted
