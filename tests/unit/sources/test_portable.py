"""Machines of which psutil tells: its answers as they are on macOS and Windows, and what they give.

The answers are made up after psutil's documentation; nobody has run this on either system.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from publisher.contract.metric import Reading
from publisher.daemon.self_metrics import SelfMetrics
from publisher.errors import AbsentError
from publisher.ledger import LedgerSettings, open_ledger
from publisher.sources import Sources, block, identity, interfaces, machine_files, mounts, supplies
from publisher.sources.files import KernelFiles
from publisher.sources.load_probe import LoadProbe
from publisher.sources.portable import PortableFiles
from publisher.subsystems.cpu import Cpu, CpuReading
from publisher.subsystems.disk import disk
from publisher.subsystems.disk.disk import DiskReading
from publisher.subsystems.memory import Memory, MemoryReading
from publisher.subsystems.network import Network, NetworkReading
from publisher.subsystems.power.power import Power, PowerReading
from publisher.subsystems.thermal.thermal import Thermal

GIB = 1 << 30
MAC_DISK = {
    "read_count": 10,
    "write_count": 20,
    "read_bytes": 4096,
    "write_bytes": 8192,
    "read_time": 3,
    "write_time": 4,
}


def some(**values: Any) -> SimpleNamespace:
    return SimpleNamespace(**values)


class Fake:
    """psutil on a machine with two cores, one disk with parts, a card, and a battery."""

    AF_LINK = 18
    NIC_DUPLEX_FULL, NIC_DUPLEX_HALF, NIC_DUPLEX_UNKNOWN = 2, 1, 0

    def __init__(self, times: Callable[[float], Any]) -> None:
        self.worked = 100.0
        self.written = 8192
        self.battery: Any = some(percent=80, secsleft=3600, power_plugged=False)
        self._times = times

    def cpu_times(self, percpu: bool = False) -> Any:
        return [self._times(self.worked / 2)] * 2 if percpu else self._times(self.worked)

    def cpu_count(self, logical: bool = True) -> int:
        return 2 if logical else 1

    def cpu_freq(self, percpu: bool = False) -> list[Any]:
        return [some(current=3200.0, min=600.0, max=3200.0)]

    def cpu_stats(self) -> Any:
        return some(ctx_switches=5000, interrupts=6000)

    def getloadavg(self) -> tuple[float, float, float]:
        return (1.0, 0.5, 0.25)

    def boot_time(self) -> float:
        return 1.7e9

    def virtual_memory(self) -> Any:
        return some(total=8 * GIB, available=6 * GIB, free=4 * GIB)

    def swap_memory(self) -> Any:
        return some(total=2 * GIB, free=GIB, sin=1 << 30, sout=1 << 30)

    def pid_exists(self, pid: int) -> bool:
        return pid == os.getpid()

    def Process(self) -> Any:  # noqa: N802  # psutil's name
        return some(memory_info=lambda: some(rss=50 << 20))

    def disk_io_counters(self, perdisk: bool = False) -> dict[str, Any]:
        whole = some(**{**MAC_DISK, "write_bytes": self.written})
        return {"disk0": whole, "disk0s1": whole, "disk10": whole}

    def disk_partitions(self, **_: bool) -> list[Any]:
        def part(point: str, opts: str, device: str) -> Any:
            return some(device=device, mountpoint=point, fstype="apfs", opts=opts)

        return [
            part("/", "ro,local,rootfs", "/dev/disk3s1s1"),
            part("/System/Volumes/VM", "rw,dontbrowse", "/dev/disk3s6"),
            part("/System/Volumes/Data", "rw,dontbrowse", "/dev/disk3s5"),
            part("/Volumes/My Disk\\1", "rw", "/dev/disk4s1"),
        ]

    def disk_usage(self, path: str) -> Any:
        return some(total=100 * GIB, used=25 * GIB, free=75 * GIB)

    def net_io_counters(self, pernic: bool = False) -> dict[str, Any]:
        told = some(
            bytes_recv=1,
            packets_recv=2,
            errin=3,
            dropin=4,
            bytes_sent=5,
            packets_sent=6,
            errout=7,
            dropout=0,
        )
        return {"lo0": told, "en0": told, "awdl0": told}

    def net_if_addrs(self) -> dict[str, list[Any]]:
        return {name: [some(family=18, address="00:00:5e:00:53:01")] for name in ("en0", "awdl0")}

    def net_if_stats(self) -> dict[str, Any]:
        return {
            "lo0": some(isup=True, speed=0, duplex=0, flags="up,loopback,running"),
            "en0": some(isup=True, speed=1000, duplex=2, flags="up,running"),
            "awdl0": some(isup=False, speed=0, duplex=0, flags=""),
        }

    def sensors_battery(self) -> Any:
        return self.battery


@pytest.fixture
def mac() -> Fake:
    def times(worked: float) -> Any:
        return some(user=worked * 0.75, nice=0.0, system=worked * 0.25, idle=1000.0)

    return Fake(times)


@pytest.fixture
def windows() -> Fake:
    def times(worked: float) -> Any:
        system = worked * 0.25  # interrupts and deferred calls are part of it
        return some(user=worked * 0.75, system=system, idle=1000.0, interrupt=9.0, dpc=9.0)

    return Fake(times)


def sources(files: KernelFiles) -> Sources:
    moments = iter(range(0, 100_000, 10))
    return Sources(files=files, monotonic=lambda: float(next(moments)), nut=None)


def read_twice(
    monkeypatch: pytest.MonkeyPatch, made: Any, between: Callable[[], None] = lambda: None
) -> Reading:
    """Two readings, none of what was told for the first one being kept for the second."""
    monkeypatch.setattr("publisher.sources.portable._FRESH_SECONDS", 0.0)
    made.read()
    between()
    reading: Reading = made.read()
    made.close()
    return reading


def test_on_linux_the_kernel_itself_is_asked_and_psutil_not_loaded() -> None:
    program = (
        "import sys; from publisher.sources import machine_files; f = machine_files();"
        "print(f.foreign, type(f).__name__, 'psutil' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b" KernelFiles False\n"
    assert machine_files("/host").root == "/host"


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_processors(system: str, mac: Fake, windows: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = mac if system == "darwin" else windows
    cpu = Cpu(sources(PortableFiles(machine, system)))

    def work() -> None:
        machine.worked += 100

    reading = read_twice(monkeypatch, cpu, work)
    assert isinstance(reading, CpuReading)
    assert reading.usage_percent == 100
    assert reading.user_percent == pytest.approx(75)
    assert reading.logical_cores == 2
    assert reading.physical_cores == 1
    assert reading.frequency_mhz == 3200
    assert reading.load_average == [1.0, 0.5, 0.25]
    assert reading.context_switches_per_second == 0
    # Unknown, not 0.
    assert reading.iowait_percent is reading.irq_percent is reading.steal_percent is None
    assert reading.guest_percent is None
    assert reading.per_core_iowait_percent is None
    assert reading.running_tasks is reading.blocked_tasks is reading.forks_per_second is None
    assert reading.per_core_frequency_mhz is None  # one number for both cores
    reasons = {name: str(error) for name, error in cpu.health.items() if error}
    name = {"darwin": "macOS", "win32": "Windows"}[system]
    assert reasons == {
        "cpu.tasks": f"on {name} psutil does not tell how many tasks run, wait or begin",
        "cpu.times": f"on {name} psutil does not tell the time of I/O wait, interrupts, "
        "hypervisor and guests",
        "cpu.pressure": f"on {name} psutil does not tell for how long tasks wait",
    }


def test_a_load_of_which_windows_says_nothing_yet_is_absent(windows: Fake) -> None:
    windows.getloadavg = lambda: (0.0, 0.0, 0.0)  # type: ignore[method-assign]
    with pytest.raises(AbsentError, match="on Windows psutil does not tell the load"):
        PortableFiles(windows, "win32").read("/proc/loadavg")


def test_the_load_is_felt_between_samples(mac: Fake) -> None:
    probe = LoadProbe(PortableFiles(mac, "darwin"))
    assert probe.busy_cores(0.0) is None
    mac.worked += 1.0
    assert probe.busy_cores(0.5) == pytest.approx(2.0, abs=0.05)


def test_memory(mac: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(sources(PortableFiles(mac, "darwin")))
    reading = read_twice(monkeypatch, memory)
    assert isinstance(reading, MemoryReading)
    assert reading.used_percent == 25
    assert reading.swap_used_percent == 50
    assert reading.cached_bytes is reading.buffers_bytes is reading.oom_kills is None
    assert reading.swap_in_bytes_per_second is None
    assert "what is swapped" in str(memory.health["memory.vmstat"])


def test_disks_and_file_systems(mac: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "statvfs")  # as on Windows: psutil tells the space
    watched = disk.Disk(sources(PortableFiles(mac, "darwin")))

    def work() -> None:
        mac.written += 1 << 20

    reading = read_twice(monkeypatch, watched, work)
    assert isinstance(reading, DiskReading)
    assert set(reading.devices) == {"disk0", "disk10"}  # one is no part of the other
    device = reading.devices["disk0"]
    assert device.write_bytes_per_second is not None
    assert device.write_bytes_per_second > 0
    assert device.busy_percent is device.queue_depth is device.size_bytes is None
    assert {each.label for each in reading.filesystems.values()} == {
        "/",
        "/System/Volumes/Data",
        "/Volumes/My Disk\\1",
    }
    assert reading.fullest_percent == 25
    assert {name for name, error in watched.health.items() if error} == {
        "disk.busy",
        "disk.pressure",
        "disk.queue",
        "disk.size",
        "disk.smart",
    }


def test_a_disk_at_rest_has_no_busy_time_where_none_is_counted(
    mac: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = read_twice(monkeypatch, disk.Disk(sources(PortableFiles(mac, "darwin"))))
    assert isinstance(reading, DiskReading)
    assert reading.devices["disk0"].write_bytes_per_second == 0
    assert reading.devices["disk0"].busy_percent is None
    assert reading.busy_percent is None


def test_drives_of_windows(windows: Fake) -> None:
    drive = some(device="C:\\", mountpoint="C:\\", fstype="NTFS", opts="rw,fixed")
    windows.disk_partitions = lambda **_: [drive]  # type: ignore[method-assign]
    files = PortableFiles(windows, "win32")
    (mount,) = mounts.data(mounts.parse(mounts.table(files)))
    assert (mount.point, mount.type, mount.source) == ("C:\\", "ntfs", "C:\\")


def test_network(mac: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(sources(PortableFiles(mac, "darwin")))
    reading = read_twice(monkeypatch, network)
    assert isinstance(reading, NetworkReading)
    assert set(reading.interfaces) == {"en0"}
    card = reading.interfaces["en0"]
    assert (card.state, card.speed_megabits_per_second, card.duplex) == ("up", 1000, "full")
    assert reading.active_connections is None
    assert "how many connections" in str(network.health["network.connections"])


def test_packets_thrown_away_unsent_are_unknown_where_nobody_counts_them(
    mac: Fake, windows: Fake
) -> None:
    for machine, system, drops in ((mac, "darwin", None), (windows, "win32", 0)):
        content = PortableFiles(machine, system).read("/proc/net/dev")
        traffic = interfaces.traffic(interfaces.lines(content)["en0"])
        assert traffic.send_drops == drops
        assert (traffic.received_bytes, traffic.send_errors) == (1, 7)


def test_a_battery(mac: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = read_twice(monkeypatch, Power(sources(PortableFiles(mac, "darwin"))))
    assert isinstance(reading, PowerReading)
    assert reading.on_battery is True
    assert reading.battery_percent == 80
    assert reading.supplies["supply/battery"].remaining_seconds == 3600
    assert reading.supplies["supply/mains"].online is False


def test_a_battery_that_is_charged_has_no_time_left_to_tell(mac: Fake) -> None:
    mac.battery = some(percent=100, secsleft=-2, power_plugged=True)  # POWER_TIME_UNLIMITED
    (battery, mains), _ = supplies.read(PortableFiles(mac, "darwin"))
    assert battery.word("STATUS") == "Full"
    assert battery.number("TIME_TO_EMPTY_NOW") is None
    assert mains.number("ONLINE") == 1


def test_where_psutil_has_no_sensors_heat_and_power_are_absent_and_why_is_said(
    mac: Fake,
) -> None:
    mac.battery = None
    place = sources(PortableFiles(mac, "darwin"))
    with pytest.raises(AbsentError, match="no sensor") as heat:
        Thermal(place).read()
    assert heat.value.remedy == "on macOS psutil reads none"
    with pytest.raises(AbsentError, match="no battery"):
        Power(place).read()


def test_sensors_where_psutil_has_them(mac: Fake) -> None:
    sensor = some(label="Core 0", current=51.5, high=90.0, critical=None)
    mac.sensors_temperatures = lambda: {"coretemp": [sensor]}  # type: ignore[attr-defined]
    mac.sensors_fans = lambda: {"coretemp": [some(label="", current=900)]}  # type: ignore[attr-defined]
    reading = Thermal(sources(PortableFiles(mac, "freebsd14"))).read()
    assert reading.cpu_temperature_celsius == 51.5
    assert reading.fan_speed_rpm == 900
    (temperature,) = reading.temperatures.values()
    assert (temperature.label, temperature.high_celsius) == ("Core 0", 90.0)
    assert temperature.critical_celsius is None


def test_what_fails_is_absent_and_the_rest_is_told(mac: Fake) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise RuntimeError("no performance counters")

    mac.swap_memory = mac.cpu_freq = mac.sensors_battery = fail  # type: ignore[method-assign]
    files = PortableFiles(mac, "win32")
    memory = Memory(sources(files)).read()
    assert memory.used_percent == 25
    assert memory.swap_total_bytes is None
    cpu = Cpu(sources(files)).read()
    assert cpu.frequency_mhz is None
    assert files.names(supplies.CLASS) == []


def test_who_the_machine_is(mac: Fake) -> None:
    files = PortableFiles(mac, "darwin")
    told = identity.describe(files)
    assert told.memory_total_bytes == 8 * GIB
    assert told.physical_cores == 1
    assert told.boot_time == "2023-11-14T22:13:20.000Z"


def test_its_own_memory(mac: Fake) -> None:
    own = SelfMetrics(PortableFiles(mac, "darwin"))
    reading = own.read(0.0, messages=0, payload_bytes=0, connections=0)
    assert reading.memory_bytes == 50 << 20


def test_names_and_places(mac: Fake) -> None:
    files = PortableFiles(mac, "darwin")
    assert files.names("/sys/class/net") == ["awdl0", "en0", "lo0"]
    assert files.names("/sys/devices/system/cpu/cpu0") == ["topology"]
    assert files.exists(f"/proc/{os.getpid()}")
    assert not files.exists("/proc/4194305")
    assert files.names("/sys/bus") == files.names("/proc") == []
    assert files.exists("/sys/block/disk0/stat")
    assert not files.exists("/sys/block/disk0/queue")
    assert not files.exists("/sys/block/disk9")
    assert files.link("/sys/block/disk0") == "/sys/block/disk0"
    assert files.link("/sys/class/net/en0/device") is None
    assert [one.name for one in block.disks(files)] == ["disk0", "disk10"]


def test_the_ledger_does_without_the_kernels_process_table() -> None:
    ledger = open_ledger(sources(PortableFiles()), LedgerSettings(attribution="off"))
    try:
        assert ledger.sample() is None
        assert isinstance(ledger.health["ledger.clocks"], AbsentError)
        assert "which container" in str(ledger.health["ledger.units"])
        balance = ledger.sample()
        assert balance is not None
        # Unknown, not 0.
        assert all(account.wait_seconds is None for account in balance.accounts)
    finally:
        ledger.close()
