"""Keys that services share with their merchants, sealed."""

from collections.abc import Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction


class ServiceKey(Struct, frozen=True, kw_only=True):
    """A key. Columns as in migrations/*/0003_access.sql."""

    id: str  # key_…; told to the merchant as the token's kid
    service: str
    purpose: str  # return, webhook
    sealed: bytes
    key_id: str
    created_ms: int
    from_ms: int
    revoked_ms: int | None = None  # out of use from then on


async def insert(transaction: Transaction, rows: Sequence[ServiceKey]) -> None:
    """Store new keys."""
    if rows:
        await transaction.executemany("service_keys.insert", rows)


async def live(reader: Reader, purpose: str, now_ms: int) -> list[ServiceKey]:
    """Return all services' keys for a purpose that are not revoked by now, the oldest first."""
    rows = await reader.fetch("service_keys.live", purpose=purpose, now_ms=now_ms)
    return [
        ServiceKey(
            id=key,
            service=service,
            purpose=purpose,
            sealed=bytes(sealed),
            key_id=key_id,
            created_ms=created_ms,
            from_ms=from_ms,
            revoked_ms=revoked_ms,
        )
        for key, service, sealed, key_id, created_ms, from_ms, revoked_ms in rows
    ]


async def revoke(transaction: Transaction, key: str, at_ms: int) -> bool:
    """Take a key out of use from a moment on; return whether it would have been in use then."""
    return bool(await transaction.execute("service_keys.revoke", id=key, at_ms=at_ms))
