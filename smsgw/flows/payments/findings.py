"""Records what operators' HTTP APIs say of attempts: many that come at a time in one transaction, and none is lost.

While the store cannot write, what has been found out is kept and tried again. Should the daemon die with it, the
attempt is found as an intent, becomes unknown, and the operator is asked.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from smsgw.domain.charging import Told
from smsgw.domain.payments import Fact
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.charging import Cashbox
from smsgw.flows.payments.effects import Effects
from smsgw.flows.ports import Catalog, Charged, Ports
from smsgw.kit.batch import Batch
from smsgw.kit.logs import get_logger
from smsgw.kit.turns import insist
from smsgw.store.database import Transaction

log = get_logger(__name__)

_AT_ONCE: Final = 200


class Finding(Struct, frozen=True, kw_only=True):
    """What an operator said of an attempt."""

    payment: str
    charge: str
    told: Told
    intent_ms: int | None  # of the try that it is about
    evidence: Mapping[str, Any]


class Findings:
    """Writes them down.

    Args:
        ports: the world.
        catalog: merchants, links, limits.
        cashbox: knows what follows for a payment.
        done: takes what a transaction leaves to be done.
    """

    def __init__(self, ports: Ports, catalog: Catalog, cashbox: Cashbox, done: Callable[[Effects], None]) -> None:
        self._ports = ports
        self._catalog = catalog
        self._cashbox = cashbox
        self._done = done
        self._batch: Batch[Finding, None] = Batch(self._write, name="findings", limit=_AT_ONCE)

    async def record(self, finding: Finding) -> None:
        """Write one down; returns when it is on disk.

        Raises:
            SmsgwError: it cannot be written, and trying again would not help.
        """
        told = log.bind(payment=finding.payment, charge=finding.charge)
        await insist(
            lambda: asyncio.shield(self._batch.submit(finding)),
            put_off=lambda error: told.warning("charge.not_recorded", error=str(error)),
        )

    async def close(self) -> None:
        """Finish what waits."""
        await self._batch.close()

    async def _write(self, findings: Sequence[Finding]) -> list[Exception | None]:
        async def body(transaction: Transaction) -> Effects:
            book = Book(self._ports, self._catalog, self._ports.clock.now_ms())
            await book.load(transaction, {one.payment for one in findings})
            for one in findings:
                self._take(book, one)
            return await book.write(transaction)

        self._done(await self._ports.database.transact(body))
        return [None] * len(findings)

    def _take(self, book: Book, one: Finding) -> None:
        charge = book.charge(one.payment)
        if charge is not None and charge.id == one.charge:
            self._cashbox.hear_try(book, one.payment, one.told, one.evidence, one.intent_ms)
        elif book.find(one.payment) is not None:  # of an earlier attempt; nothing of it is lost
            told = {"charge": one.charge, "said": one.told.said.value, **one.evidence}
            book.note(one.payment, Fact.REPORTED, told)


def evidence(by: str, found: Charged) -> dict[str, Any]:
    """Return what is kept of an answer."""
    told = {
        "by": by,
        "operator_id": found.operator_id,
        "http_status": found.http_status,
        "error": found.error,
    }
    return {name: value for name, value in told.items() if value is not None}
