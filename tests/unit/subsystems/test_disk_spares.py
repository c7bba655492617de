"""Spares of md arrays: which of those that vanish are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.subsystems.disk.disk import Disk

_HOUR = 3600.0


class Machine:
    """Two mirrored disks and their spares."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 1000.0
        (root / "proc").mkdir()
        (root / "sys/block").mkdir(parents=True)
        for name in ("md0", "sda1", "sdb1"):
            self.plug(name)
        self.disk = Disk(Sources(files=KernelFiles(root), monotonic=lambda: self.now))

    def plug(self, name: str) -> None:
        (self.root / "sys/class/block" / name).mkdir(parents=True, exist_ok=True)

    def unplug(self, name: str) -> None:
        (self.root / "sys/class/block" / name).rmdir()

    def lost(self, *spares: str, after: float = 20.0, slots: str = "[2/2] [UU]") -> int | None:
        """How many spares are lost, with those that the kernel lists now."""
        self.now += after
        disks = " ".join(["sdb1[1]", "sda1[0]", *spares])
        (self.root / "proc/mdstat").write_text(
            f"Personalities : [raid1]\nmd0 : active raid1 {disks}\n"
            f"      976 blocks super 1.2 {slots}\n\nunused devices: <none>\n"
        )
        return self.disk.read().arrays["md0"].spares_lost


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_spare_that_dies_and_is_taken_out_by_udev_is_told_for_a_day(machine: Machine) -> None:
    machine.plug("sdc1")
    assert machine.lost("sdc1[2](S)") == 0
    machine.unplug("sdc1")
    assert machine.lost() == 1
    assert machine.lost(after=12 * _HOUR) == 1
    assert machine.lost(after=12 * _HOUR) == 0


def test_a_spare_that_people_take_out_is_not_told(machine: Machine) -> None:
    machine.plug("sdc1")
    machine.lost("sdc1[2](S)")
    assert machine.lost() == 0
    machine.unplug("sdc1")
    assert machine.lost() == 0


def test_a_spare_that_comes_back_under_another_name_is_not_lost(machine: Machine) -> None:
    machine.plug("sdc1")
    machine.lost("sdc1[2](S)")
    machine.unplug("sdc1")
    machine.lost()
    machine.plug("sdd1")
    assert machine.lost("sdd1[2](S)") == 0


def test_a_spare_that_stands_in_is_not_lost(machine: Machine) -> None:
    machine.plug("sdc1")
    machine.lost("sdc1[2](S)")
    assert machine.lost("sdc1[2]", slots="[2/1] [_U]") == 0


def test_a_spare_that_fails_counts_until_it_is_taken_out(machine: Machine) -> None:
    machine.plug("sdc1")
    machine.lost("sdc1[2](S)")
    assert machine.lost("sdc1[2](F)") == 1
    machine.unplug("sdc1")
    assert machine.lost() == 0


def test_where_no_disk_is_to_be_seen_none_is_missed(machine: Machine) -> None:
    machine.lost("sdc1[2](S)")
    machine.unplug("md0")
    assert machine.lost() == 0


def test_a_name_with_a_slash_is_the_one_in_sysfs(machine: Machine) -> None:
    machine.plug("cciss!c0d2p1")
    machine.lost("cciss/c0d2p1[2](S)")
    assert machine.lost() == 0
