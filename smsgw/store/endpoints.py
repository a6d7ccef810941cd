"""Merchants' addresses that answered 410 Gone: nothing is posted there until somebody wants it again."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from smsgw.store.database import Reader, Transaction


class Gone(Struct, frozen=True, kw_only=True):
    """An address that wants no more. Columns as in migrations/*/0007_seals_and_endpoints.sql."""

    service: str
    url: str
    at_ms: int


class _Now(Struct, frozen=True, kw_only=True):
    service: str
    url: str


async def close(transaction: Transaction, rows: Sequence[Gone]) -> None:
    """Post nothing to these any more."""
    if rows:
        await transaction.executemany("endpoints.close", rows)


async def gone(reader: Reader) -> dict[str, Gone]:
    """Return the addresses that nothing is posted to, by service."""
    rows = await reader.fetch("endpoints.gone")
    return {service: Gone(service=service, url=url, at_ms=at_ms) for service, url, at_ms in rows}


async def reopen(transaction: Transaction, service: str) -> bool:
    """Post to a service's address again; return whether nothing was."""
    return bool(await transaction.execute("endpoints.open", service=service))


async def reopen_others(transaction: Transaction, urls: Mapping[str, str]) -> None:
    """Post to the services again that have other addresses now."""
    if urls:
        rows = [_Now(service=service, url=urls[service]) for service in sorted(urls)]
        await transaction.executemany("endpoints.open_other", rows)
