"""What a host says, as JSON for the page: words, and numbers with the text that people read.

Every value comes from the model, which has made it harmless; no payload is read here. Moments are
seconds since the epoch by our clock.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from publisher.contract import topics
from publisher.contract.units import Unit
from subscriber_cli.model.explanation import ExplanationCause
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.info import SUBSYSTEMS
from subscriber_cli.model.journal import Entry
from subscriber_cli.model.leaves import LAST, panel_order
from subscriber_cli.model.ledger import is_amount, ledger
from subscriber_cli.model.ranking import rank, standing
from subscriber_cli.model.row import Cell, Column, Instances, Instant, Numbers, RankedRows, Row
from subscriber_cli.model.view import View
from subscriber_cli.render.cells import cell_text, is_picture

Document = dict[str, Any]

_MOST_ROWS: Final = 100  # of one list or of devices that the page shows
_MOST_LEDGER: Final = 40
_PHYSICAL: Final = (Unit.RPM, Unit.CELSIUS, Unit.WATTS)
_TROUBLED: Final = ("denied", "failing", "hanging")
_UNIMPORTANT: Final = frozenset({"pid", "pids", "confidence", "since", "label", "group", "name"})
_OF_A_CAUSE: Final = (
    "cpu_percent", "memory_bytes", "disk_bytes_per_second", "network_bytes_per_second",
    "power_watts", "process_count", "usual", "unit", "container_id",
)  # fmt: skip


def key_of(host: KnownHost) -> str:
    """By which the page knows a host, whatever it calls itself."""
    return _key(host.prefix)


@lru_cache(1024)
def _key(prefix: str) -> str:
    return blake2b(prefix.encode("utf-8", "replace"), digest_size=6).hexdigest()


def broker(view: View) -> Document:
    """Whether messages can come, and why not."""
    return {"connected": view.connected, "trouble": view.trouble, "place": view.place}


def summary(host: KnownHost, now: float) -> Document:
    """A host among others: how it is, in one sentence, and what its body measures."""
    explanation = host.explanation
    body = [cell for cell in explanation.evidence.cells if cell.column.unit in _PHYSICAL]
    fan = next((cell.number for cell in body if cell.column.unit == Unit.RPM), None)
    word = standing(host, now)
    return {
        "id": key_of(host),
        "name": host.name,
        "standing": word,
        "state": explanation.state,
        "rank": rank(word),
        "headline": explanation.headline,
        "since": _here(host, explanation.since, now),
        "fan_rpm": fan,
        "body": [_told(cell, now) for cell in _one_of_each_unit(body)],
        "quiet_at": _quiet_at(host, now),
    }


def verdict(host: KnownHost, now: float) -> Document:
    """Why a host is as it is: the causes, what speaks for them, who was cleared."""
    explanation = host.explanation
    cells = explanation.evidence.cells
    first = sorted(cells, key=lambda cell: cell.column.unit not in _PHYSICAL)
    return {
        "hint": explanation.hint,
        "unattributed_percent": explanation.unattributed_percent,
        "evidence": [_told(cell, now) for cell in first if cell_text(cell, now)],
        "causes": [_cause(host, cause, now) for cause in explanation.causes],
        "cleared": [{"label": each.label, "reason": each.reason} for each in explanation.cleared],
    }


def loudest_first(hosts: Iterable[KnownHost], now: float) -> list[KnownHost]:
    """The worst first; among equals the one whose fan turns fastest, as far as that is measured."""

    def order(host: KnownHost) -> tuple[int, float, str]:
        fans = (cell for cell in host.explanation.evidence.cells if cell.column.unit == Unit.RPM)
        return (
            rank(standing(host, now)),
            -max((cell.number or 0 for cell in fans), default=0),
            host.name,
        )

    return sorted(hosts, key=order)


def heard(host: KnownHost) -> float | None:
    """When a host said anything last, to the second."""
    at = host.last_heard
    return None if at is None else float(round(at))


def panels(host: KnownHost) -> list[str]:
    """The topics whose values are shown, in their order."""
    declared = [leaf for leaf in host.catalogue.topics if leaf in host.latest]
    others = sorted(leaf for leaf in host.latest if leaf not in declared)
    return panel_order(declared + others)


def values(host: KnownHost, leaf: str, now: float) -> Document:
    """All values of one topic, by what the catalogue says of them."""
    cells: Iterable[Cell] = host.row(leaf).cells
    if leaf == topics.INFO:  # what cannot be read has a place of its own
        cells = (cell for cell in cells if cell.column.name != SUBSYSTEMS)
    latest = host.latest[leaf]
    return {
        "leaf": leaf,
        "last": leaf in LAST,
        "at": float(round(now - host.seconds_since(latest.at, now))),
        **_reading(cells, now),
    }


def users(host: KnownHost, now: float) -> Document:
    """Who uses what: one table of all rankings, the largest use of a processor first."""
    found = ledger(host)
    columns = [
        column
        for column in found.columns
        if is_amount(column) and any(row.number(column.name) for row in found.rows)
    ]
    if not columns:
        return {"columns": [], "rows": []}
    largest = {
        column.name: max((row.number(column.name) or 0.0 for row in found.rows), default=0.0)
        for column in columns
    }

    def weight(cells: Iterable[float]) -> float:
        return max(cells, default=0.0)

    ranked = sorted(
        found.rows,
        key=lambda row: (
            -weight((row.number(name) or 0.0) / most for name, most in largest.items() if most > 0)
        ),
    )
    return {
        "columns": [{"name": column.name, "title": column.title} for column in columns],
        "rows": [
            {
                "key": row.key.replace("\0", "/"),
                "name": row.name,
                "cells": [_amount(row.cells.get(column.name), now) for column in columns],
            }
            for row in ranked[:_MOST_LEDGER]
        ],
        "left": max(len(ranked) - _MOST_LEDGER, 0),
    }


def hidden(host: KnownHost) -> list[Document]:
    """What cannot be read on a host though it might, why, and what would mend it."""
    cell = host.row(topics.INFO).cell(SUBSYSTEMS)
    if cell is None or not isinstance(cell.value, Instances):
        return []
    found = []
    for name, row in cell.value.rows:
        state, reason, remedy = (_word(row, key) for key in ("state", "reason", "remedy"))
        if state in _TROUBLED:
            found.append({"name": name, "state": state, "reason": reason, "remedy": remedy})
    return found


def entry(told: Entry, host: KnownHost, now: float) -> Document:
    """Something that happened on a host."""
    return {
        "at": now - host.seconds_since(told.at, now),
        "word": told.word,
        "severity": told.severity,
        "message": told.message,
    }


def _cause(host: KnownHost, cause: ExplanationCause, now: float) -> Document:
    cells = (cause.row.cell(name) for name in _OF_A_CAUSE)
    return {
        "name": cause.name or "?",
        "category": cause.category,
        "resource": cause.resource,
        "share_percent": cause.share_percent,
        "since": _here(host, cause.since, now),
        "active": cause.active,
        "on_behalf_of": cause.on_behalf_of,
        "reason": cause.reason,
        "to_stop": cause.to_stop,
        "teach": _lesson(cause),
        "values": [_told(cell, now) for cell in cells if cell and cell_text(cell, now)],
    }


def _lesson(cause: ExplanationCause) -> str:
    """How somebody teaches the host a name of their own for it."""
    pid = cause.row.number("pid")
    # A name may be anything; what is pasted into a shell must stay one word.
    what = f"{pid:.0f}" if pid and pid > 0 else shlex.quote(cause.group or cause.label)
    return f"fanwhy-pub teach {what}" if what != "''" else ""


def _reading(cells: Iterable[Cell], now: float) -> Document:
    """The values of a row, its devices and its lists."""
    told: list[Document] = []
    lists: list[Document] = []
    for cell in cells:
        match cell.value:
            case Row() as inner:
                lists.append({"title": cell.column.title, **_reading(inner.cells, now)})
            case Instances(rows):
                lists.append({"title": cell.column.title, **_devices(rows, now)})
            case RankedRows(rows) if rows:
                lists.append({"title": cell.column.title, **_ranked(rows, now)})
            case _:
                told += [_told(cell, now)] if cell_text(cell, now) else []
    return {"values": told, **({"lists": lists} if lists else {})}


def _devices(rows: tuple[tuple[str, Row], ...], now: float) -> Document:
    return {
        "devices": [{"name": name, **_reading(row.cells, now)} for name, row in rows[:_MOST_ROWS]],
        "left": max(len(rows) - _MOST_ROWS, 0),
    }


def _ranked(rows: tuple[Row, ...], now: float) -> Document:
    columns: dict[str, Column] = {}
    for row in rows[:_MOST_ROWS]:
        for cell in row.cells:
            if cell.column.name not in _UNIMPORTANT and cell_text(cell, now):
                columns.setdefault(cell.column.name, cell.column)
    return {
        "columns": [{"name": name, "title": column.title} for name, column in columns.items()],
        "rows": [
            {
                "name": row.name or "?",
                "cells": [_amount(row.cell(name), now) for name in columns],
            }
            for row in rows[:_MOST_ROWS]
        ],
        "left": max(len(rows) - _MOST_ROWS, 0),
    }


def _told(cell: Cell, now: float) -> Document:
    """One value: its title, its text, and what a picture of it needs."""
    column, value = cell.column, cell.value
    told: Document = {"name": column.name, "title": column.title}
    if isinstance(value, Instant):  # the page counts on by itself
        return {**told, "text": "", "at": value.at}
    told["text"] = cell_text(cell, now)
    if isinstance(value, Numbers) and is_picture(cell):
        told["bars"] = [_share(column, each, value.values) for each in value.values]
    elif cell.number is not None and column.unit == Unit.PERCENT:
        told["share"] = round(min(max(cell.number / 100, 0.0), 1.0), 3)
    if column.headline:
        told["headline"] = True
    return told


def _share(column: Column, value: float, among: tuple[float, ...]) -> float:
    top = 100.0 if column.unit == Unit.PERCENT else max(among)
    return round(min(max(value / top, 0.0), 1.0), 3) if top > 0 else 0.0


def _amount(cell: Cell | None, now: float) -> Document:
    if cell is None:
        return {"text": ""}
    number = cell.number
    return {"text": cell_text(cell, now), **({} if number is None else {"number": number})}


def _word(row: Row, name: str) -> str:
    cell = row.cell(name)
    return cell.value if cell is not None and isinstance(cell.value, str) else ""


def _here(host: KnownHost, at: float | None, now: float) -> float | None:
    return None if at is None else round(now - host.seconds_since(at, now), 1)


def _quiet_at(host: KnownHost, now: float) -> float | None:
    """When it will have cooled down, as far as its last verdict could tell."""
    left = host.explanation.quiet_in_seconds
    if left is None or topics.EXPLANATION not in host.latest:
        return None
    return float(round(now - host.age(topics.EXPLANATION, now) + left))


def _one_of_each_unit(cells: list[Cell]) -> Iterator[Cell]:
    for unit in _PHYSICAL:
        found = next((cell for cell in cells if cell.column.unit == unit), None)
        if found is not None and found.number is not None:
            yield found
