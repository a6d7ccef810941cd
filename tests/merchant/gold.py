"""The sample site that sells gold, and events as the gateway posts them, signed by a library that nobody here wrote."""

import asyncio
import itertools
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from msgspec import structs
from standardwebhooks import Webhook

from smsgw.domain.payments import EventType, Status
from smsgw.flows.payments.events import Payment, PaymentEvent
from smsgw.flows.secrets import told
from smsgw.kit.clock import SystemClock
from smsgw.kit.ids import IdMaker
from tests.merchant.shops import serving
from tests.peers.programs import free_port

NEW, OLD, OTHER = told(b"n" * 32), told(b"o" * 32), told(b"x" * 32)
HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
NUMBERS: Final = itertools.count(1)
_ids = IdMaker(SystemClock(), secrets.token_bytes)


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """A request to the merchant's webhook_url."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


def payment(**changes: Any) -> Payment:
    """Return a payment as merchants see it, which was paid."""
    fields: dict[str, Any] = {
        "id": _ids.new("pay"),
        "merchant": "gold",
        "merchant_reference": f"order {next(NUMBERS)}",
        "status": Status.SUCCEEDED,
        "reason": None,
        "product": "gold",
        "units": 250,
        "amount_minor": 250,
        "currency": "EUR",
        "refunded_minor": 0,
        "operator": "north",
        "msisdn": "35988…67",
        "method": None,
        "state": "",
        "test": False,
        "sequence": 3,
        "discrepancy": None,
        "created_at": "2026-03-01T12:00:00Z",
        "confirm_by": "2026-03-01T12:10:00Z",
        "confirmed_at": None,
        "settled_at": None,
    }
    return Payment(**(fields | changes))


def event(kind: EventType, about: Payment, **changes: Any) -> bytes:
    """Return the body of an event."""
    one = PaymentEvent(type=kind, timestamp="2026-03-01T12:00:03Z", data=structs.replace(about, **changes))
    return msgspec.json.encode(one)


def signed(body: bytes, secret: str = NEW, *, name: str = "", age_s: float = 0) -> Posted:
    """Return what is posted of an event."""
    name, at = name or _ids.new("evt"), datetime.now(UTC) - timedelta(seconds=age_s)
    signature = Webhook(secret).sign(name, at, body.decode())
    return Posted(headers=dict(zip(HEADERS, (name, str(int(at.timestamp())), signature), strict=True)), body=body)


class GoldShop:
    """The running site, and what it keeps."""

    def __init__(self, port: int, folder: Path, log: Path) -> None:
        self.port = port
        self.folder = folder
        self.log = log

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def take(self, *requests: Posted) -> list[int]:
        """Post events, all at once; return the statuses."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:

            async def post(one: Posted) -> int:
                async with session.post(f"{self.url}/hook", data=one.body, headers=one.headers) as answer:
                    return answer.status

            return list(await asyncio.gather(*map(post, requests)))

    def goods(self, about: Payment) -> int:
        """Return how often goods were handed out for a payment."""
        kept = (self.folder / "goods" / about.id).exists()
        times = self.log.read_text().count(f"goods for {about.merchant_reference}: 250 of gold\n")
        assert kept == (times > 0)
        return times

    def note(self, one: Posted) -> Path:
        """Return the file of a note about an event."""
        return self.folder / "notes" / one.id

    def events(self, about: Payment) -> list[int]:
        """Return the sequence numbers of what was kept about a payment, in the order in which it is kept."""
        files = sorted((self.folder / "events" / about.id).glob("*"))
        return [json.loads(file.read_bytes())["data"]["sequence"] for file in files]


@contextmanager
def gold(language: str, folder: Path, **settings: str) -> Iterator[GoldShop]:
    """Run the site; with the same folder again it is the next life of it."""
    port = int(settings.pop("port", 0)) or free_port()
    given = {
        "SMSGW_API": "http://127.0.0.1:1/v1",
        "SMSGW_API_KEY": "smsgw_test_none",
        "SMSGW_MERCHANT": "gold",
        "SMSGW_WEBHOOK_SECRETS": f"{NEW} {OLD}",
        "SMSGW_RETURN_KEYS": "",
        "SMSGW_FOLDER": str(folder / "kept"),
    }
    (folder / "kept").mkdir(exist_ok=True)
    with serving(language, "gold", port, given | settings, folder / "log"):
        yield GoldShop(port, folder / "kept", folder / "log")
