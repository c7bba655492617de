"""When to look at the machine: seldom while it rests, at once when it starts to work.

Between two samples the load probe reads one line, how long all processors idled. A jump of the busy
time pulls the next sample forward; a machine at rest lengthens the period. That is how the
daemon is both faster and cheaper than a fixed clock. For stalls that leave the processors idle,
the kernel's own pressure triggers wake us.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from publisher.config.setting import setting
from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

log = logging.getLogger(__name__)

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
PROBE_SECONDS = 0.5
# In cores: what an onset or an end moves, what a resting machine stays below, and what may be
# stolen before it has to be told from work.
_JUMP = 0.3
_REST = 0.1
_STEAL = 0.03
_REST_AFTER_SECONDS = 20.0
_LEVEL_WEIGHT = 0.1
_STRETCH = 1.25
# Samples before their time, and how many more may be taken each second: a load that flickers would
# else be sampled at every probe.
_EXTRA_SAMPLES = 4.0
_EXTRA_PER_SECOND = 0.25
_SHORTEST_GAP_SECONDS = 0.4
_LOOK_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How often the machine is looked at."""

    period_seconds: float = setting(
        2.0, "Seconds between two samples while the machine works.", minimum=0.5, maximum=60
    )
    rest_period_seconds: float = setting(
        6.0,
        "Seconds between two samples while it rests; period_seconds where that is longer.",
        minimum=0.5,
        maximum=300,
    )
    pulse: bool = setting(
        True,
        "Look at the processors' busy time twice a second in between (some 20 µs each), so that "
        "an onset is seen at once.",
    )


class LoadProbe:
    """How many processors' worth of work was done between two probes.

    What they did not idle. ``/proc/uptime`` says so in one short line (man 5 proc_uptime), where
    ``/proc/stat`` takes the kernel a line for each processor and a walk over all interrupts.
    Waiting for I/O is no idling in either, rightly: someone waits for it.
    """

    def __init__(self, files: KernelFiles) -> None:
        self._files = files
        self._last: tuple[float, float] | None = None
        self._cores: int | None = None
        self._look_at = float("-inf")
        self._stolen = float("inf")

    def busy_cores(self, now: float) -> float | None:
        """Busy cores since the last probe; ``None`` at the first one and where nobody can tell."""
        try:
            if now >= self._look_at:
                self._look_at = now + _LOOK_SECONDS
                self._look()
            worked = self._worked(now)
        except (SourceError, ValueError, IndexError):
            return None
        last, self._last = self._last, (worked, now)
        if last is None or now <= last[1]:
            return None
        return max(worked - last[0], 0.0) / (now - last[1])

    def _worked(self, now: float) -> float:
        """Seconds of work, from some moment on."""
        if self._cores is None:
            # Ten numbers, or the first four of them where the system tells no more.
            line = self._files.read("/proc/stat").partition(b"\n")[0]
            user, nice, system, _idle, *others = map(int, line.split(None, 8)[1:8])
            return (user + nice + system + sum(others)) / _TICKS_PER_SECOND
        return self._cores * now - float(self._files.read("/proc/uptime").split()[1])

    def _look(self) -> None:
        """Counts the processors, and sees whether all that they do not idle is work.

        In a container, lxcfs tells of one processor's idle time however many there are; and what
        a hypervisor steals is neither.
        """
        before = self._cores
        self._cores = None
        content = self._files.read("/proc/stat")
        words = [*content.partition(b"\n")[0].split(), b"0", b"0", b"0", b"0"]
        idle, stolen = int(words[4]) / _TICKS_PER_SECOND, int(words[8]) / _TICKS_PER_SECOND
        try:
            told = float(self._files.read("/proc/uptime").split()[1])
        except SourceError:
            told = -1.0
        same = abs(told - idle) <= 1 + idle / 100
        if same and stolen - self._stolen <= _STEAL * _LOOK_SECONDS:
            self._cores = content.count(b"\ncpu")
        self._stolen = stolen
        if self._cores != before:
            self._last = None


class Scheduler:
    """Decides when the next sample is due. All times are monotonic seconds."""

    def __init__(self, settings: SamplingSettings, probe: LoadProbe | None, now: float) -> None:
        self.settings = settings
        self.next_sample = now
        self._probe = probe if settings.pulse else None
        self._next_probe = now
        self._last_sample = float("-inf")
        self._period = settings.period_seconds
        self._usual: float | None = None
        self._stirred_at = now
        self._level = 0.0
        self._extra = _EXTRA_SAMPLES

    @property
    def next_wake(self) -> float:
        """When something is to be done next."""
        return min(self.next_sample, self._next_probe) if self._probe else self.next_sample

    def tick(self, now: float) -> None:
        """Probes the load if it is time to, and pulls the next sample forward at a jump."""
        if self._probe is None or now < self._next_probe:
            return
        self._next_probe = now + PROBE_SECONDS
        busy = self._probe.busy_cores(now)
        if busy is None:
            return
        if self._usual is None:
            self._usual = busy
        # What wakes up for a moment now and then is no work worth a closer look.
        self._level += (busy - self._level) * _LEVEL_WEIGHT
        if self._level > _REST:
            self._stirred_at = now
        if abs(busy - self._usual) >= _JUMP:
            self.hurry(now)
        self._usual += (busy - self._usual) / 2

    def hurry(self, now: float) -> None:
        """Something may have begun or ended: sample as soon as is seemly."""
        self._period = self.settings.period_seconds
        self._stirred_at = now
        if self.next_sample <= now:
            return
        # Whoever rested is only back in step.
        in_turn = max(now, self._last_sample + self._period)
        soon = max(now, self._last_sample + _SHORTEST_GAP_SECONDS)
        if soon < in_turn and self._extra >= 1:
            self._extra -= 1
            self.next_sample = soon
        else:
            self.next_sample = min(self.next_sample, in_turn)

    def sampled(self, now: float, *, again_in: float | None = None) -> None:
        """Notes that a sample was taken.

        Args:
            now: when.
            again_in: seconds after which a further sample would settle an open question.
        """
        earned = _EXTRA_PER_SECOND * min(
            now - self._last_sample, _EXTRA_SAMPLES / _EXTRA_PER_SECOND
        )
        self._extra = min(self._extra + earned, _EXTRA_SAMPLES)
        self._last_sample = now
        resting = self._probe is not None and now - self._stirred_at >= _REST_AFTER_SECONDS
        if resting:
            self._period = min(
                self._period * _STRETCH, max(self.settings.rest_period_seconds, self._period)
            )
        else:
            self._period = self.settings.period_seconds
        wait = (
            self._period
            if again_in is None
            else min(max(again_in, _SHORTEST_GAP_SECONDS), self._period)
        )
        # From now, not from when it was due: after a suspend nothing is caught up on.
        self.next_sample = now + wait
