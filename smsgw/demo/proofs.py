"""Return tokens as a merchant's server reads them: signed by the gateway, for this merchant and visitor, used once."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OctKey

from smsgw.kit.tokens import ALGORITHM

_MOST_SPENT: Final = 10_000


class Proofs:
    """Reads the tokens of one kind that are meant for one service or merchant.

    Args:
        audience: the service's or merchant's name.
        kind: of token.
        keys: return keys by id; asked at each visit, as they may be replaced.
        now_ms: the wall clock.
    """

    def __init__(
        self, audience: str, kind: str, keys: Callable[[], Mapping[str, bytes]], now_ms: Callable[[], int]
    ) -> None:
        self._audience = audience
        self._kind = kind
        self._keys = keys
        self._now_ms = now_ms
        self._spent: OrderedDict[str, None] = OrderedDict()

    def read(self, token: str, state: str) -> dict[str, Any] | None:
        """Return what a token says; None for one that is none, somebody else's or too old.

        Args:
            token: the field rt, as it came.
            state: what the site gave this visitor.
        """
        claims = _read(token, self._kind, self._keys())
        if claims is None or claims.get("iss") != "smsgw" or claims.get("aud") != self._audience:
            return None
        if claims.get("exp", 0) <= self._now_ms() / 1000 or not state:
            return None
        return claims if compare_digest(str(claims.get("state", "")).encode(), state.encode()) else None

    def spend(self, claims: Mapping[str, Any]) -> bool:
        """Take what a token proves; False when it was taken before."""
        proven = str(claims.get("jti", ""))
        if proven in self._spent:
            return False
        self._spent[proven] = None
        if len(self._spent) > _MOST_SPENT:
            self._spent.popitem(last=False)
        return True


def _read(token: str, kind: str, keys: Mapping[str, bytes]) -> dict[str, Any] | None:
    """Return what a token says that was signed with one of these keys; None when it is none of its kind."""

    def key(guest: GuestProtocol) -> OctKey:
        return OctKey.import_key(keys[guest.headers()["kid"]])

    try:
        found = jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
        claims = msgspec.json.decode(found.payload, type=dict[str, Any])
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    return claims if found.protected.get("typ") == kind else None
