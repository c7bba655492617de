"""Which file systems are mounted, told once each.

Source: ``/proc/<pid>/mountinfo`` (man 5 proc_pid_mountinfo).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

# File systems of this machine's own disks whose figures the kernel has at hand: statvfs answers
# from memory. Every other kind asks a server, a user's program or a pool that may be suspended.
_AT_HAND = frozenset(
    {"bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfsplus", "jfs", "msdos"}
    | {"nilfs2", "ntfs3", "overlay", "reiserfs", "vfat", "xfs"}
    | {"apfs", "fat", "fat32", "hfs", "ntfs", "refs", "ufs"}  # of macOS, Windows and BSD
)
_REMOTE = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs"}
    | {"nfs4", "smb3", "smbfs", "vboxsf", "virtiofs", "zfs"}
)
# Images that are full by design and never change.
_IMAGES = frozenset({"cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"})
# FUSE file systems that hold no data of their own: desktops' and containers' plumbing.
_PLUMBING = frozenset(
    {"fuse.archivemount", "fuse.fuse-overlayfs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal"}
    | {"fuse.snapfuse", "fuse.squashfuse"}
)
# Files that container engines bind into every container, from whatever disk theirs are on.
_ENGINES = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/dev/termination-log"})
_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount.

    Attributes:
        device: ``major:minor`` of the file system; major 0 where no block device stands for it.
        root: the directory of the file system that is shown; ``/`` unless bound or a subvolume.
        point: where.
        read_only: the file system itself is, as after an error; not just this view of it.
        slow: asking it may take for ever.
    """

    device: str
    root: str
    point: str
    type: str
    source: str
    read_only: bool
    slow: bool = False


def table(files: KernelFiles) -> bytes:
    """The mount table as the kernel writes it.

    Where the root is moved, it is a host's seen from a container, so the view of its first
    process counts; otherwise our own, since it is there that we will ask.
    """
    if files.root:
        try:
            return files.read("/proc/1/mountinfo")
        except SourceError:
            pass
    return files.read("/proc/self/mountinfo")


def parse(content: bytes) -> list[Mount]:
    """Every mount that can be reached, in the table's order.

    Raises:
        SourceError: no line is as the manual page has it.
    """
    mounts: dict[str, Mount] = {}
    broken = ""
    # Not splitlines: a path may hold what Unicode or ASCII calls a separator, too; the kernel
    # escapes blanks and newlines.
    for line in (
        content.replace(b"\0", b"?").decode("utf-8", "surrogateescape").rstrip("\n").split("\n")
    ):
        head, separator, tail = line.partition(" - ")
        left, right = head.split(" "), tail.split(" ")
        if not separator or len(left) < 6 or len(right) < 3:
            broken = line
            continue
        point = _plain(left[4])
        mounts.pop(point, None)  # a later mount at the same place covers the earlier one
        mounts[point] = Mount(
            device=left[2],
            root=_plain(left[3]),
            point=point,
            type=right[0],
            source=_plain(right[1]),
            read_only="ro" in right[2].split(","),
        )
    if not mounts:
        raise SourceError(
            f"no mount table as man 5 proc_pid_mountinfo has it: {broken[:40]!r}", path="mountinfo"
        )
    return list(mounts.values())


def data(mounts: Iterable[Mount]) -> list[Mount]:
    """The mounts that hold data of a disk or a server, each file system once.

    Pseudo file systems, images, and all but one mount of the same file system are left out. An
    overlay shows the space of a file system that is listed anyway; only where there is none, as
    in a container, the root's overlay stands for it.
    """
    mounts = list(mounts)
    slow_points = [mount.point for mount in mounts if _may_hang(mount.type)]
    best: dict[str, Mount] = {}
    for mount in mounts:
        if not _holds_data(mount):
            continue
        known = best.get(mount.device)
        if known is None or _rank(mount) < _rank(known):
            best[mount.device] = mount
    if not best:
        best = {
            mount.device: mount for mount in mounts if (mount.type, mount.point) == ("overlay", "/")
        }
    return [
        replace(mount, slow=True)
        if _may_hang(mount.type) or any(_below(mount.point, point) for point in slow_points)
        else mount
        for mount in sorted(best.values(), key=lambda mount: mount.point)
    ]


def _holds_data(mount: Mount) -> bool:
    if mount.type in _IMAGES or mount.type in _PLUMBING or mount.point in _ENGINES:
        return False
    if mount.type == "zfs":
        return "@" not in mount.source  # a snapshot that somebody looked into
    return (
        mount.source.startswith("/dev/")
        or mount.type in _REMOTE
        or mount.type.startswith("fuse.")
        or mount.type in _AT_HAND - {"overlay"}
    )


def _rank(mount: Mount) -> tuple[bool, int, str]:
    """The mount that a person would name comes first: the whole, at the shortest path.

    Every mount of a btrfs may be a subvolume, so there its root says nothing.
    """
    return (mount.root != "/" and mount.type != "btrfs", len(mount.point), mount.point)


def _may_hang(kind: str) -> bool:
    return kind in _REMOTE or kind == "fuseblk" or kind.startswith("fuse.") or kind == "autofs"


def _below(point: str, upper: str) -> bool:
    return point != upper and point.startswith(upper.rstrip("/") + "/")


def _plain(word: str) -> str:
    """Undoes the kernel's octal escapes of blanks and backslashes."""
    if "\\" not in word:
        return word
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8) or ord("?")), word)
