"""What need not be remembered any more: deleted now and then, a little after it has ceased to count."""

from typing import Final

from smsgw.domain.guessing import HOUR_MS
from smsgw.flows.access import DAY_MS
from smsgw.flows.ports import Ports
from smsgw.settings import Guessing
from smsgw.store import codes, guesses, redemptions

# How long a request with an Idempotency-Key may be repeated.
ANSWERS_MS: Final = 24 * HOUR_MS
_HOURS_A_DAY: Final = 24


async def forget(ports: Ports, limits: Guessing) -> None:
    """Delete forgiven visitors, hours and days that count no more, old answers, and return handles."""
    now_ms = ports.clock.now_ms()
    async with ports.database.write() as transaction:
        window_ms = int(limits.visitor_window_s * 1000)
        await guesses.forget(transaction, now_ms - window_ms, now_ms // HOUR_MS - _HOURS_A_DAY)
        await redemptions.forget(transaction, now_ms - ANSWERS_MS, now_ms - HOUR_MS)
        await codes.forget_reissues(transaction, now_ms // DAY_MS - 1)  # nodes' clocks differ a little
