"""Who was to blame when: a bar of time to step through, and the verdict of one moment of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from publisher.contract import past
from publisher.contract.metric import Reading
from publisher.contract.timeline import TimelineReading
from publisher.contract.units import Unit, duration, humanise
from publisher.contract.when import When, clock, moment
from subscriber_cli.render import theme
from subscriber_cli.render.bars import columns
from subscriber_cli.render.cells import padded
from subscriber_cli.render.head import wrap
from subscriber_cli.render.history import moment_lines
from subscriber_cli.render.page import Page

SPANS = (600.0, 3600.0, 86400.0)
"""Seconds that the bar may hold."""

_NAME, _LONGEST_NAME = 18, 32  # columns of the names on the left, at least and at most
_STATES = {"quiet": "▁", "cooling": "▃", "busy": "▅", "pressure": "▆", "hot": "█"}
_WORST = tuple(_STATES)
_UNKNOWN = "·"
_AT_WORK, _IDLE = "█", "┄"
_HINT = "← goes to the event before; @ goes to a time, such as 03:12 or yesterday 3am."
_MOST_LANES = 100


@dataclass(slots=True)
class PastState:
    """What somebody looks at.

    Attributes:
        span: seconds that the bar holds.
        moment: the moment, in seconds since the epoch by the host's clock; ``None``: now.
    """

    span: float = SPANS[1]
    moment: float | None = None

    def window(self, now: float) -> tuple[float, float]:
        """(begin, end) of the bar: up to now, as long as the moment is in there."""
        end = now
        if self.moment is not None and self.moment < now - self.span:
            end = min(self.moment + self.span / 2, now)
        return end - self.span, end

    def step(self, timeline: TimelineReading, now: float, by: int) -> None:
        """Goes to the next moment at which something began or ended, or to the one before."""
        at = now if self.moment is None else self.moment
        found = [each for each in moments(timeline) if each < now]
        if by < 0:
            before = [each for each in found if each < at - 0.5]
            self.moment = before[-1] if before else self.moment
        else:
            after = [each for each in found if each > at + 0.5]
            self.moment = after[0] if after else None

    def zoom(self, by: int) -> None:
        """Looks at more time, or at less."""
        at = SPANS.index(self.span) if self.span in SPANS else 0
        self.span = SPANS[min(max(at + by, 0), len(SPANS) - 1)]

    def point(self, x: int, width: int, now: float) -> None:
        """Goes to the moment that is drawn at a column of the page."""
        begin, end = self.window(now)
        names = name_width(width)
        room = max(width - names, 1)
        if x >= names:
            at = begin + (x - names + 0.5) * (end - begin) / room
            self.moment = at if at < end - self.span / room else None


def moments(timeline: TimelineReading) -> list[float]:
    """When anything began or ended, in order."""
    found: set[float] = set()
    entries: tuple[Reading, ...] = (
        *timeline.states, *timeline.causes, *timeline.alerts, *timeline.gaps
    )  # fmt: skip
    for entry in entries:
        for name in ("began", "ended"):
            at = moment(getattr(entry, name, None))
            if at is not None:
                found.add(at)
    return sorted(found)


def state_bar(
    timeline: TimelineReading, begin: float, end: float, width: int, now: float, *, live: bool
) -> Text:
    """How the machine was, a column each: the worse the higher; a dot where nobody watched."""
    until = now if live else past.covered(timeline)[1]
    worst: list[str] = [""] * max(width, 0)
    for state in timeline.states:
        for column in _columns(state, begin, end, len(worst), until):
            if _rank(state.state or "") >= _rank(worst[column]):
                worst[column] = state.state or ""
    line = Text()
    for state_word in worst:
        style = theme.of_state(state_word) if state_word in _STATES else "dim"
        line.append(_STATES.get(state_word, _UNKNOWN), style=style)
    return line


def past_page(
    host: str, timeline: TimelineReading, state: PastState, width: int, now: float, *, live: bool
) -> Page:
    """The bar, the moment, who was to blame when, and what was measured.

    Args:
        host: its name.
        timeline: what it remembers.
        state: what somebody looks at.
        width: columns that there are.
        now: seconds since the epoch by the host's clock.
        live: what went on when it last told still does.
    """
    begin, end = state.window(now)
    names = name_width(width)
    room = max(width - names, 1)
    at = now if state.moment is None else state.moment
    here = min(max(int((at - begin) * room / (end - begin)), 0), room - 1)
    page = Page(frozen=3)
    page.add(_spans(state, begin, end, now))
    bar = padded("how it was", names, "dim")
    page.add(bar.append_text(_marked(state_bar(timeline, begin, end, room, now, live=live), here)))
    page.add(_pointer(here, names, room, "now" if state.moment is None else clock(at, now)))
    if state.moment is None:
        page.extend(wrap(_HINT, width, "dim"))
    else:
        for line in moment_lines(host, past.at(timeline, When(at, 1.0), now, live=live), now):
            page.extend(_wrapped(line, width))
    lanes = list(_lanes(timeline, begin, end, room, now if live else past.covered(timeline)[1]))
    if lanes:
        page.add(Text())
    for name, lane in lanes[:_MOST_LANES]:
        page.add(padded(name, names - 1).append(" ").append_text(_marked(lane, here)))
    measured = list(_measured(timeline, begin, end, room))
    if measured:
        page.add(Text())
    for title, drawn in measured:
        page.add(padded(title, names - 1, "dim").append(" ").append_text(_marked(drawn, here)))
    return page


def _spans(state: PastState, begin: float, end: float, now: float) -> Text:
    line = Text()
    for span in SPANS:
        words = "24 h" if span == SPANS[-1] else duration(span)
        chip = Text(f" {words} ", style="bold reverse" if span == state.span else "")
        chip.stylize(Style(meta={"@click": f"screen.span({span})"}))
        line.append_text(chip).append(" ")
    until = "now" if end == now else clock(end, now)
    return line.append(f" {clock(begin, now)} to {until}", style="dim")


def name_width(width: int) -> int:
    """Columns for the names on the left, of so many."""
    return min(max(width // 5, _NAME), _LONGEST_NAME)


def _pointer(here: int, names: int, room: int, words: str) -> Text:
    """What moment the mark stands for, written where there is room beside it."""
    if here + 2 + len(words) <= room:
        return Text(" " * (names + here) + "▲ " + words, style="bold")
    return Text(" " * max(names + here - len(words) - 1, 0) + words + " ▲", style="bold")


def _wrapped(line: Text, width: int) -> list[Text]:
    if line.cell_len <= width:
        return [line]
    return wrap(line.plain, width, str(line.style))


def _marked(line: Text, here: int) -> Text:
    """A bar with the column of the moment set off."""
    line.stylize("reverse", here, here + 1)
    return line


def _lanes(
    timeline: TimelineReading, begin: float, end: float, room: int, until: float
) -> Iterator[tuple[str, Text]]:
    """A row for each name that was to blame in a time: who was longest comes first."""
    lanes: dict[str, dict[int, float]] = {}
    for cause in timeline.causes:
        name = cause.label or cause.group or "?"
        for column in _columns(cause, begin, end, room, until):
            lane = lanes.setdefault(name, {})
            lane[column] = max(lane.get(column, 0.0), cause.share_percent or 0.0)
    for name, lane in sorted(lanes.items(), key=lambda item: (-len(item[1]), item[0])):
        line = Text()
        for column in range(room):
            share = lane.get(column)
            line.append(
                _IDLE if share is None else _AT_WORK,
                style=theme.TRACK if share is None else theme.of_level(share),
            )
        yield name, line


def _measured(
    timeline: TimelineReading, begin: float, end: float, room: int
) -> Iterator[tuple[str, Text]]:
    for name, (title, unit) in past.MEASURED.items():
        spans = [each for each in past.values(timeline, name) if begin < each[1] and each[0] < end]
        if not spans:
            continue
        highest = max(value for _, _, value in spans)
        lowest = min(value for _, _, value in spans)
        # Of other units nobody knows what much is: from the lowest to the highest of that time.
        bottom = 0.0 if unit == Unit.PERCENT else lowest - 0.2 * (highest - lowest)
        top = 100.0 if unit == Unit.PERCENT else highest
        drawn = columns(spans, begin, end, room, bottom=bottom, top=top)
        yield f"{title} ≤ {humanise(highest, unit, 0)}", Text(drawn, style=theme.SPARK)


def _columns(entry: Reading, begin: float, end: float, width: int, until: float) -> range:
    """The columns of a bar in which something went on."""
    began, ended = moment(getattr(entry, "began", None)), moment(getattr(entry, "ended", None))
    last = until if ended is None else ended
    if began is None or last < begin or began >= end or width <= 0:
        return range(0)
    step = (end - begin) / width
    first = max(int((began - begin) // step), 0)
    beyond = min(max(-int(-(last - begin) // step), first + 1), width)
    return range(first, beyond)


def _rank(state: str) -> int:
    return _WORST.index(state) if state in _WORST else -1
