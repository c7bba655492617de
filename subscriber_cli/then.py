"""What was: the verdict of a moment that is over, and a night, as hosts remember them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from rich.console import Console

from publisher.contract import past, topics
from publisher.contract.payload import rfc3339, to_json
from publisher.contract.timeline import TimelineReading
from publisher.contract.when import When, clock, is_time_of_day, parse
from publisher.errors import BrokerError, ConfigError
from subscriber_cli.memories import gather
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.past import timeline_of
from subscriber_cli.render.history import history_lines, moment_lines
from subscriber_cli.render.lines import show
from subscriber_cli.terminal_settings import TerminalSettings

_DAY = 86400.0


def tell(
    settings: TerminalSettings,
    console: Console,
    at: str,
    *,
    host: str = "",
    as_json: bool,
    timeout: float,
) -> None:
    """Prints the verdict of a moment, of every host that remembers or the one of a name.

    Raises:
        ConfigError: ``at`` is no time, or has not been yet.
        BrokerError: no host remembers that moment.
    """
    now = time.time()
    when = parse(at, now)
    hosts = gather(settings, timeout, host)
    recorded = False
    for each in hosts:
        told = _told(each, when, now)
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
    settings: TerminalSettings,
    console: Console,
    host: str,
    span: tuple[float, float],
    *,
    as_json: bool,
    timeout: float,
) -> None:
    """Prints what happened in a time, from ``span[0]`` to ``span[1]``, in seconds since the epoch.

    Raises:
        BrokerError: no host remembers anything, or the one that was asked for.
    """
    now = time.time()
    begin, end = span
    hosts = gather(settings, timeout, host)
    for each in hosts:
        timeline = past.within(_timeline(each), begin, end)
        if as_json:
            asked = {"host": each.name, "from": rfc3339(begin), "to": rfc3339(end)}
            print(json.dumps(asked | to_json(timeline)))
            continue
        if each is not hosts[0]:
            console.print()
        width = console.width if console.is_terminal else None
        for line in history_lines(each.name, timeline, begin, end, now, width=width):
            show(console, line)


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


def _told(host: KnownHost, when: When, now: float) -> past.PastMoment:
    return past.at(_timeline(host), when, now, live=not host.offline)


def _timeline(host: KnownHost) -> TimelineReading:
    content = host.latest[topics.TIMELINE].message.open().content
    return timeline_of(content if isinstance(content, Mapping) else {})
