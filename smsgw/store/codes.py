"""Access codes."""

from collections.abc import Collection, Sequence
from functools import lru_cache

import msgspec
from msgspec import Struct

from smsgw.domain import codes
from smsgw.store.database import Reader, Row, Transaction

_decoder = msgspec.json.Decoder(codes.Policy)


@lru_cache(maxsize=1024)  # a service's codes were made under a few policies
def _policy(text: str) -> codes.Policy:
    return _decoder.decode(text)


class CodeRow(Struct, frozen=True, kw_only=True):
    """A new code. Columns as in migrations/*/0001_house.sql."""

    id: str
    service: str
    mo: str
    link: str
    msisdn: str
    lookup: str
    sealed: bytes
    key_id: str
    policy: str
    issued_ms: int
    test: int = 0  # 1: bought from a simulated operator


class Latest(Struct, frozen=True, kw_only=True):
    """A phone's code, with what it takes to tell it again."""

    id: str
    service: str
    msisdn: str
    sealed: bytes
    key_id: str
    again_day: int  # since 1970
    again_count: int  # in that day
    code: codes.Code


class Again(Struct, frozen=True, kw_only=True):
    """How often a code was told again in a day."""

    id: str
    day: int
    count: int


class Telling(Struct, frozen=True, kw_only=True):
    """A message that asked for a code again, and is answered with it."""

    code: str
    mo: str


class Found(Struct, frozen=True, kw_only=True):
    """A code that a look-up led to."""

    id: str
    service: str
    test: bool
    code: codes.Code


class Stored(Struct, frozen=True, kw_only=True):
    """A code with all that is known of it."""

    id: str
    service: str
    mo: str
    link: str
    msisdn: str
    sealed: bytes
    key_id: str
    policy: str  # JSON, as it stands there
    revoked_ms: int | None
    test: bool
    code: codes.Code


class Use(Struct, frozen=True, kw_only=True):
    """Uses of one code; ``used`` is the count that the first decision has seen."""

    id: str
    used: int
    uses: int = 1
    first_used_ms: int


async def insert(transaction: Transaction, rows: Sequence[CodeRow]) -> None:
    """Store new codes."""
    if rows:
        await transaction.executemany("codes.insert", rows)


async def taken(reader: Reader, lookups: Collection[str]) -> set[str]:
    """Return those of the look-ups that are in use."""
    return {lookup for (lookup,) in await reader.fetch("codes.taken", lookups=list(lookups))}


async def latest(reader: Reader, msisdn: str, service: str) -> list[Latest]:
    """Return a phone's codes of a service that were not revoked, the latest first; a few of them."""
    rows = await reader.fetch("codes.latest", msisdn=msisdn, service=service)
    return [
        Latest(
            id=code_id,
            service=service,
            msisdn=msisdn,
            sealed=bytes(sealed),
            key_id=key_id,
            again_day=again_day,
            again_count=again_count,
            code=codes.Code(policy=_policy(policy), issued_ms=issued_ms, first_used_ms=first_used_ms, used=used),
        )
        for code_id, sealed, key_id, again_day, again_count, policy, issued_ms, first_used_ms, used in rows
    ]


async def told_again(transaction: Transaction, counts: Sequence[Again], tellings: Sequence[Telling]) -> None:
    """Count how often codes were told again, and remember who asked."""
    if counts:
        await transaction.executemany("codes.told_again", counts)
    if tellings:
        await transaction.executemany("codes.telling", tellings)


async def find(transaction: Transaction, lookups: Collection[str]) -> dict[str, Found]:
    """Return {look-up: code}; the rows are locked until the transaction ends."""
    rows = await transaction.fetch("codes.find", lookups=list(lookups))
    return {
        lookup: Found(
            id=code_id,
            service=service,
            test=bool(test),
            code=_code(policy, issued_ms, first_used_ms, used, revoked_ms),
        )
        for lookup, code_id, service, policy, issued_ms, first_used_ms, used, revoked_ms, test in rows
    }


async def by_id(reader: Reader, code: str) -> Stored | None:
    """Return one code."""
    row = await reader.fetch_one("codes.by_id", id=code)
    return None if row is None else _stored(row)


async def of_phone(
    reader: Reader, msisdn: str, service: str, before: str, count: int, *, test: bool | None
) -> list[Stored]:
    """Return a phone's codes of a service, the latest first, those whose ids sort before ``before``.

    Args:
        reader: reads.
        msisdn: the phone.
        service: the service.
        before: the last id of the page before.
        count: the longest page.
        test: those from simulated operators, the others, or, with None, all.
    """
    kinds = {"test": int(test or False), "or_test": int(test is not False)}
    rows = await reader.fetch("codes.of_phone", msisdn=msisdn, service=service, before=before, count=count, **kinds)
    return [_stored(row) for row in rows]


async def by_lookups(reader: Reader, lookups: Collection[str]) -> list[Stored]:
    """Return the codes that look-ups lead to."""
    return [_stored(row) for row in await reader.fetch("codes.by_lookups", lookups=list(lookups))]


def _code(policy: str, issued_ms: int, first_used_ms: int | None, used: int, revoked_ms: int | None) -> codes.Code:
    return codes.Code(
        policy=_policy(policy),
        issued_ms=issued_ms,
        first_used_ms=first_used_ms,
        used=used,
        revoked=revoked_ms is not None,
    )


def _stored(row: Row) -> Stored:
    code, service, mo, link, msisdn, sealed, key_id, policy, issued_ms, first_used_ms, used, revoked_ms, test = row
    return Stored(
        id=code,
        service=service,
        mo=mo,
        link=link,
        msisdn=msisdn,
        sealed=bytes(sealed),
        key_id=key_id,
        policy=policy,
        revoked_ms=revoked_ms,
        test=bool(test),
        code=_code(policy, issued_ms, first_used_ms, used, revoked_ms),
    )


async def revoke(transaction: Transaction, code: str, now_ms: int) -> bool:
    """Make a code good for nothing; return whether it was not that already."""
    return bool(await transaction.execute("codes.revoke", id=code, now_ms=now_ms))


async def amend(transaction: Transaction, code: str, before: str, policy: str) -> bool:
    """Change a code's own conditions; False when they are not (any more) what the decision has seen."""
    return bool(await transaction.execute("codes.amend", id=code, before=before, policy=policy))


async def use(transaction: Transaction, rows: Sequence[Use]) -> None:
    """Count uses."""
    if rows:
        await transaction.executemany("codes.use", rows)


async def reissue(transaction: Transaction, mo: str, day: int, most: int) -> bool:
    """Count that what a message bought is made anew; False when it was, ``most`` times (at least 1), in this day."""
    return bool(await transaction.execute("codes.reissue", mo=mo, day=day, most=most))


async def forget_reissues(transaction: Transaction, before_day: int) -> None:
    """Forget the counts of days that count no more."""
    await transaction.execute("codes.forget_reissues", before_day=before_day)
