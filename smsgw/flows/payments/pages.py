"""The address of a payment's own page: whoever has it may see how the payment stands, and nobody can guess it."""

import hmac
import re
from typing import Final

from smsgw.flows.ports import Ports

_PURPOSE: Final = "checkout page"
_FORM = re.compile(r"([0-9a-z]{26})-([0-9A-Za-z_-]{16,64})").fullmatch


def path_of(ports: Ports, payment: str) -> str:
    """Return the path of a payment's page; no merchant's name is as long as a token."""
    return f"/pay/{token_of(ports, payment)}"


def token_of(ports: Ports, payment: str) -> str:
    """Return what stands for a payment in the address of its page."""
    return f"{payment.removeprefix('pay_')}-{_proofs(ports, payment)[0]}"


def payment_of(ports: Ports, token: str) -> str | None:
    """Return the payment of a page; None when it is none of ours. Tokens of earlier keys count while we have those."""
    form = _FORM(token)
    if form is None:
        return None
    payment = f"pay_{form[1]}"
    known = [hmac.compare_digest(proof, form[2]) for proof in _proofs(ports, payment)]
    return payment if any(known) else None


def _proofs(ports: Ports, payment: str) -> list[str]:
    return [lookup.rstrip("=") for lookup in ports.vault.ring.lookups(_PURPOSE, payment)]
