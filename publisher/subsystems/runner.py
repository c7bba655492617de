"""Runs the subsystems: times every read, cuts off what hangs, backs off what fails.

A subsystem that may hang in a driver or a file system (``blocking``) reads in a thread of its own.
The daemon takes its newest reading and goes on; a read that does not come back is reported, and
never more than that one thread is stuck in it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from publisher.config.setting import setting
from publisher.contract.metric import Reading
from publisher.contract.payload import rfc3339
from publisher.contract.possible import noticing
from publisher.contract.printable import printable
from publisher.contract.readings import HealthReading
from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources import Sources
from publisher.sources.bounded import NO_THREAD
from publisher.sources.gpu_use import GpuUse
from publisher.subsystems.base import Subsystem, told
from publisher.subsystems.doubts import Doubts
from publisher.subsystems.gpu import Gpu
from publisher.subsystems.selection import Selection

log = logging.getLogger(__name__)

# A read that is quick, as nearly all are, is worth waiting for: its values are then of this sample.
_GRACE_SECONDS = 0.05
DEADLINE_SECONDS = 5.0
_RETRY_SECONDS = {"absent": 30.0, "denied": 300.0}
_LONGEST_BACKOFF_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsystemSettings:
    """What is looked at."""

    disabled: tuple[str, ...] = setting(
        (), "Subsystems that are left alone, by name.", example='["gpu"]'
    )
    ups: tuple[str, ...] = setting(
        (),
        "UPSes that NUT servers on other machines look after, as upsc takes them; without a name "
        "before the @, all that a server has. One on this machine is found.",
        example='["rack@nas.lan", "192.168.1.5:3493"]',
    )


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a subsystem, or a part of one, works.

    Attributes:
        state: one of ``HEALTH_STATES``.
        since: when it became so, in seconds since the epoch.
        reason: why there is no value; of what works, what was chosen for it and why.
        remedy: what would mend it.
    """

    state: str
    since: float
    reason: str = ""
    remedy: str = ""

    def reading(self) -> HealthReading:
        return HealthReading(
            state=self.state,
            since=rfc3339(self.since),
            reason=self.reason or None,
            remedy=self.remedy or None,
        )


class SubsystemRunner:
    """All subsystems of this machine, read together.

    Args:
        sources: what they read from.
        subsystems: the classes to run.
        disabled: names that the user switched off.
        options: what single subsystems take besides their sources, by name.
        selection: which devices are wanted; ``None``: all of them.
        patient: wait for the slow ones until the deadline, and read each one in every sample,
            whatever its period and however often it failed: for commands, which look but twice.
    """

    def __init__(
        self,
        sources: Sources,
        subsystems: Iterable[type[Subsystem]],
        *,
        disabled: Iterable[str] = (),
        options: Mapping[str, object] = MappingProxyType({}),
        selection: Selection | None = None,
        patient: bool = False,
    ) -> None:
        off = frozenset(disabled)
        self._sources = sources
        self._running = [
            RunningSubsystem(
                cls(sources, *([options[cls.name]] if cls.name in options else [])),
                patient=patient,
            )
            for cls in subsystems
            if cls.name not in off
        ]
        if selection is not None:
            for running in self._running:
                running.subsystem.selection = selection
        self._health: dict[str, Health] = {}
        self.changed = True
        """Whether any health has changed since this was last set to false."""

    def read(self) -> dict[str, Reading]:
        """The newest reading of every subsystem that has one, by topic."""
        now = self._sources.monotonic()
        for running in self._running:
            running.begin(now)
        readings: dict[str, Reading] = {}
        for running in self._running:
            running.finish(now)
            self._note(running)
            if running.reading is not None:
                readings[running.name] = running.reading
        return readings

    def subsystem(self, name: str) -> Subsystem | None:
        """The running subsystem of a name, for what it tells beside its readings."""
        return next((running.subsystem for running in self._running if running.name == name), None)

    def gpu_users(self) -> Mapping[int, GpuUse]:
        """What each process uses of the GPUs, by pid; empty where there is none."""
        gpu = self.subsystem(Gpu.name)
        return gpu.users() if isinstance(gpu, Gpu) else {}

    @property
    def health(self) -> Mapping[str, Health]:
        """Of every subsystem, and of every part of one, by name."""
        return self._health

    @property
    def timings(self) -> dict[str, float]:
        """CPU microseconds of each subsystem's last read."""
        return {running.name: running.cost_microseconds for running in self._running}

    def close(self) -> None:
        """Lets go of every source; a read that hangs is left behind, as its thread is a daemon."""
        for running in self._running:
            running.close()

    def _note(self, running: RunningSubsystem) -> None:
        self._set(running.name, running.failure, hanging=running.hanging)
        if not running.hanging:
            chosen = running.subsystem.chosen
            for name, failure in list(running.subsystem.health.items()):
                self._set(name, failure, chosen=chosen.get(name, ""))

    def note(self, health: Mapping[str, SourceError | None]) -> None:
        """Takes in the health of something that is no subsystem, such as the ledger's parts."""
        for name, failure in health.items():
            self._set(name, failure)

    def _set(
        self, name: str, failure: SourceError | None, *, hanging: bool = False, chosen: str = ""
    ) -> None:
        state = "hanging" if hanging else _state(failure)
        reason = f"no answer for {DEADLINE_SECONDS:g} s" if hanging else printable(chosen)
        if failure and not hanging:
            reason = printable(str(failure))  # it may hold a path that a stranger named
        known = self._health.get(name)
        if known and known.state == state and known.reason == reason:
            return
        remedy = failure.remedy if failure else ""
        self._health[name] = Health(state, self._sources.wall(), reason, remedy)
        self.changed = True
        if known is None or known.state != state:
            _log(name, known, self._health[name])


class RunningSubsystem:
    """One subsystem with its newest reading, its failure, and when it is read next."""

    def __init__(self, subsystem: Subsystem, *, patient: bool = False) -> None:
        self.subsystem = subsystem
        self._patient = patient
        self.name = subsystem.name
        self.reading: Reading | None = None
        self.failure: SourceError | None = None
        self.hanging = False
        self.cost_microseconds = 0.0
        self._next = float("-inf")
        self._failures = 0
        self._began = 0.0
        self._doubts = Doubts(subsystem.name)
        self._worker: _Worker | None = (
            _Worker(self._attempt, self.name) if subsystem.blocking else None
        )

    def begin(self, now: float) -> None:
        """Starts a read if one is due and none is under way."""
        early = now < self._next and not self._patient
        if early or (self._worker and self._worker.busy):
            return
        self._began = now
        if self._worker:
            try:
                self._worker.begin()
            except RuntimeError:
                self._settle(SourceError(NO_THREAD), now)
        else:
            self._settle(self._attempt(), now)

    def finish(self, now: float) -> None:
        """Takes the result of a read in the worker's thread, waiting for it a moment at most."""
        if not self._worker or not self._worker.busy:
            return
        grace = DEADLINE_SECONDS if self._patient else _GRACE_SECONDS
        result = self._worker.result(0.0 if self.hanging else grace)
        if result is not None:
            self.hanging = False
            self._settle(result, now)
        elif self._patient or now - self._began >= DEADLINE_SECONDS:
            self.hanging = True
            self.reading = None

    def close(self) -> None:
        if not (self._worker and self._worker.busy):
            self.subsystem.close()
        if self._worker:
            self._worker.close()

    def _attempt(self) -> Reading | SourceError:
        began = time.thread_time()
        try:
            return self._look()
        except Exception as error:  # noqa: BLE001  # a mistake of ours in one must not stop the others
            return told(error, self.subsystem.files.newest)
        finally:
            self.cost_microseconds = (time.thread_time() - began) * 1e6

    def _look(self) -> Reading:
        """A reading, after which ``health`` says what was left out of it."""
        with noticing() as left_out:
            reading = self.subsystem.read()
        self.subsystem.health |= self._doubts.note(reading, left_out, self._began)
        return reading

    def _settle(self, result: Reading | SourceError, now: float) -> None:
        if isinstance(result, SourceError):
            self.reading, self.failure = None, result
            self._failures += 1
            backoff = min(2.0**self._failures, _LONGEST_BACKOFF_SECONDS)
            self._next = now + _RETRY_SECONDS.get(_state(result), backoff)
        else:
            self.reading, self.failure = result, None
            self._failures = 0
            self._next = now + self.subsystem.period


class _Worker:
    """A thread that does one read when asked, and may never come back from it."""

    def __init__(self, attempt: Callable[[], Reading | SourceError], name: str) -> None:
        self._attempt = attempt
        self._asked = threading.Semaphore(0)
        self._done = threading.Event()
        self._result: Reading | SourceError | None = None
        self._open = True
        self.busy = False
        self._name = name
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=f"subsystem-{self._name}", daemon=True)
            thread.start()
            self._thread = thread
        self.busy = True
        self._done.clear()
        self._asked.release()

    def result(self, patience: float) -> Reading | SourceError | None:
        """What the read gave; ``None`` while it goes on."""
        if not self._done.wait(patience):
            return None
        self.busy = False
        return self._result

    def close(self) -> None:
        self._open = False
        self._asked.release()

    def _run(self) -> None:
        while True:
            self._asked.acquire()
            if not self._open:
                return
            self._result = self._attempt()
            self._done.set()


def _log(name: str, before: Health | None, now: Health) -> None:
    if now.state == "ok":
        if before:
            log.info("%s: works again", name)
        return
    # What a machine simply does not have is no news.
    quiet = {"absent": logging.DEBUG, "denied": logging.INFO}
    remedy = f"; {now.remedy}" if now.remedy else ""
    log.log(
        quiet.get(now.state, logging.WARNING), "%s: %s: %s%s", name, now.state, now.reason, remedy
    )


def _state(failure: SourceError | None) -> str:
    if failure is None:
        return "ok"
    if isinstance(failure, AbsentError):
        return "absent"
    return "denied" if isinstance(failure, DeniedError) else "failing"
