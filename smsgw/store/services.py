"""Services as they were last sold: what must be known of one that has been taken out of the settings."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from smsgw.store.database import Reader, Transaction

_addresses = msgspec.json.Decoder(list[str])


class ServiceRow(Struct, frozen=True, kw_only=True):
    """A service. Columns as in migrations/*/0003_access.sql."""

    name: str
    allowed_ips: str  # JSON


async def remember(transaction: Transaction, allowed_ips: Mapping[str, Sequence[str]]) -> None:
    """Store which addresses may ask about each service now."""
    rows = [
        ServiceRow(name=name, allowed_ips=msgspec.json.encode(list(allowed_ips[name])).decode())
        for name in sorted(allowed_ips)
    ]
    if rows:
        await transaction.executemany("services.remember", rows)


async def every(reader: Reader) -> dict[str, list[str]]:
    """Return {service: addresses} of all services, those that are not sold any more too."""
    return {name: _addresses.decode(ips) for name, ips in await reader.fetch("services.all")}
