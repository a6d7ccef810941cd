"""The vault's key, replaced while daemons run: nobody meets a row that they cannot find or open.

The key file says how far it has come, so that a rotation which was ended anywhere goes on when it is run again:

    old               begin: a new key is appended. Daemons read it, and look codes up under both.
    old, new          when every daemon has told that it knows both, the new one becomes the first.
    new, old          when every daemon has told that it uses it, and what was begun before is over, each row that was
                      made under an older key is made anew, a few hundred at once.
    new               when no such row is left.

Numbers in the keys' names (k1, k2, …) tell which is newer. A daemon that has been silent for its lease does not count:
when it comes back it reads the file first.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from smsgw.errors import SmsgwError
from smsgw.flows.audit import entry
from smsgw.flows.idempotency import row_of
from smsgw.flows.ports import Ports
from smsgw.kit import vault
from smsgw.kit.lock import only_one
from smsgw.kit.vault import Key
from smsgw.store import audit, nodes, reseal
from smsgw.store.database import Transaction
from smsgw.store.reseal import CodeAgain, RequestAgain, Sealed, SealedAgain

# Longer than any visit or transaction that had seen the old keys only (settings: verify_timeout_s, busy_timeout_s).
SETTLE_S: Final = 15.0
_LOOK_S: Final = 0.5
_PAGE: Final = 200


class Rotation:
    """One rotation.

    Args:
        ports: the world of the command.
        file: the key file.
        lease_ms: silence after which a node counts no more.
        settle_s: how long what was begun under the old keys may take.
        tell: hears of each step.
    """

    def __init__(
        self,
        ports: Ports,
        file: Path,
        *,
        lease_ms: int,
        settle_s: float = SETTLE_S,
        tell: Callable[[str], None],
    ) -> None:
        self._ports = ports
        self._file = file
        self._lease_ms = lease_ms
        self._settle_s = settle_s
        self._tell = tell

    async def run(self, actor: str) -> None:
        """Rotate to the end, from wherever the file says that it is.

        Raises:
            StartError: another rotation runs.
            SmsgwError: a row cannot be opened; its key is missing from the file. Nothing is lost, the keys are kept.
        """
        with only_one(self._file.with_name(f"{self._file.name}.lock")):
            keys = self._read()
            if len(keys) == 1:
                keys = await self._append(keys, actor)
            newest = max(keys, key=vault.number)
            if keys[0] is not newest:
                await self._until_all(lambda known: newest.id in known, f"to read {newest.id}")
                self._write([newest, *(key for key in keys if key is not newest)])
                self._tell(f"{newest.id} is in use")
            await self._until_all(lambda known: known[:1] == [newest.id], f"to use {newest.id}")
            await asyncio.sleep(self._settle_s)
            await self._make_anew()
            await self._drop(newest, actor)

    def _read(self) -> list[Key]:
        keys = vault.read_keys(self._file)
        self._ports.vault.replace(keys)
        return keys

    def _write(self, keys: list[Key]) -> None:
        vault.replace_keys(self._file, keys)
        self._ports.vault.replace(keys)

    async def _append(self, keys: list[Key], actor: str) -> list[Key]:
        new = vault.new_key(keys, self._ports.random_bytes)
        await self._note(actor, "vault_key.made", new.id)
        keys = [*keys, new]
        self._write(keys)
        self._tell(f"{new.id} is made; back up {self._file} now")
        return keys

    async def _note(self, actor: str, action: str, key: str) -> None:
        async with self._ports.database.write() as transaction:
            await audit.record(transaction, [entry(self._ports, actor, action, key, {})])

    async def _until_all(self, holds: Callable[[list[str]], bool], what: str) -> None:
        """Wait until it holds for the keys of every node that lives."""
        told: list[str] = []
        while True:
            since_ms = self._ports.clock.now_ms() - self._lease_ms
            async with self._ports.database.read() as reader:
                known = await nodes.keys_of_all(reader, since_ms)
            late = [node for node, keys in known.items() if not holds(keys)]
            if not late:
                return
            if late != told:
                self._tell(f"waiting for {', '.join(late)} {what}")
                told = late
            await asyncio.sleep(_LOOK_S)

    async def _make_anew(self) -> None:
        """Make every row anew that was made under an older key; again until there is none."""
        total = 0
        while True:
            done = await self._codes() + await self._requests() + await self._others()
            if not done:
                break
            total += done
        self._tell(f"{total} rows were made anew")

    async def _codes(self) -> int:
        """Walk through all codes once, in the order of their ids."""
        ring = self._ports.vault.ring
        after, done = "", 0
        while True:
            async with self._ports.database.read() as reader:
                rows = await reseal.codes_after(reader, after, _PAGE)
            if not rows:
                return done
            after = rows[-1].id
            again = []
            for row in rows:
                if row.key_id == ring.key_id:
                    continue
                code = ring.open(row.sealed, row.id, row.key_id)
                again.append(
                    CodeAgain(
                        id=row.id,
                        lookup=ring.lookups(row.service, code.decode())[0],
                        sealed=ring.seal(code, row.id),
                        key_id=ring.key_id,
                        before=row.key_id,
                    )
                )
            if again:
                async with self._ports.database.write() as transaction:
                    await reseal.codes(transaction, again)
                done += len(again)

    async def _requests(self) -> int:
        """Walk once through what was asked with Idempotency-Keys: whoever repeats it must be known afterwards."""
        ring = self._ports.vault.ring
        caller, key, done = "", "", 0
        while True:
            async with self._ports.database.read() as reader:
                rows = await reseal.requests_after(reader, caller, key, _PAGE)
            if not rows:
                return done
            caller, key = rows[-1].caller, rows[-1].key
            again = []
            for row in rows:
                if row.request is None or row.key_id == ring.key_id:
                    continue
                name = row_of(row.caller, row.key)
                request = ring.seal(ring.open(row.request, name, row.key_id), name)
                again.append(
                    RequestAgain(caller=row.caller, key=row.key, request=request, key_id=ring.key_id, before=row.key_id)
                )
            if again:
                async with self._ports.database.write() as transaction:
                    await reseal.requests(transaction, again)
                done += len(again)

    async def _others(self) -> int:
        """Make keys of services, and messages that wait to be sent, anew: a page of each."""

        async def body(transaction: Transaction) -> int:
            key_id = self._ports.vault.key_id
            waiting = await reseal.messages_under_others(transaction, key_id, _PAGE)
            shared = await reseal.service_keys_under_others(transaction, key_id)
            await reseal.messages(transaction, [self._again(row) for row in waiting])
            await reseal.service_keys(transaction, [self._again(row) for row in shared])
            return len(waiting) + len(shared)

        return await self._ports.database.transact(body)

    def _again(self, row: Sealed) -> SealedAgain:
        ring = self._ports.vault.ring
        plain = ring.open(row.sealed, row.id, row.key_id)
        return SealedAgain(id=row.id, sealed=ring.seal(plain, row.id), key_id=ring.key_id, before=row.key_id)

    async def _drop(self, newest: Key, actor: str) -> None:
        if self._ports.vault.key_ids[0] != newest.id:  # nobody else writes this file while we hold the lock
            raise SmsgwError(f"{self._file}: somebody has changed the key file meanwhile; run the rotation again")
        old = self._ports.vault.key_ids[1:]
        self._write([newest])
        for key in old:
            await self._note(actor, "vault_key.dropped", key)
        self._tell(f"{', '.join(old)} is needed no more: keep it with the backups that were made under it")
