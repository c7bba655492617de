"""The resources that are monitored: how much of each counts as much, and what uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from publisher.contract.readings import EvidenceReading, Resource
from publisher.explain.detect.hysteresis import Hysteresis
from publisher.explain.detect.suspects import Suspect, Suspects
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.window import Window
from publisher.ledger.accounts import Account, Balance

# Memory that a group is taking is worth more blame than memory it has long had.
_GROWTH_SECONDS: Final = 30.0
# So many times the available memory that counts as pressure is plenty.
_PLENTY: Final = 4.0
# What a group at work uses at least: cores, and bytes a second from and to disks.
_LEAST_CORES: Final = 0.05
_LEAST_DISK: Final = 1_000_000.0
# What a process that waits for a disk counts as having moved: a slow one moves hardly more.
_WAITING_DISK: Final = 1_000_000.0
# What is no further below its threshold may well be a load that warms up.
_NEARLY: Final = 0.8
# A group's use below this part of the threshold is not blamed.
_LEAST_PART: Final = 0.25
# Waiting comes in bursts: its dwell is longer than that of use by so many times.
_WAITING_DWELL: Final = 1.5
OWN_CORES: Final = 0.3
"""fanwhy is left out of all blame unless it uses this much of a core: then it is said plainly."""


class LoadKind(StrEnum):
    """In what way a machine can be used much: each resource, and waiting for disks besides."""

    MEMORY = "memory"
    CPU = "cpu"
    GPU = "gpu"
    IO = "io"
    DISK = "disk"
    NETWORK = "network"

    @property
    def resource(self) -> Resource:
        """What a cause of it is named for; waiting for disks is about the disk."""
        return Resource.DISK if self is LoadKind.IO else Resource(self.value)


PRESSURE: Final = frozenset({LoadKind.MEMORY, LoadKind.IO})
"""The kinds that are time spent waiting, rather than use."""


@dataclass(slots=True)
class MonitoredResource:
    """One kind of load: whether there is much of it, and who the suspects are.

    Attributes:
        level: the use by all, or the strain; ``None`` where it cannot be told.
        threshold: from what level on it is much.
        use: the use by one account.
        among: the accounts of those who may be to blame.
        blames_by_level: the level and the uses are of one unit, so that shares are parts of it;
            else shares are parts of what the groups use together.
        part: the level in the last window, as a part of the threshold.
    """

    kind: LoadKind
    level: Callable[[Balance, EvidenceReading], float | None]
    threshold: Callable[[Balance], float]
    use: Callable[[Account, float, EvidenceReading], float]
    hysteresis: Hysteresis
    suspects: Suspects
    leave_ratio: float
    among: Callable[[Balance, EvidenceReading], Iterable[Account]]
    blames_by_level: bool = True
    part: float = 0.0

    def observe(self, window: Window) -> None:
        """Takes one window into account."""
        balance, evidence = window.balance, window.evidence
        level = self.level(balance, evidence)
        threshold = self.threshold(balance)
        value = level or 0.0
        self.part = value / threshold
        state = self.hysteresis
        moved = state.update(
            above=value >= threshold,
            below=value < threshold * self.leave_ratio,
            nearly=value >= threshold * _NEARLY,
            start=window.start,
            now=window.now,
        )
        if state.since is None:
            self.suspects.forget()
            return
        seconds = balance.window_seconds
        uses = [
            (account, used)
            for account in self.among(balance, evidence)
            if (used := self.use(account, seconds, evidence)) > 0 and _counts(account, seconds)
        ]
        total = sum(used for _, used in uses)
        least = 0.0
        if self.blames_by_level:
            total, least = max(total, value), _LEAST_PART * threshold
        self.suspects.observe(
            uses,
            total,
            least=least,
            start=window.start,
            now=window.now,
            wall=window.wall,
            ending=state.active and state.ending_since is not None,
        )
        if moved and state.active:
            self.suspects.confirm(state.since)

    def activate(self, since: float) -> None:
        """It is used much since then, whatever its own dwell time says."""
        self.hysteresis.activate(since)
        self.suspects.confirm(since)

    def seems_over(self, suspect: Suspect) -> float | None:
        """Since when a suspect uses it no more, or all do; ``None`` while it goes on."""
        moments = (self.hysteresis.ending_since, suspect.hysteresis.ending_since)
        return min((moment for moment in moments if moment is not None), default=None)

    def wants_soon(self, now: float) -> float | None:
        """Seconds after which a further window could settle something."""
        waits = [
            wait
            for wait in (self.hysteresis.wants_soon(now), self.suspects.wants_soon(now))
            if wait is not None
        ]
        return min(waits, default=None)


def monitored_resources(settings: ExplainSettings) -> tuple[MonitoredResource, ...]:
    """All of them by the user's thresholds, in the order in which their causes are told."""

    def monitored(
        kind: LoadKind, level: _Level, threshold: _Threshold, use: _Use
    ) -> MonitoredResource:
        waiting = kind in PRESSURE
        dwell = settings.enter_seconds * (_WAITING_DWELL if waiting else 1.0)
        return MonitoredResource(
            kind=kind,
            level=level,
            threshold=threshold,
            use=use,
            hysteresis=Hysteresis(dwell, settings.leave_seconds),
            suspects=Suspects(
                settings.cause_share_percent / 100,
                settings.join_seconds,
                settings.leave_seconds,
                absent=waiting,
            ),
            leave_ratio=settings.leave_ratio,
            among=_short_of_memory(settings) if kind is LoadKind.MEMORY else _everybody,
            blames_by_level=not waiting,
        )

    return (
        monitored(LoadKind.MEMORY, _memory_strain(settings), lambda _: 1.0, _memory_use),
        monitored(
            LoadKind.CPU,
            _cores_used,
            lambda balance: max(settings.busy_cores, settings.busy_percent / 100 * balance.cores),
            lambda account, window, _: account.cpu_seconds / window,
        ),
        monitored(
            LoadKind.GPU,
            lambda _, evidence: evidence.gpu_percent,
            lambda _: settings.busy_gpu_percent,
            lambda account, *_: account.gpu_percent or 0.0,
        ),
        monitored(
            LoadKind.IO,
            lambda _, evidence: evidence.pressure_io_percent,
            lambda _: settings.io_pressure_percent,
            _disk_strain,
        ),
        monitored(
            LoadKind.DISK,
            lambda _, evidence: evidence.disk_bytes_per_second,
            lambda _: settings.busy_disk_bytes_per_second,
            _disk_use,
        ),
        monitored(
            LoadKind.NETWORK,
            lambda _, evidence: evidence.network_bytes_per_second,
            lambda _: settings.busy_network_bytes_per_second,
            lambda account, *_: (
                (account.network_receive_bytes_per_second or 0.0)
                + (account.network_transmit_bytes_per_second or 0.0)
            ),
        ),
    )


_Level = Callable[[Balance, EvidenceReading], float | None]
_Threshold = Callable[[Balance], float]
_Use = Callable[[Account, float, EvidenceReading], float]


def _counts(account: Account, window: float) -> bool:
    """Whether an account may be blamed at all; ``window`` is its length in seconds."""
    return not account.group.own or account.cpu_seconds >= OWN_CORES * window


def _cores_used(balance: Balance, _: EvidenceReading) -> float:
    window = balance.window_seconds
    own = sum(
        account.cpu_seconds
        for account in balance.accounts
        if account.group.own and not _counts(account, window)
    )
    return (balance.busy_seconds - own) / window


def _memory_strain(settings: ExplainSettings) -> _Level:
    def strain(_: Balance, evidence: EvidenceReading) -> float:
        """1 and more is pressure."""
        pressure = (evidence.pressure_memory_percent or 0.0) / settings.memory_pressure_percent
        available = evidence.memory_available_percent
        if available is None:
            return pressure
        return max(pressure, settings.memory_available_percent / max(available, 0.1))

    return strain


def _everybody(balance: Balance, _: EvidenceReading) -> Iterable[Account]:
    return balance.accounts


def _short_of_memory(settings: ExplainSettings) -> Callable[..., Iterable[Account]]:
    def short(balance: Balance, evidence: EvidenceReading) -> Iterable[Account]:
        """Those at a limit, where the machine has plenty left; else all.

        Where no limit can be read, a process that sleeps has no part in it, however much it holds.
        """
        if not has_plenty(evidence, settings):
            return balance.accounts
        limited = [each for each in balance.accounts if is_at_limit(each)]
        window = balance.window_seconds
        return limited or [each for each in balance.accounts if _at_work(each, window, evidence)]

    return short


def has_plenty(evidence: EvidenceReading, settings: ExplainSettings) -> bool:
    """Whether the machine has memory left, so that who waits for some is at a limit."""
    available = evidence.memory_available_percent
    return available is not None and available >= _PLENTY * settings.memory_available_percent


def is_at_limit(account: Account) -> bool:
    """Whether a limit on memory makes a group wait."""
    return account.memory_limit is not None and account.memory_limit.strained


def _memory_use(account: Account, *_: object) -> float:
    """What a group holds and takes, in bytes."""
    growth = max(account.memory_growth_bytes_per_second or 0.0, 0.0)
    return (account.memory_bytes or 0) + _GROWTH_SECONDS * growth


def _at_work(account: Account, window: float, evidence: EvidenceReading) -> bool:
    cores = account.cpu_seconds / window
    return cores >= _LEAST_CORES or _disk_use(account, window, evidence) >= _LEAST_DISK


def _disk_strain(account: Account, window: float, evidence: EvidenceReading) -> float:
    """What moves much makes others wait; on a slow or dying disk what waits is to be told."""
    return _disk_use(account, window, evidence) + _WAITING_DISK * account.blocked_count


def _disk_use(account: Account, _: float, __: EvidenceReading) -> float:
    return account.disk_bytes_per_second or 0.0
