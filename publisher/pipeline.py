"""One machine, sampled: sources, subsystems, ledger and verdict, run in this order and no other.

The daemon, the commands that need no broker and the benchmarks look at a machine through this.
Every step's result is a value of the sample that comes back; what stumbles is missing from it,
and ``health`` says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from publisher.contract.metric import Reading
from publisher.contract.readings import (
    EventReading,
    ExplanationReading,
    ServicesReading,
    WorkEnergyReading,
)
from publisher.errors import SourceError
from publisher.explain.explainer import Explainer
from publisher.explain.inputs import evidence, signs
from publisher.explain.naming.traits import Traits
from publisher.ledger import Balance, Ledger, LedgerSettings, open_ledger
from publisher.ledger.consumers import Classify, with_top
from publisher.ledger.services import Services
from publisher.ledger.usage.gpu_users import with_gpu
from publisher.ledger.usage.shortage import MemorySigns
from publisher.sources import Sources, local_time, machine_files
from publisher.sources.behaviour import Behaviour, behaviour_of
from publisher.sources.files import KernelFiles
from publisher.sources.memory_locked import MemoryLocked
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.base import Subsystem
from publisher.subsystems.disk.smart import SmartSettings
from publisher.subsystems.runner import Health, SubsystemRunner, SubsystemSettings
from publisher.subsystems.selection import ChooseSettings, IgnoreSettings, Selection

log = logging.getLogger(__name__)

_T = TypeVar("_T")

# From the sample that opens the books to the first that tells something.
OPENING_SECONDS = 1.0
# Samples until those devices are found, too, that show a moment later than others.
_LOOKED_FOR = 2
# Time spent waiting for memory, or memory in use, from which on limits on it are looked at.
_WAITING_PERCENT = 1.0
_USED_UP_PERCENT = 90.0
# What may stumble besides the subsystems, by the name under which host/info then says so.
LEDGER, CONSUMERS, EXPLANATION = "ledger", "ledger.consumers", "explanation"
SERVICES = "ledger.services"


class PipelineSettings(Protocol):
    """The sections of the configuration that decide how a machine is looked at."""

    @property
    def root(self) -> str:
        """Where its ``/proc`` and ``/sys`` are."""

    @property
    def senses(self) -> SubsystemSettings: ...

    @property
    def smart(self) -> SmartSettings: ...

    @property
    def ledger(self) -> LedgerSettings: ...

    @property
    def ignore(self) -> IgnoreSettings: ...

    @property
    def choose(self) -> ChooseSettings: ...

    @property
    def names(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at the machine.

    Attributes:
        now: when it was begun, in monotonic seconds.
        wall: the same moment in seconds since the epoch.
        readings: what every subsystem reads, by topic, its top consumers included.
        balance: who used what since the sample before; ``None`` at the first one, which opens the
            books, and where no ledger is kept.
        verdict: what that means; ``None`` without a balance.
        events: what happened, in order.
        energy: what each kind of work has used; ``None`` where no power is measured.
        services: containers and units one by one; ``None`` where that is not asked for.
        again_in: seconds after which a further sample would settle an open question; ``None``:
            there is none.
    """

    now: float
    wall: float
    readings: Mapping[str, Reading]
    balance: Balance | None = None
    verdict: ExplanationReading | None = None
    events: tuple[EventReading, ...] = ()
    energy: WorkEnergyReading | None = None
    services: ServicesReading | None = None
    again_in: float | None = None


class Pipeline:
    """Looks at one machine, again and again.

    Args:
        sources: where it is.
        runner: its subsystems.
        ledger: its accounts; ``None`` asks for none.
        explainer: makes the verdict; it is its owner's to close, since it may outlive this.
        selection: what the devices are called, and what of the configuration fits none of them;
            ``None``: nothing was asked for.
        services: tells of containers and units one by one, likewise.
    """

    def __init__(
        self,
        sources: Sources,
        runner: SubsystemRunner,
        ledger: Ledger | None = None,
        explainer: Explainer | None = None,
        selection: Selection | None = None,
        *,
        services: Services | None = None,
    ) -> None:
        self.sources = sources
        self.selection = selection or Selection()
        self.ledger_microseconds = 0.0
        self._runner = runner
        self._ledger = ledger
        self._explainer = explainer
        self._services = services
        self._watcher = ProcessWatcher(sources.files)
        self._samples = 0
        self._looked: set[str] = set()
        self._unmatched: dict[str, SourceError] = {}
        parts = {LEDGER: ledger, EXPLANATION: explainer, SERVICES: services}
        runner.note({name: None for name, part in parts.items() if part is not None})

    @classmethod
    def of(
        cls,
        settings: PipelineSettings,
        *,
        sources: Sources | None = None,
        subsystems: Iterable[type[Subsystem]] = SUBSYSTEMS,
        ledger: bool = True,
        explainer: Explainer | None = None,
        patient: bool = False,
    ) -> Pipeline:
        """A pipeline as the configuration wants it.

        Args:
            settings: what to leave alone, and how to look at the rest.
            sources: where the machine is; what ``settings.root`` says when ``None``.
            subsystems: those wanted.
            ledger: keep accounts.
            explainer: makes the verdict, which needs a ledger.
            patient: wait for slow subsystems, and ask those again that failed, in each sample.
        """
        selection = Selection(settings.ignore, settings.choose, settings.names)
        where = sources or Sources(files=machine_files(settings.root))
        local_time.follow(where.files)
        runner = SubsystemRunner(
            where,
            subsystems,
            disabled=settings.senses.disabled,
            options={"disk": settings.smart, "power": settings.senses.ups},
            patient=patient,
            selection=selection,
        )
        books = open_ledger(where, settings.ledger) if ledger else None
        wanted = books is not None and settings.ledger.services
        services = Services(where.files, where.state_dir) if wanted else None
        return cls(where, runner, books, explainer, selection, services=services)

    def sample(self) -> Sample:
        """Looks once; what cannot be read is missing."""
        now, wall = self.sources.monotonic(), self.sources.wall()
        read = self._runner.read()
        readings = self.selection.named(read)
        self._tell_unmatched(read)
        balance = self.guarded(LEDGER, lambda: self._balance(readings)) if self._ledger else None
        if balance is None:
            return Sample(now=now, wall=wall, readings=readings, again_in=OPENING_SECONDS)
        explainer = self._explainer
        classify = explainer.classify_ranked if explainer else None
        ranked = self.guarded(CONSUMERS, lambda: _ranked(readings, balance, classify)) or readings
        if explainer is None:
            return Sample(now=now, wall=wall, readings=ranked, balance=balance)
        verdict = self.guarded(
            EXPLANATION,
            lambda: explainer.judge(
                balance,
                evidence(readings),
                now=now,
                wall=wall,
                signs=signs(readings, kernel=read),
                peers=self._ledger,
                watcher=self._watcher,
            ),
        )
        return Sample(
            now=now,
            wall=wall,
            readings=ranked,
            balance=balance,
            verdict=verdict,
            events=tuple(explainer.transitions()),
            energy=explainer.energy(wall),
            services=self._follow_services(balance, now, wall),
            again_in=explainer.wants_soon(),
        )

    def _follow_services(self, balance: Balance, now: float, wall: float) -> ServicesReading | None:
        services = self._services
        if services is None:
            return None
        return self.guarded(SERVICES, lambda: services.follow(balance, now, wall))

    def guarded(self, name: str, action: Callable[[], _T]) -> _T | None:
        """Does ``action``; when it stumbles the rest goes on, and ``health`` says what happened."""
        try:
            result = action()
        except Exception as error:  # whatever the machine holds, we go on
            log.debug("%s", name, exc_info=True)
            failure = (
                error if isinstance(error, SourceError) else SourceError(f"unexpected {error!r}")
            )
            self._runner.note({name: failure})
            return None
        if name in self._runner.health:
            self._runner.note({name: None})
        return result

    @property
    def health(self) -> Mapping[str, Health]:
        """How every subsystem, its parts and the steps after them are, by name."""
        return self._runner.health

    @property
    def subsystems(self) -> frozenset[str]:
        """The names of those that run."""
        return frozenset(self._runner.timings)

    def take_health_changed(self) -> bool:
        """Whether any health has changed since this was last asked."""
        changed, self._runner.changed = self._runner.changed, False
        return changed

    @property
    def timings(self) -> Mapping[str, float]:
        """CPU microseconds that each part of the newest sample took."""
        books = {LEDGER: self.ledger_microseconds} if self._ledger else {}
        return self._runner.timings | books

    def close(self) -> None:
        """Lets go of the machine."""
        self._runner.close()
        if self._ledger:
            self._ledger.close()
        self._watcher.close()
        self.sources.files.close()

    def _tell_unmatched(self, read: Mapping[str, Reading]) -> None:
        """What of the configuration fits no device of the subsystems that have looked."""
        if not self.selection.configured:
            return
        health = self.health
        looked = {name for name in self.subsystems if name in read or health[name].state != "ok"}
        self._samples += 1
        if self._samples < _LOOKED_FOR or not (self.selection.changed or looked != self._looked):
            return
        self.selection.changed, self._looked = False, looked
        misses = dict(self.selection.misses(looked))
        if looked != self.subsystems:
            misses.pop("names", None)  # it may be that of a device which is still looked for
        for name in misses.keys() - self._unmatched.keys():
            log.warning("%s: %s", name, misses[name])
        self._runner.note(dict.fromkeys(self._unmatched) | misses)
        self._unmatched = misses

    def _balance(self, readings: Mapping[str, Reading]) -> Balance | None:
        if self._ledger is None:
            return None
        began = time.thread_time()
        balance = self._ledger.sample(_memory_signs(readings.get("memory")))
        if balance is not None:
            balance = with_gpu(balance, self._runner.gpu_users(), self._ledger.account_of)
        self._runner.note(self._ledger.health)
        self.ledger_microseconds = (time.thread_time() - began) * 1e6
        return balance


class ProcessWatcher:
    """Tells the verdict how processes behave."""

    def __init__(self, files: KernelFiles) -> None:
        self._proc = f"{files.root}/proc"
        self._memory_locked = MemoryLocked()

    def traits(self, pid: int) -> Traits:
        """What one shows."""
        shown = self._memory_locked.read(pid, lambda: behaviour_of(self._proc, pid), Behaviour())
        return Traits(
            libraries=shown.libraries, serves=tuple(sorted(shown.serves)), gpu=shown.computes
        )

    def close(self) -> None:
        """Lets go of what may wait for a process."""
        self._memory_locked.close()


def _memory_signs(memory: Reading | None) -> MemorySigns:
    pressure = getattr(memory, "pressure_some_percent", None)
    used = getattr(memory, "used_percent", None)
    short = (pressure or 0.0) >= _WAITING_PERCENT or (used or 0.0) >= _USED_UP_PERCENT
    return MemorySigns(short, getattr(memory, "oom_kills", None))


def _ranked(
    readings: Mapping[str, Reading], balance: Balance, classify: Classify | None
) -> dict[str, Reading]:
    return {
        leaf: with_top(reading, balance, _TOP_BY.get(leaf), classify)
        for leaf, reading in readings.items()
    }


_TOP_BY = {cls.name: cls.top_by for cls in SUBSYSTEMS}
