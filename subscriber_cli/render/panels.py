"""One block for each topic that measures something, built from what the catalogue says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise

from rich.text import Text

from publisher.contract import topics
from publisher.contract.units import Unit, duration, humanise
from subscriber_cli.model.fleet import HISTORY_SECONDS, KnownHost, SeriesKey
from subscriber_cli.model.info import SUBSYSTEMS, TOTALS
from subscriber_cli.model.leaves import AGELESS, LAST, panel_order
from subscriber_cli.model.ledger import is_amount
from subscriber_cli.model.row import Cell, Column, Instances, Numbers, RankedRows, Row, lead
from subscriber_cli.model.values import clean
from subscriber_cli.render import theme
from subscriber_cli.render.bars import bar, graph, strip
from subscriber_cli.render.cells import cell_text, flow, is_picture, padded, pairs

_INDENT = "  "
# Seconds that go without saying: what does not change is not sent again for minutes.
_FRESH = 60.0
_GRAPH = 60  # columns of a sparkline at most: a dot a second
_WIDE = 56  # columns from which a row has room for a sparkline of its own

_MOST_COMPARED = 30  # rows, and fields of these, among which the order of a list is looked for


@dataclass(frozen=True, slots=True)
class Panel:
    """The lines about one topic, the most telling first; the first is its title."""

    leaf: str
    lines: list[Text]


def panels(host: KnownHost, width: int, most: int, now: float) -> list[Panel]:
    """All of a host's topics, of at most ``most`` lines each.

    They come in the catalogue's order, those that it does not know after; what is about the host
    and the daemon comes last.
    """
    declared = [leaf for leaf in host.catalogue.topics if leaf in host.latest]
    known = frozenset(declared)
    order = declared + sorted(leaf for leaf in host.latest if leaf not in known)
    return [panel(host, leaf, width, most, now) for leaf in panel_order(order)]


def panel(host: KnownHost, leaf: str, width: int, most: int, now: float) -> Panel:
    """One of a host's topics, of at most ``most`` lines; dimmed where it is its last word."""
    found = Panel(leaf, _Block(host, leaf, width, now).lines(most))
    if host.offline:
        for line in found.lines:
            line.stylize("dim")
    return found


def chart(host: KnownHost, leaf: str, width: int, rows: int, now: float) -> list[Text]:
    """The last minutes of the number that stands for a topic, over several lines."""
    first = lead(host.row(leaf).cells)
    points = host.history.get((leaf, first.column.name), ()) if first is not None else ()
    if first is None or len(points) < 2:
        return []
    percent = first.column.unit == Unit.PERCENT
    most = 100.0 if percent else max(value for _, value in points)
    drawn = graph(points, now, HISTORY_SECONDS, min(width, _GRAPH), most, rows=rows)
    lines = [Text(line, style=theme.SPARK) for line in drawn]
    note = f"{humanise(most, first.column.unit, first.column.precision)} on top, last 2 min"
    return [*lines, Text(note, style="dim")]


class _Block:
    """How one topic of one host looks now."""

    def __init__(self, host: KnownHost, leaf: str, width: int, now: float) -> None:
        self._host = host
        self._leaf = leaf
        self._cells = host.row(leaf).cells
        self._first = lead(self._cells) if leaf not in LAST else None
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
        note = f" {duration(age)} ago" if age > _FRESH and self._leaf not in AGELESS else ""
        name = clean(self._leaf)
        line = padded(name, min(max(len(name), 7), 14) + 1, theme.NAME)
        if self._first is not None:
            line.append_text(padded(self._first.column.title, 9 if self._width < 44 else 13, "dim"))
            room = self._width - len(note) - line.cell_len
            self._gauge(line, self._first, (self._leaf,), room, spark=True)
        if note:
            line.truncate(max(self._width - len(note), 0), overflow="ellipsis", pad=True)
            line.append(note, style="dim")
        return line

    def _gauge(self, line: Text, cell: Cell, place: SeriesKey, room: int, *, spark: bool) -> None:
        """Appends a value, its bar where it has a natural end, and its last minutes."""
        if cell.number is None:
            return
        text = cell_text(cell, self._now)
        line.append(f" {text:>9}")
        room -= max(len(text), 9) + 1
        top = 100.0 if cell.column.unit == Unit.PERCENT else None
        if top is not None and room >= 6:
            length = min(room // 2 - 1 if spark and room >= 14 else room - 1, 30 if spark else 8)
            full, empty = bar(cell.number / top, length)
            colour = theme.of_gauge(cell.column.name, cell.number)
            line.append(" ").append(full, style=colour).append(empty, style=theme.TRACK)
            room -= length + 1
        if spark and room >= 6:
            points = self._host.history.get((*place, cell.column.name), ())
            (drawn,) = graph(points, self._now, HISTORY_SECONDS, min(room - 1, _GRAPH), top)
            line.append(" ").append(drawn, style=theme.SPARK)

    def _details(self, most: int) -> Iterator[Text]:
        """The lines below the title; the caller takes as many as there is room for."""
        cells = [cell for cell in self._cells if cell is not self._first]
        if self._leaf == topics.INFO:
            yield from self._subsystems()
            cells = [cell for cell in cells if cell.column.name not in (SUBSYSTEMS, TOTALS)]
        headlines = [cell for cell in cells if cell.column.headline]
        rows = chain.from_iterable(map(self._devices, cells))
        ranks = chain.from_iterable(map(self._ranking, cells))
        groups = list(chain.from_iterable(map(self._group, cells)))
        cells = [cell for cell in cells if not isinstance(cell.value, Row)]
        strips = (self._strip(cell) for cell in cells if is_picture(cell) and _is_something(cell))
        few = max(most // 3, 2)  # some of each before all of any
        yield from flow(pairs(headlines, self._now), self._inner, 2)
        yield from islice(strips, 1)
        yield from islice(rows, few)
        yield from islice(ranks, few)
        others = [cell for cell in cells if not (cell.column.headline or cell.number == 0)]
        yield from flow(pairs(others, self._now), self._inner, most)
        yield from groups
        yield from rows
        yield from ranks
        yield from strips

    def _strip(self, cell: Cell) -> Text:
        column = cell.column
        values = cell.value.values if isinstance(cell.value, Numbers) else ()
        highest = max(values, default=0.0)
        line = Text.assemble((f"{column.title} ", "dim"))
        text = f" max {humanise(highest, column.unit, column.precision)}"
        room = self._inner - line.cell_len - len(text)
        top = 100.0 if column.unit == Unit.PERCENT else highest
        return line.append(strip(values, top, room), style=theme.SPARK).append(text, style="dim")

    def _devices(self, cell: Cell) -> Iterator[Text]:
        """A line for each device of a field that holds some."""
        if not isinstance(cell.value, Instances):
            return
        devices = cell.value.rows
        names = _names(devices)
        wide = self._inner >= _WIDE
        gauge_width = 34 if wide else 20
        longest = max(map(len, names), default=0)
        name_width = min(longest, max(self._inner - gauge_width, self._inner // 3))
        for (key, device), name in zip(devices, names, strict=True):
            line = padded(name, name_width)
            inner = [item for item in device.cells if item.value is not False]
            first = lead(inner)
            if first is not None:
                place = (self._leaf, cell.column.name, key)
                room = min(self._inner - name_width, gauge_width)
                self._gauge(line, first, place, room, spark=wide)
            rest = [item for item in inner if item is not first and item.number != 0]
            self._append(line, [pair for pair in pairs(rest, self._now) if pair[1] != name])
            yield line

    def _group(self, cell: Cell) -> Iterator[Text]:
        """A line for a reading inside this one, under its own title."""
        if isinstance(cell.value, Row) and (found := pairs(cell.value.cells, self._now)):
            line = Text.assemble((cell.column.title, "dim"))
            self._append(line, found)
            yield line

    def _ranking(self, cell: Cell) -> Iterator[Text]:
        """A line for each row of a field that holds a ranked list."""
        if not isinstance(cell.value, RankedRows) or not cell.value.rows:
            return
        rows = cell.value.rows
        rank = _ranked_by(rows, self._leaf)
        names = [row.name or "?" for row in rows]
        name_width = min(max(map(len, names)), max(self._inner - 19, 8))
        amounts = [_total(row, rank) for row in rows]
        largest = max((amount for amount in amounts if amount is not None), default=0.0)
        for row, name, amount in zip(rows, names, amounts, strict=True):
            line = padded(name, name_width)
            if amount is not None:
                text = humanise(amount, rank[0].unit, rank[0].precision)
                line.append(f" {text:>9}")
                length = min(12, self._inner - line.cell_len - 1)
                if length >= 4 and largest > 0:
                    full, empty = bar(amount / largest, length)
                    line.append(" ").append(full, style=theme.BAR)
                    line.append(empty, style=theme.TRACK)
            shown = rank if len(rank) == 1 else ()
            others = [
                c for c in row.cells if is_amount(c.column) and c.column not in shown and c.number
            ]
            self._append(line, pairs(others, self._now))
            yield line

    def _append(self, line: Text, shown: list[tuple[str, str]]) -> None:
        """As much more of a row as fits."""
        room = self._inner - line.cell_len - 2
        fitting = [(title, text) for title, text in shown if len(title) + 1 + len(text) <= room]
        for more in flow(fitting, room, 1):
            line.append("  ").append_text(more)

    def _subsystems(self) -> Iterator[Text]:
        """What this machine cannot tell: why, where that may be mended."""
        absent: list[str] = []
        for subsystem in self._host.subsystems:
            if subsystem.state == "absent":
                absent.append(subsystem.name)
            elif subsystem.state and subsystem.state != "ok":
                yield Text.assemble(
                    f"{subsystem.name} ",
                    (subsystem.state, "yellow"),
                    (f"  {subsystem.reason}", "dim"),
                )
        if absent:
            yield Text.assemble(("absent ", "dim"), ", ".join(absent))


def _is_something(cell: Cell) -> bool:
    """Whether any number of a list is more than nothing, as people see it."""
    return isinstance(cell.value, Numbers) and any(abs(value) >= 0.5 for value in cell.value.values)


def _names(devices: tuple[tuple[str, Row], ...]) -> list[str]:
    """What each device is called: by its own word where no other has the same, else its key."""
    often = Counter(device.label for _, device in devices)
    return [
        device.label if device.label and often[device.label] == 1 else key
        for key, device in devices
    ]


def _ranked_by(rows: tuple[Row, ...], leaf: str) -> tuple[Column, ...]:
    """The columns whose sum a ranked list is ordered by; none where it is ordered by no number.

    The catalogue does not name them: their sum never grows down the list. Those whose names speak
    of the topic go first, together where they are of one unit, as what is read and what is written.
    """
    rows = rows[:_MOST_COMPARED]
    amounts = (cell.column for row in rows for cell in row.cells if is_amount(cell.column))
    columns = list({column.name: column for column in islice(amounts, _MOST_COMPARED**2)}.values())
    own: dict[str, tuple[Column, ...]] = {}
    for column in columns[:_MOST_COMPARED]:
        if column.name.startswith(f"{leaf}_"):
            own[column.unit] = (*own.get(column.unit, ()), column)
    candidates = chain(own.values(), ((column,) for column in columns[:_MOST_COMPARED]))
    return next((each for each in candidates if _falls([_total(row, each) for row in rows])), ())


def _total(row: Row, columns: tuple[Column, ...]) -> float | None:
    """What a row has in some columns together; ``None`` where it has nothing in any."""
    known = [value for column in columns if (value := row.number(column.name)) is not None]
    return sum(known) if known else None


def _falls(values: list[float | None]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(a >= b for a, b in pairwise(known))
