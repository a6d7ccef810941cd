"""`smsgw numbers` as an administrator uses it: a regulator's file taken in, and whose a number is."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from smsgw.kit import vault
from tests.test_cli import complaint, put, smsgw

LINK: Final = 'host = "127.0.0.1"\nport = 1\nsystem_id = "us"\npassword_file = "north.password"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two operators of one country, and a database in which one number has moved."""
    put(tmp_path, "smsgw.toml", "")
    put(tmp_path, "links/north.toml", f'{LINK}country = "BG"\nprefixes = ["359887"]\n')
    put(tmp_path, "links/south.toml", f'{LINK}country = "BG"\ncarriers = ["Vivacom"]\n')
    assert smsgw(tmp_path, "migrate").returncode == 0
    vault.make_key(tmp_path / "codes.key", bytes)
    with closing(sqlite3.connect(tmp_path / "smsgw.db")) as raw, raw:
        raw.execute("insert into ported values ('359878000009', 'north')")
    return tmp_path


def take_in(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    file = put(folder, "moved.csv", f"msisdn,link\n{text}")
    return smsgw(folder, "numbers", "import", str(file), *options)


def moved(folder: Path) -> dict[str, str]:
    with closing(sqlite3.connect(folder / "smsgw.db")) as raw:
        return dict(raw.execute("select msisdn, link from ported").fetchall())


def test_a_file_takes_the_place_of_what_was_there(folder: Path) -> None:
    done = take_in(folder, "359887000001,south\n359887000002,south\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "2 number(s): 2 added, 0 moved, 1 removed\n"
    assert moved(folder) == {"359887000001": "south", "359887000002": "south"}


def test_a_file_adds_to_what_was_there(folder: Path) -> None:
    done = take_in(folder, "359878000009,south\n359887000001,south\n", "--add")
    assert done.stdout == "2 number(s): 1 added, 1 moved, 0 removed\n"
    assert moved(folder) == {"359887000001": "south", "359878000009": "south"}


def test_one_bad_line_stops_everything_and_all_are_named(folder: Path) -> None:
    before = moved(folder)
    done = take_in(folder, "359887000001,south\n0887,south\n359887000002,west\n")
    assert done.returncode == 1
    told = [line.partition(".csv: ")[2] for line in done.stderr.splitlines()]
    assert told == [
        "line 3: msisdn is no number; allowed are 7 to 15 digits with the country's code, such as 359888123456",
        "line 4: there is no link of the name that stands there; there are north, south",
        "2 bad line(s); nothing was changed; --skip-bad leaves them out",
    ]
    assert moved(folder) == before


def test_bad_lines_may_be_left_out(folder: Path) -> None:
    done = take_in(folder, "359887000001,south\n0887,south\n", "--skip-bad")
    assert done.returncode == 0
    assert "line 3: msisdn is no number" in done.stderr
    assert done.stdout == "1 number(s): 1 added, 0 moved, 1 removed; 1 bad line(s) left out\n"
    assert moved(folder) == {"359887000001": "south"}


def test_an_empty_file_removes_nothing(folder: Path) -> None:
    assert complaint(take_in(folder, ""), 1).endswith("has no numbers, and would remove all; nothing was changed")
    assert moved(folder)


def test_a_file_in_another_alphabet_is_read_as_far_as_it_goes(folder: Path) -> None:
    file = folder / "moved.csv"
    file.write_bytes(b"\xef\xbb\xbfmsisdn,link\r\n359887000001,south\r\n\xff\xfe,south\r\n")
    done = smsgw(folder, "numbers", "import", str(file), "--skip-bad")
    assert done.stdout.startswith("1 number(s): 1 added")
    assert "line 3: msisdn is no number" in done.stderr


def test_a_file_that_is_not_there_is_told_so(folder: Path) -> None:
    done = smsgw(folder, "numbers", "import", str(folder / "missing.csv"))
    assert done.returncode == 2
    assert "does not exist" in done.stderr


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("+359 887 123 456", "359887123456: north (prefix 359887)"),
        ("0887123456", "359887123456: north (prefix 359887)"),
        ("359878123456", "359878123456: south (carrier Vivacom)"),
        ("0878 000 009", "359878000009: north (moved there; before: south (carrier Vivacom))"),
        ("+359898123456", "359898123456: nobody's (no link has the carrier Yettel)"),
        ("+12025550123", "12025550123: nobody's"),
    ],
)
def test_show_says_whose_a_number_is_and_why(folder: Path, number: str, told: str) -> None:
    done = smsgw(folder, "numbers", "show", number)
    assert (done.returncode, done.stdout) == (0, f"{told}\n"), done.stderr


def test_show_knows_when_a_number_is_at_a_link_that_is_gone(folder: Path) -> None:
    (folder / "links" / "north.toml").unlink()
    done = smsgw(folder, "numbers", "show", "359878000009")
    assert done.stdout == "359878000009: north (moved there; before: south (carrier Vivacom))\n"
    assert "warning: it is told to have moved to north, and there is no such link" in done.stderr


def test_show_says_what_is_no_number(folder: Path) -> None:
    done = smsgw(folder, "numbers", "show", "1234")
    assert complaint(done, 1) == "1234 is no phone's number; allowed are such as +359888123456"


def test_who_may_not_ask_a_phone_for_payments_is_told_with_its_reason(folder: Path) -> None:
    put(folder, "smsgw.toml", '[payments]\nblocked = ["+35988"]\n')
    with closing(sqlite3.connect(folder / "smsgw.db")) as raw, raw:
        rows = [("gold", "mo_1"), ("", "cli:root"), ("test/gold", "mo_2")]
        raw.executemany("insert into blocks values ('359887000001', ?, 0, ?)", rows)
    assert smsgw(folder, "numbers", "show", "0887000001").stdout.splitlines() == [
        "359887000001: north (prefix 359887)",
        "is asked for no payments: [payments] blocked, in the settings",
        "is asked for no payments by anybody, since 1970-01-01T00:00:00.000Z: cli:root",
        "is asked for no payments by gold, since 1970-01-01T00:00:00.000Z: mo_1",
        "is asked for no payments by gold in tests, since 1970-01-01T00:00:00.000Z: mo_2",
    ]
