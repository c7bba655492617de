"""Bars, sparklines and strips of one line: numbers as people see them at a glance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_LEVELS = "▁▂▃▄▅▆▇█"
FULL, EMPTY = "━", "┄"


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


def sparkline(
    points: Iterable[tuple[float, float]], now: float, span: float, width: int, top: float | None
) -> str:
    """The last ``span`` seconds of a value that holds until the next one is known.

    ``points`` are (time, value) in order of time. ``top`` is what a full column means; ``None``:
    the largest value shown.

    Columns stand for fixed spans of the clock, so that a column keeps its height while it moves
    to the left. What was before the first point is left blank.
    """
    if width <= 0:
        return ""
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
    known_values = [value for value in columns if value is not None]
    if top is None:
        top = max(known_values, default=0.0)
    return "".join(" " if value is None else _level(value, top) for value in columns)


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
