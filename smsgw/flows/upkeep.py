"""What a daemon does every few seconds beside its work: hear what commands have changed, and forget what is over.

Commands work beside the daemon, on the same database and key file: they make and revoke keys, rotate the vault's, and
queue messages.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from smsgw.errors import SettingsError
from smsgw.flows import operations, sweep
from smsgw.flows.apikeys import ApiKeys, remember_addresses
from smsgw.flows.ports import Catalog, Ports
from smsgw.flows.returns import Returns
from smsgw.kit import vault
from smsgw.kit.logs import get_logger
from smsgw.kit.turns import every
from smsgw.settings import Guessing, Retention
from smsgw.store import nodes

log = get_logger(__name__)

PERIOD_S: Final = 2.0
_ROUNDS_TO_TELL: Final = 5  # how often the keys are told although they have not changed: others may have buried us
_ROUNDS_TO_FORGET: Final = 300
_FORGOTTEN_AT_ONCE: Final = 10_000


class Upkeep:
    """Keeps what a daemon knows as it is on disk.

    Args:
        ports: the world.
        catalog: the services.
        guessing: how long mistakes count.
        retention: how long records are kept.
        key_file: the vault's.
    """

    def __init__(
        self, ports: Ports, catalog: Catalog, guessing: Guessing, key_file: Path, retention: Retention | None = None
    ) -> None:
        self.returns = Returns(ports)
        self.keys = ApiKeys(ports)
        self._ports = ports
        self._catalog = catalog
        self._guessing = guessing
        self._retention = retention or Retention()
        self._key_file = key_file
        self._names = [*catalog.services, *catalog.merchants]  # whoever gets return tokens
        self._seen: tuple[int, int, int] | None = None  # the key file as it was last read
        self._rounds = 0

    async def begin(self) -> None:
        """Know everything once, before any work."""
        self._read_key_file()
        await self._tell()
        await self.returns.refresh(self._names)
        await remember_addresses(self._ports, self._catalog)
        await self.keys.refresh()

    async def run(self, look_again: Callable[[], None]) -> None:
        """Go round until cancelled.

        Args:
            look_again: has the outboxes look for messages that commands have queued.
        """
        await asyncio.sleep(PERIOD_S)
        await every(
            PERIOD_S,
            lambda: self.round(look_again),
            put_off=lambda error: log.warning("upkeep.put_off", error=str(error)),
        )

    async def round(self, look_again: Callable[[], None]) -> None:
        """Do everything that is due."""
        self._rounds += 1
        changed = self._read_key_file()
        if changed or self._rounds % _ROUNDS_TO_TELL == 0:
            await self._tell()
        await self.keys.refresh()
        await self.returns.refresh(self._names)
        if self._rounds % _ROUNDS_TO_TELL == 0:
            look_again()
        if self._rounds % _ROUNDS_TO_FORGET == 0:
            await sweep.forget(self._ports, self._guessing)
            deleted = await sweep.forget_attempts(self._ports, self._retention)
            if deleted:
                log.info("attempts.forgotten", rows=deleted)
            ended = await sweep.forget_payments(self._ports, self._catalog.payments.keep_days)
            if ended:
                log.info("payments.forgotten", rows=ended)
            await operations.forget(self._ports, _FORGOTTEN_AT_ONCE)
            unclaimed = await sweep.forget_receipts(self._ports, self._retention)
            if unclaimed:
                log.warning("receipts.forgotten", rows=unclaimed)

    def _read_key_file(self) -> bool:
        """Read the vault's keys if the file is another one now; what cannot be read changes nothing."""
        try:
            state = self._key_file.stat()
            seen = (state.st_ino, state.st_mtime_ns, state.st_size)
            if seen == self._seen:
                return False
            keys = vault.read_keys(self._key_file)
        except (OSError, SettingsError) as error:
            log.error("keys.unreadable", file=str(self._key_file), error=str(error))
            return False
        self._seen = seen
        if [key.id for key in keys] == self._ports.vault.key_ids:
            return False
        self._ports.vault.replace(keys)
        log.info("keys.read", count=len(keys), in_use=keys[0].id)
        return True

    async def _tell(self) -> None:
        """Say which keys this node knows: a rotation waits for it."""
        ports = self._ports
        async with ports.database.write() as transaction:
            await nodes.tell_keys(transaction, ports.node, ports.vault.key_ids)
