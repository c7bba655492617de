"""Tables: numbers to the right, in columns that keep their width while the numbers move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rich.text import Text

from subscriber_cli.model.ledger import Ledger, LedgerRow, is_amount
from subscriber_cli.model.row import Column
from subscriber_cli.render import theme
from subscriber_cli.render.cells import cell_text, padded, pairs
from subscriber_cli.render.head import wrap
from subscriber_cli.render.page import Page

_GAP = 2
_SHORTEST_NAME, _LONGEST_NAME = 16, 60
_NAME = "name"
_WIDEST = 14  # columns of one number


@dataclass(slots=True)
class TableState:
    """What somebody has chosen, and how wide each column has been.

    Attributes:
        sort: the name of a column; empty for the first with numbers.
        ascending: the smallest first.
        wanted: text that a row must hold.
        widths: by column; they grow and do not shrink, so that numbers stand still.
        names: the columns that there are, whether or not they had room.
        edges: (first column of the terminal, name) of what was drawn last, for the mouse.
    """

    sort: str = ""
    ascending: bool = False
    wanted: str = ""
    widths: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    edges: list[tuple[int, str]] = field(default_factory=list)

    def choose(self, name: str) -> None:
        """Sorts by a column; once more turns it round."""
        self.ascending = not self.ascending if name == self.sort else name == _NAME
        self.sort = name

    def step(self, by: int) -> None:
        """Sorts by the next column, which is shown then."""
        at = self.names.index(self.sort) if self.sort in self.names else 0
        if self.names:
            self.sort = self.names[(at + by) % len(self.names)]
            self.ascending = self.sort == _NAME

    def at(self, x: int) -> str:
        """The column that is at a place of the heading; empty where there is none."""
        return next((name for edge, name in reversed(self.edges) if edge <= x), "")


def ledger_page(table: Ledger, state: TableState, width: int, now: float) -> Page:
    """The ledger as a table: names left, amounts right, empty columns left out."""
    columns = _shown(table, state, now)
    if not columns:
        page = Page()
        page.extend(wrap("Nobody uses anything worth a line.", width, "dim"))
        return page
    state.names = [_NAME, *(column.name for column in columns)]
    if state.sort not in state.names:
        state.sort, state.ascending = columns[0].name, False
    rows = [row for row in table.rows if _holds(row, state.wanted)]
    rows.sort(key=_order(state))
    columns, name_width = _fitting(columns, state, rows, width)
    page = Page(frozen=1)
    page.add(_heading(columns, state, name_width))
    for row in rows:
        line = padded(row.name, name_width, theme.NAME if state.sort == _NAME else "")
        for column in columns:
            cell = row.cells.get(column.name)
            text = cell_text(cell, now) if cell is not None and cell.number else ""
            style = "bold" if column.name == state.sort else ""
            line.append(" " * _GAP).append(_right(text, state.widths[column.name]), style=style)
        page.add(line, row.key)
    if not rows:
        page.extend(wrap(f"No name holds {state.wanted}.", width, "dim"))
    return page


def row_page(row: LedgerRow | None, width: int, now: float) -> Page:
    """All that is known of one row."""
    page = Page()
    if row is None:
        page.extend(wrap("It uses nothing worth a line any more.", width, "dim"))
        return page
    page.extend(wrap(row.name, width, "bold"))
    page.add(Text())
    for title, text in pairs(row.cells.values(), now):
        page.add(padded(title, 20, "dim").append(text))
    return page


def _shown(table: Ledger, state: TableState, now: float) -> list[Column]:
    """The columns in which any row has an amount; their widths grow with what is in them."""
    found = []
    for column in table.columns:
        if not is_amount(column):
            continue
        texts = [
            cell_text(row.cells[column.name], now) for row in table.rows if row.number(column.name)
        ]
        if texts:
            found.append(column)
            widest = max(
                len(_title(column)) + 1, *map(len, texts), state.widths.get(column.name, 0)
            )
            state.widths[column.name] = min(widest, _WIDEST)
    return found


def _fitting(
    columns: list[Column], state: TableState, rows: list[LedgerRow], width: int
) -> tuple[list[Column], int]:
    """The columns that have room beside the names; that by which is sorted always has."""
    longest = max((len(row.name) for row in rows), default=0)
    name_width = min(max(longest, _SHORTEST_NAME), max(width // 3, _SHORTEST_NAME), _LONGEST_NAME)
    name_width = min(name_width, width)
    left = width - name_width
    chosen: list[Column] = []
    for column in sorted(columns, key=lambda column: column.name != state.sort):
        needs = state.widths[column.name] + _GAP
        if needs <= left:
            left -= needs
            chosen.append(column)
    kept = [column for column in columns if column in chosen]
    return kept, min(name_width + left, max(longest, name_width), _LONGEST_NAME, width)


def _heading(columns: list[Column], state: TableState, name_width: int) -> Text:
    line = padded("Name" + _arrow(_NAME, state), name_width, _style(_NAME, state))
    state.edges = [(0, _NAME)]
    for column in columns:
        state.edges.append((line.cell_len, column.name))
        title = _right(_title(column) + _arrow(column.name, state), state.widths[column.name])
        line.append(" " * _GAP).append(title, style=_style(column.name, state))
    return line


def _title(column: Column) -> str:
    return column.title[: _WIDEST - 1]


def _arrow(name: str, state: TableState) -> str:
    if name != state.sort:
        return ""
    return "▴" if state.ascending else "▾"


def _style(name: str, state: TableState) -> str:
    return "bold underline" if name == state.sort else "dim"


def _right(text: str, width: int) -> str:
    return text[:width].rjust(width)


def _holds(row: LedgerRow, wanted: str) -> bool:
    folded = wanted.casefold()
    if not folded or folded in row.name.casefold():
        return True
    texts = (cell.value for cell in row.cells.values() if isinstance(cell.value, str))
    return any(folded in text.casefold() for text in texts)


def _order(state: TableState) -> Callable[[LedgerRow], tuple[float, str]]:
    sign = 1.0 if state.ascending else -1.0

    def key(row: LedgerRow) -> tuple[float, str]:
        return sign * (row.number(state.sort) or 0.0), row.name.casefold()

    return key
