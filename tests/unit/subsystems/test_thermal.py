"""What is read when, and what counts as a change; the values are the fixtures' business."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from publisher.cli.replay import replay
from publisher.contract.payload import Change, change
from publisher.sources import Sources
from publisher.sources.recording import Recording
from publisher.subsystems.thermal.thermal import Thermal, ThermalReading

_MACHINES = Path(__file__).parents[2] / "fixtures/machines"


class Machine:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 1000.0
        self.files = Recording(root)
        self.thermal = Thermal(Sources(files=self.files, monotonic=lambda: self.now))

    def read(self, later: float = 0.0) -> ThermalReading:
        self.now += later
        self.files.again()
        reading = self.thermal.read()
        assert isinstance(reading, ThermalReading)
        return reading

    def read_files(self) -> set[str]:
        return {path.rpartition("/")[2] for path in self.files.contents}

    def write(self, path: str, content: object) -> None:
        (self.root / path).write_text(f"{content}\n")


@pytest.fixture
def desktop(tmp_path: Path) -> Machine:
    root = shutil.copytree(_MACHINES / "intel_desktop", tmp_path / "root", symlinks=True)
    return Machine(root)


@pytest.fixture
def laptop(tmp_path: Path) -> Machine:
    root = shutil.copytree(_MACHINES / "laptop", tmp_path / "root", symlinks=True)
    return Machine(root)


def test_renumbering_changes_no_identity() -> None:
    before = replay(_MACHINES / "renumbered/1", ["thermal"])["thermal"]
    after = replay(_MACHINES / "renumbered", ["thermal"])["thermal"]

    assert before["temperatures"].keys() == after["temperatures"].keys()
    assert before["fans"].keys() == after["fans"].keys()
    assert before["cpu_temperature_celsius"] != after["cpu_temperature_celsius"]


def test_single_cores_are_looked_at_every_tenth_second_only(desktop: Machine) -> None:
    core = "coretemp-isa-0000/core-0"
    base = "sys/devices/platform/coretemp.0/hwmon/hwmon2"
    first = desktop.read()
    assert first.temperatures[core].temperature_celsius == 46
    desktop.write(f"{base}/temp2_input", 90000)
    desktop.write(f"{base}/temp1_input", 91000)

    soon = desktop.read(2)
    assert soon.cpu_temperature_celsius == 91
    assert soon.temperatures[core].temperature_celsius == 46

    assert desktop.read(8).temperatures[core].temperature_celsius == 90


def test_limits_and_labels_are_read_once(desktop: Machine) -> None:
    desktop.read()
    desktop.read(2)

    read = desktop.read_files()
    assert "temp1_input" in read
    assert {name for name in read if name.endswith(("_label", "_max", "_crit"))} == set()


def test_a_machine_at_rest_gives_the_same_reading(desktop: Machine) -> None:
    before = desktop.read(2)
    after = desktop.read(2)

    assert after.temperatures is before.temperatures
    assert after.fans is before.fans
    assert change(before, after) is Change.NONE


@pytest.mark.parametrize(
    ("path", "content", "worth"),
    [
        ("platform/coretemp.0/hwmon/hwmon2/temp1_input", 49000, Change.NONE),
        ("platform/coretemp.0/hwmon/hwmon2/temp1_input", 50000, Change.VALUE),
        ("platform/nct6775.656/hwmon/hwmon3/temp1_input", 38000, Change.NONE),
        ("platform/nct6775.656/hwmon/hwmon3/temp1_input", 39500, Change.VALUE),
        ("platform/nct6775.656/hwmon/hwmon3/fan1_input", 890, Change.NONE),
        ("platform/nct6775.656/hwmon/hwmon3/fan2_input", 1250, Change.NONE),
        ("platform/nct6775.656/hwmon/hwmon3/fan2_input", 1300, Change.VALUE),
        ("platform/nct6775.656/hwmon/hwmon3/fan2_input", 4294967295, Change.STATE),
    ],
)
def test_only_a_move_beyond_the_deadband_is_worth_a_message(
    desktop: Machine, path: str, content: int, worth: Change
) -> None:
    before = desktop.read()
    desktop.write(f"sys/devices/{path}", content)

    assert change(before, desktop.read(2)) is worth


def test_throttling_is_seen_within_ten_seconds_and_over_after_as_many(laptop: Machine) -> None:
    assert laptop.read().throttled is None
    assert laptop.read(10).throttled is False
    laptop.write("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", 7)

    reading = laptop.read(10)
    assert (reading.throttled, reading.throttle_count) == (True, 7)
    assert laptop.read(10).throttled is False


def test_a_processor_that_is_switched_off_holds_back_nobody(laptop: Machine) -> None:
    counter = laptop.root / "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count"
    before = laptop.read().throttle_count
    kept = counter.read_text()
    counter.unlink()
    gone = laptop.read(10)
    counter.write_text(kept)
    back = laptop.read(10)

    assert (gone.throttle_count, gone.throttled) == (before, False)
    assert (back.throttle_count, back.throttled) == (before, False)


def test_nothing_that_sleeps_is_read(laptop: Machine) -> None:
    for _ in range(20):
        laptop.read(2)
        values = [path for path in laptop.files.contents if path.endswith(("_input", "_average"))]
        assert not any("/0000:02:00.0/" in path or "/0000:03:00.0/" in path for path in values)


def test_a_sleeping_card_is_read_when_it_wakes_and_forgotten_when_it_sleeps(
    laptop: Machine,
) -> None:
    device = "sys/devices/pci0000:00/0000:00:1c.0/0000:02:00.0"
    sensor = "iwlwifi_1-pci-0200/temp1"
    assert sensor not in laptop.read().temperatures
    laptop.write(f"{device}/power/runtime_status", "active")
    laptop.write(f"{device}/hwmon/hwmon4/temp1_input", 44000)

    assert laptop.read(2).temperatures[sensor].temperature_celsius == 44
    assert laptop.thermal.health["thermal.iwlwifi_1-pci-0200"] is None

    laptop.write(f"{device}/power/runtime_status", "suspended")
    assert laptop.read(2).temperatures[sensor].temperature_celsius is None


def test_a_reason_is_kept_as_it_was_first_said(desktop: Machine) -> None:
    fan = "thermal.nct6798-isa-0290/fan1"
    path = "sys/devices/platform/nct6775.656/hwmon/hwmon3/fan1_input"
    desktop.read()
    desktop.write(path, 70000)
    desktop.read(2)
    first = desktop.thermal.health[fan]
    desktop.write(path, 80000)
    desktop.read(2)

    assert desktop.thermal.health[fan] is first
    desktop.write(path, 800)
    assert desktop.read(2).fans["nct6798-isa-0290/fan1"].speed_rpm == 800
    assert desktop.thermal.health[fan] is None


def test_the_fastest_fan_is_the_headline(desktop: Machine) -> None:
    reading = desktop.read()
    fastest = max(reading.fans.values(), key=lambda fan: fan.speed_rpm or 0)

    assert reading.fan_speed_rpm == fastest.speed_rpm
    assert reading.fan_duty_percent == fastest.duty_percent


@pytest.mark.parametrize(
    ("speeds", "said"),
    [
        ([31237, 1204, 31237, 1210], [1204, 1204, 1204, 1210]),  # a pulse miscounted now and then
        ([21802, 21802, 21900], [1204, 21802, 21900]),  # one that races
        ([4800, 9600, 19000], [4800, 9600, 19000]),  # and one on its way there
        ([0, 15000], [0, 15000]),
    ],
)
def test_a_fan_leaps_only_when_it_is_seen_twice(
    desktop: Machine, speeds: list[int], said: list[int]
) -> None:
    fan = "nct6798-isa-0290/fan2"
    assert desktop.read().fans[fan].speed_rpm == 1204
    found = []
    for speed in speeds:
        desktop.write("sys/devices/platform/nct6775.656/hwmon/hwmon3/fan2_input", speed)
        found.append(desktop.read(2).fans[fan].speed_rpm)

    assert found == said
