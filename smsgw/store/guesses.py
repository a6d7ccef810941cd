"""Wrong codes, counted for each visitor and each service; the rules are in domain/guessing.py."""

from collections.abc import Collection, Sequence

import msgspec
from msgspec import Struct

from smsgw.domain.guessing import Visitor
from smsgw.store.database import Reader, Transaction

Key = tuple[str, str]  # service, visitor


_times = msgspec.json.Decoder(tuple[int, ...])


class VisitorRow(Struct, frozen=True, kw_only=True):
    """What is remembered of a visitor who was wrong."""

    service: str
    visitor: str
    failures: str  # JSON
    last_ms: int
    pauses: int
    until_ms: int
    kept: int
    kept_ms: int


class FailuresRow(Struct, frozen=True, kw_only=True):
    """Failures of a service to be added to its hour."""

    service: str
    hour: int
    failures: int


async def visitors(transaction: Transaction, keys: Collection[Key]) -> dict[Key, Visitor]:
    """Return what is remembered of these visitors; nobody else decides about them until the transaction ends."""
    names = sorted({f"{service}\x1f{visitor}" for service, visitor in keys})
    await transaction.fetch("guesses.lock", names=names)
    rows = await transaction.fetch(
        "guesses.visitors",
        services=sorted({service for service, _ in keys}),
        visitors=sorted({visitor for _, visitor in keys}),
    )
    return {
        (service, visitor): Visitor(
            failures=_times.decode(failures), pauses=pauses, until_ms=until_ms, kept=kept, kept_ms=kept_ms
        )
        for service, visitor, failures, pauses, until_ms, kept, kept_ms in rows
    }


def row_of(key: Key, visitor: Visitor) -> VisitorRow:
    """Return what is remembered of a visitor, as it is stored."""
    service, name = key
    return VisitorRow(
        service=service,
        visitor=name,
        failures=msgspec.json.encode(visitor.failures).decode(),
        last_ms=max(visitor.failures, default=0),
        pauses=visitor.pauses,
        until_ms=visitor.until_ms,
        kept=visitor.kept,
        kept_ms=visitor.kept_ms,
    )


async def failures(reader: Reader, services: Collection[str], since_hour: int) -> dict[str, dict[int, int]]:
    """Return {service: {hour: failures}} from an hour on."""
    found: dict[str, dict[int, int]] = {service: {} for service in services}
    for service, hour, count in await reader.fetch("guesses.failures", services=list(services), since_hour=since_hour):
        found[service][hour] = count
    return found


async def remember(transaction: Transaction, rows: Sequence[VisitorRow], counts: Sequence[FailuresRow]) -> None:
    """Store visitors as they are now, and add failures to the hours of their services."""
    if rows:
        await transaction.executemany("guesses.remember", rows)
    if counts:
        await transaction.executemany("guesses.add", counts)


async def forget(transaction: Transaction, before_ms: int, before_hour: int) -> None:
    """Forget visitors whose window and pause are over, and hours that count no more."""
    await transaction.execute("guesses.forget_visitors", before_ms=before_ms)
    await transaction.execute("guesses.forget_services", before_hour=before_hour)
