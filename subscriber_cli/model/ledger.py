"""Who uses what: the ranked lists of all topics of a host, as one table.

Nothing here knows what a list is of. Rows of the same name, and of the same process where they
tell one, are one row with the newest value of each column; a list of a subsystem that nobody has
heard of adds its rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.leaves import LAST, WITHOUT_PANEL
from subscriber_cli.model.row import Cell, Column, RankedRows, Row

_MOST_ROWS = 1000
_MOST_COLUMNS = 40
_NO_AMOUNTS = frozenset({"pid", "confidence"})


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What one work group uses.

    Attributes:
        key: by which it is known from one message to the next.
        cells: by the name of their column.
    """

    key: str
    name: str
    cells: Mapping[str, Cell]

    def number(self, column: str) -> float | None:
        """The amount in a column, if there is one."""
        cell = self.cells.get(column)
        return None if cell is None else cell.number


@dataclass(frozen=True, slots=True)
class Ledger:
    """The table: its columns in the order in which the lists have them."""

    columns: tuple[Column, ...]
    rows: tuple[LedgerRow, ...]


def is_amount(column: Column) -> bool:
    """Whether it holds how much there is of something, rather than a number by which to call it."""
    return column.measures and column.name not in _NO_AMOUNTS


def ledger(host: KnownHost) -> Ledger:
    """The ranked lists of all topics of a host as one table."""
    columns: dict[str, Column] = {}
    rows: dict[str, dict[str, Cell]] = {}
    names: dict[str, str] = {}
    for row in _ranked(host):
        key = "\0".join((row.name, _group(row), f"{row.number('pid') or 0:.0f}"))
        if key not in rows and len(rows) >= _MOST_ROWS:
            continue
        names[key] = row.name or "?"
        cells = rows.setdefault(key, {})
        for cell in row.cells:
            name = cell.column.name
            if name not in columns and len(columns) >= _MOST_COLUMNS:
                continue
            columns.setdefault(name, cell.column)
            cells[name] = cell
    return Ledger(
        tuple(columns.values()),
        tuple(LedgerRow(key, names[key], cells) for key, cells in rows.items()),
    )


def _ranked(host: KnownHost) -> Iterator[Row]:
    """The rows of all ranked lists that hold amounts, those of the oldest message first."""
    leaves = [leaf for leaf in host.latest if leaf not in WITHOUT_PANEL and leaf not in LAST]
    for leaf in sorted(leaves, key=lambda leaf: host.latest[leaf].at):
        for cell in host.row(leaf).cells:
            if isinstance(cell.value, RankedRows):
                for row in cell.value.rows:
                    if any(is_amount(inner.column) for inner in row.cells):
                        yield row


def _group(row: Row) -> str:
    cell = row.cell("group")
    return cell.value if cell is not None and isinstance(cell.value, str) else ""
