"""Keys to the API: what each may do, and a hash instead of the key itself."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from smsgw.store.database import Reader, Transaction

Scope = Literal[
    "codes:verify",
    "codes:redeem",
    "codes:read",
    "codes:write",
    "payments:read",
    "payments:write",
    "payments:refund",
    "payments:numbers",  # whole phone numbers, and the evidence
    "webhooks:read",
    "webhooks:write",
]

_services = msgspec.json.Decoder(tuple[str, ...])
_scopes = msgspec.json.Decoder(tuple[Scope, ...])


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key."""

    id: str  # api_…
    services: tuple[str, ...]  # and merchants, whose names are no services'; in alphabetical order
    scopes: tuple[Scope, ...]
    hash: str  # SHA-256 of the whole key, in hexadecimal
    test: bool
    created_ms: int
    revoked_ms: int | None = None


async def lock(transaction: Transaction) -> None:
    """Be the only one who makes keys until the transaction ends."""
    await transaction.fetch("api_keys.lock", name="api keys")


async def insert(transaction: Transaction, key: ApiKey) -> None:
    """Store a new key."""
    await transaction.execute(
        "api_keys.insert",
        id=key.id,
        services=msgspec.json.encode(key.services).decode(),
        scopes=msgspec.json.encode(key.scopes).decode(),
        hash=key.hash,
        test=int(key.test),
        created_ms=key.created_ms,
    )


async def every(reader: Reader) -> list[ApiKey]:
    """Return all keys, the oldest first, revoked ones too."""
    return _keys(await reader.fetch("api_keys.all"))


def _keys(rows: Sequence[tuple[object, ...]]) -> list[ApiKey]:
    return [
        msgspec.convert(
            {
                "id": key,
                "services": _services.decode(str(services)),
                "scopes": _scopes.decode(str(scopes)),
                "hash": hashed,
                "test": bool(test),
                "created_ms": created_ms,
                "revoked_ms": revoked_ms,
            },
            ApiKey,
        )
        for key, services, scopes, hashed, test, created_ms, revoked_ms in rows
    ]


async def revoke(transaction: Transaction, key: str, now_ms: int) -> bool:
    """Take a key out of use; return whether it was in use."""
    return bool(await transaction.execute("api_keys.revoke", id=key, now_ms=now_ms))
