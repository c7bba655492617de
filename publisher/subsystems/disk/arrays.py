"""Disks bound together, whatever binds them: whether they are whole, and at repair.

Sources: those of ``md``, ``pools``, ``btrfs`` and ``volumes``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from publisher.errors import AbsentError
from publisher.sources import block
from publisher.subsystems.base import Subsystem
from publisher.subsystems.disk.array_reading import ArrayReading
from publisher.subsystems.disk.btrfs import Btrfs, MountPoint, bcachefs
from publisher.subsystems.disk.md import mdstat, spares
from publisher.subsystems.disk.pools import Pools
from publisher.subsystems.disk.spares import Spares
from publisher.subsystems.disk.volumes import Volumes
from publisher.subsystems.disk.zpool import scans

__all__ = ["ArrayReading", "Arrays", "mdstat", "scans"]

_PERIOD = 10.0
# Either is seen from a container as well, or is mounted there.
_SYNOLOGY = ("/proc/sys/kernel/syno_hw_version", "/etc/synoinfo.conf")


class Arrays:
    """Every array, pool and file system over several disks, by identity."""

    def __init__(self, subsystem: Subsystem, mount_point: MountPoint) -> None:
        self._subsystem = subsystem
        self._files = subsystem.files
        self._pools = Pools(subsystem)
        self._spares = Spares(subsystem.files)
        self._btrfs = Btrfs(subsystem, mount_point)
        self._volumes = Volumes(subsystem)
        self._synology: bool | None = None
        self._next = float("-inf")
        self._readings: dict[str, ArrayReading] = {}

    def watch(self, disks: Sequence[block.BlockDisk]) -> None:
        """The disks that there are now."""
        self._pools.watch(disks)

    def read(self, now: float, at_work: Collection[str]) -> dict[str, ArrayReading]:
        """The newest reading of each.

        Args:
            now: monotonic seconds.
            at_work: the kernel's names of the disks that have just done something.
        """
        self._pools.attend(now, at_work)
        if now < self._next:
            return self._readings
        self._next = now + _PERIOD
        part = self._subsystem.part
        self._readings = {
            **(part("arrays", lambda: self._md(now)) or {}),
            **(part("pools", lambda: self._pools.read(now)) or {}),
            **(part("btrfs", lambda: self._btrfs.read(now) | bcachefs(self._files)) or {}),
            **(self._subsystem.apart("lvm", lambda: self._volumes.read(now)) or {}),
        }
        return self._readings

    def close(self) -> None:
        self._pools.close()
        self._volumes.close()

    def _md(self, now: float) -> dict[str, ArrayReading]:
        try:
            content = self._files.read("/proc/mdstat")
        except AbsentError:  # most machines have none: no news
            return {}
        if self._synology is None:
            self._synology = any(map(self._files.exists, _SYNOLOGY))
        found = dict(mdstat(content, synology=self._synology))
        for name, lost in self._spares.lost(spares(content), now).items():
            if array := found.get(name):
                found[name] = replace(array, spares_lost=lost + (array.spares_lost or 0))
        uuids = block.links(self._files, "/dev/disk/by-id", "md-uuid-") if found else {}
        return {uuids.get(name, (name,))[0]: array for name, array in found.items()}
