"""A table that any terminal can show: rows that are too wide for it become short paragraphs, and no id is ever cut."""

from collections.abc import Iterator
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_GAP: Final = 2  # blanks between columns, and between what stands in a paragraph
_INDENT: Final = " " * 4
_LAST: Final = 36  # a last column that is to be read, not copied, may be as narrow as this
_NOTHING: Final = frozenset({"", "-"})


class Rows(Table):
    """Columns of text, read from left to right; the first cell names the row."""

    def __init__(self, *headings: str) -> None:
        super().__init__(box=None, padding=(0, _GAP, 0, 0))
        for place, heading in enumerate(headings, start=1):
            self.add_column(heading, overflow="fold", no_wrap=place < len(headings))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Be a table where that fits, or paragraphs."""
        *widths, last = [
            max(cell.cell_len for cell in (_text(column.header), *map(_text, column.cells))) for column in self.columns
        ]
        needed = sum(width + _GAP for width in widths) + min(last, _LAST) + _GAP
        if needed <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        for row in zip(*(column.cells for column in self.columns), strict=True):
            yield from self._paragraph([_text(cell) for cell in row], options.max_width)

    def _paragraph(self, cells: list[Text], width: int) -> Iterator[Text]:
        yield Text(style="bold").append_text(cells[0])
        line = Text()
        for column, cell in zip(self.columns[1:], cells[1:], strict=True):
            if cell.plain in _NOTHING:
                continue
            said = Text.assemble((f"{column.header} ", "dim"), cell)
            if line and len(_INDENT) + line.cell_len + _GAP + said.cell_len > width:
                yield Text(_INDENT).append_text(line)
                line = Text()
            line = line.append(" " * _GAP).append_text(said) if line else said
        if line:
            yield Text(_INDENT).append_text(line)


def _text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))
