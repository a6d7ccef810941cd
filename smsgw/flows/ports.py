"""What the flows take from the world: time, ids, chance and the store; a seeded test owns them all."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from smsgw.domain.catalog import Service
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
