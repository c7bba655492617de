"""A reading as the terminal knows it: a row of cells, each a declared field and its value.

What a payload holds is decided here, once; what shows a cell need not ask again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from publisher.contract.metric import Kind
from publisher.contract.units import Unit
from subscriber_cli.model.values import Document, clean, items, moment, number, numbers

ENVELOPE = frozenset({"host", "time", "schema_version"})
"""Fields that every payload has, and that are no readings."""

_LABELS = ("label", "name", "title", "id")  # fields that name what a reading is of
_DEEPEST = 8  # rows within rows
_MOST_FIELDS = _MOST_ROWS = 1000  # of one row, of one list
_MOST_CELLS = 10_000  # of one message, with each row within it counted as another
_MOST_NUMBERS = 4096  # of one list


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a reading, as the catalogue declares it.

    Attributes:
        kind: a ``Kind``, or a word of a newer daemon.
        unit: a symbol of ``publisher.contract.units``, or one of a newer daemon.
        precision: decimal places.
        several: the field holds a list of numbers.
        of: the fields of the readings inside it.
    """

    name: str
    title: str
    kind: str
    unit: str = ""
    precision: int | None = None
    headline: bool = False
    several: bool = False
    of: tuple[Column, ...] = ()

    @property
    def measures(self) -> bool:
        """Whether it holds one number."""
        return self.kind in (Kind.GAUGE, Kind.COUNTER) and not self.several


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time, in seconds since the epoch by the clock of the host that wrote it."""

    at: float


@dataclass(frozen=True, slots=True)
class Numbers:
    """A list of finite numbers; empty where one of them was none."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Instances:
    """Rows by the name of the device that each is of, in the order of the payload."""

    rows: tuple[tuple[str, Row], ...]


@dataclass(frozen=True, slots=True)
class RankedRows:
    """A list of rows, the first the most important."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One field and its value; ``None`` where the payload held nothing of the field's kind."""

    column: Column
    value: bool | float | str | Instant | Numbers | Instances | RankedRows | Row | None

    @property
    def number(self) -> float | None:
        """The value where it is one number."""
        value = self.value
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one reading: the declared fields in their order, then the others.

    Attributes:
        label: what the reading calls itself; empty where it does not.
    """

    cells: tuple[Cell, ...] = ()
    label: str = ""

    @property
    def name(self) -> str:
        """What people call it, and the group of processes behind that where it says more."""
        cell = self.cell("group")
        group = cell.value if cell is not None and isinstance(cell.value, str) else ""
        if group.casefold() in self.label.casefold():
            return self.label
        if self.label.endswith(")"):  # the label tells the program already
            return f"{self.label.removesuffix(')')}, {group})"
        return f"{self.label} ({group})" if self.label else group

    def cell(self, name: str) -> Cell | None:
        """The cell of the field with that name."""
        return next((cell for cell in self.cells if cell.column.name == name), None)

    def number(self, name: str) -> float | None:
        """The number in the field with that name."""
        cell = self.cell(name)
        return None if cell is None else cell.number


def lead(cells: Iterable[Cell]) -> Cell | None:
    """The one number that stands for a reading: a headline, else a percentage, else the first."""
    measures = [cell for cell in cells if cell.column.measures]
    return next(
        chain(
            (cell for cell in measures if cell.column.headline),
            (cell for cell in measures if cell.column.unit == Unit.PERCENT),
            (cell for cell in measures if cell.column.kind == Kind.GAUGE),
        ),
        None,
    )


def read_row(declared: tuple[Column, ...], document: Document, depth: int = 0) -> Row:
    """The reading in ``document``, by its declared fields and, besides, by its own.

    Fields that are absent or null have no cell.
    """
    return _RowReader().row(declared, document, depth)


def read_rows(declared: tuple[Column, ...], document: Document, name: str) -> tuple[Row, ...]:
    """The readings in the list under ``name``."""
    return _RowReader().rows(declared, items(document, name), 1)


def cells_in(row: Row) -> int:
    """How many cells a row has, with those of the rows within it and each of these."""
    count = 1 + len(row.cells)
    for cell in row.cells:
        match cell.value:
            case Row() as inner:
                count += cells_in(inner)
            case RankedRows(rows):
                count += sum(map(cells_in, rows))
            case Instances(named):
                count += sum(cells_in(inner) for _, inner in named)
    return count


def title_of(name: str) -> str:
    """What a field without a declared title is called."""
    return clean(name).replace("_", " ").capitalize()


class _RowReader:
    """Reads one message: rows within rows, and no more than ``_MOST_CELLS`` of everything."""

    def __init__(self) -> None:
        self._left = _MOST_CELLS

    def row(self, declared: tuple[Column, ...], document: Document, depth: int) -> Row:
        cells: list[Cell] = []
        self._left -= 1
        for column in islice(_present(declared, document), _MOST_FIELDS):
            if self._left <= 0:
                break
            self._left -= 1
            cells.append(Cell(column, self._value(column, document[column.name], depth)))
        return Row(tuple(cells), _label(document))

    def rows(
        self, declared: tuple[Column, ...], documents: Iterable[Document], depth: int
    ) -> tuple[Row, ...]:
        found: list[Row] = []
        for document in islice(documents, _MOST_ROWS):
            if self._left <= 0:
                break
            found.append(self.row(declared, document, depth))
        return tuple(found)

    def _value(self, column: Column, raw: Any, depth: int) -> Any:
        """What ``raw`` is under a field of that kind; text stands for a number or a list."""
        match column.kind:
            case Kind.FLAG:
                return raw if isinstance(raw, bool) else None
            case Kind.TIMESTAMP:
                at = moment(raw)
                return None if at is None else Instant(at)
            case Kind.INSTANCES | Kind.RECORDS | Kind.GROUP if isinstance(raw, dict | list):
                return self._nested(column, raw, depth + 1)
            case Kind.GROUP:
                return None
        if isinstance(raw, str):
            return clean(raw)
        if not column.several:
            return number(raw)
        return Numbers(tuple(numbers(raw[:_MOST_NUMBERS]) if isinstance(raw, list) else ()))

    def _nested(self, column: Column, raw: Any, depth: int) -> Row | Instances | RankedRows | None:
        if depth > _DEEPEST:
            return None
        if column.kind == Kind.RECORDS and isinstance(raw, list):
            rows = (item for item in raw if isinstance(item, dict))
            return RankedRows(self.rows(column.of, rows, depth))
        if column.kind == Kind.INSTANCES and isinstance(raw, dict):
            named = [
                (clean(name), item)
                for name, item in islice(raw.items(), _MOST_ROWS)
                if isinstance(item, dict)
            ]
            rows_read = self.rows(column.of, (item for _, item in named), depth)
            return Instances(
                tuple((name, row) for (name, _), row in zip(named, rows_read, strict=False))
            )
        if column.kind == Kind.GROUP and isinstance(raw, dict):
            return self.row(column.of, raw, depth)
        return None


def _present(declared: tuple[Column, ...], document: Document) -> Iterator[Column]:
    yield from (column for column in declared if document.get(column.name) is not None)
    known = {column.name for column in declared} | ENVELOPE
    yield from (
        _guess(name, value)
        for name, value in document.items()
        if name not in known and value is not None
    )


def _guess(name: str, value: Any) -> Column:
    """The column of a field that the catalogue does not know: its own name, and no unit."""
    kind: str = Kind.TEXT
    several = False
    if isinstance(value, bool):
        kind = Kind.FLAG
    elif number(value) is not None:
        kind = Kind.GAUGE
    elif numbers(value):
        kind, several = Kind.GAUGE, True
    elif isinstance(value, list):
        kind = Kind.RECORDS
    elif isinstance(value, dict):
        nested = all(isinstance(item, dict) for item in value.values())
        kind = Kind.INSTANCES if nested else Kind.GROUP
    return Column(name=name, title=title_of(name), kind=kind, several=several)


def _label(document: Document) -> str:
    own = (document.get(key) for key in _LABELS)
    return next((clean(value) for value in own if isinstance(value, str) and value), "")
