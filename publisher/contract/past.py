"""What a timeline tells of one moment, or of a night, as values and as sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from publisher.contract.metric import Reading
from publisher.contract.payload import rfc3339, to_json
from publisher.contract.readings import HostState
from publisher.contract.timeline import (
    GapReading,
    PastAlertReading,
    PastCauseReading,
    PastStateReading,
    SeriesReading,
    TimelineReading,
)
from publisher.contract.units import Unit, duration, humanise
from publisher.contract.when import When, clock, moment

_Entry = TypeVar("_Entry", PastAlertReading, PastCauseReading, PastStateReading, GapReading)

MEASURED: Final = {
    "cpu_temperature_celsius": ("CPU", Unit.CELSIUS),
    "fan_speed_rpm": ("fan", Unit.RPM),
    "power_watts": ("power", Unit.WATTS),
    "cpu_percent": ("CPU usage", Unit.PERCENT),
}
"""What the series hold, and what people call it."""

GAP_WORDS: Final = {
    "not_running": "fanwhy did not run",
    "asleep": "the machine slept",
    "clock_set": "the clock was set",
    "not_recorded": "the recorder did not listen",  # of an archive, not of a host
}
_AROUND_SECONDS: Final = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PastMoment:
    """The verdict of one moment.

    Attributes:
        when: the moment.
        missing: why there is none; empty where there is one.
        state: how the machine was, and the sentence.
        causes: who was to blame, the largest share first.
        alerts: those that stood within half an hour of it.
        measured: values by the names of ``MEASURED``.
        step_seconds: how long those stand for.
        since: from when on there is a memory.
        until: to when.
    """

    when: When
    missing: str = ""
    state: PastStateReading | None = None
    causes: tuple[PastCauseReading, ...] = ()
    alerts: tuple[PastAlertReading, ...] = ()
    measured: Mapping[str, float]
    step_seconds: float | None = None
    since: float
    until: float

    def json(self) -> dict[str, Any]:
        """For programs."""
        body: dict[str, Any] = {"at": rfc3339(self.when.begin), "recorded": not self.missing}
        if self.missing:
            body["reason"] = self.missing
        if self.state is not None:
            body |= to_json(self.state)
        return body | {
            "causes": [to_json(cause) for cause in self.causes],
            "alerts": [to_json(alert) for alert in self.alerts],
            "measured": {
                **self.measured,
                **({"step_seconds": self.step_seconds} if self.step_seconds else {}),
            },
            "covered": {"since": rfc3339(self.since), "until": rfc3339(self.until)},
        }


def at(timeline: TimelineReading, when: When, now: float, *, live: bool) -> PastMoment:
    """What is known of a moment.

    Args:
        timeline: the memory.
        when: the moment.
        now: seconds since the epoch, for the words.
        live: the daemon runs: what went on when it last told still does, or it would have told.
    """
    since, until = covered(timeline)
    last = float("inf") if live else until
    around = When(when.begin - _AROUND_SECONDS, when.seconds + 2 * _AROUND_SECONDS)
    states = [each for each in timeline.states if _overlap(each, when, last) > 0]
    causes = [each for each in timeline.causes if _overlap(each, when, last) > 0]
    alerts = tuple(each for each in timeline.alerts if _overlap(each, around, last) > 0)
    measured, step = _measured(timeline.series, when)
    missing = ""
    if not states and not causes:
        missing = _missing(timeline, when, now, last)
        measured, step = {}, None
    return PastMoment(
        when=when,
        missing=missing,
        state=max(states, key=lambda each: _tells(each, when, last), default=None),
        causes=tuple(sorted(causes, key=lambda cause: -(cause.share_percent or 0.0))),
        alerts=alerts,
        measured=measured,
        step_seconds=step,
        since=since,
        until=until,
    )


def covered(timeline: TimelineReading) -> tuple[float, float]:
    """From when to when it tells of anything, in seconds since the epoch."""
    until = moment(timeline.until) or 0.0
    return moment(timeline.since) or until, until


def within(timeline: TimelineReading, begin: float, end: float) -> TimelineReading:
    """The part of it that is about a time; what reaches beyond stays whole."""
    when = When(begin, max(end - begin, 1.0))
    last = max(covered(timeline)[1], end)

    def inside(entries: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
        return tuple(entry for entry in entries if _overlap(entry, when, last) > 0)

    return replace(
        timeline,
        causes=inside(timeline.causes),
        states=inside(timeline.states),
        alerts=inside(timeline.alerts),
        gaps=inside(timeline.gaps),
        series=tuple(cut for each in timeline.series if (cut := _cut(each, begin, end))),
    )


def values(timeline: TimelineReading, name: str) -> list[tuple[float, float, float]]:
    """(begin, end, value) of one of ``MEASURED``, in the order of time."""
    found = []
    for series in timeline.series:
        began, step = _grid(series)
        if began is None:
            continue
        for index, value in enumerate(getattr(series, name) or ()):
            found.append((began + index * step, began + (index + 1) * step, value))
    return found


def sentences(told: PastMoment, now: float) -> Iterator[str]:
    """The verdict of a moment, line by line; the first is the sentence."""
    if told.missing:
        yield told.missing
        return
    state = told.state
    if state is not None:
        yield state.headline or "?"
        yield f"{(state.state or '?').upper()} {span_words(state, now)}"
    for cause in told.causes:
        yield cause_words(cause, now)
    if told.measured:
        found = [
            f"{title} {humanise(told.measured[name], unit, 0)}"
            for name, (title, unit) in MEASURED.items()
            if name in told.measured
        ]
        yield "   ".join(found)
    for alert in told.alerts:
        yield f"alert {span_words(alert, now)}: {alert.message or alert.alert or '?'}"


def cause_words(cause: PastCauseReading, now: float, *, dated: bool = True) -> str:
    """One cause on one line; ``dated`` says from when to when."""
    name = cause.label or cause.group or "?"
    group = cause.group or ""
    parts = [name if group.casefold() in name.casefold() else f"{name} ({group})"]
    if cause.share_percent is not None:
        parts.append(f"{cause.share_percent:.0f} % {cause.resource or ''}".rstrip())
    elif cause.resource:
        parts.append(cause.resource)
    if dated:
        parts.append(span_words(cause, now))
    if cause.on_behalf_of:
        parts.append(f"for {cause.on_behalf_of}")
    watt_hours = (cause.energy_joules or 0.0) / 3600
    if watt_hours >= 0.05:  # less would be told as nothing
        parts.append(f"{watt_hours:,.1f} Wh")
    if (end := moment(cause.blamed_until)) is not None:
        parts.append(f"its heat until {clock(end, now)}")
    if cause.unwatched:
        parts.append("its end was not seen")
    return " · ".join(parts)


def gap_words(gap: GapReading) -> str:
    """Why nothing is known, and for how long."""
    began, ended = _edges(gap)
    lasted = (ended or 0.0) - (began or 0.0)
    words = f"not watched: {GAP_WORDS.get(gap.reason or '', 'for an unknown reason')}"
    return f"{words} ({duration(lasted)})" if lasted >= 1 else words


def span_words(entry: Reading, now: float) -> str:
    """From when to when: ``03:08 to 03:25``, ``since 03:08``."""
    began, ended = _edges(entry)
    if began is None:
        return "?"
    if ended is None:
        return f"since {clock(began, now)}"
    begin, end = clock(began, now), clock(ended, now)
    if begin == end:
        return begin
    day, _, _ = begin.rpartition(" ")
    return f"{begin} to {end.removeprefix(f'{day} ')}"


def _edges(entry: Reading) -> tuple[float | None, float | None]:
    return moment(getattr(entry, "began", None)), moment(getattr(entry, "ended", None))


def _overlap(entry: Reading, when: When, last: float) -> float:
    """Seconds of ``when`` that an entry has; it lasts until ``last`` where it has no end."""
    began, ended = _edges(entry)
    blamed = moment(getattr(entry, "blamed_until", None))
    if began is None:
        return 0.0
    end = max(last if ended is None else ended, began + 1.0, blamed or 0.0)
    return max(min(end, when.end) - max(began, when.begin), 0.0)


def _tells(state: PastStateReading, when: When, last: float) -> tuple[bool, float]:
    """Of several states within a minute the one that is not quiet is meant."""
    return state.state != HostState.QUIET, _overlap(state, when, last)


def _measured(
    all_series: tuple[SeriesReading, ...], when: When
) -> tuple[dict[str, float], float | None]:
    """The values at a moment, and how long they stand for."""
    for series in reversed(all_series):
        began, step = _grid(series)
        if began is None or when.end <= began:
            continue
        index = int((max(when.begin, began) - began) // step)
        found = {
            name: held[index]
            for name in MEASURED
            if (held := getattr(series, name)) and index < len(held)
        }
        return found, step if found else None
    return {}, None


def _missing(timeline: TimelineReading, when: When, now: float, last: float) -> str:
    """Why there is nothing about a moment."""
    asked = clock(when.begin, now)
    since, until = covered(timeline)
    for gap in timeline.gaps:
        if _overlap(gap, when, last) > 0:
            why = GAP_WORDS.get(gap.reason or "", "nobody watched")
            return f"{asked}: nothing was recorded: {why} ({span_words(gap, now)})"
    if when.end <= since:
        return f"{asked}: nothing was recorded: the memory begins at {clock(since, now)}"
    if when.begin > last:
        return f"{asked}: nothing was recorded: the memory ends at {clock(until, now)}"
    left = timeline.left_out
    words = f"; {left} short ones had no room" if left else ""
    return (
        f"{asked}: nothing is kept of that moment{words} "
        f"(the memory reaches from {clock(since, now)} to {clock(until, now)})"
    )


def _grid(series: SeriesReading) -> tuple[float | None, float]:
    """(begin, step) of a series; there is no begin where it makes no sense."""
    step = series.step_seconds or 0.0
    return (moment(series.began) if step >= 1 else None), step


def _cut(series: SeriesReading, begin: float, end: float) -> SeriesReading | None:
    """The values that are of a time."""
    began, step = _grid(series)
    if began is None:
        return None
    first = max(int((begin - began) // step), 0)
    last = max(int((end - began) // step) + 1, 0)
    held = {name: getattr(series, name)[first:last] for name in MEASURED if getattr(series, name)}
    kept = {name: found for name, found in held.items() if found}
    if not kept:
        return None
    return SeriesReading(began=rfc3339(began + first * step), step_seconds=step, **kept)
