"""btrfs and bcachefs over several disks: whole or not, and what their disks have met.

The trees are shaped after the kernel's ABI/stable/sysfs-fs-btrfs and, for bcachefs, after
github.com/prometheus/procfs, testdata/fixtures.ttar.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.sources import Sources
from publisher.sources.recording import Captured
from publisher.subsystems.disk.array_reading import ArrayReading
from publisher.subsystems.disk.btrfs import Btrfs
from publisher.subsystems.disk.disk import Disk

_UUID = "0abb23a9-579b-43e6-ad30-227ef47fcb9d"
_STATS = "write_errs {}\nread_errs 0\nflush_errs 0\ncorruption_errs {}\ngeneration_errs 0"
_ERRORS = (
    "IO errors since filesystem creation\n  read: {}\n  write: 0\nIO errors since last mount\n"
    "  read: 5\n"
)


class Machine:
    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str = "") -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"{text}\n")

    def btrfs(self, level: str, *missing: int, errors: int = 0) -> None:
        folder = f"sys/fs/btrfs/{_UUID}"
        self.write(f"{folder}/label", "data")
        self.write(f"{folder}/allocation/data/{level}/used_bytes", "1")
        for number, gone in enumerate(missing, 1):
            self.write(f"{folder}/devinfo/{number}/missing", str(gone))
            self.write(f"{folder}/devinfo/{number}/error_stats", _STATS.format(errors, errors))

    def bcachefs(self, *states: str, errors: int = 0, gone: int | None = None) -> None:
        folder = f"sys/fs/bcachefs/{_UUID}"
        self.write(f"{folder}/errors", "btree_node_read_err 5 0")
        for number, state in enumerate(states):
            self.write(f"{folder}/dev-{number}/state", state)
            self.write(f"{folder}/dev-{number}/io_errors", _ERRORS.format(errors))
            if gone is not None and number != gone:
                self.write(f"{folder}/dev-{number}/block")

    def array(self) -> ArrayReading:
        (array,) = Disk(Sources(files=Captured(self.root))).read().arrays.values()
        return array


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("level", "missing", "state"),
    [
        ("raid1", (0, 0), "ok"),
        ("raid1", (0, 1), "degraded"),
        ("raid1", (0, 1, 1), "failed"),
        ("raid1c3", (0, 1, 1), "degraded"),
        ("raid6", (0, 0, 1, 1), "degraded"),
        ("raid10", (0, 0, 0, 1), "degraded"),
        ("raid0", (0, 1), "failed"),
        ("single", (0, 1), "failed"),
    ],
)
def test_btrfs_that_lacks_disks(
    machine: Machine, level: str, missing: tuple[int, ...], state: str
) -> None:
    machine.btrfs(level, *missing)

    array = machine.array()

    assert (array.state, array.level) == (state, level)
    assert array.devices_working == missing.count(0)


def test_what_the_disks_of_btrfs_met_is_counted(machine: Machine) -> None:
    machine.btrfs("raid1", 0, 0, errors=3)

    assert machine.array().errors == 12


@pytest.mark.parametrize(
    ("states", "gone", "state", "working"),
    [
        (("rw", "rw"), None, "ok", 2),
        (("[rw] ro evacuating spare", "rw ro evacuating [failed]"), None, "degraded", 1),
        (("failed",), None, "failed", 0),
        (("rw", "rw", "rw"), 1, "degraded", 2),
    ],
)
def test_bcachefs(
    machine: Machine, states: tuple[str, ...], gone: int | None, state: str, working: int
) -> None:
    machine.bcachefs(*states, errors=197346, gone=gone)

    array = machine.array()

    assert (array.kind, array.state, array.devices_working) == ("bcachefs", state, working)
    assert (array.devices_total, array.errors) == (len(states), 197346 * len(states))


@pytest.mark.parametrize("odd", ["9" * 5000, "9" * 30, "-1", "x"])
def test_a_count_that_is_none_costs_itself(machine: Machine, odd: str) -> None:
    machine.btrfs("raid1", 0, 0, errors=2)
    folder = f"sys/fs/btrfs/{_UUID}/devinfo/1"
    machine.write(f"{folder}/error_stats", f"write_errs {odd}\nread_errs 1")
    assert machine.array().errors == 1 + 2 * 2


def test_one_that_nobody_foresaw_takes_no_other_along(machine: Machine) -> None:
    machine.btrfs("raid1", 0, 0)
    machine.write("sys/fs/btrfs/other/devinfo/1/missing", "0")

    def mount_point(uuid: str) -> str | None:
        if uuid == "other":
            raise RuntimeError("odd")
        return None

    disk = Disk(Sources(files=Captured(machine.root)))
    assert Btrfs(disk, mount_point).read(0.0).keys() == {f"btrfs-{_UUID}"}
    assert "RuntimeError: odd" in str(disk.health["disk.btrfs_one"])
