"""A file's numbers while it is read: each once, in their order, and nothing left of them."""

import sqlite3

import pytest

from smsgw.errors import StoreUnavailable
from smsgw.store import sheet as sheets
from smsgw.store.ported import Ported
from smsgw.store.sheet import Sheet


def test_numbers_come_in_their_order_by_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_PAGE", 2)
    with Sheet() as sheet:
        assert list(sheet.pages()) == []
        for line, msisdn in enumerate(["3", "1", "2"]):
            assert sheet.add(msisdn, "north", line) is None
        assert len(sheet) == 3
        assert list(sheet.pages()) == [
            [Ported(msisdn="1", link="north"), Ported(msisdn="2", link="north")],
            [Ported(msisdn="3", link="north")],
        ]


def test_a_number_that_stands_twice_is_told_when_it_contradicts_itself() -> None:
    with Sheet() as sheet:
        assert sheet.add("1", "north", 2) is None
        assert sheet.add("1", "north", 3) is None
        assert sheet.add("1", "south", 4) == 2
        assert list(sheet.pages()) == [[Ported(msisdn="1", link="north")]]


def test_which_numbers_it_has() -> None:
    with Sheet() as sheet:
        sheet.add("1", "north", 2)
        assert sheet.known(["1", "2"]) == {"1"}
        assert sheet.known([]) == set()


def test_without_room_for_it_one_is_told_to_try_again() -> None:
    with Sheet() as sheet:
        sheet._raw.execute("drop table sheet")
        with pytest.raises(StoreUnavailable, match="temporary file"):
            sheet.add("1", "north", 2)


def test_it_is_gone_when_it_is_closed() -> None:
    with Sheet() as sheet:
        sheet.add("1", "north", 2)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        len(sheet)
