"""What was, as lines: the verdict of a moment, and a night as a timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from publisher.contract import past
from publisher.contract.metric import Reading
from publisher.contract.timeline import TimelineReading
from publisher.contract.units import Unit
from publisher.contract.when import clock, moment
from subscriber_cli.render import theme
from subscriber_cli.render.bars import columns
from subscriber_cli.render.drawing import Curve, curves_of, extent
from subscriber_cli.render.head import wrap

_SPARK = 96
_TITLE = 11
_KIND = 10
_NARROW = 80
_LEAST = 8
_ENDLESS = 10_000  # columns of what is no terminal


def moment_lines(host: str, told: past.PastMoment, now: float) -> Iterator[Text]:
    """The verdict of a moment of one host: the sentence first."""
    first, *others = past.sentences(told, now)
    if told.missing:
        yield Text.assemble((f"{host}: ", "dim"), first)
        return
    style = theme.of_state(told.state.state or "") if told.state else ""
    yield Text(first, style=f"bold {style}".strip())
    if told.state:
        state, *others = others
        yield Text.assemble((state, style), (f" · {host}, {clock(told.when.begin, now)}", "dim"))
    else:
        yield Text(f"{host}, {clock(told.when.begin, now)}", style="dim")
    yield from map(Text, others)


def history_lines(
    host: str,
    timeline: TimelineReading,
    begin: float,
    end: float,
    now: float,
    *,
    width: int | None,
    more: Sequence[Curve] = (),
) -> Iterator[Text]:
    """A night of one host: measurements as sparklines, then what happened, in order.

    Args:
        host: its name.
        timeline: what it remembers of that time.
        begin: of the time, in seconds since the epoch.
        end: of the time.
        now: for the words.
        width: columns of the terminal; ``None`` where it is none.
        more: what else was measured and is asked for.
    """
    yield Text.assemble((host, "bold"), (f"  {clock(begin, now)} to {clock(end, now)}", "dim"))
    yield from _sparks([*curves_of(timeline), *more], begin, end, width or _NARROW)
    rows = happenings(timeline, now)
    if not rows:
        since, until = past.covered(timeline)
        words = f"Nothing is known of that time: the memory reaches from {clock(since, now)} to "
        yield Text(f"{words}{clock(until, now)}")
        return
    edge = max(len(row.span) for row in rows) + 2
    for row in rows:
        yield from _shown(row, edge, width)
    if timeline.left_out:
        words = f"{timeline.left_out} more had no room: the oldest and shortest go first"
        yield Text(words, style="dim")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened: the word for its kind, and what it was."""

    order: tuple[float, int]
    span: str
    kind: str = ""
    words: str
    style: str = ""
    body: str = ""


def _shown(row: Happening, edge: int, width: int | None) -> Iterator[Text]:
    """A row on as many lines as it takes, its words below each other."""
    room = _ENDLESS if width is None else max(width - edge - _KIND, _LEAST)
    span, kind = row.span.ljust(edge), row.kind.ljust(_KIND)
    for line in wrap(row.words, room, row.body):
        yield Text.assemble((span, "dim"), (kind, row.style), line)
        span, kind = " " * edge, " " * _KIND


def happenings(timeline: TimelineReading, now: float) -> list[Happening]:
    """What a timeline tells of, in the order of time."""
    return sorted(_rows(timeline, now), key=lambda row: row.order)


def _rows(timeline: TimelineReading, now: float) -> Iterator[Happening]:
    for state in timeline.states:
        yield Happening(
            order=_order(state, 0),
            span=past.span_words(state, now),
            kind=(state.state or "?").upper()[: _KIND - 2],
            words=state.headline or "?",
            style=theme.of_state(state.state or ""),
        )
    for alert in timeline.alerts:
        yield Happening(
            order=_order(alert, 1),
            span=past.span_words(alert, now),
            kind="ALERT",
            words=alert.message or alert.alert or "?",
            style=theme.of_severity(alert.severity or ""),
        )
    for cause in timeline.causes:
        yield Happening(
            order=_order(cause, 2),
            span=past.span_words(cause, now),
            words=past.cause_words(cause, now, dated=False),
            body="dim",
        )
    for gap in timeline.gaps:
        yield Happening(
            order=_order(gap, 3),
            span=past.span_words(gap, now),
            kind="--",
            words=past.gap_words(gap),
            body="dim",
        )


def _order(entry: Reading, order: int) -> tuple[float, int]:
    return moment(getattr(entry, "began", None)) or 0.0, order


def _sparks(curves: Sequence[Curve], begin: float, end: float, width: int) -> Iterator[Text]:
    found: list[tuple[str, str, list[tuple[float, float, float]], str]] = []
    for title, unit, values in curves:
        spans = [each for each in values if each[1] > begin]
        if spans:
            words = extent([value for _, _, value in spans], unit)
            found.append((title, unit, spans, words))
    edge = max((len(title) + 1 for title, _, _, _ in found), default=0)
    edge = max(edge, _TITLE)
    widest = max((len(words) for _, _, _, words in found), default=0)
    room = max(min(width - edge - widest - 2, _SPARK), _LEAST)
    for title, unit, spans, words in found:
        low, high = (pick(value for _, _, value in spans) for pick in (min, max))
        # Of other units nobody knows what much is: from the lowest to the highest of that time.
        bottom, top = (0.0, 100.0) if unit == Unit.PERCENT else (low - 0.1 * (high - low), high)
        spark = columns(spans, begin, end, room, bottom=bottom, top=top)
        yield Text.assemble((title.ljust(edge), "dim"), (spark, theme.SPARK), f"  {words}")
