"""Attempts to use a code, from the request to its outcome: the values that web, desk and return tokens share."""

from typing import Literal

from msgspec import Struct

from smsgw.domain.codes import Outcome
from smsgw.flows.idempotency import Idempotency

Channel = Literal["redirect", "api", "plain"]


class Visit(Struct, frozen=True, kw_only=True):
    """Somebody brings what they take for a code."""

    service: str
    typed: str  # as it came; hostile
    visitor: str  # address of the visitor
    known: bool = True  # False: ``visitor`` is the server, or the API key, that asks for all its visitors
    state: str = ""  # the merchant's own; passed through
    channel: Channel = "redirect"
    uses: bool = True  # False: looks only
    test: bool | None = None  # which codes the caller may see; None: all
    idempotency: Idempotency | None = None


class Redemption(Struct, frozen=True, kw_only=True):
    """What came of a visit."""

    id: str  # red_…; of a success that is repeated, that of the first
    service: str
    outcome: Outcome
    state: str
    at_ms: int
    code: str | None = None  # its id
    test: bool = False
    uses_left: int | None = None  # None: not limited by number, or no code
    valid_until_ms: int | None = None  # None: no end is known, or no code
    wait_ms: int = 0  # throttled: until when nothing is looked at
    handle: str = ""  # the return token, where that is a handle


class Waiting(Struct, frozen=True, kw_only=True):
    """A visit on its way to the desk."""

    visit: Visit
    id: str  # att_…
    arrived_ms: int  # monotonic
    until_ms: int  # monotonic; its visitor is told to come again then, and what is decided later is for nobody
    lookups: list[str]  # where the code may be found
