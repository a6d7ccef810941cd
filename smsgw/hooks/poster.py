"""Posts letters to merchants' servers: signed, within a deadline, to no place where a merchant has no business.

Proxies of the environment are not used, redirects are not followed, cookies not kept, and of the answer's body no more
than a little is read.
"""

import asyncio
import ssl
from functools import lru_cache
from typing import Final

import aiohttp
from yarl import URL

from smsgw.domain.addresses import parse
from smsgw.flows.ports import Heard, Letter, Posted
from smsgw.hooks.failures import words
from smsgw.hooks.resolver import ForbiddenError, LookUp, Resolver
from smsgw.hooks.signature import headers

_MOST_BYTES: Final = 8 * 1024  # of an answer's body; with more of it the connection is closed
_BODY_S: Final = 1.0  # for the body of an answer that is known
_IDLE_S: Final = 4.0  # shorter than servers wait, so that a connection that they close is seldom taken
_OK: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_ASK_FOR_TIME: Final = frozenset({429, 503})  # with Retry-After: RFC 6585 §4, RFC 9110 §15.6.4
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "smsgw", "Accept-Encoding": "identity"}


class HttpPoster:
    """A ``flows.ports.Poster``, and a ``flows.ports.Consultant``.

    Args:
        timeout_s: of one try, from the look-up of the name to the answer.
        private_networks: whether private and loopback addresses are allowed.
        look_up: a test's name server.
        trust: a test's certificates.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        private_networks: bool,
        look_up: LookUp | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._resolver = Resolver(private_networks=private_networks, look_up=look_up)
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Be ready; inside the loop."""
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            use_dns_cache=False,
            limit=0,  # whoever posts has limits
            keepalive_timeout=_IDLE_S,
            ssl=self._trust or True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
            auto_decompress=False,
            headers=_HEADERS,
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    async def post(self, letter: Letter) -> Posted:
        """Try once."""
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._send(letter)
        except TimeoutError:
            return _failed("no answer in time")
        except (ForbiddenError, aiohttp.ClientError, OSError, ValueError) as error:
            return _failed(words(error))
        status = response.status
        await _finish(response)
        retry_after = response.headers.get("Retry-After") if status in _ASK_FOR_TIME else None
        return Posted(http_status=status, error=_complaint(status), retry_after=retry_after)

    async def consult(self, letter: Letter, timeout_s: float) -> Heard:
        """Ask once, and read a short answer."""
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._send(letter)
                try:
                    body = await _short(response)
                finally:
                    if not response.content.at_eof():
                        response.close()
        except TimeoutError:
            return Heard(http_status=None, error="no answer in time")
        except (ForbiddenError, aiohttp.ClientError, OSError, ValueError) as error:
            return Heard(http_status=None, error=words(error))
        return Heard(http_status=response.status, body=body, error=_complaint(response.status))

    async def _send(self, letter: Letter) -> aiohttp.ClientResponse:
        assert self._session is not None
        url = URL(letter.url)
        host = url.host or ""
        if _is_address(host):
            self._resolver.check(host)  # addresses are not looked up
        return await self._session.post(url, data=letter.body, headers=headers(letter), allow_redirects=False)


@lru_cache(maxsize=1_000)
def _is_address(host: str) -> bool:
    return parse(host) is not None


async def _finish(response: aiohttp.ClientResponse) -> None:
    """Read a short body to its end, so that the connection can be used again; what is in it is of no interest."""
    if response.content.at_eof():  # the usual answer: all of it has come with its head
        return
    left = _MOST_BYTES
    try:
        async with asyncio.timeout(_BODY_S):
            while left > 0 and (piece := await response.content.read(left)):
                left -= len(piece)
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass  # the status is known
    finally:
        if not response.content.at_eof():
            response.close()


async def _short(response: aiohttp.ClientResponse) -> bytes:
    """Return the body; one that is too long is none."""
    body = b""
    while len(body) <= _MOST_BYTES and (piece := await response.content.read(_MOST_BYTES + 1)):
        body += piece
    return body if len(body) <= _MOST_BYTES else b""


def _complaint(status: int) -> str | None:
    if status in _OK:
        return None
    return "a redirect, which is not followed" if status in _REDIRECTS else f"HTTP status {status}"


def _failed(error: str) -> Posted:
    return Posted(http_status=None, error=error)
