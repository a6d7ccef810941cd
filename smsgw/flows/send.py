"""One link's outgoing messages: what is ready, what is on its way, what came of it.

In: answers right after their commit, and rows read back at the start or after an overflow. Out: messages in
order, as the link's window and rate ask for them; results, recorded in batches. A result that cannot be recorded now is
kept and tried again; until then its message counts as held, so that a store that fails slows the sending down.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from msgspec import structs

from smsgw.domain.messages import Status, may_retry
from smsgw.domain.receipts import canonical_id
from smsgw.errors import SmsgwError, StoreBroken, StoreUnavailable
from smsgw.flows import receipts
from smsgw.flows.outgoing import Outgoing
from smsgw.flows.ports import Ports
from smsgw.kit.limits import Backoff
from smsgw.kit.logs import get_logger
from smsgw.settings import LinkSettings
from smsgw.store import mts
from smsgw.store.database import Transaction
from smsgw.store.mts import MtRow, Retry, Settled

log = get_logger(__name__)

Result = Settled | Retry

_CAPACITY = 5_000  # messages held in memory per link; more wait in the store
_PAGE = 500
_RESULTS_AT_ONCE = 500
_RECORD_AGAIN_S = 0.5
_READ_AGAIN_S = 1.0
_CLOSE_S = 5.0
_MOST_GIVEN_UP = 10_000  # ids
_MOST_PAUSES = 20  # by then every pause is the longest


class Outbox:
    """Holds a link's queued messages and records what becomes of them.

    Args:
        ports: the world.
        link: the link's name.
        settings: its settings.
        wake: called when there is something to take.
    """

    def __init__(self, ports: Ports, link: str, settings: LinkSettings, wake: Callable[[], None]) -> None:
        self._ports = ports
        self._link = link
        self._settings = settings
        self._wake = wake
        self._ready: deque[Outgoing] = deque()
        self._later: list[tuple[int, str, Outgoing]] = []  # heap by the time of the next try
        self._held: set[str] = set()  # ready, later, in flight or being recorded
        self._given_up: dict[str, None] = {}  # settled, queued in the store: not sent again in this life; oldest first
        self._let_go: set[str] | None = None  # while the store is being read: no longer held since the reading began
        self._more = asyncio.Event()  # the store has messages that are not held
        self._more.set()
        self._results: dict[tuple[str, type[Result]], Result] = {}  # bounded by what is held
        self._recorder: asyncio.Task[None] | None = None

    def offer(self, messages: Sequence[Outgoing]) -> None:
        """Take messages that have just been committed; what does not fit stays in the store for later."""
        for message in messages:
            if message.row.id in self._held or message.row.id in self._given_up:
                continue
            if len(self._held) >= _CAPACITY or self._more.is_set():
                self._more.set()  # those in the store are older: order is kept
                continue
            self._hold(message)
        self._wake()

    def _hold(self, message: Outgoing) -> None:
        self._held.add(message.row.id)
        if message.row.not_before_ms > self._ports.clock.now_ms():
            heapq.heappush(self._later, (message.row.not_before_ms, message.row.id, message))
        else:
            self._ready.append(message)

    def take(self) -> Outgoing | None:
        """Return the next message to be sent now; the caller must report what becomes of it."""
        now_ms = self._ports.clock.now_ms()
        while self._later and not self._pause_ms(self._later[0][0], now_ms):
            self._ready.append(heapq.heappop(self._later)[2])
        while self._ready:
            message = self._ready.popleft()
            if message.row.expires_ms > now_ms:
                return message
            self._settle(message, Status.EXPIRED, None, None)
        return None

    def wait_ms(self) -> int | None:
        """Return how long until a message is due that is not due now; None when there is none."""
        return self._pause_ms(self._later[0][0], self._ports.clock.now_ms()) if self._later else None

    def _pause_ms(self, not_before_ms: int, now_ms: int) -> int:
        """Return what is left of a pause; one that is longer than any can be means that the clock was put back."""
        left_ms = not_before_ms - now_ms
        return left_ms if 0 < left_ms <= self._settings.retry_ceiling_s * 1000 else 0

    def accepted(self, message: Outgoing, message_id: str) -> None:
        """Report a submit_sm_resp with status 0."""
        self._settle(message, Status.ACCEPTED, 0, message_id or None)

    def refused(self, message: Outgoing, command_status: int) -> None:
        """Report an error; it decides whether to try again."""
        if may_retry(command_status):
            self._try_again(message, command_status)
        else:
            self._settle(message, Status.REFUSED, command_status, None)

    def unanswered(self, message: Outgoing) -> None:
        """Report that no response came: an unbilled message is sent at least once, so it is sent again."""
        self._try_again(message, None)

    def _try_again(self, message: Outgoing, command_status: int | None) -> None:
        tries = message.row.tries + 1
        backoff = Backoff(
            int(self._settings.retry_first_s * 1000),
            int(self._settings.retry_ceiling_s * 1000),
            random=self._ports.random,
        )
        # The first message that a lost session left without an answer goes out at once; an SMSC that never answers must
        # not be sent the same again and again without a pause.
        pauses = tries if command_status is not None else tries - 1
        pause_ms = [0, *(backoff.next() for _ in range(min(pauses, _MOST_PAUSES)))][-1]
        not_before_ms = self._ports.clock.now_ms() + pause_ms
        row = structs.replace(message.row, tries=tries, not_before_ms=not_before_ms)
        again = Outgoing(row=row, payload=message.payload)
        heapq.heappush(self._later, (not_before_ms, row.id, again))
        log.warning("mt.again", mt=row.id, mo=row.mo, link=self._link, tries=tries, command_status=command_status)
        self._submit(Retry(id=row.id, not_before_ms=not_before_ms, tries=tries, command_status=command_status))
        self._wake()

    def _settle(self, message: Outgoing, status: Status, command_status: int | None, message_id: str | None) -> None:
        row = message.row
        compared = message_id and canonical_id(message_id, self._settings.response_ids)
        log_it = log.info if status is Status.ACCEPTED else log.warning
        log_it(f"mt.{status.value}", mt=row.id, mo=row.mo, link=self._link, command_status=command_status)
        self._submit(
            Settled(
                id=row.id,
                status=status.value,
                command_status=command_status,
                message_id=compared,
                smsc_message_id=message_id if message_id != compared else None,
                answered_ms=self._ports.clock.now_ms(),
                tries=row.tries + (status is not Status.EXPIRED),
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
        self._held.discard(result.id)
        self._given_up[result.id] = None
        if len(self._given_up) > _MOST_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]
        log.error("mt.result_given_up", link=self._link, mt=result.id)
        return False

    async def _record(self, results: Sequence[Result]) -> None:
        settled = [result for result in results if isinstance(result, Settled)]
        again = [result for result in results if isinstance(result, Retry)]
        named = {result.message_id: result.id for result in settled if result.message_id}

        async def body(transaction: Transaction) -> None:
            await mts.settle(transaction, settled)
            await mts.retry(transaction, again)
            if self._settings.receipts:
                await receipts.match(transaction, self._link, named)

        await self._ports.database.transact(body)
        ids = [result.id for result in settled]
        self._held.difference_update(ids)
        if self._let_go is not None:
            self._let_go.update(ids)

    async def run(self) -> None:
        """Read back what waits in the store, whenever there is more than is held; runs until it is cancelled."""
        while True:
            await self._more.wait()
            if len(self._held) > _CAPACITY // 2:
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
        self._more.set()

    async def _read_back(self) -> None:
        """Hold what is queued in the store, oldest first, up to the capacity."""
        self._more.clear()
        after = ""
        while not self._more.is_set():
            # A result may be recorded between the snapshot that is read and the moment its rows are looked at.
            let_go: set[str] = set()
            self._let_go = let_go
            try:
                async with self._ports.database.read() as reader:
                    rows = await mts.queued(reader, self._link, self._ports.node, after, _PAGE)
            except SmsgwError:
                self._more.set()
                raise
            finally:
                self._let_go = None
            for row in rows:
                if len(self._held) >= _CAPACITY:
                    self._more.set()
                elif row.id not in self._held and row.id not in let_go and row.id not in self._given_up:
                    self._open(row)
            self._wake()
            if len(rows) < _PAGE:
                return
            after = rows[-1].id

    def _open(self, row: MtRow) -> None:
        """Hold a message that was read back; one that was sealed with another key waits for that key in the store."""
        try:
            payload = self._ports.vault.open(row.sealed, row.id, row.key_id)
        except SmsgwError as error:
            log.error("mt.not_readable", mt=row.id, mo=row.mo, link=self._link, error=str(error))
        else:
            self._hold(Outgoing(row=row, payload=payload))

    async def close(self) -> None:
        """Record the results that have come in."""
        while self._recorder is not None:
            await asyncio.wait((self._recorder,), timeout=_CLOSE_S)
            if self._recorder is not None:
                self._recorder.cancel()  # the store does not work; what is not recorded is sent again
