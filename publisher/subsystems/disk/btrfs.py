"""btrfs over several disks, and bcachefs: whole or not, what their disks met, how far a scrub is.

Sources: ``/sys/fs/btrfs`` (kernel documentation, ABI/stable/sysfs-fs-btrfs), the scrub progress
ioctl of btrfs, which reads what the kernel counts and touches no disk, and ``/sys/fs/bcachefs``
(``fs/bcachefs/sysfs.c``).
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable

from publisher.errors import DeniedError, SourceError
from publisher.sources.files import KernelFiles
from publisher.subsystems.base import Rates, Subsystem, told
from publisher.subsystems.disk.array_reading import ArrayReading, whole

MountPoint = Callable[[str], str | None]

# Disks that a profile may lack without losing data.
_SPARE_DISKS = {"raid1": 1, "raid10": 1, "raid5": 1, "raid6": 2, "raid1c3": 2, "raid1c4": 3}


class Btrfs:
    """Every btrfs that is mounted.

    Args:
        subsystem: the one that it is a part of.
        mount_point: where the file system of a UUID is mounted.
    """

    def __init__(self, subsystem: Subsystem, mount_point: MountPoint) -> None:
        self._subsystem = subsystem
        self._files = subsystem.files
        self._mount_point = mount_point
        self._rates = Rates()
        self._scrubs: dict[str, dict[str, int]] = {}

    def read(self, now: float) -> dict[str, ArrayReading]:
        found: dict[str, ArrayReading] = {}
        failure: SourceError | None = None
        for uuid in self._files.names("/sys/fs/btrfs"):
            folder = f"/sys/fs/btrfs/{uuid}"
            if uuid == "features" or not self._files.exists(f"{folder}/devinfo"):
                continue
            try:
                found[f"btrfs-{uuid}"] = self._one(uuid, folder, now)
            except Exception as error:  # noqa: BLE001  # one must not take the others along
                failure = told(error, self._files.newest)
        if failure and not found:
            raise failure
        odd = None if isinstance(failure, DeniedError) else failure
        part = f"{self._subsystem.name}.btrfs_one"
        if odd is not None or part in self._subsystem.health:
            self._subsystem.health[part] = odd
        return found

    def _one(self, uuid: str, folder: str, now: float) -> ArrayReading:
        members = [name for name in self._files.names(f"{folder}/devinfo") if name.isdecimal()]
        missing = sum(
            whole(self._files, f"{folder}/devinfo/{member}/missing") == 1 for member in members
        )
        counts = [
            int(line.split()[1])
            for member in members
            for line in _lines(self._files, f"{folder}/devinfo/{member}/error_stats")
            if re.fullmatch(r"\S+ \d{1,20}", line.strip(), re.ASCII)
        ]
        point = self._mount_point(uuid)
        checked = self._checked(uuid, point, members)
        speed = self._rates.per_second(uuid, checked, now)
        total = sum(
            whole(self._files, f"{folder}/allocation/{kind}/disk_used") or 0
            for kind in ("data", "metadata", "system")
        )
        left = 0 if checked is None else max(total - checked, 0)
        level = _level(self._files, folder)
        return ArrayReading(
            label=_first(_lines(self._files, f"{folder}/label")) or point or uuid,
            kind="btrfs",
            level=level,
            state=_state(missing, level),
            devices_total=len(members),
            devices_working=len(members) - missing,
            errors=sum(counts) if counts else None,
            activity=_activity(self._files, folder, scrubbing=checked is not None),
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


def bcachefs(files: KernelFiles) -> dict[str, ArrayReading]:
    """Every bcachefs that is mounted, by identity."""
    found: dict[str, ArrayReading] = {}
    for uuid in files.names("/sys/fs/bcachefs"):
        folder = f"/sys/fs/bcachefs/{uuid}"
        members = [name for name in files.names(folder) if re.fullmatch(r"dev-\d+", name)]
        if not members:
            continue
        # All states are listed, the present one in brackets, or that one alone is told.
        states = [files.hint(f"{folder}/{member}/state") for member in members]
        words = [(re.findall(r"\[(\S+)\]", state) or [state])[0] for state in states]
        # One that has gone keeps its folder and loses the link to what it was.
        linked = [files.exists(f"{folder}/{member}/block") for member in members]
        working = sum(
            word in ("rw", "ro", "spare", "") and (here or not any(linked))
            for word, here in zip(words, linked, strict=True)
        )
        errors = [
            int(count)
            for member in members
            for count in re.findall(
                r":\s*(\d{1,20})(?!\d)", _creation(files, f"{folder}/{member}/io_errors")
            )
        ]
        found[f"bcachefs-{uuid}"] = ArrayReading(
            label=uuid,
            kind="bcachefs",
            state="ok" if working == len(members) else "degraded" if working else "failed",
            devices_total=len(members),
            devices_working=working,
            errors=sum(errors) if errors else None,
        )
    return found


def _creation(files: KernelFiles, path: str) -> str:
    """The first of the two tables of errors: since the file system was made."""
    return files.hint(path).removeprefix("IO errors").partition("IO errors")[0]


def _state(missing: int, level: str | None) -> str:
    if not missing:
        return "ok"
    return "degraded" if missing <= _SPARE_DISKS.get(level or "raid1", 0) else "failed"


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


def _level(files: KernelFiles, folder: str) -> str | None:
    """The profile of its data: the directory that the kernel makes for it."""
    levels = [
        name
        for name in files.names(f"{folder}/allocation/data")
        if name == "single" or name.startswith(("raid", "dup"))
    ]
    return levels[0] if levels else None


def _activity(files: KernelFiles, folder: str, *, scrubbing: bool) -> str:
    if scrubbing:
        return "scrub"
    operation = _first(_lines(files, f"{folder}/exclusive_operation"))
    return "reshape" if operation not in ("", "none") else "idle"


def _lines(files: KernelFiles, path: str) -> list[str]:
    try:
        return files.text(path, keep=False).splitlines()
    except SourceError:
        return []


def _first(lines: list[str]) -> str:
    return lines[0] if lines else ""
