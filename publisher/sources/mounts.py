"""Which file systems are mounted, told once each.

Source: ``/proc/<pid>/mountinfo`` (man 5 proc_pid_mountinfo).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

# File systems of this machine's own disks whose figures the kernel has at hand: statvfs answers
# from memory. Every other kind asks a server, a user's program or a pool that may be suspended.
_AT_HAND = frozenset(
    {"bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfsplus", "jfs", "jffs2"}
    | {"msdos", "nilfs2", "ntfs3", "overlay", "reiserfs", "ubifs", "vfat", "xfs"}
    | {"apfs", "cdfs", "csvfs", "fat", "fat32", "hfs", "ntfs", "refs", "ufs", "unknown"}  # others'
)
_REMOTE = frozenset(
    {"9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "cvfs", "drvfs", "gfs2", "glusterfs"}
    | {"gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2"}
    | {"smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "wekafs", "zfs"}
)
# Images that are full by design and never change.
_IMAGES = frozenset({"cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"})
# FUSE file systems that hold no data of their own: desktops' and containers' plumbing. The name
# stands behind the type, or is the source where the type is plain ``fuse``.
_PLUMBING = frozenset(
    {"appimagelauncherfs", "archivemount", "dwarfs", "fuse-archive", "fuse-overlayfs", "fuseiso"}
    | {"gvfs-fuse-daemon", "gvfsd-fuse", "kio-fuse", "lxcfs", "mount-zip", "portal", "ratarmount"}
    | {"revokefs-fuse", "snapfuse", "squashfuse", "squashfuse_ll", "sysboxfs", "vmware-vmblock"}
)
# Files that container engines bind into every container, from whatever disk theirs are on.
_ENGINES = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/dev/termination-log"})
# Where programs mount what is theirs alone, for as long as they run: layers and volumes of
# containers (Docker and Podman on ZFS, btrfs or device mapper; containerd; pods of Kubernetes;
# LXD and Incus), AppImages, builds, snapshots that a backup reads. The folders themselves may be
# disks' own mount points, and so may everything below ``/run/media``.
_OF_PROGRAMS = re.compile(
    r"/(?:proc|sys|dev)/.|/usr/lib/wsl/."
    r"|/run/(?:containerd|credentials|crio|docker|k3s|lxc|schroot|snapd|systemd|timeshift|user)/."
    r"|/tmp/\.mount_|/mnt/vzsnap\d|(?:/var)?/tmp/(?:buildkit-mount|containerd-mount"
    r"|flatpak-cache-|vzdumptmp)"
    r"|.*/(?:zfs/graph|btrfs/subvolumes|devicemapper/mnt|aufs/mnt|overlay2|docker/plugins"
    r"|kubelet/pods|kubelet/plugins|schroot/mount|snapshotter/snapshots)/."
    r"|.*/storage-pools/[^/]+/(?:containers|custom|images|virtual-machines)[^/]*/."
    r"|.*/io\.containerd\.|.*/[0-9a-f]{64}(?![^/-])"
)
# What a file system says of itself that cannot be written, the latter two after an error
# (``ext4_show_options`` of the kernel, ``fs/ext4/super.c``).
_STOPPED = frozenset({"ro", "emergency_ro", "shutdown"})
_FAILED = _STOPPED - {"ro"}
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
        failed: the kernel met an error, and writes to it no more.
        on_demand: it was mounted when somebody came, and goes when nobody has come for a while;
            asking it counts as coming.
    """

    device: str
    root: str
    point: str
    type: str
    source: str
    read_only: bool
    slow: bool = False
    failed: bool = False
    on_demand: bool = False


def failures(files: KernelFiles, found: list[Mount]) -> list[Mount]:
    """The same mounts, those marked as failed that only init sees so.

    A service's sandbox may show it everything read-only, so that its own table does not tell who
    made a file system read-only.
    """
    if files.root or not any(mount.read_only and not mount.failed for mount in found):
        return found
    try:
        others = parse(files.read("/proc/1/mountinfo", keep=False))
    except SourceError:
        return found
    failed = {mount.device for mount in others if mount.failed}
    return [replace(mount, failed=mount.failed or mount.device in failed) for mount in found]


def hidden(files: KernelFiles, found: Iterable[Mount]) -> set[str]:
    """Mount points of a host's file systems that this container does not see below its root.

    What is there instead is the container's own. Without the host's ``/proc`` below the root it
    is no container's view of a host, and nothing is hidden.
    """
    if not files.root or not files.live:
        return set()
    try:
        own = {mount.point: mount for mount in parse(Path("/proc/self/mountinfo").read_bytes())}
    except (OSError, SourceError):
        return set()
    root = os.path.realpath(files.root)
    proc = own.get(f"{root}/proc")
    if proc is None or proc.type != "proc":
        return set()
    return {
        mount.point
        for mount in found
        if (here := own.get(root + mount.point.rstrip("/"))) is None or here.device != mount.device
    }


def table(files: KernelFiles) -> bytes:
    """The mount table as the kernel writes it.

    Where the root is moved, it is a host's seen from a container, so the view of its first
    process counts; otherwise our own, since it is there that we will ask.
    """
    if files.root:
        try:
            return files.read("/proc/1/mountinfo")
        except SourceError:  # processes of others may be hidden
            if files.live and (seen := _seen_below(os.path.realpath(files.root))):
                return seen
    return files.read("/proc/self/mountinfo")


def _seen_below(root: str) -> bytes:
    """What our own table has below a root, with the paths that it has there."""
    try:
        content = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return b""
    found: list[bytes] = []
    for line in content.split(b"\n"):
        words = line.split(b" ", 5)
        if len(words) == 6 and (words[4] + b"/").startswith(f"{root}/".encode()):
            words[4] = words[4].removeprefix(root.encode()) or b"/"
            found.append(b" ".join(words))
    return b"\n".join(found)


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
        covered = mounts.pop(point, None)  # by a later mount at the same place
        mounts[point] = Mount(
            device=left[2],
            root=_plain(left[3]),
            point=point,
            type=right[0],
            source=_plain(right[1]),
            read_only=not _STOPPED.isdisjoint(right[2].split(",")),
            failed=_failed(right[0], left[5], right[2]),
            on_demand=covered is not None and (covered.type == "autofs" or covered.on_demand),
        )
    if not mounts:
        raise SourceError(
            f"no mount table as man 5 proc_pid_mountinfo has it: {broken[:40]!r}", path="mountinfo"
        )
    return list(mounts.values())


def _failed(kind: str, view: str, options: str) -> bool:
    """Whether the file system turned read-only by itself.

    Who wants it read-only makes the mount so, too; the kernel, after an error, only the file
    system. ext4 says since Linux 6.15 that it stopped, and leaves both as they were.
    """
    if kind not in _AT_HAND or kind == "overlay":
        return False  # a property of ZFS makes the file system read-only alone
    words = options.split(",")
    return not _FAILED.isdisjoint(words) or ("ro" in words and "rw" in view.split(","))


def data(mounts: Iterable[Mount]) -> list[Mount]:
    """The mounts that hold data of a disk or a server, each file system once.

    Pseudo file systems, images, and all but one mount of the same file system are left out. An
    overlay shows the space of a file system that is listed anyway; only where there is none, as
    in a container, the root's overlay stands for it.
    """
    mounts = list(mounts)
    # Where the root itself hangs nothing can be helped.
    slow_points = [mount.point for mount in mounts if _may_hang(mount.type) and mount.point != "/"]
    triggers = [mount.point for mount in mounts if mount.type == "autofs"]
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
    found = []
    for mount in sorted(best.values(), key=lambda mount: mount.point):
        on_demand = mount.on_demand or any(_below(mount.point, point) for point in triggers)
        slow = mount.type not in _AT_HAND or any(
            _below(mount.point, upper) for upper in slow_points
        )
        found.append(replace(mount, slow=slow or on_demand, on_demand=on_demand))
    return found


def is_device(mount: Mount) -> bool:
    """Whether its source is a device: a user's FUSE file system may say so of any path."""
    if mount.type == "fuse" or mount.type.startswith("fuse."):
        return False
    return mount.source.startswith("/dev/") and ".." not in mount.source.split("/")


def _holds_data(mount: Mount) -> bool:
    if mount.type in _IMAGES or mount.point in _ENGINES or _OF_PROGRAMS.match(mount.point):
        return False
    if mount.type == "zfs":
        return "@" not in mount.source  # a snapshot that somebody looked into
    if _is_fuse(mount.type):
        return (mount.type.partition(".")[2] or mount.source) not in _PLUMBING
    return (
        mount.source.startswith("/dev/")
        or mount.type in _REMOTE
        or mount.type in _AT_HAND - {"overlay"}
    )


def _rank(mount: Mount) -> tuple[bool, int, str]:
    """The mount that a person would name comes first: the whole, at the shortest path.

    Every mount of a btrfs may be a subvolume, so there its root says nothing.
    """
    return (mount.root != "/" and mount.type != "btrfs", len(mount.point), mount.point)


def _is_fuse(kind: str) -> bool:
    return kind in {"fuse", "fuseblk"} or kind.startswith("fuse.")


def _may_hang(kind: str) -> bool:
    return kind in _REMOTE or kind == "autofs" or _is_fuse(kind)


def _below(point: str, upper: str) -> bool:
    return point != upper and point.startswith(upper.rstrip("/") + "/")


def _plain(word: str) -> str:
    """Undoes the kernel's octal escapes of blanks and backslashes."""
    if "\\" not in word:
        return word
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8) or ord("?")), word)
