"""A campaign of kills while people pay: the daemon dies again and again, and the operator's own ledger is the judge.

Buyers are merchants' servers that ask with an Idempotency-Key until they are answered. Each has a phone of its own,
whose number says what it answers and what goes wrong when it is charged (simulator/subscribers.py). So each phone may
have been charged once at most, and whether it was, the payment must say.
"""

import asyncio
import sys
import time
from collections import Counter
from contextlib import suppress
from random import Random
from typing import Any, Final

import aiohttp

from smsgw.domain.payments import Fact, Status, fold
from smsgw.simulator.billing import Billing
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
    },
}
MAIN: Final[dict[str, Any]] = {
    "payments": {
        "prompt_s": 30.0,
        "confirm_s": 25.0,
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
    "products": {"gold-250": {"title": {"en": "250 gold"}, "units": 250, "tariffs": ["small"]}},
    "tariffs": {
        "small": {
            "amount_minor": 250,
            "currency": "EUR",
            "operators": {"one": {"charge": "billed", "short_code": "7250", "service_type": "T250"}},
        }
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
_MOST_BUYERS: Final = 2_400  # each has a phone of its own
_DRAIN_S: Final = 240.0
_CALM: Final = "('succeeded', 'failed', 'declined', 'expired', 'canceled', 'charge_unknown')"


class PaymentCampaign:
    """The kills, and what must be true after them.

    Args:
        random: decides when.
        smsc: the operator, with its till and its phones.
        billing: its ledger.
        daemon: dies.
        books: its database.
        token: an API key.
    """

    def __init__(
        self, random: Random, smsc: Smsc, billing: Billing, *, daemon: Daemon, books: Books, token: str
    ) -> None:
        self.kills = 0
        self.paid: dict[str, str] = {}  # {phone: payment}
        self._random = random
        self._smsc = smsc
        self._billing = billing
        self._daemon = daemon
        self._books = books
        self._headers = {"Authorization": f"Bearer {token}"}
        self._started = 0
        self._ports: list[int] = []  # of the daemons that live

    async def run(self, kills: int) -> None:
        """Kill so many times while buyers buy, then let it live and work off everything."""
        began = time.monotonic()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3.0)) as session:
            buyers = [asyncio.ensure_future(self._buy_on(session)) for _ in range(_BUYERS)]
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
            buyers = [asyncio.ensure_future(self._buy_on(session)) for _ in range(_BUYERS)]
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

    async def _buy_on(self, session: aiohttp.ClientSession) -> None:
        while self._started < _MOST_BUYERS:
            await self._buy(session)

    async def _buy(self, session: aiohttp.ClientSession) -> None:
        """Ask for a payment until there is an answer, as a merchant's server would."""
        number = self._started
        self._started += 1
        [kind] = self._random.choices(list(KINDS), weights=list(KINDS.values()))
        phone = f"359{87 + number // 1000}{number % 1000:03}{kind}"
        await self._ask(session, phone, f"order-{number}")

    async def _ask(self, session: aiohttp.ClientSession, phone: str, name: str) -> None:
        body = {"merchant": "gold", "product": "gold-250", "msisdn": f"+{phone}", "merchant_reference": name}
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                port = self._random.choice(self._ports or [1])  # 1: nobody listens there; none has started yet
                url = f"http://127.0.0.1:{port}/v1/payments"
                headers = {**self._headers, "Idempotency-Key": name}
                async with session.post(url, json=body, headers=headers) as response:
                    told = await response.json()
                    if response.status == 201:
                        self.paid[phone] = told["id"]
                        return
                    if response.status not in {429, 500, 503} and told.get("code") != "idempotency_in_progress":
                        raise AssertionError(f"{response.status}: {told}")
            await asyncio.sleep(0.02)

    async def _drain(self, session: aiohttp.ClientSession) -> None:
        """Let everything come to its end: no payment may be stuck."""
        last = f"order-{self._started}"
        await self._ask(session, "359899999000", last)
        deadline = time.monotonic() + _DRAIN_S
        while await self._books.number(f"select count(*) from payments where status not in {_CALM}"):
            assert time.monotonic() < deadline, f"payments are stuck: {await self._stuck()}"
            await asyncio.sleep(0.2)
        assert await self._daemon.stop() == 0

    async def _stuck(self) -> str:
        rows = await self._books.rows(
            f"select id, status, msisdn, due_ms - created_ms from payments where status not in {_CALM}"
        )
        return f"{rows[:5]}\n{self._daemon.tail()}"

    def _figures(self, seconds: float) -> str:
        return (
            f"{self.kills} kills in {seconds:.0f} s: {len(self.paid)} payments, "
            f"{len(self._billing.charges)} charges in the operator's ledger"
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
        for phone, name in self.paid.items():
            assert known[phone][0] == name
        for name, _, status in rows:
            assert await self._fold(name) == status
        await self._check_events()
        return Counter(status for _, _, status in rows)

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
