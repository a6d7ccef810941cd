"""The operator's charging API over HTTP: both dialects under one port, at ``/camara`` and ``/example``, one ledger.

See ``dialects`` for what they say, ``direct`` for what a charge is, and ``subscribers.MAGIC`` for what goes wrong.
"""

import asyncio
import base64
import os
from collections.abc import Callable
from typing import Final

from aiohttp import web
from msgspec import Struct

from smsgw.errors import StartError
from smsgw.kit.clock import Clock, SystemClock
from smsgw.simulator.billing import Billing
from smsgw.simulator.dialects import MANNER, Camara, Example, Handler, Repeats
from smsgw.simulator.direct import DirectCharging, Lost
from smsgw.simulator.subscribers import Subscribers

_BODY_BYTES: Final = 16 * 1024
_SHUTDOWN_S: Final = 0.1


class ChargingApiSettings(Struct, frozen=True, kw_only=True):
    """How the API behaves for everybody."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: any free port
    credentials: str = ""  # "user:password" or a bearer token, as the gateway's credentials_file; empty: none asked for
    repeats: Repeats = "replay"

    def __repr__(self) -> str:
        """Name the address only: settings end up in tracebacks."""
        return f"ChargingApiSettings({self.host}:{self.port})"


class ChargingApi:
    """The server.

    Args:
        billing: see DirectCharging.
        subscribers: see DirectCharging; its pace says how long answers take.
        settings: see ChargingApiSettings.
        clock: the wall clock stamps payments.

    Attributes:
        requests: how many came, by method and path.
    """

    def __init__(
        self,
        billing: Billing,
        subscribers: Subscribers | None = None,
        settings: ChargingApiSettings | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings or ChargingApiSettings()
        self.requests: dict[tuple[str, str], int] = {}
        self.core = DirectCharging(billing, subscribers, clock or SystemClock(), self._later)
        self._pace = (subscribers or Subscribers()).pace
        self._timers: set[asyncio.TimerHandle] = set()
        self._runner: web.AppRunner | None = None
        self._port = self.settings.port

    @property
    def camara_url(self) -> str:
        """The base address of one dialect, for a link's ``charging.<name>.url``."""
        return f"http://{self.settings.host}:{self._port}/camara"

    @property
    def example_url(self) -> str:
        """The base address of the other one."""
        return f"http://{self.settings.host}:{self._port}/example"

    async def start(self) -> int:
        """Listen; return the port.

        Raises:
            StartError: the port is taken, or the address is not this machine's.
        """
        app = web.Application(client_max_size=_BODY_BYTES, middlewares=[self._guard])
        Camara(self.core, self.settings.repeats).route(app)
        Example(self.core).route(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        host = self.settings.host
        try:
            await web.TCPSite(self._runner, host, self._port).start()
        except OSError as error:
            await self.stop()
            reason = error.strerror or error
            raise StartError(
                f"charging api: cannot listen on {host}:{self._port}: {reason}", os.EX_UNAVAILABLE
            ) from None
        self._port = self._runner.addresses[0][1]
        return self._port

    async def stop(self) -> None:
        """Close; what is pending stays so. ``start`` listens there again, with the same payments."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _later(self, delay_ms: int, what: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            what()

        timer = asyncio.get_running_loop().call_later(delay_ms / 1000, run)
        self._timers.add(timer)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count, check who asks, take the time that an answer takes."""
        key = (request.method, request.path)
        self.requests[key] = self.requests.get(key, 0) + 1
        if not self._is_known(request.headers.get("Authorization", "")):
            return web.json_response({"status": 401, "code": "UNAUTHENTICATED", "message": "Who asks?"}, status=401)
        if self._pace.response_ms:
            await request.read()  # who hangs up now has asked all the same
            await asyncio.sleep(self._pace.response_ms / 1000)
        try:
            answer = await handler(request)
        except Lost:
            return _hang_up(request)
        if request.get(MANNER) == "lost":
            return _hang_up(request)
        if request.get(MANNER) == "late":
            await asyncio.sleep(self._pace.late_response_ms / 1000)
        return answer

    def _is_known(self, authorization: str) -> bool:
        wanted = self.settings.credentials
        if not wanted:
            return True
        if ":" in wanted:
            return authorization == f"Basic {base64.b64encode(wanted.encode()).decode()}"
        return authorization == f"Bearer {wanted}"


def _hang_up(request: web.Request) -> web.Response:
    """Break the connection; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
