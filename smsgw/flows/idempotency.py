"""Requests that carry an Idempotency-Key: whoever repeats one has the first one's answer, and nothing is done twice.

A key belongs to a service and to live or test codes, not to the API key that it came with: a merchant who changes from
one API key to the next repeats a request under the new one.
"""

import hmac
from contextlib import suppress
from hashlib import sha256

import msgspec
from msgspec import Struct

from smsgw.errors import IdempotencyMismatch, SmsgwError, StoreConflict
from smsgw.flows.ports import Ports
from smsgw.kit.logs import get_logger
from smsgw.store import redemptions
from smsgw.store.database import Reader, Transaction
from smsgw.store.redemptions import Answered

log = get_logger(__name__)


class Idempotency(Struct, frozen=True, kw_only=True):
    """What makes a request safe to repeat."""

    caller: str  # the service, and live or test
    key: str  # the caller's own
    request: bytes  # SHA-256; the request may hold a code, which a plain hash would not hide: only stored sealed


def asked(service: str, *, test: bool, key: str, request: str) -> Idempotency:
    """Return what makes a request safe to repeat.

    Args:
        service: whose request it is.
        test: about test codes.
        key: the Idempotency-Key.
        request: everything that tells it from other requests.
    """
    caller = f"{service}/{'test' if test else 'live'}"
    return Idempotency(caller=caller, key=key, request=sha256(request.encode()).digest())


def answered(ports: Ports, one: Idempotency, answer: bytes, now_ms: int) -> Answered:
    """Return the row of a request that is answered with this JSON."""
    ring = ports.vault.ring
    return Answered(
        caller=one.caller,
        key=one.key,
        request=ring.seal(one.request, row_of(one.caller, one.key)),
        key_id=ring.key_id,
        answer=answer.decode(),
        at_ms=now_ms,
    )


def is_same(ports: Ports, one: Idempotency, known: Answered) -> bool:
    """Whether a request is the one that had this answer.

    What cannot be opened is taken for the same: its caller used its key once, and nothing must be done twice.
    """
    if known.request is None:
        return True
    try:
        before = ports.vault.open(known.request, row_of(known.caller, known.key), known.key_id)
    except SmsgwError as error:
        log.error("idempotency.not_readable", caller=known.caller, error=str(error))
        return True
    return hmac.compare_digest(before, one.request)


def row_of(caller: str, key: str) -> str:
    """Return the name of a row, for its seal."""
    return f"{caller}\x1f{key}"


async def claim(ports: Ports, transaction: Transaction, one: Idempotency | None, answer: str) -> str | None:
    """Return the answer that a request has had; None when it is new.

    Args:
        ports: the world.
        transaction: that does what is asked for; when it commits, the answer stands.
        one: None: the request is not to be repeated.
        answer: what a new one is answered with.

    Raises:
        IdempotencyMismatch: the key came with another request.
        StoreConflict: another node has just answered the same; once more will tell.
    """
    before = await answer_of(ports, transaction, one)
    if before is None:
        await keep(ports, transaction, one, msgspec.json.encode(answer))
        return None
    return msgspec.json.decode(before, type=str)


async def answer_of(ports: Ports, reader: Reader, one: Idempotency | None) -> bytes | None:
    """Return the answer (JSON) that a request has had; None when it is new, or not to be repeated.

    Raises:
        IdempotencyMismatch: the key came with another request.
    """
    if one is None:
        return None
    before = (await redemptions.answered(reader, [one.caller], [one.key])).get((one.caller, one.key))
    if before is None:
        return None
    if not is_same(ports, one, before):
        raise IdempotencyMismatch("this Idempotency-Key was used with another request")
    return before.answer.encode()


async def keep(ports: Ports, transaction: Transaction, one: Idempotency | None, answer: bytes) -> None:
    """Keep the answer (JSON) to a new request.

    Raises:
        StoreConflict: another node has just answered the same.
    """
    if one is not None:
        await redemptions.remember(transaction, [answered(ports, one, answer, ports.clock.now_ms())], [])


async def known(ports: Ports, one: Idempotency) -> bytes | None:
    """Return the answer (JSON) that a request has had; None when it is new.

    Raises:
        IdempotencyMismatch: the key came with another request.
    """
    async with ports.database.read() as reader:
        return await answer_of(ports, reader, one)


async def remember(ports: Ports, one: Idempotency, answer: bytes) -> None:
    """Keep the answer (JSON) to a request that was done; another node may have kept its own meanwhile."""
    with suppress(StoreConflict):
        await ports.database.transact(lambda transaction: keep(ports, transaction, one, answer))
