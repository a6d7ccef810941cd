"""Signed claims that a merchant can check without asking us: JSON Web Signatures (RFC 7515) of one fixed algorithm."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.jwk import OctKey

ALGORITHM: Final = "HS256"
KIND: Final = "smsgw-return+jws"  # so that no token of another purpose is taken for one


class Signer:
    """Signs with one key.

    Args:
        key_id: tells the merchant which key it is.
        secret: at least 32 random bytes, shared with the merchant.
    """

    def __init__(self, key_id: str, secret: bytes) -> None:
        self.key_id = key_id
        self._key = OctKey.import_key(secret)
        self._header = {"alg": ALGORITHM, "kid": key_id, "typ": KIND}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return the claims in JWS compact serialisation."""
        return jws.serialize_compact(self._header, msgspec.json.encode(claims), self._key, algorithms=[ALGORITHM])
