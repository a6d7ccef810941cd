"""Names to addresses, and only to those that may be posted to: the connection goes to what was looked at here."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from smsgw.domain.destinations import is_forbidden

_THREADS: Final = 16  # own ones: name servers that hang hold up nobody but merchants

LookUp = Callable[[str, int], list[tuple[int, str]]]  # (family, address)


class ForbiddenError(OSError):
    """The name has no address that may be posted to."""


class Resolver(AbstractResolver):
    """Looks names up anew for each connection; those that are made in the same moment share a look-up.

    Args:
        private_networks: whether addresses that are not on the Internet are allowed.
        look_up: the system's, or a test's; may block.
    """

    def __init__(self, *, private_networks: bool, look_up: LookUp | None = None) -> None:
        self._private_networks = private_networks
        self._look_up = look_up or _ask_system
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolver")
        self._asked: dict[tuple[str, int], asyncio.Future[list[tuple[int, str]]]] = {}  # look-ups under way

    def check(self, address: str) -> None:
        """Refuse an address that nothing may be posted to.

        Raises:
            ForbiddenError: it is one.
        """
        if is_forbidden(address, private_networks=self._private_networks):
            raise ForbiddenError

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name that may be posted to.

        Raises:
            OSError: there are none.
        """
        found = await self._found(host, port)
        good = [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in found
            if family in {socket.AF_UNSPEC, kind} and not is_forbidden(address, private_networks=self._private_networks)
        ]
        if not good:
            raise ForbiddenError if found else OSError("no address")
        return good

    async def _found(self, host: str, port: int) -> list[tuple[int, str]]:
        """Ask once for all who want to know at the same time: a name that hangs takes one thread, not all of them."""
        asked = self._asked.get((host, port))
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._asked[host, port] = loop.run_in_executor(self._threads, self._look_up, host, port)
            asked.add_done_callback(lambda done: self._answered(host, port, done))
        return await asyncio.shield(asked)  # whoever gives up waiting leaves the answer to the others

    def _answered(self, host: str, port: int, done: asyncio.Future[list[tuple[int, str]]]) -> None:
        del self._asked[host, port]
        if not done.cancelled():
            done.exception()  # looked at: those who asked may all be gone

    async def close(self) -> None:
        """End; a look-up that hangs is left alone."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _ask_system(host: str, port: int) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, str(place[0])) for family, _, _, _, place in found]
