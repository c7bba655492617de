"""How much the machine works, at the price of one short line: read between two samples."""

from __future__ import annotations

import os

from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
# Cores that a hypervisor may steal before that has to be told from work.
_STEAL = 0.03
_LOOK_SECONDS = 60.0


class LoadProbe:
    """How many processors' worth of work was done between two probes.

    What they did not idle. ``/proc/uptime`` says so in one short line (man 5 proc_uptime), where
    ``/proc/stat`` takes the kernel a line for each processor and a walk over all interrupts.
    Waiting for I/O is no idling in either, rightly: a task waits for it.
    """

    def __init__(self, files: KernelFiles) -> None:
        self._files = files
        self._last: tuple[float, float] | None = None
        self._cores: int | None = None
        self._look_at = float("-inf")
        self._stolen = float("inf")

    def busy_cores(self, now: float) -> float | None:
        """Busy cores since the last probe; ``None`` at the first one, and where it is unknown."""
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
