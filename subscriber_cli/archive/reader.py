"""Answers from an archive: which hosts, which series, their values, and what happened when.

Reads while another process writes. Times are seconds since the epoch.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from publisher.contract import past, topics
from publisher.contract.payload import rfc3339
from publisher.contract.reader import read
from publisher.contract.timeline import GapReading, SeriesReading, TimelineReading
from publisher.contract.when import moment
from subscriber_cli.archive import keeping
from subscriber_cli.archive.rollup import Summary, brief
from subscriber_cli.archive.schema import failure, open_reader
from subscriber_cli.archive.spans import ALERT, AWAY, CAUSE, GAP, READINGS, STATE
from subscriber_cli.archive.values import SeriesValues

MOST_EVENTS: Final = 10_000
_MOST_SPANS: Final = 2000  # of one sort in a timeline
_MOST_VALUES: Final = 300  # of one series of a timeline
_HIGHEST: Final = ("cpu_temperature_celsius", "fan_speed_rpm")  # as in a host's own memory


@dataclass(frozen=True, slots=True)
class ArchivedHost:
    """A host that something is kept of.

    Attributes:
        since: the first moment that anything is known of, and ``until`` the last.
    """

    id: int
    prefix: str
    name: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class ArchivedSeries:
    """One value of one topic, as the catalogue declared it."""

    id: int
    topic: str
    path: str
    title: str
    unit: str
    kind: str

    @property
    def name(self) -> str:
        """Topic and path: ``cpu/usage_percent``."""
        return f"{self.topic}/{self.path}"


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """Something that happened, with the fields of ``host/event``."""

    at: float
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> str:
        return str(self.body.get("message") or self.body.get("event") or "?")


@dataclass(frozen=True, slots=True)
class ArchivedSpan:
    """A cause or a state, with the fields that ``host/timeline`` has of it.

    Attributes:
        ended: ``None`` while it lasts.
        blamed_until: until when a cause's heat was named.
    """

    began: float
    ended: float | None
    body: Mapping[str, Any]

    @property
    def blamed_until(self) -> float | None:
        return moment(self.body.get("blamed_until"))


class Archive:
    """An archive, open for reading for as long as the ``with`` block lasts.

    Raises:
        ArchiveError: there is none, or it cannot be read; any method may say so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_reader(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def hosts(self) -> list[ArchivedHost]:
        """All of them, in the order of their prefixes."""
        rows = self._rows("SELECT id, prefix, name, first, last FROM host ORDER BY prefix")
        return [ArchivedHost(*row) for row in rows]

    def billed(self) -> dict[int, float]:
        """By host, until when its daily bills were published, in seconds since the epoch."""
        return dict(self._rows("SELECT id, billed FROM host"))

    def series(self, host: ArchivedHost) -> list[ArchivedSeries]:
        """All that is or was measured of a host."""
        rows = self._rows(
            "SELECT id, topic, path, title, unit, kind FROM series WHERE host = ?"
            " ORDER BY topic, id",
            host.id,
        )
        return [ArchivedSeries(*row) for row in rows]

    def find(self, host: ArchivedHost, topic: str, path: str) -> ArchivedSeries | None:
        """The series of that topic and path."""
        rows = self._rows(
            "SELECT id, topic, path, title, unit, kind FROM series"
            " WHERE host = ? AND topic = ? AND path = ?",
            host.id, topic, path,
        )  # fmt: skip
        return ArchivedSeries(*rows[0]) if rows else None

    def below(self, host: ArchivedHost, topic: str, path: str) -> list[ArchivedSeries]:
        """The series whose path begins so."""
        return [
            series
            for series in self.series(host)
            if series.topic == topic and series.path.startswith(path)
        ]

    def words(self) -> dict[float, str]:
        """What the values of a choice stand for."""
        return {float(number): text for number, text in self._rows("SELECT id, text FROM word")}

    def values(
        self, host: ArchivedHost, series: ArchivedSeries, begin: float, end: float, step: float = 0
    ) -> list[Summary]:
        """What a series was, in order; times of which nothing is known are left out.

        Args:
            host: whose it is.
            series: which one.
            begin: of the time.
            end: of it.
            step: seconds of one row; 0: every value for as long as it held. Where so much is not
                kept any more, rows are longer.
        """
        with self._reading():
            found = SeriesValues(
                self._connection,
                (host.id, series.topic),
                series.id,
                last=series.kind in keeping.LAST_OF,
            )
            return found.between(begin, end, step)

    def events(
        self, host: ArchivedHost, begin: float, end: float, most: int = MOST_EVENTS
    ) -> list[ArchivedEvent]:
        """What happened, in the order of time: the last ``most`` of it."""
        rows = self._rows(
            "SELECT at, body FROM event WHERE host = ? AND at >= ? AND at < ?"
            " ORDER BY at DESC LIMIT ?",
            host.id, begin, end, most,
        )  # fmt: skip
        return [ArchivedEvent(at, json.loads(body)) for at, body in reversed(rows)]

    def spans(self, host: ArchivedHost, sort: str, begin: float, end: float) -> list[ArchivedSpan]:
        """All causes or states that a time has a part of, in the order of their beginnings."""
        rows = self._rows(
            "SELECT began, ended, body FROM span WHERE host = ? AND sort = ? AND began < ?"
            " AND (ended IS NULL OR ended >= ?) ORDER BY began, id",
            host.id, sort, end, begin,
        )  # fmt: skip
        return [ArchivedSpan(began, ended, json.loads(body)) for began, ended, body in rows]

    def timeline(self, host: ArchivedHost, begin: float, end: float) -> TimelineReading:
        """A time in the form in which hosts remember the last two days.

        Of each sort the longest ``_MOST_SPANS`` are told, and how many are left out.
        """
        kept = {
            sort: tuple(read(READINGS[sort], body) for body in self._bodies(host, sort, begin, end))
            for sort in (CAUSE, STATE, ALERT, GAP)
        }
        gaps = [*kept[GAP], *self._unheard(host, begin, end)]
        return TimelineReading(
            since=rfc3339(host.since),
            until=rfc3339(host.until),
            left_out=self._left_out(host, begin, end),
            causes=kept[CAUSE],  # type: ignore[arg-type]  # of the class in READINGS
            states=kept[STATE],  # type: ignore[arg-type]
            alerts=kept[ALERT],  # type: ignore[arg-type]
            gaps=tuple(gaps),  # type: ignore[arg-type]
            series=tuple(self._series_of_timeline(host, begin, end)),
        )

    def filled(self, host: ArchivedHost, begin: float, end: float) -> list[tuple[float, float]]:
        """(begin, end) of what was not heard but told later by the host's own memory."""
        return [
            (told["filled_since"], told["filled_until"])
            for told in self._bodies(host, AWAY, begin, end)
            if "filled_since" in told
        ]

    # --- inside ----------------------------------------------------------------------------------

    def _bodies(
        self, host: ArchivedHost, sort: str, begin: float, end: float
    ) -> list[dict[str, Any]]:
        rows = self._rows(
            "SELECT body, began, ended FROM span WHERE host = ? AND sort = ? AND began < ?"
            " AND (ended IS NULL OR ended >= ?)"
            " ORDER BY ended IS NULL DESC, ended - began DESC LIMIT ?",
            host.id, sort, end, begin, _MOST_SPANS,
        )  # fmt: skip
        rows.sort(key=lambda row: row[1])
        return [{**json.loads(body), "_span": (began, ended)} for body, began, ended in rows]

    def _left_out(self, host: ArchivedHost, begin: float, end: float) -> int:
        rows = self._rows(
            "SELECT count(*) FROM span WHERE host = ? AND began < ?"
            " AND (ended IS NULL OR ended >= ?) GROUP BY sort",
            host.id, end, begin,
        )  # fmt: skip
        return sum(max(count - _MOST_SPANS, 0) for (count,) in rows)

    def _unheard(self, host: ArchivedHost, begin: float, end: float) -> Iterator[GapReading]:
        for told in self._bodies(host, AWAY, begin, end):
            first, last = told["_span"]
            until = told.get("filled_since", last)
            if until - first >= 1:
                yield GapReading(reason="not_recorded", began=rfc3339(first), ended=rfc3339(until))

    def _series_of_timeline(
        self, host: ArchivedHost, begin: float, end: float
    ) -> Iterator[SeriesReading]:
        wanted = (end - begin) / _MOST_VALUES
        step = next((each for each in (60.0, *keeping.STEPS.values()) if each >= wanted), 0.0)
        step = step or -(-wanted // 3600.0) * 3600.0
        found: dict[str, list[Summary]] = {}
        for name in past.MEASURED:
            series = self.find(host, topics.TIMELINE, name)
            if series is not None:
                found[name] = self.values(host, series, begin, end, step)
        yield from _as_series(found, step)

    def _rows(self, statement: str, *values: object) -> list[Any]:
        with self._reading():
            return self._connection.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, KeyError) as error:
            raise failure(self.path, error) from error


def _as_series(found: Mapping[str, Iterable[Summary]], step: float) -> Iterator[SeriesReading]:
    """Runs of rows that follow each other and hold the same measurements."""
    rows: dict[float, dict[str, float]] = {}
    for name, summaries in found.items():
        for row in summaries:
            value = row.high if name in _HIGHEST else row.mean
            rows.setdefault(row.begin, {})[name] = brief(value)
    run: list[tuple[float, dict[str, float]]] = []
    for at in sorted(rows):
        if run and (at != run[-1][0] + step or rows[at].keys() != run[-1][1].keys()):
            yield _one_series(run, step)
            run = []
        run.append((at, rows[at]))
    if run:
        yield _one_series(run, step)


def _one_series(run: list[tuple[float, dict[str, float]]], step: float) -> SeriesReading:
    lists = {name: [values[name] for _, values in run] for name in run[0][1]}
    return SeriesReading(began=rfc3339(run[0][0]), step_seconds=step, **lists)
