"""Who has moved: a file's lines read one by one, each bad one named, and the table's differences written."""

import io
import json

import pytest

from smsgw.flows import porting
from smsgw.flows.porting import Outcome
from smsgw.store import audit, ported, sheet as sheets
from smsgw.store.database import Database
from smsgw.store.ported import Ported
from smsgw.store.sheet import Sheet
from tests.flows.world import world
from tests.servers.engines import Engine

LINKS = ("north", "south")
ALLOWED = "allowed are 7 to 15 digits with the country's code, such as 359888123456"
HEAD = "msisdn,link\n"


def read(text: str, sheet: Sheet) -> list[str]:
    return list(porting.read(io.StringIO(text), LINKS, sheet))


def rows(sheet: Sheet) -> dict[str, str]:
    return {row.msisdn: row.link for page in sheet.pages() for row in page}


@pytest.mark.parametrize(
    "text",
    [
        "msisdn,link\n359888000001,north\n359888000002,south\n",
        "MSISDN, Link\r\n 359888000001 , north \r\n\r\n359888000002,south",
        "link;date;msisdn\nnorth;2026-01-01;+359888000001\nsouth;;00359888000002\n",
        'msisdn\tlink\n"359888000001"\t"north"\n359888000002\tsouth\n359888000002\tsouth\n',
    ],
)
def test_good_lines_are_kept(text: str) -> None:
    with Sheet() as sheet:
        assert read(text, sheet) == []
        assert rows(sheet) == {"359888000001": "north", "359888000002": "south"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("0888000001,north", f"msisdn is no number; {ALLOWED}"),
        ("359 888 000001,north", f"msisdn is no number; {ALLOWED}"),
        ("123456,north", f"msisdn is no number; {ALLOWED}"),
        ("1234567890123456,north", f"msisdn is no number; {ALLOWED}"),
        ("٣٥٩٨٨٨٠٠٠٠٠١,north", f"msisdn is no number; {ALLOWED}"),
        (",north", f"msisdn is no number; {ALLOWED}"),
        ("359888000001,west", "there is no link of the name that stands there; there are north, south"),
        ("359888000001,", "there is no link of the name that stands there; there are north, south"),
        ("359888000001", "has 1 column(s); there must be 2"),
        ("359888000009,south", "the number stands in line 2 with another link; allowed is one"),
        ("x" * 1_001, "too long; allowed are 1000 characters"),
        ("x" * 100_000, "too long; allowed are 1000 characters"),
        ('"359888000001,north', "has 1 column(s); there must be 2"),
    ],
)
def test_a_bad_line_is_named_and_spoils_no_other(line: str, problem: str) -> None:
    with Sheet() as sheet:
        text = f"{HEAD}359888000009,north\n{line}\n359888000002,south\n"
        assert read(text, sheet) == [f"line 3: {problem}"]
        assert rows(sheet) == {"359888000009": "north", "359888000002": "south"}


@pytest.mark.parametrize("text", ["", "\n", "359888000001,north\n", "msisdn\n359888000001\n", "x" * 2_000])
def test_the_first_line_names_the_columns(text: str) -> None:
    with Sheet() as sheet:
        assert read(text, sheet) == ["line 1: must name the columns; allowed is: msisdn,link"]
        assert len(sheet) == 0


def test_without_links_there_is_nowhere_to_move_to() -> None:
    with Sheet() as sheet:
        [problem] = porting.read(io.StringIO(f"{HEAD}359888000001,north\n"), (), sheet)
        assert problem.endswith("there are none")


# --- the table ------------------------------------------------------------------------------------------------------


async def stored(database: Database) -> dict[str, str]:
    async with database.read() as reader:
        return {row.msisdn: row.link for row in await ported.page(reader, "", 1_000)}


async def fill(database: Database, **links: str) -> None:
    async with database.write() as transaction:
        await ported.put(transaction, [Ported(msisdn=name.strip("n"), link=link) for name, link in links.items()])


@pytest.mark.parametrize(
    ("replace", "outcome", "left"),
    [
        (True, Outcome(added=2, moved=1, removed=2), {"1": "north", "2": "south", "4": "north", "6": "south"}),
        (
            False,
            Outcome(added=2, moved=1, removed=0),
            {"1": "north", "2": "south", "3": "north", "4": "north", "5": "north", "6": "south"},
        ),
    ],
)
async def test_the_table_is_made_to_say_what_the_file_says(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, *, replace: bool, outcome: Outcome, left: dict[str, str]
) -> None:
    monkeypatch.setattr(sheets, "_PAGE", 2)
    monkeypatch.setattr(porting, "_PAGE", 2)
    async with world(engine) as one:
        await fill(one.database, n1="north", n2="north", n3="north", n5="north")
        with Sheet() as sheet:
            for line, (msisdn, link) in enumerate({"1": "north", "2": "south", "4": "north", "6": "south"}.items()):
                sheet.add(msisdn, link, line)
            assert await porting.apply(one.ports, sheet, replace=replace, actor="cli:me") == outcome
            again = await porting.apply(one.ports, sheet, replace=replace, actor="cli:me")
        assert await stored(one.database) == left
        assert again == Outcome(added=0, moved=0, removed=0)


async def test_that_it_was_done_is_in_the_audit_log(sqlite: Engine) -> None:
    async with world(sqlite) as one:
        with Sheet() as sheet:
            sheet.add("359888000001", "north", 2)
            await porting.apply(one.ports, sheet, replace=True, actor="cli:me")
        async with one.database.read() as reader:
            [entry] = await audit.of_subject(reader, "ported")
    assert (entry.actor, entry.action) == ("cli:me", "ported.import")
    assert json.loads(entry.detail) == {"numbers": 1, "replace": True}
