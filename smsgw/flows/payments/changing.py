"""One change of one payment, asked for by its id: in a transaction, once, and in the audit log when a person asks."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct, structs

from smsgw.errors import StoreConflict
from smsgw.flows.amend import Refused
from smsgw.flows.audit import entry
from smsgw.flows.idempotency import Idempotency, answer_of, keep
from smsgw.flows.payments.book import Book
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.whose import Whose, is_theirs
from smsgw.flows.ports import Catalog, Ports
from smsgw.store import audit
from smsgw.store.database import Transaction
from smsgw.store.payments import PaymentRow
from smsgw.store.refunds import RefundRow

_TRIES: Final = 3  # when another node has been quicker


class Changed(Struct, frozen=True, kw_only=True):
    """A payment after a request to change it."""

    payment: PaymentRow  # as it was right after the request
    refund: RefundRow | None = None  # that the request made
    repeated: bool = False  # the same request had come before: nothing was done twice


_changed = msgspec.json.Decoder(Changed)


class Changes:
    """Makes changes.

    Args:
        ports: the world.
        catalog: merchants, links, limits.
        done: takes what a transaction leaves to be done.
    """

    def __init__(self, ports: Ports, catalog: Catalog, done: Callable[[Effects | None], None]) -> None:
        self._ports = ports
        self._catalog = catalog
        self._done = done

    async def make(
        self,
        payment: str,
        whose: Whose,
        change: Callable[[Book, PaymentRow], PaymentRow],
        once: Idempotency | None = None,
        *,
        action: str = "",
        actor: str = "",
    ) -> Changed:
        """Change one payment.

        Args:
            payment: its id.
            whose: who may change it.
            change: does it, in the book.
            once: what makes the request safe to repeat.
            action: for the audit log; "": not a person's.
            actor: who it is.

        Raises:
            Refused: there is no such payment of theirs, or ``change`` refuses it.
        """
        ports = self._ports

        async def body(transaction: Transaction) -> tuple[Changed, Effects | None]:
            book = Book(ports, self._catalog, ports.clock.now_ms())
            await book.load(transaction, [payment])
            row = book.find(payment)
            if row is None or not is_theirs(row, whose):
                raise Refused("not_found", "there is no such payment")
            known = await answer_of(ports, transaction, once)
            if known is not None:
                return structs.replace(_changed.decode(known), repeated=True), None
            changed = Changed(payment=change(book, row), refund=book.new_refund)
            after = changed.payment
            await keep(ports, transaction, once, msgspec.json.encode(changed))
            if action and after != row:
                await audit.record(transaction, [entry(ports, actor, action, payment, {})])
            return changed, await book.write(transaction)

        for left in reversed(range(_TRIES)):
            try:
                changed, effects = await ports.database.transact(body)
            except StoreConflict:  # the same request on another node
                if not left:
                    raise
            else:
                self._done(effects)
                return changed
        raise AssertionError
