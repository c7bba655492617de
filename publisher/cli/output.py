"""Readings for people: names, numbers with units, nothing that a terminal would obey."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from publisher.contract.metric import Field, Kind, Reading, fields_of, is_list
from publisher.contract.payload import to_json
from publisher.contract.printable import printable
from publisher.contract.units import Unit, humanise

_TITLE_WIDTH = 24


def console(*, error: bool = False) -> Console:
    """The terminal. Colours only where there is one, and not with NO_COLOR."""
    return Console(stderr=error, highlight=False, markup=False, emoji=False, soft_wrap=False)


def print_json(document: Any) -> None:
    """JSON for programs, indented for people who look at it."""
    print(json.dumps(document, indent=2, ensure_ascii=True))


def panel(title: str, reading: Reading) -> RenderableType:
    """One topic: a heading and a row for each value that there is."""
    return Group(Text(printable(title), style="bold"), Padding(table(reading), (0, 0, 1, 2)))


def table(reading: Reading) -> RenderableType:
    """A row for each value, then the devices and the ranked lists below their titles."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(min_width=_TITLE_WIDTH)
    rows.add_column(overflow="fold")
    below: list[RenderableType] = []
    body = to_json(reading)  # rounded, and without what cannot be read
    for field in fields_of(type(reading)):
        if body.get(field.name) in (None, [], {}):
            continue
        title = Text(field.metric.title)
        value = getattr(reading, field.name)
        if field.metric.kind is Kind.INSTANCES:
            below.extend(_devices(title, value))
        elif field.metric.kind is Kind.RECORDS:
            below.append(_ranked(title, field, value))
        elif field.metric.kind is Kind.GROUP:
            below.append(Group(title, Padding(table(value), (0, 0, 0, 2))))
        else:
            rows.add_row(title, Text(_value(field, body[field.name])))
    return Group(rows, *below)


def _devices(title: Text, devices: Mapping[str, Reading]) -> Iterator[RenderableType]:
    for name, reading in devices.items():
        heading = Text.assemble(title, " ", (printable(name), "bold"))
        yield Group(heading, Padding(table(reading), (0, 0, 0, 2)))


def _ranked(title: Text, field: Field, readings: tuple[Reading, ...]) -> RenderableType:
    bodies = [to_json(reading) for reading in readings]
    shown = [
        column
        for column in fields_of(field.metric.of or Reading)
        if any(column.name in body for body in bodies)
    ]
    rows = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in shown:
        numeric = column.metric.kind in (Kind.GAUGE, Kind.COUNTER)
        rows.add_column(column.metric.title, justify="right" if numeric else "left")
    for body in bodies:
        rows.add_row(
            *(
                Text(_value(column, body[column.name]) if column.name in body else "")
                for column in shown
            )
        )
    return Group(title, Padding(rows, (0, 0, 0, 2)))


def _value(field: Field, value: Any) -> str:
    metric = field.metric
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and is_list(field.type):
        numbers = [humanise(item, Unit.COUNT, metric.precision) for item in value]
        return " ".join([*numbers, *([str(metric.unit)] if metric.unit else [])])
    if isinstance(value, int | float):
        return humanise(value, metric.unit, metric.precision)
    return printable(str(value))
