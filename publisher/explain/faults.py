"""What is broken, or about to break, of what holds the data and of what feeds the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from publisher.contract.metric import Reading
from publisher.contract.printable import printable

_WORN_PERCENT: Final = 90.0
_WORN_OUT_PERCENT: Final = 100.0
_LITTLE_SPARE_PERCENT: Final = 10.0

# How people call what binds disks.
_BINDERS: Final = {
    "md": "RAID array",
    "unraid": "Array",
    "zfs": "ZFS pool",
    "btrfs": "File system",
    "bcachefs": "File system",
    "lvm": "Volume",
}
# What LVM makes that no disk need fail to break, and what to say of it then.
_VOLUMES: Final = {
    "thin-pool": ("Thin pool", "its volumes cannot be used until it is repaired"),
    "snapshot": ("Snapshot", "it overflowed, and holds nothing any more"),
    "cache": ("Cached volume", "its cache does not answer"),
    "vdo": ("VDO volume", "it does not answer"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is broken, and deserves an alert when it stays so.

    Attributes:
        alert: one of ``ALERTS``.
        subject: which thing, and what of it.
        severity: one of ``SEVERITIES``.
        words: one sentence.
        milder: the subjects of what this is worse than: alerts of these are not over meanwhile.
    """

    alert: str
    subject: str
    severity: str
    words: str
    milder: tuple[str, ...] = ()


def faults(readings: Mapping[str, Reading]) -> tuple[Fault, ...]:
    """All that is broken, by what the subsystems read."""
    disk, power = readings.get("disk"), readings.get("power")
    return (
        *(
            fault
            for name, array in getattr(disk, "arrays", {}).items()
            for fault in (_of_volume if array.level in _VOLUMES else _of_array)(
                array.label or name, array
            )
        ),
        *(
            fault
            for name, device in getattr(disk, "devices", {}).items()
            for fault in _of_disk(name, device)
        ),
        *(
            fault
            for name, supply in getattr(power, "supplies", {}).items()
            if supply.kind == "ups"
            for fault in _of_ups(name, supply)
        ),
    )


def _of_array(name: str, array: Any) -> Iterator[Fault]:
    what = f"{_BINDERS.get(array.kind or '', 'Array')} {printable(name)}"
    covered, failing = f"{name} covered", f"{name} failing"
    worse = (name, covered, failing)
    if array.state == "failed":
        words = f"{what} has failed: too many of its disks are gone or do not answer"
        yield Fault("raid_degraded", f"{name} failed", "critical", words, worse)
    elif array.state == "inactive":
        words = f"{what} is not running"
        yield Fault("raid_degraded", f"{name} inactive", "warning", words, worse)
    elif array.state == "failing":
        words = f"{what} has a disk with errors and no other to make up for it: save what you can"
        yield Fault("raid_degraded", failing, "critical", words, (name, covered))
    elif array.state == "degraded" and _only_fails(array):
        words = f"{what} has a disk with too many errors; the others still make up for it"
        yield Fault("raid_degraded", covered, "warning", words)
    elif array.state == "degraded" and not _only_aside(array):
        yield Fault("raid_degraded", name, "critical", f"{what} lacks a disk", (covered,))
    yield from _aside(name, what, array)
    if array.errors:
        words = f"{what} has met errors on its disks"
        yield Fault("disk_failing", f"{name} errors", "warning", words)


def _of_volume(name: str, volume: Any) -> Iterator[Fault]:
    kind, failed = _VOLUMES[volume.level]
    what, limited, doubtful = f"{kind} {printable(name)}", f"{name} read-only", f"{name} doubtful"
    if volume.state == "failed":
        # What a snapshot holds is elsewhere, too.
        severity = "warning" if volume.level == "snapshot" else "critical"
        words = f"{what} has failed: {failed}"
        yield Fault("filesystem", f"{name} failed", severity, words, (limited, doubtful))
        return
    if volume.read_only:
        words = f"{what} takes nothing new any more: it has become read-only"
        yield Fault("filesystem", limited, "critical", words, (doubtful,))
    elif volume.state == "failing":
        words = f"{what} has met errors in its metadata, and wants to be checked"
        yield Fault("filesystem", doubtful, "warning", words)


def volumes_filling(arrays: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """What may fill up of LVM's volumes, in words, and by how many percent it has."""
    for name, each in arrays.items():
        kind, _ = _VOLUMES.get(each.level or "", ("", ""))
        what = f"{kind} {printable(each.label or name)}"
        if not kind or each.state == "failed":
            continue
        if each.used_percent is not None:
            yield what, each.used_percent
        if each.metadata_used_percent is not None:
            yield f"The metadata of {what[0].lower()}{what[1:]}", each.metadata_used_percent


def _only_fails(array: Any) -> bool:
    """Whether all its disks are there, and one of them meets errors."""
    total, working, failing = array.devices_total, array.devices_working, array.devices_failing
    told = total is not None and working is not None and bool(failing)
    return told and working + failing >= total


def _only_aside(array: Any) -> bool:
    """Whether what it lacks is none of the disks that hold its data."""
    whole = array.devices_total is not None and array.devices_working == array.devices_total
    return whole and bool(array.logs_lost or array.specials_lost)


def _aside(name: str, what: str, array: Any) -> Iterator[Fault]:
    """What stands beside the disks that hold the data."""
    if array.specials_lost:
        words = f"{what} lacks a device for its metadata: all is lost with the last copy of that"
        yield Fault("raid_degraded", f"{name} special", "critical", words)
    if array.logs_lost:
        words = f"{what} lacks a log device: a crash may cost it its newest writes"
        yield Fault("raid_degraded", f"{name} log", "warning", words)
    if array.spares_lost:
        words = f"{what} has a disk less to stand in for another: one has failed or is gone"
        yield Fault("disk_failing", f"{name} spare", "warning", words)
    if array.caches_lost:
        words = f"{what} lost a cache device: it is slower, and nothing is lost"
        yield Fault("disk_failing", f"{name} cache", "info", words)


def _of_disk(name: str, disk: Any) -> Iterator[Fault]:
    told = (disk.healthy, disk.life_used_percent, disk.pending_sectors)
    if disk.reachable is not False and told == (None, None, None):
        return
    what = f"Disk {printable(disk.label or name)} ({printable(disk.device or name)})"
    if disk.reachable is False:
        words = f"{what} does not answer any more"
        yield Fault("disk_failing", f"{name} gone", "critical", words)
    pending, worn = f"{name} pending", f"{name} worn"
    if disk.healthy is False:
        why = f": {disk.smart_warning}" if disk.smart_warning else ""
        words = f"{what} says that it fails{why}"
        yield Fault("disk_failing", name, "critical", words, (pending,))
    elif disk.smart_warning:
        yield Fault("disk_failing", f"{name} warns", "warning", f"{what}: {disk.smart_warning}")
    if disk.pending_sectors:
        words = f"{what} has sectors that it cannot read"
        yield Fault("disk_failing", pending, "warning", words)
    if disk.media_errors:
        words = f"{what} has lost data: errors that it could not correct"
        yield Fault("disk_failing", f"{name} media", "warning", words)
    if disk.reallocated_sectors:
        words = f"{what} has replaced bad sectors"
        yield Fault("disk_failing", f"{name} reallocated", "info", words)
    yield from _of_wear(name, what, worn, disk)


def _of_wear(name: str, what: str, worn: str, disk: Any) -> Iterator[Fault]:
    used, spare = disk.life_used_percent or 0.0, disk.spare_percent
    if used >= _WORN_OUT_PERCENT:
        words = f"{what} is worn out: its rated life is used up"
        yield Fault("disk_failing", f"{name} worn out", "warning", words, (worn,))
    elif used >= _WORN_PERCENT:
        yield Fault("disk_failing", worn, "info", f"{what} is nearly worn out")
    if spare is not None and spare < _LITTLE_SPARE_PERCENT:
        words = f"{what} has little spare space left for bad blocks"
        yield Fault("disk_failing", f"{name} spare", "warning", words)


def _of_ups(name: str, ups: Any) -> Iterator[Fault]:
    what = f"UPS {printable(ups.label or name)}"
    on_battery, nearly_empty = f"{name} on battery", f"{name} low"
    if ups.reachable is False:
        # What was told before it fell silent may well go on.
        words = f"{what} does not answer: nobody knows whether it protects this machine"
        yield Fault("ups", f"{name} silent", "warning", words, (on_battery, nearly_empty))
        return
    if ups.online is False and ups.low:
        words = f"{what} runs on its battery, which is nearly empty"
        yield Fault("ups", nearly_empty, "critical", words, (on_battery,))
    elif ups.online is False:
        yield Fault("ups", on_battery, "warning", f"{what} runs on its battery")
    if ups.overloaded:
        words = f"{what} is overloaded: more is drawn from it than it can give"
        yield Fault("ups", f"{name} overloaded", "critical", words)
    if ups.replace_battery:
        yield Fault("ups", f"{name} battery", "warning", f"{what} needs a new battery")
    if ups.bypassed:
        words = f"{what} protects nothing: it is bypassed or off"
        yield Fault("ups", f"{name} bypassed", "warning", words)
