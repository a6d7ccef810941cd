"""Where an SMSC that wants us to bind connects (outbind, SMPP 3.4 §4.1.7): few at a time, each served by the link."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from msgspec import Struct

from smsgw.kit.logs import get_logger
from smsgw.kit.wire import Wire
from smsgw.smpp.events import Event

log = get_logger(__name__)


class Guest(Struct, frozen=True):
    """What serves a connection that was made to us."""

    wire: Wire[Event]
    life: Coroutine[Any, Any, object]  # what runs until it is over
    bound: Callable[[], bool]  # whether it is ours by now; before, anybody may have called


_SPARE: Final = 4  # connections beyond the binds: an SMSC comes again before its old connection is known to be dead
_AGAIN_S: Final = 10.0  # between two tries to listen


class Listener:
    """Listens for one link's SMSC.

    Args:
        link: the link's name.
        place: host and port.
        binds: how many there are to be.
        welcome: makes what serves a new connection.
    """

    def __init__(self, link: str, place: tuple[str, int], binds: int, welcome: Callable[[], Guest]) -> None:
        self._link = link
        self._place = place
        self._most = binds + _SPARE
        self._welcome = welcome
        self._guests: dict[asyncio.Task[object], Guest] = {}  # in the order of their coming

    async def run(self) -> None:
        """Listen until cancelled; an address that cannot be had now is tried again."""
        try:
            while True:
                try:
                    server = await asyncio.get_running_loop().create_server(self._accept, *self._place)
                except OSError as error:
                    place = f"{self._place[0]}:{self._place[1]}"
                    log.error("link.not_listening", link=self._link, place=place, error=error.strerror or str(error))
                    await asyncio.sleep(_AGAIN_S)
                    continue
                async with server:
                    await server.serve_forever()
        finally:
            guests = tuple(self._guests)
            for guest in guests:
                guest.cancel()
            await asyncio.gather(*guests, return_exceptions=True)

    def _accept(self) -> asyncio.Protocol:
        if len(self._guests) >= self._most and not self._make_room():
            log.warning("link.too_many", link=self._link, connections=len(self._guests))
            return _Away()
        guest = self._welcome()
        task = asyncio.get_running_loop().create_task(guest.life, name=f"{self._link} guest")
        self._guests[task] = guest
        task.add_done_callback(self._on_gone)
        return guest.wire

    def _make_room(self) -> bool:
        """End the oldest connection that is not bound: whoever says nothing must not keep the SMSC out."""
        silent = next((task for task, guest in self._guests.items() if not guest.bound()), None)
        if silent is None:
            return False
        del self._guests[silent]
        silent.cancel()
        return True

    def _on_gone(self, guest: asyncio.Task[object]) -> None:
        self._guests.pop(guest, None)
        if not guest.cancelled() and (error := guest.exception()) is not None:
            log.error("link.guest_failed", link=self._link, exc_info=error)


class _Away(asyncio.Protocol):
    """Closes a connection that has no place."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
