"""One operator, supervised: its binds are made, kept and made again, and never wait for another operator's."""

import asyncio
import contextlib
from typing import Final

from smsgw.errors import BindError, SessionError, SmsgwError, StoreBroken
from smsgw.flows.ports import Ports
from smsgw.flows.receive import Receiver
from smsgw.flows.send import Outbox
from smsgw.kit.limits import Backoff, TokenBucket
from smsgw.kit.logs import get_logger
from smsgw.kit.tasks import Supervisor
from smsgw.links.connection import Connection, Parts
from smsgw.links.trace import Tracing
from smsgw.settings import LinkSettings
from smsgw.smpp.pdus import Pdu

log = get_logger(__name__)

_KINDS: Final = {"transceiver": ("transceiver",), "separate": ("receiver", "transmitter")}
_STEADY_MS: Final = 10_000  # a bind that lasted this long was a success: the pauses begin anew
_BURST_S: Final = 0.1  # how much of a second's rate may go out at once


class Link:
    """Keeps the binds of one operator.

    Args:
        ports: the world.
        name: the link's name.
        settings: its settings.
        password: for its binds.
        receiver: takes what arrives.
    """

    def __init__(self, ports: Ports, name: str, settings: LinkSettings, password: str, receiver: Receiver) -> None:
        self.name = name
        self.outbox = Outbox(ports, name, settings, self._wake)
        self._ports = ports
        self._settings = settings
        self._password = password
        rate = settings.rate_per_s
        self._parts = Parts(
            ports=ports,
            link=name,
            settings=settings,
            receiver=receiver,
            outbox=self.outbox,
            bucket=TokenBucket(rate, max(1, int(rate * _BURST_S))) if rate else None,
        )
        self._live: dict[str, Connection] = {}
        self._tracing: Tracing | None = None
        self._stopping = False
        self._waking = False

    @property
    def bound(self) -> bool:
        """Whether every bind of the link stands."""
        return len(self._live) == len(_KINDS[self._settings.bind]) and all(one.bound for one in self._live.values())

    def start(self, supervisor: Supervisor) -> None:
        """Begin to keep the binds, and to read back what waits to be sent."""
        supervisor.start(f"outbox {self.name}", self.outbox.run)
        for kind in _KINDS[self._settings.bind]:
            supervisor.start(f"{self.name} {kind}", lambda kind=kind: self._keep(kind))  # type: ignore[misc]  # mypy can't type a lambda's default

    async def _keep(self, kind: str) -> None:
        backoff = Backoff(
            int(self._settings.reconnect_first_s * 1000),
            int(self._settings.reconnect_ceiling_s * 1000),
            random=self._ports.random,
        )
        while not self._stopping:
            began_ms = self._ports.clock.monotonic_ms()
            slow = await self._live_once(kind)
            if self._ports.clock.monotonic_ms() - began_ms >= _STEADY_MS:
                backoff.reset()
            pause_ms = int(self._settings.credentials_retry_s * 1000) if slow else backoff.next()
            await asyncio.sleep(pause_ms / 1000)
        await asyncio.Event().wait()  # until the supervisor ends it

    async def _live_once(self, kind: str) -> bool:
        """Make one bind and stay with it to its end; return whether to wait long before the next."""
        connection = Connection(self._parts, kind)
        self._live[kind] = connection
        peer = f"{self._settings.host}:{self._settings.port}"
        try:
            reason = await connection.run(self._password, self._tracing)
        except BindError as error:
            log.error("link.bind_refused", link=self.name, bind=kind, peer=peer, error=str(error))
            return error.credentials
        except StoreBroken:
            raise
        except (OSError, TimeoutError, UnicodeError) as error:  # UnicodeError: what is no name at all, says the library
            what = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            log.warning("link.unreachable", link=self.name, bind=kind, peer=peer, error=what)
        except SmsgwError as error:
            log.warning("link.failed", link=self.name, bind=kind, peer=peer, error=str(error))
        else:
            tell = log.info if self._stopping else log.warning
            tell("link.lost", link=self.name, bind=kind, peer=peer, reason=reason)
        finally:
            connection.abort()
            self._live.pop(kind, None)
        return False

    def trace(self, tracing: Tracing | None) -> None:
        """Look at what travels on every bind, from now on; None: no more."""
        self._tracing = tracing
        for connection in self._live.values():
            connection.trace(tracing)

    async def ask(self, request: Pdu) -> Pdu:
        """Send a request that is no message on a bind that can, and return its response.

        Raises:
            SessionError: there is none, its window is full, or the SMSC did not answer.
        """
        for connection in tuple(self._live.values()):
            if connection.can_send:
                return await connection.ask(request)
        raise SessionError("no bind can send now")

    def _wake(self) -> None:
        """Have the binds send, once for all that wake them in this turn of the loop."""
        if not self._waking:
            self._waking = True
            # One turn later, so that the acknowledgements of the messages that cause an answer are written before it.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._pump)

    def _pump(self) -> None:
        self._waking = False
        for connection in tuple(self._live.values()):
            connection.pump()

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
