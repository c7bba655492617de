"""The bill of one host: who made it loud, hot and busy, what that took, and what of it is new.

Minutes are judged one by one: how the machine was, how fast its fan turned, and which of the causes
named then made the most heat. Energy is the daemon's own account of each day, whose rows
add up to what was measured.
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from publisher.contract import past, topics
from publisher.contract.payload import rfc3339
from publisher.contract.readings import HostState, Resource
from publisher.contract.units import Unit
from subscriber_cli.archive.reader import Archive, ArchivedHost, ArchivedSpan
from subscriber_cli.archive.spans import CAUSE, STATE

MINUTE: Final = 60.0
DAY: Final = 86400.0
UNATTRIBUTED: Final = "unattributed"
OTHERS: Final = "other programs"
IDLE: Final = "idle"

_JOULES: Final = 3.6e6  # of a kilowatt hour
_QUIET_DAYS: Final = 30
_QUIET_ROWS: Final = 6  # of five minutes each, from which on a quiet speed is believed
_LOUDER: Final = 1.10  # than at rest, and
_LOUDER_RPM: Final = 100.0
_TEN: Final = 10
_CAUSES: Final = "causes/"
_BY_MINUTE: Final = 8 * DAY  # of a longer time who it was is looked up by five minutes
_EARLIER: Final = 4  # windows before this one that it is compared with
_GREW: Final = 1.5
_GREW_MINUTES: Final = 10.0
_BUSY: Final = (HostState.BUSY, HostState.HOT, HostState.PRESSURE)
_LOUDNESS: Final = ("fan_speed_rpm", "cpu_temperature_celsius", "cpu_percent")


@dataclass(slots=True)
class Culprit:
    """What one work group was to blame for, in minutes.

    Attributes:
        named: minutes in which it was named at all, together with others.
    """

    label: str
    loud_minutes: int = 0
    hot_minutes: int = 0
    busy_minutes: int = 0
    named_minutes: float = 0.0


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """What one label took; ``money`` where a price is set."""

    label: str
    kilowatt_hours: float
    money: float | None


@dataclass(frozen=True, slots=True)
class Loud:
    """Some of the loudest minutes, one after the other, with the sentence of that time.

    Attributes:
        begin: in seconds since the epoch.
        minutes: how many.
        value: the highest of them, in the unit of the bill's ``loudness``.
    """

    begin: float
    minutes: int
    value: float
    state: str
    sentence: str

    @property
    def end(self) -> float:
        return self.begin + self.minutes * MINUTE


@dataclass(slots=True)
class Bill:
    """What there is to tell of one host and time.

    Attributes:
        begin: in seconds since the epoch; likewise ``end``.
        known_minutes: of which anything is known.
        quiet_rpm: the fan's speed while the machine is quiet; ``None`` where no fan is measured.
        quiet_is_guess: it was never seen quiet for long: the lowest tenth of all speeds instead.
        unnamed_loud_minutes: for which nobody was named; likewise hot and busy.
        energy: rows that add up to ``measured_kilowatt_hours``; empty where no power is measured.
        energy_until: when that was last told.
        loudness: what the loudest minutes are ranked by: a name of ``past.MEASURED``, or nothing.
        new: labels that were never named before; ``grew`` and ``usual`` likewise, each with a
            word on why. ``compared`` says whether there was anything to compare with.
    """

    host: str
    begin: float
    end: float
    known_minutes: int = 0
    quiet_rpm: float | None = None
    quiet_is_guess: bool = False
    culprits: list[Culprit] = field(default_factory=list)
    loud_minutes: int = 0
    hot_minutes: int = 0
    busy_minutes: int = 0
    unnamed: Culprit = field(default_factory=lambda: Culprit(UNATTRIBUTED))
    energy: list[EnergyRow] = field(default_factory=list)
    measured_kilowatt_hours: float | None = None
    energy_until: float | None = None
    loudness: str = ""
    loudest: list[Loud] = field(default_factory=list)
    compared: bool = False
    new: list[str] = field(default_factory=list)
    grew: list[tuple[str, str]] = field(default_factory=list)
    usual: list[tuple[str, str]] = field(default_factory=list)

    def json(self, currency: str) -> dict[str, Any]:
        """For programs; times are RFC 3339, money is in ``currency``."""
        return {
            "host": self.host,
            "from": rfc3339(self.begin),
            "to": rfc3339(self.end),
            "known_minutes": self.known_minutes,
            "quiet_fan_speed_rpm": self.quiet_rpm,
            "loud_minutes": self.loud_minutes,
            "hot_minutes": self.hot_minutes,
            "busy_minutes": self.busy_minutes,
            "culprits": [
                {
                    "label": each.label,
                    "loud_minutes": each.loud_minutes,
                    "hot_minutes": each.hot_minutes,
                    "busy_minutes": each.busy_minutes,
                    "named_minutes": round(each.named_minutes, 1),
                }
                for each in (*self.culprits, self.unnamed)
            ],
            "energy": [
                {
                    "label": row.label,
                    "kilowatt_hours": round(row.kilowatt_hours, 6),
                    **({} if row.money is None else {"money": round(row.money, 4)}),
                }
                for row in self.energy
            ],
            "measured_kilowatt_hours": self.measured_kilowatt_hours,
            "currency": currency,
            "loudest": [
                {
                    "time": rfc3339(each.begin),
                    "minutes": each.minutes,
                    self.loudness: each.value,
                    "state": each.state,
                    "headline": each.sentence,
                }
                for each in self.loudest
            ],
            "compared": self.compared,
            "new": self.new,
            "grew": [label for label, _ in self.grew],
            "usual": [label for label, _ in self.usual],
        }


def make_bill(archive: Archive, host: ArchivedHost, begin: float, end: float, price: float) -> Bill:
    """The bill of a time.

    Args:
        archive: where it stands.
        host: whose.
        begin: of the time, in seconds since the epoch.
        end: of it.
        price: of a kilowatt hour; 0: no money is told.
    """
    bill = Bill(host.name, begin, end)
    causes = archive.spans(host, CAUSE, begin, end)
    states = _Latest(archive.spans(host, STATE, begin, end))
    measured = {name: _minutes(archive, host, name, begin, end) for name in _LOUDNESS}
    fan = measured["fan_speed_rpm"]
    if fan:
        bill.quiet_rpm, bill.quiet_is_guess = _quiet_speed(archive, host, end)
    _judge(bill, causes, _Heard.of(archive, host, begin, end), states, measured)
    _rank(bill, states, measured)
    _add_energy(bill, archive, host, price)
    _compare(bill, archive, host, causes)
    return bill


def label_of(body: Mapping[str, Any]) -> str:
    """A cause's name as people read it: ``Backup (nightly.sh)``."""
    label, group = str(body.get("label") or ""), str(body.get("group") or "")
    if not label or group.casefold() in label.casefold():
        return label or group or "?"
    if label.endswith(")"):  # the label tells the program already
        return f"{label.removesuffix(')')}, {group})"
    return f"{label} ({group})"


def _minutes(
    archive: Archive, host: ArchivedHost, name: str, begin: float, end: float
) -> dict[int, float]:
    """A measurement by minute, counted from the epoch; rows that are longer stand for each."""
    series = archive.find(host, topics.TIMELINE, name)
    found: dict[int, float] = {}
    if series is None:
        return found
    for row in archive.values(host, series, begin, end, MINUTE):
        for minute in range(int(row.begin // MINUTE), int(-(-row.end // MINUTE))):
            if begin <= minute * MINUTE < end:
                found[minute] = row.high if row.end - row.begin <= MINUTE else row.mean
    return found


def _quiet_speed(archive: Archive, host: ArchivedHost, end: float) -> tuple[float | None, bool]:
    """(rpm, whether that is a guess): the fan's speed while the machine is quiet."""
    begin = end - _QUIET_DAYS * DAY
    series = archive.find(host, topics.TIMELINE, "fan_speed_rpm")
    if series is None:
        return None, False
    states = _Latest(archive.spans(host, STATE, begin, end))
    rows = archive.values(host, series, begin, end, 5 * MINUTE)
    quiet = [
        row.low
        for row in rows
        if (state := states.at(row.begin + row.known / 2)) and state["state"] == HostState.QUIET
    ]
    if len(quiet) >= _QUIET_ROWS:
        return statistics.median(quiet), False
    speeds = sorted(row.low for row in rows)
    return (speeds[len(speeds) // 10], True) if speeds else (None, False)


def _largest(
    archive: Archive, host: ArchivedHost, field_name: str, span: tuple[float, float]
) -> dict[int, tuple[float, str]]:
    """(value, label) of the cause with the largest, by minute, as verdicts told it."""
    found: dict[int, tuple[float, str]] = {}
    step = MINUTE if span[1] - span[0] <= _BY_MINUTE else 5 * MINUTE
    for series in archive.below(host, topics.EXPLANATION, _CAUSES):
        if not series.path.endswith(f"/{field_name}"):
            continue
        label = series.path.removeprefix(_CAUSES).removesuffix(f"/{field_name}")
        for row in archive.values(host, series, *span, step):
            # Of a minute in which it was named for some seconds as much.
            told = (row.mean * row.known / (row.end - row.begin), label)
            for minute in range(int(row.begin // MINUTE), int(-(-row.end // MINUTE))):
                found[minute] = max(found.get(minute, told), told)
    return found


@dataclass(frozen=True, slots=True)
class _Heard:
    """Whom verdicts told of, by minute, where they were heard.

    Attributes:
        by_heat: who drew the most power; where that is not measured, used the most CPU time.
        by_share: who had the largest share of whatever was short.
    """

    by_heat: Mapping[int, tuple[float, str]]
    by_share: Mapping[int, tuple[float, str]]

    @classmethod
    def of(cls, archive: Archive, host: ArchivedHost, begin: float, end: float) -> _Heard:
        power, cpu, share = (
            _largest(archive, host, name, (begin, end))
            for name in ("power_watts", "cpu_percent", "share_percent")
        )
        return cls({**share, **cpu, **power}, share)


def _judge(
    bill: Bill,
    causes: list[ArchivedSpan],
    heard: _Heard,
    states: _Latest,
    measured: Mapping[str, Mapping[int, float]],
) -> None:
    """Counts each minute for one of those that were named then.

    A loud or hot one for whoever made the most heat, a busy one for the largest share.
    """
    fan, usage = measured["fan_speed_rpm"], measured["cpu_percent"]
    minutes = _named_minutes(causes, bill.begin, bill.end)
    found = {label: Culprit(label, named_minutes=each) for label, each in minutes.items()}
    hottest = _Named(causes, heard.by_heat, bill.end)
    largest = _Named(causes, heard.by_share, bill.end)
    for minute in range(int(bill.begin // MINUTE), int(-(-bill.end // MINUTE))):
        state = states.of(minute)
        if state is None and minute not in usage:
            continue
        bill.known_minutes += 1
        kind = state["state"] if state else ""
        loud = bill.quiet_rpm is not None and fan.get(minute, 0.0) > louder_than(bill.quiet_rpm)
        hot, busy = kind == HostState.HOT, kind in _BUSY
        bill.loud_minutes += loud
        bill.hot_minutes += hot
        bill.busy_minutes += busy
        if loud or hot:
            label = hottest.of(minute)
            culprit = found.setdefault(label, Culprit(label)) if label else bill.unnamed
            culprit.loud_minutes += loud
            culprit.hot_minutes += hot
        if busy:
            label = largest.of(minute)
            culprit = found.setdefault(label, Culprit(label)) if label else bill.unnamed
            culprit.busy_minutes += busy
    bill.culprits = sorted(
        found.values(),
        key=lambda each: (
            -each.loud_minutes, -each.hot_minutes, -each.busy_minutes, -each.named_minutes,
        ),
    )  # fmt: skip


def louder_than(quiet: float) -> float:
    """The speed from which on a fan is heard, in turns a minute."""
    return max(quiet * _LOUDER, quiet + _LOUDER_RPM)


def _rank(bill: Bill, states: _Latest, measured: Mapping[str, Mapping[int, float]]) -> None:
    """The ten loudest minutes; where no fan is measured the hottest, else the busiest."""
    bill.loudness = next((name for name in _LOUDNESS if measured[name]), "")
    if not bill.loudness:
        return
    minutes = measured[bill.loudness]
    if bill.quiet_rpm is not None:
        least = louder_than(bill.quiet_rpm)
        minutes = {minute: value for minute, value in minutes.items() if value > least}
    for minute in sorted(sorted(minutes, key=lambda each: -minutes[each])[:_TEN]):
        state = states.of(minute) or {}
        sentence = str(state.get("headline") or "?")
        last = bill.loudest[-1] if bill.loudest else None
        if (
            last
            and last.sentence == sentence
            and last.begin + last.minutes * MINUTE == minute * MINUTE
        ):
            value = max(last.value, minutes[minute])
            bill.loudest[-1] = Loud(last.begin, last.minutes + 1, value, last.state, sentence)
            continue
        bill.loudest.append(
            Loud(minute * MINUTE, 1, minutes[minute], str(state.get("state") or ""), sentence)
        )
    bill.loudest.sort(key=lambda each: -each.value)


def _add_energy(bill: Bill, archive: Archive, host: ArchivedHost, price: float) -> None:
    joules: dict[str, float] = {}
    for midnight, begin, end in _days(bill.begin, bill.end):
        before = _account(archive, host, midnight, begin) if begin > midnight else {}
        after = _account(archive, host, begin, end)
        if not after:
            continue
        bill.energy_until = max(at for at, _ in after.values())
        for label in {*before, *after}:
            grown = after.get(label, (0.0, 0.0))[1] - before.get(label, (0.0, 0.0))[1]
            # Who is not among the first any more stands with the others.
            whose = label if grown >= 0 else OTHERS
            joules[whose] = joules.get(whose, 0.0) + grown
    rows = [
        EnergyRow(label, amount / _JOULES, amount / _JOULES * price if price else None)
        for label, amount in joules.items()
        if amount
    ]
    last = {OTHERS: 1, UNATTRIBUTED: 2, IDLE: 3}
    bill.energy = sorted(rows, key=lambda row: (last.get(row.label, 0), -row.kilowatt_hours))
    if rows:
        bill.measured_kilowatt_hours = sum(row.kilowatt_hours for row in rows)


def _account(
    archive: Archive, host: ArchivedHost, begin: float, end: float
) -> dict[str, tuple[float, float]]:
    """(moment, joules) by label: the last word of a day on who used how much of it."""
    found: dict[str, tuple[float, float]] = {}
    for series in archive.below(host, topics.EXPLANATION, "energy/"):
        if not series.path.endswith("/today_joules"):
            continue
        label = series.path.removeprefix("energy/").removesuffix("/today_joules")
        rows = archive.values(host, series, begin, end, 0)
        if rows:
            found[label] = (rows[-1].end, rows[-1].high)
    newest = max((at for at, _ in found.values()), default=0.0)
    return {label: told for label, told in found.items() if told[0] >= newest - 1.0}


def _days(begin: float, end: float) -> Iterator[tuple[float, float, float]]:
    """(midnight, begin, end) of the local days of a time, as far as they are in it."""
    at = begin
    while at < end:
        now = datetime.fromtimestamp(at).astimezone().replace(tzinfo=None)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        last = min((midnight + timedelta(days=1)).timestamp(), end)
        yield midnight.timestamp(), at, last
        at = last


def _compare(
    bill: Bill, archive: Archive, host: ArchivedHost, causes: Iterable[ArchivedSpan]
) -> None:
    """What is new, what grew, what is as ever, by the minutes in which each was named."""
    length = bill.end - bill.begin
    windows = [
        (bill.begin - (index + 1) * length, bill.begin - index * length)
        for index in range(_EARLIER)
        if bill.begin - (index + 1) * length >= host.since
    ]
    bill.compared = bool(windows)
    if not windows:
        return
    earlier = [
        _named_minutes(archive.spans(host, CAUSE, begin, end), begin, end) for begin, end in windows
    ]
    seen = Counter(label for minutes in earlier for label in minutes)
    now = _named_minutes(causes, bill.begin, bill.end)
    for label, minutes in sorted(now.items(), key=lambda each: -each[1]):
        usually = sum(before.get(label, 0.0) for before in earlier) / len(windows)
        if not seen[label]:
            bill.new.append(label)
        elif minutes > usually * _GREW and minutes > usually + _GREW_MINUTES:
            bill.grew.append((label, f"{minutes:,.0f} minutes, {usually:,.0f} before"))
        elif seen[label] * 2 >= len(windows):
            bill.usual.append((label, f"{minutes:,.0f} minutes, {usually:,.0f} before"))


def _named_minutes(causes: Iterable[ArchivedSpan], begin: float, end: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for cause in causes:
        last = min(end if cause.ended is None else cause.ended, end)
        minutes = max(last - max(cause.began, begin), 0.0) / MINUTE
        label = label_of(cause.body)
        found[label] = found.get(label, 0.0) + minutes
    return found


class _Latest:
    """Spans of which one follows the other: which one is of a moment."""

    def __init__(self, spans: list[ArchivedSpan]) -> None:
        self._spans = spans
        self._begins = [span.began for span in spans]

    def of(self, minute: int) -> Mapping[str, Any] | None:
        """What was in the middle of a minute, else at its beginning or end."""
        begin = minute * MINUTE
        moments = (begin + MINUTE / 2, begin, begin + MINUTE - 1)
        return next(filter(None, map(self.at, moments)), None)

    def at(self, moment: float) -> Mapping[str, Any] | None:
        """What was then; ``None`` where nothing is known."""
        index = bisect_right(self._begins, moment) - 1
        if index < 0:
            return None
        span = self._spans[index]
        return span.body if span.ended is None or span.ended > moment else None


class _Named:
    """Who of several was to blame most; minutes are asked for in order.

    Args:
        causes: from when to when each was named.
        heard: who it was by minute, where verdicts were heard.
        end: until when those last that have no end.
    """

    def __init__(
        self, causes: Iterable[ArchivedSpan], heard: Mapping[int, tuple[float, str]], end: float
    ) -> None:
        self._heard = heard
        self._waiting = sorted(causes, key=lambda cause: -cause.began)
        self._now: list[tuple[float, ArchivedSpan]] = []
        self._end = end

    def of(self, minute: int) -> str:
        """Its label; empty where nobody was named."""
        value, label = self._heard.get(minute, (0.0, ""))
        if value > 0:
            return label
        moment = minute * MINUTE + MINUTE / 2
        while self._waiting and self._waiting[-1].began <= moment:
            cause = self._waiting.pop()
            ended = self._end if cause.ended is None else cause.ended
            self._now.append((max(ended, cause.blamed_until or 0.0), cause))
        self._now = [each for each in self._now if each[0] >= moment]
        most = max(
            (cause for _, cause in self._now), key=lambda it: _weight(it, moment), default=None
        )
        return "" if most is None else label_of(most.body)


def _weight(cause: ArchivedSpan, moment: float) -> tuple[bool, bool, float]:
    """What is at work goes before what left its heat, what makes heat before what waits."""
    at_work = cause.ended is None or cause.ended >= moment
    heats = cause.body.get("resource") in (Resource.CPU, Resource.GPU)
    return at_work, heats, float(cause.body.get("share_percent") or 0.0)


def unit_of(loudness: str) -> Unit:
    """The unit of what the loudest minutes are ranked by."""
    return past.MEASURED[loudness][1]
