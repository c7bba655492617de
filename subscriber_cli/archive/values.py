"""The values of one series in a time, from whatever of it is still kept: rows, days, hours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from subscriber_cli.archive.keeping import (
    DAY,
    EVERY,
    FIVE_MINUTES,
    HOURS,
    MONTH,
    STEPS,
    gaps_of,
    seconds,
)
from subscriber_cli.archive.packing import unpack
from subscriber_cli.archive.rollup import (
    HOLD_SECONDS,
    Held,
    Summary,
    held,
    merged,
    summaries,
    within,
    without,
)


class SeriesValues:
    """Looks one series up.

    Args:
        connection: of the archive.
        place: whose series it is, and of which topic.
        series: its number.
        last: of a row the last value counts, as of words and counters.
    """

    def __init__(
        self, connection: sqlite3.Connection, place: tuple[int, str], series: int, *, last: bool
    ) -> None:
        self._connection = connection
        self._place = place
        self._series = series
        self._last = last

    def between(self, begin: float, end: float, step: float) -> list[Summary]:
        """What it was, in order, by rows of ``step`` seconds; 0: each value while it held.

        Days of which not so much is kept any more have longer rows.
        """
        finest = HOURS if step >= STEPS[HOURS] else FIVE_MINUTES
        if step < STEPS[FIVE_MINUTES]:
            finest = EVERY
        packed = self._packed_until()
        found: list[Summary] = []
        exact: dict[int, float | None] = {}
        days = self._days(exact, begin, end) if finest == EVERY else set()
        first = begin if days else max(begin, packed)
        for level in range(max(finest, FIVE_MINUTES), HOURS + 1):
            found += self._rows(level, begin, min(end, packed), days)
        if packed < end:
            exact |= self._points(max(packed, begin) - HOLD_SECONDS, end)
        found += self._summed(self._spans(exact, first, end), step)
        found.sort(key=lambda row: row.begin)
        return merged(found, step, last=self._last) if step else found

    def _packed_until(self) -> float:
        row = self._connection.execute(
            "SELECT max(begin) FROM block WHERE series = ? AND level = ?", (self._series, HOURS)
        ).fetchone()
        if row[0] is None:
            return 0.0
        times, _ = unpack(self._block(HOURS, row[0]))
        return float((row[0] + times[-1] * int(STEPS[HOURS])) // DAY * DAY + DAY) if times else 0.0

    def _block(self, level: int, begin: int) -> bytes:
        row = self._connection.execute(
            "SELECT data FROM block WHERE series = ? AND level = ? AND begin = ?",
            (self._series, level, begin),
        ).fetchone()
        return bytes(row[0])

    def _blocks(self, level: int, begin: float, end: float) -> list[tuple[int, bytes]]:
        width = MONTH if level == HOURS else DAY
        return self._connection.execute(
            "SELECT begin, data FROM block WHERE series = ? AND level = ?"
            " AND begin > ? AND begin < ? ORDER BY begin",
            (self._series, level, begin - width, end),
        ).fetchall()

    def _days(self, exact: dict[int, float | None], begin: float, end: float) -> set[int]:
        """Adds every value of the days of which all are kept; gives those days."""
        days = set()
        for day, data in self._blocks(EVERY, begin - HOLD_SECONDS, end):
            times, (values,) = unpack(data)
            exact.update(zip((day * 1000 + at for at in times), values, strict=True))
            days.add(day)
        return days

    def _rows(self, level: int, begin: float, end: float, days: set[int]) -> Iterator[Summary]:
        """The rows of days that are not in ``days``, to which theirs are added."""
        step = STEPS[level]
        added = set()
        for first, data in self._blocks(level, begin, end):
            slots, columns = unpack(data)
            for slot, low, mean, high in zip(slots, *columns, strict=True):
                at = first + slot * step
                day = int(at) // DAY * DAY
                if day in days or at + step <= begin or at >= end:
                    continue
                if low is not None and mean is not None and high is not None:
                    added.add(day)
                    yield Summary(at, at + step, low, mean, high, step)
        days |= added

    def _points(self, begin: float, end: float) -> dict[int, float | None]:
        return dict(
            self._connection.execute(
                "SELECT at, value FROM point WHERE series = ? AND at >= ? AND at < ? ORDER BY at",
                (self._series, round(begin * 1000), round(end * 1000)),
            ).fetchall()
        )

    def _spans(self, exact: dict[int, float | None], begin: float, end: float) -> Iterator[Held]:
        gaps = gaps_of(self._connection, *self._place, (begin - HOLD_SECONDS, end))
        return within(without(held(seconds(sorted(exact.items()))), gaps), begin, end)

    def _summed(self, spans: Iterable[Held], step: float) -> list[Summary]:
        if step:
            return summaries(spans, step, last=self._last)
        return [Summary(begin, end, at, at, at, end - begin) for begin, end, at in spans]
