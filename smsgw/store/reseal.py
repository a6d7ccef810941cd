"""Rows that were sealed under an older key of the vault, found and made anew; guarded by the key that was seen."""

from collections.abc import Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction


class SealedCode(Struct, frozen=True, kw_only=True):
    """A code, sealed."""

    id: str
    service: str
    sealed: bytes
    key_id: str


class CodeAgain(Struct, frozen=True, kw_only=True):
    """The same code under another key."""

    id: str
    lookup: str
    sealed: bytes
    key_id: str
    before: str  # the key that it was seen under


class Sealed(Struct, frozen=True, kw_only=True):
    """Something else, sealed."""

    id: str
    sealed: bytes
    key_id: str


class SealedAgain(Struct, frozen=True, kw_only=True):
    """The same under another key."""

    id: str
    sealed: bytes
    key_id: str
    before: str


class SealedRequest(Struct, frozen=True, kw_only=True):
    """What an Idempotency-Key came with, sealed."""

    caller: str
    key: str
    request: bytes | None
    key_id: str


class RequestAgain(Struct, frozen=True, kw_only=True):
    """The same under another key."""

    caller: str
    key: str
    request: bytes
    key_id: str
    before: str


async def codes_after(reader: Reader, after: str, count: int) -> list[SealedCode]:
    """Return codes whose ids sort after ``after``, in their order."""
    rows = await reader.fetch("reseal.codes_after", after=after, count=count)
    return [
        SealedCode(id=code, service=service, sealed=bytes(sealed), key_id=key_id)
        for code, service, sealed, key_id in rows
    ]


async def codes(transaction: Transaction, rows: Sequence[CodeAgain]) -> None:
    """Put codes under another key."""
    await transaction.executemany("reseal.code", rows)


async def requests_after(reader: Reader, caller: str, key: str, count: int) -> list[SealedRequest]:
    """Return what was asked with Idempotency-Keys, those that sort after this one, in their order."""
    rows = await reader.fetch("reseal.answers_after", caller=caller, key=key, count=count)
    return [
        SealedRequest(caller=of, key=name, request=None if request is None else bytes(request), key_id=key_id)
        for of, name, request, key_id in rows
    ]


async def requests(transaction: Transaction, rows: Sequence[RequestAgain]) -> None:
    """Put what was asked under another key."""
    await transaction.executemany("reseal.answer", rows)


async def messages_under_others(reader: Reader, key_id: str, count: int) -> list[Sealed]:
    """Return messages that wait to be sent and are under another key than this one."""
    return _sealed(await reader.fetch("reseal.messages_under_others", key_id=key_id, count=count))


async def messages(transaction: Transaction, rows: Sequence[SealedAgain]) -> None:
    """Put messages under another key."""
    if rows:
        await transaction.executemany("reseal.message", rows)


async def service_keys_under_others(reader: Reader, key_id: str) -> list[Sealed]:
    """Return services' keys, revoked ones too, that are under another key than this one."""
    return _sealed(await reader.fetch("reseal.service_keys_under_others", key_id=key_id))


async def service_keys(transaction: Transaction, rows: Sequence[SealedAgain]) -> None:
    """Put services' keys under another key."""
    if rows:
        await transaction.executemany("reseal.service_key", rows)


def _sealed(rows: Sequence[tuple[str, bytes, str]]) -> list[Sealed]:
    return [Sealed(id=name, sealed=bytes(sealed), key_id=key_id) for name, sealed, key_id in rows]
