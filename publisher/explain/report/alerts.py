"""Alerts: a condition that lasts is raised once and cleared once.

What is usual is no alert; what is rare and grave, such as a suspected miner, is one at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from publisher.contract.readings import CauseReading, EvidenceReading, Resource
from publisher.contract.units import Unit, humanise
from publisher.explain.causes import Cause, Culprits
from publisher.explain.detect.hysteresis import Hysteresis
from publisher.explain.detect.resources import LoadKind
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.faults import Fault
from publisher.explain.inputs import Signs, Trouble
from publisher.explain.naming.lookup import hides
from publisher.explain.naming.named import Named
from publisher.explain.report.cause_readings import Classify
from publisher.explain.report.headline import joined
from publisher.explain.report.memory_story import NOBODY, MemoryStory
from publisher.explain.report.writers import Writers
from publisher.explain.window import Window
from publisher.ledger.accounts import Account, Balance

_OOM_LASTS_SECONDS: Final = 600.0
_UNUSUAL_SECONDS: Final = 60.0
_HIDING_SECONDS: Final = 120.0
_ALL_CORES: Final = 0.8
_FULL_PERCENT: Final = 99.0
_SLACK_PERCENT: Final = 1.0


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that deserves an alert while it lasts.

    Attributes:
        alert: one of ``ALERTS``.
        subject: which one, where there can be several: a mount point, an array, a program.
        lasting: seconds that it must last.
        category: the kind of work of who is to blame; empty where that is nobody.
        label: what that one is called; likewise.
        resource: what it uses so much of.
        cause: who is to blame, where that one is no cause of a load.
    """

    alert: str
    subject: str
    severity: str
    message: str
    lasting: float
    category: str = ""
    label: str = ""
    resource: Resource | None = None
    cause: CauseReading | None = None


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
    """Which conditions hold, and which of them were told.

    Args:
        classify: tells what kind of work an account's group does.
        writers: who has written how much.
        is_spared: whether an account is not to be blamed for anything.
    """

    settings: ExplainSettings
    classify: Classify
    writers: Writers
    is_spared: Callable[[Account], bool]
    _tracked: dict[tuple[str, str], _Tracked] = field(default_factory=dict)
    _oom_kills: int | None = None
    _killed: dict[str, tuple[Condition, float]] = field(default_factory=dict)

    def judge(
        self,
        window: Window,
        culprits: Culprits,
        memory: MemoryStory,
        *,
        hot: Sequence[str],
        dusty: bool,
    ) -> list[Alert]:
        """Takes one window into account; what is to be told.

        Args:
            window: what is known of it.
            culprits: who is to blame in it.
            memory: what there is to tell of memory.
            hot: what is near its limit of temperature.
            dusty: warmer at rest than it used to be at equal power.
        """
        if not self.settings.alerts:
            return []
        conditions = [
            *self._full("File system ", window.signs.disk_used_percent),
            *self._full("", window.signs.volumes_used_percent),
            *self._out_of_inodes(window.signs),
            *self._troubled(window.signs.filesystem_trouble),
            *self._untold(window.signs),
            *self._faulty(window.signs.faults),
            *self._stopped(window.signs.fans_stopped, hot),
            *self._kills(window, memory),
            *self._busy(window.evidence, _causes_of(culprits, LoadKind.CPU)),
            *self._scarce(window.evidence, _causes_of(culprits, LoadKind.MEMORY)),
            *self._hot(hot, culprits),
            *_of_causes(culprits.causes, window.wall),
            *_hiding(culprits.causes, window.balance),
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

    def _told(self, alert: str, subject: str) -> bool:
        """Whether an alert was raised and is not over."""
        tracked = self._tracked.get((alert, subject))
        return tracked is not None and tracked.hysteresis.active

    def _slack(self, alert: str, subject: str) -> float:
        """Percent by which what was told has to get better until it is over."""
        return _SLACK_PERCENT if self._told(alert, subject) else 0.0

    def _full(self, kind: str, used_percent: Mapping[str, float]) -> Iterator[Condition]:
        lasting = self.settings.alert_seconds
        for name, used in used_percent.items():
            nearly, full = self._slack("disk_full", name), f"{name} full"
            is_full = used >= _FULL_PERCENT - self._slack("disk_full", full)
            if is_full:
                words = f"{kind}{name} is full"
                yield self._written(Condition("disk_full", full, "critical", words, lasting))
            least = self.settings.alert_disk_used_percent - nearly
            if used >= least and (nearly or not is_full):
                words = f"{kind}{name} is nearly full"
                yield self._written(Condition("disk_full", name, "warning", words, lasting))

    def _out_of_inodes(self, signs: Signs) -> Iterator[Condition]:
        """Where space is left: of a file system that is full that is told already."""
        lasting, least = self.settings.alert_seconds, self.settings.alert_disk_used_percent
        for mount, used in signs.inodes_used_percent.items():
            if signs.disk_used_percent.get(mount, 0.0) >= least:
                continue
            nearly, out = f"{mount} nearly out of inodes", f"{mount} out of inodes"
            slack = self._slack("disk_full", nearly)
            is_out = used >= _FULL_PERCENT - self._slack("disk_full", out)
            if is_out:
                words = f"File system {mount} can take no more files: all its inodes are used"
                yield self._written(Condition("disk_full", out, "critical", words, lasting))
            if used >= least - slack and (slack or not is_out):
                words = f"File system {mount} can take few more files: its inodes are nearly used"
                yield self._written(Condition("disk_full", nearly, "warning", words, lasting))

    def _troubled(self, troubles: Mapping[str, Trouble]) -> Iterator[Condition]:
        for mount, trouble in troubles.items():
            severity, words = _TROUBLES[trouble]
            yield Condition(
                "filesystem",
                f"{mount} {trouble.value}",
                severity,
                f"File system {mount} {words}",
                self.settings.alert_seconds,
            )

    def _untold(self, signs: Signs) -> Iterator[Condition]:
        """What was told of a file system holds for as long as it tells no figures."""
        mute = signs.filesystem_trouble.keys() - signs.disk_used_percent.keys()
        for (alert, subject), tracked in self._tracked.items() if mute else ():
            about = (subject == mount or subject.startswith(f"{mount} ") for mount in mute)
            if alert == "disk_full" and tracked.hysteresis.active and any(about):
                yield tracked.condition

    def _written(self, condition: Condition) -> Condition:
        """With who has written the most lately, if that is clear."""
        account = self.writers.greatest
        if account is None or self.is_spared(account):
            return condition
        found = self.classify(account)
        named = Named.of(account, found)
        return replace(
            condition,
            message=f"{condition.message}; {named.short} has written the most lately",
            category=found.category,
            label=str(named),
            resource=Resource.DISK,
        )

    def _faulty(self, faults: Sequence[Fault]) -> Iterator[Condition]:
        lasting = self.settings.alert_seconds
        for each in faults:
            yield Condition(each.alert, each.subject, each.severity, each.words, lasting)
            for subject in each.milder:
                milder = self._tracked.get((each.alert, subject))
                if milder is not None and milder.hysteresis.active:
                    yield milder.condition

    def _stopped(self, fans: Mapping[str, bool], hot: Sequence[str]) -> Iterator[Condition]:
        """Fans that should turn; it is grave where the processor is hot already, or is to be."""
        lasting = self.settings.alert_seconds
        for fan, pump in fans.items():
            what = f"{'Pump' if pump else 'Fan'} {fan} stands still"
            grave = pump or "CPU" in hot
            if grave:
                words = f"{what}, and the CPU is hot" if "CPU" in hot else what
                yield Condition("fan", f"{fan} grave", "critical", words, lasting)
            if not grave or self._told("fan", fan):
                yield Condition("fan", fan, "warning", what, lasting)

    def _kills(self, window: Window, memory: MemoryStory) -> Iterator[Condition]:
        """Those whom the kernel killed, each group for a while."""
        counter, before = window.signs.oom_kills, self._oom_kills
        self._oom_kills = before if counter is None else counter
        more = counter is not None and before is not None and counter > before
        until = window.now + _OOM_LASTS_SECONDS
        for kill in memory.kills:
            self._killed[kill.key] = (
                Condition(
                    "oom_kill",
                    kill.key,
                    "critical",
                    kill.text,
                    0.0,
                    category=kill.category,
                    label=kill.label,
                    resource=Resource.MEMORY,
                    cause=kill.cause,
                ),
                until,
            )
        if more and not memory.kills and not window.balance.memory_kill_awaited:
            self._killed[""] = (Condition("oom_kill", "", "critical", NOBODY, 0.0), until)
        self._killed = {key: told for key, told in self._killed.items() if window.now < told[1]}
        for condition, _ in self._killed.values():
            yield condition

    def _busy(self, evidence: EvidenceReading, on_cpu: Sequence[Cause]) -> Iterator[Condition]:
        usual = bool(on_cpu) and on_cpu[0].habit.usual
        if (evidence.cpu_percent or 0) >= self.settings.alert_cpu_percent and not usual:
            who = f": {joined([cause.named for cause in on_cpu])}" if on_cpu else ""
            words = f"CPU usage stays high{who}"
            lasting = self.settings.alert_cpu_seconds
            yield _blaming(on_cpu, Condition("cpu", "", "warning", words, lasting))

    def _scarce(self, evidence: EvidenceReading, holding: Sequence[Cause]) -> Iterator[Condition]:
        available = evidence.memory_available_percent
        least = self.settings.alert_memory_available_percent + self._slack("memory", "")
        if available is not None and available < least:
            words = f"Memory is nearly used up{_held_by(holding)}"
            lasting = self.settings.alert_seconds
            yield _blaming(holding, Condition("memory", "", "critical", words, lasting))

    def _hot(self, hot: Sequence[str], culprits: Culprits) -> Iterator[Condition]:
        for what in hot:
            causes = _causes_of(culprits, LoadKind.GPU if what == "GPU" else LoadKind.CPU)
            who = f", most from {causes[0].named.short}" if causes else ""
            words = f"The {what} is hot{who}"
            lasting = self.settings.alert_seconds
            yield _blaming(causes, Condition("temperature", what, "critical", words, lasting))


_TROUBLES: Final = {
    Trouble.READ_ONLY: ("critical", "turned read-only after an error"),
    Trouble.FAILING: ("critical", "has errors"),
    Trouble.SILENT: ("warning", "does not answer"),
}
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


def _blaming(causes: Sequence[Cause], condition: Condition) -> Condition:
    """With the first of the causes, if there is one."""
    if not causes:
        return condition
    first = causes[0]
    return replace(
        condition,
        category=first.classification.category,
        label=str(first.named),
        resource=first.resource,
    )


def _held_by(holding: Sequence[Cause]) -> str:
    if not holding:
        return ""
    first = holding[0]
    size = first.account.memory_bytes
    holds = f"holds {humanise(size, Unit.BYTES)}" if size else "takes the most"
    return f": {first.named.short} {holds}"


def _hiding(causes: Sequence[Cause], balance: Balance) -> Iterator[Condition]:
    """Programs that pose as a kernel thread, and unknown ones that take all of the CPU for long.

    Most miners that got into a machine look so, the latter where they lie where anyone may put a
    program. It is a suspicion, never a certainty.
    """
    much = _ALL_CORES * balance.cores * balance.window_seconds
    for cause in causes:
        account = cause.account
        if cause.poses and not cause.suspicious:
            words = f"Possibly cryptomining: {cause.named.label} {account.clues.disguise}"
            yield _blaming([cause], Condition("cryptomining", cause.key, "warning", words, 0.0))
            continue
        unknown = cause.classification.category == "unknown"
        if unknown and account.cpu_seconds >= much and hides(account.clues.executable):
            words = (
                f"Possibly cryptomining: {cause.named}, an unknown program in a temporary or "
                "hidden folder, takes nearly all of the CPU"
            )
            condition = Condition("cryptomining", cause.key, "warning", words, _HIDING_SECONDS)
            yield _blaming([cause], condition)


def _of_causes(causes: Sequence[Cause], wall: float) -> Iterator[Condition]:
    for cause in causes:
        name, key = str(cause.named), cause.account.group.key
        if cause.suspicious:
            words = f"Suspected cryptomining: {name}"
            yield _blaming([cause], Condition("cryptomining", key, "critical", words, 0.0))
        elif cause.habit.surprise and wall - cause.wall >= _UNUSUAL_SECONDS:
            words = f"Unusual: {name}, {cause.habit.words()}"
            yield _blaming([cause], Condition("unusual", key, "info", words, 0.0))
