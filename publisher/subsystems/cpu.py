"""CPU: how busy the processors are and with what, how fast they run, who waits for them.

Sources: ``/proc/stat`` and ``/proc/loadavg`` (man 5 proc_stat, proc_loadavg), cpufreq in
``/sys/devices/system/cpu`` (kernel documentation, admin-guide/pm/cpufreq), ``/proc/pressure/cpu``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from publisher.contract.metric import Reading, Unit, gauge, reading, records
from publisher.contract.readings import ConsumerReading
from publisher.errors import AbsentError, SourceError
from publisher.sources import Sources
from publisher.subsystems.base import Rates, Subsystem
from publisher.subsystems.pressure import Pressure

_DEVICES = "/sys/devices/system/cpu"
# The speed of a core is worth a look now and then, not a wake-up of every core each sample.
_FREQUENCY_PERIOD = 10.0

# Times that only Linux tells apart from the four that every system has.
_FOUR = 4
_BEYOND_FOUR = ("iowait", "irq", "steal", "guest")


@reading
class CpuReading(Reading):
    """The processors, all together and one by one."""

    usage_percent: float | None = gauge(
        "Usage",
        "Time in which the processors worked, of all the time there was; waiting for I/O is idle.",
        unit=Unit.PERCENT, precision=1, deadband=5, headline=True, enabled=True, icon="mdi:chip",
    )  # fmt: skip
    user_percent: float | None = gauge(
        "User", "Time in user programs, niced ones too, guests left out.",
        unit=Unit.PERCENT, precision=1,
    )  # fmt: skip
    system_percent: float | None = gauge(
        "System", "Time in the kernel on behalf of programs.", unit=Unit.PERCENT, precision=1
    )
    iowait_percent: float | None = gauge(
        "I/O wait", "Idle time with I/O outstanding.", unit=Unit.PERCENT, precision=1, deadband=10
    )
    irq_percent: float | None = gauge(
        "Interrupt time",
        "Time in hardware and software interrupts.",
        unit=Unit.PERCENT,
        precision=1,
    )
    steal_percent: float | None = gauge(
        "Steal", "Time that the hypervisor gave to others.",
        unit=Unit.PERCENT, precision=1, deadband=10,
    )  # fmt: skip
    guest_percent: float | None = gauge(
        "Guest", "Time in virtual machines that run here.", unit=Unit.PERCENT, precision=1
    )
    per_core_percent: list[float] | None = gauge(
        "Usage by core", "Usage of each logical core, in the kernel's order.",
        unit=Unit.PERCENT, precision=0,
    )  # fmt: skip
    per_core_user_percent: list[float] | None = gauge(
        "User by core", "User time of each core.", unit=Unit.PERCENT, precision=0
    )
    per_core_system_percent: list[float] | None = gauge(
        "System by core", "Kernel time of each core.", unit=Unit.PERCENT, precision=0
    )
    per_core_iowait_percent: list[float] | None = gauge(
        "I/O wait by core", "I/O wait of each core.", unit=Unit.PERCENT, precision=0
    )
    per_core_irq_percent: list[float] | None = gauge(
        "Interrupts by core", "Interrupt time of each core.", unit=Unit.PERCENT, precision=0
    )
    per_core_steal_percent: list[float] | None = gauge(
        "Steal by core", "Stolen time of each core.", unit=Unit.PERCENT, precision=0
    )
    per_core_guest_percent: list[float] | None = gauge(
        "Guest by core", "Guest time of each core.", unit=Unit.PERCENT, precision=0
    )
    physical_cores: int | None = gauge(
        "Physical cores", "Processor cores that are there.", deadband=1, diagnostic=True
    )
    logical_cores: int | None = gauge(
        "Logical cores", "Processors that the kernel schedules on.", deadband=1, diagnostic=True
    )
    frequency_mhz: float | None = gauge(
        "Frequency", "Mean speed of the cores.", unit=Unit.MEGAHERTZ, precision=0
    )
    frequency_min_mhz: float | None = gauge(
        "Lowest frequency", "Slowest speed the hardware offers.",
        unit=Unit.MEGAHERTZ, precision=0, diagnostic=True,
    )  # fmt: skip
    frequency_max_mhz: float | None = gauge(
        "Highest frequency", "Fastest speed the hardware offers.",
        unit=Unit.MEGAHERTZ, precision=0, diagnostic=True,
    )  # fmt: skip
    per_core_frequency_mhz: list[float] | None = gauge(
        "Frequency by core", "Speed of each core.", unit=Unit.MEGAHERTZ, precision=0
    )
    load_average: list[float] | None = gauge(
        "Load average", "Tasks that ran or waited, over 1, 5 and 15 minutes.", precision=2
    )
    running_tasks: int | None = gauge(
        "Running", "Tasks that run or could run now, fanwhy left out."
    )
    blocked_tasks: int | None = gauge(
        "Blocked", "Tasks that wait for I/O and cannot be interrupted."
    )
    context_switches_per_second: float | None = gauge(
        "Context switches", "Switches between tasks.", unit=Unit.PER_SECOND, precision=0
    )
    interrupts_per_second: float | None = gauge(
        "Interrupts", "Hardware interrupts served.", unit=Unit.PER_SECOND, precision=0
    )
    forks_per_second: float | None = gauge(
        "Forks", "Processes and threads begun.", unit=Unit.PER_SECOND, precision=1
    )
    pressure_some_percent: float | None = gauge(
        "Pressure", "Time in which some task waited for a processor.",
        unit=Unit.PERCENT, precision=1, deadband=10,
    )  # fmt: skip
    top: tuple[ConsumerReading, ...] = records(
        ConsumerReading, "Top", "Who uses the most CPU time."
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


@dataclass(frozen=True, slots=True)
class Shares:
    """Where the time between two ``Times`` went, in percent of all of it."""

    usage: float
    user: float
    system: float
    iowait: float
    irq: float
    steal: float
    guest: float

    @classmethod
    def between(cls, before: Times, after: Times) -> Shares | None:
        """``None`` when no time has passed.

        ``idle`` and ``iowait`` may run backwards by a tick (man 5 proc_stat): taken as no time.
        """
        user = max(after.user - before.user, 0)
        system = max(after.system - before.system, 0)
        idle = max(after.idle - before.idle, 0)
        iowait = max(after.iowait - before.iowait, 0)
        irq = max(after.irq - before.irq, 0)
        steal = max(after.steal - before.steal, 0)
        guest = max(after.guest - before.guest, 0)
        busy = user + system + irq + guest
        total = busy + idle + iowait + steal
        if total <= 0:
            return None
        unit = 100 / total
        return cls(
            busy * unit, user * unit, system * unit, iowait * unit,
            irq * unit, steal * unit, guest * unit,
        )  # fmt: skip


class Cpu(Subsystem):
    name = "cpu"
    reading = CpuReading
    top_by = "cpu_percent"

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._rates = Rates()
        self._pressure = Pressure(self, "cpu")
        self._before: dict[bytes, Times] = {}
        self._frequencies: list[float] | None = None
        self._frequencies_at = float("-inf")
        self._limits: tuple[float | None, float | None] = (None, None)
        self._physical: int | None = None
        self._told = 0  # numbers in a line of times

    def read(self) -> CpuReading:
        now = self.sources.monotonic()
        times, facts = self._stat()
        shares = {
            name: share
            for name, after in times.items()
            if (before := self._before.get(name)) and (share := Shares.between(before, after))
        }
        self._before = times
        whole = shares.pop(b"cpu", None)
        cores = list(shares.values())
        load = self.part("load", self._load)
        running = facts.get(b"procs_running")
        self._look_at_frequencies(now)
        mhz = self._frequencies
        some, _ = self._pressure.read(now)
        if self._physical is None:
            self._physical = self._count_physical() or None
        reading = CpuReading(
            usage_percent=whole.usage if whole else None,
            user_percent=whole.user if whole else None,
            system_percent=whole.system if whole else None,
            iowait_percent=whole.iowait if whole else None,
            irq_percent=whole.irq if whole else None,
            steal_percent=whole.steal if whole else None,
            guest_percent=whole.guest if whole else None,
            per_core_percent=[core.usage for core in cores] or None,
            per_core_user_percent=[core.user for core in cores] or None,
            per_core_system_percent=[core.system for core in cores] or None,
            per_core_iowait_percent=[core.iowait for core in cores] or None,
            per_core_irq_percent=[core.irq for core in cores] or None,
            per_core_steal_percent=[core.steal for core in cores] or None,
            per_core_guest_percent=[core.guest for core in cores] or None,
            physical_cores=self._physical,
            logical_cores=len(times) - 1,
            frequency_mhz=sum(mhz) / len(mhz) if mhz else None,
            frequency_min_mhz=self._limits[0],
            frequency_max_mhz=self._limits[1],
            # One number may stand for all cores.
            per_core_frequency_mhz=mhz if mhz and len(mhz) == len(times) - 1 else None,
            load_average=load,
            running_tasks=None if running is None else max(running - 1, 0),
            blocked_tasks=facts.get(b"procs_blocked"),
            context_switches_per_second=self._rates.per_second("ctxt", facts.get(b"ctxt"), now),
            interrupts_per_second=self._rates.per_second("intr", facts.get(b"intr"), now),
            forks_per_second=self._rates.per_second("processes", facts.get(b"processes"), now),
            pressure_some_percent=some,
        )
        return self._without_untold(reading) if self._told <= _FOUR else reading

    def _without_untold(self, reading: CpuReading) -> CpuReading:
        """Leaves out the times that this system does not tell apart: they are unknown, not 0."""
        untold: dict[str, Any] = {f"{name}_percent": None for name in _BEYOND_FOUR}
        untold |= {f"per_core_{name}_percent": None for name in _BEYOND_FOUR}
        return replace(reading, **untold)

    def _stat(self) -> tuple[dict[bytes, Times], dict[bytes, int]]:
        content = self.files.read("/proc/stat")
        times: dict[bytes, Times] = {}
        facts: dict[bytes, int] = {}
        try:
            for line in content.splitlines():
                if line.startswith(b"cpu"):
                    name, *numbers = line.split()
                    times[name] = Times.parse(numbers[:10])
                    self._told = len(numbers)
                else:
                    # `intr` and `softirq` go on with one number for every source: not split.
                    name, _, rest = line.partition(b" ")
                    facts[name] = int(rest.split(b" ", 1)[0])
        except ValueError as error:
            raise SourceError(
                f"not as man 5 proc_stat has it: {error}", path="/proc/stat"
            ) from None
        if b"cpu" not in times:
            raise SourceError("no line for all processors", path="/proc/stat")
        return times, facts

    def _load(self) -> list[float]:
        content = self.files.read("/proc/loadavg")
        try:
            return [float(word) for word in content.split()[:3]]
        except ValueError:
            raise SourceError(f"no load averages: {content[:40]!r}", path="/proc/loadavg") from None

    def _look_at_frequencies(self, now: float) -> None:
        if now - self._frequencies_at >= _FREQUENCY_PERIOD:
            self._frequencies_at = now
            self._frequencies = self.part("frequency", self._read_frequencies)

    def _read_frequencies(self) -> list[float]:
        policies = [f"{_DEVICES}/{name}/cpufreq" for name in self._core_names()]
        found = [
            self.files.integer(f"{policy}/scaling_cur_freq") / 1000
            for policy in policies
            if self.files.exists(f"{policy}/scaling_cur_freq")
        ]
        if found:
            if self._limits == (None, None):
                self._limits = (
                    self._limit(policies[0], "cpuinfo_min_freq"),
                    self._limit(policies[0], "cpuinfo_max_freq"),
                )
            return found
        found = [
            float(line.rpartition(b":")[2])
            for line in self.files.read("/proc/cpuinfo").splitlines()
            if line.startswith(b"cpu MHz")
        ]
        if not found:
            raise AbsentError(
                "the kernel tells no clock of the cores", path=f"{_DEVICES}/cpu0/cpufreq"
            )
        return found

    def _limit(self, policy: str, name: str) -> float | None:
        try:
            return self.files.integer(f"{policy}/{name}") / 1000
        except SourceError:
            return None

    def _core_names(self) -> list[str]:
        names = [
            name for name in self.files.names(_DEVICES) if name[:3] == "cpu" and name[3:].isdigit()
        ]
        return sorted(names, key=lambda name: int(name[3:]))

    def _count_physical(self) -> int:
        """Cores by their thread siblings; 0 when the kernel does not tell."""
        siblings: set[str] = set()
        for name in self._core_names():
            try:
                siblings.add(self.files.text(f"{_DEVICES}/{name}/topology/thread_siblings_list"))
            except SourceError:
                continue
        return len(siblings)
