"""Alerts: a condition that lasts is raised once and cleared once.

What is usual is no alert; what is rare and grave, such as a suspected miner, is one at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from publisher.contract.readings import EvidenceReading
from publisher.explain.causes import Cause, Culprits
from publisher.explain.detect.hysteresis import Hysteresis
from publisher.explain.detect.resources import LoadKind
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.report.headline import joined
from publisher.explain.window import Window

_OOM_LASTS_SECONDS: Final = 600.0
_UNUSUAL_SECONDS: Final = 60.0
_FULL_PERCENT: Final = 99.0
_SLACK_PERCENT: Final = 1.0


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that deserves an alert while it lasts.

    Attributes:
        alert: one of ``ALERTS``.
        subject: which one, where there can be several: a mount point, an array, a program.
        lasting: seconds that it must last.
    """

    alert: str
    subject: str
    severity: str
    message: str
    lasting: float


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition that was raised, or is over."""

    condition: Condition
    raised: bool
    lasted: float = 0.0


@dataclass(slots=True)
class _Tracked:
    condition: Condition
    hysteresis: Hysteresis


@dataclass(slots=True)
class Alerts:
    """Which conditions hold, and which of them were told."""

    settings: ExplainSettings
    _tracked: dict[tuple[str, str], _Tracked] = field(default_factory=dict)
    _oom_kills: int | None = None
    _oom_until: float = 0.0

    def judge(
        self, window: Window, culprits: Culprits, *, hot: Sequence[str], dusty: bool
    ) -> list[Alert]:
        """Takes one window into account; what is to be told.

        Args:
            window: what is known of it.
            culprits: who is to blame in it.
            hot: what is near its limit of temperature.
            dusty: warmer at rest than it used to be at equal power.
        """
        if not self.settings.alerts:
            return []
        conditions = [
            *self._full(window.signs.disk_used_percent),
            *self._degraded(window.signs.raid_degraded),
            *self._killed(window.signs.oom_kills, window.now),
            *self._scarce(window.evidence, _causes_of(culprits, LoadKind.CPU)),
            *self._hot(hot),
            *_of_causes(culprits.causes, window.wall),
            *([_DUST] if dusty else ()),
        ]
        return self._observe(conditions, start=window.start, now=window.now)

    def _observe(self, conditions: list[Condition], *, start: float, now: float) -> list[Alert]:
        told = []
        holding = {(c.alert, c.subject): c for c in conditions}
        for key, condition in holding.items():
            if key not in self._tracked:
                dwell = Hysteresis(condition.lasting, self.settings.alert_clear_seconds)
                self._tracked[key] = _Tracked(condition, dwell)
        for key, tracked in list(self._tracked.items()):
            holds, state = key in holding, tracked.hysteresis
            since = state.since
            moved = state.update(above=holds, below=not holds, start=start, now=now)
            if holds and not state.active:
                tracked.condition = holding[key]
            if moved and state.active:
                told.append(Alert(tracked.condition, raised=True))
            elif moved:
                lasted = now - (since or now) - self.settings.alert_clear_seconds
                told.append(Alert(tracked.condition, raised=False, lasted=max(lasted, 0.0)))
            if state.since is None:
                del self._tracked[key]
        return told

    def close(self, now: float) -> list[Alert]:
        """Ends every alert that was raised and not yet cleared."""
        raised = [each for each in self._tracked.values() if each.hysteresis.active]
        self._tracked = {}
        return [
            Alert(each.condition, raised=False, lasted=now - (each.hysteresis.since or now))
            for each in raised
        ]

    def _slack(self, alert: str, subject: str) -> float:
        """Percent by which what was told has to get better until it is over."""
        tracked = self._tracked.get((alert, subject))
        return _SLACK_PERCENT if tracked is not None and tracked.hysteresis.active else 0.0

    def _full(self, disk_used_percent: Mapping[str, float]) -> Iterator[Condition]:
        lasting = self.settings.alert_seconds
        for mount, used in disk_used_percent.items():
            nearly, full = self._slack("disk_full", mount), f"{mount} full"
            is_full = used >= _FULL_PERCENT - self._slack("disk_full", full)
            if is_full:
                words = f"File system {mount} is full"
                yield Condition("disk_full", full, "critical", words, lasting)
            least = self.settings.alert_disk_used_percent - nearly
            if used >= least and (nearly or not is_full):
                words = f"File system {mount} is nearly full"
                yield Condition("disk_full", mount, "warning", words, lasting)

    def _degraded(self, arrays: Sequence[str]) -> Iterator[Condition]:
        for array in arrays:
            words = f"RAID array {array} lacks a disk"
            yield Condition("raid_degraded", array, "critical", words, self.settings.alert_seconds)

    def _killed(self, oom_kills: int | None, now: float) -> Iterator[Condition]:
        if oom_kills is not None:
            if self._oom_kills is not None and oom_kills > self._oom_kills:
                self._oom_until = now + _OOM_LASTS_SECONDS
            self._oom_kills = oom_kills
        if now < self._oom_until:
            words = "The kernel killed a process for want of memory"
            yield Condition("oom_kill", "", "critical", words, 0.0)

    def _scarce(self, evidence: EvidenceReading, on_cpu: Sequence[Cause]) -> Iterator[Condition]:
        settings = self.settings
        usual = bool(on_cpu) and on_cpu[0].habit.usual
        if (evidence.cpu_percent or 0) >= settings.alert_cpu_percent and not usual:
            who = f": {joined([cause.named for cause in on_cpu])}" if on_cpu else ""
            words = f"CPU usage stays high{who}"
            yield Condition("cpu", "", "warning", words, settings.alert_cpu_seconds)
        available = evidence.memory_available_percent
        least = settings.alert_memory_available_percent + self._slack("memory", "")
        if available is not None and available < least:
            words = "Memory is nearly used up"
            yield Condition("memory", "", "critical", words, settings.alert_seconds)

    def _hot(self, hot: Sequence[str]) -> Iterator[Condition]:
        for what in hot:
            words = f"The {what} is hot"
            yield Condition("temperature", what, "critical", words, self.settings.alert_seconds)


_DUST: Final = Condition(
    "dust",
    "",
    "warning",
    "Warmer at rest than it was at equal power: dust, a failing fan or the room",
    0.0,
)


def _causes_of(culprits: Culprits, kind: LoadKind) -> Sequence[Cause]:
    blamed = culprits.by_kind.get(kind)
    return blamed.causes if blamed else ()


def _of_causes(causes: Sequence[Cause], wall: float) -> Iterator[Condition]:
    for cause in causes:
        name, key = str(cause.named), cause.account.group.key
        if cause.suspicious:
            words = f"Suspected cryptomining: {name}"
            yield Condition("cryptomining", key, "critical", words, 0.0)
        elif cause.habit.surprise and wall - cause.wall >= _UNUSUAL_SECONDS:
            words = f"Unusual: {name}, {cause.habit.words()}"
            yield Condition("unusual", key, "info", words, 0.0)
