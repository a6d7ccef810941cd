"""The numbers of a file while it is read, each once and in their order; on disk, for files outgrow memory."""

import sqlite3
from collections.abc import Collection, Iterator
from types import TracebackType
from typing import Self

import msgspec

from smsgw.errors import StoreUnavailable
from smsgw.store.ported import Ported

_PAGE = 5_000


class Sheet:
    """A temporary table, which is gone when it is closed. For one thread."""

    def __init__(self) -> None:
        self._raw = sqlite3.connect("", isolation_level=None)  # SQLite's name for a file that nobody else can open
        for statement in (
            "pragma journal_mode = off",
            "create table sheet (msisdn text primary key, link text not null, line integer not null) without rowid",
            "begin",  # for ever: nothing of it is kept
        ):
            self._raw.execute(statement)

    def add(self, msisdn: str, link: str, line: int) -> int | None:
        """Add a number; return the line at which it already stands with another link, which stays.

        Raises:
            StoreUnavailable: there is no room for temporary files.
        """
        try:
            done = self._raw.execute("insert or ignore into sheet values (?, ?, ?)", (msisdn, link, line))
            if done.rowcount:
                return None
            [before] = self._raw.execute("select link, line from sheet where msisdn = ?", (msisdn,))
        except sqlite3.Error as error:
            raise StoreUnavailable(f"temporary file: {error}") from error
        return None if before[0] == link else int(before[1])

    def __len__(self) -> int:
        [[count]] = self._raw.execute("select count(*) from sheet")
        return int(count)

    def pages(self) -> Iterator[list[Ported]]:
        """Yield all numbers in their order, a page at a time."""
        after = ""
        while True:
            rows = self._raw.execute(
                "select msisdn, link from sheet where msisdn > ? order by msisdn limit ?", (after, _PAGE)
            ).fetchall()
            if not rows:
                return
            yield [Ported(msisdn=msisdn, link=link) for msisdn, link in rows]
            after = rows[-1][0]

    def known(self, msisdns: Collection[str]) -> set[str]:
        """Return those of some numbers that stand in it."""
        wanted = msgspec.json.encode(list(msisdns)).decode()
        rows = self._raw.execute("select msisdn from sheet where msisdn in (select value from json_each(?))", (wanted,))
        return {msisdn for (msisdn,) in rows}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._raw.close()
