"""What was: the verdict of a moment that is over, and a night, as hosts remember them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from publisher.contract import past
from publisher.contract.payload import rfc3339, to_json
from publisher.contract.when import clock, is_time_of_day, parse
from publisher.errors import BrokerError, ConfigError
from subscriber_cli.export import curves
from subscriber_cli.remembered import Remembered, archive_of, chosen, remembered
from subscriber_cli.render.drawing import Curve
from subscriber_cli.render.history import history_lines, moment_lines
from subscriber_cli.render.lines import show
from subscriber_cli.terminal_settings import TerminalSettings

_DAY = 86400.0
_AROUND = 3600.0  # seconds beside a moment that tell of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the past, and where.

    Attributes:
        host: a name or prefix; empty for all.
        database: an archive; ``None`` for that of the settings, or the broker.
        timeout: seconds to wait for the broker.
    """

    settings: TerminalSettings
    host: str = ""
    database: Path | None = None
    timeout: float = 10.0

    def of(self, span: tuple[float, float], now: float) -> list[Remembered]:
        """What is remembered of a time.

        Raises:
            BrokerError: no host remembers anything; ``ArchiveError``: nor does the archive.
        """
        return remembered(
            self.settings, self.database, span, now=now, timeout=self.timeout, wanted=self.host
        )


def tell(question: Question, console: Console, at: str, *, as_json: bool) -> None:
    """Prints the verdict of a moment, of every host that remembers or the one of a name.

    Raises:
        ConfigError: ``at`` is no time, or has not been yet.
        BrokerError: no host remembers that moment; ``ArchiveError``: nor does the archive.
    """
    now = time.time()
    when = parse(at, now)
    hosts = question.of((when.begin - _AROUND, when.end + _AROUND), now)
    recorded = False
    for each in hosts:
        told = past.at(each.timeline, when, now, live=each.live)
        recorded = recorded or not told.missing
        if as_json:
            print(json.dumps({"host": each.name, **told.json()}))
            continue
        if each is not hosts[0]:
            console.print()
        for line in moment_lines(each.name, told, now):
            show(console, line)
    if not recorded:
        raise BrokerError(f"nothing is known of {clock(when.begin, now)}")


def recount(
    question: Question,
    console: Console,
    span: tuple[float, float],
    metrics: Sequence[str] = (),
    *,
    as_json: bool,
) -> None:
    """Prints what happened in a time, from ``span[0]`` to ``span[1]``, in seconds since the epoch.

    Raises:
        BrokerError: no host remembers anything, or the one that was asked for; ``ArchiveError``:
            nor does the archive.
        ConfigError: a metric fits nothing.
    """
    now = time.time()
    begin, end = span
    hosts = question.of(span, now)
    for each in hosts:
        timeline = past.within(each.timeline, begin, end)
        if as_json:
            asked = {"host": each.name, "from": rfc3339(begin), "to": rfc3339(end)}
            print(json.dumps(asked | to_json(timeline)))
            continue
        if each is not hosts[0]:
            console.print()
        width = console.width if console.is_terminal else None
        more = more_curves(question, each.name, span, metrics)
        for line in history_lines(each.name, timeline, begin, end, now, width=width, more=more):
            show(console, line)
        for first, last in each.filled:
            words = f"{clock(first, now)} to {clock(last, now)}: told later by the host itself"
            show(console, Text(words, style="dim"))


def more_curves(
    question: Question, host: str, span: tuple[float, float], metrics: Sequence[str]
) -> list[Curve]:
    """What else was measured, from the archive; nothing where nothing is asked for.

    Raises:
        ArchiveError: there is none, or it cannot be read.
        ConfigError: a metric fits nothing.
    """
    if not metrics:
        return []
    with archive_of(question.settings, question.database) as archive:
        found = chosen(archive.hosts(), host)
        return [curve for each in found for curve in curves(archive, each, metrics, span)]


def moment_before(until: str, now: float) -> float:
    """The end that is asked for, to the second; ``now`` where none is.

    Raises:
        ConfigError: it is no time, or has not been yet.
    """
    return min(parse(until, now, option="--until").begin, now) if until else now


def window(since: str, until: str, now: float) -> tuple[float, float]:
    """(begin, end) in seconds since the epoch; what of it lies ahead is not looked at.

    Raises:
        ConfigError: one is no time, the beginning has not been yet, or it comes after the end.
    """
    if not since:
        end = parse(until, now, option="--until").end if until else now
        return min(end, now) - _DAY, min(end, now)
    begin = parse(since, now, option="--since").begin
    if not until:
        return begin, now
    # A time of day: the first one after the beginning.
    reference = begin + _DAY if is_time_of_day(until) else now
    end = parse(until, reference, option="--until", ahead=True).end
    if end <= begin:
        raise ConfigError("--until: that comes before --since")
    return begin, min(end, now)
