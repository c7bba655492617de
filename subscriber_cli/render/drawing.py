"""A time of one host as a drawing (SVG): who was to blame, how it was, what was measured.

The drawing loads nothing and runs nothing; every word in it is escaped. Its colours follow the
reader's choice of light or dark.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from publisher.contract import past
from publisher.contract.metric import Reading
from publisher.contract.timeline import PastCauseReading, TimelineReading
from publisher.contract.units import Unit, humanise
from publisher.contract.when import moment

Curve = tuple[str, str, Sequence[tuple[float, float, float]]]
"""Title, unit, and (begin, end, value) in the order of time."""

STYLE: Final = """
.fw{--ink:#1d2430;--faint:#667085;--line:#d5dae1;--paper:#fff;--quiet:#3f9b63;--busy:#c98a04;
--hot:#cf3f36;--cooling:#2f86b7;--pressure:#9a4fb5;--cause:#3d6fb4;--curve:#2f6fb0;--gap:#e6e9ee;
color:var(--ink);font:13px system-ui,sans-serif}
@media(prefers-color-scheme:dark){.fw{--ink:#e6e9ee;--faint:#98a2b3;--line:#394150;
--paper:#161a20;--quiet:#57bd80;--busy:#e5b03c;--hot:#f0746b;--cooling:#62b3dd;
--pressure:#c287d9;--cause:#7aa7e6;--curve:#73aef0;--gap:#2a303a}}
.fw text{fill:var(--ink)}.fw .faint{fill:var(--faint)}.fw .line{stroke:var(--line)}
.fw .gap{fill:var(--gap)}.fw .cause{fill:var(--cause)}.fw .curve{stroke:var(--curve);fill:none;
stroke-width:1.5}.fw .quiet{fill:var(--quiet)}.fw .busy{fill:var(--busy)}.fw .hot{fill:var(--hot)}
.fw .cooling{fill:var(--cooling)}.fw .pressure{fill:var(--pressure)}.fw .paper{fill:var(--paper)}
"""
"""What a page or a drawing needs besides; its class is ``fw``."""

_STATES: Final = ("quiet", "busy", "hot", "cooling", "pressure")
_LANE: Final = 27
_CURVE: Final = 64
_GAP: Final = 12
_TOP: Final = 34
_MOST_LANES: Final = 10
_WORD: Final = 20  # pixels beside a line that half a time of day takes
_CHARACTER: Final = 6.4  # pixels, about


@dataclass(frozen=True, slots=True)
class Drawing:
    """A time of one host, ready to be drawn at any width.

    Attributes:
        begin: in seconds since the epoch; likewise ``end``.
        curves: what was measured; besides those of the timeline, what was asked for.
    """

    host: str
    timeline: TimelineReading
    begin: float
    end: float
    curves: Sequence[Curve] = ()

    def svg(self, width: int = 960, *, alone: bool = True, plain: bool = False) -> str:
        """The drawing, so many pixels wide.

        Args:
            width: in pixels; it scales.
            alone: a file of its own: with its style and a background.
            plain: for what knows SVG and little of style sheets: in light colours, whoever reads.
        """
        parts, height = _Sheet(self, width).parts()
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="fw" viewBox="0 0 {width} {height}"'
            f' role="img" aria-label="{_escaped(self.host)}">'
        )
        style = f"<style>{_plain_style() if plain else STYLE}</style>" if alone else ""
        paper = f'<rect class="paper" width="{width}" height="{height}"/>' if alone else ""
        return f"{head}{style}{paper}{''.join(parts)}</svg>\n"


def _plain_style() -> str:
    """The style in light colours, without variables."""
    light = re.sub(r"@media.*?}}", "", STYLE, flags=re.DOTALL)
    colours = dict(re.findall(r"--(\w+):([^;}]+)", light))
    ruled = re.sub(r"--\w+:[^;}]+;?", "", light).replace("system-ui,", "")
    return re.sub(r"var\(--(\w+)\)", lambda found: colours[found[1]], ruled)


def curves_of(timeline: TimelineReading) -> list[Curve]:
    """What a timeline measured."""
    found: list[Curve] = []
    for name, (title, unit) in past.MEASURED.items():
        spans = past.values(timeline, name)
        if spans:
            found.append((title, str(unit), spans))
    return found


def extent(values: Sequence[float], unit: str) -> str:
    """From the lowest to the highest: ``35 to 74 °C``."""
    least, most = (humanise(pick(values), unit, 0) for pick in (min, max))
    # A unit that stays the same is said once.
    return most if least == most else f"{least.removesuffix(f' {unit}')} to {most}"


class _Sheet:
    """Places the parts of a drawing below each other."""

    def __init__(self, drawing: Drawing, width: int) -> None:
        self._drawing = drawing
        self._width = width
        self._y = float(_TOP)

    def parts(self) -> tuple[list[str], int]:
        body = [*self._states(), *self._causes()]
        for curve in self._drawing.curves:
            body += self._curve(curve)
        height = round(self._y + 6)
        return [*self._gaps(height), *self._hours(height), *body], height

    def _x(self, at: float) -> float:
        drawing = self._drawing
        share = (at - drawing.begin) / max(drawing.end - drawing.begin, 1.0)
        return min(max(share, 0.0), 1.0) * self._width

    def _hours(self, height: int) -> Iterator[str]:
        drawing = self._drawing
        span = drawing.end - drawing.begin
        most = max(self._width / 90, 2)
        steps = (60, 300, 900, 3600, 7200, 10800, 21600, 43200, 86400, 7 * 86400, 30 * 86400)
        step = next((step for step in steps if span / step <= most), 365 * 86400)
        offset = _utc_offset(drawing.begin)
        at = ((drawing.begin + offset) // step + 1) * step - offset
        while at < drawing.end:
            x = self._x(at)
            form = "%H:%M" if step < 86400 else "%d %b"
            words = f"{datetime.fromtimestamp(at).astimezone():{form}}"
            yield f'<line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="{height}"/>'
            edge = "start" if x < _WORD else "end" if x > self._width - _WORD else "middle"
            yield f'<text class="faint" x="{x:.1f}" y="14" text-anchor="{edge}">{words}</text>'
            at += step

    def _gaps(self, height: int) -> Iterator[str]:
        for gap in self._drawing.timeline.gaps:
            begin, end = self._edges(gap)
            yield (
                f'<rect class="gap" x="{begin:.1f}" y="20" width="{max(end - begin, 1):.1f}"'
                f' height="{height - 20}"><title>{_escaped(past.gap_words(gap))}</title></rect>'
            )

    def _edges(self, entry: Reading) -> tuple[float, float]:
        began, ended = (moment(getattr(entry, name, None)) for name in ("began", "ended"))
        return self._x(began or 0.0), self._x(self._drawing.end if ended is None else ended)

    def _states(self) -> Iterator[str]:
        for state in self._drawing.timeline.states:
            begin, end = self._edges(state)
            kind = state.state if state.state in _STATES else "line"
            yield (
                f'<rect class="{kind}" x="{begin:.1f}" y="{self._y:.0f}"'
                f' width="{max(end - begin, 1):.1f}" height="14">'
                f"<title>{_escaped(state.headline or '?')}</title></rect>"
            )
        self._y += 14 + _GAP

    def _causes(self) -> Iterator[str]:
        lanes: dict[str, list[PastCauseReading]] = {}
        for cause in self._drawing.timeline.causes:
            lanes.setdefault(cause.label or cause.group or "?", []).append(cause)
        longest = sorted(lanes, key=lambda name: -sum(map(self._length, lanes[name])))
        for name in longest[:_MOST_LANES]:
            for cause in lanes[name]:
                begin, end = self._edges(cause)
                opacity = 0.35 + 0.65 * min((cause.share_percent or 50) / 100, 1)
                yield (
                    f'<rect class="cause" x="{begin:.1f}" y="{self._y + 13:.0f}"'
                    f' width="{max(end - begin, 1.5):.1f}" height="7" opacity="{opacity:.2f}"/>'
                )
            room = int(self._width / _CHARACTER) - 2
            shown = name if len(name) <= room else f"{name[: room - 1]}…"
            yield f'<text x="2" y="{self._y + 10:.0f}">{_escaped(shown)}</text>'
            self._y += _LANE
        self._y += _GAP

    def _length(self, cause: PastCauseReading) -> float:
        begin, end = self._edges(cause)
        return end - begin

    def _curve(self, curve: Curve) -> Iterator[str]:
        title, unit, spans = curve
        inside = [each for each in spans if each[1] > self._drawing.begin]
        if not inside:
            return
        low, high = (pick(value for _, _, value in inside) for pick in (min, max))
        bottom, top = (0.0, max(high, 100.0)) if unit == Unit.PERCENT else _scale(low, high)
        words = extent([value for _, _, value in inside], unit)
        yield f'<text x="2" y="{self._y + 10:.0f}">{_escaped(title)}</text>'
        yield (
            f'<text class="faint" x="{self._width - 2}" y="{self._y + 10:.0f}"'
            f' text-anchor="end">{_escaped(words)}</text>'
        )
        floor = self._y + _CURVE
        scale = (_CURVE - 16) / max(top - bottom, 1e-9)
        path, last = [], None
        for begin, end, value in inside:
            y = floor - (value - bottom) * scale
            joined = last is not None and begin - last < 1.0
            path.append(f"{'L' if joined else 'M'}{self._x(begin):.1f} {y:.1f}H{self._x(end):.1f}")
            last = end
        yield f'<path class="curve" d="{"".join(path)}"/>'
        self._y = floor + _GAP


def _scale(low: float, high: float) -> tuple[float, float]:
    """Where a curve begins and ends: what hardly moves is not to look as if it did."""
    spread = max(high - low, abs(high) / 10)
    middle = (low + high) / 2
    return middle - spread / 2, middle + spread / 2


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)


def _utc_offset(at: float) -> float:
    offset = datetime.fromtimestamp(at).astimezone().utcoffset()
    return 0.0 if offset is None else offset.total_seconds()
