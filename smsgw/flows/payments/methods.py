"""Remembered numbers: a buyer pays again without typing one; until when the proof of it counts, and how it is removed.

A YES from the phone proves the number, whatever it was asked with. What a stale proof endangers is no money but a
stranger, who has got the number meanwhile and would be asked: so a number that was never proven, or not for
``verify_number_days``, is asked for again, and does not stand for itself.
"""

from typing import Final

from smsgw.domain.goods import Merchant
from smsgw.flows.amend import Refused
from smsgw.flows.audit import entry
from smsgw.flows.payments.whose import Whose
from smsgw.flows.ports import Ports
from smsgw.store import audit, methods as store
from smsgw.store.database import Transaction
from smsgw.store.methods import MethodRow

LAST: Final = f"pm_{'z' * 26}"  # above the highest id
_DAY_MS: Final = 86_400_000


async def get(ports: Ports, name: str, whose: Whose) -> MethodRow | None:
    """Return a remembered number, also one that was removed; None when there is none, or it is somebody else's."""
    async with ports.database.read() as reader:
        row = await store.get(reader, name)
    if row is None:
        return None
    mine = whose.merchants is None or row.merchant in whose.merchants
    return row if mine and whose.test in {None, bool(row.test)} else None


async def listed(
    ports: Ports, merchant: str, *, test: bool, msisdn: str | None = None, before: str = LAST, count: int
) -> list[MethodRow]:
    """Return a merchant's remembered numbers with ids below one, the latest first; or the one of a phone."""
    async with ports.database.read() as reader:
        if msisdn is None:
            return await store.listed(reader, merchant, test=test, before=before, count=count)
        row = await store.of_phone(reader, merchant, msisdn, test=test)
    return [row] if row is not None and row.id < before else []


async def remove(ports: Ports, name: str, actor: str) -> None:
    """Forget a number; once more changes nothing."""

    async def body(transaction: Transaction) -> None:
        if await store.remove(transaction, name, ports.clock.now_ms()):
            await audit.record(transaction, [entry(ports, actor, "payment_method.removed", name, {})])

    await ports.database.transact(body)


def proven_until_ms(row: MethodRow, merchant: Merchant) -> int | None:
    """Return until when a number need not be asked for again; None when its phone has never confirmed."""
    if row.verified_ms is None:
        return None
    return row.verified_ms + merchant.settings.verify_number_days * _DAY_MS


def see_whether_usable(row: MethodRow, merchant: Merchant, now_ms: int) -> None:
    """See that a payment may be made with a remembered number alone.

    Raises:
        Refused: it may not.
    """
    if row.removed_ms is not None:
        raise Refused("method_removed", "the buyer's number was removed; ask for it, and send it as msisdn")
    until_ms = proven_until_ms(row, merchant)
    if until_ms is None or until_ms <= now_ms:
        raise Refused(
            "method_needs_verification",
            "ask the buyer for the number, and send it as msisdn with remember: the phone's YES proves it again",
        )
