"""Events that were delivered long ago: deleted slice by slice, round after round, however many there are.

What was not delivered stays, whatever its age: somebody may want to replay it. So does what was delivered of a subject
of which more is on its way. Only what waits for an address that wants no more (410) is deleted when it is as old.
"""

from typing import Final

from smsgw.flows.ports import Ports
from smsgw.kit.ids import first_of
from smsgw.kit.logs import get_logger
from smsgw.store import endpoints, events

log = get_logger(__name__)

DAY_MS: Final = 86_400_000
REST_MS: Final = 3_600_000  # from the end of a round to the next one
_PAGE: Final = 500  # in one transaction: SMS are stored in between
_PAGES: Final = 4  # at each sweep


class Bygones:
    """Walks through the events in the order of their ids, which is that of their time.

    Args:
        ports: the world.
        keep_days: how long a delivered event is kept, from its delivery.
    """

    def __init__(self, ports: Ports, keep_days: int) -> None:
        self._ports = ports
        self._keep_ms = keep_days * DAY_MS
        self._at = ""  # the last event that was looked at
        self._rest_ms = 0  # monotonic; until when there is nothing to do

    async def sweep(self) -> None:
        """Look at the next slice, a few pages long."""
        clock = self._ports.clock
        if clock.monotonic_ms() < self._rest_ms:
            return
        before_ms = clock.now_ms() - self._keep_ms
        await self._forget_waiting(before_ms)
        below = first_of("evt", max(0, before_ms))
        for _ in range(_PAGES):
            async with self._ports.database.read() as reader:
                page = await events.ids(reader, self._at, below, _PAGE)
            await self._forget(page, before_ms)
            if len(page) < _PAGE:
                self._at, self._rest_ms = "", clock.monotonic_ms() + REST_MS
                return
            self._at = page[-1]

    async def _forget_waiting(self, before_ms: int) -> None:
        async with self._ports.database.read() as reader:
            gone = await endpoints.gone(reader)
        for service in sorted(gone):
            async with self._ports.database.write() as transaction:
                count = await events.forget_waiting(transaction, service, before_ms, _PAGE)
            if count:
                log.error("webhook.forgotten_undelivered", service=service, events=count)

    async def _forget(self, page: list[str], before_ms: int) -> None:
        if page:
            await self._ports.database.transact(lambda transaction: events.forget(transaction, page, before_ms))
