"""Return tokens: what a redirect tells the merchant about a redemption, so that nobody else can say it.

Either signed, so that the merchant checks it offline, or a handle that the merchant's server exchanges once. Both live
for a minute or two, and never hold the code.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from smsgw.domain.codes import Outcome
from smsgw.errors import SmsgwError
from smsgw.flows.audit import entry
from smsgw.flows.ports import Ports
from smsgw.flows.visits import Redemption
from smsgw.kit.clock import rfc3339
from smsgw.kit.logs import get_logger
from smsgw.kit.tokens import Signer
from smsgw.settings import ServiceSettings
from smsgw.store import audit, redemptions, service_keys
from smsgw.store.database import Transaction
from smsgw.store.redemptions import Handle
from smsgw.store.service_keys import ServiceKey

log = get_logger(__name__)

ISSUER: Final = "smsgw"
_WITHOUT_CODE: Final = {Outcome.INVALID.value, Outcome.THROTTLED.value}  # nobody knows whether it was a test
_HANDLE_BYTES: Final = 24
_SECRET_BYTES: Final = 32


def claims(redemption: Redemption, settings: ServiceSettings, now_ms: int) -> dict[str, Any]:
    """Return what a token says; times in seconds as RFC 7519 has them, valid_until in RFC 3339."""
    until_ms = redemption.valid_until_ms
    return {
        "iss": ISSUER,
        "aud": redemption.service,
        "jti": redemption.id,
        "outcome": redemption.outcome.value,
        "state": redemption.state,
        "uses_left": redemption.uses_left,
        "valid_until": None if until_ms is None else rfc3339(until_ms),
        "test": redemption.test,
        "iat": now_ms // 1000,
        "exp": now_ms // 1000 + settings.return_valid_s,
    }


def make_handle(
    redemption: Redemption, settings: ServiceSettings, now_ms: int, random_bytes: Callable[[int], bytes]
) -> tuple[str, Handle]:
    """Return a handle, and the row that stands for it."""
    handle = f"rt_{urlsafe_b64encode(random_bytes(_HANDLE_BYTES)).decode()}"
    row = Handle(
        hash=_hash(handle),
        service=redemption.service,
        claims=msgspec.json.encode(claims(redemption, settings, now_ms)).decode(),
        expires_ms=now_ms + settings.return_valid_s * 1000,
    )
    return handle, row


async def exchange(ports: Ports, handle: str, services: Collection[str], *, test: bool) -> dict[str, Any] | None:
    """Return what a handle of one of these services stands for, once; None when it is none, spent or too old.

    Args:
        ports: the world.
        handle: the value of ``rt``; hostile.
        services: of whoever asks.
        test: whether whoever asks sees test codes, or live ones; the other kind's handles are none to them.
    """
    now_ms = ports.clock.now_ms()
    hashed = _hash(handle)

    async def body(transaction: Transaction) -> dict[str, Any] | None:
        found = await redemptions.handle_claims(transaction, hashed, services)
        if found is None:
            return None
        told = msgspec.json.decode(found, type=dict[str, Any])
        if told["outcome"] not in _WITHOUT_CODE and told["test"] != test:
            return None
        return told if await redemptions.spend(transaction, hashed, now_ms) else None

    return await ports.database.transact(body)


def _hash(handle: str) -> str:
    """A handle has 192 random bits: a plain hash hides it well enough."""
    return sha256(handle.encode("utf-8", "replace")).hexdigest()


class Returns:
    """Signs return tokens with each service's own key.

    Keys are read when `refresh` is called: at the start, and now and then, as commands may have made new ones.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._keys: Mapping[str, list[tuple[int, Signer]]] = {}

    async def refresh(self, services: Collection[str]) -> None:
        """Read the keys, and make one for each service that has none."""
        ports = self._ports
        now_ms = ports.clock.now_ms()
        async with ports.database.read() as reader:
            rows = await service_keys.live(reader, "return", now_ms)
        if not set(services) <= {row.service for row in rows}:
            async with ports.database.write() as transaction:
                rows = await service_keys.live(transaction, "return", now_ms)
                missing = sorted(set(services) - {row.service for row in rows})
                made = [new_key(ports, service, "return", now_ms, now_ms) for service in missing]
                await service_keys.insert(transaction, made)
            rows += made
        keys: dict[str, list[tuple[int, Signer]]] = {}
        for row in rows:
            try:
                secret = ports.vault.open(row.sealed, row.id, row.key_id)
            except SmsgwError as error:  # the others still sign
                log.error("return_key.not_readable", key=row.id, service=row.service, error=str(error))
                continue
            keys.setdefault(row.service, []).append((row.from_ms, Signer(row.id, secret)))
        self._keys = keys

    def keys_of(self, service: str) -> dict[str, bytes]:
        """Return a service's keys by their ids."""
        return {signer.key_id: signer.secret for _, signer in self._keys[service]}

    def token(self, redemption: Redemption, settings: ServiceSettings) -> str:
        """Return the value of ``rt`` for a redemption."""
        if redemption.handle:
            return redemption.handle
        now_ms = self._ports.clock.now_ms()
        return self._signer(redemption.service, now_ms).sign(claims(redemption, settings, now_ms))

    def sign(self, name: str, kind: str, told: Mapping[str, Any]) -> str:
        """Return claims of another kind, signed with the key of a service or merchant."""
        signer = self._signer(name, self._ports.clock.now_ms())
        return Signer(signer.key_id, signer.secret, kind).sign(told)

    def _signer(self, name: str, now_ms: int) -> Signer:
        """Return the newest key that is in use by now."""
        keys = self._keys[name]
        return max((one for one in keys if one[0] <= now_ms), key=lambda one: one[0], default=keys[0])[1]


def new_key(ports: Ports, service: str, purpose: str, now_ms: int, from_ms: int) -> ServiceKey:
    """Make a key that a service shares with its merchant, and signs with from a moment on."""
    key_id = ports.ids.new("key")
    ring = ports.vault.ring
    return ServiceKey(
        id=key_id,
        service=service,
        purpose=purpose,
        sealed=ring.seal(ports.random_bytes(_SECRET_BYTES), key_id),
        key_id=ring.key_id,
        created_ms=now_ms,
        from_ms=from_ms,
    )


async def keys_of(ports: Ports, service: str) -> list[ServiceKey]:
    """Return a service's keys that are in use, or will be, the oldest first."""
    async with ports.database.read() as reader:
        return [
            key for key in await service_keys.live(reader, "return", ports.clock.now_ms()) if key.service == service
        ]


async def add_key(ports: Ports, service: str, overlap_ms: int, actor: str) -> ServiceKey:
    """Make a service's next key; it signs when the overlap is over."""
    now_ms = ports.clock.now_ms()
    key = new_key(ports, service, "return", now_ms, now_ms + overlap_ms)

    async def body(transaction: Transaction) -> None:
        await service_keys.insert(transaction, [key])
        detail = {"service": service, "from_ms": key.from_ms}
        await audit.record(transaction, [entry(ports, actor, "return_key.created", key.id, detail)])

    await ports.database.transact(body)
    return key


async def show_key(ports: Ports, key_id: str, actor: str) -> bytes | None:
    """Return the secret of a key; None when there is none in use. It is in the audit log before it is told."""

    async def body(transaction: Transaction) -> ServiceKey | None:
        rows = await service_keys.live(transaction, "return", ports.clock.now_ms())
        found = next((key for key in rows if key.id == key_id), None)
        if found is not None:
            await audit.record(transaction, [entry(ports, actor, "return_key.shown", key_id, {})])
        return found

    found = await ports.database.transact(body)
    return None if found is None else ports.vault.open(found.sealed, found.id, found.key_id)
