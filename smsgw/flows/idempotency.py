"""Requests that carry an Idempotency-Key: whoever repeats one has the first one's answer, and nothing is done twice.

A key belongs to a service and to live or test codes, not to the API key that it came with: a merchant who changes from
one API key to the next repeats a request under the new one.
"""

from typing import Final

import msgspec
from msgspec import Struct

from smsgw.errors import IdempotencyMismatch
from smsgw.flows.ports import Ports
from smsgw.store import redemptions
from smsgw.store.database import Transaction
from smsgw.store.redemptions import Answered

_REQUEST: Final = "a request"  # no service has a blank in its name: these HMACs are nobody's look-ups


class Idempotency(Struct, frozen=True, kw_only=True):
    """What makes a request safe to repeat."""

    caller: str  # the service, and live or test
    key: str  # the caller's own
    fingerprints: list[str]  # of the request, under the vault's key in use and then under the older ones


def asked(ports: Ports, service: str, *, test: bool, key: str, request: str) -> Idempotency:
    """Return what makes a request safe to repeat.

    Args:
        ports: the world.
        service: whose request it is.
        test: about test codes.
        key: the Idempotency-Key.
        request: everything that tells it from other requests. It may hold a code, hence the vault's HMAC.
    """
    caller = f"{service}/{'test' if test else 'live'}"
    return Idempotency(caller=caller, key=key, fingerprints=ports.vault.lookups(_REQUEST, request))


async def claim(transaction: Transaction, one: Idempotency | None, answer: str, now_ms: int) -> str | None:
    """Return the answer that a request has had; None when it is new.

    Args:
        transaction: that does what is asked for; when it commits, the answer stands.
        one: None: the request is not to be repeated.
        answer: what a new one is answered with.
        now_ms: when.

    Raises:
        IdempotencyMismatch: the key came with another request.
        StoreConflict: another node has just answered the same; once more will tell.
    """
    if one is None:
        return None
    known = (await redemptions.answered(transaction, [one.caller], [one.key])).get((one.caller, one.key))
    if known is None:
        row = Answered(
            caller=one.caller,
            key=one.key,
            fingerprint=one.fingerprints[0],
            answer=msgspec.json.encode(answer).decode(),
            at_ms=now_ms,
        )
        await redemptions.remember(transaction, [row], [])
        return None
    if known.fingerprint not in one.fingerprints:
        raise IdempotencyMismatch("this Idempotency-Key was used with another request")
    return msgspec.json.decode(known.answer, type=str)
