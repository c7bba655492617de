"""Block devices: which are disks, what they have done, and who each one is for good.

Sources: ``/sys/block``, its ``stat`` files (kernel documentation, block/stat, admin-guide/iostats)
and the links that udev keeps below ``/dev/disk``. ``/proc/diskstats`` tells the same of every loop,
partition and RAM disk besides, at four times the cost.

A disk that is reached over several paths is one disk: the kernel itself joins the paths of NVMe
(``drivers/nvme/host/multipath.c``: ``nvme0n1`` over ``nvme0c0n1`` and ``nvme0c1n1``, which it
hides), device mapper those of SCSI (a holder whose UUID begins with ``mpath-``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from publisher.errors import SourceError
from publisher.sources.files import UNTOLD, KernelFiles

SECTOR = 512  # the kernel counts in these, whatever the disk's own sectors are

# Optical and floppy drives, flash as raw blocks, and the boot areas of an eMMC: no disks to people.
_NO_DISK = re.compile(r"sr\d|fd\d|mtdblock|mmcblk\d+(boot\d|gp\d|rpmb)")
# A path to an NVMe disk: subsystem, controller, namespace. Nothing below /dev bears its name.
_NVME_PATH = re.compile(r"(nvme\d+)c\d+(n\d+)")
_BETWEEN = b"\0"  # what stands between the counters of two paths
_PCI = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]")
_WORLD_WIDE = re.compile(r"wwn-0x[0-9a-f]+|nvme-eui\.[0-9a-f]+")


class Activity(NamedTuple):
    """What a device did since boot; the counters may wrap.

    ``None`` stands for what another system than Linux does not count.
    """

    reads: int
    sectors_read: int
    read_milliseconds: int | None
    writes: int
    sectors_written: int
    write_milliseconds: int | None
    busy_milliseconds: int | None
    queued_milliseconds: int | None


@dataclass(frozen=True, slots=True)
class BlockDisk:
    """A disk that one can hold in a hand, or that a hypervisor gives.

    Attributes:
        name: the kernel's name of it, which may change with each boot.
        identity: who it is for good.
        label: its model; the kernel's name where it tells none.
        spins: has platters, or claims so, as disks of virtual machines do.
        counted: the devices whose counters together tell what it did: itself, or the paths to it.
    """

    name: str
    identity: str
    label: str
    size_bytes: int | None
    spins: bool
    counted: tuple[str, ...]


# Of a ``stat`` file: 0 reads, 1 merged, 2 sectors, 3 ms; 4 to 7 likewise for writes; 8 in flight,
# 9 ms busy, 10 ms of all requests together.
_LONGEST_ROW = 512  # seventeen numbers of 64 bits are shorter
_ACTIVITY = itemgetter(0, 2, 3, 4, 6, 7, 9, 10)


def stat_of(name: str) -> str:
    """The file that counts what a device does."""
    return f"/sys/block/{name}/stat"


def activity(content: bytes, name: str) -> Activity:
    """What the ``stat`` file of a device says.

    Raises:
        SourceError: it is not as the documentation has it.
    """
    try:
        if len(content) > _LONGEST_ROW:
            raise ValueError  # noqa: TRY301  # as int does, over the digits of one
        words = _ACTIVITY(content.split())
        if UNTOLD in words:
            return Activity._make(None if word == UNTOLD else int(word) for word in words)
        return Activity._make(map(int, words))
    except (IndexError, ValueError):
        raise SourceError(
            f"expected 11 numbers or more, found {content[:60]!r}", path=stat_of(name)
        ) from None


def counters(files: KernelFiles, disk: BlockDisk) -> bytes:
    """What the ``stat`` files that count for a disk hold, for ``done``.

    Raises:
        SourceError: as ``KernelFiles.read``.
    """
    if len(disk.counted) == 1:
        return files.read(stat_of(disk.counted[0]))
    return _BETWEEN.join(files.read(stat_of(name)) for name in disk.counted)


def done(content: bytes, disk: BlockDisk) -> Activity:
    """What ``counters`` says that a disk did.

    Raises:
        SourceError: it is not as the documentation has it.
    """
    if len(disk.counted) == 1:
        return activity(content, disk.counted[0])
    parts = zip(content.split(_BETWEEN), disk.counted, strict=True)
    each = zip(*(activity(part, name) for part, name in parts), strict=True)
    return Activity._make(None if None in values else sum(values) for values in each)


def disks(files: KernelFiles) -> list[BlockDisk]:
    """The disks there are, in the order of their identities."""
    listed = files.names("/sys/block")
    present = [name for name in listed if _is_disk(files, name)]
    paths = _paths(files, listed, present)
    further = {path for row in paths.values() for path in row[1:]}
    names = [name for name in present if name not in further]
    by_id = links(files, "/dev/disk/by-id")
    by_path = links(files, "/dev/disk/by-path")
    candidates = {
        name: _candidates(files, name, by_id.get(name, ()), by_path.get(name, ())) for name in names
    }
    # What two disks claim to be, as cheap USB bridges do, identifies neither.
    claims = Counter(word for words in candidates.values() for word in words)
    found = [
        BlockDisk(
            name=name,
            identity=next(word for word in candidates[name] if claims[word] == 1),
            label=_label(files, name),
            size_bytes=_size(files, name),
            spins=_integer(files, f"/sys/block/{name}/queue/rotational") == 1,
            counted=paths.get(name, (name,)),
        )
        for name in names
    ]
    return sorted(found, key=lambda disk: disk.identity)


def name_of(files: KernelFiles, number: str) -> str | None:
    """The kernel's name of the block device ``major:minor``."""
    target = files.link(f"/sys/dev/block/{number}")
    return target.rpartition("/")[2] if target else None


def uuids(files: KernelFiles) -> dict[str, str]:
    """The kernel's names of block devices to the UUID of the file system on each."""
    return {name: words[0] for name, words in links(files, "/dev/disk/by-uuid").items() if words}


def part_of(files: KernelFiles, name: str, known: Iterable[BlockDisk]) -> str | None:
    """``<identity of the disk>-part<number>``, or that of a mapped volume by its given name.

    For a file system that udev knows no UUID of, as in a container.
    """
    mapped = files.hint(f"/sys/block/{name}/dm/name")
    if mapped:
        return f"dm-name-{mapped}"
    identities = {disk.name: disk.identity for disk in known}
    if name in identities:
        return identities[name]
    target = files.link(f"/sys/class/block/{name}")
    disk = target.split("/")[-2] if target else ""
    number = files.hint(f"/sys/class/block/{name}/partition")
    return f"{identities[disk]}-part{number}" if disk in identities and number else None


def _is_disk(files: KernelFiles, name: str) -> bool:
    """Whether there is hardware behind it, and a medium in it.

    Loop, RAM, zram, md and device mapper have no ``device``; their work is done by disks. What the
    kernel hides is a path to a disk that has a name of its own.
    """
    return (
        not _NO_DISK.match(name)
        and not _NVME_PATH.fullmatch(name)
        and files.exists(f"/sys/block/{name}/device")
        and files.hint(f"/sys/block/{name}/hidden") != "1"
        and _size(files, name) != 0
    )


def _paths(
    files: KernelFiles, listed: Iterable[str], present: Iterable[str]
) -> Mapping[str, tuple[str, ...]]:
    """The devices that count for a disk which is reached over several, by the disk's name."""
    hidden: dict[str, tuple[str, ...]] = {}
    for name in listed:
        if match := _NVME_PATH.fullmatch(name):
            head = match[1] + match[2]
            hidden[head] = (*hidden.get(head, ()), name)
    found = {
        # Before Linux 6.5 the paths alone counted (nvme: "support io stats on the mpath device").
        head: names
        for head, names in hidden.items()
        if not _has_worked(files, head) and any(_has_worked(files, name) for name in names)
    }
    joined: dict[str, tuple[str, ...]] = {}
    for name in present:
        for holder in files.names(f"/sys/block/{name}/holders"):
            if files.hint(f"/sys/block/{holder}/dm/uuid").startswith("mpath-"):
                joined[holder] = (*joined.get(holder, ()), name)
    return found | {names[0]: names for names in joined.values()}


def _has_worked(files: KernelFiles, name: str) -> bool:
    return bool(files.hint(stat_of(name)).strip("0 "))


def _size(files: KernelFiles, name: str) -> int | None:
    """Bytes on it; 0 without a medium, ``None`` where the system does not tell."""
    if files.foreign:
        return None
    return _integer(files, f"/sys/block/{name}/size") * SECTOR


def _candidates(
    files: KernelFiles, name: str, by_id: tuple[str, ...], by_path: tuple[str, ...]
) -> list[str]:
    """What the disk may be known by, the best first; the kernel's name always comes last.

    First what makers promise to be unique in the world, in udev's spelling. Serial numbers are
    private and go in as a digest. What the kernel tells counts before udev's links, so that the
    same disk has the same identity in a container that has no ``/dev/disk``.
    """
    found: list[str] = []
    wwid = files.hint(f"/sys/block/{name}/device/wwid") or files.hint(f"/sys/block/{name}/wwid")
    kind, _, number = wwid.partition(".")
    if kind == "naa":
        found.append(f"wwn-0x{number.lower()}")
    elif kind == "eui":
        found.append(f"nvme-eui.{number.lower()}" if name[:4] == "nvme" else f"wwn-0x{number}")
    found += [link for link in by_id if _WORLD_WIDE.fullmatch(link)]
    serial = (
        wwid
        or files.hint(f"/sys/block/{name}/device/cid")  # MMC and SD cards
        or files.hint(f"/sys/block/{name}/serial")  # virtio, as the hypervisor was told
        or next((link for link in by_id if not link.startswith(("wwn-", "nvme-eui."))), "")
    )
    if serial:
        import hashlib  # noqa: PLC0415  # OpenSSL's library is 2 MB, and few disks need this

        found.append("disk-" + hashlib.blake2s(serial.encode(), digest_size=6).hexdigest())
    found += by_path[:1]
    address = _PCI.findall(files.link(f"/sys/block/{name}/device") or "")
    if address:
        found.append(f"pci-{address[-1]}")
    return list(dict.fromkeys([*found, name]))


def links(files: KernelFiles, folder: str, prefix: str = "") -> dict[str, tuple[str, ...]]:
    """The kernel's names of devices to the links in ``folder`` that lead to each, sorted."""
    found: dict[str, tuple[str, ...]] = {}
    for link in files.names(folder):
        if not link.startswith(prefix):
            continue
        target = files.link(f"{folder}/{link}")
        if target:
            name = target.rpartition("/")[2]
            found[name] = (*found.get(name, ()), link)
    return found


def _label(files: KernelFiles, name: str) -> str:
    folder = f"/sys/block/{name}/device"
    model = files.hint(f"{folder}/model") or files.hint(f"{folder}/name")
    vendor = files.hint(f"{folder}/vendor") if name[:2] == "sd" else ""
    if vendor in ("ATA", "NVMe"):  # the bus, not the maker
        vendor = ""
    return " ".join(f"{vendor} {model}".split()) or name


def _integer(files: KernelFiles, path: str) -> int:
    try:
        return files.integer(path, keep=False)
    except SourceError:
        return 0
