"""A buyer's tries at one order: who mistypes a number, or has no credit at first, tries again under the same reference.

A merchant_reference is used once and for ever. The checkout names further tries after it: ``order-7``, ``order-7~2``,
``order-7~3``. Another try begins only when all before it have ended and took no money.
"""

from typing import Final

from smsgw.domain.payments import Status
from smsgw.flows.amend import Refused
from smsgw.flows.ports import Ports
from smsgw.store import payments as store
from smsgw.store.payments import PaymentRow

MOST: Final = 9
_OVER: Final = frozenset({Status.FAILED, Status.DECLINED, Status.EXPIRED, Status.CANCELED})


class Unfit(Refused):
    """The checkout takes a form no further; only its pages say such reasons, the API has none of them."""


async def next_name(ports: Ports, merchant: str, reference: str) -> str:
    """Return the merchant_reference of the next try at an order of a live merchant.

    Raises:
        Unfit: one of its tries was paid or may be yet (``order_paid``), is open (``order_open``), or there were too
            many (``reference_used``).
    """
    names = [reference, *(f"{reference}~{number}" for number in range(2, MOST + 1))]
    async with ports.database.read() as reader:
        found = await store.by_references(reader, merchant, names, test=False)
        rows = [row for payment in found.values() if (row := await store.get(reader, payment)) is not None]
    for row in rows:
        _see_whether_over(row)
    free = next((name for name in names if name not in found), None)
    if free is None:
        raise Unfit("reference_used", "this order was tried too often")
    return free


def _see_whether_over(row: PaymentRow) -> None:
    if row.status not in _OVER or row.discrepancy is not None:
        is_open = row.status in {Status.CREATED, Status.AWAITING}
        raise Unfit("order_open" if is_open else "order_paid", f"the payment {row.id} of this order is {row.status}")
