"""What an operator's charging API is made of: calls out, answers in; without any network."""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from smsgw.domain.charging import Said, Told
from smsgw.flows.ports import Back, Charged, Order, Refunded

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


class Call(Struct, frozen=True, kw_only=True):
    """One request, without where the API is and who asks."""

    method: str
    path: str  # below the API's base address
    query: Mapping[str, str] = {}  # nothing of a person: queries end up in logs
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Name the method only: bodies hold numbers."""
        return f"Call({self.method})"


class Answer(Struct, frozen=True, kw_only=True):
    """What came back, whole."""

    status: int
    body: bytes
    retry_after_ms: int | None = None


class Adapter(Protocol):
    """One operator's way to say it.

    Whatever an answer does not say clearly is unknown. A charge that may be asked for again must be *put off*, which
    takes a word of the operator that nothing was charged.
    """

    def charge(self, order: Order) -> Call:
        """Return the request that takes the money."""

    def charged(self, order: Order, answer: Answer) -> Charged:
        """Return what its answer says."""

    def ask(self, order: Order) -> Call:
        """Return the request that finds out what became of it."""

    def asked(self, order: Order, answer: Answer) -> Charged:
        """Return what its answer says."""

    def refund(self, back: Back) -> Call | None:
        """Return the request that gives money back; None: the operator's own name of the charge is needed first."""

    def refunded(self, back: Back, answer: Answer) -> Refunded:
        """Return what its answer says."""


def unknown(status: int | None, error: str) -> Charged:
    """Return that nobody knows."""
    return Charged(told=Told(Said.UNKNOWN), http_status=status, error=error)


def put_off(status: int | None, reason: str, error: str, after_ms: int | None = None) -> Charged:
    """Return that certainly nothing was charged, and that it may be tried again."""
    return Charged(told=Told(Said.PUT_OFF, reason, after_ms), http_status=status, error=error)


def name_of(written: object) -> str | None:
    """Return an operator's name for something, if it is one that can be kept."""
    good = isinstance(written, str) and 0 < len(written) <= _LONGEST and written.isascii() and written.isprintable()
    return str(written) if good else None


_LONGEST = 200
