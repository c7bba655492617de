"""What was: from the archive where it reaches that far, else as the host itself remembers it.

Runs in a thread beside the event loop, two questions at a time: a month of one host is a second's
work.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from publisher.contract import past, topics
from publisher.contract.payload import rfc3339, to_json
from publisher.contract.timeline import TimelineReading
from publisher.contract.when import When
from publisher.errors import ConfigError
from subscriber_cli import export
from subscriber_cli.archive.reader import Archive, ArchivedHost
from subscriber_cli.archive.schema import ArchiveError, default_path
from subscriber_cli.bill import DAY, make_bill
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.past import timeline_of
from subscriber_cli.model.values import clean
from subscriber_cli.remembered import FRESH_SECONDS, MEMORY_SECONDS
from subscriber_cli.terminal_settings import TerminalSettings

Document = dict[str, Any]

AROUND_SECONDS: Final = 3600.0
_MOST_ROWS: Final = 20_000
_STEPS: Final = (60.0, 300.0, 3600.0)
_ROWS_OF_A_SERIES: Final = 1500.0
PERIODS: Final = {"day": 1, "week": 7, "month": 30}


@dataclass(frozen=True, slots=True)
class Told:
    """One host's own memory, which is taken out of the fleet before a thread looks at it."""

    prefix: str
    name: str
    timeline: TimelineReading
    live: bool


def told_by(host: KnownHost) -> Told:
    """What a host remembers itself."""
    latest = host.latest.get(topics.TIMELINE)
    content = latest.message.open().content if latest else None
    timeline = timeline_of(content if isinstance(content, Mapping) else {})
    return Told(host.prefix, host.name, timeline, not host.offline)


@dataclass(frozen=True, slots=True)
class Past:
    """Answers about what was; any of them may say ``ArchiveError``."""

    settings: TerminalSettings
    database: Path | None = None

    @property
    def path(self) -> Path | None:
        """The archive, if there is one."""
        try:
            path = self.database or default_path(self.settings.record.database)
        except ConfigError:  # nor is there a folder for one
            return None
        return path if path.is_file() else None

    def night(self, told: Told, begin: float, end: float) -> Document:
        """A time of one host: causes, states, alerts, gaps, and what was measured."""
        timeline, _ = self._timeline(told, begin, end)
        body = to_json(past.within(timeline, begin, end))
        return {"host": told.name, "from": rfc3339(begin), "to": rfc3339(end), **body}

    def why(self, told: Told, when: When, now: float) -> Document:
        """The verdict of one moment of one host."""
        around = (when.begin - AROUND_SECONDS, when.end + AROUND_SECONDS)
        timeline, live = self._timeline(told, *around)
        found = past.at(timeline, when, now, live=live)
        return {"host": told.name, **found.json()}

    def values(
        self, told: Told, metrics: tuple[str, ...], span: tuple[float, float], step: float | None
    ) -> Document:
        """What was measured of one host, by rows.

        Raises:
            ConfigError: a metric fits nothing.
        """
        begin, end = span
        if step is None:
            least = (end - begin) / _ROWS_OF_A_SERIES
            step = next((each for each in _STEPS if each >= least), _STEPS[-1])
        with self._archive() as archive:
            hosts = [_host_in(archive, told)]
            wanted = export.Wanted(hosts, metrics, begin, end, step)
            rows: list[Document] = []
            for row in export.rows(archive, wanted):
                if len(rows) >= _MOST_ROWS:
                    raise ConfigError(f"step: more than {_MOST_ROWS:,} rows; take a longer one")
                rows.append({key: value for key, value in row.items() if value is not None})
        return {"host": told.name, "from": rfc3339(begin), "to": rfc3339(end), "rows": rows}

    def metrics(self, told: Told) -> Document:
        """The names of all that was ever measured of one host."""
        with self._archive() as archive:
            found = archive.series(_host_in(archive, told))
        words = [tuple(map(clean, (each.name, each.title, each.unit))) for each in found]
        named = [{"name": name, "title": title, "unit": unit} for name, title, unit in words]
        return {"host": told.name, "metrics": named}

    def events(self, told: Told, begin: float, end: float, most: int) -> Document:
        """What happened on one host, the last of it first."""
        with self._archive() as archive:
            found = archive.events(_host_in(archive, told), begin, end, most)
        told_events = [{"time": rfc3339(each.at), **each.body} for each in reversed(found)]
        return {"host": told.name, "events": told_events}

    def report(self, told: Told, period: str, end: float) -> Document:
        """The bill of one host."""
        report = self.settings.report
        begin = end - DAY * PERIODS[period]
        with self._archive() as archive:
            bill = make_bill(archive, _host_in(archive, told), begin, end, report.price_per_kwh)
        return {"period": period, **bill.json(report.currency)}

    def _archive(self) -> Archive:
        path = self.path
        if path is None:
            raise ArchiveError("there is no archive; `fanwhy-sub record` makes one")
        return Archive(path)

    def _timeline(self, told: Told, begin: float, end: float) -> tuple[TimelineReading, bool]:
        """(what is remembered, whether what went on then still does)."""
        now = time.time()
        path = self.path
        if path is not None:
            with Archive(path) as archive:
                host = next((each for each in archive.hosts() if each.prefix == told.prefix), None)
                if host is not None:
                    reaches = host.until >= min(end, now) - FRESH_SECONDS
                    if reaches or begin < now - MEMORY_SECONDS or not told.timeline.until:
                        live = host.until > now - FRESH_SECONDS
                        return archive.timeline(host, begin, end), live
        return told.timeline, told.live


def _host_in(archive: Archive, told: Told) -> ArchivedHost:
    for host in archive.hosts():
        if host.prefix == told.prefix:
            return host
    raise ArchiveError(f"{archive.path}: nothing is kept of {told.name}")
