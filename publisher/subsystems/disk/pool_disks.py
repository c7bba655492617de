"""Which disks hold the data of which ZFS pool, found out without touching any.

Sources: udev's database (``/run/udev/data``: blkid's word on each partition), the names that
``zpool create`` gives to partitions, and who is mounted. ZFS itself tells only ``zpool``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from publisher.errors import SourceError
from publisher.sources import block
from publisher.sources.files import KernelFiles

_NO_MEMBER = ("loop", "ram", "zram", "zd", "sr", "fd")
_DEEPEST = 4  # a partition, LUKS on it, a volume on that


def pool_disks(
    files: KernelFiles, disks: Sequence[block.BlockDisk], pools: Sequence[str]
) -> Mapping[str, AbstractSet[str]]:
    """The kernel's names of the disks of each pool.

    Under the empty name stand all that may hold a pool of which nothing is known.
    """
    found: dict[str, set[str]] = {}
    for device in files.names("/sys/class/block"):
        if device.startswith(_NO_MEMBER):
            continue
        label = _pool_on(files, device)
        if label in pools:
            found.setdefault(label, set()).update(_below(files, device))
    if not found and len(pools) == 1:
        named = {
            disk
            for device, links in block.links(files, "/dev/disk/by-partlabel", "zfs-").items()
            if links
            for disk in _below(files, device)
        }
        if named:
            found[pools[0]] = named
    names = {disk.name for disk in disks}
    known = {pool: members & names for pool, members in found.items() if members & names}
    return known | {"": names - _mounted_whole(files)}


def disks_at(files: KernelFiles, paths: Iterable[str]) -> AbstractSet[str]:
    """The disks that the devices at some paths lie on."""
    targets = (files.link(path) for path in paths if path.startswith("/dev/"))
    return {
        disk for target in targets if target for disk in _below(files, target.rpartition("/")[2])
    }


def _pool_on(files: KernelFiles, device: str) -> str:
    """The pool whose data a device holds; empty where udev does not say so."""
    number = files.hint(f"/sys/class/block/{device}/dev")
    lines = files.hint(f"/run/udev/data/b{number}").splitlines() if number else []
    if "E:ID_FS_TYPE=zfs_member" not in lines:
        return ""
    prefix = "E:ID_FS_LABEL="
    return next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), "")


def _below(files: KernelFiles, device: str, depth: int = 0) -> set[str]:
    """The disks that a device lies on."""
    parts = files.names(f"/sys/class/block/{device}/slaves") if depth < _DEEPEST else []
    if parts:
        return {disk for part in parts for disk in _below(files, part, depth + 1)}
    if not files.exists(f"/sys/class/block/{device}/partition"):
        return {device}
    target = files.link(f"/sys/class/block/{device}") or ""
    return {target.split("/")[-2]} if target.count("/") > 1 else set()


def _mounted_whole(files: KernelFiles) -> set[str]:
    """The disks that hold another file system, without partitions."""
    try:
        rows = files.text("/proc/self/mountinfo", keep=False).splitlines()
    except SourceError:
        return set()
    numbers = {words[2] for row in rows if len(words := row.split(" ", 3)) > 3}
    return {name for number in numbers if (name := block.name_of(files, number))}
