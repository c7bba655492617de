"""Runs a plan: starts and ends its loads in time, and measures who worked meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from why_parts.listening import Listener
from why_parts.loads import failed, prepare
from why_parts.machine import end
from why_parts.plans import Plan, Run, Size
from why_parts.scoring import Score, score
from why_parts.truth import Meter
from why_parts.workloads import Workload, start

_CYCLE = 0.2
"""Seconds in which a small load runs once and stands still once."""


class _Throttle:
    """Lets sessions run for a part of the time only, by stopping them and letting them go on."""

    def __init__(self) -> None:
        self._held: dict[int, float] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def hold(self, session: int, duty: float) -> None:
        with self._lock:
            self._held[session] = duty

    def release(self, session: int) -> None:
        with self._lock:
            if self._held.pop(session, None) is not None:
                _signal(session, signal.SIGCONT)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()

    def _go_on(self) -> None:
        while not self._over.is_set():
            with self._lock:
                turns = sorted((duty * _CYCLE, pid) for pid, duty in self._held.items())
                for _, pid in turns:
                    _signal(pid, signal.SIGCONT)
            began = time.monotonic()
            for until, pid in turns:
                self._over.wait(max(0.0, began + until - time.monotonic()))
                with self._lock:
                    if pid in self._held:
                        _signal(pid, signal.SIGSTOP)
            self._over.wait(max(0.0, began + _CYCLE - time.monotonic()))


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _children() -> set[int]:
    """Processes that we have started and that still run."""
    place = Path(f"/proc/self/task/{threading.main_thread().native_id}/children")
    return set(map(int, place.read_text().split()))


@contextlib.contextmanager
def prepared(
    loads: Mapping[str, Workload], folder: Path, meter: Meter
) -> Iterator[dict[str, Path]]:
    """A folder for each load, and its server at work; what cannot be prepared is left out."""
    places = {}
    with contextlib.ExitStack() as undo:
        for name, load in loads.items():
            before = _children()
            try:
                restore = prepare(load, folder / name)
            except (OSError, subprocess.CalledProcessError, TimeoutError, ValueError) as reason:
                print(f"cannot prepare {name}: {failed(reason)}", file=sys.stderr)
                continue
            if restore:
                undo.callback(restore)
            for server in _children() - before:
                meter.belongs(server, name)
            places[name] = folder / name
        yield places


@dataclass
class _Stage:
    """Where loads work: begins and ends them."""

    loads: Mapping[str, Workload]
    places: Mapping[str, Path]
    meter: Meter
    throttle: _Throttle
    running: dict[Run, subprocess.Popen[bytes]] = field(default_factory=dict)

    def begin(self, one: Run) -> None:
        process = start(self.loads[one.load], self.places[one.load])
        self.running[one] = process
        self.meter.belongs(process.pid, one.load)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PGRP, process.pid, one.size.nice)
            # A session's share is its own where the kernel groups by sessions (man 7 sched).
            Path(f"/proc/{process.pid}/autogroup").write_text(str(one.size.nice))
        if one.size is not Size.BIG:
            self.throttle.hold(process.pid, one.size.duty)

    def end(self, one: Run) -> None:
        process = self.running.pop(one)
        self.throttle.release(process.pid)
        end(process)

    def carry_out(self, plan: Plan, began: float) -> None:
        """All of a plan's runs, from a moment of the monotonic clock on."""
        runs = [one for one in plan.runs if one.load in self.places]
        steps = [(one.began, self.begin, one) for one in runs]
        steps += [(one.ended, self.end, one) for one in runs]
        try:
            for at, step, one in sorted(steps, key=itemgetter(0)):
                time.sleep(max(0.0, began + at - time.monotonic()))
                step(one)
            time.sleep(max(0.0, began + plan.seconds - time.monotonic()))
        finally:
            for one in list(self.running):
                self.end(one)


def run(
    plan: Plan, loads: Sequence[Workload], folder: Path, listener: Listener, ignored: set[int]
) -> Score:
    """Does all that the plan says, and judges what was said."""
    used = {load.name: load for load in loads if load.name in plan.loads}
    meter = Meter(
        {name: load.names for name, load in used.items()},
        {name: load.own for name, load in used.items() if load.own},
        {os.getpid(), *ignored},
    )
    throttle = _Throttle()
    with prepared(used, folder, meter) as places, throttle.running():
        # What preparing has brought about is over, and so is the minute whose sentences count
        # against those to come: who judges begins with a machine that was at rest.
        time.sleep(68)
        meter.start()
        time.sleep(2)
        began = time.monotonic()
        try:
            _Stage(used, places, meter, throttle).carry_out(plan, began)
        finally:
            meter.stop()
    return score(plan, began, listener.said, meter)
