"""One link's outgoing messages: what is ready, what is on its way, what came of it.

In: answers right after their commit, and rows read back at the start or after an overflow. Out: messages in
order, as the link's window and rate ask for them; results, recorded in batches. A result that cannot be recorded now is
kept and tried again; until then its message counts as held, so that a store that fails slows the sending down. A billed
message is never sent again from here: whatever becomes of it, its attempt decides (flows/payments).
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import structs

from smsgw.domain.messages import Status
from smsgw.domain.receipts import canonical_id
from smsgw.domain.statuses import Rules, Verdict
from smsgw.errors import SmsgwError, StoreBroken, StoreUnavailable
from smsgw.flows import receipts
from smsgw.flows.lanes import Lane
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.payments.effects import Effects
from smsgw.flows.payments.hearing import Kind, News
from smsgw.flows.ports import Ports
from smsgw.kit.limits import Backoff
from smsgw.kit.logs import get_logger
from smsgw.settings import LinkSettings
from smsgw.store import mts, receipts as stored_receipts
from smsgw.store.database import Transaction
from smsgw.store.mts import MtRow, Retry, Settled

if TYPE_CHECKING:
    from smsgw.flows.payments.desk import Payments

log = get_logger(__name__)

Result = Settled | Retry

_REPLIES, _PROMPTS = 0, 1
_LANES = 2
_PROMPTS_FOR_A_REPLY = 9
_CAPACITY = 5_000  # messages held in memory per link and lane; more wait in the store
_PAGE = 500
_RESULTS_AT_ONCE = 500
_RECORD_AGAIN_S = 0.5
_READ_AGAIN_S = 1.0
_CLOSE_S = 5.0
_MOST_GIVEN_UP = 10_000  # ids
_MOST_WITHDRAWN = 1_000  # payments; their questions wait for half a minute at most
_TRIES_BEFORE_OTHERS = 5  # of a message that is refused for itself; then its subscriber's others need not wait for it
_MOST_PAUSES = 20  # by then every pause is the longest


class Outbox:
    """Holds a link's queued messages and records what becomes of them.

    Args:
        ports: the world.
        link: the link's name.
        settings: its settings.
        wake: called when there is something to take.
        payments: hears what comes of messages about payments.
    """

    def __init__(
        self,
        ports: Ports,
        link: str,
        settings: LinkSettings,
        wake: Callable[[], None],
        payments: "Payments | None" = None,
    ) -> None:
        self._ports = ports
        self._link = link
        self._settings = settings
        self._wake = wake
        self._payments = payments
        self._rules = Rules(settings.status)
        self._longest_pause_ms = max(int(settings.retry_ceiling_s * 1000), self._rules.longest_ms)
        self._lanes = tuple(Lane(self._pause_ms) for _ in range(_LANES))
        self._held: dict[str, int] = {}  # {message: its lane}: waiting, on its way or being recorded
        self._crowd = [0] * _LANES  # of these, in each lane
        self._out: set[str] = set()  # taken, and nothing said of them yet
        self._arrived: set[str] = set()  # settled by a late answer while they waited for another try
        self._heard: dict[str, str] = {}  # {on its way again: the SMSC's id, by a late answer to the try before}
        self._passed = 0  # prompts since the last reply
        self._given_up: dict[str, None] = {}  # settled, queued in the store: not sent again in this life; oldest first
        self._aside: dict[int, list[Outgoing]] = {}  # {lane that is being read: what was offered meanwhile}
        self._let_go: set[str] | None = None  # while the store is being read: no longer held since the reading began
        self._lacking = set(range(_LANES))  # lanes of which the store has messages that are not held
        self._more = asyncio.Event()  # there are such lanes
        self._more.set()
        self._results: dict[tuple[str, type[Result]], Result] = {}  # bounded by what is held
        self._news: dict[str, News] = {}  # {message about a payment: what came of it}, recorded with its result
        self._withdrawn: dict[str, None] = {}  # payments whose question nobody is to be asked any more; oldest first
        self._billed: set[str] = set()  # billed messages that wait here, and were certainly not sent
        self._recorder: asyncio.Task[None] | None = None

    def offer(self, messages: Sequence[Outgoing]) -> None:
        """Take messages that have just been committed; what does not fit stays in the store for later."""
        for message in messages:
            if message.row.id in self._held or message.row.id in self._given_up:
                self._refuse_again(message)
                continue
            if message.row.charge is not None:  # never read back: the cashier offers no more than can be sent
                self._billed.add(message.row.id)
                self._hold(message)
                continue
            lane = _lane(message.row)
            aside = self._aside.get(lane)
            if aside is not None and len(aside) < _CAPACITY:
                aside.append(message)
                continue
            if (self._more.is_set() and lane in self._lacking) or aside is not None or self._crowd[lane] >= _CAPACITY:
                self._lacking.add(lane)  # those in the store are older: order is kept
                self._more.set()
                continue
            self._hold(message)
        self._wake()

    def _refuse_again(self, message: Outgoing) -> None:
        """Give back a billed message that comes again while its last result is recorded, not knowing that it was."""
        mt = message.row.id
        if message.row.charge is not None and (mt, Settled) in self._results and mt not in self._out:
            self._tell_billed(message, "unsent", None, None)

    def _hold(self, message: Outgoing) -> None:
        lane = _lane(message.row)
        self._held[message.row.id] = lane
        self._crowd[lane] += 1
        self._lanes[lane].put(message, self._ports.clock.now_ms())

    def _let_loose(self, ids: Collection[str]) -> None:
        for mt in ids:
            lane = self._held.pop(mt, None)
            if lane is not None:
                self._crowd[lane] -= 1

    def take(self) -> Outgoing | None:
        """Return the next message to be sent now; the caller must report what becomes of it.

        Prompts go first, for somebody is looking at a page until they come; but a flood of them leaves the replies,
        which are paid for, every tenth place.
        """
        now_ms = self._ports.clock.now_ms()
        prompts, replies = self._lanes[_PROMPTS], self._lanes[_REPLIES]
        if self._passed < _PROMPTS_FOR_A_REPLY:
            message = self._next(prompts, now_ms)
            if message is not None:
                self._passed += 1
                return message
            self._passed = 0
            return self._next(replies, now_ms)
        self._passed = 0
        return self._next(replies, now_ms) or self._next(prompts, now_ms)

    def _next(self, lane: Lane, now_ms: int) -> Outgoing | None:
        while (message := lane.take(now_ms)) is not None:
            mt = message.row.id
            if mt in self._arrived:
                self._arrived.discard(mt)
                lane.done(message, now_ms)
            elif message.row.expires_ms <= now_ms or (self._withdrawn and self._is_withdrawn(message.row)):
                self._settle(message, Status.EXPIRED, None, None)
            else:
                self._out.add(mt)
                self._billed.discard(mt)
                if message.row.payment is not None and self._payments is not None:
                    self._payments.sent(message.row.payment)
                return message
        return None

    def withdraw(self, payment: str) -> None:
        """Send no question about a payment any more, if it waits here; the message ends as expired."""
        self._withdrawn[payment] = None
        if len(self._withdrawn) > _MOST_WITHDRAWN:
            del self._withdrawn[next(iter(self._withdrawn))]

    def _is_withdrawn(self, row: MtRow) -> bool:
        return row.charge is None and row.mo is None and row.payment in self._withdrawn

    @property
    def billed_waiting(self) -> int:
        """How many billed messages have not been taken yet."""
        return len(self._billed)

    def wait_ms(self) -> int | None:
        """Return how long until a message is due that is not due now; None when there is none."""
        now_ms = self._ports.clock.now_ms()
        waits = [wait_ms for lane in self._lanes if (wait_ms := lane.wait_ms(now_ms)) is not None]
        return min(waits, default=None)

    def _pause_ms(self, not_before_ms: int, now_ms: int) -> int:
        """Return what is left of a pause; one that is longer than any can be means that the clock was put back."""
        left_ms = not_before_ms - now_ms
        return left_ms if 0 < left_ms <= self._longest_pause_ms else 0

    def accepted(self, message: Outgoing, message_id: str) -> None:
        """Report a submit_sm_resp with status 0."""
        self._settle(message, Status.ACCEPTED, 0, message_id or None)

    def refused(self, message: Outgoing, command_status: int, message_id: str = "") -> None:
        """Report an error; the link's table (domain/statuses.py) says what it means."""
        if message.row.id in self._heard:
            self.accepted(message, self._heard[message.row.id])
            return
        if message.row.charge is not None:
            # A nack with status 0 says nothing that can be believed.
            self._settle_billed(message, "answered" if command_status else "lost", command_status or None)
            return
        rule = self._rules.of(command_status)
        if rule.verdict is Verdict.AGAIN:
            self._try_again(message, command_status, rule.after_ms)
        elif rule.verdict is Verdict.UNKNOWN:
            self.unanswered(message)
        elif rule.verdict is Verdict.SENT and command_status:  # a nack with status 0 says nothing that can be believed
            self._settle(message, Status.ACCEPTED, command_status, message_id or None)
        else:
            self._settle(message, Status.REFUSED, command_status, None)

    def unsendable(self, message: Outgoing, command_status: int) -> None:
        """Report that it cannot be written as a PDU. No SMSC said that: the link's table is not asked."""
        self._settle(message, Status.REFUSED, command_status, None)

    def unanswered(self, message: Outgoing) -> None:
        """Report that no response came: an unbilled message is sent at least once, so it is sent again."""
        if message.row.charge is not None:
            self._settle_billed(message, "lost", None)
            return
        if message.row.id in self._heard:
            self.accepted(message, self._heard[message.row.id])
            return
        self._try_again(message, None, None)

    def late(self, message: Outgoing, message_id: str) -> None:
        """Report that one of which nothing was heard has been accepted after all: if it still waits, it has arrived."""
        mt = message.row.id
        if message.row.charge is not None:
            self._tell_billed(message, "answered", 0, message_id)
        elif mt in self._out:
            self._heard[mt] = message_id  # counts if this try comes to nothing: it may be refused as a second one
        elif mt in self._held and mt not in self._arrived and not self._is_settled(mt):
            self._arrived.add(mt)
            self._tell(message, Status.ACCEPTED, 0, message_id or None, tries=message.row.tries + 1)

    def late_refusal(self, message: Outgoing, command_status: int) -> None:
        """Report the same of an error: only of a billed message it says something that is not known."""
        if message.row.charge is not None and command_status:
            self._tell_billed(message, "answered", command_status, None)

    def _is_settled(self, mt: str) -> bool:
        return (mt, Settled) in self._results

    def _try_again(self, message: Outgoing, command_status: int | None, pause_ms: int | None) -> None:
        tries = message.row.tries + 1
        if pause_ms is None:
            pause_ms = self._growing_pause_ms(tries, refused=command_status is not None)
        not_before_ms = self._ports.clock.now_ms() + pause_ms
        row = structs.replace(message.row, tries=tries, not_before_ms=not_before_ms)
        self._out.discard(row.id)
        lane, again = self._lanes[_lane(row)], structs.replace(message, row=row)
        slow = command_status is not None and self._rules.of(command_status).slow
        if tries >= _TRIES_BEFORE_OTHERS and not slow:  # slow: all of the link's messages are refused alike
            lane.give_way(again, self._ports.clock.now_ms())
        else:
            lane.again(again)
        log.warning("mt.again", mt=row.id, mo=row.mo, link=self._link, tries=tries, command_status=command_status)
        self._submit(Retry(id=row.id, not_before_ms=not_before_ms, tries=tries, command_status=command_status))
        self._wake()

    def _growing_pause_ms(self, tries: int, *, refused: bool) -> int:
        """Return the pause before the next try.

        The first message that a lost session left without an answer goes out at once; an SMSC that never answers must
        not be sent the same again and again without a pause.
        """
        backoff = Backoff(
            int(self._settings.retry_first_s * 1000),
            int(self._settings.retry_ceiling_s * 1000),
            random=self._ports.random,
        )
        pauses = tries if refused else tries - 1
        return [0, *(backoff.next() for _ in range(min(pauses, _MOST_PAUSES)))][-1]

    def _settle(self, message: Outgoing, status: Status, command_status: int | None, message_id: str | None) -> None:
        row = message.row
        if row.charge is not None:
            kind: Kind = "expired" if status is Status.EXPIRED else "answered"
            self._settle_billed(message, kind, command_status, message_id)
            return
        self._out.discard(row.id)
        self._heard.pop(row.id, None)
        self._tell(message, status, command_status, message_id, tries=row.tries + (status is not Status.EXPIRED))
        lane = self._lanes[_lane(row)]
        lane.done(message, self._ports.clock.now_ms())

    def _settle_billed(
        self, message: Outgoing, kind: Kind, command_status: int | None, message_id: str | None = None
    ) -> None:
        row = message.row
        self._out.discard(row.id)
        self._billed.discard(row.id)
        self._tell_billed(message, kind, command_status, message_id)
        self._lanes[_lane(row)].done(message, self._ports.clock.now_ms())

    def _tell_billed(self, message: Outgoing, kind: Kind, command_status: int | None, message_id: str | None) -> None:
        """Have recorded what became of a billed message; what that means is its attempt's to say."""
        row = message.row
        compared = message_id and canonical_id(message_id, self._settings.response_ids)
        bound = log.bind(mt=row.id, charge=row.charge, payment=row.payment, link=self._link)
        bound.info("charge.heard", kind=kind, command_status=command_status)
        self._news[row.id] = _news_of(message, kind, command_status, compared)
        self._submit(
            Settled(
                id=row.id,
                status=Status.UNKNOWN.value,  # until its attempt says what it means
                command_status=command_status,
                message_id=compared or None,
                smsc_message_id=message_id if message_id and message_id != compared else None,
                answered_ms=self._ports.clock.now_ms(),
                tries=row.tries + (kind in {"answered", "lost"}),
                billed=True,
            )
        )

    def _tell(
        self, message: Outgoing, status: Status, command_status: int | None, message_id: str | None, *, tries: int
    ) -> None:
        row = message.row
        compared = message_id and canonical_id(message_id, self._settings.response_ids)
        bound = log.bind(payment=row.payment) if row.payment is not None else log
        tell = bound.info if status is Status.ACCEPTED else bound.warning
        tell(f"mt.{status.value}", mt=row.id, mo=row.mo, link=self._link, command_status=command_status)
        if row.payment is not None and self._payments is not None:
            kind: Kind = "expired" if status is Status.EXPIRED else "answered"
            accepted = (compared or "") if status is Status.ACCEPTED else None
            self._news[row.id] = _news_of(message, kind, command_status, accepted)
        self._submit(
            Settled(
                id=row.id,
                status=status.value,
                command_status=command_status,
                message_id=compared,
                smsc_message_id=message_id if message_id != compared else None,
                answered_ms=self._ports.clock.now_ms(),
                tries=tries,
            )
        )

    def _submit(self, result: Result) -> None:
        """Have a result recorded with the others that wait; one task does it while there are any."""
        self._results[result.id, type(result)] = result  # of several tries of one message only the last counts
        if self._recorder is None:
            name = f"results {self._link}"
            self._recorder = asyncio.get_running_loop().create_task(self._record_all(), name=name)

    async def _record_all(self) -> None:
        alone = 0  # results that failed together, and are tried one by one
        try:
            while self._results:
                results = list(islice(self._results.values(), 1 if alone else _RESULTS_AT_ONCE))
                try:
                    await self._record(results)
                except StoreUnavailable as error:
                    log.warning("mt.results_put_off", link=self._link, error=str(error))
                    await asyncio.sleep(_RECORD_AGAIN_S)
                    continue
                except StoreBroken:
                    self._results.clear()  # the daemon stops; all of them are sent again
                    return
                except Exception as error:  # sending must go on whatever is wrong with these
                    if len(results) > 1:
                        alone = len(results)
                        continue
                    log.error("mt.result_not_recorded", link=self._link, mt=results[0].id, exc_info=error)
                    if self._simplify(results[0]):
                        continue
                for result in results:
                    key = (result.id, type(result))
                    if self._results.get(key) is result:  # otherwise a later try has taken its place
                        del self._results[key]
                        if isinstance(result, Settled):
                            self._news.pop(result.id, None)
                alone = max(0, alone - 1)
        finally:
            self._recorder = None

    def _simplify(self, result: Result) -> bool:
        """Have a result that cannot be recorded try again without what the SMSC said; False when there is no more.

        A message that is settled but cannot be recorded even so stays queued in the store, and is sent again after a
        restart. Until then it is remembered, not held: it must neither be sent over and over nor take the place of
        others. (A try that is not recorded is of no consequence, its message is still held.)
        """
        if not isinstance(result, Settled):
            return False
        if result.message_id is not None or result.command_status is not None:
            plain = structs.replace(result, message_id=None, smsc_message_id=None, command_status=None)
            self._results[result.id, Settled] = plain
            return True
        self._let_loose([result.id])
        self._given_up[result.id] = None
        if len(self._given_up) > _MOST_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]
        log.error("mt.result_given_up", link=self._link, mt=result.id)
        return False

    async def _record(self, results: Sequence[Result]) -> None:
        settled = [result for result in results if isinstance(result, Settled)]
        again = [result for result in results if isinstance(result, Retry)]
        named = {result.message_id: result.id for result in settled if result.message_id}

        news = [self._news[result.id] for result in settled if result.id in self._news]
        listener = self._payments.listener if self._payments is not None else None

        async def body(transaction: Transaction) -> list[Effects]:
            effects: list[Effects] = []
            sent = None
            if listener is not None and news:
                # One order for all, so that nobody waits in a circle: a link's receipts, payments, messages.
                await stored_receipts.lock(transaction, self._link)
                sent = await listener.hear(transaction, news)
            await mts.settle(transaction, sent.over(settled) if sent is not None else settled)
            await mts.retry(transaction, again)
            if self._settings.receipts or self._settings.charging:
                effects += await receipts.match(transaction, self._link, named, listener)
            if listener is not None and sent is not None:
                effects.append(sent.effects)
                for charge in sent.lost:
                    effects += await receipts.claim(transaction, charge, listener)
            return effects

        effects = await self._ports.database.transact(body)
        if self._payments is not None:
            for one in effects:
                self._payments.done(one)
        ids = [result.id for result in settled]
        self._let_loose(ids)
        if self._let_go is not None:
            self._let_go.update(ids)

    async def run(self) -> None:
        """Read back what waits in the store, whenever there is more than is held; runs until it is cancelled."""
        while True:
            await self._more.wait()
            if all(self._crowd[lane] > _CAPACITY // 2 for lane in self._lacking):
                await asyncio.sleep(_READ_AGAIN_S / 10)
                continue
            try:
                await self._read_back()
            except SmsgwError as error:
                if not error.retry:
                    raise
                log.warning("mt.read_back_failed", link=self._link, error=str(error))
                await asyncio.sleep(_READ_AGAIN_S)

    def look_again(self) -> None:
        """Hear that the store may have messages that are not held."""
        self._lacking.update(range(_LANES))
        self._more.set()

    async def _read_back(self) -> None:
        """Hold what is queued in the store, oldest first, up to the capacity; prompts before the bulk they lie in."""
        self._more.clear()
        self._lacking.clear()
        self._aside = {lane: [] for lane in range(_LANES)}
        # A result may be recorded between the snapshot that is read and the moment its rows are looked at.
        self._let_go = set()
        try:
            for lane in (_PROMPTS, _REPLIES):
                after: str | None = ""
                while after is not None and lane not in self._lacking:
                    after = await self._read_page(after, self._let_go, prompts=lane == _PROMPTS)
                self._take_aside(lane, self._let_go)
        except SmsgwError:
            self.look_again()
            raise
        finally:
            self._aside = {}
            self._let_go = None

    def _take_aside(self, lane: int, let_go: set[str]) -> None:
        """Hold what was offered while older messages were read, behind them; what does not fit waits in the store."""
        for message in self._aside.pop(lane):
            mt = message.row.id
            if mt in self._held or mt in let_go or mt in self._given_up:
                continue
            if self._crowd[lane] >= _CAPACITY or lane in self._lacking:
                self._lacking.add(lane)
                self._more.set()
                break
            self._hold(message)
            self._wake()

    async def _read_page(self, after: str, let_go: set[str], *, prompts: bool) -> str | None:
        """Hold the next messages of the store; return where the page ends, None for the last."""
        async with self._ports.database.read() as reader:
            rows = await mts.queued(reader, self._link, self._ports.node, after, _PAGE, prompts=prompts)
        for row in rows:
            if row.id in self._held or row.id in let_go or row.id in self._given_up:
                continue
            lane = _lane(row)
            if self._crowd[lane] >= _CAPACITY or lane in self._lacking:
                self._lacking.add(lane)
                self._more.set()
            else:
                self._open(row)
        if rows or not prompts:
            self._wake()
        return rows[-1].id if len(rows) == _PAGE else None

    def _open(self, row: MtRow) -> None:
        """Hold a message that was read back; one that was sealed with another key waits for that key in the store."""
        try:
            payload = self._ports.vault.open(row.sealed, row.id, row.key_id)
        except SmsgwError as error:
            log.error("mt.not_readable", mt=row.id, mo=row.mo, link=self._link, error=str(error))
        else:
            self._hold(Outgoing(row=row, payload=payload))

    def return_billed(self) -> None:
        """At the stop: what was certainly not sent goes back to its attempt, which is sent in the next life."""
        for lane in self._lanes:
            for message in lane.drop(self._billed):
                self._tell_billed(message, "unsent", None, None)
        self._billed.clear()

    async def close(self) -> None:
        """Record the results that have come in."""
        self.return_billed()
        while self._recorder is not None:
            await asyncio.wait((self._recorder,), timeout=_CLOSE_S)
            if self._recorder is not None:
                self._recorder.cancel()  # the store does not work; what is not recorded is sent again


def _lane(row: MtRow) -> int:
    """Return where a message waits: what somebody asked for and looks at until it comes goes before the bulk."""
    return _PROMPTS if row.priority else _REPLIES


def _news_of(message: Outgoing, kind: Kind, command_status: int | None, message_id: str | None) -> News:
    row = message.row
    assert row.payment is not None
    return News(
        mt=row.id,
        payment=row.payment,
        charge=row.charge,
        intent_ms=message.intent_ms,
        kind=kind,
        command_status=command_status,
        message_id=message_id,
    )
