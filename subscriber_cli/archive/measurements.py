"""Which values of a payload are kept, and under which names: all that the catalogue declares.

Numbers of every topic, also of a subsystem that nobody has heard of; flags; words that are one of
a few (choices). Devices are known by the identity that their reading has, members of a ranking by
their label; of the latter only what has a unit, since a process id is nothing to draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from publisher.contract import topics
from publisher.contract.metric import Kind
from subscriber_cli.model.row import Cell, Column, Instances, Numbers, RankedRows, Row

ELSEWHERE: Final = frozenset(
    {topics.CATALOGUE, topics.EVENT, topics.OVERVIEW, topics.PICTURE, topics.TIMELINE}
)
"""Topics whose content is kept otherwise, or repeats what others say."""

SEPARATOR: Final = "/"
_LONGEST: Final = 200  # characters of one path
_DEEPEST: Final = 4
_MOST: Final = 2000  # of one message


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of a payload.

    Attributes:
        path: the field's name, after those of the lists and devices that it lies in.
        value: a number; of a flag 0 or 1; of a choice the word.
    """

    path: str
    column: Column
    value: float | str


def measurements(row: Row) -> Iterator[Measurement]:
    """What of a reading is kept, no more than a machine of some size has."""
    found = _of_cells(row.cells, "", 0, ranked=False)
    for count, measurement in enumerate(found):
        if count >= _MOST:
            return
        yield measurement


def _of_cells(
    cells: tuple[Cell, ...], above: str, depth: int, *, ranked: bool
) -> Iterator[Measurement]:
    if depth > _DEEPEST:
        return
    for cell in cells:
        path = f"{above}{cell.column.name}"
        if len(path) > _LONGEST:
            continue
        match cell.value:
            case Row(cells=inner):
                yield from _of_cells(inner, f"{path}{SEPARATOR}", depth + 1, ranked=ranked)
            case Instances(rows=named):
                for name, device in named:
                    below = f"{path}{SEPARATOR}{name}{SEPARATOR}"
                    yield from _of_cells(device.cells, below, depth + 1, ranked=ranked)
            case RankedRows(rows=members):
                yield from _of_ranking(members, path, depth)
            case Numbers(values=values) if cell.column.unit or not ranked:
                for index, number in enumerate(values):
                    yield Measurement(f"{path}{SEPARATOR}{index}", cell.column, number)
            case _:
                value = _value(cell, ranked=ranked)
                if value is not None:
                    yield Measurement(path, cell.column, value)


def _of_ranking(members: tuple[Row, ...], path: str, depth: int) -> Iterator[Measurement]:
    seen: set[str] = set()
    for member in members:
        name = member.name
        if not name or name in seen:  # of two that read alike the greater
            continue
        seen.add(name)
        below = f"{path}{SEPARATOR}{name}{SEPARATOR}"
        yield from _of_cells(member.cells, below, depth + 1, ranked=True)


def _value(cell: Cell, *, ranked: bool) -> float | str | None:
    value, column = cell.value, cell.column
    if isinstance(value, bool):
        return None if ranked else float(value)
    if isinstance(value, int | float):
        return float(value) if column.unit or not ranked else None
    if isinstance(value, str) and column.kind == Kind.CHOICE and not ranked:
        return value
    return None
