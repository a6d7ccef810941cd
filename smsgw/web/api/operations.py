"""What an operation of the API is: the same table routes, parses and describes it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from aiohttp import web
from msgspec import Meta, Struct

from smsgw.domain.catalog import Service
from smsgw.domain.goods import Merchant
from smsgw.store.api_keys import ApiKey, Scope


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks: a key, from an address that some of its services or merchants allow."""

    key: ApiKey
    address: str
    services: dict[str, Service]  # of the key, those that are sold and may be asked about from this address
    merchants: dict[str, Merchant]  # the same
    names: frozenset[str]  # theirs, and of those that were: what there was of them may be asked about

    @property
    def clear(self) -> bool:
        """Whether whole phone numbers may be told."""
        return "payments:numbers" in self.key.scopes


class Call(Struct, frozen=True, kw_only=True):
    """A request that has been let in and read."""

    request: web.Request
    caller: Caller
    body: Any  # of the type that the operation takes
    query: Any
    headers: dict[str, str]  # of the answer; may be added to


Handler = Callable[[Call], Awaitable[Struct]]


class Operation(Struct, frozen=True, kw_only=True):
    """One operation on JSON."""

    method: Literal["GET", "POST"]
    path: str  # with {id} or {merchant}
    name: str
    summary: str
    text: str  # for people; paragraphs
    scope: Scope
    handler: Handler
    gives: type[Struct]
    takes: type[Struct] | None = None
    query: type[Struct] | None = None
    idempotent: bool = False  # wants an Idempotency-Key
    status: Literal[200, 201] = 200
    located: bool = False  # says where what was made can be found
    problems: tuple[str, ...] = ()  # of its own, beside those that all have


def _described(text: str, **more: Any) -> Meta:
    return Meta(description=text, **more)


ServiceName = Annotated[
    str, _described("The service's name, as in its verify address.", pattern="^[a-z0-9][a-z0-9_-]{0,39}$")
]
MerchantName = Annotated[str, _described("The merchant's name.", pattern="^[a-z0-9][a-z0-9_-]{0,39}$")]
AnyName = Annotated[
    str,
    _described(
        "The merchant's or service's name. It may be left out when the key is for one only.",
        pattern="^[a-z0-9][a-z0-9_-]{0,39}$",
    ),
]
Moment = Annotated[str, _described("A moment (RFC 3339, UTC).", examples=["2026-03-01T12:00:00.250Z"])]
Before = Annotated[str, _described("The `more` of the page before this one.", pattern="^[a-z]{2,5}_[0-9a-z]{1,40}$")]
Count = Annotated[int, _described("The longest page.", ge=1, le=100)]
VisitorAddress = Annotated[
    str,
    _described(
        "The visitor's own address, IPv4 or IPv6. Wrong codes are counted for it; without it, for the API key as a "
        "whole.",
        extra_json_schema={"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    ),
]
