"""Numbers that have left the operator that their prefix names."""

from collections.abc import Collection

from smsgw.store.database import Reader


async def lookup(reader: Reader, msisdns: Collection[str]) -> dict[str, str]:
    """Return {number: the link that it has moved to} of those that have moved."""
    if not msisdns:
        return {}
    rows = await reader.fetch("ported.lookup", msisdns=sorted(msisdns))
    return {str(msisdn): str(link) for msisdn, link in rows}
