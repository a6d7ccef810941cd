"""What the flows take from the world: time, ids, chance and the store; a seeded test owns them all."""

from collections.abc import Callable

from msgspec import Struct

from smsgw.domain.catalog import Service
from smsgw.domain.routing import Routes
from smsgw.kit.clock import Clock
from smsgw.kit.ids import IdMaker
from smsgw.kit.vault import Vault
from smsgw.settings import Answers, LinkSettings
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
