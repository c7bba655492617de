"""Which block devices are disks: one a disk, over however many paths it is reached."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from publisher.sources import block
from publisher.sources.files import KernelFiles

_LUN = "naa.600508b1001c000000000000000000a1"


class Machine:
    """A made-up ``/sys/block``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys/block").mkdir(parents=True)

    def add(self, name: str, below: str = "", *, device: bool = True, **content: str) -> Path:
        """A block device at a place below ``/sys/devices``."""
        folder = self.root / "sys/devices" / (below or f"virtual/block/{name}")
        folder.mkdir(parents=True, exist_ok=True)
        if device:
            (folder / "device").mkdir()
        for path, text in ({"size": "2048", "stat": _stat(0)} | content).items():
            target = folder / path.replace("__", "/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(f"{text}\n")
        link = self.root / "sys/block" / name
        link.symlink_to(os.path.relpath(folder, link.parent))
        return folder

    def path(self, name: str, host: int, *, holder: str = "", reads: int = 0) -> None:
        """A SCSI disk of the one LUN, as seen over one host adapter."""
        place = f"pci0000:00/0000:0{host}:00.0/host{host}/{name}"
        folder = self.add(name, place, device__wwid=_LUN, stat=_stat(reads))
        if holder:
            (folder / "holders" / holder).mkdir(parents=True)

    def namespace(self, name: str, *, reads: int = 0, hidden: bool = False) -> None:
        flag = "1" if hidden else "0"
        number = "eui.36344730526000010025384500000001"
        self.add(name, f"virtual/nvme/{name}", wwid=number, stat=_stat(reads), hidden=flag)

    def disks(self) -> list[block.BlockDisk]:
        return block.disks(KernelFiles(self.root))


def _stat(reads: int) -> str:
    return f"{reads} 0 {8 * reads} {reads} 0 0 0 0 0 {reads} {reads}"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_lies_on_disks_is_no_disk(machine: Machine) -> None:
    for name in ("loop0", "ram0", "zram0", "md0", "dm-0", "bcache0", "drbd0", "nbd0", "zd0"):
        machine.add(name, device=False)
    for name in ("sr0", "fd0", "mmcblk0boot0", "mmcblk0gp0", "mmcblk0rpmb", "mtdblock0"):
        machine.add(name)
    machine.add("sdz", size="0")
    machine.add("mmcblk0")
    machine.add("vda")

    assert [disk.name for disk in machine.disks()] == ["mmcblk0", "vda"]


def test_what_the_kernel_hides_is_no_disk(machine: Machine) -> None:
    machine.namespace("nvme0n1", reads=7)
    machine.namespace("nvme0c0n1", reads=7, hidden=True)
    machine.namespace("nvme0c1n1")  # of a kernel that does not say so

    (disk,) = machine.disks()

    assert (disk.name, disk.counted) == ("nvme0n1", ("nvme0n1",))
    assert disk.identity == "nvme-eui.36344730526000010025384500000001"


def test_the_paths_of_nvme_count_where_the_disk_itself_does_not(machine: Machine) -> None:
    """As before Linux 6.5."""
    machine.namespace("nvme0n1")
    machine.namespace("nvme0c0n1", reads=100, hidden=True)
    machine.namespace("nvme0c1n1", reads=11, hidden=True)
    files = KernelFiles(machine.root)

    (disk,) = machine.disks()

    assert (disk.name, disk.counted) == ("nvme0n1", ("nvme0c0n1", "nvme0c1n1"))
    done = block.done(block.counters(files, disk), disk)
    assert (done.reads, done.sectors_read, done.busy_milliseconds) == (111, 888, 111)


def test_two_paths_to_one_scsi_disk_are_one_disk_that_keeps_its_identity(machine: Machine) -> None:
    machine.add("dm-3", device=False, dm__uuid="mpath-3600508b1001c000000000000000000a1")
    machine.path("sda", 1, holder="dm-3", reads=5)
    machine.path("sdb", 2, holder="dm-3", reads=6)
    files = KernelFiles(machine.root)

    (disk,) = machine.disks()

    assert (disk.name, disk.counted) == ("sda", ("sda", "sdb"))
    assert disk.identity == "wwn-0x600508b1001c000000000000000000a1"
    assert block.done(block.counters(files, disk), disk).reads == 11


def test_two_paths_that_nobody_joins_are_told_apart(machine: Machine) -> None:
    machine.path("sda", 1)
    machine.path("sdb", 2)

    assert len({disk.identity for disk in machine.disks()}) == 2


def test_a_volume_on_a_disk_joins_no_paths(machine: Machine) -> None:
    machine.add("dm-0", device=False, dm__uuid="LVM-abc")
    machine.path("sda", 1, holder="dm-0")

    (disk,) = machine.disks()

    assert disk.counted == ("sda",)
