"""The timeline as a drawing: an SVG in a phone's width that follows the choice of light or dark.

A bar for each cause, a line for the temperature and one for the fan, and below them who was to
blame for how long.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

from publisher.contract.printable import printable
from publisher.contract.readings import CATEGORIES
from publisher.daemon.timeline import DAY, POINT_SECONDS, Span, Timeline

_LEGEND: Final = 4
_LABEL: Final = 34
_WIDTH, _LEFT, _RIGHT = 400, 8, 392
_TOP, _BOTTOM = 40, 120  # of the lines
_BAND, _BAND_HEIGHT = 130, 26
_AXIS, _FIRST_LINE, _LINE = 172, 196, 20
_STYLE = (
    "text{font:13px sans-serif;fill:#222}.dim{fill:#666}.b{font-weight:600}"
    ".back{fill:#fff}.grid{stroke:#ddd}.rest{fill:#eee}"
    ".t{stroke:#d3451d}.f{stroke:#1d6fd3}.tt{fill:#d3451d}.ff{fill:#1d6fd3}"
    "@media(prefers-color-scheme:dark){text{fill:#eee}.dim{fill:#aaa}.back{fill:#1c1c1c}"
    ".grid{stroke:#3a3a3a}.rest{fill:#2c2c2c}"
    ".t{stroke:#ff8a65}.f{stroke:#64b5f6}.tt{fill:#ff8a65}.ff{fill:#64b5f6}}"
)


def draw(timeline: Timeline, wall: float) -> str:
    """The 24 hours that end at ``wall``, in seconds since the epoch, as an SVG document."""
    return "".join(_parts(timeline, wall))


def _parts(timeline: Timeline, wall: float) -> Iterator[str]:
    totals = _totals(_of_the_day(timeline, wall), wall)
    height = _FIRST_LINE + _LINE * max(len(totals), 1) - 4
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'role="img" aria-label="The last 24 hours"><style>{_STYLE}</style>'
        f'<rect class="back" width="{_WIDTH}" height="{height}" rx="8"/>'
    )
    yield from _hours(wall)
    yield from _line(timeline, wall, "celsius", "t", "°C", x=_LEFT, anchor="start")
    yield from _line(timeline, wall, "rpm", "f", "rpm", x=_RIGHT, anchor="end")
    yield f'<rect class="rest" x="{_LEFT}" y="{_BAND}" width="{_RIGHT - _LEFT}" '
    yield f'height="{_BAND_HEIGHT}" rx="4"/>'
    # Who had the largest share is seen where several were to blame.
    for span in sorted(_of_the_day(timeline, wall), key=lambda span: span.share or 0.0):
        begin, end = _x(span.began, wall), _x(max(span.ended, span.blamed), wall)
        yield (
            f'<rect x="{begin:.1f}" y="{_BAND}" width="{max(end - begin, 1.5):.1f}" '
            f'height="{_BAND_HEIGHT}" fill="{_colour(span.category)}"/>'
        )
    if not totals:
        yield f'<text class="dim" x="{_LEFT}" y="{_FIRST_LINE}">Nothing to blame.</text>'
    for row, (label, category, seconds) in enumerate(totals):
        y = _FIRST_LINE + _LINE * row
        name = _escaped(label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…")
        yield (
            f'<rect x="{_LEFT}" y="{y - 11}" width="12" height="12" rx="3" '
            f'fill="{_colour(category)}"/>'
            f'<text x="{_LEFT + 20}" y="{y}">{name}</text>'
            f'<text class="dim" x="{_RIGHT}" y="{y}" text-anchor="end">{_duration(seconds)}</text>'
        )
    yield "</svg>"


def _of_the_day(timeline: Timeline, wall: float) -> list[Span]:
    return [span for span in timeline.spans if max(span.ended, span.blamed) >= wall - DAY]


def _hours(wall: float) -> Iterator[str]:
    """Lines at 0, 6, 12 and 18 o'clock, local time."""
    yield '<path class="grid" fill="none" d="'
    marks = []
    hour = wall - wall % 3600
    while hour > wall - DAY:
        local = time.localtime(hour)
        if local.tm_hour % 6 == 0:
            x = _x(hour, wall)
            marks.append((x, f"{local.tm_hour:02d}:00"))
            yield f"M{x:.1f} {_TOP}V{_AXIS - 14}"
        hour -= 3600
    yield '"/>'
    for x, words in marks:
        middle = min(max(x, _LEFT + 18), _RIGHT - 18)
        yield f'<text class="dim" x="{middle:.1f}" y="{_AXIS}" text-anchor="middle">{words}</text>'


def _line(
    timeline: Timeline, wall: float, column: str, style: str, unit: str, *, x: int, anchor: str
) -> Iterator[str]:
    points = [
        (point.at, value)
        for point in timeline.points.points
        if point.at >= wall - DAY and (value := getattr(point, column)) is not None
    ]
    if not points:
        return
    values = [value for _, value in points]
    low, high = min(values), max(values)
    scale = (_BOTTOM - _TOP) / (high - low) if high > low else 0.0
    path, previous = "", None
    for moment, value in points:
        y = _BOTTOM - (value - low) * scale if scale else (_TOP + _BOTTOM) / 2
        joined = previous is not None and moment - previous <= 3 * POINT_SECONDS
        path += f"{'L' if joined else 'M'}{_x(moment, wall):.1f} {y:.1f}"
        previous = moment
    extent = f"{low:,.0f} to {high:,.0f}" if high > low else f"{high:,.0f}"
    yield f'<path class="{style}" fill="none" stroke-width="2" d="{path}"/>'
    yield (
        f'<text class="b {style * 2}" x="{x}" y="24" text-anchor="{anchor}">{extent} {unit}</text>'
    )


def _escaped(text: str) -> str:
    # The standard library's escape would load an HTTP client.
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _x(moment: float, wall: float) -> float:
    part = 1 - (wall - moment) / DAY
    return _LEFT + (_RIGHT - _LEFT) * min(max(part, 0.0), 1.0)


def _totals(spans: Iterable[Span], wall: float) -> list[tuple[str, str, float]]:
    """(label, category, seconds) of those that were to blame for longest."""
    found: dict[tuple[str, str], float] = {}
    for span in spans:
        key = (span.label or span.category, span.category)
        seconds = max(span.ended, span.blamed) - max(span.began, wall - DAY)
        found[key] = found.get(key, 0.0) + max(seconds, 0.0)
    ranked = sorted(found.items(), key=lambda item: -item[1])[:_LEGEND]
    return [(label, category, seconds) for (label, category), seconds in ranked]


def _colour(category: str) -> str:
    """The same colour for a category always, far from its neighbours' (the golden angle)."""
    index = CATEGORIES.index(category) if category in CATEGORIES else len(CATEGORIES)
    return f"hsl({index * 137.5 % 360:.0f} 65% 50%)"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "under a minute"
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
