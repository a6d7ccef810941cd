"""One transaction of visits: what the store knows of them, a decision on each in turn, what it must remember.

Later visits see what earlier ones of the same transaction have done; others see it after the commit.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import structs

from smsgw.domain import codes, guessing
from smsgw.domain.codes import Outcome
from smsgw.domain.guessing import HOUR_MS, Load, Visitor
from smsgw.flows import events, idempotency, returns
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.visits import Redemption, Visit, Waiting
from smsgw.kit.ids import first_of
from smsgw.kit.logs import get_logger
from smsgw.settings import Guessing
from smsgw.store import attempts, codes as store, events as outbox, guesses, redemptions
from smsgw.store.attempts import Attempt, Recent
from smsgw.store.codes import Found, Use
from smsgw.store.database import Transaction
from smsgw.store.guesses import FailuresRow, Key

if TYPE_CHECKING:
    from smsgw.store.redemptions import Answered, Handle

log = get_logger(__name__)

# A reload, a double click, the way back: the same code and state within this time is the same redemption.
REPEAT_MS: Final = 600_000
_HOURS: Final = 24


class Desk:
    """Judges the visits of one transaction: `read`, then `decide` on each, then `write`; `tell` after the commit."""

    def __init__(self, ports: Ports, catalog: Catalog, limits: Guessing, now_ms: int) -> None:
        self.redemptions: dict[str, Redemption] = {}  # by the attempt's id
        self._ports = ports
        self._catalog = catalog
        self._limits = limits
        self._now_ms = now_ms
        self._found: dict[str, Found] = {}  # by look-up
        self._recent: dict[str, list[Recent]] = {}  # by code
        self._visitors: dict[Key, Visitor] = {}
        self._hours: dict[str, dict[int, int]] = {}
        self._loads: dict[tuple[str, int], Load] = {}  # by service and the failures of this transaction
        self._answered: dict[tuple[str, str], Answered] = {}
        self._attempts: list[Attempt] = []
        self._uses: dict[str, Use] = {}  # by code
        self._wrong: Counter[str] = Counter()  # failures by service
        self._changed: dict[Key, Visitor] = {}
        self._answers: list[Answered] = []
        self._handles: list[Handle] = []
        self._events: list[outbox.Event] = []

    async def read(self, transaction: Transaction, waiting: Sequence[Waiting]) -> None:
        """Read all that the decisions need."""
        visits = [one.visit for one in waiting]
        self._visitors = await guesses.visitors(transaction, {_key(visit) for visit in visits})
        services = sorted({visit.service for visit in visits})
        self._hours = await guesses.failures(transaction, services, self._now_ms // HOUR_MS - _HOURS)
        self._found = await store.find(transaction, sorted({lookup for one in waiting for lookup in one.lookups}))
        after = first_of("att", self._now_ms - REPEAT_MS)
        codes_of, states = sorted({found.id for found in self._found.values()}), sorted({one.state for one in visits})
        addresses = sorted({visit.visitor for visit in visits})
        for one in await attempts.recent(transaction, codes_of, states, addresses, after):
            self._recent.setdefault(one.code, []).append(one)
        asked = [visit.idempotency for visit in visits if visit.idempotency]
        self._answered = await redemptions.answered(
            transaction, sorted({one.caller for one in asked}), sorted({one.key for one in asked})
        )

    def decide(self, one: Waiting) -> None:
        """Decide one visit."""
        redemption = self._answer_before(one.visit)
        if redemption is None:
            redemption, reason = self._judge(one)
            if self._is_kept(one.visit, redemption, reason):
                redemption = self._with_handle(redemption, one.visit)
                self._record(one, redemption, reason)
            elif redemption.outcome is Outcome.SUCCESS:
                redemption = self._with_handle(redemption, one.visit)
        self.redemptions[one.id] = redemption

    def _answer_before(self, visit: Visit) -> Redemption | None:
        """Return the answer that a repeated request had; without an id when it is not the same request."""
        asked = visit.idempotency
        known = self._answered.get((asked.caller, asked.key)) if asked else None
        if asked is None or known is None:
            return None
        if not idempotency.is_same(self._ports, asked, known):
            return Redemption(id="", service=visit.service, outcome=Outcome.INVALID, state="", at_ms=self._now_ms)
        return msgspec.json.decode(known.answer, type=Redemption)

    # The decision

    def _judge(self, one: Waiting) -> tuple[Redemption, str | None]:
        """Return what comes of a visit, and why, where that is more than the outcome tells outside."""
        visit = one.visit
        key = _key(visit)
        visitor, load = self._visitors.get(key, Visitor()), self._load(visit.service)
        wait_ms = guessing.wait_ms(self._limits, visitor, load, self._now_ms)
        if wait_ms:
            return self._redemption(one, Outcome.THROTTLED, wait_ms=wait_ms), None
        lookup, found = self._find(one)
        if found is None:
            self._fail(key, visitor, load)
            return self._redemption(one, Outcome.INVALID), "unknown"
        if visit.test not in {None, found.test}:
            self._fail(key, visitor, load)
            return self._redemption(one, Outcome.INVALID), "test" if found.test else "live"
        if found.code.revoked:
            self._fail(key, visitor, load)
            return self._redemption(one, Outcome.INVALID, found=found), "revoked"
        repeated = self._repeated(visit, found)
        if repeated is not None:
            return self._again(one, found, repeated), "again"
        outcome = codes.judge(found.code, self._now_ms)
        if outcome is Outcome.SUCCESS and visit.uses:
            known = self._uses.get(found.id)
            used, uses = (known.used, known.uses + 1) if known else (found.code.used, 1)
            self._uses[found.id] = Use(id=found.id, used=used, uses=uses, first_used_ms=self._now_ms)
            found = structs.replace(found, code=codes.use(found.code, self._now_ms))
            self._found[lookup] = found
            self._remember_success(one, found)
            self._tell_merchant(one, found)
        return self._redemption(one, outcome, found=found), None if visit.uses else "looked"

    def _tell_merchant(self, one: Waiting, found: Found) -> None:
        if self._catalog.services[one.visit.service].settings.webhook_url:
            redemption = self._redemption(one, Outcome.SUCCESS, found=found)
            self._events += events.redeemed(self._ports, redemption, found.code.used)

    @property
    def hooked(self) -> set[str]:
        """The services whose merchants are told something."""
        return events.services_of(self._events)

    def _find(self, one: Waiting) -> tuple[str, Found | None]:
        for lookup in one.lookups:
            found = self._found.get(lookup)
            if found is not None and found.service == one.visit.service:
                return lookup, found
        return "", None

    def _load(self, service: str) -> Load:
        wrong = self._wrong[service]
        load = self._loads.get((service, wrong))
        if load is None:
            hours = dict(self._hours[service])
            now = self._now_ms // HOUR_MS
            hours[now] = hours.get(now, 0) + wrong
            load = self._loads[service, wrong] = guessing.load_of(hours, self._now_ms)
        return load

    def _fail(self, key: Key, visitor: Visitor, load: Load) -> None:
        after = guessing.after_failure(self._limits, visitor, load, self._now_ms)
        self._visitors[key] = self._changed[key] = after
        self._wrong[key[0]] += 1

    # The same code and state again

    def _repeated(self, visit: Visit, found: Found) -> Recent | None:
        """Return the success that this visit repeats. Without a state, the visitor's address tells who comes again."""
        if visit.channel != "redirect" or not visit.uses:
            return None
        for one in reversed(self._recent.get(found.id, [])):
            if one.state == visit.state and (visit.state or one.visitor == visit.visitor):
                return one
        return None

    def _remember_success(self, one: Waiting, found: Found) -> None:
        recent = Recent(
            code=found.id,
            redemption=_redemption_id(one),
            state=one.visit.state,
            visitor=one.visit.visitor,
            uses_left=codes.uses_left(found.code),
            valid_until_ms=codes.expires_ms(found.code),
        )
        if one.visit.channel == "redirect":
            self._recent.setdefault(found.id, []).append(recent)

    def _again(self, one: Waiting, found: Found, first: Recent) -> Redemption:
        return structs.replace(
            self._redemption(one, Outcome.SUCCESS, found=found),
            id=first.redemption,
            uses_left=first.uses_left,
            valid_until_ms=first.valid_until_ms,
        )

    def _redemption(
        self, one: Waiting, outcome: Outcome, *, found: Found | None = None, wait_ms: int = 0
    ) -> Redemption:
        # What is not valid tells nothing about a code, not even whether there is one.
        known = found if outcome is not Outcome.INVALID else None
        return Redemption(
            id=_redemption_id(one),
            service=one.visit.service,
            outcome=outcome,
            state=one.visit.state,
            at_ms=self._now_ms,
            code=known.id if known else None,
            test=bool(known and known.test),
            uses_left=codes.uses_left(known.code) if known else None,
            valid_until_ms=codes.expires_ms(known.code) if known else None,
            wait_ms=wait_ms,
        )

    # What must be remembered

    def _with_handle(self, redemption: Redemption, visit: Visit) -> Redemption:
        settings = self._catalog.services[visit.service].settings
        if visit.channel != "redirect" or settings.return_mode != "handle":
            return redemption
        handle, row = returns.make_handle(redemption, settings, self._now_ms, self._ports.random_bytes)
        self._handles.append(row)
        return structs.replace(redemption, handle=handle)

    def _is_kept(self, visit: Visit, redemption: Redemption, reason: str | None) -> bool:
        """Whether an attempt is stored: all that change something are, and a few of each visitor's others."""
        outcome = redemption.outcome
        if outcome is Outcome.INVALID or (outcome is Outcome.SUCCESS and reason is None):
            return True
        if visit.idempotency is not None or not visit.known:
            return True  # merchants' servers have keys, addresses and a rate
        key = _key(visit)
        after = guessing.after_nothing(self._limits, self._visitors.get(key, Visitor()), self._now_ms)
        if after is None:
            return False
        self._visitors[key] = self._changed[key] = after
        return True

    def _record(self, one: Waiting, redemption: Redemption, reason: str | None) -> None:
        visit = one.visit
        _, found = self._find(one)
        self._attempts.append(
            Attempt(
                id=one.id,
                service=visit.service,
                code=found.id if found and redemption.outcome is not Outcome.THROTTLED else None,
                at_ms=self._now_ms,
                visitor=visit.visitor,
                outcome=redemption.outcome.value,
                redemption=redemption.id,
                channel=visit.channel,
                reason=reason,
                state=visit.state,
                uses_left=redemption.uses_left,
                valid_until_ms=redemption.valid_until_ms,
                latency_ms=self._ports.clock.monotonic_ms() - one.arrived_ms,
            )
        )
        asked = visit.idempotency
        if asked is not None and redemption.outcome is not Outcome.THROTTLED:  # nothing was decided: they come again
            row = idempotency.answered(self._ports, asked, msgspec.json.encode(redemption), self._now_ms)
            self._answered[asked.caller, asked.key] = row
            self._answers.append(row)

    async def write(self, transaction: Transaction) -> None:
        """Store everything that was decided."""
        await store.use(transaction, list(self._uses.values()))
        await attempts.record(transaction, self._attempts)
        await redemptions.remember(transaction, self._answers, self._handles)
        await outbox.insert(transaction, self._events)
        hour = self._now_ms // HOUR_MS
        await guesses.remember(
            transaction,
            [guesses.row_of(key, self._changed[key]) for key in sorted(self._changed)],
            [FailuresRow(service=name, hour=hour, failures=self._wrong[name]) for name in sorted(self._wrong)],
        )

    def tell(self) -> None:
        """Log what was decided; after the commit."""
        for attempt in self._attempts:
            log.info(
                "code.attempt",
                attempt=attempt.id,
                code=attempt.code,
                service=attempt.service,
                outcome=attempt.outcome,
                reason=attempt.reason,
            )
        for service in self._wrong:
            load = self._load(service)
            before = load.hour - self._wrong[service]
            if before < self._limits.service_failures_per_hour <= load.hour:
                log.error("service.guessed_at", service=service, failures_in_an_hour=load.hour)
            if load.day - self._wrong[service] < self._limits.service_failures_per_day <= load.day:
                log.critical("service.closed_for_guessing", service=service, failures_in_a_day=load.day)


def _key(visit: Visit) -> Key:
    return visit.service, guessing.visitor_key(visit.visitor)


def _redemption_id(one: Waiting) -> str:
    return f"red_{one.id.removeprefix('att_')}"
