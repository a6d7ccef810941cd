"""Access codes in use: issued in the transaction of the message that bought them, verified when a visitor brings one.

Both work on batches: many purchases, or many visitors, in one transaction.
"""

import asyncio
from collections.abc import Sequence

from msgspec import Struct, structs

from smsgw.domain import catalog, codes
from smsgw.domain.catalog import Service
from smsgw.domain.codes import Outcome
from smsgw.flows.outgoing import Answerable, Outgoing, answer
from smsgw.flows.ports import Ports
from smsgw.kit.batch import Batch
from smsgw.kit.logs import get_logger
from smsgw.store import codes as store
from smsgw.store.codes import Attempt, CodeRow, Found, Use
from smsgw.store.database import Transaction

log = get_logger(__name__)

# How often a code that is taken is drawn again before it is made one character longer: what was bought is delivered,
# however small the space that the merchant chose.
_DRAWS_PER_LENGTH = 8


class Purchase(Struct, frozen=True, kw_only=True):
    """A message that buys a code."""

    service: Service
    to: Answerable


class Issued(Struct, frozen=True, kw_only=True):
    """A code that was made, and the answer that tells it."""

    purchase: Purchase
    code: CodeRow
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
    code_id = f"code_{to.mo.removeprefix('mo_')}"  # so that one message cannot buy two
    segments = catalog.reply_segments(service, code, now_ms, ports.random_bytes(1)[0])
    row = CodeRow(
        id=code_id,
        service=service.name,
        mo=to.mo,
        link=to.link,
        msisdn=to.source,
        lookup=ports.vault.lookup(service.name, code),
        sealed=ports.vault.seal(code.encode(), code_id),
        key_id=ports.vault.key_id,
        policy=service.policy_json,
        issued_ms=now_ms,
    )
    valid_ms = int(service.settings.reply_valid_s * 1000)
    return Issued(purchase=purchase, code=row, answer=answer(ports, to, segments, now_ms, valid_ms))


async def issue(ports: Ports, transaction: Transaction, prepared: Sequence[Issued], now_ms: int) -> list[Issued]:
    """Store a code for each purchase, and return them; those whose code is taken are made again."""
    if not prepared:
        return []
    issued = list(prepared)
    unsure = dict(enumerate(issued))
    draws = 0
    while unsure:
        taken = await store.taken(transaction, {one.code.lookup for one in unsure.values()})
        sure = {one.code.lookup for index, one in enumerate(issued) if index not in unsure}
        again = []
        for index, one in unsure.items():
            if one.code.lookup in taken or one.code.lookup in sure:
                again.append(index)
            sure.add(one.code.lookup)
        draws += 1
        for index in again:
            issued[index] = prepare(ports, issued[index].purchase, now_ms, longer=draws // _DRAWS_PER_LENGTH)
        unsure = {index: issued[index] for index in again}
    await store.insert(transaction, [one.code for one in issued])
    return issued


class Visit(Struct, frozen=True, kw_only=True):
    """Somebody brings what they take for a code."""

    service: str
    typed: str  # as it came; hostile
    visitor: str  # address of the visitor


class _Waiting(Struct, frozen=True, kw_only=True):
    """A visit, and when its visitor is told to come again; what is decided later would use up a code for nobody."""

    visit: Visit
    until_ms: int  # monotonic


class Verifier:
    """Verifies codes and counts their uses; visitors who come at once share a transaction."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._batch: Batch[_Waiting, Outcome | None] = Batch(self._handle, name="verify", limit=200, capacity=2_000)

    async def redeem(self, visit: Visit, patience_s: float) -> Outcome:
        """Decide one attempt, record it, and count the use if it succeeds; returns after the commit.

        Args:
            visit: who brings what.
            patience_s: longest wait.

        Raises:
            StoreUnavailable: nothing was decided.
            TimeoutError: nothing was decided, unless the commit was already on its way.
            asyncio.QueueFull: too many visitors wait already.
        """
        until_ms = self._ports.clock.monotonic_ms() + int(patience_s * 1000)
        async with asyncio.timeout(patience_s):
            outcome = await self._batch.add(_Waiting(visit=visit, until_ms=until_ms))
        if outcome is None:
            raise TimeoutError
        return outcome

    async def close(self) -> None:
        """Finish what waits."""
        await self._batch.close()

    async def _handle(self, waiting: Sequence[_Waiting]) -> list[Outcome | None]:
        ports = self._ports
        now_ms = ports.clock.now_ms()
        lookups = [ports.vault.lookup(one.visit.service, codes.canonical(one.visit.typed)) for one in waiting]
        ids = [ports.ids.new("att") for _ in waiting]

        async def body(transaction: Transaction) -> dict[str, Attempt]:
            found = await store.find(transaction, sorted(set(lookups)))
            attempts: dict[str, Attempt] = {}
            uses = []
            for attempt_id, one, lookup in zip(ids, waiting, lookups, strict=True):
                if ports.clock.monotonic_ms() >= one.until_ms:
                    continue
                known = found.get(lookup)
                outcome = codes.judge(known.code, now_ms) if known else Outcome.INVALID
                if known and outcome is Outcome.SUCCESS:
                    uses.append(Use(id=known.id, used=known.code.used, first_used_ms=now_ms))
                    found[lookup] = _used(known, now_ms)
                attempts[attempt_id] = _attempt(attempt_id, one.visit, known, outcome, now_ms)
            await store.use(transaction, uses)
            await store.record(transaction, list(attempts.values()))
            return attempts

        attempts = await ports.database.transact(body)
        for attempt in attempts.values():
            log.info(
                "code.attempt",
                attempt=attempt.id,
                code=attempt.code,
                service=attempt.service,
                outcome=attempt.outcome,
            )
        return [Outcome(attempts[attempt_id].outcome) if attempt_id in attempts else None for attempt_id in ids]


def _used(known: Found, now_ms: int) -> Found:
    return structs.replace(known, code=codes.use(known.code, now_ms))


def _attempt(attempt_id: str, visit: Visit, known: Found | None, outcome: Outcome, now_ms: int) -> Attempt:
    return Attempt(
        id=attempt_id,
        service=visit.service,
        code=known.id if known else None,
        at_ms=now_ms,
        visitor=visit.visitor,
        outcome=outcome.value,
    )
