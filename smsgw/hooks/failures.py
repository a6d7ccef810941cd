"""Errors of the HTTP client in words of our own: nothing of the other side is quoted in them."""

from typing import Final

import aiohttp

from smsgw.hooks.resolver import ForbiddenError


def words(error: Exception) -> str:
    """Say what is wrong with a request or its answer."""
    inner: BaseException | None = getattr(error, "os_error", error)
    if isinstance(inner, ForbiddenError):
        return "the address is not allowed: private, loopback or link-local"
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "the connection failed")


# The first that fits: kinds stand before those that they are kinds of.
_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (aiohttp.ConnectionTimeoutError, "nobody answers there"),
    (aiohttp.ClientConnectorCertificateError, "TLS: the certificate is not trusted"),
    (aiohttp.ClientSSLError, "TLS: no agreement"),
    (aiohttp.ClientConnectorDNSError, "the name cannot be resolved"),
    (aiohttp.ClientConnectorError, "nobody listens there, or nobody can be reached"),
    (aiohttp.ServerDisconnectedError, "the connection was closed without an answer"),
    (aiohttp.InvalidURL, "not an address"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
    (aiohttp.ClientPayloadError, "the answer is not HTTP"),
)
