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


async def insert(transaction: Transaction, rows: Sequence[ServiceKey]) -> None:
    """Store new keys."""
    if rows:
        await transaction.executemany("service_keys.insert", rows)


async def live(reader: Reader, purpose: str) -> list[ServiceKey]:
    """Return all services' keys for a purpose that were not revoked, the oldest first."""
    rows = await reader.fetch("service_keys.live", purpose=purpose)
    return [
        ServiceKey(
            id=key,
            service=service,
            purpose=purpose,
            sealed=bytes(sealed),
            key_id=key_id,
            created_ms=created_ms,
            from_ms=from_ms,
        )
        for key, service, sealed, key_id, created_ms, from_ms in rows
    ]


async def revoke(transaction: Transaction, key: str, now_ms: int) -> bool:
    """Take a key out of use; return whether it was in use."""
    return bool(await transaction.execute("service_keys.revoke", id=key, now_ms=now_ms))
