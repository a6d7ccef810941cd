"""Takes everything that operators hand us: one transaction for all that waits, then the acknowledgements.

In: arrivals (deliver_sm, data_sm) of all links, and the beginnings and ends of their sessions, in the order in which
they happened. Out: rows, and after the commit the answers on their way to the senders. Whoever submits an arrival
acknowledges it when its future is done, and tells the operator to try again when that fails.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct, structs

from smsgw.domain import repeats
from smsgw.errors import RepeatUndecided
from smsgw.flows import access, drafts, receipts
from smsgw.flows.drafts import Arrival, Draft, Verdict
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.parts import Parts
from smsgw.flows.payments.answering import Heard, Reply
from smsgw.flows.payments.desk import Payments
from smsgw.flows.payments.effects import Effects
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.batch import Batch
from smsgw.kit.logs import get_logger
from smsgw.smpp.receipt import is_receipt
from smsgw.store import mos, mts, nodes, operations, payments, sessions
from smsgw.store.database import Transaction
from smsgw.store.mos import Absorbed
from smsgw.store.operations import AlertRow
from smsgw.store.receipts import ReceiptRow
from smsgw.store.sessions import Proof, SessionRow

log = get_logger(__name__)

_BATCH: Final = 500
_CAPACITY: Final = 5_000
_MOST_DOUBTS: Final = 20_000  # ids of unsure outcome that are remembered until the store works again
_DAY_MS: Final = 86_400_000
_SLICE: Final = 200  # parts that are given up in one transaction: arrivals do not wait long behind it
_MOST_SLICES: Final = 50  # of one link in one go; what is left is for the next


class SessionStarted(Struct, frozen=True, kw_only=True):
    """A bind that can receive; comes before its first arrival."""

    row: SessionRow


class SessionProven(Struct, frozen=True, kw_only=True):
    """More acknowledgements of a session have provably arrived, and no arrival has come that could say so."""

    session: str
    proven: str


class SessionEnded(Struct, frozen=True, kw_only=True):
    """A session is over; comes after its last arrival."""

    session: str
    link: str
    proven: str


class Alerted(Struct, frozen=True, kw_only=True):
    """An SMSC says that a subscriber can be reached again."""

    row: AlertRow


Item = Arrival | SessionStarted | SessionProven | SessionEnded | Alerted


class _Told(Struct, frozen=True, kw_only=True):
    """A receipt that has been read."""

    arrival: Arrival
    row: ReceiptRow


_Event = SessionStarted | SessionProven | SessionEnded | Alerted
_Read = Draft | _Told
_Entry = _Read | _Event


class _Run(Struct, frozen=True, kw_only=True):
    """What arrived between two session events: an end must be stored before what follows it is looked at."""

    proofs: list[Proof]
    receipts: list[ReceiptRow]
    drafts: list[Draft]


_Step = _Run | _Event


class _Effects(Struct, frozen=True, kw_only=True):
    """What a transaction leaves to be done after its commit."""

    outgoing: list[Outgoing]
    stories: list[tuple[Arrival, Verdict]]
    undecided: set[str]  # arrivals that were not stored
    hooked: set[str]  # services whose merchants are told something
    payments: list[Effects]  # what answers and receipts have come to


class Receiver:
    """Stores what arrives, and what it causes, before anybody acknowledges it.

    Args:
        ports: the world.
        catalog: what is sold where.
        send: takes the answers after their commit; must not fail or wait.
        tell: hears which services' merchants have something to be told, after its commit; must not fail or wait.
        payments_desk: takes answers to questions, and hears receipts of billed messages.
    """

    def __init__(
        self,
        ports: Ports,
        catalog: Catalog,
        send: Callable[[Sequence[Outgoing]], None],
        tell: Callable[[Collection[str]], None] = lambda _: None,
        payments_desk: Payments | None = None,
    ) -> None:
        self._ports = ports
        self._catalog = catalog
        self._send = send
        self._tell = tell
        self._payments = payments_desk or Payments(ports, catalog, send, tell)
        self._billing = frozenset(name for name, link in catalog.links.items() if link.charging)
        self._parts = Parts(ports, catalog)
        self._batch: Batch[_Entry, None] = Batch(self._handle, name="receive", limit=_BATCH, capacity=_CAPACITY)
        # Batches follow each other, and the sweep, which stores doubts as well, stands in the same line: each must see
        # the rows and the doubts of those before.
        self._turn = asyncio.Lock()
        self._doubts: dict[str, str] = {}  # {id: link} of messages that may come again for a reason we know of
        self._beat_ms: int | None = None  # monotonic; when this node last said that it lives
        self._signs: dict[str, tuple[int, int]] = {}  # {other node: (its latest sign of life, monotonic since when)}

    @property
    def full(self) -> bool:
        """Whether links must stop reading."""
        return self._batch.full

    def submit(self, item: Item) -> asyncio.Future[None]:
        """Take an item; the future is done after the commit.

        The future fails with RepeatUndecided when nobody can know yet whether the arrival is a redelivery, and with
        StoreError when it is not known to be stored.

        What can be computed about an arrival is computed here: the store's thread commits those before meanwhile.

        Raises:
            asyncio.QueueFull: `full`; the operator is told to try again.
        """
        if not isinstance(item, Arrival):
            return self._batch.submit(item)
        if self.full:
            raise asyncio.QueueFull
        try:
            read = self._read(item)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever waits for this arrival
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed
        return self._batch.submit(read)

    def _read(self, arrival: Arrival) -> _Read:
        if is_receipt(arrival.pdu):
            return _Told(arrival=arrival, row=receipts.read(self._ports, arrival, self._catalog.links[arrival.link]))
        return drafts.draft(self._ports, self._catalog, arrival)

    async def recover(self) -> None:
        """At the start: what this node had not proven when it died may come again."""
        ports = self._ports
        now_ms = ports.clock.now_ms()
        async with ports.database.write() as transaction:
            await sessions.seen(transaction, ports.node, now_ms)
            for session, link in await sessions.left_open(transaction, ports.node):
                doubted = await self._end_session(transaction, session, link, now_ms)
                log.warning("session.recovered", session=session, link=link, doubted=doubted)

    async def sweep(self, lease_ms: int) -> int:
        """Say that this node lives; store the doubts that no batch has taken along yet, and forget those too old.

        Args:
            lease_ms: other nodes that were silent for longer are dead; what they left is taken over. Silence is a sign
                of life that does not change while we look: the nodes' clocks may disagree, and jump. A node that was
                silent itself a moment ago listens anew: while the store was away, nobody could be heard.

        Returns:
            How many messages were taken over; they wait in the store to be sent.
        """
        ports = self._ports
        now_ms, monotonic_ms = ports.clock.now_ms(), ports.clock.monotonic_ms()
        if self._beat_ms is None or monotonic_ms - self._beat_ms > lease_ms // 2:
            self._signs.clear()
        taken = 0
        async with self._turn:
            doubts = dict(self._doubts)
            async with ports.database.write() as transaction:
                await nodes.beat(transaction, ports.node, now_ms)
                await self._store_doubts(transaction, doubts, now_ms)
                await mos.forget_doubts(transaction, now_ms)
                self._listen(await nodes.others(transaction, ports.node), monotonic_ms)
                for node, (sign, since_ms) in self._signs.items():
                    if monotonic_ms - since_ms >= lease_ms and await nodes.bury(transaction, node, sign):
                        taken += await self._take_over(transaction, node, now_ms)
            self._beat_ms = monotonic_ms
            self._settle_doubts(doubts)
        return taken

    def _listen(self, signs: dict[str, int], monotonic_ms: int) -> None:
        """Note since when each other node has given no other sign of life."""
        known = self._signs
        self._signs = {
            node: known[node] if node in known and known[node][0] == sign else (sign, monotonic_ms)
            for node, sign in signs.items()
        }

    async def _take_over(self, transaction: Transaction, node: str, now_ms: int) -> int:
        """Claim what a dead node left queued, and doubt what it had not proven."""
        doubted = 0
        for session, link in await sessions.left_open(transaction, node):
            doubted += await self._end_session(transaction, session, link, now_ms)
        # What it left on other links waits for a node that has them (see leftovers).
        claimed = await nodes.claim_messages(transaction, self._ports.node, node, self._catalog.links)
        log.warning("node.taken_over", dead=node, doubted=doubted, queued=claimed)
        return claimed

    async def close(self) -> None:
        """Finish what waits."""
        await self._batch.close()

    async def _handle(self, entries: Sequence[_Entry]) -> list[Exception | None]:
        now_ms = self._ports.clock.now_ms()
        steps = list(_steps(entries))
        fingerprints = _contested(entries) if self._ports.database.shared else set()
        phones = _answering(entries) if self._ports.database.shared else set()
        async with self._turn:
            doubts = dict(self._doubts)

            async def body(transaction: Transaction) -> _Effects:
                effects = _Effects(outgoing=[], stories=[], undecided=set(), hooked=set(), payments=[])
                # Before anything else is held: whoever waits here is in nobody's way. A message that comes to two nodes
                # in the same moment is decided by the second when the first has committed.
                await mos.lock_fingerprints(transaction, fingerprints)
                await payments.lock_phones(transaction, phones)  # before any payment, as whoever asks a phone
                # The node's row is also its lock: a commit of ours that was given up, but is still on its way in the
                # server, lands before this transaction looks for what it left; nobody buries us meanwhile.
                await nodes.beat(transaction, self._ports.node, now_ms)
                await self._store_doubts(transaction, doubts, now_ms)
                for step in steps:
                    await self._take(transaction, step, now_ms, effects)
                return effects

            try:
                effects = await self._ports.database.transact(body)
            except Exception:
                # The commit may have taken place all the same: it must absorb the redelivery that we ask for.
                self._doubt(entry.arrival for entry in entries if isinstance(entry, _Read))
                raise
            self._settle_doubts(doubts)
            self._doubt(self._unsure(effects))
        self._send(effects.outgoing)
        for one in effects.payments:
            self._payments.done(one)
        if effects.hooked:
            self._tell(effects.hooked)
        # After what waits for the commit, above all the next transaction.
        asyncio.get_running_loop().call_soon(_tell, effects.stories)
        return _results(entries, effects.undecided)

    # Doubts: messages that may be delivered again

    def _unsure(self, effects: _Effects) -> Iterator[Arrival]:
        """Yield what is answered so late that the SMSC may have given up waiting.

        Of several deliveries of one message only the last: the earlier ones have come again already.
        """
        now_ms = self._ports.clock.monotonic_ms()
        last: dict[str, Arrival] = {}
        for arrival, verdict in effects.stories:
            original = verdict.whole if verdict.status == "repeated" else None
            last[original or arrival.id] = arrival
        for arrival in last.values():
            if now_ms - arrival.arrived_ms >= self._smsc_timer_ms(arrival.link):
                yield arrival

    def _settle_doubts(self, stored: Iterable[str]) -> None:
        for mo in stored:
            self._doubts.pop(mo, None)

    def _smsc_timer_ms(self, link: str) -> int:
        return int(self._catalog.links[link].smsc_response_timer_s * 1000)

    def _doubt(self, arrivals: Iterable[Arrival]) -> None:
        for arrival in arrivals:
            if len(self._doubts) < _MOST_DOUBTS:
                self._doubts[arrival.id] = arrival.link

    async def _store_doubts(self, transaction: Transaction, doubts: dict[str, str], now_ms: int) -> None:
        for link in sorted(set(doubts.values())):
            ids = [mo for mo, of in doubts.items() if of == link]
            await mos.doubt_messages(transaction, ids, self._until_ms(link, now_ms))

    async def _end_session(self, transaction: Transaction, session: str, link: str, now_ms: int) -> int:
        doubted = await mos.doubt_session(transaction, session, self._until_ms(link, now_ms))
        await sessions.end(transaction, session, now_ms)
        return doubted

    def _until_ms(self, link: str, now_ms: int) -> int:
        settings = self._catalog.links.get(link)  # a link may have left the settings since
        return now_ms + (int(settings.redelivery_window_s * 1000) if settings else _DAY_MS)

    # Messages

    async def _take(self, transaction: Transaction, step: _Step, now_ms: int, effects: _Effects) -> None:
        if isinstance(step, SessionStarted):
            await sessions.start(transaction, step.row)
        elif isinstance(step, Alerted):
            await operations.record_alerts(transaction, [step.row])
        elif isinstance(step, SessionProven):
            await sessions.prove(transaction, [Proof(session=step.session, proven=step.proven, newest="")])
        elif isinstance(step, SessionEnded):
            await sessions.prove(transaction, [Proof(session=step.session, proven=step.proven, newest="")])
            await self._end_session(transaction, step.session, step.link, now_ms)
        else:
            await sessions.prove(transaction, step.proofs)
            if step.receipts:
                effects.payments.extend(
                    await receipts.store(transaction, step.receipts, self._payments.listener, self._billing)
                )
            if step.drafts:
                await self._take_messages(transaction, step.drafts, now_ms, effects)

    async def _take_messages(
        self, transaction: Transaction, drafted: list[Draft], now_ms: int, effects: _Effects
    ) -> None:
        """Store messages and all that they cause."""
        found = await self._find_repeats(transaction, drafted, now_ms)
        if found.undecided:
            effects.undecided.update(found.undecided)
            drafted = [one for one in drafted if one.arrival.id not in found.undecided]
        verdicts = {mo: Verdict(status="repeated", whole=original) for mo, original in found.of.items()}
        fresh = [one for one in drafted if one.arrival.id not in verdicts] if verdicts else drafted
        looked = await self._parts.join(transaction, fresh, verdicts, now_ms)
        for one in looked.whole:
            verdicts[one.arrival.id] = _verdict(one)
        answers, told = await self._cause(transaction, looked.whole + looked.given_up, now_ms, effects)
        for mo, found_out in told.items():
            known = verdicts.get(mo) or Verdict(status="done")
            verdicts[mo] = structs.replace(
                known,
                outcome=found_out.outcome,
                service=found_out.merchant or known.service,
                payment=found_out.payment,
            )
        await mos.insert(transaction, [drafts.row(one, verdicts[one.arrival.id]) for one in drafted])
        await self._record_given_up(transaction, looked.given_up, told)
        await mts.insert(transaction, [one.row for one in answers])
        effects.outgoing.extend(answers)
        effects.stories.extend((one.arrival, verdicts[one.arrival.id]) for one in drafted)

    async def _cause(
        self, transaction: Transaction, decided: list[Draft], now_ms: int, effects: _Effects
    ) -> tuple[list[Outgoing], dict[str, Heard]]:
        """Issue what was bought, hear what was answered; return the answers, and by message what only shows here."""
        issued: list[access.Issued] = []
        asks: dict[str, access.Ask] = {}
        answers: list[Outgoing] = []
        outcomes: dict[str, Heard] = {}
        replies: list[Reply] = []
        for one in decided:
            decision = one.decision
            assert decision is not None
            if decision.issued is not None:
                issued.append(decision.issued)
            elif decision.ask is not None:
                asks[one.arrival.id] = decision.ask
            elif decision.reply is not None:
                # Of a message that lacks parts nobody knows what it says: it is no plain answer.
                reply = structs.replace(decision.reply, answer=None) if one.incomplete else decision.reply
                replies.append(reply)
            else:
                answers += decision.answers
        for one_issued in await access.issue(self._ports, transaction, issued, now_ms):
            answers += one_issued.answer
            if one_issued.purchase.service.settings.webhook_url:
                effects.hooked.add(one_issued.code.service)
        for mo, told in zip(
            asks, await access.tell_again(self._ports, transaction, list(asks.values()), now_ms), strict=True
        ):
            answers += told.answer
            if not told.answer:
                outcome = "no_code" if told.code is None else "told_enough"
                outcomes[mo] = Heard(outcome=outcome, merchant=None, answers=[])
        answers += await self._hear(transaction, replies, now_ms, effects=effects, outcomes=outcomes)
        return answers, outcomes

    async def _hear(
        self,
        transaction: Transaction,
        replies: Sequence[Reply],
        now_ms: int,
        *,
        effects: _Effects,
        outcomes: dict[str, Heard],
    ) -> list[Outgoing]:
        """Take answers to questions; return what is said to them for nothing."""
        heard, done = await self._payments.ear.take(transaction, replies, now_ms)
        if done is not None:
            effects.payments.append(done)
        outcomes |= {reply.mo: one for reply, one in zip(replies, heard, strict=True)}
        return [answer for one in heard for answer in one.answers]

    async def _record_given_up(
        self, transaction: Transaction, given_up: Sequence[Draft], outcomes: Mapping[str, Heard]
    ) -> None:
        rows = []
        for one in given_up:
            decision = one.decision
            assert decision is not None
            mo = one.arrival.id
            outcome = outcomes[mo].outcome if mo in outcomes else decision.outcome
            rows.append(mos.GivenUp(id=mo, body=decision.body, service=decision.service, outcome=outcome))
            log.warning("mo.incomplete", mo=mo, link=one.arrival.link, service=decision.service, outcome=outcome)
        await mos.give_up(transaction, rows)

    async def give_up_parts(self) -> int:
        """Answer what there is of long messages whose other parts have not come in time; return how many messages."""
        ports, given_up = self._ports, 0
        now_ms = ports.clock.now_ms()
        for link in sorted(self._catalog.links):
            before_ms = now_ms - int(self._catalog.links[link].part_expiry_s * 1000)
            for _ in range(_MOST_SLICES):
                async with ports.database.read() as reader:
                    keys = await mos.due_parts(reader, link, before_ms, _SLICE)
                if not keys:
                    break
                given_up += await self._give_up(keys, now_ms)
        return given_up

    async def _give_up(self, part_keys: Sequence[str], now_ms: int) -> int:
        async def body(transaction: Transaction) -> tuple[_Effects, int]:
            effects = _Effects(outgoing=[], stories=[], undecided=set(), hooked=set(), payments=[])
            await nodes.beat(transaction, self._ports.node, now_ms)
            found = await self._parts.give_up(transaction, part_keys, now_ms)
            answers, outcomes = await self._cause(transaction, found, now_ms, effects)
            await self._record_given_up(transaction, found, outcomes)
            await mts.insert(transaction, [one.row for one in answers])
            effects.outgoing.extend(answers)
            return effects, len(found)

        async with self._turn:
            effects, count = await self._ports.database.transact(body)
        self._send(effects.outgoing)
        for one in effects.payments:
            self._payments.done(one)
        if effects.hooked:
            self._tell(effects.hooked)
        return count

    async def _find_repeats(self, transaction: Transaction, drafted: list[Draft], now_ms: int) -> repeats.Repeats:
        candidates = [
            repeats.Candidate(
                id=one.arrival.id,
                fingerprint=one.incoming.fingerprint,
                operator_id=one.incoming.operator_id,
                arrived_ms=one.arrival.arrived_ms,
                smsc_timer_ms=self._smsc_timer_ms(one.arrival.link),
            )
            for one in drafted
        ]
        nameless = {one.fingerprint for one in candidates if one.operator_id is None}
        unsure = await mos.unsure(transaction, nameless, self._ports.node, now_ms)
        given = await mos.by_operator_ids(transaction, {one.operator_id for one in candidates if one.operator_id})
        found = repeats.find(candidates, doubted=unsure.doubted, by_operator_id=given, elsewhere=unsure.elsewhere)
        await mos.absorb(transaction, [Absorbed(mo=mo) for mo in found.absorbed])
        return found


def _verdict(one: Draft) -> Verdict:
    decision = one.decision
    assert decision is not None
    return Verdict(
        status="done",
        body=decision.body,
        service=decision.service,
        outcome=decision.outcome,
        incomplete=one.incomplete,
    )


def _steps(entries: Sequence[_Entry]) -> Iterator[_Step]:
    """Yield what the transaction has to do."""
    run: list[_Read] = []
    for entry in entries:
        if isinstance(entry, _Read):
            run.append(entry)
            continue
        if run:
            yield _run(run)
            run = []
        yield entry
    if run:
        yield _run(run)


def _contested(entries: Iterable[_Entry]) -> set[str]:
    """Return the fingerprints that are to be decided by; an operator's id is unique in the database."""
    drafted = [one.incoming for one in entries if isinstance(one, Draft)]
    return {one.fingerprint for one in drafted if one.operator_id is None}


def _answering(entries: Iterable[_Entry]) -> set[str]:
    """Return the phones that answer questions."""
    decided = [one.decision for one in entries if isinstance(one, Draft) and one.decision is not None]
    return {decision.reply.msisdn for decision in decided if decision.reply is not None}


def _results(entries: Sequence[_Entry], undecided: set[str]) -> list[Exception | None]:
    """Return what each entry's future is to say after the commit."""
    if not undecided:
        return [None] * len(entries)
    return [
        RepeatUndecided("an equal message is unproven on another node")
        if isinstance(one, Draft) and one.arrival.id in undecided
        else None
        for one in entries
    ]


def _run(read: list[_Read]) -> _Run:
    last = {one.arrival.session: one.arrival for one in read}
    return _Run(
        proofs=[Proof(session=name, proven=last[name].proven, newest=last[name].id) for name in sorted(last)],
        receipts=[one.row for one in read if isinstance(one, _Told)],
        drafts=[one for one in read if isinstance(one, Draft)],
    )


def _tell(stories: list[tuple[Arrival, Verdict]]) -> None:
    for arrival, verdict in stories:
        bound = log.bind(payment=verdict.payment) if verdict.payment is not None else log
        bound.info(
            "mo.accepted",
            mo=arrival.id,
            link=arrival.link,
            status=verdict.status,
            service=verdict.service,
            outcome=verdict.outcome,
            whole=verdict.whole,
        )
