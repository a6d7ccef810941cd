"""Keys to the API: made once, shown once, kept as a hash, known to the daemon within seconds and forgotten as fast.

A key reads ``smsgw_live_<id>_<secret>``; its id is public, its secret has 160 random bits, in Crockford's base 32.
"""

import asyncio
import hmac
import re
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Final

from msgspec import Struct

from smsgw.errors import SmsgwError
from smsgw.flows.audit import entry
from smsgw.flows.ports import Catalog, Ports
from smsgw.kit.ids import base32
from smsgw.store import api_keys, audit, services
from smsgw.store.api_keys import ApiKey, Scope
from smsgw.store.database import Transaction

_SECRET: Final = 32  # characters: 160 bits
_FORM = re.compile(r"smsgw_(?:live|test)_([0-9a-hjkmnp-tv-z]{26})_[0-9a-hjkmnp-tv-z]{32}").fullmatch
_MOST_LIVE: Final = 2  # the old one and the new one, while a merchant changes from one to the other

STALE_MS: Final = 4_000  # what was read longer ago is read again before it decides
_UNKNOWN_MS: Final = 1_000  # a key that is not known may be a new one; look for it so often


class NewKey(Struct, frozen=True, kw_only=True):
    """A key, and the only time that it is told."""

    key: ApiKey
    token: str


def make(ports: Ports, services: Collection[str], scopes: Collection[Scope], *, test: bool) -> NewKey:
    """Make a key."""
    name = ports.ids.new("api")
    secret = base32(ports.random_bytes(_SECRET))
    token = f"smsgw_{'test' if test else 'live'}_{name.removeprefix('api_')}_{secret}"
    key = ApiKey(
        id=name,
        services=tuple(sorted(set(services))),
        scopes=tuple(sorted(set(scopes))),
        hash=_hash(token),
        test=test,
        created_ms=ports.clock.now_ms(),
    )
    return NewKey(key=key, token=token)


async def create(
    ports: Ports, services: Collection[str], scopes: Collection[Scope], *, test: bool, actor: str
) -> NewKey:
    """Make a key and store it.

    Raises:
        SmsgwError: there are two such keys already.
    """
    new = make(ports, services, scopes, test=test)
    key = new.key

    async def body(transaction: Transaction) -> None:
        await api_keys.lock(transaction)
        live = [one for one in await api_keys.every(transaction) if one.revoked_ms is None]
        same = [one.id for one in live if (one.services, one.test) == (key.services, key.test)]
        if len(same) >= _MOST_LIVE:
            names = " and ".join(same)
            raise SmsgwError(f"there are two keys for these services already: revoke {names}, or one of them, first")
        await api_keys.insert(transaction, key)
        detail = {"services": key.services, "scopes": key.scopes, "test": key.test}
        await audit.record(transaction, [entry(ports, actor, "api_key.created", key.id, detail)])

    await ports.database.transact(body)
    return new


async def revoke(ports: Ports, key: str, actor: str) -> bool:
    """Take a key out of use; return whether it was in use. Daemons know within five seconds."""

    async def body(transaction: Transaction) -> bool:
        done = await api_keys.revoke(transaction, key, ports.clock.now_ms())
        if done:
            await audit.record(transaction, [entry(ports, actor, "api_key.revoked", key, {})])
        return done

    return await ports.database.transact(body)


async def remember_addresses(ports: Ports, catalog: Catalog) -> None:
    """Keep which addresses may ask about each service, for the time when it is not sold any more."""
    allowed = {name: service.settings.allowed_ips for name, service in catalog.services.items()}
    allowed |= {name: merchant.settings.allowed_ips for name, merchant in catalog.merchants.items()}
    async with ports.database.write() as transaction:
        await services.remember(transaction, allowed)


class ApiKeys:
    """The keys that are in use, as last read: at most a few seconds ago; and the addresses of services."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._keys: Mapping[str, ApiKey] = {}
        self._addresses: Mapping[str, list[str]] = {}
        self._read_ms: int | None = None  # monotonic
        self._reading = asyncio.Lock()

    async def refresh(self) -> None:
        """Read the keys."""
        began_ms = self._ports.clock.monotonic_ms()
        async with self._ports.database.read() as reader:
            rows = await api_keys.every(reader)
            self._addresses = await services.every(reader)
        self._keys = {key.id: key for key in rows if key.revoked_ms is None}
        self._read_ms = began_ms

    async def find(self, token: str) -> ApiKey | None:
        """Return the key that a request brings, or None when it is none.

        Raises:
            StoreUnavailable: nobody can say now whether it has been revoked.
        """
        form = _FORM(token)
        if form is None:
            return None
        name = f"api_{form[1]}"
        await self._read_again(_UNKNOWN_MS if name not in self._keys else STALE_MS)
        key = self._keys.get(name)
        if key is None or not hmac.compare_digest(key.hash, _hash(token)):
            return None
        return key

    def former_addresses(self, service: str) -> Sequence[str]:
        """Return the addresses and networks that were allowed to ask about a service when it was last sold."""
        return self._addresses.get(service, ())

    async def _read_again(self, older_than_ms: int) -> None:
        """Read the keys if that was longer ago; of those who come at once, one does it."""
        if not self._is_older(older_than_ms):
            return
        async with self._reading:
            if self._is_older(older_than_ms):
                await self.refresh()

    def _is_older(self, ms: int) -> bool:
        return self._read_ms is None or self._ports.clock.monotonic_ms() - self._read_ms > ms


def _hash(token: str) -> str:
    """160 random bits cannot be guessed: a plain hash hides them well enough."""
    return sha256(token.encode()).hexdigest()
