"""What makes requests safe to repeat, and return tokens that are handles: stored with the redemption they belong to."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction


class Answered(Struct, frozen=True, kw_only=True):
    """The answer to a request that carried an Idempotency-Key."""

    caller: str
    key: str
    request: bytes | None  # SHA-256 of the request, sealed; None: from a version that kept something else
    key_id: str
    answer: str  # JSON
    at_ms: int


class Handle(Struct, frozen=True, kw_only=True):
    """A return token that is exchanged once; ``hash`` is of what the visitor's browser carries."""

    hash: str
    service: str
    claims: str  # JSON
    expires_ms: int


async def answered(reader: Reader, callers: Collection[str], keys: Collection[str]) -> dict[tuple[str, str], Answered]:
    """Return the answers that were given, by caller and key."""
    if not keys:
        return {}
    rows = await reader.fetch("redemptions.answered", callers=list(callers), keys=list(keys))
    return {
        (caller, key): Answered(
            caller=caller,
            key=key,
            request=None if request is None else bytes(request),
            key_id=key_id,
            answer=answer,
            at_ms=at_ms,
        )
        for caller, key, request, key_id, answer, at_ms in rows
    }


async def remember(transaction: Transaction, answers: Sequence[Answered], handles: Sequence[Handle]) -> None:
    """Store answers and handles."""
    if answers:
        await transaction.executemany("redemptions.answer", answers)
    if handles:
        await transaction.executemany("redemptions.handle", handles)


async def handle_claims(reader: Reader, hashed: str, services: Collection[str]) -> str | None:
    """Return the claims (JSON) of a handle of one of these services, spent or not; None when there is none."""
    row = await reader.fetch_one("redemptions.by_hash", hash=hashed)
    if row is None or row[0] not in services:
        return None
    claims: str = row[1]
    return claims


async def spend(transaction: Transaction, hashed: str, now_ms: int) -> bool:
    """Exchange a handle; False when it is spent already, or too old."""
    return bool(await transaction.execute("redemptions.spend", hash=hashed, now_ms=now_ms))


async def forget(transaction: Transaction, answers_before_ms: int, handles_before_ms: int) -> None:
    """Forget answers and handles that nobody may ask for any more."""
    await transaction.execute("redemptions.forget_answers", before_ms=answers_before_ms)
    await transaction.execute("redemptions.forget_handles", before_ms=handles_before_ms)
