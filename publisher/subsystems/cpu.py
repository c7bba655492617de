"""CPU: how busy the processors are and with what, how fast they run, who waits for them.

Sources: ``/proc/stat`` and ``/proc/loadavg`` (man 5 proc_stat, proc_loadavg), cpufreq in
``/sys/devices/system/cpu`` (kernel documentation, admin-guide/pm/cpufreq), ``/proc/pressure/cpu``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from publisher.contract.metric import (
    Reading,
    gauge,
    megahertz,
    per_second,
    percent,
    reading,
    records,
)
from publisher.contract.readings import ConsumerReading
from publisher.errors import SourceError
from publisher.sources import Sources, cpufreq
from publisher.subsystems.base import Rates, Subsystem
from publisher.subsystems.pressure import Pressure

# The speed of a core is worth a look now and then, not a wake-up of every core each sample.
_DIGITS = 20  # of what is counted in 64 bits
_HIGHEST_LOAD = 1e9
_LONGEST_ROW = 300  # bytes: ten numbers of 64 bits are shorter
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_WHOLE = 0.9  # of the time that has passed must be told; the clocks are not read at once
_FREQUENCY_PERIOD = 10.0
# Times that only Linux tells apart from the four that every system has.
_FOUR = 4
_BEYOND_FOUR = ("iowait", "irq", "steal", "guest")


@reading
class CpuReading(Reading):
    """The processors, all together and one by one."""

    usage_percent: float | None = percent(
        "Usage",
        "Time in which the processors worked, of all the time there was; waiting for I/O is idle.",
        precision=1,
        deadband=5,
        headline=True,
        enabled=True,
        icon="mdi:chip",
    )
    user_percent: float | None = percent(
        "User", "Time in user programs, niced ones too, guests left out.", precision=1
    )
    system_percent: float | None = percent(
        "System", "Time in the kernel on behalf of programs.", precision=1
    )
    iowait_percent: float | None = percent(
        "I/O wait", "Idle time with I/O outstanding.", precision=1, deadband=10
    )
    irq_percent: float | None = percent(
        "Interrupt time", "Time in hardware and software interrupts.", precision=1
    )
    steal_percent: float | None = percent(
        "Steal", "Time that the hypervisor gave to others.", precision=1, deadband=10
    )
    guest_percent: float | None = percent(
        "Guest", "Time in virtual machines that run here.", precision=1
    )
    per_core_percent: list[float] | None = percent(
        "Usage by core", "Usage of each logical core, in the kernel's order."
    )
    per_core_user_percent: list[float] | None = percent("User by core", "User time of each core.")
    per_core_system_percent: list[float] | None = percent(
        "System by core", "Kernel time of each core."
    )
    per_core_iowait_percent: list[float] | None = percent(
        "I/O wait by core", "I/O wait of each core."
    )
    per_core_irq_percent: list[float] | None = percent(
        "Interrupts by core", "Interrupt time of each core."
    )
    per_core_steal_percent: list[float] | None = percent(
        "Steal by core", "Stolen time of each core."
    )
    per_core_guest_percent: list[float] | None = percent(
        "Guest by core", "Guest time of each core."
    )
    physical_cores: int | None = gauge(
        "Physical cores", "Processor cores that are there.", deadband=1, diagnostic=True
    )
    logical_cores: int | None = gauge(
        "Logical cores", "Processors that the kernel schedules on.", deadband=1, diagnostic=True
    )
    frequency_mhz: float | None = megahertz("Frequency", "Mean speed of the cores.")
    frequency_min_mhz: float | None = megahertz(
        "Lowest frequency", "Slowest speed that any core's hardware offers.", diagnostic=True
    )
    frequency_max_mhz: float | None = megahertz(
        "Highest frequency", "Fastest speed that any core's hardware offers.", diagnostic=True
    )
    per_core_frequency_mhz: list[float] | None = megahertz(
        "Frequency by core", "Speed of each core."
    )
    load_average: list[float] | None = gauge(
        "Load average", "Tasks that ran or waited, over 1, 5 and 15 minutes.", precision=2
    )
    load_average_5m: float | None = gauge(
        "Load average (5 min)",
        "Tasks that ran or waited, over 5 minutes: the second of the three.",
        precision=2,
        deadband=0.5,
        deadband_percent=25,
        headline=True,
        enabled=True,
        icon="mdi:chart-line",
    )
    running_tasks: int | None = gauge(
        "Running", "Tasks that run or could run now, fanwhy left out."
    )
    blocked_tasks: int | None = gauge(
        "Blocked", "Tasks that wait for I/O and cannot be interrupted."
    )
    context_switches_per_second: float | None = per_second(
        "Context switches", "Switches between tasks.", precision=0
    )
    interrupts_per_second: float | None = per_second(
        "Interrupts", "Hardware interrupts served.", precision=0
    )
    forks_per_second: float | None = per_second("Forks", "Processes and threads begun.")
    pressure_some_percent: float | None = percent(
        "Pressure", "Time in which some task waited for a processor.", precision=1, deadband=10
    )
    top: tuple[ConsumerReading, ...] | None = records(
        ConsumerReading, "Top", "Who uses the most CPU time.", default=None
    )


@dataclass(frozen=True, slots=True)
class Times:
    """One ``cpu`` line of ``/proc/stat``, in ticks; guest time is taken out of user and nice."""

    user: int
    system: int
    idle: int
    iowait: int
    irq: int
    steal: int
    guest: int

    @classmethod
    def parse(cls, fields: list[bytes]) -> Times:
        """From the ten numbers after the line's name; old kernels give fewer."""
        user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice = (
            *map(int, fields),
            *[0] * (10 - len(fields)),
        )
        guests = guest + guest_nice
        return cls(user + nice - guests, system, idle, iowait, irq + softirq, steal, guests)


_Value_co = TypeVar("_Value_co", covariant=True)


class Split(NamedTuple, Generic[_Value_co]):
    """Where processor time went between two samples, in percent of all of it.

    Each part is the number of one processor, a list of those of all cores, or ``None``.
    """

    usage: _Value_co
    user: _Value_co
    system: _Value_co
    iowait: _Value_co
    irq: _Value_co
    steal: _Value_co
    guest: _Value_co


_UNKNOWN = Split(*[None] * len(Split._fields))
_STILL = Split(*[0.0] * len(Split._fields))
"""A processor whose times stood still while those of others went on: it slept."""


def split(before: Times, after: Times, due: float) -> Split[float] | None:
    """Where the time between two readings of one processor went; ``None`` when none has passed.

    ``idle`` and ``iowait`` may run backwards by a tick (man 5 proc_stat): taken as no time. In some
    containers ``idle`` stands still or sinks for ever (https://github.com/lxc/lxcfs/issues/311):
    what lacks of the time that has passed was idle.

    Args:
        before: the first reading.
        after: the second one.
        due: ticks that there were between them, by the clock.
    """
    user = max(after.user - before.user, 0)
    system = max(after.system - before.system, 0)
    idle = max(after.idle - before.idle, 0)
    iowait = max(after.iowait - before.iowait, 0)
    irq = max(after.irq - before.irq, 0)
    steal = max(after.steal - before.steal, 0)
    guest = max(after.guest - before.guest, 0)
    busy = user + system + irq + guest
    total: float = busy + idle + iowait + steal
    if total <= 0:
        return None
    if after.idle <= before.idle and total < _WHOLE * due:
        total = due
    return Split(
        usage=100 * busy / total,
        user=100 * user / total,
        system=100 * system / total,
        iowait=100 * iowait / total,
        irq=100 * irq / total,
        steal=100 * steal / total,
        guest=100 * guest / total,
    )


def by_core(cores: Sequence[Split[float]]) -> Split[list[float]] | Split[None]:
    """The same parts as lists over all cores."""
    return Split(*map(list, zip(*cores, strict=True))) if cores else _UNKNOWN


class Cpu(Subsystem):
    name = "cpu"
    reading = CpuReading
    top_by = "cpu_percent"

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._rates = Rates()
        self._pressure = Pressure(self, "cpu")
        self._before: dict[bytes, Times] = {}
        self._split_at = 0.0
        self._clocks = cpufreq.Clocks(self.files)
        self._mean_mhz: float | None = None
        self._per_core_mhz: list[float] | None = None
        self._speeds_at = float("-inf")
        self._online: AbstractSet[bytes] = frozenset()
        self._topology: tuple[int, int] = (0, 0)
        self._told = 0  # numbers in a line of times

    def read(self) -> CpuReading:
        now = self.sources.monotonic()
        times, facts = self._stat()
        whole, cores = self._split(times, now)
        load = self.part("load", self._load)
        if times.keys() != self._online:
            self._online = times.keys()
            self._speeds_at = float("-inf")
            self.apart("topology", self._look_at_topology)
        if now - self._speeds_at >= _FREQUENCY_PERIOD:
            self._speeds_at = now
            if self.health.get("cpu.topology"):  # it stumbled
                self.apart("topology", self._look_at_topology)
            self._look_at_speeds([name.decode() for name in times if name != b"cpu"])
        some, _ = self._pressure.read(now)
        running = facts.get(b"procs_running")
        reading = CpuReading(
            usage_percent=whole.usage,
            user_percent=whole.user,
            system_percent=whole.system,
            iowait_percent=whole.iowait,
            irq_percent=whole.irq,
            steal_percent=whole.steal,
            guest_percent=whole.guest,
            per_core_percent=cores.usage,
            per_core_user_percent=cores.user,
            per_core_system_percent=cores.system,
            per_core_iowait_percent=cores.iowait,
            per_core_irq_percent=cores.irq,
            per_core_steal_percent=cores.steal,
            per_core_guest_percent=cores.guest,
            physical_cores=self._topology[1] or None,
            logical_cores=len(times) - 1,
            frequency_mhz=self._mean_mhz,
            frequency_min_mhz=self._clocks.lowest,
            frequency_max_mhz=self._clocks.highest,
            per_core_frequency_mhz=self._per_core_mhz,
            load_average=load,
            load_average_5m=load[1] if load and len(load) > 1 else None,
            running_tasks=None if running is None else max(running - 1, 0),
            blocked_tasks=facts.get(b"procs_blocked"),
            context_switches_per_second=self._rates.per_second("ctxt", facts.get(b"ctxt"), now),
            interrupts_per_second=self._rates.per_second("intr", facts.get(b"intr"), now),
            forks_per_second=self._rates.per_second("processes", facts.get(b"processes"), now),
            pressure_some_percent=some,
        )
        return self._without_untold(reading) if self._told <= _FOUR else reading

    @staticmethod
    def _without_untold(reading: CpuReading) -> CpuReading:
        """Leaves out the times that this system does not tell apart: they are unknown, not 0."""
        untold: dict[str, Any] = {f"{name}_percent": None for name in _BEYOND_FOUR}
        untold |= {f"per_core_{name}_percent": None for name in _BEYOND_FOUR}
        return replace(reading, **untold)

    def _split(
        self, times: dict[bytes, Times], now: float
    ) -> tuple[Split[float] | Split[None], Split[list[float]] | Split[None]]:
        """Where the time since the last sample went: of all processors, and core by core."""
        before, self._before = self._before, times
        ticks, self._split_at = (now - self._split_at) * _TICKS_PER_SECOND, now
        together = ticks * (len(times) - 1)
        whole = split(before[b"cpu"], times[b"cpu"], together) if before else None
        # A core that has just come has no past, and a shorter list would be that of others.
        if whole is None or not times.keys() <= before.keys():
            return whole or _UNKNOWN, _UNKNOWN
        return whole, by_core(
            [
                split(before[name], after, ticks) or _STILL
                for name, after in times.items()
                if name != b"cpu"
            ]
        )

    def _stat(self) -> tuple[dict[bytes, Times], dict[bytes, int]]:
        content = self.files.read("/proc/stat")
        times: dict[bytes, Times] = {}
        facts: dict[bytes, int] = {}
        unread: list[bytes] = []
        for line in content.splitlines():
            try:
                if line.startswith(b"cpu"):
                    if len(line) > _LONGEST_ROW:
                        raise ValueError("a number that is none")  # noqa: TRY301  # as int does
                    name, *numbers = line.split()
                    times[name] = Times.parse(numbers[:10])
                    self._told = len(numbers)
                else:
                    # `intr` and `softirq` go on with one number for every source: not split.
                    name, _, rest = line.partition(b" ")
                    number = rest.split(b" ", 1)[0]
                    if len(number) > _DIGITS:
                        raise ValueError("a number that is none")  # noqa: TRY301  # as int does
                    facts[name] = int(number)
            except ValueError as error:
                if line.startswith(b"cpu "):
                    raise SourceError(
                        f"not as man 5 proc_stat has it: {error}", path="/proc/stat"
                    ) from None
                unread.append(line[:20])
        if unread or "cpu.stat" in self.health:
            self.health["cpu.stat"] = (
                SourceError(f"lines not as man 5 proc_stat has them: {unread}", path="/proc/stat")
                if unread
                else None
            )
        if b"cpu" not in times:
            raise SourceError("no line for all processors", path="/proc/stat")
        return times, facts

    def _load(self) -> list[float]:
        content = self.files.read("/proc/loadavg")
        try:
            load = [float(word) for word in content.split()[:3]]
            if not all(0 <= each < _HIGHEST_LOAD for each in load):
                raise ValueError("a number that is none")  # noqa: TRY301  # as float does
            return load  # noqa: TRY300
        except ValueError:
            raise SourceError(f"no load averages: {content[:40]!r}", path="/proc/loadavg") from None

    def _look_at_speeds(self, online: Sequence[str]) -> None:
        speeds = self.part("frequency", lambda: self._clocks.read(online)) or {}
        if speeds:
            self.health["cpu.frequency"] = self._clocks.failure
        self._mean_mhz = sum(speeds.values()) / len(speeds) if speeds else None
        # One number may stand for all cores.
        told = all(name in speeds for name in online)
        self._per_core_mhz = [speeds[name] for name in online] if told else None

    def _look_at_topology(self) -> None:
        """Counts cores by their thread siblings, which one that is switched off does not tell.

        So what was known stays while no processor's folder goes.
        """
        names = cpufreq.cores(self.files)
        siblings: set[str] = set()
        for name in names:
            try:
                siblings.add(
                    self.files.text(
                        f"{cpufreq.DEVICES}/{name}/topology/thread_siblings_list", keep=False
                    )
                )
            except SourceError:
                continue
        folders, known = self._topology
        self._topology = (
            len(names),
            max(known, len(siblings)) if len(names) >= folders else len(siblings),
        )
