"""What the verdict is made from besides the ledger: evidence and signs, out of the readings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from publisher.contract.metric import Reading
from publisher.contract.printable import printable
from publisher.contract.readings import EvidenceReading
from publisher.explain.faults import Fault, faults, volumes_filling

# So far apart may what datasets of one pool are told to have left.
_NEAR_BYTES: Final = 256 << 20
# What arrays do to themselves, by kind and activity.
_UPKEEP: Final = {
    ("md", "check"): "RAID check",
    ("md", "resync"): "RAID resync",
    ("md", "recovery"): "RAID rebuild",
    ("md", "repair"): "RAID repair",
    ("md", "reshape"): "RAID reshape",
    ("unraid", "check"): "Parity check",
    ("unraid", "resync"): "Parity sync",
    ("unraid", "recovery"): "Array rebuild",
    ("zfs", "scrub"): "ZFS scrub",
    ("zfs", "recovery"): "ZFS resilver",
    ("btrfs", "scrub"): "btrfs scrub",
    ("btrfs", "reshape"): "btrfs balance",
    ("lvm", "check"): "RAID check",
    ("lvm", "resync"): "RAID resync",
    ("lvm", "recovery"): "RAID rebuild",
    ("lvm", "repair"): "RAID repair",
    ("lvm", "reshape"): "RAID reshape",
}

_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./:-]{0,100}")


class Trouble(Enum):
    """What is wrong with a file system."""

    READ_ONLY = "read_only"  # since the kernel met an error
    FAILING = "failing"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What a verdict goes by besides balance and evidence; ``None`` and empty: it cannot be told.

    Attributes:
        oom_kills: counter of processes that the kernel killed for want of memory.
        disk_used_percent: fullness of each file system, by mount point.
        inodes_used_percent: likewise, of what files and folders are counted by.
        volumes_used_percent: fullness of what volumes share, by what it is called in a sentence.
        filesystem_trouble: what is wrong with a file system, by mount point.
        faults: what is broken of disks, arrays and UPSes.
        fans_stopped: fans that stand still and should turn, by name; whether it is a pump.
        upkeep: what arrays are doing to themselves, in words: ``RAID check (md0)``.
        pauses: commands that pause what of it may be paused without harm.
    """

    oom_kills: int | None = None
    disk_used_percent: Mapping[str, float] = field(default_factory=dict)
    inodes_used_percent: Mapping[str, float] = field(default_factory=dict)
    volumes_used_percent: Mapping[str, float] = field(default_factory=dict)
    filesystem_trouble: Mapping[str, Trouble] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    fans_stopped: Mapping[str, bool] = field(default_factory=dict)
    upkeep: tuple[str, ...] = ()
    pauses: tuple[str, ...] = ()


NO_SIGNS: Final = Signs()


def evidence(readings: Mapping[str, Reading]) -> EvidenceReading:
    """What speaks for or against a verdict, out of whatever subsystems this machine has."""
    used = _value(readings, "memory", "used_percent")
    return EvidenceReading(
        cpu_percent=_value(readings, "cpu", "usage_percent"),
        memory_available_percent=None if used is None else 100 - used,
        pressure_cpu_percent=_value(readings, "cpu", "pressure_some_percent"),
        pressure_memory_percent=_value(readings, "memory", "pressure_some_percent"),
        pressure_io_percent=_value(readings, "disk", "pressure_some_percent"),
        disk_bytes_per_second=_sum(
            readings, "disk", "read_bytes_per_second", "write_bytes_per_second"
        ),
        network_bytes_per_second=_sum(
            readings, "network", "receive_bytes_per_second", "transmit_bytes_per_second"
        ),
        gpu_percent=_value(readings, "gpu", "usage_percent"),
        fan_speed_rpm=_whole(_value(readings, "thermal", "fan_speed_rpm")),
        fan_duty_percent=_value(readings, "thermal", "fan_duty_percent"),
        throttling=getattr(readings.get("thermal"), "throttled", None),
        cpu_temperature_celsius=_value(readings, "thermal", "cpu_temperature_celsius"),
        cpu_temperature_limit_celsius=_cpu_limit(readings),
        gpu_temperature_celsius=_value(readings, "gpu", "temperature_celsius"),
        gpu_headroom_celsius=_gpu_headroom(readings),
        gpu_throttling=getattr(readings.get("gpu"), "thermal_throttling", None),
        gpu_fan_percent=_value(readings, "gpu", "fan_percent"),
        gpu_power_watts=_value(readings, "gpu", "power_watts"),
        power_watts=_add(
            _value(readings, "power", "cpu_power_watts"), _value(readings, "gpu", "power_watts")
        ),
    )


def signs(readings: Mapping[str, Reading], *, kernel: Mapping[str, Reading] | None = None) -> Signs:
    """What else deserves an alert, or explains why disks are at work.

    Args:
        readings: the newest ones.
        kernel: the same under the kernel's names, which commands take, where people gave others.
    """
    as_named = getattr((kernel or readings).get("disk"), "arrays", {})
    disk = readings.get("disk")
    filesystems = getattr(disk, "filesystems", {}).values()
    written = [each for each in filesystems if not each.read_only]
    rooms = _rooms(each for each in written if each.type == "zfs")
    others = [each for each in written if each.type != "zfs"]
    arrays = getattr(disk, "arrays", {})
    fans = getattr(readings.get("thermal"), "fans", {}).items()
    return Signs(
        oom_kills=_whole(_value(readings, "memory", "oom_kills")),
        disk_used_percent={
            each.label or "": each.used_percent for each in others if each.used_percent is not None
        }
        | rooms,
        inodes_used_percent={
            each.label or "": each.inodes_used_percent
            for each in written
            if each.inodes_used_percent is not None
        },
        volumes_used_percent=dict(volumes_filling(arrays)),
        filesystem_trouble={
            each.label or "": trouble for each in filesystems if (trouble := _trouble(each))
        },
        faults=faults(readings),
        fans_stopped={
            printable(f"{each.label or name} ({each.chip})" if each.chip else name): each.kind
            == "pump"
            for name, each in fans
            if each.stopped
        },
        upkeep=tuple(
            f"{words} ({printable(each.label or name)})"
            for name, each in arrays.items()
            if (words := _UPKEEP.get((each.kind, each.activity)))
        ),
        pauses=tuple(filter(None, map(_pause, as_named.values()))),
    )


def _rooms(datasets: Iterable[Any]) -> dict[str, float]:
    """Fullness of what ZFS datasets share, by the mount point of the topmost one.

    Where a pool is full all its datasets are, by the hundred
    (https://github.com/netdata/netdata/issues/21518). One with a quota has room of its own.
    """
    shared: dict[tuple[str, int], list[Any]] = {}
    known = [each for each in datasets if each.source and each.used_bytes is not None]
    for each in sorted(known, key=lambda dataset: (dataset.source.count("/"), dataset.source)):
        pool, room = each.source.partition("/")[0], each.available_bytes or 0
        near = (key for key in shared if key[0] == pool and abs(key[1] - room) <= _NEAR_BYTES)
        shared.setdefault(next(near, (pool, room)), []).append(each)
    return {
        members[0].label or "": percent
        for (_, room), members in shared.items()
        if (percent := _fullness(members, room)) is not None
    }


def _fullness(members: Sequence[Any], room: int) -> float | None:
    """Percent; what lies below another member is in that one's use already."""
    names = {each.source for each in members}
    used = sum(each.used_bytes for each in members if not names.intersection(_above(each.source)))
    return 100 * used / (used + room) if used + room else None


def _above(name: str) -> Iterator[str]:
    while name := name.rpartition("/")[0]:
        yield name


def _trouble(filesystem: Any) -> Trouble | None:
    if filesystem.state == "failed":
        return Trouble.READ_ONLY if filesystem.read_only else Trouble.FAILING
    return Trouble.SILENT if filesystem.state == "not_answering" else None


def _pause(array: Any) -> str | None:
    """How to pause what only looks for faults; what mends an array should go on."""
    name = array.label or ""
    if not _SAFE_NAME.fullmatch(name):
        return None
    match array.kind, array.activity:
        case "md", "check":
            return f"mdadm --action=idle /dev/{name}" if name.startswith("md") else None
        case "zfs", "scrub":
            return None if name.startswith("/") else f"zpool scrub -p {name}"
        case "btrfs", "scrub":
            return f"btrfs scrub cancel {name}" if name.startswith("/") else None
    return None


def _value(readings: Mapping[str, Reading], topic: str, name: str) -> float | None:
    reading = readings.get(topic)
    value: float | None = getattr(reading, name, None)
    return value


def _sum(readings: Mapping[str, Reading], topic: str, *names: str) -> float | None:
    return _add(*(_value(readings, topic, name) for name in names))


def _add(*values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _cpu_limit(readings: Mapping[str, Reading]) -> float | None:
    """The limit of the sensor that measures the processor."""
    now = _value(readings, "thermal", "cpu_temperature_celsius")
    if now is None:
        return None
    for sensor in getattr(readings["thermal"], "temperatures", {}).values():
        if sensor.temperature_celsius == now and (
            limit := sensor.high_celsius or sensor.critical_celsius
        ):
            return float(limit)
    return None


def _gpu_headroom(readings: Mapping[str, Reading]) -> float | None:
    """The fewest degrees that are left to a sensor of a GPU; drivers tell no limit as 0, too."""
    gpus = getattr(readings.get("gpu"), "devices", {}).values()
    return min(
        (
            limit - temperature
            for gpu in gpus
            for temperature, limit in (
                (gpu.temperature_celsius, gpu.slowdown_temperature_celsius),
                (gpu.hotspot_temperature_celsius, gpu.hotspot_temperature_limit_celsius),
                (gpu.memory_temperature_celsius, gpu.memory_temperature_limit_celsius),
            )
            if temperature and limit
        ),
        default=None,
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
