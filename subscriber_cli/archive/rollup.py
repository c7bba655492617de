"""Values that hold until the next one, summed up to rows of five minutes and of an hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

HOLD_SECONDS: Final = 1200.0
"""How long a value stands for without being said again: four heartbeats of a daemon."""

Held = tuple[float, float, float]
"""(begin, end, value), in seconds since the epoch."""


class Summary(NamedTuple):
    """What a value was in a time.

    Attributes:
        begin: in seconds since the epoch; the time ends at ``end``.
        mean: by time; of words and counters the last one.
        known: seconds of it in which the value was known.
    """

    begin: float
    end: float
    low: float
    mean: float
    high: float
    known: float


def held(points: Iterable[tuple[float, float | None]]) -> Iterator[Held]:
    """Each value from its moment until the next one, or for ``HOLD_SECONDS``.

    Args:
        points: (moment, value), in the order of time; ``None`` ends what was before.
    """
    last: tuple[float, float] | None = None
    for at, value in points:
        if last is not None and at > last[0]:
            yield last[0], min(at, last[0] + HOLD_SECONDS), last[1]
        last = None if value is None else (at, value)
    if last is not None:
        yield last[0], last[0] + HOLD_SECONDS, last[1]


def without(spans: Iterable[Held], gaps: Iterable[tuple[float, float]]) -> Iterator[Held]:
    """What is left of each value where nobody watched for a while.

    A value that a gap interrupts is not known any more after it.
    """
    closed = sorted(gaps)
    for begin, end, value in spans:
        cut = next((gap for gap in closed if gap[0] < end and gap[1] > begin), None)
        if cut is None:
            yield begin, end, value
        elif cut[0] > begin:
            yield begin, cut[0], value


def within(spans: Iterable[Held], begin: float, end: float) -> Iterator[Held]:
    """The part of each value that is of a time."""
    for first, last, value in spans:
        if first < end and last > begin:
            yield max(first, begin), min(last, end), value


def summaries(spans: Iterable[Held], step: float, *, last: bool = False) -> list[Summary]:
    """Rows of ``step`` seconds, for each time in which the value was known.

    Args:
        spans: in the order of time, without overlap.
        step: seconds; rows begin at multiples of it.
        last: the last value instead of the mean, as there is none of words and counters.
    """
    found: list[Summary] = []
    summed = 0.0
    for begin, end, value in spans:
        at = begin
        while at < end:
            start = at // step * step
            until = min(end, start + step)
            seconds = until - at
            if found and found[-1].begin == start:
                old = found.pop()
                summed += value * seconds
                known = old.known + seconds
                low, high = min(old.low, value), max(old.high, value)
            else:
                summed, known, low, high = value * seconds, seconds, value, value
            mean = value if last else min(max(summed / known, low), high)
            found.append(Summary(start, start + step, low, mean, high, known))
            at = until
    return found


def merged(rows: Iterable[Summary], step: float, *, last: bool = False) -> list[Summary]:
    """Rows of at least ``step`` seconds made of shorter ones; longer ones stay as they are."""
    shorter = list(rows)
    if all(row.end - row.begin >= step for row in shorter):
        return shorter
    found: list[Summary] = []
    for row in shorter:
        begin = row.begin // step * step
        if row.end - row.begin >= step or not found or found[-1].begin != begin:
            begin = begin if row.end - row.begin < step else row.begin
            end = max(begin + step, row.end)
            found.append(Summary(begin, end, row.low, row.mean, row.high, row.known))
            continue
        before = found[-1]
        known = before.known + row.known
        mean = row.mean if last else (before.mean * before.known + row.mean * row.known) / known
        low, high = min(before.low, row.low), max(before.high, row.high)
        found[-1] = Summary(begin, before.end, low, mean, high, known)
    return found


def brief(value: float) -> float:
    """A mean with no more digits than it is worth."""
    size = abs(value)
    return round(value, 3 if size < 10 else 2 if size < 1000 else 0)
