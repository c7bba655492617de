"""How soon new work is named beside other loads, by scheduler and verdict, on a made-up clock.

Whether the numbering of processes can be gone by changes nothing in it: a process that is listed is
found in the window in which it began (``tests/unit/ledger/test_windows.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from unit.explain.stage import Stage, account

from publisher.daemon.scheduler import SamplingSettings, Scheduler

Load = Callable[[float], float]
_STEP = 0.02


def _flicker(on: float, off: float, cores: float = 1.0) -> Load:
    return lambda now: cores if now % (on + off) < on else 0.0


def _since(begin: float, cores: float) -> Load:
    return lambda now: cores if now >= begin else 0.0


@dataclass
class Machine:
    """Programs that use so many cores over time, and a probe of what they use together."""

    programs: dict[str, Load]
    now: float = 0.0
    probed: float = 0.0

    def used(self, program: str, start: float, end: float) -> float:
        """Core-seconds."""
        steps = max(round((end - start) / _STEP), 1)
        step = (end - start) / steps
        return sum(self.programs[program](start + (n + 0.5) * step) for n in range(steps)) * step

    def busy_cores(self, now: float) -> float | None:
        start, self.probed = self.probed, now
        return sum(self.used(name, start, now) for name in self.programs) / (now - start or 1)


def _seconds_until_named(others: dict[str, Load], begin: float, cores: float) -> float:
    """How long after ``begin`` a new program of so many cores is among the causes."""
    machine = Machine({**others, "work": _since(begin, cores)})
    scheduler = Scheduler(SamplingSettings(), machine, now=0.0)  # type: ignore[arg-type]
    stage = Stage()
    epoch, sampled = stage.wall, 0.0
    while machine.now < begin + 20:
        now = machine.now = max(scheduler.next_wake, machine.now + 0.001)
        scheduler.tick(now)
        if now < scheduler.next_sample or now <= sampled:
            continue
        seconds = now - sampled
        found = [
            account(
                name,
                machine.used(name, sampled, now) / seconds,
                since=epoch + (begin if name == "work" else -1000.0),
            )
            for name in machine.programs
        ]
        verdict = stage.step(*(each for each in found if each.cpu_seconds), seconds=seconds)
        scheduler.sampled(now, again_in=stage.explainer.wants_soon())
        if any(cause.group == "work" for cause in verdict.causes):
            return now - begin
        sampled = now
    return float("inf")


_SHORT = {"a": _flicker(0.3, 0.9), "b": _flicker(0.7, 1.1), "c": _flicker(1.3, 0.4)}
_GREAT = {"a": _since(0, 1.2), "b": _flicker(0.6, 0.6, cores=1.2)}


@pytest.mark.parametrize(("others", "cores"), [(_SHORT, 1.0), (_SHORT, 0.6), (_GREAT, 1.0)])
@pytest.mark.parametrize("phase", range(30))
def test_new_work_is_named_in_time_beside_loads_that_flicker(
    phase: int, others: dict[str, Load], cores: float
) -> None:
    assert _seconds_until_named(others, 40 + phase * 0.14, cores) <= 2.5


@pytest.mark.parametrize("phase", range(10))
def test_new_work_is_named_in_time_on_a_machine_at_rest(phase: int) -> None:
    assert _seconds_until_named({"a": _since(0, 0.02)}, 140 + phase * 0.61, 1.0) <= 2.0


@pytest.mark.parametrize("phase", range(10))
def test_new_work_is_named_in_time_beside_one_that_goes_on(phase: int) -> None:
    assert _seconds_until_named({"a": _since(0, 2.0)}, 60 + phase * 0.29, 1.0) <= 2.5


def test_programs_that_come_and_go_under_load_do_not_double_the_samples() -> None:
    machine = Machine({"a": _since(0, 1.0)})
    scheduler = Scheduler(SamplingSettings(), machine, now=0.0)  # type: ignore[arg-type]
    stage, sampled, samples = Stage(), 0.0, 0
    while machine.now < 100:
        now = machine.now = max(scheduler.next_wake, machine.now + 0.001)
        scheduler.tick(now)
        if now < scheduler.next_sample or now <= sampled:
            continue
        seconds = now - sampled
        fresh = account(f"new{samples}", 0.02, since=stage.wall + seconds - 0.1)
        stage.step(account("a", 1.0, since=0.0), fresh, seconds=seconds)
        scheduler.sampled(now, again_in=stage.explainer.wants_soon())
        sampled, samples = now, samples + 1
    assert samples <= 100
