"""Disks: who is who, what they did, and what comes of input that makes no sense."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from publisher.cli.replay import replay
from publisher.contract.payload import Change, change
from publisher.errors import AbsentError, SourceError
from publisher.sources import Sources, block
from publisher.sources.recording import Captured
from publisher.subsystems.disk.disk import Disk, DiskReading

_FIXTURES = Path(__file__).parents[2] / "fixtures" / "disk"
_SDA = "sys/block/sda/stat"


class Machine:
    """A disk subsystem on a copy of a fixture tree whose files and clock move as told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = Captured(root)
        self.now = 100.0
        self.disk = Disk(Sources(files=self.files, monotonic=lambda: self.now))

    def write(self, path: str, content: str | bytes) -> None:
        target = self.root / path
        if target.is_dir():
            shutil.rmtree(target)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def read(self, *, after: float = 2.0) -> DiskReading:
        self.now += after
        return self.disk.read()


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], Machine]:
    def make(case: str) -> Machine:
        shutil.copytree(_FIXTURES / case, tmp_path / case, symlinks=True)
        return Machine(tmp_path / case)

    return make


def _stats(*, reads: int = 0, sectors: int = 0, written: int = 0, busy: int = 0) -> str:
    return f"{reads} 1 {sectors} {reads * 5} 0 2 {written} 0 0 {busy} {busy * 2} 0 0 0 0 0 0\n"


def test_the_same_disks_under_other_names_keep_their_identities() -> None:
    before = replay(_FIXTURES / "nas", ["disk"])["disk"]
    after = replay(_FIXTURES / "nas-renumbered", ["disk"])["disk"]

    for part in ("devices", "filesystems", "arrays"):
        assert before[part].keys() == after[part].keys()
    names = [
        {key: item["device"] for key, item in reading["devices"].items()}
        for reading in (before, after)
    ]
    assert names[0] != names[1]
    asleep = [
        {key for key, item in reading["devices"].items() if item["power_state"] == "standby"}
        for reading in (before, after)
    ]
    assert asleep[0] == asleep[1] == {"wwn-0x5000c500aa000004", "wwn-0x5000c500aa000005"}


def test_disks_that_get_other_names_while_we_watch_give_no_rate_across_the_change(
    machine: Callable[[str], Machine],
) -> None:
    nas = machine("nas")
    nas.read()
    nas.files.close()
    nas.files.root = str(_FIXTURES / "nas-renumbered")

    nas.read()  # counters that run backwards are the first sign
    reading = nas.read()

    device = reading.devices["wwn-0x5000c500aa000000"]
    assert device.device == "sdf"
    assert device.read_bytes_per_second is None


def test_udev_and_sysfs_tell_the_same_identity() -> None:
    """In a container there is no /dev/disk."""
    with_links = {disk.identity for disk in block.disks(Captured(_FIXTURES / "nas"))}
    without = {disk.identity for disk in block.disks(Captured(_FIXTURES / "container"))}

    assert without <= with_links


def test_no_serial_number_is_in_an_identity() -> None:
    found = block.disks(Captured(_FIXTURES / "virtual-machine"))

    assert [disk.identity for disk in found] == ["disk-73f34f404f01", "pci-0000:00:02.0"]


def test_what_two_disks_claim_to_be_identifies_neither(
    machine: Callable[[str], Machine],
) -> None:
    nas = machine("nas")
    ata = "sys/devices/pci0000:00/0000:00:17.0/ata{0}/host{1}/target{1}:0:0/{1}:0:0:0/wwid"
    for number in (1, 2):
        nas.write(ata.format(number, number - 1), "t10.USB CHEAP 0123456789\n")
    for link in (nas.root / "dev/disk/by-id").glob("*5000c500aa00000[01]"):
        link.unlink()
    for link in (nas.root / "dev/disk/by-id").glob("ata-*"):
        link.unlink()

    names = {disk.name: disk.identity for disk in block.disks(nas.files)}

    assert names["sda"] == "pci-0000:00:17.0-ata-1"
    assert names["sdb"] == "pci-0000:00:17.0-ata-2"


def test_rates_are_what_the_counters_grew_by(machine: Callable[[str], Machine]) -> None:
    vm = machine("virtual-machine")
    vm.write(_SDA, _stats())
    vm.read()
    vm.write(_SDA, _stats(reads=100, sectors=4000, written=2000, busy=500))

    reading = vm.read(after=2.0)

    device = reading.devices["disk-73f34f404f01"]
    assert device.read_bytes_per_second == 4000 * 512 / 2
    assert device.write_bytes_per_second == 2000 * 512 / 2
    assert device.reads_per_second == 50
    assert device.busy_percent == 25
    assert device.latency_milliseconds == 5
    assert device.queue_depth == 0.5
    assert reading.read_bytes_per_second == 4000 * 512 / 2
    assert reading.busy_percent == 25


def test_an_idle_disk_moves_nothing_and_has_no_latency(machine: Callable[[str], Machine]) -> None:
    vm = machine("virtual-machine")
    vm.read()
    first = vm.read()

    second = vm.read()

    assert second.write_bytes_per_second == 0
    assert second.devices["disk-73f34f404f01"].latency_milliseconds is None
    assert change(first, second) is Change.NONE


def test_a_disk_at_work_is_news_and_its_jitter_is_not(machine: Callable[[str], Machine]) -> None:
    vm = machine("virtual-machine")
    written = [0, 0, 400_000, 820_000, 1_230_000]
    readings = []
    for sectors in written:
        vm.write(_SDA, _stats(written=sectors))
        readings.append(vm.read())
    idle, busy, *steady = readings[1:]

    assert change(idle, busy) is Change.VALUE
    assert [change(busy, later) for later in steady] == [Change.NONE, Change.NONE]


@pytest.mark.parametrize(
    "later",
    [
        _stats(reads=1, sectors=1, written=1, busy=1),
        _stats(reads=2**64 - 1, sectors=2**64 - 1, written=2**64 - 1, busy=2**64 - 1),
        _stats(reads=-7, sectors=-7, written=-7, busy=-7),
    ],
    ids=["reset", "absurd", "negative"],
)
def test_counters_that_jump_give_no_rate(machine: Callable[[str], Machine], later: str) -> None:
    vm = machine("virtual-machine")
    vm.write(_SDA, _stats(reads=50, sectors=50, written=50, busy=50))
    vm.read()
    vm.write(_SDA, later)

    device = vm.read().devices["disk-73f34f404f01"]

    assert device.read_bytes_per_second is None
    assert device.write_bytes_per_second is None
    assert device.reads_per_second is None
    assert device.busy_percent is None
    assert device.queue_depth is None


@pytest.mark.parametrize(
    "content",
    [
        "   8       0 sda 1 2 3\n",
        "   8  0 sda x 1 2 3 4 5 6 7 8 9 10 11\n",
        "\n",
        b"\xff\x00\xfe\n",
    ],
    ids=["truncated", "malformed", "blank", "binary"],
)
def test_unusable_counters_take_away_that_disk_s_rates_and_nothing_else(
    machine: Callable[[str], Machine], content: str | bytes
) -> None:
    vm = machine("virtual-machine")
    vm.read()
    vm.write(_SDA, content)

    reading = vm.read()

    assert reading.devices["disk-73f34f404f01"].busy_percent is None
    assert reading.devices["pci-0000:00:02.0"].busy_percent == 0
    assert reading.filesystems["pci-0000:00:02.0"].state == "ok"
    assert isinstance(vm.disk.health["disk.devices"], SourceError)


def test_what_may_not_be_read_is_named(machine: Callable[[str], Machine]) -> None:
    vm = machine("virtual-machine")
    vm.write(_SDA, "!EACCES\n")
    vm.write("proc/self/mountinfo", "!EACCES\n")

    reading = vm.read()

    assert reading.filesystems == {}
    assert "may not read" in str(vm.disk.health["disk.devices"])
    assert "may not read" in str(vm.disk.health["disk.mounts"])


def test_a_machine_without_disks_is_a_fact(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    assert machine.read().devices == {}
    assert isinstance(machine.disk.health["disk.devices"], AbsentError)


def test_a_disk_that_is_plugged_in_appears_and_one_pulled_out_goes(
    machine: Callable[[str], Machine],
) -> None:
    nas = machine("nas")
    sdb = nas.root / "sys/block/sdb"
    target = sdb.readlink()
    sdb.unlink()
    assert "wwn-0x5000c500aa000001" not in nas.read().devices

    sdb.symlink_to(target)
    assert "wwn-0x5000c500aa000001" in nas.read(after=10).devices

    nas.files.close()
    sdb.unlink()
    nas.read()
    assert "wwn-0x5000c500aa000001" not in nas.read().devices


def test_udev_s_word_counts_when_it_comes(machine: Callable[[str], Machine]) -> None:
    laptop = machine("laptop-btrfs")
    card = "mmc0:aaaa"
    cid = laptop.root / f"sys/devices/platform/soc/fe340000.mmc/mmc_host/mmc0/{card}/cid"
    cid.unlink()
    link = laptop.root / "dev/disk/by-path/platform-fe340000.mmc"
    target = link.readlink()
    link.unlink()
    assert "mmcblk0" in laptop.read().devices

    link.symlink_to(target)

    assert "platform-fe340000.mmc" in laptop.read(after=10).devices


def test_a_disk_that_nobody_uses_may_have_spun_down(machine: Callable[[str], Machine]) -> None:
    nas = machine("nas")
    assert nas.read().devices["wwn-0x5000c500aa000000"].power_state == "active"

    assert nas.read(after=3600).devices["wwn-0x5000c500aa000000"].power_state == "idle"


@pytest.mark.parametrize(
    ("word", "reachable"),
    [
        ("running", True),
        ("live", True),
        ("blocked", True),
        ("offline", False),
        ("transport-offline", False),
        ("dead", False),
        ("", None),
    ],
)
def test_a_disk_that_the_kernel_has_given_up_is_told(
    machine: Callable[[str], Machine], word: str, reachable: bool | None
) -> None:
    nas = machine("nas")
    nas.write("sys/block/sda/device/state", f"{word}\n")

    assert nas.read().devices["wwn-0x5000c500aa000000"].reachable is reachable
    assert nas.read().devices["wwn-0x5000c500aa000001"].reachable is None


def test_wear_and_health_are_absent_where_nobody_was_asked(
    machine: Callable[[str], Machine],
) -> None:
    device = machine("nas").read().devices["wwn-0x5000c500aa000000"]

    assert device.healthy is None
    assert device.power_on_seconds is None
