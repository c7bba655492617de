"""The resources that are watched: how much of each counts as much, and who uses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from publisher.contract.readings import EvidenceReading
from publisher.explain.detect.hysteresis import Gate
from publisher.explain.detect.suspects import Suspect, Suspects
from publisher.explain.explain_settings import ExplainSettings
from publisher.ledger.accounts import Account, Balance

# Memory that a group is taking is worth more blame than memory it has long had.
_GROWTH_SECONDS = 30.0
# So many times the available memory that counts as pressure is plenty.
_PLENTY = 4.0
# What a group at work uses at least: cores, and bytes a second from and to disks.
_LEAST_CORES = 0.05
_LEAST_DISK = 1_000_000.0
# What a process that waits for a disk counts as having moved: a slow one moves hardly more.
_WAITING_DISK = 1_000_000.0
# fanwhy is left out of all blame unless it uses this much of a core: then it is said plainly.
OWN_CORES: Final = 0.3


@dataclass(slots=True)
class Watch:
    """One resource: whether it is used much, and by whom.

    Attributes:
        name: how the picture calls it: ``cpu``, ``gpu``, ``disk``, ``network``, ``memory``, ``io``.
        resource: how a cause calls it; waiting for disks is about the disk.
        level: its use by everyone, or the strain on it; ``None`` where nobody can tell.
        threshold: from what level on it is used much.
        use: its use by one account.
        least: part of the threshold below which a group's use is not blamed.
        blames_by_level: the level and the uses are of one unit, so that shares are parts of it;
            else shares are parts of what the groups use together.
        part: the level in the last window, as a part of the threshold.
    """

    name: str
    resource: str
    level: Callable[[Balance, EvidenceReading], float | None]
    threshold: Callable[[Balance], float]
    use: Callable[[Account, float, EvidenceReading], float]
    gate: Gate
    suspects: Suspects
    leave_ratio: float
    least: float = 0.25
    blames_by_level: bool = True
    part: float = 0.0

    def observe(
        self, balance: Balance, evidence: EvidenceReading, *, start: float, now: float
    ) -> None:
        """Takes one window into account."""
        level = self.level(balance, evidence)
        threshold = self.threshold(balance)
        value = level or 0.0
        self.part = value / threshold
        gate = self.gate
        moved = gate.update(
            above=value >= threshold,
            below=value < threshold * self.leave_ratio,
            start=start,
            now=now,
        )
        if gate.since is None:
            self.suspects.forget()
            return
        window = balance.window_seconds
        uses = [
            (account, used)
            for account in balance.accounts
            if (used := self.use(account, window, evidence)) > 0 and _blamable(account, window)
        ]
        total = sum(used for _, used in uses)
        least = 0.0
        if self.blames_by_level:
            total, least = max(total, value), self.least * threshold
        ending = gate.is_open and gate.closing_since is not None
        self.suspects.observe(uses, total, least=least, start=start, now=now, ending=ending)
        if moved and gate.is_open:
            self.suspects.convict(gate.since)

    def open(self, since: float) -> None:
        """The resource is used much since then, whatever its own gate knows."""
        self.gate.open(since)
        self.suspects.convict(since)

    def seems_over(self, suspect: Suspect) -> float | None:
        """Since when one to blame uses it no more, or nobody does; ``None`` while it goes on."""
        moments = (self.gate.closing_since, suspect.gate.closing_since)
        return min((moment for moment in moments if moment is not None), default=None)

    def wants_soon(self, now: float) -> float | None:
        """Seconds after which a further window could settle something."""
        waits = [
            wait
            for wait in (self.gate.wants_soon(now), self.suspects.wants_soon(now))
            if wait is not None
        ]
        return min(waits, default=None)


def _blamable(account: Account, window: float) -> bool:
    return not account.group.own or account.cpu_seconds >= OWN_CORES * window


def watches(settings: ExplainSettings) -> tuple[Watch, ...]:
    """All watches, with the user's thresholds."""

    def watch(name: str, level: _Level, threshold: _Threshold, use: _Use) -> Watch:
        waiting = name in ("memory", "io")
        return Watch(
            name=name,
            resource="disk" if name == "io" else name,
            level=level,
            threshold=threshold,
            use=use,
            gate=Gate(settings.enter_seconds * (1.5 if waiting else 1.0), settings.leave_seconds),
            suspects=Suspects(
                settings.cause_share_percent / 100,
                settings.join_seconds,
                settings.leave_seconds,
                absent=waiting,
            ),
            leave_ratio=settings.leave_ratio,
            blames_by_level=not waiting,
        )

    return (
        watch("memory", _memory_strain(settings), lambda _: 1.0, _memory_use(settings)),
        watch(
            "cpu",
            _cores_used,
            lambda balance: max(settings.busy_cores, settings.busy_percent / 100 * balance.cores),
            lambda account, window, _: account.cpu_seconds / window,
        ),
        watch(
            "gpu",
            lambda _, evidence: evidence.gpu_percent,
            lambda _: settings.busy_gpu_percent,
            lambda account, *_: account.gpu_percent or 0.0,
        ),
        watch(
            "io",
            lambda _, evidence: evidence.pressure_io_percent,
            lambda _: settings.io_pressure_percent,
            _disk_strain,
        ),
        watch(
            "disk",
            lambda _, evidence: evidence.disk_bytes_per_second,
            lambda _: settings.busy_disk_bytes_per_second,
            _disk_use,
        ),
        watch(
            "network",
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


def _cores_used(balance: Balance, _: EvidenceReading) -> float:
    window = balance.window_seconds
    own = sum(
        account.cpu_seconds
        for account in balance.accounts
        if account.group.own and not _blamable(account, window)
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


def _memory_use(settings: ExplainSettings) -> _Use:
    def use(account: Account, window: float, evidence: EvidenceReading) -> float:
        """What a group holds and takes.

        Where the machine has plenty left, a limit is what makes somebody wait (a container's or
        unit's ``memory.max``): of that whoever sleeps is innocent, however much it holds.
        """
        available = evidence.memory_available_percent
        plenty = available is not None and available >= _PLENTY * settings.memory_available_percent
        if plenty and not _at_work(account, window, evidence):
            return 0.0
        growth = max(account.memory_growth_bytes_per_second or 0.0, 0.0)
        return (account.memory_bytes or 0) + _GROWTH_SECONDS * growth

    return use


def _at_work(account: Account, window: float, evidence: EvidenceReading) -> bool:
    cores = account.cpu_seconds / window
    return cores >= _LEAST_CORES or _disk_use(account, window, evidence) >= _LEAST_DISK


def _disk_strain(account: Account, window: float, evidence: EvidenceReading) -> float:
    """Who moves much makes others wait; on a slow or dying disk those who wait are to be told."""
    return _disk_use(account, window, evidence) + _WAITING_DISK * account.blocked_count


def _disk_use(account: Account, _: float, __: EvidenceReading) -> float:
    return account.disk_bytes_per_second or 0.0
