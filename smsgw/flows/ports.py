"""What the flows take from the world: time, ids, chance and the store; a seeded test owns them all."""

from collections.abc import Callable
from typing import Literal, Protocol

from msgspec import Struct

from smsgw.domain.catalog import Service
from smsgw.domain.charging import Told
from smsgw.domain.goods import Merchant
from smsgw.domain.operators import Operators
from smsgw.domain.routing import Routes
from smsgw.kit.clock import Clock
from smsgw.kit.ids import IdMaker
from smsgw.kit.vault import Vault
from smsgw.settings import Answers, LinkSettings, Payments
from smsgw.settings.merchant import Language
from smsgw.store.database import Database


class Ports(Struct, frozen=True, kw_only=True):
    """The world, as far as the flows may touch it."""

    node: str  # this daemon among those on one database
    database: Database
    clock: Clock
    ids: IdMaker
    random_bytes: Callable[[int], bytes]  # from a cryptographic generator
    random: Callable[[], float]  # 0 ≤ x < 1, for jitter
    vault: Vault


class Catalog(Struct, frozen=True, kw_only=True):
    """What is sold and where, from the settings."""

    links: dict[str, LinkSettings]
    services: dict[str, Service]
    routes: Routes
    answers: Answers
    merchants: dict[str, Merchant] = {}
    operators: Operators = Operators({})
    reply_addresses: dict[
        tuple[str, str], tuple[Language, ...]
    ] = {}  # (link, short code): where questions are answered
    billed_addresses: frozenset[tuple[str, str]] = frozenset()  # (link, short code): where the answer costs money
    payments: Payments = Payments()


class Letter(Struct, frozen=True, kw_only=True):
    """One try to tell a merchant something."""

    url: str
    id: str  # evt_…; the same on every try
    timestamp_s: int  # of this try
    body: bytes
    secrets: list[bytes]  # each signs


class Posted(Struct, frozen=True, kw_only=True):
    """What came of a try."""

    http_status: int | None  # None: there was no answer
    error: str | None  # why it failed, in our own words; None: the merchant has it
    retry_after: str | None = None  # the pause that the server asks for, as it came


class Poster(Protocol):
    """The way out to the merchants' servers."""

    async def post(self, letter: Letter) -> Posted:
        """Try once, within a deadline of its own; a failure is a result, not an error."""


class Heard(Struct, frozen=True, kw_only=True):
    """What a merchant's server answered, as far as it is of interest."""

    http_status: int | None  # None: there was no answer
    body: bytes = b""  # short; what is longer is none
    error: str | None = None  # why there was none, in our own words


class Consultant(Protocol):
    """The way to merchants whose answer counts."""

    async def consult(self, letter: Letter, timeout_s: float) -> Heard:
        """Ask once; a failure is a result, not an error."""


class Order(Struct, frozen=True, kw_only=True):
    """An attempt to take money, as an operator's HTTP API is told of it."""

    charge: str  # chg_…: the reference by which the operator knows it again
    payment: str
    link: str
    profile: str  # of the link's [charging]
    msisdn: str  # digits of E.164
    amount_minor: int
    currency: str  # ISO 4217
    description: str
    operator_id: str | None = None  # the operator's own name for it, once it is known

    def __repr__(self) -> str:
        """Name the attempt only: values end up in tracebacks."""
        return f"Order({self.charge})"


class Charged(Struct, frozen=True, kw_only=True):
    """What came of a call about an attempt."""

    told: Told
    operator_id: str | None = None
    http_status: int | None = None  # None: there was no answer
    error: str | None = None  # in our own words
    missing: bool = False  # asked: the API says for certain that it knows no such attempt


class Back(Struct, frozen=True, kw_only=True):
    """Money that is to go back."""

    refund: str  # rfd_…: the reference; a repeat gives nothing twice
    order: Order  # what was charged
    amount_minor: int


class Refunded(Struct, frozen=True, kw_only=True):
    """What came of a call about a refund."""

    outcome: Literal["done", "refused", "unknown"]  # unknown: to be asked for again, under the same reference
    http_status: int | None = None
    error: str | None = None


class Charger(Protocol):
    """The operators' charging APIs. Each call has a deadline of its own; a failure is a result, not an error."""

    async def charge(self, order: Order) -> Charged:
        """Take the money; called once for each intent."""

    async def ask(self, order: Order) -> Charged:
        """Find out what became of an attempt; changes nothing."""

    async def refund(self, back: Back) -> Refunded:
        """Give money back, once for each reference."""
