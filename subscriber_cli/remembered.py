"""What was, of every host that is asked about: from an archive, or as the hosts remember it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from publisher.contract import topics
from publisher.contract.printable import bare
from publisher.contract.timeline import TimelineReading
from publisher.errors import BrokerError, ConfigError
from subscriber_cli.archive.reader import Archive, ArchivedHost
from subscriber_cli.archive.schema import ArchiveError, default_path
from subscriber_cli.memories import gather
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.past import timeline_of
from subscriber_cli.model.values import clean
from subscriber_cli.terminal_settings import TerminalSettings

FRESH_SECONDS = 900.0
"""An archive that ends within this of what is asked for is as good as the broker's word."""
MEMORY_SECONDS = 2 * 86400.0


@dataclass(frozen=True, slots=True)
class Remembered:
    """One host and a time of its past.

    Attributes:
        live: what went on when it was last told still does.
        filled: (begin, end) of what a recorder did not hear and the host told later.
    """

    name: str
    timeline: TimelineReading
    live: bool
    filled: tuple[tuple[float, float], ...] = ()


def remembered(
    settings: TerminalSettings,
    database: Path | None,
    span: tuple[float, float],
    *,
    now: float,
    timeout: float,
    wanted: str = "",
) -> list[Remembered]:
    """A time of the past of all hosts, or of the one of a name or prefix.

    An archive that is named is asked alone. Else the one of the settings, where it reaches to the
    end of that time, or the time is too long ago for the hosts themselves; else the broker.

    Args:
        settings: where the broker and the archive are.
        database: an archive.
        span: begin and end, in seconds since the epoch.
        now: the same.
        timeout: seconds to wait for the broker.
        wanted: a host's name or prefix; empty for all.

    Raises:
        ArchiveError: the archive cannot be read, or knows no such host.
        BrokerError: no host remembers anything.
    """
    path = database or _usual(settings)
    if path is None:
        return _from_broker(settings, timeout, wanted)
    kept, until = _from_archive(path, span, now, wanted)
    reaches = until >= min(span[1], now) - FRESH_SECONDS
    if database is None and not (kept and (reaches or span[0] < now - MEMORY_SECONDS)):
        try:
            return _from_broker(settings, timeout, wanted)
        except BrokerError:
            if not kept:
                raise
    if not kept:
        raise ArchiveError(f"{path}: nothing is kept of {clean(wanted) or 'any host'}")
    return kept


def _usual(settings: TerminalSettings) -> Path | None:
    """The archive that the settings mean, if there is one."""
    try:
        path = default_path(settings.record.database)
    except ConfigError:  # nor is there a folder for one
        return None
    return path if path.is_file() else None


@contextmanager
def archive_of(settings: TerminalSettings, database: Path | None) -> Iterator[Archive]:
    """The archive that is named, or that of the settings.

    Raises:
        ArchiveError: there is none, or it cannot be read.
    """
    with Archive(database or default_path(settings.record.database)) as archive:
        yield archive


def chosen(hosts: list[ArchivedHost], wanted: str) -> list[ArchivedHost]:
    """Those of a name or prefix; all where none is given."""
    return [host for host in hosts if not wanted or _is_called(host, wanted)]


def _from_archive(
    path: Path, span: tuple[float, float], now: float, wanted: str
) -> tuple[list[Remembered], float]:
    with Archive(path) as archive:
        hosts = chosen(archive.hosts(), wanted)
        found = [
            Remembered(
                host.name,
                archive.timeline(host, *span),
                live=host.until > now - FRESH_SECONDS,
                filled=tuple(archive.filled(host, *span)),
            )
            for host in hosts
        ]
    return found, max((host.until for host in hosts), default=0.0)


def _from_broker(settings: TerminalSettings, timeout: float, wanted: str) -> list[Remembered]:
    return [
        Remembered(host.name, timeline_in(host), live=not host.offline)
        for host in gather(settings, timeout, wanted)
    ]


def timeline_in(host: KnownHost) -> TimelineReading:
    """What a host that has told its memory remembers."""
    content = host.latest[topics.TIMELINE].message.open().content
    return timeline_of(content if isinstance(content, Mapping) else {})


def _is_called(host: ArchivedHost, wanted: str) -> bool:
    last = host.prefix.rpartition("/")[2]
    return wanted == host.prefix or bare(wanted) in (bare(host.name), bare(last))
