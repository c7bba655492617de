"""Cells as text: one value, a few of them on a line, the ones that matter of a message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from publisher.contract.units import Unit, duration, humanise
from subscriber_cli.model.row import Cell, Column, Instances, Instant, Numbers, RankedRows, Row

_NO_AMOUNTS = frozenset({"pid", "pids"})  # numbers by which something is called


def cell_text(cell: Cell, now: float) -> str:
    """One value as people read it; empty for what has no short form."""
    match cell.value:
        case bool() as flag:
            return "yes" if flag else "no"
        case int() | float() as number if cell.column.name in _NO_AMOUNTS:
            return f"{number:.0f}"
        case int() | float() as number:
            return humanise(number, cell.column.unit, cell.column.precision)
        case str() as text:
            return text
        case Instant(at):
            return f"{duration(now - at)} ago"
        case Numbers(values) if cell.column.name in _NO_AMOUNTS:
            return " ".join(f"{value:.0f}" for value in values)
        case Numbers(values):
            return " ".join(_bare(cell.column, value) for value in values)
    return ""


def pairs(cells: Iterable[Cell], now: float) -> list[tuple[str, str]]:
    """(title, value) of every cell that has a short form, a group's title before those in it."""
    found: list[tuple[str, str]] = []
    for cell in cells:
        if isinstance(cell.value, Row):
            group = cell.column.title
            found += [(_within(group, title), text) for title, text in pairs(cell.value.cells, now)]
        elif not is_picture(cell) and (text := cell_text(cell, now)):
            found.append((cell.column.title, text))
    return found


def _within(group: str, title: str) -> str:
    """A title inside a group: ``Virtual interfaces receiving``."""
    return group if title.casefold() in group.casefold() else f"{group} {title.lower()}"


def is_picture(cell: Cell) -> bool:
    """Whether a list of numbers reads better as a strip of bars than as numbers."""
    if not isinstance(cell.value, Numbers):
        return False
    return cell.column.unit == Unit.PERCENT or len(cell.value.values) > 4


def padded(text: str, width: int, style: str = "") -> Text:
    """A text in exactly ``width`` columns; what is appended later keeps a style of its own."""
    part = Text(text)
    part.truncate(width, overflow="ellipsis", pad=True)
    part.stylize(style)
    return part


def flow(found: Iterable[tuple[str, str]], width: int, limit: int) -> list[Text]:
    """``title value`` pairs, as many on a line as fit, on at most ``limit`` lines."""
    lines: list[Text] = []
    for title, text in found:
        pair = Text.assemble((title, "dim"), " ", text)
        if pair.cell_len > width:
            pair.truncate(width, overflow="ellipsis")
        if lines and lines[-1].cell_len + 3 + pair.cell_len <= width:
            lines[-1].append("   ").append_text(pair)
        elif len(lines) < limit:
            lines.append(pair)
        else:
            break
    return lines


def summary(row: Row, now: float) -> str:
    """A message in a few words: its headline fields, else the first of its fields and devices."""
    found = pairs((cell for cell in row.cells if cell.column.headline), now)
    if not found:
        found = [*pairs(row.cells, now), *_devices(row, now)][:4]
    words = [f"{title} {text}" for title, text in found]
    for cell in row.cells:
        if isinstance(cell.value, RankedRows) and cell.value.rows:
            if name := cell.value.rows[0].name:
                words.append(f"{cell.column.title.lower()}: {name}")
            break
    return " · ".join(words)


def _devices(row: Row, now: float) -> Iterator[tuple[str, str]]:
    """(name, value) of every device that has a value with a short form."""
    for cell in row.cells:
        if not isinstance(cell.value, Instances):
            continue
        for name, device in cell.value.rows:
            chosen = [item for item in device.cells if item.column.headline] or device.cells
            if found := pairs(chosen, now):
                yield name, found[0][1]


def _bare(column: Column, value: float) -> str:
    text = humanise(value, column.unit, column.precision)
    return text.removesuffix(f" {column.unit}") if column.unit else text
