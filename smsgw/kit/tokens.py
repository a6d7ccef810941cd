"""Signed claims that a merchant can check without asking us: JSON Web Signatures of one fixed algorithm.

The compact serialisation of RFC 7515 §3.1 with HS256 (RFC 7518 §3.2) is one HMAC over two pieces of base64url, of which
the first never changes; a library that is ready for every algorithm takes five times as long for it. Libraries read
these tokens, in the tests and at the merchants.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

ALGORITHM: Final = "HS256"
KIND: Final = "smsgw-return+jws"  # typ: so that no token of another purpose is taken for one
_json = msgspec.json.encode


class Signer:
    """Signs with one key.

    Args:
        key_id: tells the merchant which key it is.
        secret: at least 32 random bytes, shared with the merchant.
        kind: what the tokens are for.
    """

    def __init__(self, key_id: str, secret: bytes, kind: str = KIND) -> None:
        self.key_id = key_id
        self.secret = secret
        self._head = _base64(_json({"alg": ALGORITHM, "kid": key_id, "typ": kind})) + b"."
        self._mac = hmac.new(secret, digestmod="sha256")  # copied for each token: cheaper than beginning anew

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return the claims in JWS compact serialisation; every character may stand in an address."""
        signed = self._head + _base64(_json(claims))
        mac = self._mac.copy()
        mac.update(signed)
        return (signed + b"." + _base64(mac.digest())).decode()


def _base64(octets: bytes) -> bytes:
    """Return base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(octets).rstrip(b"=")
