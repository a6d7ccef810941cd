"""Takes everything that operators hand us: one transaction for all that waits, then the acknowledgements.

In: arrivals (deliver_sm, data_sm) of all links, and the beginnings and ends of their sessions, in the order in which
they happened. Out: rows, and after the commit the answers on their way to the senders. Whoever submits an arrival
acknowledges it when its future is done, and tells the operator to try again when that fails.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from smsgw.domain import incoming, joining, repeats
from smsgw.domain.incoming import Incoming, Message
from smsgw.domain.numbers import is_phone
from smsgw.domain.routing import NoService
from smsgw.errors import SmsgwError
from smsgw.flows import access, receipts
from smsgw.flows.access import Purchase
from smsgw.flows.outgoing import Answerable, Outgoing, answer
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.batch import Batch
from smsgw.kit.logs import get_logger
from smsgw.settings import LinkSettings
from smsgw.smpp.receipt import is_receipt
from smsgw.store import mos, mts, sessions
from smsgw.store.database import Transaction
from smsgw.store.mos import Absorbed, Joined, MoRow
from smsgw.store.sessions import Proof, SessionRow
from smsgw.text.segments import UDHI, Part, split, strip_udh

log = get_logger(__name__)

_BATCH = 500
_CAPACITY = 5_000
_MOST_DOUBTS = 20_000  # ids of unsure outcome that are remembered until the store works again
_ANSWER_VALID_MS = 86_400_000


class Arrival(Struct, frozen=True, kw_only=True):
    """A message as a link received it."""

    id: str
    link: str
    session: str
    received_ms: int  # wall clock
    arrived_ms: int  # monotonic
    proven: str  # the last message of this session whose acknowledgement has provably arrived by now
    pdu: Message


class SessionStarted(Struct, frozen=True, kw_only=True):
    """A bind that can receive; comes before its first arrival."""

    row: SessionRow


class SessionEnded(Struct, frozen=True, kw_only=True):
    """A session is over; comes after its last arrival."""

    session: str
    link: str
    proven: str


Item = Arrival | SessionStarted | SessionEnded


class _Read(Struct, frozen=True):
    arrival: Arrival
    incoming: Incoming


class _Verdict(Struct, frozen=True, kw_only=True):
    """What became of a message: the columns that are decided, not received."""

    status: str
    whole: str | None = None
    body: str | None = None
    service: str | None = None
    outcome: str | None = None


class _Whole(Struct, frozen=True, kw_only=True):
    """A message that may buy something, alone or joined."""

    read: _Read
    text: str | None


class Receiver:
    """Stores what arrives, and what it causes, before anybody acknowledges it.

    Args:
        ports: the world.
        catalog: what is sold where.
        send: takes the answers after their commit; must not fail or wait.
    """

    def __init__(self, ports: Ports, catalog: Catalog, send: Callable[[Sequence[Outgoing]], None]) -> None:
        self._ports = ports
        self._catalog = catalog
        self._send = send
        self._batch: Batch[Item, None] = Batch(self._handle, name="receive", limit=_BATCH, capacity=_CAPACITY)
        self._doubts: dict[str, str] = {}  # {id: link} of messages that may come again for a reason we know of

    @property
    def full(self) -> bool:
        """Whether links must stop reading."""
        return self._batch.full

    def submit(self, item: Item) -> asyncio.Future[None]:
        """Take an item; the future is done after the commit.

        Raises:
            asyncio.QueueFull: `full`; the operator is told to try again.
        """
        return self._batch.submit(item)

    async def recover(self) -> None:
        """At the start: what this node had not proven when it died may come again."""
        ports = self._ports
        now_ms = ports.clock.now_ms()
        async with ports.database.write() as transaction:
            await sessions.seen(transaction, ports.node, now_ms)
            for session, link in await sessions.left_open(transaction, ports.node):
                doubted = await self._end_session(transaction, session, link, now_ms)
                log.warning("session.recovered", session=session, link=link, doubted=doubted)

    async def sweep(self) -> None:
        """Forget the doubts that are too old."""
        async with self._ports.database.write() as transaction:
            await mos.forget_doubts(transaction, self._ports.clock.now_ms())

    async def close(self) -> None:
        """Finish what waits."""
        await self._batch.close()

    async def _handle(self, items: Sequence[Item]) -> list[None]:
        now_ms = self._ports.clock.now_ms()
        outgoing: list[Outgoing] = []
        stories: list[dict[str, object]] = []
        doubts = dict(self._doubts)
        try:
            async with self._ports.database.write() as transaction:
                await self._store_doubts(transaction, doubts, now_ms)
                for run in _runs(items):
                    if isinstance(run, list):
                        await self._take(transaction, run, now_ms, outgoing, stories)
                    elif isinstance(run, SessionStarted):
                        await sessions.start(transaction, run.row)
                    else:
                        await sessions.prove(transaction, [Proof(session=run.session, proven=run.proven)])
                        await self._end_session(transaction, run.session, run.link, now_ms)
        except SmsgwError:
            # The commit may have taken place all the same: what it held must absorb the redelivery that we ask for.
            self._doubt(item for item in items if isinstance(item, Arrival))
            raise
        for done in doubts:
            self._doubts.pop(done, None)
        self._send(outgoing)
        self._doubt(self._late(items))
        for story in stories:
            log.info("mo.accepted", **story)
        return [None] * len(items)

    def _late(self, items: Sequence[Item]) -> Iterator[Arrival]:
        """Yield what is answered so late that the SMSC may have given up waiting."""
        now_ms = self._ports.clock.monotonic_ms()
        for item in items:
            if isinstance(item, Arrival):
                timer_ms = self._catalog.links[item.link].smsc_response_timer_s * 1000
                if now_ms - item.arrived_ms >= timer_ms:
                    yield item

    def _doubt(self, arrivals: Iterator[Arrival]) -> None:
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
        return now_ms + int((settings.redelivery_window_s if settings else 86_400) * 1000)

    async def _take(
        self,
        transaction: Transaction,
        arrivals: list[Arrival],
        now_ms: int,
        outgoing: list[Outgoing],
        stories: list[dict[str, object]],
    ) -> None:
        """Store a run of arrivals and all that they cause."""
        proofs = {arrival.session: arrival.proven for arrival in arrivals}
        await sessions.prove(transaction, [Proof(session=key, proven=value) for key, value in sorted(proofs.items())])
        await receipts.store(self._ports, transaction, [one for one in arrivals if is_receipt(one.pdu)])
        reads = [
            _Read(arrival, incoming.read(arrival.pdu, arrival.link, self._catalog.links[arrival.link]))
            for arrival in arrivals
            if not is_receipt(arrival.pdu)
        ]
        if not reads:
            return
        found = await self._find_repeats(transaction, reads, now_ms)
        verdicts = {mo: _Verdict(status="repeated", whole=original) for mo, original in found.of.items()}
        fresh = [read for read in reads if read.arrival.id not in verdicts]
        wholes = await self._join(transaction, fresh, verdicts, now_ms)
        answers = await self._decide(transaction, wholes, verdicts, now_ms)
        await mos.insert(transaction, [_row(read, verdicts[read.arrival.id]) for read in reads])
        await mts.insert(transaction, [one.row for one in answers])
        outgoing += answers
        stories += [_story(read.arrival, verdicts[read.arrival.id]) for read in reads]

    async def _find_repeats(self, transaction: Transaction, reads: Sequence[_Read], now_ms: int) -> repeats.Repeats:
        candidates = [
            repeats.Candidate(
                id=read.arrival.id,
                fingerprint=read.incoming.fingerprint,
                operator_id=read.incoming.operator_id,
                arrived_ms=read.arrival.arrived_ms,
                smsc_timer_ms=int(self._catalog.links[read.arrival.link].smsc_response_timer_s * 1000),
            )
            for read in reads
        ]
        doubted = await mos.doubted(transaction, {one.fingerprint for one in candidates}, now_ms)
        given = await mos.by_operator_ids(transaction, {one.operator_id for one in candidates if one.operator_id})
        found = repeats.find(candidates, doubted=doubted, by_operator_id=given)
        await mos.absorb(transaction, [Absorbed(mo=mo) for mo in found.absorbed])
        return found

    async def _join(
        self, transaction: Transaction, reads: Sequence[_Read], verdicts: dict[str, _Verdict], now_ms: int
    ) -> list[_Whole]:
        """Return the messages that are whole; verdicts are written for the parts that are not."""
        links = self._catalog.links
        parts = {read.arrival.id: read for read in reads if read.incoming.part is not None}
        joined: dict[str, bytes] = {}
        if parts:
            since_ms = now_ms - int(max(links[read.arrival.link].part_expiry_s for read in parts.values()) * 1000)
            stored = await mos.waiting_parts(transaction, {_piece(read).key for read in parts.values()}, since_ms)
            wholes, doubles = joining.join(
                [_stored_piece(one) for one in stored], [_piece(read) for read in parts.values()]
            )
            waiting = {one.id for one in stored}
            verdicts.update({mo: _Verdict(status="repeated" if mo in doubles else "part") for mo in parts})
            for whole in wholes:
                joined[whole.id] = whole.body
                verdicts.update({mo: _Verdict(status="joined", whole=whole.id) for mo in whole.others if mo in parts})
                await mos.join_parts(
                    transaction, [Joined(id=mo, whole=whole.id) for mo in whole.others if mo in waiting]
                )
        return [
            _Whole(read=read, text=_text(read, joined, links[read.arrival.link]))
            for read in reads
            if read.incoming.part is None or read.arrival.id in joined
        ]

    async def _decide(
        self, transaction: Transaction, wholes: Sequence[_Whole], verdicts: dict[str, _Verdict], now_ms: int
    ) -> list[Outgoing]:
        """Find out what each message buys; write the verdicts, return the answers."""
        outgoing: list[Outgoing] = []
        bought: list[Purchase] = []
        for whole in wholes:
            arrival = whole.read.arrival
            service = self._catalog.routes.find(arrival.link, arrival.pdu.destination_addr, whole.text)
            to = _answerable(arrival)
            if isinstance(service, NoService):
                verdicts[arrival.id] = _Verdict(status="done", body=_storable(whole.text), outcome=service.value)
                outgoing += self._rule_answer(service, to, now_ms)
            else:
                verdicts[arrival.id] = _Verdict(
                    status="done", body=_storable(whole.text), service=service, outcome="code_issued"
                )
                bought.append(Purchase(service=self._catalog.services[service], to=to))
        if bought:
            for issued in await access.issue(self._ports, transaction, bought, now_ms):
                outgoing += issued.answer
        return outgoing

    def _rule_answer(self, reason: NoService, to: Answerable, now_ms: int) -> list[Outgoing]:
        """Return the settings' answer to a message that buys nothing."""
        text = getattr(self._catalog.answers, reason.value)
        if not text or not is_phone(to.source):
            return []
        segments = split(text, reference=self._ports.random_bytes(1)[0])
        return answer(self._ports, to, segments, now_ms, _ANSWER_VALID_MS)


def _runs(items: Sequence[Item]) -> Iterator[list[Arrival] | SessionStarted | SessionEnded]:
    """Yield runs of arrivals, and the session events between them: an end must be stored before what follows it."""
    run: list[Arrival] = []
    for item in items:
        if isinstance(item, Arrival):
            run.append(item)
            continue
        if run:
            yield run
            run = []
        yield item
    if run:
        yield run


def _piece(read: _Read) -> joining.Piece:
    assert read.incoming.part is not None
    assert read.incoming.part_key is not None
    return joining.Piece(id=read.arrival.id, key=read.incoming.part_key, part=read.incoming.part)


def _stored_piece(stored: mos.WaitingPart) -> joining.Piece:
    body = strip_udh(stored.payload)[1] if stored.esm_class & UDHI else stored.payload
    part = Part(reference=0, wide=False, total=stored.part_total, number=stored.part_number, body=body)
    return joining.Piece(id=stored.id, key=stored.part_key, part=part)


def _text(read: _Read, joined: dict[str, bytes], settings: LinkSettings) -> str | None:
    pdu = read.arrival.pdu
    body = joined.get(read.arrival.id)
    if body is not None:
        return incoming.text_of(body, pdu.data_coding, settings)
    return incoming.body_of(read.incoming.payload, pdu.esm_class, pdu.data_coding, settings)


def _storable(text: str | None) -> str | None:
    """Return the text without NUL, which PostgreSQL's text cannot hold; the payload keeps it."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}") if text else text


def _answerable(arrival: Arrival) -> Answerable:
    pdu = arrival.pdu
    return Answerable(
        mo=arrival.id,
        link=arrival.link,
        source=pdu.source_addr,
        source_ton=pdu.source_addr_ton,
        source_npi=pdu.source_addr_npi,
        destination=pdu.destination_addr,
        dest_ton=pdu.dest_addr_ton,
        dest_npi=pdu.dest_addr_npi,
    )


def _row(read: _Read, verdict: _Verdict) -> MoRow:
    arrival, facts, pdu = read.arrival, read.incoming, read.arrival.pdu
    part = facts.part
    return MoRow(
        id=arrival.id,
        link=arrival.link,
        session=arrival.session,
        received_ms=arrival.received_ms,
        source=pdu.source_addr,
        destination=pdu.destination_addr,
        esm_class=pdu.esm_class,
        data_coding=pdu.data_coding,
        payload=facts.payload,
        tlvs=incoming.other_tlvs(pdu),
        fingerprint=facts.fingerprint,
        # A repetition leaves the operator's id to the message that it repeats.
        operator_id=None if verdict.status == "repeated" else facts.operator_id,
        part_key=facts.part_key,
        part_number=part.number if part else None,
        part_total=part.total if part else None,
        status=verdict.status,
        whole=verdict.whole,
        body=verdict.body,
        service=verdict.service,
        outcome=verdict.outcome,
    )


def _story(arrival: Arrival, verdict: _Verdict) -> dict[str, object]:
    story: dict[str, object] = {"mo": arrival.id, "link": arrival.link, "status": verdict.status}
    if verdict.service:
        story["service"] = verdict.service
    if verdict.outcome:
        story["outcome"] = verdict.outcome
    if verdict.whole:
        story["whole"] = verdict.whole
    return story
