"""What webhooks are signed with: secrets that each service shares with its merchant, all that were not revoked."""

from base64 import b64encode
from collections.abc import Collection
from typing import Final

from msgspec import Struct

from smsgw.errors import SmsgwError
from smsgw.flows.amend import Refused
from smsgw.flows.audit import entry
from smsgw.flows.ports import Ports
from smsgw.flows.returns import new_key
from smsgw.kit.logs import get_logger
from smsgw.store import audit, service_keys
from smsgw.store.database import Transaction
from smsgw.store.service_keys import ServiceKey

log = get_logger(__name__)

_PURPOSE: Final = "webhook"
_MOST: Final = 4  # of one service: each signs every event


class Secrets:
    """The secrets as they are in the store; commands may have made new ones."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._opened: dict[str, bytes] = {}  # by the row's id
        self._shut: set[str] = set()  # rows that cannot be opened
        self._secrets: dict[str, list[bytes]] = {}

    def of(self, service: str) -> list[bytes]:
        """Return a service's secrets, the newest first."""
        return self._secrets.get(service, [])

    async def make(self, services: Collection[str]) -> None:
        """Make one for each service that has none, and read all."""
        ports = self._ports
        now_ms = ports.clock.now_ms()

        async def body(transaction: Transaction) -> None:
            having = {row.service for row in await service_keys.live(transaction, _PURPOSE, now_ms)}
            missing = sorted(set(services) - having)
            await service_keys.insert(
                transaction, [new_key(ports, service, _PURPOSE, now_ms, now_ms) for service in missing]
            )

        await ports.database.transact(body)
        await self.refresh()

    async def refresh(self) -> None:
        """Read those that there are now; what could not be opened is tried again, as the vault may have its key now."""
        async with self._ports.database.read() as reader:
            rows = await service_keys.live(reader, _PURPOSE, self._ports.clock.now_ms())
        opened: dict[str, bytes] = {}
        secrets: dict[str, list[bytes]] = {}
        for row in reversed(rows):
            secret = self._opened.get(row.id) or self._open(row)
            if secret is not None:
                opened[row.id] = secret
                secrets.setdefault(row.service, []).append(secret)
        self._opened, self._secrets = opened, secrets
        self._shut &= {row.id for row in rows}

    def _open(self, row: ServiceKey) -> bytes | None:
        try:
            secret = self._ports.vault.open(row.sealed, row.id, row.key_id)
        except SmsgwError as error:  # the other services' events go on
            if row.id not in self._shut:  # told once, not at every look
                log.error("webhook.secret_not_readable", service=row.service, error=str(error))
                self._shut.add(row.id)
            return None
        if row.id in self._shut:
            log.info("webhook.secret_readable", service=row.service)
            self._shut.discard(row.id)
        return secret


def told(secret: bytes) -> str:
    """Return a secret as merchants are told it (Standard Webhooks 1.0)."""
    return f"whsec_{b64encode(secret).decode()}"


class Told(Struct, frozen=True, kw_only=True):
    """A secret, for its merchant."""

    key: str  # the row's id
    secret: str  # whsec_…
    until_ms: int | None  # it signs no more from then on


async def reveal(ports: Ports, service: str, actor: str) -> list[Told]:
    """Return a service's secrets, the newest first; it is in the audit log before."""

    async def body(transaction: Transaction) -> list[ServiceKey]:
        rows = await _of(ports, transaction, service)
        entries = [entry(ports, actor, "webhook_secret.revealed", row.id, {"service": service}) for row in rows]
        await audit.record(transaction, entries)
        return rows

    rows = await ports.database.transact(body)
    return [_told(ports, row) for row in reversed(rows)]


async def add(ports: Ports, service: str, overlap_ms: int, actor: str) -> tuple[Told, int]:
    """Make a service's next secret, which signs at once; those before it sign beside it until the overlap is over.

    Returns:
        The secret, and how many sign beside it.

    Raises:
        Refused: too many sign at the moment.
    """

    async def body(transaction: Transaction) -> tuple[ServiceKey, int]:
        now_ms = ports.clock.now_ms()
        before = await _of(ports, transaction, service)
        if len(before) >= _MOST:
            sentence = f"{len(before)} secrets of {service} are in use, which is the most; revoke the older ones"
            raise Refused("too_many_secrets", sentence)
        key = new_key(ports, service, _PURPOSE, now_ms, now_ms)
        await service_keys.insert(transaction, [key])
        for row in before:
            await service_keys.revoke(transaction, row.id, now_ms + overlap_ms)
        detail = {"service": service, "others_until_ms": now_ms + overlap_ms}
        await audit.record(transaction, [entry(ports, actor, "webhook_secret.created", key.id, detail)])
        return key, len(before) if overlap_ms else 0

    key, beside = await ports.database.transact(body)
    return _told(ports, key), beside


async def revoke_older(ports: Ports, service: str, actor: str) -> int:
    """Take all secrets of a service out of use but the newest; return how many."""

    async def body(transaction: Transaction) -> int:
        older = (await _of(ports, transaction, service))[:-1]
        for row in older:
            await service_keys.revoke(transaction, row.id, ports.clock.now_ms())
        entries = [entry(ports, actor, "webhook_secret.revoked", row.id, {"service": service}) for row in older]
        await audit.record(transaction, entries)
        return len(older)

    return await ports.database.transact(body)


async def _of(ports: Ports, transaction: Transaction, service: str) -> list[ServiceKey]:
    rows = await service_keys.live(transaction, _PURPOSE, ports.clock.now_ms())
    return [row for row in rows if row.service == service]


def _told(ports: Ports, row: ServiceKey) -> Told:
    secret = told(ports.vault.open(row.sealed, row.id, row.key_id))
    return Told(key=row.id, secret=secret, until_ms=row.revoked_ms)
