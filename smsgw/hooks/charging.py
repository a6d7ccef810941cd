"""The operators' charging APIs over HTTP: one call out, within a deadline, and what is known about the money after it.

What failed before the first octet of a request could be written may be tried again; of everything else that goes wrong
nobody knows what came of it. A connection serves one request only: on one that was kept open a request can be lost with
it, and then nobody would know either. Proxies of the environment are not used, redirects not followed, cookies not
kept, certificates are checked, and no more than a little is read of an answer.
"""

import asyncio
import base64
import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp
from msgspec import Struct, structs
from yarl import URL

from smsgw.domain import retries
from smsgw.flows.ports import Back, Charged, Order, Refunded
from smsgw.hooks.adapter import Adapter, Answer, Call, put_off, unknown
from smsgw.hooks.camara import Camara
from smsgw.hooks.failures import words
from smsgw.hooks.plain import Plain
from smsgw.kit.clock import Clock
from smsgw.kit.passwords import Credentials, Secret
from smsgw.settings import ChargeProfile, LinkSettings

_MOST_BYTES: Final = 64 * 1024  # of an answer's body
_CONNECT_S: Final = 5.0  # of the deadline at most, for name, connection and TLS; nothing is written before
_HEADERS: Final = {"User-Agent": "smsgw", "Accept-Encoding": "identity", "Accept": "application/json, text/plain"}
_ADAPTERS: Final[Mapping[str, Adapter]] = {"camara": Camara(), "example": Plain()}


class _UnsentError(Exception):
    """No connection; nothing was written."""


class _LostError(Exception):
    """Something may have been written; the message says what went wrong, in our own words."""


class _Api(Struct, frozen=True, kw_only=True):
    """One operator's API."""

    adapter: Adapter
    url: str
    timeout_s: float
    authorization: Secret | None


class HttpCharger:
    """A ``flows.ports.Charger``.

    Args:
        links: with their ``[charging]``.
        credentials: "user:password" or a bearer token, by link and profile.
        clock: for pauses until a date that an operator names.
        trust: a test's certificates.
    """

    def __init__(
        self,
        links: Mapping[str, LinkSettings],
        credentials: Credentials,
        clock: Clock,
        *,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._apis = {
            (link, name): _api(profile, credentials.get((link, name)))
            for link, settings in links.items()
            for name, profile in settings.charging.items()
            if profile.url
        }
        self._clock = clock
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Be ready; inside the loop."""
        connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=self._trust or True)  # whoever calls has limits
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            headers=_HEADERS,
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def charge(self, order: Order) -> Charged:
        """Take the money."""
        api = self._apis.get((order.link, order.profile))
        if api is None:
            return put_off(None, "operator_unavailable", "the settings have no such API")
        try:
            answer = await self._send(api, api.adapter.charge(order))
        except _UnsentError as error:
            return put_off(None, "operator_unavailable", str(error))
        except _LostError as error:
            return unknown(None, str(error))
        return api.adapter.charged(order, answer)

    async def ask(self, order: Order) -> Charged:
        """Find out what became of it."""
        api = self._apis.get((order.link, order.profile))
        if api is None:
            return unknown(None, "the settings have no such API")
        try:
            answer = await self._send(api, api.adapter.ask(order))
        except (_UnsentError, _LostError) as error:
            return unknown(None, str(error))
        return api.adapter.asked(order, answer)

    async def refund(self, back: Back) -> Refunded:
        """Give money back; first finds out by which name the operator knows the charge, where that is needed."""
        api = self._apis.get((back.order.link, back.order.profile))
        if api is None:
            return Refunded(outcome="unknown", error="the settings have no such API")
        call = api.adapter.refund(back)
        if call is None:
            found = await self.ask(back.order)
            back = structs.replace(back, order=structs.replace(back.order, operator_id=found.operator_id))
            call = api.adapter.refund(back)
        if call is None:
            return Refunded(outcome="unknown", error="the operator does not say how it calls the charge")
        try:
            answer = await self._send(api, call)
        except (_UnsentError, _LostError) as error:
            return Refunded(outcome="unknown", error=str(error))
        return api.adapter.refunded(back, answer)

    async def _send(self, api: _Api, call: Call) -> Answer:
        """Make one request.

        Raises:
            _UnsentError, _LostError: there is no whole answer.
        """
        assert self._session is not None
        url = URL(api.url.rstrip("/") + call.path, encoded=True).with_query(dict(call.query))
        headers = {**call.headers, **_authorization(api.authorization)}
        if call.body:
            headers["Content-Type"] = call.content_type
        timeout = aiohttp.ClientTimeout(total=None, connect=min(_CONNECT_S, api.timeout_s))
        try:
            async with (
                asyncio.timeout(api.timeout_s),
                self._session.request(
                    call.method,
                    url,
                    data=call.body or None,
                    headers=headers,
                    allow_redirects=False,
                    timeout=timeout,
                ) as response,
            ):
                return await _read(response, self._clock.now_ms())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise _UnsentError(words(error)) from None
        except TimeoutError:
            raise _LostError("no answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _LostError(words(error)) from None


def _api(profile: ChargeProfile, secret: Secret | None) -> _Api:
    return _Api(adapter=_ADAPTERS[profile.adapter], url=profile.url, timeout_s=profile.timeout_s, authorization=secret)


def _authorization(secret: Secret | None) -> dict[str, str]:
    """Return who asks: a user and a password (RFC 7617), or a token (RFC 6750)."""
    if secret is None:
        return {}
    text = secret.reveal()
    if ":" in text:
        return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}
    return {"Authorization": f"Bearer {text}"}


async def _read(response: aiohttp.ClientResponse, now_ms: int) -> Answer:
    """Read the whole answer.

    Raises:
        _LostError: it is too long.
    """
    body = b""
    while len(body) <= _MOST_BYTES and (piece := await response.content.read(_MOST_BYTES + 1)):
        body += piece
    if len(body) > _MOST_BYTES:
        raise _LostError("the answer is too long")
    asked = response.headers.get("Retry-After")
    after_ms = retries.asked_ms(asked, now_ms) if asked else 0
    return Answer(status=response.status, body=body, retry_after_ms=after_ms or None)
