"""What is worth a message: the rules of the configuration, checked, their defaults filled in."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from enum import StrEnum
from typing import Final

from publisher.config.companions import NotifyRule, NotifySettings
from publisher.config.patterns import Pattern
from publisher.contract.printable import printable
from publisher.contract.readings import ALERTS, CATEGORIES, SEVERITIES, STATES
from publisher.errors import ConfigError

SHIPPED: Final[Mapping[str, NotifyRule]] = {
    "alerts": NotifyRule(alert=("*",)),
    "silent": NotifyRule(silent=True),
}
"""The rules that are there without being written."""

_NAME: Final = re.compile(r"[\w.-]{1,40}")
_MOST: Final = 100
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d\d)")
_FOR_SECONDS: Final = 120.0
_SILENT_SECONDS: Final = 600.0
_OVER_SECONDS: Final = 60.0
_LEVELS: Final = ("temperature_above", "rpm_above", "watts_above")
_WHEN: Final = ("state", "cause", "category", *_LEVELS, "alert", "silent", "missing_by", "summary")
_SLACK: Final = {"temperature_above": 3.0, "rpm_above": 0.1, "watts_above": 0.1}


class Sort(StrEnum):
    """What a rule looks at."""

    LEVEL = "level"
    """How the machine is now: its state, who is to blame, what is measured."""
    ALERT = "alert"
    SILENT = "silent"
    MISSING = "missing"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule as it is obeyed; patterns are of names, times of day are local.

    Attributes:
        limits: what must be exceeded, by the setting's name; ``slack`` is how far below that a
            value has to fall until it counts as over.
        for_seconds: how long it must last; ``over_seconds`` how long it must be gone.
        urgent: whether the quiet hours do not hold; ``None``: for what is critical.
        to: names of targets; empty: all.
    """

    name: str
    sort: Sort
    hosts: tuple[Pattern, ...]
    states: tuple[str, ...]
    causes: tuple[Pattern, ...]
    categories: tuple[str, ...]
    limits: Mapping[str, float]
    alerts: tuple[Pattern, ...]
    severity: int
    at: time
    weekly: bool
    for_seconds: float
    over_seconds: float
    cooldown_seconds: float
    urgent: bool | None
    to: tuple[str, ...]

    @property
    def names_causes(self) -> bool:
        """Whether it asks who is to blame."""
        return bool(self.causes or self.categories)

    def is_about(self, name: str, prefix: str) -> bool:
        """Whether it is about a host, by its name or prefix."""
        return not self.hosts or any(each.fits((name, prefix)) for each in self.hosts)

    def blames(self, names: Iterable[str], category: str) -> bool:
        """Whether who is to blame is one that it asks for."""
        if self.categories and category not in self.categories:
            return False
        known = list(names)
        return not self.causes or any(each.fits(known) for each in self.causes)

    def tells(self, alert: str, severity: str) -> bool:
        """Whether an alert is one that it asks for."""
        grave = SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
        return grave >= self.severity and any(each.fits((alert,)) for each in self.alerts)

    def exceeds(self, name: str, value: float, *, told: bool) -> bool:
        """Whether a value is beyond its limit; what was told has to fall clearly below it."""
        limit, slack = self.limits[name], _SLACK[name]
        if told:
            limit -= slack if slack >= 1 else limit * slack
        return value > limit


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A part of the day in local time; it may go over midnight. Empty where both ends are one."""

    begin: time = time()
    end: time = time()

    def hold(self, local: datetime) -> bool:
        """Whether it is so at a local time of day, also when clocks are put on or back."""
        now = local.time()
        if self.begin <= self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end


def quiet_hours_of(settings: NotifySettings) -> QuietHours:
    """The quiet hours that are set.

    Raises:
        ConfigError: they are not of the form ``22:00-07:00``.
    """
    if not settings.quiet_hours:
        return QuietHours()
    begin, _, end = (part.strip() for part in settings.quiet_hours.partition("-"))
    ends = _clock(begin), _clock(end)
    if ends[0] is None or ends[1] is None:
        found = printable(settings.quiet_hours)[:40]
        raise ConfigError(
            f'notify.quiet_hours: expected "22:00-07:00" or the like, found "{found}"'
        )
    return QuietHours(ends[0], ends[1])


def rules_of(settings: NotifySettings, targets: Iterable[str]) -> list[Rule]:
    """The rules that are in force.

    Args:
        settings: as they were read.
        targets: the names there are.

    Raises:
        ConfigError: one line for each thing that cannot be as it is written.
    """
    written = {**SHIPPED, **{name: _whole(name, each) for name, each in settings.rules.items()}}
    if len(written) > _MOST:
        raise ConfigError(f"notify.rules: more than {_MOST} rules")
    problems: list[str] = []
    rules: list[Rule] = []
    known = list(targets)
    for name, rule in written.items():
        found = list(_problems(name, rule, known))
        problems += found
        if rule.enabled and not found:
            rules.append(_made(name, rule))
    if problems:
        raise ConfigError("\n".join(problems))
    return rules


def _whole(name: str, rule: NotifyRule) -> NotifyRule:
    """A rule that only changes one that comes along asks for the same."""
    shipped = SHIPPED.get(name)
    if shipped is None or any(getattr(rule, each) not in (None, (), "", False) for each in _WHEN):
        return rule
    return replace(rule, alert=shipped.alert, silent=shipped.silent)


def _problems(name: str, rule: NotifyRule, targets: list[str]) -> Iterator[str]:
    place = f"notify.rules.{printable(name)[:40]}"
    if not _NAME.fullmatch(name):
        yield f"{place}: a name has letters, digits, - _ and ."
    yield from _unknown(f"{place}.state", rule.state, STATES, "state")
    yield from _unknown(f"{place}.category", rule.category, CATEGORIES, "category")
    yield from _unknown(f"{place}.to", rule.to, targets, "target")
    for pattern in rule.alert:
        if not any(Pattern(pattern).fits((alert,)) for alert in ALERTS):
            yield f"{place}.alert: no alert {_shown(pattern)}{_nearest(pattern, ALERTS)}"
    for setting, text in (("missing_by", rule.missing_by), ("at", rule.at)):
        if text and _clock(text) is None:
            yield f'{place}.{setting}: expected a time of day such as "06:00", found {_shown(text)}'
    yield from _clashes(place, rule)


def _clashes(place: str, rule: NotifyRule) -> Iterator[str]:
    """What cannot be asked together, or asks for nothing."""
    levels = [name for name in ("state", *_LEVELS) if getattr(rule, name) not in (None, ())]
    blame = [name for name in ("cause", "category") if getattr(rule, name)]
    special = [name for name in ("alert", "silent", "missing_by", "summary") if getattr(rule, name)]
    if not rule.enabled:
        return
    if not levels and not blame and not special:
        yield (
            f"{place}: says not when; give it state, cause, category, temperature_above, "
            "rpm_above, watts_above, alert, silent, missing_by or summary"
        )
    elif len(special) > 1:
        yield f"{place}: {' and '.join(special)} cannot be one rule; make two of it"
    elif special and (levels or (blame and special != ["missing_by"])):
        other = (levels or blame)[0]
        yield f"{place}: {special[0]} and {other} cannot be one rule; make two of it"
    elif special == ["missing_by"] and not blame:
        yield f"{place}: missing_by needs cause or category: what is it that should have run?"


def _made(name: str, rule: NotifyRule) -> Rule:
    sort = _sort(rule)
    lasting = {Sort.LEVEL: _FOR_SECONDS, Sort.SILENT: _SILENT_SECONDS}.get(sort, 0.0)
    if rule.for_minutes is not None:
        lasting = 60.0 * rule.for_minutes
    urgent = rule.urgent
    if urgent is None and rule.category == ("cryptomining",):
        urgent = True
    return Rule(
        name=name,
        sort=sort,
        hosts=tuple(map(Pattern, rule.hosts)),
        states=rule.state,
        causes=tuple(map(Pattern, rule.cause)),
        categories=rule.category,
        limits={each: value for each in _LEVELS if (value := getattr(rule, each)) is not None},
        alerts=tuple(map(Pattern, rule.alert)),
        severity=SEVERITIES.index(rule.severity),
        at=_clock(rule.missing_by or rule.at) or time(8),
        weekly=rule.summary == "weekly",
        for_seconds=lasting,
        over_seconds=_OVER_SECONDS if sort is Sort.LEVEL else 0.0,
        cooldown_seconds=60.0 * rule.cooldown_minutes,
        urgent=urgent,
        to=rule.to,
    )


def _sort(rule: NotifyRule) -> Sort:
    if rule.alert:
        return Sort.ALERT
    if rule.silent:
        return Sort.SILENT
    if rule.missing_by:
        return Sort.MISSING
    return Sort.SUMMARY if rule.summary else Sort.LEVEL


def _clock(text: str) -> time | None:
    match = _CLOCK.fullmatch(text.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        return None
    return time(int(match[1]), int(match[2]))


def _unknown(place: str, words: Iterable[str], known: Iterable[str], what: str) -> Iterator[str]:
    there = list(known)
    for word in words:
        if word not in there:
            yield f"{place}: no {what} {_shown(word)}{_nearest(word, there)}"


def _nearest(word: str, known: Iterable[str]) -> str:
    there = list(known)
    near = difflib.get_close_matches(word.strip("*"), there, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(there)}"


def _shown(text: str) -> str:
    return f'"{printable(text)[:40]}"'


def named(rules: Iterable[Rule], name: str) -> Rule:
    """The rule of a name.

    Raises:
        ConfigError: there is none.
    """
    there = {rule.name: rule for rule in rules}
    if name not in there:
        raise ConfigError(f"no rule {_shown(name)}{_nearest(name, there)}")
    return there[name]


def addressed(rule: Rule, targets: Iterable[str]) -> list[str]:
    """The names of the targets that a rule tells."""
    return [name for name in targets if not rule.to or name in rule.to]
