"""Words for what fails between us and a server: one for each kind, and nothing that the other side has said."""

from unittest.mock import Mock

import aiohttp
import pytest
from yarl import URL

from smsgw.hooks.failures import words
from smsgw.hooks.resolver import ForbiddenError

_KEY = Mock(host="shop.example", port=443, ssl=True)
_REQUEST = Mock(real_url=URL("https://shop.example/"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (aiohttp.ConnectionTimeoutError("10.0.0.9"), "nobody answers there"),
        (
            aiohttp.ClientConnectorCertificateError(_KEY, ValueError("CN=secret")),
            "TLS: the certificate is not trusted",
        ),
        (aiohttp.ClientConnectorSSLError(_KEY, OSError("handshake")), "TLS: no agreement"),
        (aiohttp.ClientConnectorDNSError(_KEY, OSError("NXDOMAIN")), "the name cannot be resolved"),
        (
            aiohttp.ClientConnectorError(_KEY, OSError("refused")),
            "nobody listens there, or nobody can be reached",
        ),
        (aiohttp.ServerDisconnectedError("bye"), "the connection was closed without an answer"),
        (aiohttp.InvalidURL("htp:/shop.example"), "not an address"),
        (aiohttp.ClientResponseError(_REQUEST, (), message="SSH-2.0"), "the answer is not HTTP"),
        (aiohttp.ClientPayloadError("half of it"), "the answer is not HTTP"),
        (aiohttp.ClientOSError("reset by 10.0.0.9"), "the connection failed"),
        (ValueError("port 99999"), "the connection failed"),
    ],
)
def test_each_kind_has_its_words(error: Exception, said: str) -> None:
    assert words(error) == said


@pytest.mark.parametrize(
    "error", [ForbiddenError("10.0.0.9"), aiohttp.ClientConnectorDNSError(_KEY, ForbiddenError("10.0.0.9"))]
)
def test_an_address_that_is_not_allowed_is_said_to_be_so(error: Exception) -> None:
    assert words(error) == "the address is not allowed: private, loopback or link-local"
