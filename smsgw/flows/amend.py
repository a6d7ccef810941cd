"""What staff and merchants do to single codes: reveal, revoke, extend, make anew; each of it in the audit log."""

from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Struct, structs

from smsgw.domain import codes, manner
from smsgw.domain.costs import outlet_of
from smsgw.errors import SmsgwError, StoreConflict
from smsgw.flows import access, idempotency
from smsgw.flows.access import DAY_MS, Purchase
from smsgw.flows.audit import entry
from smsgw.flows.idempotency import Idempotency
from smsgw.flows.outgoing import Answerable, Outgoing
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.trace import REISSUED, REPLACES
from smsgw.smpp import tlvs
from smsgw.store import audit, codes as store, mos, mts
from smsgw.store.codes import Stored
from smsgw.store.database import Transaction

LONGEST_MS: Final = 100 * 366 * 86_400_000  # of all that a code's time may be extended to
MOST_USES: Final = 1_000_000_000
_TRIES: Final = 5  # when somebody else changes the same code at the same moment


class Refused(SmsgwError):  # noqa: N818 - named after the answer
    """The code cannot be changed like this; the message says why.

    Args:
        reason: one word for programs.
        message: one sentence.
        wait_ms: when it may be tried again; 0: that would change nothing.
    """

    def __init__(self, reason: str, message: str, wait_ms: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.wait_ms = wait_ms


class Extension(Struct, frozen=True, kw_only=True):
    """How much longer, and how much more often."""

    ms: int = 0
    uses: int = 0


async def reveal(ports: Ports, code: str, actor: str) -> str | None:
    """Return a code in clear; None when there is none with this id. It is in the audit log before it is told."""

    async def body(transaction: Transaction) -> Stored | None:
        stored = await store.by_id(transaction, code)
        if stored is not None:
            await audit.record(transaction, [entry(ports, actor, "code.revealed", code, {})])
        return stored

    stored = await ports.database.transact(body)
    return None if stored is None else ports.vault.open(stored.sealed, stored.id, stored.key_id).decode()


async def revoke(ports: Ports, code: str, actor: str) -> bool:
    """Make a code good for nothing; return whether it was not that already."""

    async def body(transaction: Transaction) -> bool:
        done = await store.revoke(transaction, code, ports.clock.now_ms())
        if done:
            await audit.record(transaction, [entry(ports, actor, "code.revoked", code, {})])
        return done

    return await ports.database.transact(body)


async def extend(ports: Ports, code: str, extension: Extension, actor: str, asked: Idempotency | None = None) -> None:
    """Let a code live longer, or be used more often: its own conditions change, nobody else's.

    Args:
        ports: the world.
        code: its id.
        extension: by how much.
        actor: for the audit log.
        asked: the same request again changes nothing.

    Raises:
        Refused: it is revoked, or has no such limit.
        IdempotencyMismatch: the Idempotency-Key came with another request.
    """

    async def body(transaction: Transaction) -> None:
        if await idempotency.claim(ports, transaction, asked, code) is not None:
            return
        stored = await _live(transaction, code)
        policy = extended(stored.code.policy, extension)
        if not await store.amend(transaction, code, stored.policy, msgspec.json.encode(policy).decode()):
            raise StoreConflict("somebody else has just changed this code")
        detail = {"seconds": extension.ms // 1000, "uses": extension.uses}
        await audit.record(transaction, [entry(ports, actor, "code.extended", code, detail)])

    for _ in range(_TRIES):
        with suppress(StoreConflict):
            return await ports.database.transact(body)
    raise Refused("changed_meanwhile", "others keep changing this code; try again")


def extended(policy: codes.Policy, extension: Extension) -> codes.Policy:
    """Return the conditions with more time and more uses.

    Raises:
        Refused: a limit that is not there cannot be moved, and no limit may be moved for ever.
    """
    if extension.ms and policy.valid_ms is None:
        raise Refused("no_such_limit", "this code is not limited by time; only its uses can be extended")
    if extension.uses and policy.uses is None:
        raise Refused("no_such_limit", "this code is not limited by number of uses; only its time can be extended")
    longer = structs.replace(
        policy,
        valid_ms=None if policy.valid_ms is None else policy.valid_ms + extension.ms,
        uses=None if policy.uses is None else policy.uses + extension.uses,
    )
    if (longer.valid_ms or 0) > LONGEST_MS or (longer.uses or 0) > MOST_USES:
        raise Refused("too_much", "a code may live 100 years and be used 1,000,000,000 times in all, no more")
    return longer


async def reissue(
    ports: Ports, catalog: Catalog, code: str, actor: str, asked: Idempotency | None = None
) -> tuple[str, list[Outgoing]]:
    """Revoke a code, and make a new one under the same conditions that is sent to the same phone.

    Args:
        ports: the world.
        catalog: services and links.
        code: its id.
        actor: for the audit log.
        asked: the same request again makes nothing, and sends nothing.

    Returns:
        The new code's id, and its messages, which have been committed and may be sent.

    Raises:
        Refused: it is revoked already, or its service, its operator or the phone is not there to be answered, or what
            was bought has been made anew too often today.
        IdempotencyMismatch: the Idempotency-Key came with another request.
    """

    async def body(transaction: Transaction) -> tuple[str, list[Outgoing]]:
        now_ms = ports.clock.now_ms()
        new = ports.ids.new("code")
        before = await idempotency.claim(ports, transaction, asked, new)
        if before is not None:
            return before, []
        stored = await _live(transaction, code)
        purchase = await _purchase(catalog, transaction, stored, new)
        await _count(transaction, stored.mo, purchase.service.settings.reissues_per_day, now_ms)
        [issued] = await access.issue(ports, transaction, [access.prepare(ports, purchase, now_ms)], now_ms)
        if not await store.revoke(transaction, code, now_ms):
            raise Refused("revoked", "this code has just been revoked by somebody else")
        # No message of the subscriber's causes these: they do not count among the answers to the first one.
        answer = [_on_our_own(one) for one in issued.answer]
        await mts.insert(transaction, [one.row for one in answer])
        messages = [one.row.id for one in answer]
        entries = [
            entry(ports, actor, REISSUED, code, {"code": new}),
            entry(ports, actor, REPLACES, new, {"code": code, "messages": messages}),
        ]
        await audit.record(transaction, entries)
        return new, answer

    try:
        return await ports.database.transact(body)
    except StoreConflict:  # another node has made the same code at the same moment, or answered the same request
        return await ports.database.transact(body)


async def _live(transaction: Transaction, code: str) -> Stored:
    stored = await store.by_id(transaction, code)
    if stored is None or stored.revoked_ms is not None:
        raise Refused("revoked", "this code is revoked")
    return stored


async def _count(transaction: Transaction, mo: str, most: int, now_ms: int) -> None:
    """Count one more new code for the message that bought the first.

    Its answers are limited by `max_replies`; without a limit of their own, new codes would get round that.
    """
    if not await store.reissue(transaction, mo, now_ms // DAY_MS, most):
        sentence = f"reissues_per_day allows {most} a day (UTC) for what one SMS bought, and today there were so many"
        raise Refused("too_many_reissues", sentence, DAY_MS - now_ms % DAY_MS)


async def _purchase(catalog: Catalog, transaction: Transaction, stored: Stored, new: str) -> Purchase:
    """Return what buys the new code: what bought the old one, under the conditions that it has now."""
    service = catalog.services.get(stored.service)
    if service is None:
        raise Refused("service_gone", f"the service {stored.service} is not in the settings any more")
    if stored.link not in catalog.links:
        raise Refused("link_gone", f"the link {stored.link} is not in the settings any more")
    sent = await mts.of_mo(transaction, stored.mo)
    if not sent:
        raise Refused("not_answerable", "the phone that bought this code was never answered, and cannot be now")
    first, link = sent[0], catalog.links[stored.link]
    received = tlvs.read_tlvs(await mos.tlvs(transaction, stored.mo), 0)
    return Purchase(
        service=structs.replace(service, policy=stored.code.policy, policy_json=stored.policy),
        to=Answerable(
            mo=stored.mo,
            link=stored.link,
            source=first.destination,
            source_ton=first.dest_ton,
            source_npi=first.dest_npi,
            destination=first.source,
            dest_ton=first.source_ton,
            dest_npi=first.source_npi,
            registered=bool(first.registered),
            outlet=outlet_of(link),
            manner=manner.of_message(link, received),
        ),
        test=stored.test,
        code=new,
    )


def _on_our_own(message: Outgoing) -> Outgoing:
    return structs.replace(message, row=structs.replace(message.row, mo=None, reply=None, max_replies=None))
