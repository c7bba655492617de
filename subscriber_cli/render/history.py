"""What was, as lines: the verdict of a moment, and a night as a timeline."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from publisher.contract import past
from publisher.contract.metric import Reading
from publisher.contract.timeline import TimelineReading
from publisher.contract.units import Unit, duration, humanise
from publisher.contract.when import clock, moment
from subscriber_cli.render import theme
from subscriber_cli.render.bars import columns

_SPARK = 48
_SHOWN = ("cpu_temperature_celsius", "fan_speed_rpm", "power_watts", "cpu_percent")
_TITLE = 11
_NARROW = 80


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
) -> Iterator[Text]:
    """A night of one host: measurements as sparklines, then what happened, in order.

    Args:
        host: its name.
        timeline: what it remembers of that time.
        begin: of the time, in seconds since the epoch.
        end: of the time.
        now: for the words.
        width: columns of the terminal; ``None`` where it is none.
    """
    yield Text.assemble((host, "bold"), (f"  {clock(begin, now)} to {clock(end, now)}", "dim"))
    yield from _sparks(timeline, begin, end, (width or _NARROW) - 2)
    rows = sorted(_rows(timeline, now), key=lambda row: row[0])
    if not rows:
        since, until = past.covered(timeline)
        words = f"Nothing is known of that time: the memory reaches from {clock(since, now)} to "
        yield Text(f"{words}{clock(until, now)}")
        return
    edge = max(len(row[1]) for row in rows)
    for _, span, text in rows:
        yield Text.assemble((span.ljust(edge), "dim"), "  ", text)
    if timeline.left_out:
        yield Text(f"{timeline.left_out} short ones had no room", style="dim")


def _rows(timeline: TimelineReading, now: float) -> Iterator[tuple[tuple[float, int], str, Text]]:
    """(when and in which order, from when to when, what)."""
    for state in timeline.states:
        style = theme.of_state(state.state or "")
        words = Text.assemble((f"{(state.state or '?').upper():<8}  ", style), state.headline or "")
        yield _key(state, 0), past.span_words(state, now), words
    for alert in timeline.alerts:
        words = Text.assemble(
            ("ALERT     ", theme.of_severity(alert.severity or "")),
            alert.message or alert.alert or "?",
        )
        yield _key(alert, 1), past.span_words(alert, now), words
    for cause in timeline.causes:
        yield _key(cause, 2), past.span_words(cause, now), _cause(past.cause_words(cause, now))
    for gap in timeline.gaps:
        began, ended = moment(gap.began), moment(gap.ended)
        lasted = duration((ended or 0.0) - (began or 0.0))
        words = Text(f"--        {past.gap_words(gap)} for {lasted}", style="dim")
        yield _key(gap, 3), past.span_words(gap, now), words


def _cause(words: str) -> Text:
    name, _, rest = words.partition(" · ")
    return Text.assemble("          ", (name, theme.NAME), (f" · {rest}", "dim"))


def _key(entry: Reading, order: int) -> tuple[float, int]:
    return moment(getattr(entry, "began", None)) or 0.0, order


def _sparks(timeline: TimelineReading, begin: float, end: float, width: int) -> Iterator[Text]:
    for name in _SHOWN:
        found = [each for each in past.values(timeline, name) if each[1] > begin]
        if not found:
            continue
        title, unit = past.MEASURED[name]
        low, high = (pick(value for _, _, value in found) for pick in (min, max))
        extent = humanise(high, unit, 0)
        if round(low) != round(high):
            extent = f"{_number(low)} to {extent}"
        room = max(min(width - _TITLE - len(extent) - 3, _SPARK * 2), 8)
        bottom = 0.0 if unit == Unit.PERCENT else low - 0.1 * (high - low)
        top = 100.0 if unit == Unit.PERCENT else high
        spark = columns(found, begin, end, room, bottom=bottom, top=top)
        yield Text.assemble((title.ljust(_TITLE), "dim"), (spark, theme.SPARK), f"  {extent}")


def _number(value: float) -> str:
    return humanise(value, Unit.COUNT, 0)
