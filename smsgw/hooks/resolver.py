"""Names to addresses, and only to those that may be posted to: the connection goes to what was looked at here."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from smsgw.domain.destinations import is_forbidden

_THREADS: Final = 16  # own ones: a name server that hangs holds up nobody but merchants

LookUp = Callable[[str, int], list[tuple[int, str]]]  # (family, address)


class ForbiddenError(OSError):
    """The name has no address that may be posted to."""


class Resolver(AbstractResolver):
    """Looks names up anew for each connection.

    Args:
        private_networks: whether addresses that are not on the Internet are allowed.
        look_up: the system's, or a test's; may block.
    """

    def __init__(self, *, private_networks: bool, look_up: LookUp | None = None) -> None:
        self._private_networks = private_networks
        self._look_up = look_up or _ask_system
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolver")

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
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._look_up, host, port)
        good = [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in found
            if family in {socket.AF_UNSPEC, kind} and not is_forbidden(address, private_networks=self._private_networks)
        ]
        if not good:
            raise ForbiddenError if found else OSError("no address")
        return good

    async def close(self) -> None:
        """End; a look-up that hangs is left alone."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _ask_system(host: str, port: int) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, str(place[0])) for family, _, _, _, place in found]
