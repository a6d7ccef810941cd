"""The vault's key is rotated: every code is found and opens all the time, wherever a rotation is cut off."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from smsgw.errors import IdempotencyMismatch, SmsgwError, StartError
from smsgw.flows import idempotency, rotation as module
from smsgw.flows.redeem import Verifier
from smsgw.flows.rotation import Rotation
from smsgw.flows.upkeep import Upkeep
from smsgw.flows.visits import Redemption, Visit
from smsgw.kit.lock import only_one
from smsgw.kit.vault import Key, Vault, read_keys
from smsgw.settings import Guessing
from smsgw.store import nodes
from tests.flows.world import SUN, World, changed, world
from tests.servers.engines import Engine
from tests.store.look import change, select

FREE = {"sun": changed(SUN, uses=0)}


class CutError(Exception):
    """The command is killed."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The key file of the world."""
    found = tmp_path / "codes.key"
    found.write_text(Key("k1", bytes(32)).line)
    found.chmod(0o640)
    return found


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.01)


def rotation(one: World, file: Path, tell: Callable[[str], None] = lambda _: None) -> Rotation:
    """Return a rotation as a command makes it: with a vault of its own."""
    ports = changed(one.ports, vault=Vault(read_keys(file), one.ports.random_bytes))
    return Rotation(ports, file, lease_ms=30_000, settle_s=0, tell=tell)


@asynccontextmanager
async def living(one: World, file: Path) -> AsyncIterator[None]:
    """Let the world's node do what a daemon does every few seconds, many times a second."""
    upkeep = Upkeep(one.ports, one.catalog, Guessing(), file)
    await upkeep.begin()

    async def run() -> None:
        while True:
            await upkeep.round(lambda: None)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


def put(file: Path, key: Key) -> None:
    file.write_text(key.line)


async def opens(one: World, code: str) -> bool:
    verifier = Verifier(one.ports, one.catalog, Guessing())
    found = await verifier.redeem(Visit(service="sun", typed=code, visitor="192.0.2.1"), 60)
    await verifier.close()
    return found.outcome == "success"


async def keys_in(one: World, table: str) -> set[str]:
    return {row["key_id"] for row in await select(one.engine, f"select key_id from {table}")}


async def test_everything_is_under_the_new_key_and_the_old_one_is_gone(engine: Engine, file: Path) -> None:
    async with world(engine, services=FREE) as one, living(one, file):
        for _ in range(3):
            await one.sms()
        codes = await one.codes()
        lookups = await one.rows("codes", "lookup")
        await rotation(one, file).run("tests")
        assert [key.id for key in read_keys(file)] == ["k2"]
        assert mode_of(file) == 0o640, "for the same readers as before"
        assert [await keys_in(one, table) for table in ("codes", "mts", "service_keys")] == [{"k2"}] * 3
        assert set(lookups).isdisjoint(await one.rows("codes", "lookup"))
        assert all([await opens(one, code) for code in codes])
        entries = await one.rows("audit", "action", "subject", "actor")
        assert entries == [("vault_key.made", "k2", "tests"), ("vault_key.dropped", "k1", "tests")]
        await rotation(one, file).run("tests")
        assert [key.id for key in read_keys(file)] == ["k3"], "and so on"


@pytest.mark.parametrize("steps", range(1, 5))
async def test_a_rotation_that_was_cut_off_goes_on(engine: Engine, file: Path, steps: int) -> None:
    told: list[str] = []

    def tell(line: str) -> None:
        if line.startswith("waiting"):
            return
        told.append(line)
        if len(told) == steps:
            raise CutError

    async with world(engine, services=FREE) as one, living(one, file):
        await one.sms()
        [code] = await one.codes()
        with pytest.raises(CutError):
            await rotation(one, file, tell).run("tests")
        assert await opens(one, code)
        await one.sms()
        await rotation(one, file).run("tests")
        assert [key.id for key in read_keys(file)] == (["k2"] if steps < 4 else ["k3"])
        assert len(await keys_in(one, "codes")) == 1
        assert await opens(one, code)


async def test_it_waits_for_every_node_that_lives_and_every_code_opens_all_the_time(engine: Engine, file: Path) -> None:
    async with world(engine, services=FREE) as one, world(engine, node="right", seed=2, clock=one.clock) as other:
        now_ms = one.clock.now_ms()
        async with one.database.write() as transaction:
            await nodes.beat(transaction, "right", now_ms)
            await nodes.beat(transaction, "gone", now_ms - 31_000)
        upkeep = Upkeep(other.ports, other.catalog, Guessing(), file)
        await upkeep.begin()
        waited: asyncio.Queue[str] = asyncio.Queue()
        async with living(one, file):
            await one.sms()
            [code] = await one.codes()
            running = asyncio.create_task(rotation(one, file, waited.put_nowait).run("tests"))
            seen: list[str] = []
            while not running.done() or not waited.empty():
                seen.append((await asyncio.wait_for(waited.get(), 20)).partition(";")[0])
                assert await opens(other, code), seen
                if seen[-1].startswith("waiting") and "right" in seen[-1]:
                    await upkeep.round(lambda: None)
                await asyncio.sleep(0.05)
            await running
            for what in ("read", "use"):
                assert any("right" in line and line.endswith(f"to {what} k2") for line in seen), seen
            await upkeep.round(lambda: None)
            assert other.ports.vault.key_ids == ["k2"]
            assert await opens(other, code)


async def test_two_rotations_at_once_are_one_too_many(sqlite: Engine, file: Path) -> None:
    async with world(sqlite) as one:
        with only_one(file.with_name("codes.key.lock")), pytest.raises(StartError):
            await rotation(one, file).run("tests")
        assert [key.id for key in read_keys(file)] == ["k1"]


async def test_a_row_that_cannot_be_opened_keeps_all_keys(sqlite: Engine, file: Path) -> None:
    async with world(sqlite) as one:
        await one.sms()
        await change(sqlite, "delete from nodes")  # the daemon has ended
        put(file, Key("k5", bytes(31) + b"x"))
        with pytest.raises(SmsgwError, match="k1, which is not in the key file"):
            await rotation(one, file).run("tests")
        assert [key.id for key in read_keys(file)] == ["k6", "k5"]


async def test_more_codes_than_a_page(sqlite: Engine, file: Path) -> None:
    async with world(sqlite) as one, living(one, file):
        await one.take(*(one.arrival() for _ in range(450)))
        await rotation(one, file).run("tests")
        assert await keys_in(one, "codes") == await keys_in(one, "mts") == {"k2"}


async def test_a_daemon_keeps_its_keys_when_the_file_cannot_be_read(sqlite: Engine, file: Path) -> None:
    async with world(sqlite) as one:
        upkeep = Upkeep(one.ports, one.catalog, Guessing(), file)
        await upkeep.begin()
        for spoil in (lambda: file.write_text("nonsense"), file.unlink):
            spoil()
            await upkeep.round(lambda: None)
            assert one.ports.vault.key_ids == ["k1"]


async def test_a_request_is_repeated_after_a_rotation_and_another_one_is_still_refused(
    engine: Engine, file: Path
) -> None:
    async with world(engine, services=FREE) as one, living(one, file):
        await one.sms()
        [code] = await one.codes()
        first = await asked(one, code, "a request")
        await rotation(one, file).run("tests")
        one.ports.vault.replace(read_keys(file))
        assert one.ports.vault.key_ids == ["k2"]
        assert await asked(one, code, "a request") == first, "the same answer, and nothing is used twice"
        assert await one.rows("codes", "used") == [(1,)]
        with pytest.raises(IdempotencyMismatch):
            await asked(one, code, "another request")


async def test_of_a_request_with_a_code_no_hash_is_in_the_database_that_could_be_tried(
    engine: Engine, file: Path
) -> None:
    async with world(engine, services=FREE) as one:
        await one.sms()
        [code] = await one.codes()
        await asked(one, code, code)
        [row] = await select(engine, "select request from idempotency")
        stored, plain = bytes(row["request"]), sha256(code.encode()).digest()
        assert plain not in stored
        assert one.ports.vault.open(stored, "sun/live\x1fkey", "k1") == plain


async def test_more_requests_than_a_page(sqlite: Engine, file: Path) -> None:
    async with world(sqlite, services=FREE) as one, living(one, file):
        async with one.database.write() as transaction:
            for number in range(450):
                asked_for = idempotency.asked("sun", test=False, key=f"{number}", request="a request")
                await idempotency.claim(one.ports, transaction, asked_for, "answer")
        await rotation(one, file).run("tests")
        assert await keys_in(one, "idempotency") == {"k2"}


async def asked(one: World, code: str, request: str) -> Redemption:
    """Use a code as a merchant's server does."""
    verifier = Verifier(one.ports, one.catalog, Guessing())
    again = idempotency.asked("sun", test=False, key="key", request=request)
    visit = Visit(service="sun", typed=code, visitor="192.0.2.1", channel="api", idempotency=again)
    try:
        return await verifier.redeem(visit, 60)
    finally:
        await verifier.close()
