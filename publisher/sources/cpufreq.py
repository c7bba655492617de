"""How fast each processor runs, and how fast the hardware lets it run.

Source: cpufreq in ``/sys/devices/system/cpu`` (kernel documentation, admin-guide/pm/cpufreq); where
there is none, ``/proc/cpuinfo``. Cores differ: big ones beside little ones, favoured ones, such
as are switched off. Each is asked by itself, and one that fails takes no other down.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from publisher.contract.possible import POSSIBLE
from publisher.contract.units import Unit
from publisher.errors import AbsentError, SourceError
from publisher.sources.files import KernelFiles

DEVICES = "/sys/devices/system/cpu"
# Clocks are measured over a moment, and so a little wrong.
_TOLERANCE = 1.02
_FASTEST_KHZ = POSSIBLE[Unit.MEGAHERTZ][1] * 1000


class Clocks:
    """The clocks of all processors.

    Args:
        files: kernel files.
    """

    def __init__(self, files: KernelFiles) -> None:
        self._files = files
        self._limits: dict[str, tuple[float | None, float | None]] = {}
        self._fastest = 0.0
        self._measured: bool | None = None
        self.lowest: float | None = None
        """Slowest speed that any core's hardware offers, in MHz."""
        self.highest: float | None = None
        """Fastest speed that any core's hardware offers, in MHz."""
        self.failure: SourceError | None = None
        """Why some processor's speed is not told while that of others is."""

    def read(self, online: Collection[str]) -> Mapping[str, float]:
        """The speed of every processor that tells one, in MHz, by name (``cpu3``).

        Args:
            online: the names of those that the kernel schedules on.

        Raises:
            SourceError: none tells.
        """
        found: dict[str, float] = {}
        failures: dict[str, SourceError] = {}
        names = cores(self._files)
        if self._measured is None:
            self._measured = any(
                self._files.exists(f"{DEVICES}/{name}/cpufreq/cpuinfo_avg_freq") for name in names
            )
        for name in names:
            try:
                speed = self._speed(f"{DEVICES}/{name}/cpufreq")
            except AbsentError:
                continue
            except SourceError as error:
                failures[name] = error
                continue
            if speed > 0:
                found[name] = speed / 1000
        self.failure = _failure(failures, online) if found else None
        if found:
            self._fastest = max(self._fastest, *found.values())
            self._look_at_limits(found)
            return found
        try:
            return self._from_cpuinfo()
        except SourceError:
            for failure in failures.values():
                raise failure from None
            raise

    def _speed(self, folder: str) -> int:
        """A core's speed in kHz.

        Newer kernels measure it in a file of its own, and may then show in the old one what
        was asked for: with Intel's driver, the least. A core that sleeps measures nothing.
        """
        if self._measured:
            with suppress(SourceError):
                return self._clock(f"{folder}/cpuinfo_avg_freq")
        return self._clock(f"{folder}/scaling_cur_freq")

    def _clock(self, path: str, *, keep: bool = True) -> int:
        """A clock in kHz that can be one: a wrong one would spoil the mean of all."""
        clock = self._files.integer(path, keep=keep)
        if not 0 <= clock <= _FASTEST_KHZ:
            raise SourceError(f"{clock / 1000:,.0f} MHz cannot be", path=path)
        return clock

    def _look_at_limits(self, names: Collection[str]) -> None:
        for name in names:
            if None in self._limits.get(name, (None, None)):
                limits = tuple(
                    self._limit(f"{DEVICES}/{name}/cpufreq/cpuinfo_{which}_freq")
                    for which in ("min", "max")
                )
                self._limits[name] = limits[0], limits[1]
        self.lowest = min((low for low, _ in self._limits.values() if low), default=None)
        told = max((high for _, high in self._limits.values() if high), default=None)
        # Drivers that know no boost name a limit below what their cores reach.
        above = told is not None and self._fastest > told * _TOLERANCE
        self.highest = self._fastest if above else told

    def _limit(self, path: str) -> float | None:
        with suppress(SourceError):
            return self._clock(path, keep=False) / 1000
        return None

    def _from_cpuinfo(self) -> Mapping[str, float]:
        found: dict[str, float] = {}
        lines = self._files.read("/proc/cpuinfo").splitlines()
        clocks = [line for line in lines if line.startswith(b"cpu MHz")]
        for number, line in enumerate(clocks):
            with suppress(ValueError):
                clock = float(line.rpartition(b":")[2])
                if 0 <= clock <= _FASTEST_KHZ / 1000:
                    found[f"cpu{number}"] = clock
        if not found:
            raise AbsentError(
                "the kernel tells no clock of the cores", path=f"{DEVICES}/cpu0/cpufreq"
            )
        return found


def cores(files: KernelFiles) -> list[str]:
    """The names of all processors that the kernel has a folder for, by number."""
    names = [name for name in files.names(DEVICES) if name[:3] == "cpu" and name[3:].isdecimal()]
    return sorted(names, key=lambda name: int(name[3:]))


def _failure(failures: Mapping[str, SourceError], online: Collection[str]) -> SourceError | None:
    if not failures:
        return None
    off = [name for name in failures if name not in online]
    failing = [name for name in failures if name in online]
    if not failing:
        return AbsentError(f"switched off: {', '.join(off)}; the others are told")
    first = failures[failing[0]]
    return SourceError(
        f"no speed of {', '.join(failing)}: {first.what}; the others are told",
        path=first.path,
        remedy="each is asked again every ten seconds; see the kernel's log (dmesg) if it stays",
    )
