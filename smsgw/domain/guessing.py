"""Wrong codes, counted: when a visitor must wait, and when a whole service does.

A visitor (an IPv4 address, or an IPv6 network of 64 bits) may be wrong a few times in any window of time: the failure
that completes the number within one window, wherever that begins, costs a pause. The window slides, hence the times of
the latest failures are remembered, as many as may be made. From then on each failure costs a pause, and each pause is
twice as long as the one before, up to a limit; while it lasts nothing that the visitor brings is looked at, right or
wrong. A window without any failure after the pause forgives everything.

A service counts the failures of all its visitors, by the hour. Above the hourly limit it is under attack: staff are
told, and the first failure of a visitor already costs a pause. Above the daily limit no code of it is checked any more
until the day has moved on: that bounds what any number of addresses can try. Nothing here ever touches a code.
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from msgspec import Struct, structs

from smsgw.settings import Guessing

HOUR_MS = 3_600_000
_HOURS_A_DAY = 24
_MOST_DOUBLINGS = 20  # by then every pause is the longest


class Visitor(Struct, frozen=True, kw_only=True):
    """What is remembered of a visitor who was wrong, or has come in vain."""

    failures: tuple[int, ...] = ()  # when the latest were, those that may still count
    pauses: int = 0  # that have been imposed one after the other
    until_ms: int = 0  # end of the latest pause
    kept: int = 0  # attempts that changed nothing and were stored, in the window that began at kept_ms
    kept_ms: int = 0


class Load(Struct, frozen=True, kw_only=True):
    """A service's failures."""

    hour: int = 0  # in the hour that is running and the one before it, the latter by its share
    day: int = 0  # in the last 24 hours that have begun


@lru_cache(maxsize=4096)
def visitor_key(address: str) -> str:
    """Return what is counted for an address: itself, or the /64 of IPv6; a mapped IPv4 address is IPv4.

    What is no address at all is counted as it is.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    network = int(parsed) >> 64 << 64
    return f"{IPv6Address(network)}/64"


def wait_ms(limits: Guessing, visitor: Visitor, load: Load, now_ms: int) -> int:
    """Return how long this visitor must wait before anything of theirs is looked at; 0 when they need not."""
    own = max(0, visitor.until_ms - now_ms)
    if load.day >= limits.service_failures_per_day:
        return max(own, HOUR_MS - now_ms % HOUR_MS)
    return own


def after_failure(limits: Guessing, visitor: Visitor, load: Load, now_ms: int) -> Visitor:
    """Return what is remembered of a visitor after one more wrong code."""
    window_ms = int(limits.visitor_window_s * 1000)
    counting = tuple(at_ms for at_ms in visitor.failures if at_ms > now_ms - window_ms)
    failures = (*counting, now_ms)[-limits.visitor_failures :]
    pauses = visitor.pauses if now_ms < visitor.until_ms + window_ms else 0
    allowed = 1 if under_attack(limits, load) else limits.visitor_failures
    if len(failures) < allowed and not pauses:
        return structs.replace(visitor, failures=failures, pauses=0, until_ms=0)
    first_ms, longest_ms = int(limits.first_pause_s * 1000), int(limits.longest_pause_s * 1000)
    pause_ms = min(longest_ms, first_ms << min(pauses, _MOST_DOUBLINGS))
    return structs.replace(visitor, failures=failures, pauses=pauses + 1, until_ms=now_ms + pause_ms)


def after_nothing(limits: Guessing, visitor: Visitor, now_ms: int) -> Visitor | None:
    """Return what is remembered of a visitor after one more attempt that changes nothing; None: it is not to be stored.

    Whoever holds an expired code, or waits, is neither right nor wrong: reloading the page must lock nobody out, hence
    it is no failure. But each attempt is a row: so many are stored in a window, and the others only answered.
    """
    if not visitor.kept_ms <= now_ms < visitor.kept_ms + int(limits.visitor_window_s * 1000):
        return structs.replace(visitor, kept=1, kept_ms=now_ms)
    if visitor.kept >= limits.visitor_attempts_kept:
        return None
    return structs.replace(visitor, kept=visitor.kept + 1)


def under_attack(limits: Guessing, load: Load) -> bool:
    """Whether a service's failures are more than mistakes."""
    return load.hour >= limits.service_failures_per_hour


def load_of(hours: dict[int, int], now_ms: int) -> Load:
    """Sum up a service's failures.

    Args:
        hours: {hour since 1970: failures}.
        now_ms: the hour that has begun counts whole, the one before it by the part that is less than an hour ago.
    """
    now = now_ms // HOUR_MS
    before = 1 - now_ms % HOUR_MS / HOUR_MS
    return Load(
        hour=hours.get(now, 0) + int(hours.get(now - 1, 0) * before),
        day=sum(failures for hour, failures in hours.items() if now - _HOURS_A_DAY < hour <= now),
    )
