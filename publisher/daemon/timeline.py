"""The last 24 hours as one picture: what was to blame when, and how hot and loud it was.

An SVG in a phone's width that follows the viewer's choice of light or dark. Drawn from what the
daemon itself said, kept small: a span for each cause, a point every five minutes for the lines.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from publisher.config.state import save
from publisher.contract.printable import printable
from publisher.contract.readings import CATEGORIES, ExplanationReading

log = logging.getLogger(__name__)

DAY: Final = 86400.0
_FILE: Final = "day.json"
_VERSION: Final = 1
_POINT_SECONDS: Final = 300.0
# Two sights of one cause that are further apart are two spans.
_GAP_SECONDS: Final = 60.0
_MOST_SPANS: Final = 200
_SEND_SECONDS: Final = 900.0
# A machine without a battery begins in 1970, or some years after; it will know better soon.
_CLOCK_IS_SET: Final = 1.6e9
# Less than this nobody sees in the picture.
_VISIBLE_CELSIUS: Final = 3.0
_VISIBLE_RPM: Final = 100.0
_LEGEND: Final = 4
_LABEL: Final = 34


@dataclass(slots=True)
class Span:
    """Something was to blame, from when to when."""

    began: float
    ended: float
    category: str
    label: str

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(slots=True)
class Timeline:
    """The daemon's memory of the last 24 hours.

    Attributes:
        spans: causes, the oldest first.
        points: (time, highest temperature, highest fan speed) of five minutes each.
    """

    spans: list[Span] = field(default_factory=list)
    points: list[tuple[float, float | None, float | None]] = field(default_factory=list)
    _sent: tuple[Any, ...] | None = None
    _sent_at: float = float("-inf")

    def look(self, verdict: ExplanationReading, wall: float) -> None:
        """Takes in the verdict of a moment, in seconds since the epoch."""
        if wall < _CLOCK_IS_SET:
            return
        self._drop_what_lies_ahead(wall)
        for cause in verdict.causes[:1]:
            category, label = cause.category or "unknown", cause.label or ""
            last = self.spans[-1] if self.spans else None
            if (
                last
                and (last.category, last.label) == (category, label)
                and (0 <= wall - last.ended < _GAP_SECONDS)
            ):
                last.ended = wall
            else:
                self.spans.append(Span(wall, wall, category, label))
        evidence = verdict.evidence
        if evidence is not None:
            self._add(wall, evidence.cpu_temperature_celsius, evidence.fan_speed_rpm)
        since = wall - DAY
        while self.spans and (self.spans[0].ended < since or len(self.spans) > _MOST_SPANS):
            del self.spans[0]
        while self.points and self.points[0][0] < since:
            del self.points[0]

    def due(self, now: float) -> bool:
        """Whether a new picture is worth a message: not often, and only when one sees it."""
        if now - self._sent_at < _SEND_SECONDS:
            return False
        seen = self._seen()
        if self._sent is not None and not _differs(self._sent, seen):
            return False
        self._sent, self._sent_at = seen, now
        return True

    def draw(self, wall: float) -> str:
        """The picture of the 24 hours that end at ``wall``."""
        return "".join(_svg(self, wall))

    def save(self, state_dir: str | None) -> None:
        """Keeps it for the next run, and for ``fanwhy-pub picture``."""
        if state_dir is None:
            return
        body = {
            "version": _VERSION,
            "spans": [[span.began, span.ended, span.category, span.label] for span in self.spans],
            "points": self.points,
        }
        path = Path(state_dir, _FILE)
        try:
            save(path, json.dumps(body, separators=(",", ":")))
        except OSError as error:
            log.warning("%s: the last day cannot be kept: %s", path, error.strerror)

    @classmethod
    def open(cls, state_dir: str | None) -> Timeline:
        """What was kept; an empty day where there is nothing that can be read."""
        if state_dir is None:
            return cls()
        try:
            kept = json.loads(Path(state_dir, _FILE).read_bytes())
            if kept["version"] != _VERSION:
                return cls()
            return cls(
                [Span(float(b), float(e), str(c), str(label)) for b, e, c, label in kept["spans"]],
                [(float(t), _number(celsius), _number(rpm)) for t, celsius, rpm in kept["points"]],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def _drop_what_lies_ahead(self, wall: float) -> None:
        """Once the clock was set back nothing of what then is the future has happened."""
        while self.points and self.points[-1][0] > wall:
            del self.points[-1]
        while self.spans and self.spans[-1].began > wall:
            del self.spans[-1]
        if self.spans:
            self.spans[-1].ended = min(self.spans[-1].ended, wall)

    def _add(self, wall: float, celsius: float | None, rpm: float | None) -> None:
        if celsius is None and rpm is None:
            return
        slot = wall - wall % _POINT_SECONDS
        if self.points and self.points[-1][0] >= slot:
            then, hottest, fastest = self.points[-1]
            self.points[-1] = (then, _most(hottest, celsius), _most(fastest, rpm))
        else:
            self.points.append((slot, celsius, rpm))

    def _seen(self) -> tuple[Any, ...]:
        last = self.points[-1] if self.points else (0.0, None, None)
        newest = self.spans[-1] if self.spans else None
        return newest and (newest.began, round(newest.seconds / _SEND_SECONDS)), last[1], last[2]


def _differs(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    if before[0] != after[0]:
        return True
    steps = ((1, _VISIBLE_CELSIUS), (2, _VISIBLE_RPM))
    return any(abs((before[i] or 0) - (after[i] or 0)) >= step for i, step in steps)


def _most(one: float | None, other: float | None) -> float | None:
    values = [value for value in (one, other) if value is not None]
    return max(values, default=None)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


# -- drawing -------------------------------------------------------------------------------------

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


def _svg(day: Timeline, wall: float) -> Iterator[str]:
    totals = _totals(day.spans, wall)
    height = _FIRST_LINE + _LINE * max(len(totals), 1) - 4
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'role="img" aria-label="The last 24 hours"><style>{_STYLE}</style>'
        f'<rect class="back" width="{_WIDTH}" height="{height}" rx="8"/>'
    )
    yield from _hours(wall)
    yield from _line(day, wall, 1, "t", "°C", x=_LEFT, anchor="start")
    yield from _line(day, wall, 2, "f", "rpm", x=_RIGHT, anchor="end")
    yield f'<rect class="rest" x="{_LEFT}" y="{_BAND}" width="{_RIGHT - _LEFT}" '
    yield f'height="{_BAND_HEIGHT}" rx="4"/>'
    for span in day.spans:
        begin, end = _x(span.began, wall), _x(span.ended, wall)
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
    day: Timeline, wall: float, column: int, style: str, unit: str, *, x: int, anchor: str
) -> Iterator[str]:
    points = [(point[0], value) for point in day.points if (value := point[column]) is not None]
    if not points:
        return
    values = [value for _, value in points]
    low, high = min(values), max(values)
    scale = (_BOTTOM - _TOP) / (high - low) if high > low else 0.0
    path, previous = "", None
    for moment, value in points:
        y = _BOTTOM - (value - low) * scale if scale else (_TOP + _BOTTOM) / 2
        joined = previous is not None and moment - previous <= 3 * _POINT_SECONDS
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
        seconds = span.ended - max(span.began, wall - DAY)
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
