"""Evidence and signs, made from the readings of the subsystems themselves."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from publisher.contract.metric import Reading, fields_of
from publisher.contract.readings import EvidenceReading
from publisher.explain import inputs
from publisher.explain.inputs import Signs, Trouble, evidence, signs
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.cpu import CpuReading
from publisher.subsystems.disk.arrays import ArrayReading
from publisher.subsystems.disk.disk import DiskReading
from publisher.subsystems.disk.filesystems import FilesystemReading
from publisher.subsystems.gpu import GpuDeviceReading, GpuReading
from publisher.subsystems.memory import MemoryReading
from publisher.subsystems.power.power import PowerReading
from publisher.subsystems.thermal.sensors import FanReading, TemperatureReading
from publisher.subsystems.thermal.thermal import ThermalReading

READINGS = {cls.name: cls.reading for cls in SUBSYSTEMS}


def test_a_machine_without_senses_gives_no_evidence_and_no_signs() -> None:
    assert evidence({}) == EvidenceReading()
    assert signs({}) == Signs()


def test_evidence_is_what_the_subsystems_read() -> None:
    readings: dict[str, Reading] = {
        "cpu": CpuReading(usage_percent=70.0, pressure_some_percent=3.0),
        "memory": MemoryReading(used_percent=30.0),
        "disk": DiskReading(read_bytes_per_second=2e6, pressure_some_percent=8.0),
        "power": PowerReading(cpu_power_watts=40.0),
        "gpu": GpuReading(usage_percent=90.0, power_watts=200.0),
    }
    found = evidence(readings)
    assert (found.cpu_percent, found.memory_available_percent) == (70.0, 70.0)
    assert (found.pressure_cpu_percent, found.pressure_io_percent) == (3.0, 8.0)
    assert found.disk_bytes_per_second == 2e6
    assert found.network_bytes_per_second is None
    assert (found.gpu_power_watts, found.power_watts) == (200.0, 240.0)


def test_the_limit_of_the_cpu_is_that_of_the_sensor_that_measures_it() -> None:
    board = TemperatureReading(temperature_celsius=70.0, high_celsius=125.0)
    package = TemperatureReading(temperature_celsius=81.0, critical_celsius=100.0)
    thermal = ThermalReading(
        cpu_temperature_celsius=81.0,
        fan_speed_rpm=1200,
        temperatures={"board": board, "package": package},
    )
    found = evidence({"thermal": thermal})
    assert (found.cpu_temperature_limit_celsius, found.fan_speed_rpm) == (100.0, 1200)


def test_the_headroom_of_gpus_is_the_fewest_degrees_and_a_limit_of_zero_is_none() -> None:
    one = GpuDeviceReading(temperature_celsius=60.0, slowdown_temperature_celsius=90.0)
    other = GpuDeviceReading(
        temperature_celsius=70.0,
        slowdown_temperature_celsius=0.0,
        memory_temperature_celsius=80.0,
        memory_temperature_limit_celsius=95.0,
    )
    assert evidence({"gpu": GpuReading(devices={"a": one, "b": other})}).gpu_headroom_celsius == 15
    assert evidence({"gpu": GpuReading(devices={})}).gpu_headroom_celsius is None


def test_signs_tell_of_full_disks_and_of_what_arrays_do_to_themselves() -> None:
    disk = DiskReading(
        filesystems={
            "a": FilesystemReading(label="/", used_percent=97.0),
            "b": FilesystemReading(label="/media/cd", used_percent=100.0, read_only=True),
            "c": FilesystemReading(label="/srv"),
            "d": FilesystemReading(label="/mail", used_percent=9.0, inodes_used_percent=99.0),
            "e": FilesystemReading(label="/nas", state="not_answering"),
            "f": FilesystemReading(label="/var", state="failed", read_only=True),
            "g": FilesystemReading(label="/gone", state="failed"),
        },
        arrays={
            "md0": ArrayReading(kind="md", state="degraded", activity="recovery"),
            "tank": ArrayReading(kind="zfs", label="ta\nnk", state="ok", activity="scrub"),
            "md1": ArrayReading(kind="md", state="ok", activity="idle"),
        },
    )
    found = signs({"disk": disk, "memory": MemoryReading(oom_kills=2)})
    assert found.oom_kills == 2
    assert found.disk_used_percent == {"/": 97.0, "/mail": 9.0}
    assert found.inodes_used_percent == {"/mail": 99.0}
    assert found.filesystem_trouble == {
        "/nas": Trouble.SILENT, "/var": Trouble.READ_ONLY, "/gone": Trouble.FAILING,
    }  # fmt: skip
    assert [fault.words for fault in found.faults] == ["RAID array md0 lacks a disk"]
    assert found.upkeep == ("RAID rebuild (md0)", r"ZFS scrub (ta\nnk)")


def _dataset(source: str, used: int, left: int, **more: Any) -> FilesystemReading:
    return FilesystemReading(
        label=f"/{source}", type="zfs", source=source, used_bytes=used << 30,
        available_bytes=left << 30, used_percent=100 * used / (used + left), **more,
    )  # fmt: skip


def _space(*datasets: FilesystemReading) -> dict[str, int]:
    disk = DiskReading(filesystems={each.source or "": each for each in datasets})
    found = signs({"disk": disk}).disk_used_percent
    return {name: round(percent) for name, percent in found.items()}


def test_a_full_pool_is_told_once_however_many_datasets_it_has() -> None:
    assert _space(
        _dataset("tank", 990, 10),
        *(_dataset(f"tank/d{number}", 9, 10) for number in range(110)),
        _dataset("tank/quota", 4, 1),
        _dataset("backup", 1, 10),
    ) == {"/tank": 99, "/tank/quota": 80, "/backup": 9}


def test_datasets_whose_pool_is_not_mounted_are_full_together() -> None:
    assert _space(
        _dataset("rpool/ROOT/pve-1", 30, 10),
        _dataset("rpool/data", 50, 10),
        _dataset("rpool/data/disk", 40, 10),
    ) == {"/rpool/data": 89}


def test_signs_tell_of_fans_that_stand_still() -> None:
    fans = {
        "a/fan1": FanReading(label="fan1", chip="nct6798", kind="fan", stopped=True),
        "a/pump": FanReading(label="p\nump", chip="z53", kind="pump", stopped=True),
        "a/fan2": FanReading(label="fan2", chip="nct6798", kind="fan", stopped=False),
        "a/fan3": FanReading(label="fan3", chip="nct6798", kind="fan"),
    }
    found = signs({"thermal": ThermalReading(fans=fans)})
    assert found.fans_stopped == {"fan1 (nct6798)": False, r"p\nump (z53)": True}


def test_every_field_that_is_looked_up_by_name_is_declared() -> None:
    """A field that was renamed would else be unknown from then on, and nothing would say so."""
    declared = {leaf: {field.name for field in fields_of(cls)} for leaf, cls in READINGS.items()}
    source = ast.parse(Path(inputs.__file__).read_text())
    asked = [
        [
            node.value
            for node in call.args
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        for call in ast.walk(source)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("_value", "_sum")
    ]
    found = [(leaf, name) for leaf, *names in filter(None, asked) for name in names]
    assert len(found) > 15
    assert [(leaf, name) for leaf, name in found if name not in declared[leaf]] == []


def test_what_looks_for_faults_may_be_paused_and_what_mends_may_not() -> None:
    def pauses(*arrays: ArrayReading) -> tuple[str, ...]:
        named = {str(place): array for place, array in enumerate(arrays)}
        return signs({"disk": DiskReading(arrays=named)}).pauses

    assert pauses(
        ArrayReading(label="md0", kind="md", activity="check"),
        ArrayReading(label="tank", kind="zfs", activity="scrub"),
        ArrayReading(label="/srv/data", kind="btrfs", activity="scrub"),
    ) == ("mdadm --action=idle /dev/md0", "zpool scrub -p tank", "btrfs scrub cancel /srv/data")
    assert (
        pauses(
            ArrayReading(label="md0", kind="md", activity="recovery"),
            ArrayReading(label="tank", kind="zfs", activity="recovery"),
            ArrayReading(label="data", kind="btrfs", activity="scrub"),  # a name is no mount point
            ArrayReading(label="/a b; reboot", kind="btrfs", activity="scrub"),
            ArrayReading(label="-rf", kind="zfs", activity="scrub"),
        )
        == ()
    )
