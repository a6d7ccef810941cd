"""A merchant in simulated time: what was posted to them, and what they answer."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from smsgw.flows.ports import Letter, Posted
from smsgw.flows.redeem import Verifier
from smsgw.flows.visits import Visit
from smsgw.flows.webhooks import Webhooks
from smsgw.settings import Guessing, ServiceSettings, Webhooks as WebhookSettings
from tests.flows.world import SUN, World, changed, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.servers.engines import Engine

URL: Final = "https://sun.example/hook"
HOOKED: Final = changed(SUN, webhook_url=URL)
TAKEN: Final = Posted(http_status=200, error=None)
BUSY: Final = Posted(http_status=500, error="HTTP status 500")


class Merchant:
    """A ``Poster`` that remembers; ``answer`` says what comes of each letter."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.answer: Callable[[Letter], Posted] = lambda _: TAKEN
        self.open = asyncio.Event()  # nobody is answered while it is not set
        self.open.set()
        self.heard = asyncio.Event()
        self.waiting = 0
        self.most_waiting = 0

    async def post(self, letter: Letter) -> Posted:
        self.letters.append(letter)
        self.heard.set()
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
        return self.answer(letter)

    @property
    def ids(self) -> list[str]:
        return [letter.id for letter in self.letters]


class Shop(World):
    """A world with a way out."""

    merchant: Merchant
    hooks: Webhooks

    async def work(self) -> None:
        """Do all that is to be done now."""
        await turn(self.hooks)

    async def later(self, seconds: float) -> None:
        """Let time go by, and do what is due then."""
        self.clock.advance(round(seconds * 1000))
        await self.work()

    async def deliveries(self) -> list[tuple[Any, ...]]:
        return await self.rows("events", "type", "status", "tries")

    async def use(self, code: str, state: str = "") -> None:
        """Bring a code."""
        verifier = Verifier(self.ports, self.catalog, Guessing(), self.hooks.wake)
        await verifier.redeem(Visit(service="sun", typed=code, visitor="192.0.2.1", state=state), 60.0)
        await verifier.close()


async def turn(hooks: Webhooks) -> None:
    """Let one node record and claim until nothing is left to do that does not wait for somebody."""
    while True:
        hooks._turns._woken.clear()
        await hooks.turn()
        for _ in range(5):
            await asyncio.sleep(0)
        if not hooks._turns._woken.is_set():
            return


@asynccontextmanager
async def shop(
    engine: "Engine",
    *,
    settings: WebhookSettings | None = None,
    services: Mapping[str, ServiceSettings] | None = None,
    merchant: Merchant | None = None,
    **changes: Any,
) -> "AsyncIterator[Shop]":
    """Open a world whose merchants are told what happens; opened again, it is the next life of the daemon."""
    services = services or {"sun": HOOKED}
    async with world(engine, services=services, **changes) as one:
        one.__class__ = Shop
        assert isinstance(one, Shop)
        one.merchant = merchant or Merchant()
        one.hooks = Webhooks(one.ports, settings or WebhookSettings(), services, one.merchant)
        one.receiver._tell = one.hooks.wake
        await one.hooks.begin()
        try:
            yield one
        finally:
            one.database.open.set()
            await one.hooks.close(0.0)
