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
    columns = islice(_present(declared, document), _MOST_FIELDS)
    return Row(
        tuple(Cell(column, _value(column, document[column.name], depth)) for column in columns),
        _label(document),
    )


def read_rows(declared: tuple[Column, ...], document: Document, name: str) -> tuple[Row, ...]:
    """The readings in the list under ``name``."""
    return tuple(read_row(declared, item, 1) for item in items(document, name)[:_MOST_ROWS])


def title_of(name: str) -> str:
    """What a field without a declared title is called."""
    return clean(name).replace("_", " ").capitalize()


def _present(declared: tuple[Column, ...], document: Document) -> Iterator[Column]:
    yield from (column for column in declared if document.get(column.name) is not None)
    known = {column.name for column in declared} | ENVELOPE
    yield from (
        _guess(name, value)
        for name, value in document.items()
        if name not in known and value is not None
    )


def _value(column: Column, raw: Any, depth: int) -> Any:
    """What ``raw`` is under a field of that kind; text is shown in place of a number or a list."""
    match column.kind:
        case Kind.FLAG:
            return raw if isinstance(raw, bool) else None
        case Kind.TIMESTAMP:
            at = moment(raw)
            return None if at is None else Instant(at)
        case Kind.INSTANCES | Kind.RECORDS | Kind.GROUP if isinstance(raw, dict | list):
            return _nested(column, raw, depth + 1)
        case Kind.GROUP:
            return None
    if isinstance(raw, str):
        return clean(raw)
    return Numbers(tuple(numbers(raw))) if column.several else number(raw)


def _nested(column: Column, raw: Any, depth: int) -> Row | Instances | RankedRows | None:
    if depth > _DEEPEST:
        return None
    if column.kind == Kind.RECORDS and isinstance(raw, list):
        rows = (item for item in raw if isinstance(item, dict))
        return RankedRows(
            tuple(read_row(column.of, item, depth) for item in islice(rows, _MOST_ROWS))
        )
    if column.kind == Kind.INSTANCES and isinstance(raw, dict):
        named = ((name, item) for name, item in raw.items() if isinstance(item, dict))
        return Instances(
            tuple(
                (clean(name), read_row(column.of, item, depth))
                for name, item in islice(named, _MOST_ROWS)
            )
        )
    if column.kind == Kind.GROUP and isinstance(raw, dict):
        return read_row(column.of, raw, depth)
    return None


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
