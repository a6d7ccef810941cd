"""Where a bind goes next: to its own host while that is there, else to another one, and home again later."""

from collections.abc import Callable

from smsgw.kit.limits import Backoff


class Tour:
    """What one bind has met at each host.

    A host that failed is left alone for a pause that grows with each failure; meanwhile the next one is tried, at once.
    Only when all have failed does the bind wait. Binds begin at different hosts, so that the load is spread.

    Args:
        count: how many hosts there are.
        home: the one to be at.
        backoff: makes the pauses of one host.
    """

    def __init__(self, count: int, home: int, backoff: Callable[[], Backoff]) -> None:
        self.home = home % count
        self._order = [(self.home + step) % count for step in range(count)]
        self._backoffs = [backoff() for _ in range(count)]
        self._ready_ms = [0] * count

    def choose(self, now_ms: int) -> tuple[int, int]:
        """Return the host to go to, and how long to wait before (ms)."""
        for host in self._order:
            if self._ready_ms[host] <= now_ms:
                return host, 0
        host = min(self._order, key=lambda one: self._ready_ms[one])
        return host, self._ready_ms[host] - now_ms

    def ended(self, host: int, now_ms: int, *, lasted: bool, slow_ms: int | None = None) -> None:
        """Note that a bind at this host has ended, or did not come about.

        Args:
            host: where.
            now_ms: when.
            lasted: it was a success: the pauses begin anew.
            slow_ms: a longer pause, for what only a person can mend.
        """
        backoff = self._backoffs[host]
        if lasted:
            backoff.reset()
        self._ready_ms[host] = now_ms + (backoff.next() if slow_ms is None else slow_ms)

    def expect(self, host: int) -> None:
        """Hear that this host is there again."""
        self._ready_ms[host] = 0
