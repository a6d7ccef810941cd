"""The trace of a code: what bought it, what became of the answers, who tried it, what was changed; never the code."""

import re
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from smsgw.domain import codes
from smsgw.domain.messages import Status
from smsgw.domain.receipts import fold
from smsgw.flows.ports import Ports
from smsgw.store import attempts, audit, codes as store, mos, mts, receipts
from smsgw.store.attempts import Attempt
from smsgw.store.audit import Entry
from smsgw.store.codes import Stored
from smsgw.store.database import Reader
from smsgw.store.mos import Origin
from smsgw.store.mts import Fate

LAST: Final = "~"  # sorts behind every id
REISSUED: Final = "code.reissued"  # the code that was replaced
REPLACES: Final = "code.replaces"  # the code that took its place

_TELLINGS: Final = 100  # that a trace shows, of the messages that asked for the code again: the last

_ID = re.compile(r"[a-z]{2,5}_[0-9a-z]{1,40}").fullmatch


class Reply(Struct, frozen=True, kw_only=True):
    """One SMS that told the code."""

    fate: Fate
    whole: Status  # how the message stands whose part it is
    receipts: list[tuple[int, str]]  # when each came, and the state that it told


class Trace(Struct, frozen=True, kw_only=True):
    """All that is known of a code."""

    stored: Stored
    origin: Origin | None
    replies: list[Reply]
    attempts: list[Attempt]  # the latest first
    more: str | None  # the id that the next attempts come before
    changes: list[Entry]


def is_id(text: str) -> bool:
    """Whether a text could be one of our ids; nothing else is looked for."""
    return _ID(text) is not None


async def find(ports: Ports, code: str) -> Stored | None:
    """Return one code by its id."""
    if not is_id(code):
        return None
    async with ports.database.read() as reader:
        return await store.by_id(reader, code)


async def of_phone(
    ports: Ports, service: str, msisdn: str, before: str, count: int, *, test: bool | None = None
) -> list[Stored]:
    """Return a phone's codes of a service, the latest first: test codes, live ones, or, with None, both."""
    async with ports.database.read() as reader:
        return await store.of_phone(reader, msisdn, service, before, count, test=test)


async def of_typed(ports: Ports, services: Collection[str], typed: str) -> list[Stored]:
    """Return the codes of these services that somebody means by what they type."""
    code = codes.canonical(typed)
    lookups = [lookup for service in services for lookup in ports.vault.lookups(service, code)]
    async with ports.database.read() as reader:
        return await store.by_lookups(reader, lookups)


async def show(ports: Ports, code: str, before: str, count: int) -> Trace | None:
    """Return the trace of a code, with a page of its attempts."""
    if not is_id(code):
        return None
    async with ports.database.read() as reader:
        stored = await store.by_id(reader, code)
        if stored is None:
            return None
        tried = await attempts.of_code(reader, code, before, count + 1)
        changes = await audit.of_subject(reader, code)
        return Trace(
            stored=stored,
            origin=await mos.by_id(reader, stored.mo),
            replies=await _replies(reader, stored, changes),
            attempts=tried[:count],
            more=tried[count - 1].id if len(tried) > count else None,
            changes=changes,
        )


async def _replies(reader: Reader, stored: Stored, changes: Sequence[Entry]) -> list[Reply]:
    """Return the SMS that told a code: at first (its message's answers, or those of its making anew), and again."""
    again = [_detail(change)["messages"] for change in changes if change.action == REPLACES]
    if again:
        fates = await mts.by_ids(reader, [mt for messages in again for mt in messages])
    else:
        fates = await mts.of_mo(reader, stored.mo)
    fates += await mts.of_again(reader, stored.id, _TELLINGS)
    told = await receipts.of_mts(reader, [fate.id for fate in fates])
    return [
        Reply(fate=fate, whole=whole, receipts=told.get(fate.id, []))
        for fate, whole in zip(fates, _wholes(fates), strict=True)
    ]


def _wholes(fates: Sequence[Fate]) -> list[Status]:
    """Return for each SMS how its message stands; the parts of a message follow each other, from the first."""
    wholes: list[Status] = []
    for at, fate in enumerate(fates):
        first = at - fate.part + 1
        parts = fates[max(0, first) : first + fate.parts]
        wholes.append(fold(Status(one.status) for one in parts))
    return wholes


def _detail(change: Entry) -> dict[str, Any]:
    return msgspec.json.decode(change.detail, type=dict[str, Any])
