"""Alerts: a condition that lasts is raised once and cleared once.

What is usual is no alert; what is rare and grave, such as a suspected miner, is one at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from publisher.contract.readings import EvidenceReading
from publisher.explain.detect.hysteresis import Gate
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.report.causes import Cause
from publisher.explain.report.wording import joined

OOM_LASTS_SECONDS: Final = 600.0
_UNUSUAL_SECONDS: Final = 60.0
_FULL_PERCENT: Final = 99.0
_SLACK_PERCENT: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What a verdict goes by besides balance and evidence; ``None`` and empty: nobody can tell.

    Attributes:
        oom_kills: counter of processes that the kernel killed for want of memory.
        disk_used_percent: fullness of each file system, by mount point.
        raid_degraded: names of arrays that lack a disk.
        upkeep: what arrays are doing to themselves, in words: ``RAID check (md0)``.
    """

    oom_kills: int | None = None
    disk_used_percent: Mapping[str, float] = field(default_factory=dict)
    raid_degraded: tuple[str, ...] = ()
    upkeep: tuple[str, ...] = ()


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
class _Watched:
    condition: Condition
    gate: Gate


@dataclass(slots=True)
class Alerts:
    """Which conditions hold, and which of them were told."""

    settings: ExplainSettings
    _watched: dict[tuple[str, str], _Watched] = field(default_factory=dict)
    _oom_kills: int | None = None
    _oom_until: float = 0.0

    def observe(self, conditions: list[Condition], *, start: float, now: float) -> list[Alert]:
        """Takes one window into account; what is to be told."""
        told = []
        holding = {(c.alert, c.subject): c for c in conditions}
        for key, condition in holding.items():
            if key not in self._watched:
                gate = Gate(condition.lasting, self.settings.alert_clear_seconds)
                self._watched[key] = _Watched(condition, gate)
        for key, watched in list(self._watched.items()):
            holds = key in holding
            since = watched.gate.since
            moved = watched.gate.update(above=holds, below=not holds, start=start, now=now)
            if holds and not watched.gate.is_open:
                watched.condition = holding[key]
            if moved and watched.gate.is_open:
                told.append(Alert(watched.condition, raised=True))
            elif moved:
                lasted = now - (since or now) - self.settings.alert_clear_seconds
                told.append(Alert(watched.condition, raised=False, lasted=max(lasted, 0.0)))
            if watched.gate.since is None:
                del self._watched[key]
        return told

    def close(self, now: float) -> list[Alert]:
        """Ends every alert that was raised and not yet cleared."""
        raised = [watched for watched in self._watched.values() if watched.gate.is_open]
        self._watched = {}
        return [
            Alert(w.condition, raised=False, lasted=now - (w.gate.since or now)) for w in raised
        ]

    def _slack(self, alert: str, subject: str) -> float:
        """Percent by which what was told has to get better until it is over."""
        watched = self._watched.get((alert, subject))
        return _SLACK_PERCENT if watched is not None and watched.gate.is_open else 0.0

    def from_signs(self, signs: Signs, now: float) -> list[Condition]:
        """The conditions that hold by the signs alone."""
        settings = self.settings
        conditions = []
        lasting = settings.alert_seconds
        for mount, used in signs.disk_used_percent.items():
            nearly, full = self._slack("disk_full", mount), f"{mount} full"
            is_full = used >= _FULL_PERCENT - self._slack("disk_full", full)
            if is_full:
                words = f"File system {mount} is full"
                conditions.append(Condition("disk_full", full, "critical", words, lasting))
            if used >= settings.alert_disk_used_percent - nearly and (nearly or not is_full):
                words = f"File system {mount} is nearly full"
                conditions.append(Condition("disk_full", mount, "warning", words, lasting))
        conditions += [
            Condition(
                "raid_degraded",
                array,
                "critical",
                f"RAID array {array} lacks a disk",
                settings.alert_seconds,
            )
            for array in signs.raid_degraded
        ]
        kills = signs.oom_kills
        if kills is not None:
            if self._oom_kills is not None and kills > self._oom_kills:
                self._oom_until = now + OOM_LASTS_SECONDS
            self._oom_kills = kills
        if now < self._oom_until:
            message = "The kernel killed a process for want of memory"
            conditions.append(Condition("oom_kill", "", "critical", message, 0.0))
        return conditions

    def from_verdict(
        self,
        evidence: EvidenceReading,
        causes: Sequence[Cause],
        *,
        on_cpu: Sequence[Cause],
        hot: Sequence[str],
        dusty: bool,
        wall: float,
    ) -> list[Condition]:
        """The conditions that hold by what was measured and who is to blame for it.

        Args:
            evidence: what was measured.
            causes: the most important first.
            on_cpu: those of them that use the CPU.
            hot: what is near its limit of temperature.
            dusty: warmer at rest than it used to be at equal power.
            wall: seconds since the epoch.
        """
        settings = self.settings
        found = []
        usual = bool(on_cpu) and on_cpu[0].habit.usual
        if (evidence.cpu_percent or 0) >= settings.alert_cpu_percent and not usual:
            who = f": {joined([cause.named for cause in on_cpu])}" if on_cpu else ""
            lasting = settings.alert_cpu_seconds
            found.append(Condition("cpu", "", "warning", f"CPU usage stays high{who}", lasting))
        available = evidence.memory_available_percent
        least = settings.alert_memory_available_percent + self._slack("memory", "")
        if available is not None and available < least:
            lasting = settings.alert_seconds
            found.append(Condition("memory", "", "critical", "Memory is nearly used up", lasting))
        for what in hot:
            lasting = settings.alert_seconds
            found.append(Condition("temperature", what, "critical", f"The {what} is hot", lasting))
        for cause in causes:
            name, surprise = str(cause.named), cause.habit.surprise
            key = cause.account.group.key
            if cause.suspicious:
                words = f"Suspected cryptomining: {name}"
                found.append(Condition("cryptomining", key, "critical", words, 0.0))
            elif surprise and wall - cause.wall >= _UNUSUAL_SECONDS:
                words = f"Unusual: {name}, {cause.habit.words()}"
                found.append(Condition("unusual", key, "info", words, 0.0))
        if dusty:
            words = "Warmer at rest than it was at equal power: dust, a failing fan or the room"
            found.append(Condition("dust", "", "warning", words, 0.0))
        return found
