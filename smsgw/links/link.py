"""One operator, supervised: its binds are made, kept and made again, and never wait for another operator's."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable
from itertools import count
from typing import Final

from msgspec import Struct

from smsgw.domain.statuses import Rules
from smsgw.errors import BindError, SessionError, SmsgwError, StoreBroken
from smsgw.flows.payments.desk import Payments
from smsgw.flows.ports import Ports
from smsgw.flows.receive import Receiver
from smsgw.flows.send import Outbox
from smsgw.kit import tls
from smsgw.kit.limits import Backoff, Throttle
from smsgw.kit.logs import get_logger
from smsgw.kit.passwords import Passwords
from smsgw.kit.tasks import Supervisor
from smsgw.kit.wire import Wire
from smsgw.links.connection import Connection, Factory, Parts
from smsgw.links.hosts import Tour
from smsgw.links.listener import Guest, Listener
from smsgw.links.senders import Senders
from smsgw.links.trace import Tracing
from smsgw.settings import LinkSettings, places
from smsgw.smpp.events import Event
from smsgw.smpp.pdus import Pdu

log = get_logger(__name__)

_KINDS: Final = {"transceiver": ("transceiver",), "separate": ("receiver", "transmitter")}
_STEADY_MS: Final = 10_000  # a bind that lasted this long was a success: the pauses begin anew


class Berth(Struct, frozen=True, kw_only=True):
    """A place for one bind of a link."""

    kind: str
    name: str
    tour: Tour


class _Told(Struct, frozen=True):
    """What every line about a connection says."""

    link: str
    bind: str
    address: tuple[str, int] | None  # where it was made to; None: the peer has made it
    connection: Connection

    def fields(self) -> dict[str, str]:
        host, port = self.address or self.connection.wire().ends[1]
        return {"link": self.link, "bind": self.bind, "peer": f"{host}:{port}"}


class Link:
    """Keeps the binds of one operator.

    Args:
        ports: the world.
        name: the link's name.
        settings: its settings.
        passwords: for its binds, and of the SMSC when that comes to us.
        receiver: takes what arrives.
        context: what its connections are made with; None: without TLS.
        payments: hears what comes of messages about payments.
    """

    def __init__(
        self,
        ports: Ports,
        name: str,
        settings: LinkSettings,
        passwords: Passwords,
        receiver: Receiver,
        *,
        context: ssl.SSLContext | None = None,
        payments: Payments | None = None,
    ) -> None:
        self.name = name
        self.outbox = Outbox(ports, name, settings, self._wake, payments)
        self._ports = ports
        self._settings = settings
        self._passwords = passwords
        self._context = context
        self._senders = Senders(
            name, self.outbox, Throttle(settings.rate_per_s), Rules(settings.status), ports.clock.monotonic_ms
        )
        self._parts = Parts(ports=ports, link=name, settings=settings, receiver=receiver, senders=self._senders)
        self._addresses = settings.addresses
        self._berths = self._make_berths() if self._addresses else []
        self._live: dict[str, Connection] = {}
        self._guests = count(1)
        self._alarm: tuple[str, str] | None = None  # what a person was told to mend
        self._tracing: Tracing | None = None
        self._stopping = False
        self._waking = False

    def _make_berths(self) -> list[Berth]:
        settings = self._settings

        def backoff() -> Backoff:
            first_ms, ceiling_ms = settings.reconnect_first_s * 1000, settings.reconnect_ceiling_s * 1000
            return Backoff(int(first_ms), int(ceiling_ms), random=self._ports.random)

        return [
            Berth(
                kind=kind,
                name=f"{kind} {number + 1}" if settings.binds > 1 else kind,
                tour=Tour(len(self._addresses), number, backoff),
            )
            for number in range(settings.binds)
            for kind in _KINDS[settings.bind]
        ]

    @property
    def bound(self) -> bool:
        """Whether every bind of the link stands; of those that the SMSC asks for, whether there is one."""
        live = self._live
        own = all(berth.name in live and live[berth.name].bound for berth in self._berths)
        return own if self._berths else any(one.bound for one in live.values())

    def start(self, supervisor: Supervisor) -> None:
        """Begin to keep the binds, and to read back what waits to be sent."""
        supervisor.start(f"outbox {self.name}", self.outbox.run)
        for berth in self._berths:
            supervisor.start(f"{self.name} {berth.name}", lambda berth=berth: self._keep(berth))  # type: ignore[misc]  # mypy can't type a lambda's default
        if self._settings.listen:
            place = places.parse(self._settings.listen, 0)
            assert place is not None
            listener = Listener(self.name, place, self._settings.binds, self._welcome)
            supervisor.start(f"{self.name} listener", listener.run)

    async def _keep(self, berth: Berth) -> None:
        now_ms = self._ports.clock.monotonic_ms
        while not self._stopping:
            host, wait_ms = berth.tour.choose(now_ms())
            if wait_ms:
                await asyncio.sleep(wait_ms / 1000)
                continue
            began_ms = now_ms()
            slow = await self._live_once(berth, host)
            lasted = now_ms() - began_ms >= _STEADY_MS
            slow_ms = int(self._settings.credentials_retry_s * 1000) if slow else None
            berth.tour.ended(host, now_ms(), lasted=lasted, slow_ms=slow_ms)
        await asyncio.Event().wait()  # until the supervisor ends it

    async def _live_once(self, berth: Berth, host: int) -> bool:
        """Make one bind and stay with it to its end; return whether to wait long before the next."""
        connection = Connection(self._parts, berth.kind, berth.name)
        address = self._addresses[host]
        back = None
        if host != berth.tour.home:
            back = asyncio.ensure_future(self._go_home(berth, connection))
        life = connection.run(self._passwords.bind, self._tracing, lambda factory: self._connect(address, factory))
        try:
            return await self._live_through(connection, berth.name, address, life)
        finally:
            if back is not None:
                back.cancel()

    async def _live_through(
        self, connection: Connection, name: str, address: tuple[str, int] | None, life: Awaitable[str]
    ) -> bool:
        """Stay with a connection, and tell how it ended; return whether only a person can mend that."""
        told = _Told(self.name, name, address, connection)
        self._live[name] = connection
        try:
            reason = await life
        except BindError as error:
            self._tell_alarm("link.bind_refused", str(error), told, first_only=error.credentials)
            return error.credentials
        except StoreBroken:
            raise
        except ssl.SSLError as error:
            self._tell_alarm("link.tls_failed", tls.reason(error), told, first_only=True)
            return True
        except (OSError, TimeoutError, UnicodeError) as error:  # UnicodeError: what is no name at all, says the library
            what = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            log.warning("link.unreachable", **told.fields(), error=what)
        except SmsgwError as error:
            log.warning("link.failed", **told.fields(), error=str(error))
        else:
            self._alarm = None
            tell = log.info if self._stopping or reason in {"unbound", "inactive"} else log.warning
            tell("link.lost", **told.fields(), reason=reason)
        finally:
            connection.abort()
            self._live.pop(name, None)
        return False

    def _tell_alarm(self, event: str, error: str, told: "_Told", *, first_only: bool) -> None:
        """Tell what a person must mend once, however many binds meet it, and however often, until one stands again."""
        tell = log.info if first_only and self._alarm == (event, error) else log.error
        self._alarm = (event, error)
        tell(event, **told.fields(), error=error)

    async def _connect(self, address: tuple[str, int], factory: Factory) -> Wire[Event]:
        settings = self._settings
        _, wire = await asyncio.get_running_loop().create_connection(
            factory,
            *address,
            local_addr=(settings.source_host, 0) if settings.source_host else None,
            ssl=self._context,
            server_hostname=(settings.tls_server_name or address[0]) if self._context else None,
        )
        return wire

    async def _go_home(self, berth: Berth, connection: Connection) -> None:
        """End a bind at another host, its messages finished, when its own host takes connections again."""
        address = self._addresses[berth.tour.home]
        while True:
            await asyncio.sleep(self._settings.host_return_s)
            if connection.bound and await self._answers(address):
                berth.tour.expect(berth.tour.home)
                await connection.stop()
                return

    async def _answers(self, address: tuple[str, int]) -> bool:
        source = (self._settings.source_host, 0) if self._settings.source_host else None
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                _, writer = await asyncio.open_connection(*address, local_addr=source)
        except (OSError, TimeoutError, UnicodeError):
            return False
        writer.close()
        return True

    def _welcome(self) -> Guest:
        """Make what serves a connection that somebody has made to us."""
        kind = _KINDS[self._settings.bind][0]
        name = f"{kind} outbind {next(self._guests)}"
        connection = Connection(self._parts, kind, name)
        life = connection.serve(self._passwords, self._tracing)
        return Guest(connection.wire(), self._live_through(connection, name, None, life), lambda: connection.bound)

    def trace(self, tracing: Tracing | None) -> None:
        """Look at what travels on every bind, from now on; None: no more."""
        self._tracing = tracing
        for connection in self._live.values():
            connection.trace(tracing)

    @property
    def can_ask(self) -> bool:
        """Whether ``ask`` could send now."""
        return any(connection.free for connection in self._live.values())

    @property
    def room(self) -> int:
        """How many billed messages could be sent now, beside those that wait already."""
        return (
            sum(connection.free for connection in self._live.values() if connection.bound) - self.outbox.billed_waiting
        )

    async def ask(self, request: Pdu) -> Pdu:
        """Send a request that is no message on the bind with most room, and return its response.

        Raises:
            SessionError: there is none, or the SMSC did not answer.
        """
        connection = max(self._live.values(), key=lambda one: one.free, default=None)
        if connection is None or not connection.free:
            raise SessionError("no bind can send now")
        return await connection.ask(request)

    def _wake(self) -> None:
        """Have the binds send, once for all that wake them in this turn of the loop."""
        if not self._waking:
            self._waking = True
            # One turn later, so that the acknowledgements of the messages that cause an answer are written before it.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._pump)

    def _pump(self) -> None:
        self._waking = False
        self._senders.pump()

    async def stop(self, deadline_s: float) -> None:
        """Finish what is in flight and unbind, within the budget; then close."""
        self._stopping = True
        connections = list(self._live.values())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s), asyncio.TaskGroup() as group:
                for connection in connections:
                    group.create_task(connection.stop())
        for connection in connections:
            connection.abort()
        self._senders.close()
