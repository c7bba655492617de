"""Disks: what each one does and how busy it is, how full the file systems are, who waits for I/O.

Sources: those of ``publisher.sources.block``, ``/proc/pressure/io``, and those that
``filesystems``, ``arrays`` and ``smart`` name. The topic's sums count disks only: what goes through
partitions, md and device mapper arrives there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from publisher.contract.metric import (
    Reading,
    Unit,
    bytes_per_second,
    choice,
    counter,
    flag,
    gauge,
    instances,
    milliseconds,
    per_second,
    percent,
    reading,
    records,
    size,
    text,
)
from publisher.contract.readings import ConsumerReading
from publisher.errors import AbsentError
from publisher.sources import Sources, block
from publisher.subsystems.base import Subsystem, told, total
from publisher.subsystems.disk.array_reading import ArrayReading
from publisher.subsystems.disk.arrays import Arrays
from publisher.subsystems.disk.filesystems import FilesystemReading, Filesystems
from publisher.subsystems.disk.smart import (
    POWER_STATES,
    HiddenDisk,
    Smart,
    SmartHealth,
    SmartSettings,
)
from publisher.subsystems.pressure import Pressure

# How often disks are looked for; udev names a new one a moment after the kernel does.
_LOOK_PERIOD = 10.0
# More than any disk does: such a step is a counter that was set anew, not work.
_LARGEST_BYTES_PER_SECOND = 1e12
_LARGEST_PER_SECOND = 1e9
_MEGABYTE = 1 << 20


@reading
class DeviceReading(Reading):
    """One disk."""

    label: str | None = text("Model", "The disk's model.")
    device: str | None = text(
        "Device",
        "The kernel's name of it, which may change with each boot.",
        triggers=False,
        diagnostic=True,
    )
    size_bytes: int | None = size("Size", "Space on it.", diagnostic=True)
    read_bytes_per_second: float | None = bytes_per_second(
        "Reads", "Bytes read from it.", deadband=_MEGABYTE, deadband_percent=25
    )
    write_bytes_per_second: float | None = bytes_per_second(
        "Writes", "Bytes written to it.", deadband=_MEGABYTE, deadband_percent=25
    )
    reads_per_second: float | None = per_second("Read operations", "Reads that it completed.")
    writes_per_second: float | None = per_second("Write operations", "Writes that it completed.")
    busy_percent: float | None = percent(
        "Busy",
        "Time in which it had something to do; a disk that does many things at once may "
        "have room left at 100 %.",
        precision=1,
        deadband=15,
    )
    latency_milliseconds: float | None = milliseconds(
        "Latency", "Mean time that a read or write took, waiting included; absent while idle."
    )
    queue_depth: float | None = gauge(
        "Queue depth", "Mean number of requests that were waiting or being served.", precision=2
    )
    power_state: str | None = choice(
        "Power state",
        "Works; rests, and may have spun down by its own timer, which only a "
        "question that disturbs it could tell; or sleeps.",
        options=POWER_STATES,
    )
    reachable: bool | None = flag(
        "Reachable",
        "False for a disk that no longer answers and that the kernel has given up.",
        device_class="connectivity",
        diagnostic=True,
    )
    healthy: bool | None = flag("Healthy", "What SMART says of the whole disk.", diagnostic=True)
    reallocated_sectors: int | None = gauge(
        "Reallocated sectors", "Bad sectors that were replaced.", deadband=1, diagnostic=True
    )
    pending_sectors: int | None = gauge(
        "Pending sectors",
        "Sectors that could not be read and wait for a verdict.",
        deadband=1,
        diagnostic=True,
    )
    media_errors: int | None = counter(
        "Media errors", "Times that data could not be had back.", deadband=1, diagnostic=True
    )
    life_used_percent: float | None = percent(
        "Life used",
        "Part of the write endurance that is used up, by the maker's estimate.",
        deadband=1,
        highest=255,
        diagnostic=True,
    )
    spare_percent: float | None = percent(
        "Spare", "Spare space that is left.", deadband=1, diagnostic=True
    )
    smart_warning: str | None = text(
        "SMART warning", "What the disk itself calls critical or failing.", diagnostic=True
    )
    power_on_seconds: int | None = counter(
        "Power-on time", "Time that it has been switched on.", unit=Unit.SECONDS, diagnostic=True
    )


@reading
class DiskReading(Reading):
    """All disks and file systems, together and one by one."""

    busy_percent: float | None = percent(
        "Busiest disk",
        "Time in which the busiest disk had something to do.",
        precision=1,
        deadband=15,
        headline=True,
        icon="mdi:harddisk",
    )
    fullest_percent: float | None = percent(
        "Fullest file system",
        "Usage of the fullest file system that can be written.",
        precision=1,
        deadband=1,
        headline=True,
        enabled=True,
        icon="mdi:chart-donut",
    )
    fullest_mount_point: str | None = text(
        "Mount point of the fullest", "Where the fullest file system is mounted.", headline=True
    )
    read_bytes_per_second: float | None = bytes_per_second(
        "Reads", "Bytes read from all disks.", deadband=_MEGABYTE, deadband_percent=25
    )
    write_bytes_per_second: float | None = bytes_per_second(
        "Writes", "Bytes written to all disks.", deadband=_MEGABYTE, deadband_percent=25
    )
    pressure_some_percent: float | None = percent(
        "I/O pressure", "Time in which some task waited for I/O.", precision=1, deadband=10
    )
    pressure_full_percent: float | None = percent(
        "Full I/O pressure",
        "Time in which every task that could work waited for I/O.",
        precision=1,
        deadband=10,
    )
    devices: dict[str, DeviceReading] = instances(
        DeviceReading, "Disks", "Each disk by an identity that no renumbering changes."
    )
    filesystems: dict[str, FilesystemReading] = instances(
        FilesystemReading, "File systems", "Each file system by its UUID or source."
    )
    arrays: dict[str, ArrayReading] = instances(
        ArrayReading, "Arrays", "Disks bound together by md, Unraid, ZFS, btrfs, bcachefs or LVM."
    )
    top: tuple[ConsumerReading, ...] | None = records(
        ConsumerReading, "Top", "Who reads and writes the most.", default=None
    )


@dataclass(frozen=True, slots=True)
class Work:
    """What a disk did between two reads, a second."""

    read_bytes: float | None
    write_bytes: float | None
    reads: float | None
    writes: float | None
    busy_percent: float | None
    latency_milliseconds: float | None
    queue_depth: float | None
    any: bool

    @classmethod
    def between(cls, before: block.Activity, after: block.Activity, seconds: float) -> Work:
        """A counter that ran backwards, or further than any disk runs, gives no rate."""
        reads, writes = after.reads - before.reads, after.writes - before.writes
        waited_for_reads = _growth(before.read_milliseconds, after.read_milliseconds)
        waited_for_writes = _growth(before.write_milliseconds, after.write_milliseconds)
        waited = (
            None
            if waited_for_reads is None or waited_for_writes is None
            else waited_for_reads + waited_for_writes
        )
        bytes_limit = _LARGEST_BYTES_PER_SECOND
        busy = _rate(_growth(before.busy_milliseconds, after.busy_milliseconds), seconds)
        queued = _rate(_growth(before.queued_milliseconds, after.queued_milliseconds), seconds)
        return cls(
            read_bytes=_rate(
                (after.sectors_read - before.sectors_read) * block.SECTOR, seconds, bytes_limit
            ),
            write_bytes=_rate(
                (after.sectors_written - before.sectors_written) * block.SECTOR,
                seconds,
                bytes_limit,
            ),
            reads=_rate(reads, seconds),
            writes=_rate(writes, seconds),
            busy_percent=None if busy is None else min(busy / 10, 100.0),
            latency_milliseconds=waited / (reads + writes)
            if waited is not None
            and reads >= 0
            and writes >= 0
            and reads + writes > 0
            and waited >= 0
            else None,
            queue_depth=None if queued is None else queued / 1000,
            any=reads + writes > 0,
        )


_IDLE = Work(0.0, 0.0, 0.0, 0.0, 0.0, None, 0.0, any=False)


def _idle(known: block.Activity) -> Work:
    """Nothing was done, as far as this system counts it."""
    busy = None if known.busy_milliseconds is None else 0.0
    return replace(_IDLE, busy_percent=busy, queue_depth=None)


_UNKNOWN = Work(None, None, None, None, None, None, None, any=False)
_NO_HEALTH = SmartHealth()


@dataclass(slots=True)
class _DiskState:
    """A disk, what its counters were, and what was said of it last, from what."""

    disk: block.BlockDisk
    content: bytes = b""
    activity: block.Activity | None = None
    work: Work = _UNKNOWN
    told: tuple[Work, SmartHealth, str | None, bool | None] | None = None
    reading: DeviceReading | None = None


class Disk(Subsystem):
    name = "disk"
    reading = DiskReading
    top_by = "disk_bytes_per_second"

    def __init__(self, sources: Sources, settings: SmartSettings | None = None) -> None:
        super().__init__(sources)
        self._pressure = Pressure(self, "io")
        self._filesystems = Filesystems(self)
        self._arrays = Arrays(self, self._filesystems.mount_point)
        self._smart = Smart(self, settings or SmartSettings())
        self._hidden: Mapping[str, HiddenDisk] = {}
        self._hidden_readings: dict[str, DeviceReading] = {}
        self._watched: list[_DiskState] = []
        self._names: list[str] = []
        self._fresh = True
        self._read_at = float("-inf")
        self._look_at = float("-inf")

    def read(self) -> DiskReading:
        now = self.sources.monotonic()
        if now >= self._look_at:
            self.part("devices", lambda: self._look(now))
        seconds, self._read_at = now - self._read_at, now
        for watched in self._watched:
            self._work(watched, seconds)
        at_work = [watched.disk for watched in self._watched if watched.work.any]
        busy = {disk.identity for disk in at_work}
        self.apart("smart", lambda: self._smart.read(busy, now))
        devices = {watched.disk.identity: self._device(watched, now) for watched in self._watched}
        if self._smart.hidden:
            devices |= self.apart("controllers", self._behind_controllers) or {}
        filesystems = self.apart("filesystems", lambda: self._filesystems.read(now)) or {}
        names = [disk.name for disk in at_work]
        arrays = self.apart("arrays", lambda: self._arrays.read(now, names)) or {}
        some, full = self._pressure.read(now)
        fullest = _fullest(filesystems.values())
        return DiskReading(
            busy_percent=max(_known(item.busy_percent for item in devices.values()), default=None),
            fullest_percent=fullest.used_percent if fullest else None,
            fullest_mount_point=fullest.label if fullest else None,
            read_bytes_per_second=total(item.read_bytes_per_second for item in devices.values()),
            write_bytes_per_second=total(item.write_bytes_per_second for item in devices.values()),
            pressure_some_percent=some,
            pressure_full_percent=full,
            devices=devices,
            filesystems=filesystems,
            arrays={
                identity: array
                for identity, array in arrays.items()
                if self.selection.wanted("arrays", identity, array.label)
            },
        )

    def close(self) -> None:
        self._filesystems.close()
        self._arrays.close()
        self._smart.close()

    def _work(self, watched: _DiskState, seconds: float) -> None:
        """What the disk did since the last read."""
        before = watched.activity
        try:
            content = block.counters(self.files, watched.disk)
            if content == watched.content and before:
                watched.work = _IDLE if before.queued_milliseconds is not None else _idle(before)
                return
            after = block.done(content, watched.disk)
        except Exception as error:  # noqa: BLE001  # of one disk: the others go on
            watched.content, watched.activity, watched.work = b"", None, _UNKNOWN
            self._look_at = self._read_at  # it may have been pulled out
            self.health["disk.devices"] = told(error, self.files.newest)
            return
        watched.content, watched.activity = content, after
        watched.work = Work.between(before, after, seconds) if before else _UNKNOWN
        if before and after.reads < before.reads:
            self._fresh, self._look_at = True, self._read_at  # another one may have got the name

    def _look(self, now: float) -> None:
        """Finds out which disks there are, and who each of them is.

        Raises:
            AbsentError: there is none.
        """
        self._look_at = now + _LOOK_PERIOD
        names = self.files.names("/sys/block")
        if names != self._names or self._fresh:
            self._fresh = names != self._names  # once more, when udev has had its say
            self._names = names
            every = block.disks(self.files)
            disks = [
                disk
                for disk in every
                if self.selection.wanted("disks", disk.identity, disk.label, disk.name)
            ]
            known = {_counted_as(item.disk): item for item in self._watched}
            self._watched = [known.get(_counted_as(disk)) or _DiskState(disk) for disk in disks]
            self._smart.watch(disks, now)
            self._arrays.watch(every)
        if not self._watched:
            raise AbsentError("no disks to be seen", path="/sys/block")

    def _device(self, watched: _DiskState, now: float) -> DeviceReading:
        disk, work = watched.disk, watched.work
        health = self._smart.health(disk.identity) or _NO_HEALTH
        power = self._smart.power_state(disk.identity, now)
        reached = self._smart.reached(disk.identity)
        known = watched.reading
        if known and watched.told == (work, health, power, reached):
            return known
        watched.told = (work, health, power, reached)
        watched.reading = DeviceReading(
            label=disk.label,
            device=disk.name,
            size_bytes=disk.size_bytes,
            read_bytes_per_second=work.read_bytes,
            write_bytes_per_second=work.write_bytes,
            reads_per_second=work.reads,
            writes_per_second=work.writes,
            busy_percent=work.busy_percent,
            latency_milliseconds=work.latency_milliseconds,
            queue_depth=work.queue_depth,
            power_state=power,
            reachable=reached,
            healthy=health.passed,
            reallocated_sectors=health.reallocated,
            pending_sectors=health.pending,
            media_errors=health.media_errors,
            life_used_percent=health.life_used_percent,
            spare_percent=health.spare_percent,
            smart_warning=health.warning,
            power_on_seconds=health.power_on_seconds,
        )
        return watched.reading

    def _behind_controllers(self) -> dict[str, DeviceReading]:
        """The disks that only their controller sees."""
        if self._hidden is not self._smart.hidden:
            self._hidden = self._smart.hidden
            self._hidden_readings = {
                identity: _hidden_reading(disk)
                for identity, disk in self._hidden.items()
                if self.selection.wanted(
                    "disks", identity, disk.who.label if disk.who else None, disk.name
                )
            }
        return self._hidden_readings


def _hidden_reading(disk: HiddenDisk) -> DeviceReading:
    health = disk.health or _NO_HEALTH
    return DeviceReading(
        label=disk.who.label if disk.who else None,
        device=disk.name,
        size_bytes=disk.who.size_bytes if disk.who else None,
        power_state="standby" if disk.asleep else None,
        healthy=health.passed,
        reallocated_sectors=health.reallocated,
        pending_sectors=health.pending,
        media_errors=health.media_errors,
        life_used_percent=health.life_used_percent,
        spare_percent=health.spare_percent,
        smart_warning=health.warning,
        power_on_seconds=health.power_on_seconds,
    )


def _counted_as(disk: block.BlockDisk) -> tuple[str, str, tuple[str, ...]]:
    """Whose counters go on being counted, and from where."""
    return disk.identity, disk.name, disk.counted


def _growth(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _rate(growth: float | None, seconds: float, limit: float = _LARGEST_PER_SECOND) -> float | None:
    if growth is None or growth < 0 or seconds <= 0:
        return None
    rate = growth / seconds
    return rate if rate <= limit else None


def _fullest(filesystems: Iterable[FilesystemReading]) -> FilesystemReading | None:
    """The one with the least room, of those that can be written."""
    return max(
        (each for each in filesystems if each.used_percent is not None and not each.read_only),
        key=lambda each: each.used_percent or 0.0,
        default=None,
    )


def _known(values: Iterable[float | None]) -> Iterable[float]:
    return (value for value in values if value is not None)
