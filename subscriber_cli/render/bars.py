"""Bars, sparklines and strips of one line: numbers as people see them at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_LEVELS = "▁▂▃▄▅▆▇█"
FULL, EMPTY = "━", "┄"
_BRAILLE = 0x2800  # the character without a dot (Unicode, chapter 21.1)
# The dots of one character's two columns, from the ground up.
_LEFT, _RIGHT = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)


def bar(share: float, width: int) -> tuple[str, str]:
    """(filled, empty) of a bar for a share from 0 to 1; something above nothing shows."""
    share = min(max(share, 0.0), 1.0)
    filled = round(share * width)
    if share > 0 and width:
        filled = max(filled, 1)
    return FULL * filled, EMPTY * (width - filled)


def strip(values: Sequence[float], top: float, width: int) -> str:
    """One column for each value, merged by the largest where there are more values than columns."""
    if width <= 0 or not values:
        return ""
    if len(values) > width:
        values = [
            max(values[i * len(values) // width : max((i + 1) * len(values) // width, 1)])
            for i in range(width)
        ]
    return "".join(_level(value, top) for value in values)


def graph(
    points: Iterable[tuple[float, float]],
    now: float,
    span: float,
    width: int,
    top: float | None,
    *,
    rows: int = 1,
) -> list[str]:
    """The last ``span`` seconds of a value, in dots of braille, the highest row first.

    Each character holds two columns of four dots, so that it shows twice as much time as a bar
    would. ``points`` are (time, value) in order of time. ``top`` is what a full column means;
    ``None``: the largest value shown. What was before the first point is left blank.
    """
    values = _held(points, now, span, 2 * width)
    known = [value for value in values if value is not None]
    full = max(known, default=0.0) if top is None else top
    heights = [None if value is None else _dots(value, full, 4 * rows) for value in values]
    lines = []
    for row in reversed(range(rows)):
        pairs = zip(heights[::2], heights[1::2], strict=True)
        lines.append("".join(_character(left, right, 4 * row) for left, right in pairs))
    return lines


def _dots(value: float, top: float, most: int) -> int:
    share = min(max(value / top, 0.0), 1.0) if top > 0 else 0.0
    return max(round(share * most), 1)  # what is known stands on the ground


def _character(left: int | None, right: int | None, below: int) -> str:
    bits = 0
    for height, column in ((left, _LEFT), (right, _RIGHT)):
        for dot in column[: min(max((height or 0) - below, 0), 4)]:
            bits |= dot
    return chr(_BRAILLE + bits) if bits else " "


def _held(
    points: Iterable[tuple[float, float]], now: float, span: float, width: int
) -> list[float | None]:
    """For each column the largest value of its time; a value holds until the next one is known.

    Columns stand for fixed spans of the clock, so that a column keeps its height while it moves
    to the left.
    """
    if width <= 0:
        return []
    step = span / width
    first = int(now // step) - width + 1
    columns: list[float | None] = [None] * width
    held: float | None = None
    filled = 0
    for moment, value in points:
        index = min(int(moment // step) - first, width - 1)
        if index >= 0:
            if held is not None:
                # A value counts in the column in which it ends, too.
                for column in range(filled, index + 1):
                    columns[column] = held
            known = columns[index]
            columns[index] = value if known is None else max(known, value)
            filled = index + 1
        held = value
    if held is not None:
        for column in range(filled, width):
            columns[column] = held
    return columns


def columns(
    spans: Iterable[tuple[float, float, float]],
    begin: float,
    end: float,
    width: int,
    *,
    bottom: float,
    top: float,
) -> str:
    """Values that each stand for a time, (begin, end, value), from ``begin`` to ``end``.

    A column shows the largest value of its time; where there is none it is blank.
    """
    held: list[float | None] = [None] * width
    step = (end - begin) / width if width > 0 else 0.0
    if step <= 0:
        return ""
    for first, last, value in spans:
        here = max(int((first - begin) // step), 0)
        beyond = min(max(-int(-(last - begin) // step), here + 1), width)
        for column in range(here, beyond):
            known = held[column]
            held[column] = value if known is None else max(known, value)
    return "".join(" " if value is None else _level(value - bottom, top - bottom) for value in held)


def _level(value: float, top: float) -> str:
    share = min(max(value / top, 0.0), 1.0) if top > 0 else 0.0
    return _LEVELS[round(share * (len(_LEVELS) - 1))]
