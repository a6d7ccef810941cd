"""The merchant's door: reads the proof that a visitor brings back, and lets in whom it names, once."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from hmac import compare_digest
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OctKey

from smsgw.kit.tokens import ALGORITHM, KIND

_MOST_SPENT: Final = 10_000
_DAY_MS: Final = 86_400_000


def read(token: str, kind: str, keys: Mapping[str, bytes]) -> dict[str, Any] | None:
    """Return what a token says that was signed with one of these keys; None when it is none of its kind."""

    def key(guest: GuestProtocol) -> OctKey:
        return OctKey.import_key(keys[guest.headers()["kid"]])

    try:
        found = jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
        claims = msgspec.json.decode(found.payload, type=dict[str, Any])
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    return claims if found.protected.get("typ") == kind else None


class Door:
    """One service's door.

    Args:
        service: the service's name.
        keys: return keys by id; asked at each visit, as they may be replaced.
        now_ms: the wall clock.
    """

    def __init__(self, service: str, keys: Callable[[], Mapping[str, bytes]], now_ms: Callable[[], int]) -> None:
        self._service = service
        self._keys = keys
        self._now_ms = now_ms
        self._spent: OrderedDict[str, None] = OrderedDict()

    def open(self, token: str, state: str) -> int | None:
        """Return until when (wall clock) this visitor may stay, or None for whoever has to stay outside.

        Args:
            token: the field rt, as it came.
            state: what the site gave this visitor.
        """
        claims = read(token, KIND, self._keys())
        if claims is None or not self._is_good(claims, state):
            return None
        self._spent[claims["jti"]] = None
        if len(self._spent) > _MOST_SPENT:
            self._spent.popitem(last=False)
        until = claims.get("valid_until")
        over_ms = int(datetime.fromisoformat(until).timestamp() * 1000) if until else None
        return min(self._now_ms() + _DAY_MS, over_ms or self._now_ms() + _DAY_MS)

    def _is_good(self, claims: Mapping[str, Any], state: str) -> bool:
        now_s = self._now_ms() / 1000
        return (
            claims.get("iss") == "smsgw"
            and claims.get("aud") == self._service
            and claims.get("outcome") == "success"
            and claims.get("exp", 0) > now_s
            and bool(state)
            and compare_digest(str(claims.get("state", "")).encode(), state.encode())
            and claims.get("jti", "") not in self._spent
        )
