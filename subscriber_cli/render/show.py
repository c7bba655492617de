"""Fields as text: one value, a few of them on a line, the ones that matter of a message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.text import Text

from publisher.contract.metric import Kind
from publisher.contract.units import Unit, duration, humanise
from subscriber_cli.model.catalogue import Column, present
from subscriber_cli.model.values import clean, items, moment, number, numbers

LABELS = ("label", "name", "title", "id")
"""Keys under which a reading of a ranked list says what it is of."""


def value_text(column: Column, value: Any, now: float) -> str:
    """One value as people read it; empty for what has no short form."""
    if column.kind == Kind.FLAG:
        return ("yes" if value else "no") if isinstance(value, bool) else ""
    if column.kind == Kind.TIMESTAMP:
        at = moment(value)
        return "" if at is None else f"{duration(now - at)} ago"
    if isinstance(value, str):
        return clean(value)
    if column.several:
        return " ".join(_bare(column, item) for item in numbers(value))
    found = number(value)
    return "" if found is None else humanise(found, column.unit, column.precision)


def pairs(
    columns: Iterable[Column], payload: Mapping[str, Any], now: float
) -> list[tuple[str, str]]:
    """(title, value) of every field that has a short form; a group's follow its own title."""
    found: list[tuple[str, str]] = []
    for column in columns:
        value = payload.get(column.name)
        if column.kind == Kind.GROUP:
            if isinstance(value, dict):
                found.extend(pairs(present(column.of, value), value, now))
        elif column.several:
            if short(column, value):
                found.append((column.title, value_text(column, value, now)))
        elif text := value_text(column, value, now):
            found.append((column.title, text))
    return [(title, text) for title, text in found if text]


def cell(text: str, width: int, style: str = "") -> Text:
    """A text in exactly ``width`` columns; what is appended later keeps a style of its own."""
    part = Text(text)
    part.truncate(width, overflow="ellipsis", pad=True)
    part.stylize(style)
    return part


def short(column: Column, value: Any) -> bool:
    """Whether a list of numbers reads better as numbers than as a picture: a load average."""
    return column.unit != Unit.PERCENT and len(numbers(value)) <= 4


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


def summary(columns: tuple[Column, ...], payload: Mapping[str, Any], now: float) -> str:
    """A message in a few words: its headline fields, else the first of its fields and devices."""
    headlines = [column for column in columns if column.headline]
    found = pairs(headlines, payload, now)
    if not found:
        devices = (
            pair
            for column in columns
            if column.kind == Kind.INSTANCES
            for pair in _devices(column, payload, now)
        )
        found = [*pairs(columns, payload, now), *devices][:4]
    words = [f"{title} {text}" for title, text in found]
    for column in columns:
        if column.kind == Kind.RECORDS and (first := items(payload, column.name)):
            name = label(first[0])
            if name:
                words.append(f"{column.title.lower()}: {name}")
            break
    return " · ".join(words)


def label(record: Mapping[str, Any]) -> str:
    """What a reading of a ranked list calls itself."""
    for key in LABELS:
        value = record.get(key)
        if isinstance(value, str) and value:
            return clean(value)
    return ""


def _devices(column: Column, payload: Mapping[str, Any], now: float) -> Iterable[tuple[str, str]]:
    devices = payload.get(column.name)
    if not isinstance(devices, dict):
        return
    for name, device in devices.items():
        if isinstance(device, dict):
            inner = present(column.of, device)
            chosen = [item for item in inner if item.headline] or list(inner)
            if found := pairs(chosen, device, now):
                yield clean(name), found[0][1]


def _bare(column: Column, value: float) -> str:
    text = humanise(value, column.unit, column.precision)
    return text.removesuffix(f" {column.unit}") if column.unit else text
