"""What the whole machine did, by the most exact counter that it has."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from publisher.errors import SourceError
from publisher.sources.cgroups import Cgroups
from publisher.sources.files import KernelFiles
from publisher.sources.numbering import Trust, last_number, trust
from publisher.sources.processes import Census

ANY_NUMBER = 1 << 20
"""So many forks between two looks that no numbering can be trusted: the books list everybody."""

_TRY_EVERY = 300  # looks after which the numbering is tried out again
_TICK = 1_000_000_000 // (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)


class Totals(NamedTuple):
    """Nanoseconds since boot, as ``/proc/stat`` tells them (man 5 proc_stat).

    Attributes:
        blocked: how many tasks wait for a disk now.
    """

    busy: int
    irq: int
    steal: int
    guest: int
    cores: int
    forks: int
    blocked: int = 0


class MachineWindow(NamedTuple):
    """What happened between two looks, in nanoseconds.

    Attributes:
        busy: what programs used; without those outside all cgroups where ``partly``.
        tolerance: how far ``busy`` may be from the sum of all clocks.
        partly: ``busy`` leaves out kernel threads, who are in no cgroup.
        blocked: how many tasks wait for a disk at its end; 0 where nobody can tell.
    """

    busy: int
    tolerance: int
    partly: bool
    irq: int
    steal: int
    guest: int
    cores: int
    blocked: int = 0


class Machine(Protocol):
    """Measures windows.

    Attributes:
        tick: seconds of one step of processes' start times.
    """

    tick: float

    def census(self) -> Census:
        """The numbering of processes, after reading the totals anew."""

    def window(self) -> MachineWindow | None:
        """What happened since the last call; ``None`` the first time. Follows ``census``."""

    def epoch(self, wall: float) -> float:
        """When start times count from, in seconds since the epoch; ``wall`` is now."""


class LinuxMachine:
    """By ``/proc/stat`` and cgroups.

    The root of version 1's CPU accounting is exact. Version 2 has no such root, but its
    topmost cgroups together hold everything but kernel threads. ``/proc/stat`` is charged by
    the timer tick on most kernels: right on average, 3 % off in two seconds.
    """

    tick = _TICK / 1e9

    def __init__(self, files: KernelFiles, cgroups: Cgroups) -> None:
        self._files = files
        self._cgroups = cgroups
        self._next: Totals
        self._totals: Totals | None = None
        self._looks = 0
        self._trust = Trust(last=True, forks=True)
        self._whole = cgroups.whole_usage()
        self._tops = cgroups.top_usage() if self._whole is None else None

    def census(self) -> Census:
        if self._looks % _TRY_EVERY == 0:
            self._trust = trust(self._files)
        self._looks += 1
        self._next = read_totals(self._files)
        last, threads = last_number(self._files)
        forks = self._next.forks if self._trust.forks else self._looks * ANY_NUMBER
        return Census(last if self._trust.last else None, forks, threads)

    def window(self) -> MachineWindow | None:
        after, before = self._next, self._totals
        self._totals = after
        busy, tolerance, partly = self._busy(before, after)
        if before is None:
            return None
        return MachineWindow(
            busy=busy,
            tolerance=tolerance,
            partly=partly,
            irq=max(after.irq - before.irq, 0),
            steal=max(after.steal - before.steal, 0),
            guest=max(after.guest - before.guest, 0),
            cores=after.cores,
            blocked=after.blocked,
        )

    def _busy(self, before: Totals | None, after: Totals) -> tuple[int, int, bool]:
        if self._whole is not None and (usage := self._cgroups.whole_usage()) is not None:
            busy, self._whole = max(usage - self._whole, 0), usage
            return busy, busy // 20 + 6_000_000, False
        if self._tops is not None and (tops := self._cgroups.top_usage()) is not None:
            busy = sum(max(usage - self._tops.get(name, 0), 0) for name, usage in tops.items())
            self._tops = tops
            return busy, busy // 20 + 6_000_000, True
        busy = max(after.busy - before.busy, 0) if before else 0
        return busy, busy // 10 + 30_000_000, False

    def epoch(self, wall: float) -> float:
        if not self._files.root and hasattr(time, "CLOCK_BOOTTIME"):
            return wall - time.clock_gettime(time.CLOCK_BOOTTIME)  # the same, without a file
        content = self._files.read("/proc/uptime")
        try:
            return wall - float(content.split()[0])
        except (ValueError, IndexError):
            raise SourceError("not as man 5 proc_uptime has it", path="/proc/uptime") from None


class PortableMachine:
    """By what psutil tells of all processors; everybody is listed in every window.

    Args:
        times: nanoseconds busy, in interrupts, stolen and in guests; processors.
    """

    tick = 0.01

    def __init__(self, times: Callable[[], tuple[int, int, int, int, int]]) -> None:
        self._times = times
        self._forks = 0
        self._totals: Totals | None = None
        self._next: Totals

    def census(self) -> Census:
        self._forks += ANY_NUMBER
        self._next = Totals(*self._times(), self._forks)
        return Census(None, self._forks)

    def window(self) -> MachineWindow | None:
        after, before = self._next, self._totals
        self._totals = after
        if before is None:
            return None
        busy = max(after.busy - before.busy, 0)
        return MachineWindow(
            busy=busy,
            tolerance=busy // 10 + 30_000_000,
            partly=False,
            irq=max(after.irq - before.irq, 0),
            steal=max(after.steal - before.steal, 0),
            guest=max(after.guest - before.guest, 0),
            cores=after.cores,
        )

    def epoch(self, wall: float) -> float:
        del wall
        return 0.0  # start times are since the epoch


def read_totals(files: KernelFiles) -> Totals:
    """What ``/proc/stat`` says of all processors.

    Raises:
        SourceError: it cannot be read.
    """
    content = files.read("/proc/stat")
    line, _, rest = content.partition(b"\n")
    try:
        numbers = [int(word) * _TICK for word in line.split()[1:11]] + [0] * 10
        forks = _number(content, b"\nprocesses ")
        blocked = _number(content, b"\nprocs_blocked ") if b"\nprocs_blocked " in content else 0
    except ValueError:
        raise SourceError("not as man 5 proc_stat has it", path="/proc/stat") from None
    user, nice, system, _, _, irq, softirq, steal, guest, guest_nice = numbers[:10]
    return Totals(
        busy=user + nice + system,
        irq=irq + softirq,
        steal=steal,
        guest=guest + guest_nice,
        cores=rest.count(b"\ncpu") + rest.startswith(b"cpu"),
        forks=forks,
        blocked=blocked,
    )


def _number(content: bytes, name: bytes) -> int:
    start = content.index(name) + len(name)
    return int(content[start : content.index(b"\n", start)])
