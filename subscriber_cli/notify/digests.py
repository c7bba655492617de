"""What a day or a week was like on one machine, in a few lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from publisher.contract import past
from publisher.contract.timeline import PastCauseReading, PastStateReading, TimelineReading
from publisher.contract.units import duration, humanise
from publisher.contract.when import moment
from subscriber_cli.notify.words import plain

_MOST_KEPT: Final = 20  # causes of one day
_MOST_TOLD: Final = 5
_JOULES: Final = 3.6e6  # of a kilowatt hour
_KNOWN_SECONDS: Final = 60.0
_WORKING: Final = ("busy", "hot", "pressure")


@dataclass(slots=True)
class Digest:
    """A time on one machine.

    Attributes:
        states: seconds in each state; ``causes`` in which each was to blame.
        joules: of what is measured; ``None`` where nothing is.
        alerts: what each said, and how often it was raised.
    """

    states: dict[str, float] = field(default_factory=dict)
    causes: dict[str, float] = field(default_factory=dict)
    alerts: dict[str, float] = field(default_factory=dict)
    hottest: float | None = None
    fastest: float | None = None
    joules: float | None = None

    def dump(self) -> dict[str, Any]:
        return asdict(self)


def digest_of(timeline: TimelineReading, begin: float, end: float, *, live: bool) -> Digest:
    """What a host remembers of a time.

    Args:
        timeline: its memory.
        begin: in seconds since the epoch.
        end: likewise.
        live: what went on when it last told still does.
    """
    last = end if live else past.covered(timeline)[1]
    part = past.within(timeline, begin, end)
    found = Digest()
    causes: dict[str, float] = {}
    for state in part.states:
        _add(found.states, state.state, _seconds(state, begin, end, last))
    for cause in part.causes:
        _add(causes, cause.label or cause.group, _seconds(cause, begin, end, last))
    for alert in part.alerts[-_MOST_KEPT:]:
        _add(found.alerts, alert.message or alert.alert, 1)
    found.causes = dict(sorted(causes.items(), key=lambda item: -item[1])[:_MOST_KEPT])
    found.hottest = _highest(part, "cpu_temperature_celsius")
    found.fastest = _highest(part, "fan_speed_rpm")
    power = past.values(part, "power_watts")
    if power:
        found.joules = sum((until - since) * watts for since, until, watts in power)
    return found


def together(digests: Iterable[Digest]) -> Digest:
    """Several days as one."""
    found = Digest()
    for each in digests:
        for mine, theirs in (
            (found.states, each.states), (found.causes, each.causes), (found.alerts, each.alerts)
        ):  # fmt: skip
            for key, value in theirs.items():
                _add(mine, key, value)
        found.hottest = _larger(found.hottest, each.hottest)
        found.fastest = _larger(found.fastest, each.fastest)
        if each.joules is not None:
            found.joules = (found.joules or 0.0) + each.joules
    return found


def lines_of(digest: Digest) -> str:
    """For people."""
    known = sum(digest.states.values())
    if known < _KNOWN_SECONDS:
        return "Nothing was recorded."
    worked = [
        f"{state} {duration(digest.states[state])}"
        for state in _WORKING
        if digest.states.get(state, 0.0) >= _KNOWN_SECONDS
    ]
    lines = [f"{', '.join(worked).capitalize()}." if worked else "Quiet all the time."]
    causes = sorted(digest.causes.items(), key=lambda item: -item[1])[:_MOST_TOLD]
    if causes:
        told = ", ".join(f"{plain(who, 60)} {duration(lasted)}" for who, lasted in causes)
        lines.append(f"To blame: {told}.")
    measured = [
        f"CPU up to {humanise(digest.hottest, '°C', 0)}" if digest.hottest is not None else "",
        f"fan up to {humanise(digest.fastest, 'rpm', 0)}" if digest.fastest is not None else "",
        f"{digest.joules / _JOULES:,.2f} kWh measured" if digest.joules is not None else "",
    ]
    if any(measured):
        lines.append(f"{', '.join(filter(None, measured))}.")
    alerts = sorted(digest.alerts.items(), key=lambda item: -item[1])[:_MOST_TOLD]
    lines += [
        f"Alert: {plain(what, 120)}{f' ({count:.0f} times)' if count > 1 else ''}."
        for what, count in alerts
    ]
    return "\n".join(lines)


def _add(sums: dict[str, float], key: str | None, value: float) -> None:
    sums[key or "?"] = sums.get(key or "?", 0.0) + value


def _seconds(
    entry: PastCauseReading | PastStateReading, begin: float, end: float, last: float
) -> float:
    since, until = moment(entry.began), moment(entry.ended)
    if since is None:
        return 0.0
    return max(min(last if until is None else until, end) - max(since, begin), 0.0)


def _highest(part: TimelineReading, name: str) -> float | None:
    return max((value for _, _, value in past.values(part, name)), default=None)


def _larger(one: float | None, other: float | None) -> float | None:
    found = [value for value in (one, other) if value is not None]
    return max(found, default=None)
