"""CPU: cores that come and go, lines that cannot be read; its values are in tests/fixtures/cpu."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.sources import Sources
from publisher.sources.recording import Captured
from publisher.subsystems.cpu import Cpu, CpuReading


class Machine:
    """A machine whose cores have worked and slept as a test says, in ticks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "proc/pressure").mkdir(parents=True)
        self.now = 100.0
        self.cpu = Cpu(Sources(files=Captured(root), monotonic=lambda: self.now))

    def put(self, path: str, content: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)

    def stat(self, *more: str, **cores: tuple[int, int]) -> None:
        lines = {f"{name} {user} 0 0 {idle} 0 0 0 0 0 0" for name, (user, idle) in cores.items()}
        whole = [sum(times) for times in zip(*cores.values(), strict=True)]
        text = [f"cpu  {whole[0]} 0 0 {whole[1]} 0 0 0 0 0 0", *sorted(lines), *more]
        self.put("proc/stat", "\n".join(text) + "\n")

    def core(self, number: int, siblings: str) -> None:
        folder = f"sys/devices/system/cpu/cpu{number}"
        self.put(f"{folder}/topology/thread_siblings_list", siblings)

    def read(self, after: float = 2.0) -> CpuReading:
        self.now += after
        return self.cpu.read()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_core_that_comes_is_not_taken_for_another(machine: Machine) -> None:
    machine.stat(cpu0=(0, 0), cpu2=(0, 0))
    machine.read(after=1.0)
    machine.stat(cpu0=(0, 100), cpu1=(50, 50), cpu2=(100, 100))

    assert machine.read(after=1.0).per_core_percent is None

    machine.stat(cpu0=(0, 200), cpu1=(150, 50), cpu2=(150, 150))
    assert machine.read(after=1.0).per_core_percent == [0, 100, 50]


def test_a_core_whose_times_stand_still_sleeps(machine: Machine) -> None:
    machine.stat(cpu0=(0, 0), cpu1=(7, 7), cpu2=(0, 0))
    machine.read(after=1.0)
    machine.stat(cpu0=(100, 0), cpu1=(7, 7), cpu2=(50, 50))

    assert machine.read(after=1.0).per_core_percent == [100, 0, 50]


def test_a_core_that_is_switched_off_and_on_again(machine: Machine) -> None:
    for number in range(3):
        machine.core(number, str(number))
    machine.stat(cpu0=(0, 0), cpu1=(0, 0), cpu2=(0, 0))
    assert machine.read(after=1.0).physical_cores == 3

    (machine.root / "sys/devices/system/cpu/cpu1/topology/thread_siblings_list").unlink()
    machine.stat(cpu0=(100, 0), cpu2=(100, 0))
    reading = machine.read(after=1.0)
    assert (reading.physical_cores, reading.logical_cores) == (3, 2)
    assert reading.per_core_percent == [100, 100]

    machine.core(1, "1")
    machine.core(3, "3")  # a virtual machine gets one more
    machine.stat(cpu0=(200, 0), cpu1=(0, 9), cpu2=(200, 0), cpu3=(0, 9))
    reading = machine.read(after=1.0)
    assert (reading.physical_cores, reading.logical_cores) == (4, 4)


def test_a_line_that_cannot_be_read_is_left_out_alone(machine: Machine) -> None:
    machine.stat("intr 5", "ctxt 100", "procs_blocked 1", cpu0=(0, 0), cpu1=(0, 0))
    machine.read()
    machine.stat("intr many", "ctxt 300", "procs_blocked 1", cpu0=(50, 50), cpu1=(100, 0))
    text = (machine.root / "proc/stat").read_text().replace("cpu1 100", "cpu1 x")
    machine.put("proc/stat", text)
    reading = machine.read()

    assert reading.usage_percent == 75
    assert reading.interrupts_per_second is None
    assert reading.context_switches_per_second == 100
    assert reading.blocked_tasks == 1
    assert "cpu1 x" in str(machine.cpu.health["cpu.stat"])

    machine.stat("intr 9", "ctxt 300", cpu0=(60, 60), cpu1=(110, 0))
    machine.read()
    assert machine.cpu.health["cpu.stat"] is None


def test_clocks_are_those_of_the_cores_that_are_on(machine: Machine) -> None:
    for number, speed in enumerate((1_000_000, 2_000_000, 3_000_000)):
        machine.put(f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_cur_freq", f"{speed}\n")
    machine.stat(cpu0=(0, 0), cpu2=(0, 0))

    reading = machine.read()

    assert reading.per_core_frequency_mhz == [1000, 3000]


@pytest.mark.parametrize(
    ("content", "some"),
    [
        ("some avg10=0.00 total=500000\nfull avg10=0.00 total=0\n", 25.0),
        ("some avg10=0.00 total=500000\nfull nonsense\n", 25.0),
        ("some avg10=0.00 total=500000\n", 25.0),
        ("full avg10=0.00 total=500000\n", None),
    ],
)
def test_a_line_of_pressure_needs_no_other(
    machine: Machine, content: str, some: float | None
) -> None:
    machine.stat(cpu0=(0, 0))
    machine.put("proc/pressure/cpu", content.replace("500000", "0"))
    machine.read()
    machine.put("proc/pressure/cpu", content)

    assert machine.read().pressure_some_percent == some


@pytest.mark.parametrize("idle", [8317131874320235395, 89_000])
def test_idle_time_that_stands_still_or_sinks_is_reckoned(machine: Machine, idle: int) -> None:
    """As lxcfs tells it in some containers: they looked busy all the time."""
    machine.stat(cpu0=(1000, max(idle, 90_000)), cpu1=(1000, 500))
    machine.read()
    machine.stat(cpu0=(1020, idle), cpu1=(1000, 700))
    reading = machine.read()

    assert reading.per_core_percent == pytest.approx([10.0, 0.0])
    machine.stat(cpu0=(1220, idle), cpu1=(1200, 700))
    reading = machine.read()
    assert (reading.usage_percent, reading.per_core_percent) == (100.0, [100.0, 100.0])


def test_a_container_of_one_core_whose_idle_time_sinks_is_not_busy(machine: Machine) -> None:
    machine.stat(cpu0=(1000, 90_000))
    machine.read()
    machine.stat(cpu0=(1010, 89_000))
    assert machine.read().usage_percent == pytest.approx(5.0)
