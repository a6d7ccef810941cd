"""The outbox of what merchants are told: who is due, who is posted to, what came of it, when to try again.

In: the names of services that have new events, right after their commit; a slow poll finds what nobody told of (a
replay, another node's events, a node that died). Out: letters for the poster; results, recorded with the next claims in
one transaction. A result is recorded after the merchant's answer, so an event may come twice, with the same id, and is
never lost. Only a few events are in memory at a time: those that are being posted.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from smsgw.domain import retries
from smsgw.errors import SmsgwError
from smsgw.flows.bygones import Bygones
from smsgw.flows.ports import Letter, Ports, Posted, Poster
from smsgw.flows.secrets import Secrets
from smsgw.kit.logs import get_logger
from smsgw.kit.turns import Turns
from smsgw.settings import Webhooks as WebhookSettings
from smsgw.store import endpoints, events
from smsgw.store.database import Transaction
from smsgw.store.endpoints import Gone
from smsgw.store.events import Due, Hold, Retry, Settled

log = get_logger(__name__)

POLL_MS: Final = 5_000
_LEASE_MS: Final = 30_000  # beyond the deadline of a try: then its result is lost, and it is made again
_BESIDE: Final = 8  # rows read beyond those wanted: some of them wait for others
_PAGES: Final = 20  # of one service in one transaction
_STEP_MS: Final = 1_000  # by which a clock may be put back without a word
_GONE: Final = 410  # the merchant wants no more: nothing is posted there until somebody says otherwise

Result = Settled | Retry


class Hooked(Protocol):
    """A service or merchant, as far as it has a server."""

    @property
    def webhook_url(self) -> str:
        """Where it is told what happens; "": nowhere."""


def _signed(one: Hooked) -> bool:
    """Whether something is sent to it that must be signed: events, or questions before a charge."""
    return bool(one.webhook_url or getattr(one, "authorize_url", ""))  # services are not asked


class _Claim(Struct, frozen=True, kw_only=True):
    """An event that this node posts."""

    due: Due
    until_ms: int


class _Round(Struct, frozen=True, kw_only=True):
    """What one transaction is to do, and what it has found."""

    results: Sequence[Result]
    gone: Sequence[Gone]  # addresses that want no more
    room: Mapping[str, int]  # {service: events that may be posted beside those that are}
    now_ms: int
    until_ms: int
    claims: list[_Claim]
    more: set[str]  # services that may have more that is due


class Webhooks:
    """Posts every event at least once, those of one subject in their order.

    Args:
        ports: the world.
        settings: limits.
        services: of all of them only those with a ``webhook_url`` are looked at.
        poster: the way out.
    """

    def __init__(self, ports: Ports, settings: WebhookSettings, services: Mapping[str, Hooked], poster: Poster) -> None:
        self._ports = ports
        self._settings = settings
        self._urls = {name: one.webhook_url for name, one in services.items() if one.webhook_url}
        self._signed = {name for name, one in services.items() if _signed(one)}
        self._poster = poster
        self._secrets = Secrets(ports)
        self._bygones = Bygones(ports, settings.keep_days)
        self._due = dict.fromkeys(self._urls)  # services to look at, those first that were not for longest
        self._later: dict[str, int] = {}  # {service: wall clock of its next try}
        self._turns = Turns(
            self._post_and_forget,
            rest_s=self._rest_s,
            put_off=lambda error: log.warning("webhook.put_off", error=str(error)),
        )
        self._poll_ms = 0  # monotonic; of the next look around
        self._ahead_ms: int | None = None  # by which the wall clock was ahead of the one that never goes back
        self._forget_ms = 0  # the same, when old events were last looked at
        self._posting: dict[str, asyncio.Task[None]] = {}
        self._results: dict[str, tuple[str, Result]] = {}  # {event: its service, what came of it}
        self._busy: Counter[str] = Counter()  # {service: its events that are posted or not recorded}
        self._failing: set[str] = set()  # services whose last try failed: one at a time

    def wake(self, services: Collection[str]) -> None:
        """Hear that there are new events of these services."""
        for name in services:
            if name in self._urls:
                self._due[name] = None
        self._turns.wake()

    def secrets_of(self, name: str) -> list[bytes]:
        """Return what is signed with for a service or merchant, the newest secret first."""
        return self._secrets.of(name)

    async def begin(self) -> None:
        """At the start: make the secrets that are missing, and take up what this node was posting when it ended."""
        await self._secrets.make(self._signed)
        await self._release()
        urls = self._urls

        async def body(transaction: Transaction) -> dict[str, Gone]:
            await endpoints.reopen_others(transaction, urls)
            return await endpoints.gone(transaction)

        for name in sorted(urls.keys() & (await self._ports.database.transact(body)).keys()):
            log.error("webhook.endpoint_gone", service=name)

    async def run(self) -> None:
        """Post what is due, until it is cancelled."""
        await self._turns.run()

    async def _post_and_forget(self) -> None:
        await self.turn()
        await self._forget()

    async def _forget(self) -> None:
        """Once between two looks around, behind what is due."""
        if self._forget_ms < self._poll_ms:
            self._forget_ms = self._poll_ms
            await self._bygones.sweep()

    def _rest_s(self) -> float:
        """Return how long nothing is to be done if nobody calls."""
        now_ms = self._ports.clock.now_ms()
        poll_ms = self._poll_ms - self._ports.clock.monotonic_ms()
        return min([poll_ms, *(at_ms - now_ms for at_ms in self._later.values())]) / 1000

    async def turn(self) -> None:
        """Record what has come, claim what is due, and begin to post it."""
        await self._look_around()
        now_ms = self._ports.clock.now_ms()
        began_ms = self._ports.clock.monotonic_ms()
        one = _Round(
            results=[result for _, (_, result) in sorted(self._results.items())],
            gone=self._gone(),
            room=self._room(),
            now_ms=now_ms,
            until_ms=now_ms + int(self._settings.timeout_s * 1000) + _LEASE_MS,
            claims=[],
            more=set(),
        )
        if not one.results and not one.room:
            return
        for name in one.room:
            del self._due[name]
        try:
            done = await self._ports.database.transact(lambda transaction: self._write(transaction, one))
        except BaseException:
            self.wake(one.room)
            raise
        self._recorded(done)
        for claim in done.claims:
            if claim.due.id not in self._posting and claim.due.id not in self._results:  # the claim before has ended
                self._start(claim, began_ms)
        self._due.update(dict.fromkeys(done.more))
        if self._room():  # those who had room left some of it to others
            self._turns.wake()

    async def _look_around(self) -> None:
        """Now and then look at every service; at those whose next try has come."""
        now_ms, monotonic_ms = self._ports.clock.now_ms(), self._ports.clock.monotonic_ms()
        await self._notice_step(now_ms, now_ms - monotonic_ms)
        if monotonic_ms >= self._poll_ms:
            await self._secrets.refresh()
            await self._inherit()
            self._poll_ms = monotonic_ms + POLL_MS
            self._due.update(dict.fromkeys(self._urls))
        for name in [name for name, at_ms in self._later.items() if at_ms <= now_ms]:
            del self._later[name]
            self._due[name] = None

    async def _notice_step(self, now_ms: int, ahead_ms: int) -> None:
        """Keep pauses as long as they were when the clock is put back: merchants hear nothing of it."""
        step_ms = 0 if self._ahead_ms is None else self._ahead_ms - ahead_ms
        if step_ms >= _STEP_MS:
            for name in sorted(self._urls):
                async with self._ports.database.write() as transaction:
                    await events.hasten(transaction, name, now_ms=now_ms, step_ms=step_ms)
            log.warning("webhook.clock_put_back", by_s=step_ms // 1000)
            self._later = {name: at_ms - step_ms for name, at_ms in self._later.items()}
        # Put back by little, again and again, is put back by much: what it is compared with stays.
        if self._ahead_ms is None or not 0 <= step_ms < _STEP_MS:
            self._ahead_ms = ahead_ms

    def _room(self) -> dict[str, int]:
        """Return how many events of which services may be posted beside those that are; each gets its turn."""
        busy = self._busy - Counter(service for service, _ in self._results.values())  # recorded with the claims
        left = self._settings.parallel - busy.total()
        room: dict[str, int] = {}
        for name in self._due:
            most = 1 if name in self._failing else self._settings.parallel_per_service
            count = min(most - busy[name], left)
            if count > 0:
                room[name] = count
                left -= count
        return room

    def _gone(self) -> list[Gone]:
        """Return the addresses that have just said that they want no more."""
        names = {service for service, result in self._results.values() if result.http_status == _GONE}
        return [Gone(service=name, url=self._urls[name], at_ms=self._ports.clock.now_ms()) for name in sorted(names)]

    # The transaction; on SQLite it runs in another thread, and touches nothing but its own values

    async def _write(self, transaction: Transaction, one: _Round) -> _Round:
        one.claims.clear()  # a body may be run twice
        one.more.clear()
        await events.settle(transaction, [result for result in one.results if isinstance(result, Settled)])
        await events.retry(transaction, [result for result in one.results if isinstance(result, Retry)])
        await endpoints.close(transaction, one.gone)
        gone = await endpoints.gone(transaction)
        for service in sorted(one.room):
            if service not in gone or gone[service].url != self._urls[service]:
                await self._claim(transaction, service, one)
        return one

    async def _claim(self, transaction: Transaction, service: str, one: _Round) -> None:
        """Claim what is due and has no earlier event of its subject in its way; what has is put off."""
        found: list[Due] = []
        room, node = one.room[service], self._ports.node
        for _ in range(_PAGES):
            count = room - len(found) + _BESIDE
            page = await events.due(
                transaction, service, node, now_ms=one.now_ms, soon_ms=one.now_ms + POLL_MS, count=count
            )
            free = [due for due in page if due.wait_ms is None][: room - len(found)]
            await events.claim(transaction, [Hold(id=due.id, until_ms=one.until_ms, node=node) for due in free])
            waiting = [Hold(id=due.id, until_ms=due.wait_ms, node="") for due in page if due.wait_ms is not None]
            await events.park(transaction, waiting)
            found += free
            if len(found) == room:
                one.more.add(service)
                break
            if len(page) < count:
                break
        else:
            one.more.add(service)
        one.claims.extend(_Claim(due=due, until_ms=one.until_ms) for due in found)

    # One try

    def _start(self, claim: _Claim, claimed_ms: int) -> None:
        due = claim.due
        self._busy[due.service] += 1
        task = asyncio.get_running_loop().create_task(self._post(claim, claimed_ms), name=f"webhook {due.id}")
        self._posting[due.id] = task
        task.add_done_callback(lambda _: self._posting.pop(due.id, None))

    async def _post(self, claim: _Claim, claimed_ms: int) -> None:
        due = claim.due
        if self._ports.clock.monotonic_ms() - claimed_ms > _LEASE_MS // 2:
            posted = Posted(http_status=None, error="this node was not quick enough")  # its claim may end meanwhile
        else:
            posted = await self._try(due)
        result = self._result(claim, posted)
        self._results[due.id] = (due.service, result)
        if posted.error is None:
            self._failing.discard(due.service)
        else:
            self._failing.add(due.service)
        _tell(due, posted, result)
        self.wake([due.service])

    async def _try(self, due: Due) -> Posted:
        letter = Letter(
            url=self._urls[due.service],
            id=due.id,
            timestamp_s=self._ports.clock.now_ms() // 1000,
            body=due.body.encode(),
            secrets=self._secrets.of(due.service),
        )
        if not letter.secrets:
            return Posted(http_status=None, error="there is no secret to sign with")
        try:
            return await self._poster.post(letter)
        except Exception as error:  # whatever it is: the others go on, and this one is tried again
            log.error("webhook.failed_inside", webhook=due.id, service=due.service, exc_info=error)
            return Posted(http_status=None, error="a mistake of ours; the log has it")

    def _result(self, claim: _Claim, posted: Posted) -> Result:
        gone = posted.http_status == _GONE  # then the event waits, with as many tries left as before
        due, tries, now_ms = claim.due, claim.due.tries + (not gone), self._ports.clock.now_ms()
        pause_ms = None if gone else retries.pause_ms(tries, self._settings.max_tries, self._ports.random())
        delivered = posted.error is None
        if delivered or (pause_ms is None and not gone):
            return Settled(
                id=due.id,
                subject=due.subject,
                status="delivered" if delivered else "given_up",
                tries=tries,
                http_status=posted.http_status,
                error=posted.error,
                at_ms=now_ms,
                node=self._ports.node,
                until_ms=claim.until_ms,
            )
        return Retry(
            id=due.id,
            tries=tries,
            http_status=posted.http_status,
            error=posted.error,
            next_ms=now_ms
            if pause_ms is None
            else now_ms + max(pause_ms, retries.asked_ms(posted.retry_after or "", now_ms)),
            node=self._ports.node,
            until_ms=claim.until_ms,
        )

    def _recorded(self, one: _Round) -> None:
        for address in one.gone:
            log.error("webhook.endpoint_gone", service=address.service)
        for result in one.results:
            service, _ = self._results.pop(result.id)
            self._busy[service] -= 1
            if isinstance(result, Retry):
                self._later[service] = min(result.next_ms, self._later.get(service, result.next_ms))

    # The end

    async def close(self, seconds: float) -> None:
        """Let the tries under way come to their end, so long at most; record them, and give back the rest."""
        tasks = list(self._posting.values())
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=seconds)
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending)
        try:
            self._due.clear()
            results = [result for _, result in self._results.values()]
            one = _Round(results=results, gone=self._gone(), room={}, now_ms=0, until_ms=0, claims=[], more=set())
            if results:
                await self._ports.database.transact(lambda transaction: self._write(transaction, one))
            if tasks:
                await self._release()
        except SmsgwError as error:  # they are posted again
            log.warning("webhook.not_recorded", events=len(self._results), error=str(error))
        self._results.clear()

    async def _release(self) -> None:
        now_ms, node = self._ports.clock.now_ms(), self._ports.node
        released = await self._ports.database.transact(lambda transaction: events.release(transaction, node, now_ms))
        if released:
            log.info("webhook.taken_up", events=released)

    async def _inherit(self) -> None:
        """Take from the nodes that are gone what they were posting; who is gone, `Receiver.sweep` finds out."""
        now_ms, node = self._ports.clock.now_ms(), self._ports.node
        taken = await self._ports.database.transact(lambda transaction: events.inherit(transaction, node, now_ms))
        if taken:
            log.warning("webhook.taken_over", events=taken)


def _tell(due: Due, posted: Posted, result: Result) -> None:
    bound = log.bind(
        webhook=due.id,
        service=due.service,
        subject=due.subject,
        type=due.type,
        tries=result.tries,
        http_status=posted.http_status,
    )
    if due.subject.startswith("pay_"):
        bound = bound.bind(payment=due.subject)
    if result.error is None:
        bound.info("webhook.delivered")
    elif isinstance(result, Retry):
        bound.warning("webhook.failed", error=posted.error)
    else:
        bound.error("webhook.given_up", error=posted.error)
