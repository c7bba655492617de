"""The timeline as a reading that fits on ``host/timeline``: 32 kB, whatever happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from publisher.contract.metric import Reading
from publisher.contract.payload import encode, rfc3339, to_json
from publisher.contract.timeline import (
    GapReading,
    PastAlertReading,
    PastCauseReading,
    PastStateReading,
    SeriesReading,
    TimelineReading,
)
from publisher.daemon.timeline import (
    MEMORY_SECONDS,
    AlertSpan,
    Gap,
    Span,
    StateSpan,
    Timeline,
    worth,
)
from publisher.daemon.timeline_points import Point

LARGEST: Final = 32_000
"""Bytes of its payload at most."""

_ENVELOPE: Final = 600  # host, time, version, the plain fields and the names of the lists
_SERIES: Final = 16_000
# A name or sentence here is for finding things again.
_LONGEST: Final = 160

Entry = Span | StateSpan | AlertSpan | Gap


def reading_of(timeline: Timeline, wall: float, largest: int = LARGEST) -> TimelineReading:
    """What is remembered; the oldest and shortest go first where there is no room.

    Args:
        timeline: the memory.
        wall: now, in seconds since the epoch.
        largest: bytes of the payload at most.
    """
    room = largest - _ENVELOPE
    series: list[SeriesReading] = []
    left = min(_SERIES, room)
    for piece in reversed(list(_series(timeline, wall))):
        left -= _size(piece)
        if left < 0:
            break
        series.append(piece)
        room -= _size(piece)
    found: list[Entry] = [*timeline.spans, *timeline.states, *timeline.alerts, *timeline.gaps]
    kept: list[tuple[float, Reading]] = []
    for entry in sorted(found, key=lambda entry: -_weight(entry, wall)):
        told = _told(entry)
        room -= _size(told)
        if room < 0:
            break
        kept.append((entry.began, told))
    kept.sort(key=lambda each: each[0])
    by_class: dict[type[Reading], Any] = {}
    for _, told in kept:
        by_class.setdefault(type(told), []).append(told)
    until = wall if timeline.looked is None else timeline.looked
    return TimelineReading(
        since=rfc3339(_since(timeline, until)),
        until=rfc3339(until),
        left_out=timeline.forgotten + len(found) - len(kept),
        causes=tuple(by_class.get(PastCauseReading, ())),
        states=tuple(by_class.get(PastStateReading, ())),
        alerts=tuple(by_class.get(PastAlertReading, ())),
        gaps=tuple(by_class.get(GapReading, ())),
        series=tuple(reversed(series)),
    )


def _since(timeline: Timeline, until: float) -> float:
    firsts = [entries[0].began for entries in (timeline.spans, timeline.states) if entries]
    return max(min(firsts, default=until), until - MEMORY_SECONDS)


def _weight(entry: Entry, wall: float) -> float:
    """What goes on is told in any case."""
    lasting = not isinstance(entry, Gap) and entry.lasting
    return float("inf") if lasting else worth(entry, wall)


def _size(told: Reading) -> int:
    return len(encode(to_json(told))) + 1


def _told(entry: Entry) -> Reading:
    began, ended = rfc3339(entry.began), rfc3339(entry.ended)
    if isinstance(entry, Gap):
        return GapReading(reason=entry.reason, began=began, ended=ended)
    end = None if entry.lasting else ended
    if isinstance(entry, Span):
        after = not entry.lasting and entry.blamed > entry.ended
        return PastCauseReading(
            label=_short(entry.label),
            category=entry.category,
            group=_short(entry.group) if entry.group != entry.label else None,
            on_behalf_of=_short(entry.on_behalf_of),
            resource=entry.resource or None,
            share_percent=entry.share,
            energy_joules=entry.energy,
            began=began,
            ended=end,
            blamed_until=rfc3339(entry.blamed) if after else None,
            unwatched=entry.unwatched or None,
        )
    if isinstance(entry, StateSpan):
        return PastStateReading(
            state=entry.state or None, headline=_short(entry.headline), began=began, ended=end
        )
    return PastAlertReading(
        alert=entry.alert or None,
        severity=entry.severity or None,
        label=_short(entry.label),
        message=_short(entry.message),
        began=began,
        ended=end,
    )


def _short(text: str) -> str | None:
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 1]}…"
    return text or None


def _series(timeline: Timeline, wall: float) -> Iterator[SeriesReading]:
    """Runs of points in which the same things were measured: coarse ones, then the finer."""
    fine = timeline.fine.points
    # The finer ones begin where a coarse one does, so that none is told twice.
    step = timeline.points.step
    begin = -(-fine[0].at // step) * step if fine else wall + step
    coarse = [point for point in timeline.points.points if point.at < begin]
    yield from _runs(coarse, step)
    yield from _runs([point for point in fine if point.at >= begin], timeline.fine.step)


def _runs(points: list[Point], step: float) -> Iterator[SeriesReading]:
    run: list[Point] = []
    for point in points:
        if run and (point.at != run[-1].at + step or _has(point) != _has(run[-1])):
            yield _run(run, step)
            run = []
        run.append(point)
    if run:
        yield _run(run, step)


def _has(point: Point) -> tuple[bool, ...]:
    values = point.cpu, point.celsius, point.rpm, point.watts
    return tuple(value is not None for value in values)


def _run(run: list[Point], step: float) -> SeriesReading:
    def column(name: str) -> list[float] | None:
        return [value for point in run if (value := getattr(point, name)) is not None] or None

    return SeriesReading(
        began=rfc3339(run[0].at),
        step_seconds=step,
        cpu_percent=column("cpu"),
        cpu_temperature_celsius=column("celsius"),
        fan_speed_rpm=column("rpm"),
        power_watts=column("watts"),
    )
