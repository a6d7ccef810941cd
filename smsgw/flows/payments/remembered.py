"""Phone numbers that a browser may use again: a token in its cookie stands for a number that its phone has confirmed.

The token names the remembered number and the payment by which this browser had it remembered. It is worth something
only when that payment's phone has said YES: whoever types somebody else's number gets nothing that lasts, and cannot
have the number forgotten.
"""

import hmac
import re
from typing import Final

from msgspec import Struct

from smsgw.domain.goods import Merchant
from smsgw.flows.payments.events import Payment
from smsgw.flows.payments.methods import proven_until_ms
from smsgw.flows.ports import Ports
from smsgw.store import methods, payments as store

_PURPOSE: Final = "remembered number"
_FORM = re.compile(r"(pm_[0-9a-z]{26})\.([0-9a-z]{26})\.([0-9A-Za-z_-]{16,64})").fullmatch


class Remembered(Struct, frozen=True, kw_only=True):
    """A number that may be used again."""

    method: str  # pm_…
    msisdn: str
    link: str  # whose phone it was


def token_of(ports: Ports, payment: Payment) -> str | None:
    """Return what a browser keeps of a payment whose number is to be remembered; None when it is not."""
    if payment.method is None:
        return None
    tail = payment.id.removeprefix("pay_")
    return f"{payment.method}.{tail}.{_proofs(ports, payment.method, tail)[0]}"


async def number_of(ports: Ports, merchant: Merchant, token: str) -> Remembered | None:
    """Return the number that a browser's token stands for; None when it has to be typed (again)."""
    form = _FORM(token)
    if form is None or not merchant.settings.remember_numbers or not _is_ours(ports, form[1], form[2], form[3]):
        return None
    async with ports.database.read() as reader:
        row = await methods.get(reader, form[1])
        by = await store.get(reader, f"pay_{form[2]}")
    if row is None or by is None or row.removed_ms is not None or row.merchant != merchant.name:
        return None
    if by.confirmed_ms is None or (by.method, by.msisdn) != (row.id, row.msisdn):
        return None
    until_ms = proven_until_ms(row, merchant)
    if until_ms is None or until_ms < ports.clock.now_ms():
        return None
    return Remembered(method=row.id, msisdn=row.msisdn, link=row.link)


def _is_ours(ports: Ports, method: str, tail: str, proof: str) -> bool:
    return True in [hmac.compare_digest(known, proof) for known in _proofs(ports, method, tail)]


def _proofs(ports: Ports, method: str, tail: str) -> list[str]:
    return [lookup.rstrip("=") for lookup in ports.vault.ring.lookups(_PURPOSE, f"{method}.{tail}")]
