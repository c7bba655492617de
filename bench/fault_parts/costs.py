"""What a daemon holds and uses, and whether that grows."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from servers import Daemon


@dataclass(frozen=True)
class Figures:
    """At one moment.

    Attributes:
        at: monotonic seconds.
        new_life: it is another process than the last time.
        pss: proportional set size in MB.
        rss: the part of it that is the daemon's alone, in MB: no file's, shared with nobody.
        files: open descriptors.
    """

    at: float
    new_life: bool
    pss: float
    rss: float
    files: int
    threads: int
    cpu_percent: float

    def __str__(self) -> str:
        return (
            f"{self.pss:6.2f}  {self.rss:9.2f}  {self.files:5}  {self.threads:7}  "
            f"{self.cpu_percent:5.2f}"
        )


class Costs:
    """Reads them of a daemon, from the outside."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._pid = 0
        self._before = (0.0, 0.0)

    def read(self) -> Figures | None:
        """The figures since the last look; ``None`` while there is no daemon to be seen."""
        with contextlib.suppress(OSError, AssertionError):
            return self._read(self._daemon.pid)
        return None

    def _read(self, pid: int) -> Figures:
        now, used = time.monotonic(), time.clock_gettime((~pid << 3) | 2)
        then, before = self._before if pid == self._pid else (now, used)
        new_life, self._pid, self._before = pid != self._pid, pid, (now, used)
        place = Path(f"/proc/{pid}")
        return Figures(
            at=now,
            new_life=new_life,
            pss=_kilobytes(place / "smaps_rollup", "Pss:") / 1000,
            rss=_kilobytes(place / "smaps_rollup", "Anonymous:") / 1000,
            files=len(os.listdir(place / "fd")),
            threads=len(os.listdir(place / "task")),
            cpu_percent=100 * (used - before) / (now - then) if now > then else 0.0,
        )


def _kilobytes(file: Path, name: str) -> float:
    line = next(line for line in file.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1.024


def trend(figures: Sequence[Figures]) -> Iterator[tuple[str, float, float]]:
    """By name: the growth an hour, and its standard error."""
    quantities: dict[str, Callable[[Figures], float]] = {
        "PSS MB": lambda one: one.pss,
        "anonymous MB": lambda one: one.rss,
        "files": lambda one: one.files,
        "threads": lambda one: one.threads,
    }
    hours = [one.at / 3600 for one in figures]
    if len(figures) < 3 or hours[0] == hours[-1]:
        return
    middle = sum(hours) / len(hours)
    spread = sum((hour - middle) ** 2 for hour in hours)
    for name, quantity in quantities.items():
        values = [quantity(one) for one in figures]
        mean = sum(values) / len(values)
        pairs = list(zip(hours, values, strict=True))
        slope = sum((hour - middle) * (value - mean) for hour, value in pairs) / spread
        rest = sum((value - mean - slope * (hour - middle)) ** 2 for hour, value in pairs)
        yield name, slope, (rest / (len(pairs) - 2) / spread) ** 0.5
