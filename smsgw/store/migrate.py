"""Brings a database to the schema of this program: numbered ``.sql`` files in, each applied once and remembered.

``folder/0001_name.sql`` is for both engines; where they differ there are two of the same name, in ``folder/sqlite/``
and ``folder/postgres/``. A migration that was applied anywhere is never edited: its SHA-256 is kept with it.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from smsgw.errors import SchemaError
from smsgw.store.database import Database, Reader
from smsgw.store.queries import DIALECTS, Dialect

_NAME: Final = re.compile(r"\d{4}_[a-z0-9_]+")


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the schema."""

    name: str  # "0001_house"
    sql: str
    sha256: str  # of the file, in hexadecimal


def load(folder: Path, dialect: Dialect) -> list[Migration]:
    """Read the migrations of one engine, in their order.

    Raises:
        ValueError: a name that is not a number and a word, a number that is missing or stands twice, or a migration
            that only one engine has.
    """
    files = {name: sorted([*folder.glob("*.sql"), *(folder / name).glob("*.sql")], key=_stem) for name in DIALECTS}
    names = [_stem(file) for file in files[dialect]]
    if any([_stem(file) for file in files[name]] != names for name in DIALECTS):
        raise ValueError(f"{folder}: the engines do not have the same migrations")
    for number, name in enumerate(names, 1):
        if not _NAME.fullmatch(name) or _number(name) != f"{number:04}":
            raise ValueError(f"{folder}: {name}: this should be migration {number:04}, named {number:04}_word")
    return [_migration(file) for file in files[dialect]]


async def migrate(database: Database, folder: Path, now_ms: int) -> list[str]:
    """Apply what is missing, each migration in a transaction of its own; several programs may try at once.

    Args:
        database: open, with the schema of some earlier program or none.
        folder: the migrations.
        now_ms: what to remember as the time.

    Returns:
        The names of what this call has applied.

    Raises:
        SchemaError: the database is newer than this program, or was made by other migrations.
    """
    migrations = load(folder, database.dialect)
    return [migration.name for migration in migrations if await _apply(database, migrations, migration, now_ms)]


async def check(database: Database, folder: Path) -> None:
    """See that the database has the schema of this program.

    Raises:
        SchemaError: it is older, newer, or was made by other migrations.
    """
    migrations = load(folder, database.dialect)
    async with database.read() as reader:
        known = await reader.fetch_one("schema.exists")
        applied = await _applied(reader) if known and known[0] else {}
    _compare(migrations, applied)
    if missing := [migration.name for migration in migrations if migration.name not in applied]:
        raise SchemaError(f"the database lacks {', '.join(missing)}: run smsgw migrate")


async def _apply(database: Database, migrations: Sequence[Migration], migration: Migration, now_ms: int) -> bool:
    """Apply one migration, unless it is there; tell whether it was done."""
    async with database.write() as transaction:
        await transaction.fetch("schema.lock")
        await transaction.execute("schema.create")
        applied = await _applied(transaction)
        _compare(migrations, applied)
        if migration.name in applied:
            return False
        await transaction.script(migration.sql)
        await transaction.execute("schema.record", name=migration.name, sha256=migration.sha256, applied_at_ms=now_ms)
        return True


async def _applied(reader: Reader) -> dict[str, str]:
    """Read what the database has seen: name -> SHA-256."""
    return dict(await reader.fetch("schema.applied"))


def _compare(migrations: Sequence[Migration], applied: dict[str, str]) -> None:
    """Refuse a database that this program does not understand."""
    ours = {migration.name: migration.sha256 for migration in migrations}
    for name, sha256 in applied.items():
        if name in ours and ours[name] != sha256:
            raise SchemaError(f"migration {name} is not the one that the database was made with: restore the file")
        if name not in ours:
            latest = _number(migrations[-1].name) if migrations else "0000"
            if _number(name) > latest:
                raise SchemaError(
                    f"the database has migration {_number(max(applied))}, this program knows up to {latest}: "
                    "use the newer program"
                )
            raise SchemaError(f"the database was made with a migration {name} that this program does not have")


def _stem(file: Path) -> str:
    return file.stem


def _number(name: str) -> str:
    return name.partition("_")[0]


def _migration(file: Path) -> Migration:
    content = file.read_bytes()
    return Migration(name=file.stem, sql=content.decode(), sha256=hashlib.sha256(content).hexdigest())
