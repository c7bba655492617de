"""Who a chip is, and when it may be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from publisher.errors import AbsentError
from publisher.sources import hwmon
from publisher.sources.files import KernelFiles

_PCI = "/sys/devices/pci0000:00"


class Machine:
    """A tree of devices in which chips can be put anywhere."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = KernelFiles(root)

    def write(self, path: str, content: str) -> None:
        target = self.root / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content + "\n")

    def chip(self, number: int, name: str, device: str, **channels: str) -> None:
        home = f"{device or '/sys/devices/virtual'}/hwmon/hwmon{number}"
        self.write(f"{home}/name", name)
        for channel, content in channels.items():
            self.write(f"{home}/{channel}", content)
        if device:
            self._link(f"{home}/device", device)
        self._link(f"{hwmon.CLASS}/hwmon{number}", home)

    def _link(self, path: str, target: str) -> None:
        place = self.root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(self.root / target[1:], place.parent))

    def only_chip(self) -> hwmon.Chip:
        (chip,) = hwmon.find(self.files, self.files.names(hwmon.CLASS))
        return chip


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("device", "identity"),
    [
        ("/sys/devices/platform/coretemp.1", "chip-isa-0001"),
        ("/sys/devices/platform/nct6775.2592", "chip-isa-0a20"),
        (f"{_PCI}/0000:00:18.3", "chip-pci-00c3"),
        (f"{_PCI}/0000:00:01.1/0000:01:00.0/nvme/nvme0", "chip-pci-0100"),
        ("/sys/devices/pci0001:00/0001:00:00.0", "chip-pci-10000"),
        (f"{_PCI}/0000:00:14.0/usb1/1-4/1-4.2/1-4.2:1.0/0003:1B:0C.4", "chip-usb-pci-00a0-4.2"),
        ("/sys/devices/LNXSYSTM:00/LNXSYBUS:00/PNP0C09:00", "chip-acpi-pnp0c09-00"),
        ("/sys/devices/virtual/thermal/thermal_zone3", "chip-virtual"),
        ("/sys/devices/platform/soc@107c/107d542000.thermal", "chip-platform-107d542000.thermal"),
        ("", "chip-virtual"),
    ],
)  # fmt: skip
def test_a_chip_is_known_by_its_place(machine: Machine, device: str, identity: str) -> None:
    machine.chip(7, "chip", device, temp1_input="40000")

    assert machine.only_chip().identity == identity


@pytest.mark.parametrize("bus", [0, 9])
def test_the_number_of_an_i2c_bus_is_no_part_of_a_place(machine: Machine, bus: int) -> None:
    adapter = f"{_PCI}/0000:00:1f.4/i2c-{bus}"
    machine.write(f"{adapter}/name", "SMBus I801 adapter at f000")
    machine.chip(0, "lm75", f"{adapter}/{bus}-0048", temp1_input="40000")

    assert machine.only_chip().identity == "lm75-i2c-pci-00fc-48"


def test_an_adapter_without_a_parent_is_known_by_its_name(machine: Machine) -> None:
    machine.write("/sys/devices/i2c-3/name", "SMBus stub driver")
    machine.chip(0, "lm75", "/sys/devices/i2c-3/3-0048", temp1_input="40000")

    assert machine.only_chip().identity == "lm75-i2c-stub-48"


def test_adapters_of_one_device_and_behind_a_multiplexer_are_told_apart(machine: Machine) -> None:
    device = f"{_PCI}/0000:00:14.0"
    machine.write(f"{device}/i2c-1/name", "SMBus PIIX4 adapter port 0 at 0b00")
    machine.write(f"{device}/i2c-2/name", "SMBus PIIX4 adapter port 2 at 0b00")
    machine.write(f"{device}/i2c-2/i2c-5/name", "i2c-2-mux (chan_id 1)")
    for number, place in enumerate(("i2c-1/1-0048", "i2c-2/2-0048", "i2c-2/i2c-5/5-0048")):
        machine.chip(number, "lm75", f"{device}/{place}", temp1_input="40000")

    chips = hwmon.find(machine.files, machine.files.names(hwmon.CLASS))

    assert [chip.identity for chip in chips] == [
        "lm75-i2c-pci-00a0-piix4-port-0-0b00-48",
        "lm75-i2c-pci-00a0-piix4-port-2-0b00-48",
        "lm75-i2c-pci-00a0-piix4-port-2-0b00-mux-chan_id-1-48",
    ]


def test_a_suspended_device_is_not_read(machine: Machine) -> None:
    device = f"{_PCI}/0000:00:01.0/0000:03:00.0"
    machine.write(f"{device}/power/runtime_status", "active")
    machine.chip(0, "amdgpu", device, temp1_input="40000")
    chip = machine.only_chip()
    assert chip.due(0.0)

    machine.write(f"{device}/power/runtime_status", "suspended")

    assert not chip.due(2.0)
    assert chip.stale(2.0)
    assert "wake" in chip.rest.what


def test_a_chip_of_a_sleeping_pci_device_is_not_read(machine: Machine) -> None:
    device = f"{_PCI}/0000:00:01.0/0000:03:00.0"
    machine.write(f"{device}/power/runtime_status", "suspended")
    machine.chip(0, "iwlwifi_1", f"{device}/ieee80211/phy0", temp1_input="40000")

    assert not machine.only_chip().due(0.0)


class Disk:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.device = f"{_PCI}/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0"
        self.work(100)
        machine.chip(0, "drivetemp", self.device, temp1_input="40000")
        self.chip = machine.only_chip()

    def work(self, operations: int) -> None:
        self.machine.write(f"{self.device}/block/sda/stat", f"{operations} 0 0 0 0 0 0 0 0 0 0")


def test_a_disk_is_asked_only_right_after_somebody_used_it(machine: Machine) -> None:
    disk = Disk(machine)
    # Nobody knows whether it sleeps when we start.
    assert not disk.chip.due(0.0)
    assert not disk.chip.due(2.0)

    disk.work(101)
    assert disk.chip.due(4.0)
    disk.chip.was_read(4.0, 0.01)

    # It may have gone to sleep since: use that was seen a while ago is no reason.
    disk.work(102)
    assert not disk.chip.due(6.0)
    assert not disk.chip.due(66.0)
    disk.work(103)
    assert disk.chip.due(68.0)


def test_a_resting_disks_last_temperature_holds_for_ten_minutes(machine: Machine) -> None:
    disk = Disk(machine)
    disk.chip.due(0.0)
    assert disk.chip.stale(0.0)
    disk.chip.was_read(2.0, 0.01)

    assert not disk.chip.stale(600.0)
    assert disk.chip.stale(603.0)
    assert "sleeping" in disk.chip.rest.what


def test_a_slow_chip_is_asked_less_often(machine: Machine) -> None:
    machine.chip(0, "slow", "/sys/devices/platform/slow.1", temp1_input="40000")
    chip = machine.only_chip()
    for moment in range(0, 20, 2):
        chip.was_read(float(moment), 0.05)

    assert not chip.due(28.0)
    assert chip.due(40.0)


def test_one_long_read_does_not_make_a_chip_slow(machine: Machine) -> None:
    machine.chip(0, "quick", "/sys/devices/platform/quick.1", temp1_input="40000")
    chip = machine.only_chip()
    for moment in range(0, 40, 2):
        chip.was_read(float(moment), 0.0001 if moment % 8 else 5.0)

        assert chip.due(moment + 2.0)


def test_chips_are_looked_for_again_when_some_came(machine: Machine) -> None:
    machine.chip(0, "first", "/sys/devices/platform/first.1", temp1_input="40000")
    known = hwmon.Hwmon(machine.files)
    before = known.chips(0.0)
    machine.chip(1, "second", "/sys/devices/platform/second.1", temp1_input="40000")

    assert known.chips(2.0) is before
    assert [chip.name for chip in known.chips(40.0)] == ["first", "second"]
    assert known.chips(80.0) is known.chips(40.0)


def test_a_chip_that_went_away_says_so(machine: Machine) -> None:
    device = f"{_PCI}/0000:00:18.3"
    machine.write(f"{device}/power/runtime_status", "active")
    machine.chip(0, "k10temp", device, temp1_input="40000")
    chip = machine.only_chip()
    machine.files.close()
    (machine.root / f"{device}/power/runtime_status"[1:]).unlink()

    with pytest.raises(AbsentError):
        chip.due(0.0)
