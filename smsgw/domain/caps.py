"""How much one phone may pay: over a product, a merchant or everything, in a payment, a day or a month.

What counts is what the phone has confirmed and was not refused, so that nothing must be given back when a charge fails.
A cap in one currency does not see payments in another.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from smsgw.settings.merchant import Cap


class Spent(Struct, frozen=True, kw_only=True):
    """A payment that counts."""

    merchant: str
    product: str
    currency: str
    amount_minor: int
    confirmed_ms: int


def month_began_ms(now_ms: int, zone: ZoneInfo) -> int:
    """Return when the month of a moment began in a time zone."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone)
    return _ms(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def day_began_ms(now_ms: int, zone: ZoneInfo) -> int:
    """Return when the day of a moment began in a time zone."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone)
    return _ms(now.replace(hour=0, minute=0, second=0, microsecond=0))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def exceeded(wanted: Spent, before: Sequence[Spent], caps: Iterable[Cap], zone: ZoneInfo) -> Cap | None:
    """Return the first cap that a payment does not fit under; None when it fits under all.

    Args:
        wanted: the payment, confirmed now.
        before: what its phone has confirmed since the month began, without this one.
        caps: those that are for it.
        zone: in which a day and a month begin.
    """
    day_ms: int | None = None
    for cap in caps:
        if cap.per == "payment":
            spent: list[Spent] = []
        else:
            if cap.per == "day" and day_ms is None:
                day_ms = day_began_ms(wanted.confirmed_ms, zone)
            since_ms = day_ms if cap.per == "day" and day_ms is not None else 0
            spent = [one for one in before if one.confirmed_ms >= since_ms and _is_over(cap, one, wanted)]
        if cap.count and len(spent) + 1 > cap.count:
            return cap
        if not cap.amount_minor or cap.currency != wanted.currency:
            continue
        if (
            wanted.amount_minor + sum(one.amount_minor for one in spent if one.currency == cap.currency)
            > cap.amount_minor
        ):
            return cap
    return None


def _is_over(cap: Cap, one: Spent, wanted: Spent) -> bool:
    if cap.over == "all":
        return True
    same = one.merchant == wanted.merchant
    return same if cap.over == "merchant" else same and one.product == wanted.product
