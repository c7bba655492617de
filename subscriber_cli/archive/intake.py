"""Makes rows of messages: which host, which series, whether a value is worth a row."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from publisher.contract import past, topics
from publisher.contract.metric import Kind
from publisher.contract.timeline import TimelineReading
from publisher.contract.when import moment
from subscriber_cli.archive import keeping
from subscriber_cli.archive.measured import told_points
from subscriber_cli.archive.measurements import ELSEWHERE, Measurement, measurements
from subscriber_cli.archive.spans import Spans
from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.decode import OnlineStatus, Received
from subscriber_cli.model.past import timeline_of
from subscriber_cli.model.row import Column, title_of
from subscriber_cli.model.told import event_of, name_of
from subscriber_cli.model.values import clean

DAY: Final = 86400.0
REPEAT_SECONDS: Final = 600.0
"""A value that does not change is written again after this long."""

# Bounds on what any client of the broker can make an archive keep.
_MOST_HOSTS: Final = 500
_MOST_SERIES: Final = 4000  # of one host
_MOST_NEW_SERIES: Final = 1000  # of one host in a day, beyond the first day's
_MOST_WORDS: Final = 20_000
_LONGEST_WORD: Final = 100  # characters
_MOST_POINTS: Final = 4_000_000  # of one host in a day
_MOST_SPANS: Final = 20_000  # of one host in a day
_MOST_EVENTS: Final = 10_000  # of one host in a day
_AHEAD_SECONDS: Final = 300.0  # by which a host's clock may be ahead of ours
_CLOCK_SECONDS: Final = 3600.0  # and behind, before a live message is dated by ours
_OLDEST_EVENT: Final = 30 * DAY

_STATUS = Column(topics.STATUS, "Status", Kind.CHOICE)
_MEASURED = {
    name: Column(name, title, Kind.GAUGE, str(unit))
    for name, (title, unit) in past.MEASURED.items()
}


@dataclass(slots=True)
class _Series:
    """One series: its newest value and when that was written, in seconds since the epoch.

    Attributes:
        column: as it was declared last; ``None`` where that stands in the file alone.
        fresh: the value is the newest that there was, with nothing missing in between.
    """

    id: int
    column: Column | None = None
    value: float | None = None
    at: float = 0.0
    fresh: bool = False


@dataclass(slots=True)
class _Host:
    """What is known of a host while it is written about."""

    id: int
    name: str
    catalogue: Catalogue = field(default_factory=Catalogue)
    series: dict[tuple[str, str], _Series] = field(default_factory=dict)
    by_topic: dict[str, set[str]] = field(default_factory=dict)
    day: int = 0
    points: int = 0
    events: int = 0
    spans: int = 0
    new_series: int = 0
    touched: float = 0.0


@dataclass(slots=True)
class Counts:
    """What was written since the start."""

    hosts: int = 0
    series: int = 0
    values: int = 0
    events: int = 0
    repeated: int = 0


class Intake:
    """Takes messages into one open archive; whoever made it begins and ends the transactions.

    Args:
        connection: of the archive.
        catalogues: what is known of the hosts' readings, by prefix; added to.
        counts: added to.

    Attributes:
        notices: what was left out, each kind told once.
        full: the file has all the room that it may have: no more values.
    """

    def __init__(
        self, connection: sqlite3.Connection, catalogues: dict[str, Catalogue], counts: Counts
    ) -> None:
        self.counts = counts
        self.notices: list[str] = []
        self.full = False
        self._noticed: set[str] = set()
        self._connection = connection
        self._catalogues = catalogues
        self._spans = Spans(connection)
        self._hosts: dict[str, _Host] = {}
        self._words: dict[str, int] = {}

    def away(self, began: float, ended: float, reason: str) -> None:
        """Notes for every host that nothing was heard of it for a while."""
        hosts = [row[0] for row in self._execute("SELECT id FROM host").fetchall()]
        self._spans.away(hosts, began, ended, reason)
        for host in self._hosts.values():
            for series in host.series.values():
                series.fresh = False

    def finish(self) -> None:
        """Ends a batch: notes until when something is known of each host."""
        for host in self._hosts.values():
            if host.touched:
                self._execute("UPDATE host SET last = ? WHERE id = ?", host.touched, host.id)
                host.touched = 0.0

    # --- one message -----------------------------------------------------------------------------

    def take(self, message: Received, now: float) -> None:
        """Takes a message in that came at ``now``, in seconds since the epoch."""
        host = self._host_of(message, now)
        if host is None:
            return
        host.touched = now
        if host.day != int(now // DAY):
            host.day = int(now // DAY)
            host.points = host.events = host.spans = host.new_series = 0
        leaf, content = message.leaf, message.content
        if isinstance(content, OnlineStatus):
            self._take_status(host, content, now)
        elif content is None:
            self._end_absent(host, leaf, set(), now)
        elif leaf == topics.CATALOGUE:
            host.catalogue = self._learn(message.prefix, content)
        elif leaf == topics.EVENT:
            self._take_event(host, message, now)
        elif leaf == topics.TIMELINE:
            self._take_timeline(host, timeline_of(content), now)
        elif leaf not in ELSEWHERE:
            self._take_reading(host, message, now)

    def _learn(self, prefix: str, schema: Mapping[str, object]) -> Catalogue:
        catalogue = Catalogue.parse(schema)
        self._catalogues[prefix] = catalogue
        return catalogue

    def _host_of(self, message: Received, now: float) -> _Host | None:
        host = self._hosts.get(message.prefix)
        name = name_of(message)
        if host is None:
            host = self._meet(message.prefix, name, now)
        elif name and name != host.name:
            self._execute("UPDATE host SET name = ? WHERE id = ?", name, host.id)
            host.name = name
        return host

    def _meet(self, prefix: str, name: str, now: float) -> _Host | None:
        row = self._execute("SELECT id, name FROM host WHERE prefix = ?", prefix).fetchone()
        if row is None:
            if not name:  # no message of a machine's
                return None
            if self._execute("SELECT count(*) FROM host").fetchone()[0] >= _MOST_HOSTS:
                self._notice(f"{clean(prefix)}: left out; there are more than {_MOST_HOSTS} hosts")
                return None
            made = self._execute(
                "INSERT INTO host (prefix, name, first, last) VALUES (?, ?, ?, ?)",
                prefix, name, now, now,
            )  # fmt: skip
            row = (made.lastrowid, name)
            self.counts.hosts += 1
        host = _Host(row[0], row[1], self._catalogues.get(prefix, Catalogue()))
        for number, topic, path in self._execute(
            "SELECT id, topic, path FROM series WHERE host = ?", host.id
        ):
            host.series[topic, path] = _Series(number)
        self._hosts[prefix] = host
        return host

    def _take_status(self, host: _Host, status: OnlineStatus, now: float) -> None:
        self._keep(host, topics.STATUS, Measurement(topics.STATUS, _STATUS, str(status)), now)
        if status is OnlineStatus.OFFLINE:
            for leaf in list(host.by_topic):
                if leaf != topics.STATUS:
                    self._end_absent(host, leaf, set(), now)

    def _take_event(self, host: _Host, message: Received, now: float) -> None:
        if isinstance(message.content, OnlineStatus) or message.content is None:
            return
        told = event_of(message.content)
        at = message.made_at
        if at is None or not now - _OLDEST_EVENT <= at <= now + _AHEAD_SECONDS:
            at = now
        if host.events >= _MOST_EVENTS:
            self._notice(
                f"{host.name}: more than {_MOST_EVENTS} events in a day; the rest is left out"
            )
            return
        done = self._execute(
            "INSERT OR IGNORE INTO event (host, id, at, body) VALUES (?, ?, ?, ?)",
            host.id, told.id, at, told.body,
        )  # fmt: skip
        if not done.rowcount:
            self.counts.repeated += 1
            return
        host.events += 1
        self.counts.events += 1
        self._spans.take_event(host.id, told.reading)

    def _take_timeline(self, host: _Host, timeline: TimelineReading, now: float) -> None:
        until = moment(timeline.until)
        if until is None or not now - _OLDEST_EVENT <= until <= now + _AHEAD_SECONDS:
            return
        host.spans += self._spans.take(host.id, timeline, until, _MOST_SPANS - host.spans)
        if host.spans >= _MOST_SPANS:
            self._notice(f"{host.name}: more than {_MOST_SPANS:,} causes and the like in a day")
        since = max(moment(timeline.since) or until, until - keeping.OPEN_SECONDS)
        self._execute("UPDATE host SET first = min(first, ?) WHERE id = ?", since, host.id)
        begin = max(now - keeping.OPEN_SECONDS, keeping.packed_until(self._connection))
        for name, first, last, value in told_points(timeline, begin, until):
            series = self._series(host, topics.TIMELINE, Measurement(name, _MEASURED[name], value))
            if series is not None and self._has_room(host):
                self._put_told(host, series, first, last, value)

    def _put_told(
        self, host: _Host, series: _Series, begin: float, end: float, value: float
    ) -> None:
        """A value of a known time, which a later message may tell better."""
        first, last = round(begin * 1000), round(end * 1000)
        if end - begin > 61.0:
            finer = self._execute(
                "SELECT 1 FROM point WHERE series = ? AND at > ? AND at < ? AND value IS NOT NULL",
                series.id, first, last,
            )  # fmt: skip
            if finer.fetchone():
                return
        self._execute(
            "INSERT INTO point VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
            " WHERE value IS NOT excluded.value",
            series.id, first, value,
        )  # fmt: skip
        self._execute("INSERT OR IGNORE INTO point VALUES (?, ?, NULL)", series.id, last)
        host.points += 1
        self.counts.values += 1

    def _take_reading(self, host: _Host, message: Received, now: float) -> None:
        at = message.made_at
        if at is None or at > now + _AHEAD_SECONDS:
            at = now
        elif message.retained:
            if at < max(now - keeping.OPEN_SECONDS, keeping.packed_until(self._connection)):
                return
        elif at < now - _CLOCK_SECONDS:
            at = now
        if isinstance(message.content, OnlineStatus) or message.content is None:
            return
        seen: set[str] = set()
        for measurement in measurements(host.catalogue.row(message.leaf, message.content)):
            seen.add(measurement.path)
            self._keep(host, message.leaf, measurement, at)
        self._end_absent(host, message.leaf, seen, at)

    # --- one value -------------------------------------------------------------------------------

    def _keep(self, host: _Host, leaf: str, measurement: Measurement, at: float) -> None:
        """Writes a value where it is another than before, or that was long ago."""
        series = self._series(host, leaf, measurement)
        if series is None:
            return
        value = self._number(measurement.value)
        if value is None or at <= series.at:
            return
        if series.fresh and series.value == value and at - series.at < REPEAT_SECONDS:
            return
        self._point(host, series, at, value)

    def _end_absent(self, host: _Host, leaf: str, seen: set[str], at: float) -> None:
        """What a payload does not hold any more is not known from then on."""
        for path in host.by_topic.get(leaf, set()) - seen:
            series = host.series[leaf, path]
            if series.fresh and series.value is not None and at > series.at:
                self._point(host, series, at, None)

    def _point(self, host: _Host, series: _Series, at: float, value: float | None) -> None:
        if not self._has_room(host):
            return
        self._execute(
            "INSERT OR REPLACE INTO point VALUES (?, ?, ?)", series.id, round(at * 1000), value
        )
        series.value, series.at, series.fresh = value, at, True
        host.points += 1
        self.counts.values += 1

    def _has_room(self, host: _Host) -> bool:
        if self.full:
            self._notice(
                "the archive is as large as record.largest_megabytes allows: no new values"
            )
        elif host.points >= _MOST_POINTS:
            self._notice(
                f"{host.name}: more than {_MOST_POINTS:,} values in a day; the rest is left out"
            )
        return not self.full and host.points < _MOST_POINTS

    def _series(self, host: _Host, leaf: str, measurement: Measurement) -> _Series | None:
        key = (leaf, measurement.path)
        series = host.series.get(key)
        if series is None:
            full = len(host.series) >= _MOST_SERIES
            if full or (host.new_series >= _MOST_NEW_SERIES):
                self._notice(f"{host.name}: too many different values; new ones are left out")
                return None
            column = measurement.column
            made = self._execute(
                "INSERT INTO series (host, topic, path, title, unit, kind)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                host.id, leaf, measurement.path, column.title or title_of(column.name),
                column.unit, column.kind,
            )  # fmt: skip
            series = host.series[key] = _Series(made.lastrowid or 0, column)
            host.new_series += 1
            self.counts.series += 1
        elif measurement.column is not series.column and leaf in host.catalogue.topics:
            # It may have been met before its catalogue was, or another daemon declares it anew.
            series.column = column = measurement.column
            self._execute(
                "UPDATE series SET title = ?, unit = ?, kind = ? WHERE id = ?"
                " AND (title, unit, kind) IS NOT (?, ?, ?)",
                *(said := (column.title, column.unit, column.kind)), series.id, *said,
            )  # fmt: skip
        host.by_topic.setdefault(leaf, set()).add(measurement.path)
        return series

    def _number(self, value: float | str) -> float | None:
        """A value as it is written: of a word its number."""
        if not isinstance(value, str):
            return value
        word = value[:_LONGEST_WORD]
        if word not in self._words:
            row = self._execute("SELECT id FROM word WHERE text = ?", word).fetchone()
            if row is None:
                if self._execute("SELECT count(*) FROM word").fetchone()[0] >= _MOST_WORDS:
                    self._notice("too many different words; new ones are left out")
                    return None
                row = (self._execute("INSERT INTO word (text) VALUES (?)", word).lastrowid,)
            self._words[word] = row[0]
        return float(self._words[word])

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    def _notice(self, text: str) -> None:
        if text not in self._noticed and len(self._noticed) < _MOST_HOSTS:
            self._noticed.add(text)
            self.notices.append(text)
