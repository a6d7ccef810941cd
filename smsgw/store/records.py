"""Attempts as the operator's records may name them: by phones and time, by our ids, by the ids of billed messages."""

from collections.abc import Collection

from msgspec import Struct

from smsgw.store.database import Reader
from smsgw.store.rows import made


class AttemptRow(Struct, frozen=True, kw_only=True):
    """An attempt with its payment's money. Columns as in migrations/*/0008_payments.sql."""

    id: str
    payment: str
    operator_id: str | None
    msisdn: str
    short_code: str
    amount_minor: int
    currency: str
    message_reference: int
    began_ms: int
    status: str
    terms: str  # JSON of domain/goods.Terms


async def by_phones(
    reader: Reader, link: str, msisdns: Collection[str], since_ms: int, until_ms: int
) -> list[AttemptRow]:
    """Return the attempts at a link of phones whose payments were confirmed in a time."""
    if not msisdns:
        return []
    rows = await reader.fetch(
        "records.by_phones", link=link, msisdns=sorted(msisdns), since_ms=since_ms, until_ms=until_ms
    )
    return made(AttemptRow, rows)


async def by_ids(reader: Reader, link: str, ids: Collection[str]) -> list[AttemptRow]:
    """Return the attempts at a link that have one of these ids, or whose payment has."""
    return made(AttemptRow, await reader.fetch("records.by_ids", link=link, ids=sorted(ids))) if ids else []


async def by_messages(reader: Reader, link: str, message_ids: Collection[str]) -> list[AttemptRow]:
    """Return the attempts at a link whose billed messages have these ids."""
    if not message_ids:
        return []
    return made(AttemptRow, await reader.fetch("records.by_messages", link=link, message_ids=sorted(message_ids)))


async def taken(reader: Reader, payments: Collection[str]) -> list[tuple[str, str]]:
    """Return what earlier records have said: payment, and JSON as it was written down; in its order."""
    return list(await reader.fetch("records.taken", payments=sorted(payments))) if payments else []
