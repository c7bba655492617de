"""What Prometheus reads, made of readings and of what the catalogue says about them.

Names are ``fanwhy_<topic>_<field>`` in base units, as the conventions of Prometheus and
OpenTelemetry have it: a ratio for percent, bytes, seconds, hertz, joules; ``_total`` behind what
only grows. Of what is a word (a state) the present one is a label of a 1.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4) and
https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from publisher.contract import topics
from publisher.contract.metric import Kind
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.row import Cell, Instances, Numbers, RankedRows, Row

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_MOST_SERIES: Final = 100_000  # of all hosts
_MOST_OF_ONE: Final = 5_000
_LONGEST_LABEL: Final = 200
_STALE_SECONDS: Final = 900.0  # three heartbeats
_LEFT_OUT: Final = (topics.CATALOGUE, topics.EVENT, topics.TIMELINE, topics.OVERVIEW)
"""What is no measurement, or says again what others say."""

# Suffix of a field's name: that of the base unit, and the factor.
_BASE: Final[Mapping[str, tuple[str, float]]] = {
    "_percent": ("_ratio", 0.01),
    "_mhz": ("_hertz", 1e6),
    "_milliseconds": ("_seconds", 1e-3),
    "_microseconds": ("_seconds", 1e-6),
    "_kilowatt_hours": ("_joules", 3.6e6),
    "_megabits_per_second": ("_bytes_per_second", 125_000.0),
    "_count": ("_number", 1.0),  # the other one is the ending of a histogram
}
_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "causes": ("name", "category", "resource", "on_behalf_of"),
    "energy": ("label",),
}
"""Lists of readings that are told, and what tells their entries apart. Other lists, of who uses
most of something, change all the time; each entry would begin series that end at once."""
_UNSAFE: Final = re.compile(r"[^a-zA-Z0-9_]")
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series."""

    name: str
    title: str
    counts: bool
    labels: Labels
    value: float


def exposition(hosts: Iterable[KnownHost], now: float) -> str:
    """The text that is answered.

    Args:
        hosts: as far as they have told.
        now: seconds since the epoch.
    """
    families: dict[str, list[Sample]] = {}
    seen: set[tuple[str, Labels]] = set()
    for host in hosts:
        for number, sample in enumerate(_of_host(host, now)):
            key = (sample.name, sample.labels)
            if number >= _MOST_OF_ONE or len(seen) >= _MOST_SERIES:
                break
            if key not in seen:
                seen.add(key)
                families.setdefault(sample.name, []).append(sample)
    return "".join(line for name in sorted(families) for line in _family(families[name]))


def _family(samples: list[Sample]) -> Iterator[str]:
    first = samples[0]
    title = first.title.translate(_ESCAPES)
    yield f"# HELP {first.name} {title}\n"
    yield f"# TYPE {first.name} {'counter' if first.counts else 'gauge'}\n"
    for sample in samples:
        labels = ",".join(f'{key}="{text}"' for key, text in sample.labels)
        yield f"{sample.name}{{{labels}}} {sample.value!r}\n"


def _of_host(host: KnownHost, now: float) -> Iterator[Sample]:
    labels: Labels = (("host", _label(host.name)), ("prefix", _label(host.prefix)))
    up = 0.0 if host.offline or _is_old(host.last_heard, now) else 1.0
    yield Sample(
        "fanwhy_host_up", "Whether the daemon is there.", counts=False, labels=labels, value=up
    )
    if not up:  # what it said last is no measurement any more
        return
    for leaf in sorted(host.latest):
        if leaf not in _LEFT_OUT and not (
            leaf != topics.INFO and host.age(leaf, now) > _STALE_SECONDS
        ):
            yield from _of_row(f"fanwhy_{_name(leaf)}", host.row(leaf), labels)


def _is_old(heard: float | None, now: float) -> bool:
    return heard is None or now - heard > _STALE_SECONDS


def _of_row(prefix: str, row: Row, labels: Labels) -> Iterator[Sample]:
    for cell in row.cells:
        yield from _of_cell(prefix, cell, labels)


def _of_cell(prefix: str, cell: Cell, labels: Labels) -> Iterator[Sample]:
    column, value = cell.column, cell.value
    name = f"{prefix}_{_name(column.name)}"
    match value:
        case bool():
            yield Sample(name, column.title, counts=False, labels=labels, value=float(value))
        case int() | float():
            yield _measured(name, cell, labels, float(value))
        case str() if column.kind == Kind.CHOICE:
            if column.name not in dict(labels):
                word = (*labels, (_name(column.name), _label(value)))
                yield Sample(name, column.title, counts=False, labels=word, value=1.0)
        case Numbers(values):
            for index, each in enumerate(values):
                yield _measured(name, cell, (*labels, ("index", str(index))), each)
        case Instances(rows):
            for identity, row in rows:
                inner = "inner_" if "id" in dict(labels) else ""
                own = ((f"{inner}id", _label(identity)), (f"{inner}name", _label(row.label)))
                yield from _of_row(name, row, (*labels, *own))
        case RankedRows(rows) if column.name in _LISTS:
            for row in rows:
                yield from _of_entry(name, row, labels, _LISTS[column.name])
        case Row():
            yield from _of_row(name, value, labels)


def _of_entry(
    name: str, row: Row, labels: Labels, told_apart_by: tuple[str, ...]
) -> Iterator[Sample]:
    own = tuple(
        (key, _label(cell.value))
        for key in told_apart_by
        if (cell := row.cell(key)) is not None and isinstance(cell.value, str)
    )
    for cell in row.cells:
        if cell.number is not None and cell.column.name not in ("pid", "confidence"):
            yield _measured(f"{name}_{_name(cell.column.name)}", cell, (*labels, *own), cell.number)


def _measured(name: str, cell: Cell, labels: Labels, value: float) -> Sample:
    for suffix, (base, factor) in _BASE.items():
        if name.endswith(suffix):
            name, value = name.removesuffix(suffix) + base, value * factor
            break
    counts = cell.column.kind == Kind.COUNTER
    if counts and not name.endswith("_total"):
        name += "_total"
    return Sample(name, cell.column.title, counts=counts, labels=labels, value=value)


def _name(text: str) -> str:
    return _UNSAFE.sub("_", text)[:_LONGEST_LABEL]


def _label(text: str) -> str:
    return text[:_LONGEST_LABEL].translate(_ESCAPES)
