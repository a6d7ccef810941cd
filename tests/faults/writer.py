"""A program under test: it writes to an SQLite store what it reads from its input, and says how each line ended.

put NAME...    the things in one transaction: ok, unavailable, broken
get            the number of things, or what went wrong
wait           until the store says that it is broken: broken
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

import msgspec

from smsgw.errors import StoreBroken, StoreError
from smsgw.store import migrate
from smsgw.store.database import Transaction
from smsgw.store.queries import load
from smsgw.store.sqlite import SqliteDatabase, SqliteLimits

CONTRACT: Final = Path(__file__).parents[1] / "store" / "contract"


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """A row of several pages, so that a transaction is several writes."""

    id: str
    size: int = 1
    picture: bytes = bytes(10_000)


async def answer(database: SqliteDatabase, broken: asyncio.Event, words: list[str]) -> str:
    """Do one line."""
    match words:
        case ["put", *names]:
            async with database.write() as transaction:
                await transaction.executemany("things.insert", [Thing(id=name) for name in names])
            return "ok"
        case ["do", *names]:

            async def body(transaction: Transaction) -> None:
                await transaction.executemany("things.insert", [Thing(id=name) for name in names])

            await database.transact(body)
            return "ok"
        case ["get"]:
            async with database.read() as reader:
                return str(len(await reader.fetch("things.all")))
        case ["wait"]:
            await broken.wait()
            return "broken"
    raise ValueError(words)


def say(words: str) -> None:
    """Answer whoever runs the program."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


async def main(path: Path, move_every: int) -> None:
    """Open the store, answer until the input ends."""
    broken = asyncio.Event()
    told: list[StoreBroken] = []

    def on_broken(fault: StoreBroken) -> None:
        told.append(fault)
        broken.set()

    limits = SqliteLimits(lock_wait_ms=200, move_every=move_every)
    database = await SqliteDatabase.open(path, load(CONTRACT / "sql", "sqlite"), limits=limits, on_broken=on_broken)
    await migrate.migrate(database, CONTRACT / "migrations", now_ms=0)
    say("ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            outcome = await answer(database, broken, line.split())
        except StoreError as error:
            outcome = type(error).__name__
        say(outcome)
    say(f"told {len(told)}")
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
