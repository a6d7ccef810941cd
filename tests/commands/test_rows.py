"""What staff read on a terminal of any width: no id is cut in two, and nothing is lost."""

from io import StringIO

from rich.console import Console
from rich.text import Text

from smsgw.commands.rows import Rows

PAYMENT, MESSAGE = "pay_01m8f9wj5yeembeenv07pnehd9", "mt_01m8f9wj5yeemrwvq37v1mdnzg"


def shown(rows: Rows, width: int) -> list[str]:
    screen = Console(file=StringIO(), width=width, soft_wrap=True, highlight=False)
    screen.print(rows)
    assert isinstance(screen.file, StringIO)
    return [line.rstrip() for line in screen.file.getvalue().splitlines()]


def table() -> Rows:
    rows = Rows("id", "message", "status", "reason")
    rows.add_row(PAYMENT, MESSAGE, "succeeded", "-")
    rows.add_row(PAYMENT, MESSAGE, "failed", Text("[red]x"))
    return rows


def test_where_rows_fit_they_are_a_table() -> None:
    assert shown(table(), 100) == [
        f"id{' ' * 30}message{' ' * 24}status     reason",
        f"{PAYMENT}  {MESSAGE}  succeeded  -",
        f"{PAYMENT}  {MESSAGE}  failed     [red]x",
    ]


def test_where_they_do_not_each_is_a_paragraph_without_what_is_empty() -> None:
    assert shown(table(), 60) == [
        PAYMENT,
        f"    message {MESSAGE}  status succeeded",
        PAYMENT,
        f"    message {MESSAGE}  status failed",
        "    reason [red]x",
    ]


def test_a_long_last_column_is_read_over_several_lines() -> None:
    rows = Rows("id", "details")
    rows.add_row(PAYMENT, "one two three four five six seven eight nine ten")
    assert shown(rows, 70) == [
        f"id{' ' * 30}details",
        f"{PAYMENT}  one two three four five six seven",
        f"{' ' * 32}eight nine ten",
    ]


def test_no_rows_are_a_line_of_headings() -> None:
    assert shown(Rows("id", "status"), 80) == ["id  status"]
