"""A campaign of kills while people pay: the daemon dies again and again, and the operator's own ledger is the judge.

Buyers are merchants' servers that ask with an Idempotency-Key until they are answered. Each has a phone of its own,
whose number says what it answers and what goes wrong when it is charged (simulator/subscribers.py). So each phone may
have been charged once at most, and whether it was, the payment must say. Half of them pay by billed messages, half by
the operator's HTTP API, which gives some of the money back.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, Final

import aiohttp

from smsgw.domain.payments import Fact, Status, fold
from smsgw.simulator.billing import Billing
from smsgw.simulator.direct import Declined, Purchase, Throttled, Told
from smsgw.simulator.smsc import Smsc
from tests.system.books import Books
from tests.system.daemon import PATIENCE_S, Daemon

LINK: Final[dict[str, Any]] = {
    "receipts": True,
    "prefixes": ["359"],
    "country": "BG",
    "window": 20,
    "response_timeout_s": 1.0,
    "retry_first_s": 0.1,
    "retry_ceiling_s": 0.5,
    "charging": {
        "billed": {"way": "mt", "validity_s": 5.0, "receipt_grace_s": 5.0, "receipt_errors": {"052": "progress"}},
        "api": {"way": "direct", "credentials_file": "password", "timeout_s": 1.0, "refunds": True},
    },
}
MAIN: Final[dict[str, Any]] = {
    "payments": {
        "prompt_s": 30.0,
        "confirm_s": 14.0,
        "grace_s": 1.0,
        "charge_start_s": 100.0,
        "prompts_per_range": 0,
        "prompts_per_number": 1000,
        "answers_per_number": 100,
    },
}
MERCHANT: Final[dict[str, Any]] = {
    "title": "Gold",
    "support": "help@gold.example",
    "reply_addresses": ["7700"],
    "return_url": "https://gold.example/back",
    "allowed_ips": ["127.0.0.1"],
    "products": {
        "gold-250": {"title": {"en": "250 gold"}, "units": 250, "tariffs": ["small"]},
        "gold-500": {"title": {"en": "500 gold"}, "units": 500, "tariffs": ["big"]},
    },
    "tariffs": {
        "small": {
            "amount_minor": 250,
            "currency": "EUR",
            "operators": {"one": {"charge": "billed", "short_code": "7250", "service_type": "T250"}},
        },
        "big": {"amount_minor": 500, "currency": "EUR", "operators": {"one": {"charge": "api"}}},
    },
}
# How often a phone of each kind buys; most are honest, for a fault has its own time.
KINDS: Final = {
    "9000": 40,
    "9001": 3,
    "9005": 2,
    "9006": 8,
    "9100": 3,
    "9101": 1,
    "9102": 4,
    "9103": 6,
    "9104": 4,
    "9105": 3,
    "9106": 4,
    "9107": 4,
    "9108": 4,
    "9112": 6,
    "9113": 5,
    "9116": 3,
}
_BUYERS: Final = 6  # that wait at a time
_REGRET: Final = 0.3  # of those who pay by the API
_MOST_BUYERS: Final = 2_400  # each has a phone of its own
_DRAIN_S: Final = 240.0
_CALM: Final = "('succeeded', 'failed', 'declined', 'expired', 'canceled', 'charge_unknown')"


class Witness:
    """Stands before the operator's API: our simulated one charges a reference once, real ones may not.

    So an attempt may be made again only when the operator has said for certain that nothing was charged.

    Args:
        charge: the operator's own.
    """

    def __init__(self, charge: Callable[[Purchase], Told]) -> None:
        self.calls = 0
        self.again: list[str] = []  # references that were charged, or may have been, and were asked for once more
        self._charge = charge
        self._taken: set[str] = set()

    def charge(self, purchase: Purchase) -> Told:
        """Charge, and remember."""
        name = purchase.reference
        self.calls += 1
        if name in self._taken:
            self.again.append(name)
        self._taken.add(name)
        try:
            return self._charge(purchase)
        except (Declined, Throttled):
            self._taken.discard(name)
            raise


class PaymentCampaign:
    """The kills, and what must be true after them.

    Args:
        random: decides when.
        smsc: the operator, with its till and its phones.
        billing: its ledger.
        witness: of what its API was asked.
        daemon: dies.
        books: its database.
        token: an API key.
    """

    def __init__(
        self,
        random: Random,
        smsc: Smsc,
        billing: Billing,
        witness: Witness,
        *,
        daemon: Daemon,
        books: Books,
        token: str,
    ) -> None:
        self.kills = 0
        self.paid: dict[str, str] = {}  # {phone: payment}
        self._random = random
        self._smsc = smsc
        self._billing = billing
        self._witness = witness
        self._regretted: list[str] = []  # payments whose merchant gives back what was taken
        self._daemon = daemon
        self._books = books
        self._headers = {"Authorization": f"Bearer {token}"}
        self._started = 0
        self._ports: list[int] = []  # of the daemons that live

    async def run(self, kills: int) -> None:
        """Kill so many times while buyers buy, then let it live and work off everything."""
        began = time.monotonic()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3.0)) as session:
            buyers = self._people(session)
            try:
                for _ in range(kills):
                    await self._start()
                    await asyncio.sleep(self._random.choice((0.05, 0.3, 1.2)) * self._random.random())
                    await self._daemon.kill()
                    self.kills += 1
                await self._start()
                await asyncio.sleep(0.5)
            finally:
                await _end(buyers)
            await self._drain(session)
        sys.stdout.write(f"{self._figures(time.monotonic() - began)}\n")

    async def run_two(self, other: Daemon, seconds: float) -> None:
        """Let two daemons on one database sell; after a time one of them dies for good, and the other works off all."""
        began = time.monotonic()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3.0)) as session:
            await self._start()
            other.start()
            await other.until_told("link.bound")
            self._ports.append(int((await other.until_told("web.listening"))["port"]))
            buyers = self._people(session)
            try:
                await asyncio.sleep(seconds)
                await self._daemon.kill()
                self.kills += 1
                self._ports, self._daemon = self._ports[1:], other
                await asyncio.sleep(seconds)
            finally:
                await _end(buyers)
            await self._drain(session)
        sys.stdout.write(f"{self._figures(time.monotonic() - began)}\n")

    async def _start(self) -> None:
        self._daemon.start()
        self._ports = [int((await self._daemon.until_told("web.listening"))["port"])]
        async with asyncio.timeout(PATIENCE_S):
            await self._smsc.until_bound()
        await asyncio.sleep(0.02)

    def _people(self, session: aiohttp.ClientSession) -> list[asyncio.Task[None]]:
        buyers = [asyncio.ensure_future(self._buy_on(session)) for _ in range(_BUYERS)]
        return [*buyers, asyncio.ensure_future(self._give_back(session))]

    async def _buy_on(self, session: aiohttp.ClientSession) -> None:
        while self._started < _MOST_BUYERS:
            await self._buy(session)

    async def _buy(self, session: aiohttp.ClientSession) -> None:
        """Ask for a payment until there is an answer, as a merchant's server would."""
        number = self._started
        self._started += 1
        [kind] = self._random.choices(list(KINDS), weights=list(KINDS.values()))
        phone = f"359{87 + number // 1000}{number % 1000:03}{kind}"
        await self._ask(session, phone, f"order-{number}", "gold-500" if number % 2 else "gold-250")

    async def _ask(self, session: aiohttp.ClientSession, phone: str, name: str, product: str = "gold-250") -> None:
        body = {"merchant": "gold", "product": product, "msisdn": f"+{phone}", "merchant_reference": name}
        told = await self._post(session, "/v1/payments", body, name)
        self.paid[phone] = told["id"]
        if product == "gold-500" and self._random.random() < _REGRET:
            self._regretted.append(told["id"])

    async def _post(
        self, session: aiohttp.ClientSession, path: str, body: dict[str, Any], key: str, *refusals: str
    ) -> dict[str, Any]:
        """Ask for something until there is an answer; return it, or a refusal that is expected."""
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                port = self._random.choice(self._ports or [1])  # 1: nobody listens there; none has started yet
                headers = {**self._headers, "Idempotency-Key": key}
                async with session.post(f"http://127.0.0.1:{port}{path}", json=body, headers=headers) as response:
                    told: dict[str, Any] = await response.json()
                    if response.status == 201 or told.get("code") in refusals:
                        return told
                    if response.status not in {429, 500, 503} and told.get("code") != "idempotency_in_progress":
                        raise AssertionError(f"{response.status}: {told}")
            await asyncio.sleep(0.02)

    async def _give_back(self, session: aiohttp.ClientSession) -> None:
        """Give back more than half of what a payment took, twice at once: for the second time too little is left."""
        while True:
            await asyncio.sleep(0.02)
            if not self._regretted:
                continue
            payment, body = self._regretted.pop(0), {"amount_minor": 300, "reason": "regret"}
            path, refusals = f"/v1/payments/{payment}/refunds", ("not_refundable", "too_much")
            keys = (f"first-{payment}", f"second-{payment}")
            answers = await asyncio.gather(*(self._post(session, path, body, key, *refusals) for key in keys))
            if {answer.get("code") for answer in answers} == {"not_refundable"}:
                self._regretted.append(payment)  # it may be paid later

    async def _drain(self, session: aiohttp.ClientSession) -> None:
        """Let everything come to its end: no payment may be stuck."""
        last = f"order-{self._started}"
        await self._ask(session, "359899999000", last)
        deadline = time.monotonic() + _DRAIN_S
        while await self._unsettled():
            assert time.monotonic() < deadline, f"payments are stuck: {await self._stuck()}"
            await asyncio.sleep(0.2)
        assert await self._daemon.stop() == 0

    async def _unsettled(self) -> bool:
        """Whether something is to come: a payment, money back, or what the operator's API says when it is asked."""
        if await self._books.number(f"select count(*) from payments where status not in {_CALM}"):
            return True
        if await self._books.number("select count(*) from refunds where status = 'pending'"):
            return True
        rows = await self._books.rows("select msisdn from payments where status = 'charge_unknown' and way = 'direct'")
        return not {phone for (phone,) in rows}.isdisjoint(entry.msisdn for entry in self._billing.charges)

    async def _stuck(self) -> str:
        rows = await self._books.rows(
            f"select id, status, msisdn, due_ms - created_ms from payments where status not in {_CALM}"
        )
        return f"{rows[:5]}\n{self._daemon.tail()}"

    def _figures(self, seconds: float) -> str:
        return (
            f"{self.kills} kills in {seconds:.0f} s: {len(self.paid)} payments, "
            f"{len(self._billing.charges)} charges in the operator's ledger, {self._witness.calls} calls of its API, "
            f"{len(self._billing.refunds)} refunds"
        )

    # What must be true

    async def check(self) -> Counter[str]:
        """Compare the operator's ledger with ours; return how many payments ended how."""
        rows = await self._books.rows("select id, msisdn, status from payments")
        assert len(rows) == len({phone for _, phone, _ in rows}), "a phone was asked for two payments"
        charged = Counter(entry.msisdn for entry in self._billing.charges)
        assert [phone for phone, times in charged.items() if times > 1] == [], "charged twice"
        known = {phone: (name, status) for name, phone, status in rows}
        assert set(charged) <= set(known)
        for phone, (name, status) in known.items():
            if status == Status.SUCCEEDED:
                assert charged[phone] == 1, await self._story(name)
            elif status != Status.UNKNOWN:
                assert charged[phone] == 0, await self._story(name)
        assert self._witness.again == [], "an attempt that may have been charged was made again"
        await self._check_refunds()
        for phone, name in self.paid.items():
            assert known[phone][0] == name
        for name, _, status in rows:
            assert await self._fold(name) == status
        await self._check_events()
        return Counter(status for _, _, status in rows)

    async def _check_refunds(self) -> None:
        """What went back is what we know of, once under each name, and never more than was charged."""
        rows = await self._books.rows("select id, amount_minor from refunds where status = 'succeeded'")
        gone = [(refund.reference, refund.amount_minor) for refund in self._billing.refunds]
        assert sorted(gone) == sorted(rows)
        sums = await self._books.rows("select amount_minor, refunded_minor from payments where refunded_minor > 0")
        assert all(back <= taken for taken, back in sums)
        assert sum(back for _, back in sums) == sum(amount for _, amount in gone)

    async def _fold(self, payment: str) -> str:
        rows = await self._books.rows(f"select kind from facts where payment = '{payment}' order by place")
        return fold([Fact(kind) for (kind,) in rows]).value

    async def _check_events(self) -> None:
        """Each payment's events are numbered from 1 without a gap, and its last one is the payment's."""
        rows = await self._books.rows("select subject, place from events order by subject, place")
        places: dict[str, list[int]] = {}
        for subject, place in rows:
            places.setdefault(subject, []).append(place)
        seqs: dict[str, int] = dict(await self._books.rows("select id, seq from payments"))
        for payment, seq in seqs.items():
            assert places.get(payment, []) == list(range(1, seq + 1))

    async def _story(self, payment: str) -> str:
        rows = await self._books.rows(f"select kind, told from facts where payment = '{payment}' order by place")
        return "\n".join(f"{kind} {told[:200]}" for kind, told in rows)


async def _end(buyers: list[asyncio.Task[None]]) -> None:
    """End buyers; one that was refused for no reason that is expected is an error."""
    for buyer in buyers:
        buyer.cancel()
    await asyncio.wait(buyers)
    for buyer in buyers:
        if not buyer.cancelled():
            buyer.result()
