"""Access codes on their way to subscribers: issued in the transaction of the message that bought them, and told again.

Both work on batches: many messages in one transaction.
"""

from collections.abc import Sequence

from msgspec import Struct, structs

from smsgw.domain import catalog, codes
from smsgw.domain.catalog import Service
from smsgw.domain.codes import Outcome
from smsgw.flows import events
from smsgw.flows.outgoing import Answerable, Outgoing, answer
from smsgw.flows.ports import Ports
from smsgw.store import codes as store, events as outbox
from smsgw.store.codes import Again, CodeRow, Latest, Telling
from smsgw.store.database import Transaction

DAY_MS = 86_400_000

# How often a code that is taken is drawn again before it is made one character longer: what was bought is delivered,
# however small the space that the merchant chose.
_DRAWS_PER_LENGTH = 8


class Purchase(Struct, frozen=True, kw_only=True):
    """A message that buys a code."""

    service: Service
    to: Answerable
    test: bool = False  # from a simulated operator
    code: str = ""  # the id that the code gets; empty: that of the message, so that one message cannot buy two


class Issued(Struct, frozen=True, kw_only=True):
    """A code that was made, and the answer that tells it."""

    purchase: Purchase
    code: CodeRow
    others: list[str]  # its look-ups under keys that are on their way out
    answer: list[Outgoing]


def prepare(ports: Ports, purchase: Purchase, now_ms: int, *, longer: int = 0) -> Issued:
    """Make a code and its answer; `issue` makes sure that nobody else has this code.

    Args:
        ports: the world.
        purchase: who buys what.
        now_ms: when.
        longer: characters beyond what the policy asks for.
    """
    service, to = purchase.service, purchase.to
    policy = service.policy
    if longer:
        policy = structs.replace(policy, length=policy.length + longer)
    code = codes.generate(policy, ports.random_bytes)
    code_id = purchase.code or f"code_{to.mo.removeprefix('mo_')}"
    ring = ports.vault.ring
    lookup, *others = ring.lookups(service.name, code)
    row = CodeRow(
        id=code_id,
        service=service.name,
        mo=to.mo,
        link=to.link,
        msisdn=to.source,
        lookup=lookup,
        sealed=ring.seal(code.encode(), code_id),
        key_id=ring.key_id,
        policy=service.policy_json,
        issued_ms=now_ms,
        test=int(purchase.test),
    )
    answers = _reply(ports, purchase, code, now_ms, now_ms)
    return Issued(purchase=purchase, code=row, others=others, answer=answers)


async def issue(ports: Ports, transaction: Transaction, prepared: Sequence[Issued], now_ms: int) -> list[Issued]:
    """Store a code for each purchase, and return them; those whose code is taken are made again.

    The merchants who want to hear of it are told.
    """
    if not prepared:
        return []
    issued = list(prepared)
    unsure = dict(enumerate(issued))
    draws = 0
    while unsure:
        taken = await store.taken(transaction, {lookup for one in unsure.values() for lookup in _lookups(one)})
        sure = {one.code.lookup for index, one in enumerate(issued) if index not in unsure}
        again = []
        for index, one in unsure.items():
            if one.code.lookup in sure or not taken.isdisjoint(_lookups(one)):
                again.append(index)
            sure.add(one.code.lookup)
        draws += 1
        for index in again:
            issued[index] = prepare(ports, issued[index].purchase, now_ms, longer=draws // _DRAWS_PER_LENGTH)
        unsure = {index: issued[index] for index in again}
    await store.insert(transaction, [one.code for one in issued])
    sold = [(one.purchase.service, one.code) for one in issued if one.purchase.service.settings.webhook_url]
    await outbox.insert(transaction, [events.issued(ports, service, code) for service, code in sold])
    return issued


def _lookups(one: Issued) -> list[str]:
    return [one.code.lookup, *one.others]


class Ask(Struct, frozen=True, kw_only=True):
    """A message that asks for the latest code of its phone again."""

    service: Service
    to: Answerable


class Told(Struct, frozen=True, kw_only=True):
    """What came of it."""

    code: str | None  # its id
    answer: list[Outgoing]


async def tell_again(ports: Ports, transaction: Transaction, asks: Sequence[Ask], now_ms: int) -> list[Told]:
    """Answer with the latest code that still opens the door, a few times a day; otherwise with nothing."""
    if not asks:
        return []
    told: list[Told] = []
    tellings: list[Telling] = []
    counted: dict[str, Again] = {}
    today = now_ms // DAY_MS
    for ask in asks:
        bought = await store.latest(transaction, ask.to.source, ask.service.name)
        latest = next((one for one in bought if codes.judge(one.code, now_ms) is Outcome.SUCCESS), None)
        if latest is None:
            told.append(Told(code=None, answer=[]))
            continue
        before = counted.get(latest.id) or Again(id=latest.id, day=latest.again_day, count=latest.again_count)
        count = before.count if before.day == today else 0
        if count >= ask.service.settings.again_per_day:
            told.append(Told(code=latest.id, answer=[]))
            continue
        counted[latest.id] = Again(id=latest.id, day=today, count=count + 1)
        tellings.append(Telling(code=latest.id, mo=ask.to.mo))
        told.append(Told(code=latest.id, answer=_answer_again(ports, ask, latest, now_ms)))
    await store.told_again(transaction, [counted[code] for code in sorted(counted)], tellings)
    return told


def _answer_again(ports: Ports, ask: Ask, latest: Latest, now_ms: int) -> list[Outgoing]:
    """Tell the code under the conditions that it was bought under, whatever the service sells now."""
    code = ports.vault.open(latest.sealed, latest.id, latest.key_id).decode()
    bought = Purchase(service=structs.replace(ask.service, policy=latest.code.policy), to=ask.to)
    return _reply(ports, bought, code, latest.code.issued_ms, now_ms)


def _reply(ports: Ports, purchase: Purchase, code: str, issued_ms: int, now_ms: int) -> list[Outgoing]:
    service = purchase.service
    settings = service.settings
    reference = int.from_bytes(ports.random_bytes(2))
    segments = catalog.reply_segments(service, code, issued_ms, reference, purchase.to.outlet)
    return answer(
        ports,
        purchase.to,
        segments,
        now_ms,
        valid_ms=int(settings.reply_valid_s * 1000),
        max_replies=settings.max_replies,
        manner=service.manner,
    )
