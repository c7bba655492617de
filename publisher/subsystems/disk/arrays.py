"""Disks bound together: md arrays, ZFS pools and btrfs, whether they are whole and at repair.

Sources: ``/proc/mdstat`` (man 4 md; its text comes from ``status_resync`` in the kernel's
``drivers/md/md.c``), ``/proc/spl/kstat/zfs/<pool>/state`` (OpenZFS), ``/sys/fs/btrfs`` (kernel
documentation, ABI/stable/sysfs-fs-btrfs) and the scrub progress ioctl of btrfs, which reads what
the kernel counts and touches no disk. How far a ZFS scrub is, only ``zpool status`` knows; it is
asked while disks are at work, which they are during a scrub.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Callable, Iterator

from publisher.contract.metric import (
    Reading,
    Unit,
    bytes_per_second,
    choice,
    counter,
    gauge,
    percent,
    reading,
    text,
)
from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources import block
from publisher.sources.children import Child, find
from publisher.sources.files import KernelFiles
from publisher.subsystems.base import Rates, Subsystem

STATES = ("ok", "degraded", "failed", "inactive")
ACTIVITIES = ("idle", "resync", "recovery", "check", "repair", "reshape", "scrub", "waiting")

_PERIOD = 10.0
_POOL_PERIOD = 60.0
_PATIENCE = 30.0


@reading
class ArrayReading(Reading):
    """Several disks that stand for one."""

    label: str | None = text("Name", "What its owner calls it.")
    kind: str | None = choice("Kind", "What binds the disks.", options=("md", "zfs", "btrfs"))
    level: str | None = text("Level", "How data is spread: raid1 and so on.", diagnostic=True)
    state: str | None = choice(
        "State", "Whether all disks do their part.", options=STATES, icon="mdi:harddisk-plus"
    )
    devices_total: int | None = gauge(
        "Devices", "Disks that belong to it.", deadband=1, diagnostic=True
    )
    devices_working: int | None = gauge("Working devices", "Disks that do their part.", deadband=1)
    errors: int | None = counter(
        "Errors", "Read, write, flush and corruption errors its disks have met.", deadband=1
    )
    activity: str | None = choice("Activity", "What it is doing to itself.", options=ACTIVITIES)
    progress_percent: float | None = percent(
        "Progress", "How much of that is done.", precision=1, deadband=5
    )
    speed_bytes_per_second: float | None = bytes_per_second(
        "Speed", "How fast it gets on.", deadband=1 << 20, deadband_percent=50
    )
    remaining_seconds: int | None = gauge(
        "Remaining", "Time it will take at this speed.", unit=Unit.SECONDS
    )


class Arrays:
    """Every array, pool and btrfs, by identity."""

    def __init__(self, subsystem: Subsystem, mount_point: Callable[[str], str | None]) -> None:
        self._subsystem = subsystem
        self._files = subsystem.files
        self._mount_point = mount_point
        self._rates = Rates()
        self._pools = _Pools(subsystem)
        self._scrubs: dict[str, dict[str, int]] = {}
        self._next = float("-inf")
        self._readings: dict[str, ArrayReading] = {}

    def read(self, now: float, *, at_work: bool) -> dict[str, ArrayReading]:
        """The newest reading of each.

        Args:
            now: monotonic seconds.
            at_work: whether some disk has just done something anyway.
        """
        self._pools.attend(now)
        if now < self._next:
            return self._readings
        self._next = now + _PERIOD
        part = self._subsystem.part
        self._readings = {
            **(part("arrays", self._md) or {}),
            **(part("pools", lambda: self._pools.read(now, at_work=at_work)) or {}),
            **(part("btrfs", lambda: self._btrfs(now)) or {}),
        }
        return self._readings

    def close(self) -> None:
        self._pools.close()

    def _md(self) -> dict[str, ArrayReading]:
        try:
            content = self._files.read("/proc/mdstat")
        except AbsentError:  # most machines have none: no news
            return {}
        found = dict(mdstat(content))
        uuids = block.links(self._files, "/dev/disk/by-id", "md-uuid-") if found else {}
        return {uuids.get(name, (name,))[0]: array for name, array in found.items()}

    def _btrfs(self, now: float) -> dict[str, ArrayReading]:
        found: dict[str, ArrayReading] = {}
        denied: DeniedError | None = None
        for uuid in self._files.names("/sys/fs/btrfs"):
            folder = f"/sys/fs/btrfs/{uuid}"
            if uuid == "features" or not self._files.exists(f"{folder}/devinfo"):
                continue
            try:
                found[f"btrfs-{uuid}"] = self._one_btrfs(uuid, folder, now)
            except DeniedError as error:
                denied = error
        if denied and not found:
            raise denied
        return found

    def _one_btrfs(self, uuid: str, folder: str, now: float) -> ArrayReading:
        members = [name for name in self._files.names(f"{folder}/devinfo") if name.isdigit()]
        missing = sum(
            _whole(self._files, f"{folder}/devinfo/{member}/missing") == 1 for member in members
        )
        counts = [
            int(line.split()[1])
            for member in members
            for line in _lines(self._files, f"{folder}/devinfo/{member}/error_stats")
            if line.split()[1:] and line.split()[1].isdigit()
        ]
        point = self._mount_point(uuid)
        checked = self._checked(uuid, point, members)
        speed = self._rates.per_second(uuid, checked, now)
        total = sum(
            _whole(self._files, f"{folder}/allocation/{kind}/disk_used") or 0
            for kind in ("data", "metadata", "system")
        )
        left = 0 if checked is None else max(total - checked, 0)
        return ArrayReading(
            label=_first(_lines(self._files, f"{folder}/label")) or point or uuid,
            kind="btrfs",
            level=_btrfs_level(self._files, folder),
            state="degraded" if missing else "ok",
            devices_total=len(members),
            devices_working=len(members) - missing,
            errors=sum(counts) if counts else None,
            activity=_btrfs_activity(self._files, folder, scrubbing=checked is not None),
            progress_percent=min(100 * checked / total, 100.0)
            if checked is not None and total
            else None,
            speed_bytes_per_second=speed,
            remaining_seconds=round(left / speed) if speed and left else None,
        )

    def _checked(self, uuid: str, point: str | None, members: list[str]) -> int | None:
        """Bytes that a running scrub has checked; ``None`` when none runs or can be asked."""
        if point is None or not self._files.live:
            return None
        running = self._subsystem.part(
            "btrfs_scrub", lambda: _scrubbed(self._files.root + point, members)
        )
        if not running:
            self._scrubs.pop(uuid, None)
            return None
        # A device that is through tells no more: its last word counts while others go on.
        told = self._scrubs.setdefault(uuid, {})
        told.update(running)
        return sum(told.values())


_ARRAY = re.compile(rb"(md\S*) : (active|inactive)((?: \([\w-]+\))*)(?: (?!\S+\[\d+\])(\S+))?")
_MEMBERS = re.compile(rb"\[(\d+)/(\d+)\] \[[U_]+\]")
_PROGRESS = re.compile(rb"(resync|recovery|check|repair|reshape)\s*=\s*([\d.]+)%")
_REST = re.compile(rb"finish=([\d.]+)min speed=(\d+)K/sec")
_WAITING = re.compile(rb"(?:resync|recovery|check|repair|reshape)\s*=\s*(?:DELAYED|PENDING|REMOTE)")


def mdstat(content: bytes) -> Iterator[tuple[str, ArrayReading]]:
    """(kernel's name, reading) of each array in ``/proc/mdstat``.

    Raises:
        SourceError: it is no mdstat.
    """
    if not content.startswith(b"Personalities"):
        raise SourceError(f"expected `Personalities`, found {content[:40]!r}", path="/proc/mdstat")
    for entry in re.split(rb"\n(?=md)", content)[1:]:
        head = _ARRAY.match(entry)
        if not head:
            continue
        name = head[1].decode("utf-8", "replace")
        members, progress, rest = (
            pattern.search(entry) for pattern in (_MEMBERS, _PROGRESS, _REST)
        )
        total, working = (int(members[1]), int(members[2])) if members else (None, None)
        yield (
            name,
            ArrayReading(
                label=name,
                kind="md",
                level=head[4].decode("utf-8", "replace") if head[4] else None,
                state=_md_state(head[2], total, working),
                devices_total=total,
                devices_working=working,
                activity=progress[1].decode()
                if progress
                else "waiting"
                if _WAITING.search(entry)
                else "idle",
                progress_percent=min(float(progress[2]), 100.0) if progress else None,
                speed_bytes_per_second=int(rest[2]) * 1024.0 if rest else None,
                remaining_seconds=round(float(rest[1]) * 60) if rest else None,
            ),
        )


def _md_state(word: bytes, total: int | None, working: int | None) -> str:
    if word != b"active":
        return "inactive"
    if total is None or working is None or working >= total:
        return "ok"
    return "degraded" if working else "failed"


class _Pools:
    """ZFS pools."""

    _STATES = {"ONLINE": "ok", "DEGRADED": "degraded", "OFFLINE": "inactive"}  # noqa: RUF012

    def __init__(self, subsystem: Subsystem) -> None:
        self._subsystem = subsystem
        self._files = subsystem.files
        self._child: Child | None = None
        self._asked = float("-inf")
        self._scans: dict[str, Scan] = {}
        self._rates = Rates()

    def read(self, now: float, *, at_work: bool) -> dict[str, ArrayReading]:
        folder = "/proc/spl/kstat/zfs"
        pools = [
            name
            for name in self._files.names(folder)
            if self._files.exists(f"{folder}/{name}/state")
        ]
        if pools and (at_work or any(scan.running for scan in self._scans.values())):
            self._subsystem.part("zfs_scrub", lambda: self._ask(now))
        return {f"zfs-{pool}": self._reading(pool, f"{folder}/{pool}/state") for pool in pools}

    def attend(self, now: float) -> None:
        """Takes the answer of ``zpool`` when it comes, gives up when it does not."""
        if self._child is None:
            return
        answer = self._child.poll()
        if answer is not None:
            self._child = None
            self._subsystem.part("zfs_scrub", lambda: self._take(answer, now))
        elif now - self._asked > _PATIENCE:
            self._child.kill()

    def close(self) -> None:
        if self._child:
            self._child.leave()

    def _ask(self, now: float) -> None:
        if not self._files.live or self._child or now - self._asked < _POOL_PERIOD:
            return
        self._asked = now
        program = find("zpool")
        if program is None:
            raise AbsentError("no `zpool` to ask for scrubs", remedy="install zfsutils")
        self._child = Child([program, "status", "-j", "--json-int"])

    def _take(self, answer: tuple[int, bytes], now: float) -> None:
        if answer[0] != 0:
            self._scans.clear()
            raise SourceError(
                f"ended with status {answer[0]}",
                path="zpool status -j",
                remedy="OpenZFS tells of scrubs in JSON since 2.3",
            )
        self._scans = scans(answer[1])
        for pool, scan in self._scans.items():
            scan.speed = self._rates.per_second(pool, scan.issued if scan.running else None, now)

    def _reading(self, pool: str, path: str) -> ArrayReading:
        scan = self._scans.get(pool)
        speed = scan.speed if scan and scan.running else None
        left = scan.total - scan.issued if scan and scan.running else 0
        return ArrayReading(
            label=pool,
            kind="zfs",
            state=self._STATES.get(self._files.text(path), "failed"),
            errors=scan.errors if scan else None,
            activity=None if scan is None else scan.activity if scan.running else "idle",
            progress_percent=min(100 * scan.issued / scan.total, 100.0)
            if scan and scan.running and scan.total
            else None,
            speed_bytes_per_second=speed,
            remaining_seconds=round(left / speed) if speed and left > 0 else None,
        )


class Scan:
    """A scrub or resilver as ``zpool status -j`` tells it."""

    def __init__(self, told: dict[str, object]) -> None:
        self.running = told.get("state") == "SCANNING"
        self.activity = "recovery" if told.get("function") == "RESILVER" else "scrub"
        self.total = _count(told.get("to_examine"))
        self.issued = _count(told.get("issued"))
        self.errors = _count(told.get("errors"))
        self.speed: float | None = None


def scans(answer: bytes) -> dict[str, Scan]:
    """The last or present scan of each pool.

    Raises:
        SourceError: not the JSON that OpenZFS documents.
    """
    try:
        pools = json.loads(answer)["pools"]
        return {
            name: Scan(told["scan_stats"]) for name, told in pools.items() if told.get("scan_stats")
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SourceError(f"not as documented: {error!r}", path="zpool status -j") from None


# _IOWR(0x94, 29, struct btrfs_ioctl_scrub_args), 1024 bytes: device, start, end, flags, then the
# counters of struct btrfs_scrub_progress, the bytes of data and of trees third and fourth among
# them (linux/btrfs.h).
_SCRUB_PROGRESS = 0xC400941D
_SCRUB_ARGUMENTS = 1024
_SCRUB_BYTES = 32 + 16


def _scrubbed(point: str, members: list[str]) -> dict[str, int]:
    """Bytes that have been checked of each device on which a scrub runs.

    Raises:
        DeniedError: only root may ask.
        SourceError: the file system failed to answer.
    """
    import fcntl  # noqa: PLC0415  # where there is btrfs, there is this

    found: dict[str, int] = {}
    try:
        descriptor = os.open(point, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise SourceError(f"cannot be opened: {error.strerror}", path=point) from error
    try:
        for member in members:
            arguments = bytearray(_SCRUB_ARGUMENTS)
            struct.pack_into("=Q", arguments, 0, int(member))
            try:
                fcntl.ioctl(descriptor, _SCRUB_PROGRESS, arguments)
            except PermissionError as error:
                raise DeniedError("only root may see how far a scrub is", path=point) from error
            except OSError:
                continue  # not running on this one: ENOTCONN
            found[member] = sum(struct.unpack_from("=2Q", arguments, _SCRUB_BYTES))
    finally:
        os.close(descriptor)
    return found


def _btrfs_level(files: KernelFiles, folder: str) -> str | None:
    """The profile of its data: the directory that the kernel makes for it."""
    levels = [
        name
        for name in files.names(f"{folder}/allocation/data")
        if name == "single" or name.startswith(("raid", "dup"))
    ]
    return levels[0] if levels else None


def _btrfs_activity(files: KernelFiles, folder: str, *, scrubbing: bool) -> str:
    if scrubbing:
        return "scrub"
    operation = _first(_lines(files, f"{folder}/exclusive_operation"))
    return "reshape" if operation not in ("", "none") else "idle"


def _whole(files: KernelFiles, path: str) -> int | None:
    try:
        return files.integer(path, keep=False)
    except SourceError:
        return None


def _lines(files: KernelFiles, path: str) -> list[str]:
    try:
        return files.text(path, keep=False).splitlines()
    except SourceError:
        return []


def _first(lines: list[str]) -> str:
    return lines[0] if lines else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
