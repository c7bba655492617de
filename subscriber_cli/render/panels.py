"""One block for each topic that measures something, built from what the catalogue says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import Any

from rich.text import Text

from publisher.contract import topics
from publisher.contract.metric import Kind
from publisher.contract.units import Unit, duration, humanise
from subscriber_cli.model.catalogue import Column, present
from subscriber_cli.model.fleet import HISTORY_SECONDS, Host, Line, lead
from subscriber_cli.model.values import clean, items, mapping, number, numbers, words
from subscriber_cli.render import theme
from subscriber_cli.render.bars import bar, sparkline, strip
from subscriber_cli.render.show import cell, flow, label, pairs, short, value_text

# Told elsewhere on the screen, or not about the machine's work.
_ELSEWHERE = frozenset({topics.EXPLANATION, topics.OVERVIEW, topics.EVENT, topics.CATALOGUE})
_LAST = (topics.INFO, topics.SELF)
_INDENT = "  "
# Seconds that go without saying: what does not change is not sent again for minutes.
_FRESH = 60.0
_WIDE = 56  # columns from which a row has room for a sparkline of its own


@dataclass(frozen=True, slots=True)
class Panel:
    """The lines about one topic, the most telling first; the first is its title."""

    leaf: str
    lines: list[Text]


def panels(host: Host, width: int, most: int, now: float) -> list[Panel]:
    """All of a host's topics, of at most ``most`` lines each.

    They come in the catalogue's order, those that it does not know after, ourselves last.
    """
    declared = [leaf for leaf in host.catalogue.topics if leaf in host.topics]
    known = frozenset(declared)
    order = declared + sorted(leaf for leaf in host.topics if leaf not in known)
    shown = [leaf for leaf in order if leaf not in _ELSEWHERE]
    shown.sort(key=lambda leaf: _LAST.index(leaf) + 1 if leaf in _LAST else 0)
    found = [Panel(leaf, _Block(host, leaf, width, now).lines(most)) for leaf in shown]
    if host.offline:
        for line in chain.from_iterable(panel.lines for panel in found):
            line.stylize("dim")
    return found


class _Block:
    """How one topic of one host looks now."""

    def __init__(self, host: Host, leaf: str, width: int, now: float) -> None:
        self._host = host
        self._leaf = leaf
        self._payload = host.payload(leaf)
        self._columns = host.columns(leaf)
        self._first = lead(self._columns) if leaf not in _LAST else None
        self._width = width
        self._inner = width - len(_INDENT)
        self._now = now

    def lines(self, most: int) -> list[Text]:
        found = [self._title()]
        for line in islice(self._details(most), most - 1):
            line.truncate(self._inner, overflow="ellipsis")
            found.append(Text.assemble(_INDENT, line))
        return found

    def _title(self) -> Text:
        age = self._host.age(self._leaf, self._now)
        # What a machine is does not grow old.
        note = f" {duration(age)} ago" if age > _FRESH and self._leaf != topics.INFO else ""
        name = clean(self._leaf)
        line = cell(name, min(max(len(name), 7), 14) + 1, theme.NAME)
        if self._first is not None:
            line.append_text(cell(self._first.title, 9 if self._width < 44 else 13, "dim"))
            room = self._width - len(note) - line.cell_len
            self._gauge(line, self._first, self._payload, (self._leaf,), room, spark=True)
        if note:
            line.truncate(max(self._width - len(note), 0), overflow="ellipsis", pad=True)
            line.append(note, style="dim")
        return line

    def _gauge(
        self,
        line: Text,
        column: Column,
        reading: Mapping[str, Any],
        place: Line,
        room: int,
        *,
        spark: bool,
    ) -> None:
        """Appends a value, its bar where it has a natural end, and its last minutes."""
        value = number(reading.get(column.name))
        if value is None:
            return
        text = value_text(column, value, self._now)
        line.append(f" {text:>9}")
        room -= max(len(text), 9) + 1
        top = 100.0 if column.unit == Unit.PERCENT else None
        if top is not None and room >= 6:
            length = min(room // 2 - 1 if spark and room >= 14 else room - 1, 30 if spark else 8)
            full, empty = bar(value / top, length)
            line.append(" ").append(full, style=theme.BAR).append(empty, style=theme.TRACK)
            room -= length + 1
        if spark and room >= 6:
            points = self._host.history.get((*place, column.name), ())
            drawn = sparkline(points, self._now, HISTORY_SECONDS, min(room - 1, 60), top)
            line.append(" ").append(drawn, style=theme.SPARK)

    def _details(self, most: int) -> Iterator[Text]:
        """The lines below the title; the caller takes as many as there is room for."""
        if self._leaf == topics.INFO:
            yield from self._senses()
        columns = [c for c in self._columns if c is not self._first and c.name != "senses"]
        headlines = [c for c in columns if c.headline]
        rows = chain.from_iterable(
            self._devices(column) for column in columns if column.kind == Kind.INSTANCES
        )
        ranks = chain.from_iterable(
            self._ranking(column) for column in columns if column.kind == Kind.RECORDS
        )
        strips = (
            self._strip(column)
            for column in columns
            if column.several and not short(column, self._payload[column.name])
        )
        few = max(most // 3, 2)  # some of each before all of any
        yield from flow(pairs(headlines, self._payload, self._now), self._inner, 2)
        yield from islice(strips, 1)
        yield from islice(rows, few)
        yield from islice(ranks, few)
        others = [column for column in columns if column not in headlines]
        yield from flow(pairs(others, self._payload, self._now), self._inner, most)
        yield from rows
        yield from ranks
        yield from strips

    def _strip(self, column: Column) -> Text:
        values = numbers(self._payload[column.name])
        highest = max(values, default=0.0)
        line = Text.assemble((f"{column.title} ", "dim"))
        text = f" max {humanise(highest, column.unit, column.precision)}"
        room = self._inner - line.cell_len - len(text)
        top = 100.0 if column.unit == Unit.PERCENT else highest
        return line.append(strip(values, top, room), style=theme.SPARK).append(text, style="dim")

    def _devices(self, column: Column) -> Iterator[Text]:
        devices = {
            name: device
            for name, device in mapping(self._payload, column.name).items()
            if isinstance(device, dict)
        }
        names = _names(devices)
        wide = self._inner >= _WIDE
        gauge_width = 34 if wide else 20
        longest = max(map(len, names.values()), default=0)
        name_width = min(longest, max(self._inner - gauge_width, self._inner // 3))
        for name, device in devices.items():
            line = cell(names[name], name_width)
            inner = [item for item in present(column.of, device) if device[item.name] is not False]
            first = lead(tuple(inner))
            if first is not None:
                place = (self._leaf, column.name, name)
                room = min(self._inner - name_width, gauge_width)
                self._gauge(line, first, device, place, room, spark=wide)
            rest = [item for item in inner if item is not first]
            shown = [pair for pair in pairs(rest, device, self._now) if pair[1] != names[name]]
            self._append(line, shown)
            yield line

    def _ranking(self, column: Column) -> Iterator[Text]:
        records = items(self._payload, column.name)
        if not records:
            return
        rank = _ranked_by(column, records, self._leaf)
        names = [label(record) or "?" for record in records]
        name_width = min(max(map(len, names)), max(self._inner - 19, 8))
        values = [number(record.get(rank.name)) if rank else None for record in records]
        largest = max((value for value in values if value is not None), default=0.0)
        for record, name, value in zip(records, names, values, strict=True):
            line = cell(name, name_width)
            if rank and value is not None:
                line.append(f" {value_text(rank, value, self._now):>9}")
                length = min(12, self._inner - line.cell_len - 1)
                if length >= 4 and largest > 0:
                    full, empty = bar(value / largest, length)
                    line.append(" ").append(full, style=theme.BAR)
                    line.append(empty, style=theme.TRACK)
            others = [c for c in present(column.of, record) if c is not rank and c.measures]
            self._append(line, pairs(others, record, self._now))
            yield line

    def _append(self, line: Text, shown: list[tuple[str, str]]) -> None:
        """As much more of a row as fits."""
        room = self._inner - line.cell_len - 2
        fitting = [(title, text) for title, text in shown if len(title) + 1 + len(text) <= room]
        for more in flow(fitting, room, 1):
            line.append("  ").append_text(more)

    def _senses(self) -> Iterator[Text]:
        """What this machine cannot tell: why, where that may be mended."""
        absent: list[str] = []
        for name, sense in mapping(self._payload, "senses").items():
            state = words(sense, "state") if isinstance(sense, dict) else ""
            if state == "absent":
                absent.append(clean(name))
            elif state and state != "ok":
                reason = words(sense, "reason")
                yield Text.assemble(f"{clean(name)} ", (state, "yellow"), (f"  {reason}", "dim"))
        if absent:
            yield Text.assemble(("absent ", "dim"), ", ".join(absent))


def _names(devices: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What each device is called: by its own word where no other has the same, else its key."""
    own = {name: label(device) for name, device in devices.items()}
    often = Counter(own.values())
    return {
        name: own[name] if own[name] and often[own[name]] == 1 else clean(name) for name in devices
    }


def _ranked_by(column: Column, records: list[dict[str, Any]], leaf: str) -> Column | None:
    """The number that a ranked list is ordered by.

    The catalogue does not name it: it is one that never grows down the list, and of several the
    one whose name speaks of the topic.
    """
    candidates = [
        item
        for item in present(column.of, records[0])
        if item.measures and _falls([number(record.get(item.name)) for record in records])
    ]
    own = [item for item in candidates if item.name.startswith(f"{leaf}_")]
    return next(iter(own or candidates), None)


def _falls(values: list[float | None]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(a >= b for a, b in pairwise(known))
