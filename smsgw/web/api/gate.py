"""Who may ask: the API key, the address that it is used from, how often it asks, and what it is for.

In this order: whoever has found a merchant's key and tries it elsewhere takes nothing from the merchant's rate.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from aiohttp import web

from smsgw.domain.addresses import Network, is_within, networks
from smsgw.domain.catalog import Service
from smsgw.domain.goods import Merchant
from smsgw.flows.apikeys import ApiKeys
from smsgw.flows.ports import Catalog
from smsgw.kit.clock import Clock
from smsgw.kit.limits import TokenBucket
from smsgw.store.api_keys import ApiKey, Scope
from smsgw.web.api.operations import Caller
from smsgw.web.api.problem import Fault
from smsgw.web.verify import visitor_of

S = TypeVar("S", Service, Merchant)

_BEARER: Final = "bearer "
_ADD_ADDRESS: Final = "add the address of your server to the allowed_ips of the service or merchant"
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="smsgw"'}


class Gate:
    """Lets requests in.

    Args:
        keys: those in use.
        catalog: the services, with the addresses that they allow.
        clock: for the rate.
        rate_per_s: requests of one key, on average; a second's worth may come at once.
        proxies: ours.
    """

    def __init__(
        self, keys: ApiKeys, catalog: Catalog, clock: Clock, rate_per_s: float, proxies: Sequence[Network]
    ) -> None:
        self._keys = keys
        self._catalog = catalog
        self._clock = clock
        self._rate_per_s = rate_per_s
        self._proxies = proxies
        self._buckets: dict[str, TokenBucket] = {}  # as many as there are keys and services

    async def enter(self, request: web.Request, scope: Scope) -> Caller:
        """Return who asks.

        Raises:
            Fault: they may not.
            StoreUnavailable: nobody can say now.
        """
        key = await self.key_of(request)
        if key is None:
            raise Fault("key_missing", "send the header Authorization: Bearer smsgw_…", _CHALLENGE)
        address = visitor_of(request, self._proxies)
        services = self._here(self._catalog.services, key, address)
        merchants = self._here(self._catalog.merchants, key, address)
        names = services.keys() | merchants.keys() | self._former(key, address)
        if not names:
            raise Fault("address_not_allowed", _ADD_ADDRESS)
        self.admit(key, scope)
        return Caller(key=key, address=address, services=services, merchants=merchants, names=frozenset(names))

    def _here(self, sold: Mapping[str, S], key: ApiKey, address: str) -> dict[str, S]:
        """Return those of a key that may be asked about from an address."""
        return {name: sold[name] for name in key.services if name in sold and _allows(sold[name], address)}

    def _former(self, key: ApiKey, address: str) -> set[str]:
        """Return those of a key that are in the settings no more, and could be asked about from an address."""
        gone = set(key.services) - self._catalog.services.keys() - self._catalog.merchants.keys()
        return {name for name in gone if self._was_allowed(name, address)}

    def _was_allowed(self, service: str, address: str) -> bool:
        return is_within(address, networks(tuple(self._keys.former_addresses(service))))

    async def key_of(self, request: web.Request) -> ApiKey | None:
        """Return the key that a request brings; None when it brings none.

        Raises:
            Fault: it is unknown.
        """
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        token = header[len(_BEARER) :].strip() if header[: len(_BEARER)].lower() == _BEARER else ""
        key = await self._keys.find(token)
        if key is None:
            raise Fault("key_unknown", "", _CHALLENGE)
        return key

    def admit(self, key: ApiKey, scope: Scope) -> None:
        """Count a request that comes with a key from where the key may be used.

        Raises:
            Fault: the key is used too often, or not for this.
        """
        self.slow_down(key.id)
        if scope not in key.scopes:
            raise Fault("scope_missing", f"the key lacks the scope {scope}")

    def slow_down(self, name: str) -> None:
        """Count a request of somebody who is known by now.

        Raises:
            Fault: it came too soon.
        """
        now_ms = self._clock.monotonic_ms()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = TokenBucket(self._rate_per_s, max(1, int(self._rate_per_s)))
        if not bucket.take(1, now_ms):
            seconds = -(-bucket.wait_ms(1, now_ms) // 1000)
            detail = f"at most {self._rate_per_s:g} requests a second"
            raise Fault("too_many_requests", detail, {"Retry-After": str(max(1, seconds))})

    def by_address(self, request: web.Request, service: Service) -> str:
        """Return the address of a request, which its service must allow.

        Raises:
            Fault: it does not.
        """
        address = visitor_of(request, self._proxies)
        if not _allows(service, address):
            raise Fault("address_not_allowed", _ADD_ADDRESS)
        return address


def service_of(caller: Caller, name: str) -> Service:
    """Return a service that a caller names.

    Raises:
        Fault: it is not theirs, or not from here, or not sold any more.
    """
    service = caller.services.get(name_of(caller, name))
    if service is None:
        raise Fault("service_gone", "what there was of it can be found and traced; its codes open nothing any more")
    return service


def name_of(caller: Caller, name: str) -> str:
    """Return the name of a service that a caller names, be it sold still or not.

    Raises:
        Fault: it is not theirs, or not from here.
    """
    if name not in caller.key.services:
        raise Fault("service_not_allowed")
    if name not in caller.names:
        raise Fault("address_not_allowed", _ADD_ADDRESS)
    return name


def merchant_of(caller: Caller, name: str) -> Merchant:
    """Return a merchant whom a caller names.

    Raises:
        Fault: it is not theirs, or not from here, or sells nothing any more.
    """
    merchant = caller.merchants.get(name)
    if merchant is None:
        _may_name(caller, name)
        raise Fault("merchant_gone", "what there was of it can be looked up; nothing can be bought any more")
    return merchant


def one_of(caller: Caller, name: str | None, fault: str = "query_invalid") -> str:
    """Return the service or merchant that a caller names, or the only one that the key is for.

    Raises:
        Fault: it is not theirs, or not from here; or there are several.
    """
    if name is None:
        if len(caller.key.services) > 1:
            raise Fault(fault, "merchant: is missing; the key is for several")
        name = caller.key.services[0]
    _may_name(caller, name)
    return name


def _may_name(caller: Caller, name: str) -> None:
    if name not in caller.key.services:
        raise Fault("merchant_not_allowed")
    if name not in caller.names:
        raise Fault("address_not_allowed", _ADD_ADDRESS)


def _allows(service: Service | Merchant, address: str) -> bool:
    return is_within(address, networks(tuple(service.settings.allowed_ips)))
