"""Codes that visitors and merchants bring: judged, counted, limited and recorded, many of them in one transaction."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final

from smsgw.domain import codes
from smsgw.errors import IdempotencyMismatch, StoreConflict
from smsgw.flows.desk import Desk
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.visits import Redemption, Visit, Waiting
from smsgw.kit.batch import Batch
from smsgw.kit.logs import get_logger
from smsgw.kit.patience import Patience
from smsgw.settings import Guessing
from smsgw.store.database import Transaction

log = get_logger(__name__)

_LIMIT: Final = 200
_CAPACITY: Final = 2_000


class Verifier:
    """Judges codes and counts their uses; visitors who come at once share a transaction.

    Args:
        ports: the world.
        catalog: the services.
        guessing: how many wrong codes may be tried.
        tell: hears which services' merchants have something to be told, after its commit; must not fail or wait.
    """

    def __init__(
        self,
        ports: Ports,
        catalog: Catalog,
        guessing: Guessing,
        tell: Callable[[Collection[str]], None] = lambda _: None,
    ) -> None:
        self._ports = ports
        self._catalog = catalog
        self._guessing = guessing
        self._tell = tell
        self._patience = Patience()
        self._batch: Batch[Waiting, Redemption] = Batch(self._handle, name="verify", limit=_LIMIT, capacity=_CAPACITY)

    async def redeem(self, visit: Visit, patience_s: float) -> Redemption:
        """Decide one attempt, record it, and count the use if it succeeds; returns after the commit.

        Args:
            visit: who brings what.
            patience_s: longest wait.

        Raises:
            StoreUnavailable: nothing was decided.
            TimeoutError: nothing was decided, unless the commit was already on its way.
            asyncio.QueueFull: too many visitors wait already.
            IdempotencyMismatch: the key came with another request before; nothing was decided.
        """
        waiting = self._waiting(visit, patience_s)
        try:
            redemption = await self._submit(waiting, patience_s)
        except StoreConflict:
            # Another node has just answered a request with the same Idempotency-Key: now we can see its answer.
            redemption = await self._submit(waiting, patience_s)
        if redemption.id == "":
            raise IdempotencyMismatch("this Idempotency-Key was used with another request")
        return redemption

    def begin(self, visit: Visit, patience_s: float) -> "asyncio.Future[Redemption]":
        """Do what `redeem` does, for a visit without an Idempotency-Key, and without a task that waits for it.

        The attempt is on its way, whoever gives up waiting for it.
        """
        return self._submit(self._waiting(visit, patience_s), patience_s)

    def _waiting(self, visit: Visit, patience_s: float) -> Waiting:
        ports = self._ports
        arrived_ms = ports.clock.monotonic_ms()
        return Waiting(
            visit=visit,
            id=ports.ids.new("att"),
            arrived_ms=arrived_ms,
            until_ms=arrived_ms + int(patience_s * 1000),
            lookups=ports.vault.lookups(visit.service, codes.canonical(visit.typed)),
        )

    def _submit(self, waiting: Waiting, patience_s: float) -> "asyncio.Future[Redemption]":
        future = self._batch.submit(waiting)
        self._patience.limit(future, patience_s)
        return future

    async def close(self) -> None:
        """Finish what waits."""
        await self._batch.close()

    async def _handle(self, waiting: Sequence[Waiting]) -> list[Redemption | Exception]:
        ports = self._ports
        now_ms = ports.clock.now_ms()

        async def body(transaction: Transaction) -> Desk:
            desk = Desk(ports, self._catalog, self._guessing, now_ms)
            in_time = [one for one in waiting if ports.clock.monotonic_ms() < one.until_ms]
            await desk.read(transaction, in_time)
            for one in in_time:
                desk.decide(one)
            await desk.write(transaction)
            return desk

        desk = await ports.database.transact(body)
        if desk.hooked:
            self._tell(desk.hooked)
        # After what waits for the commit, above all the next transaction.
        asyncio.get_running_loop().call_soon(desk.tell)
        return [desk.redemptions.get(one.id) or TimeoutError() for one in waiting]
