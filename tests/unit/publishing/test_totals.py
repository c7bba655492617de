"""Totals never fall: through a restart, a crash, a reboot, another folder, a counter set to 0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from publisher.contract.payload import to_json
from publisher.publishing.totals import Totals
from publisher.subsystems.disk.disk import DeviceReading, DiskReading
from publisher.subsystems.memory import MemoryReading
from publisher.subsystems.power.power import MeterReading, PowerReading


class Machine:
    """Folders and a boot, and what is published of two counters."""

    def __init__(self, folder: Path) -> None:
        self.state, self.memory = folder / "state", folder / "memory"
        self.memory.mkdir()
        self.boot = "one"
        self.now = 0.0
        self.totals = self.start()

    def start(self, *, told: object = None) -> Totals:
        self.totals = Totals(str(self.state), str(self.memory), self.boot)
        self.totals.recall(told)
        return self.totals

    def reboot(self, *, told: object = None) -> Totals:
        for file in self.memory.iterdir():
            file.unlink()
        self.boot += "'"
        return self.start(told=told)

    def energy(self, counted: float, after: float = 300) -> float:
        self.now += after
        reading = PowerReading(cpu_energy_kilowatt_hours=counted)
        shown = self.totals.raised("power", reading, self.now).cpu_energy_kilowatt_hours
        assert shown is not None
        return shown

    def kills(self, counted: int) -> int | None:
        self.now += 60
        reading = MemoryReading(oom_kills=counted)
        return self.totals.raised("memory", reading, self.now).oom_kills

    @property
    def told(self) -> Any:
        """What the broker keeps of ``info``."""
        return json.loads(json.dumps([to_json(each) for each in self.totals.records or ()]))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_counter_that_grows_is_published_as_it_is(machine: Machine) -> None:
    assert [machine.energy(value) for value in (0.0, 1.5, 1.5, 2.25)] == [0.0, 1.5, 1.5, 2.25]


def test_a_counter_that_starts_again_is_added_to_what_it_was(machine: Machine) -> None:
    assert [machine.kills(value) for value in (3, 5, 0, 0, 2)] == [3, 5, 5, 5, 7]


@pytest.mark.parametrize(
    ("counted", "shown"),
    [
        ((12, 0, 12, 0, 13, 14), [12, 12, 12, 12, 13, 14]),
        ((12, 0, 3, 0, 12, 16), [12, 12, 15, 15, 15, 19]),
        ((4, 0, 1, 2, 3, 4, 5), [4, 4, 5, 6, 7, 8, 9]),
        ((40, 28, 29, 41), [40, 40, 41, 41]),
    ],
)
def test_a_counter_that_comes_back_to_where_it_was_is_not_added_twice(
    machine: Machine, counted: tuple[int, ...], shown: list[int]
) -> None:
    assert [machine.kills(value) for value in counted] == shown


def test_whole_numbers_stay_whole(machine: Machine) -> None:
    machine.kills(5)
    machine.reboot()
    assert repr(machine.kills(1)) == "5"


def test_an_orderly_end_loses_and_invents_nothing(machine: Machine) -> None:
    for value in (1.0, 1.1, 1.2, 1.3):
        machine.energy(value)
    machine.totals.close()
    machine.reboot(told=machine.told)
    assert machine.energy(1.3) == 1.3
    assert machine.energy(1.4) == 1.4


def test_after_a_crash_they_go_on_exactly_where_they_were(machine: Machine) -> None:
    for value in (1.0, 1.1, 1.2, 1.3):
        machine.energy(value)
    machine.start(told=machine.told)
    assert machine.energy(0.8) == 1.3, "half an hour was lost"
    assert machine.energy(0.9) == pytest.approx(1.4)


def test_after_a_power_failure_they_go_on_from_what_was_reserved(machine: Machine) -> None:
    for value in (1.0, 1.1, 1.2, 1.3, 1.35):
        machine.energy(value)
    machine.reboot()
    assert 1.35 <= machine.energy(0.8) <= 1.35 + 2 * 0.6, "half an hour's energy, twice at most"


def test_a_power_failure_soon_after_an_orderly_end(machine: Machine) -> None:
    for value in (1.0, 1.1, 1.2):
        machine.energy(value)
    machine.totals.close()
    machine.start()
    machine.energy(1.2)
    machine.energy(1.3)
    machine.reboot()
    assert machine.energy(1.2) >= 1.3


def test_the_disk_is_left_alone_for_half_an_hour(machine: Machine) -> None:
    writes = set()
    for minute in range(120):
        machine.energy(minute / 600, after=60)
        writes.add((machine.state / "totals.json").stat().st_mtime_ns)
    assert len(writes) <= 7
    machine.energy(119 / 600)
    before = (machine.state / "totals.json").stat().st_mtime_ns
    for _ in range(100):
        machine.energy(119 / 600)
    assert (machine.state / "totals.json").stat().st_mtime_ns == before, "at rest"


@pytest.mark.parametrize("ended", [False, True])
def test_a_state_folder_from_a_backup(machine: Machine, ended: bool) -> None:
    machine.energy(1.0)
    if ended:
        machine.totals.close()
    backup = (machine.state / "totals.json").read_bytes()
    machine.start()
    for value in (1.0, 1.001, 1.5, 7.0):
        machine.energy(value)
    machine.totals.close()
    told = machine.told
    (machine.state / "totals.json").write_bytes(backup)
    machine.reboot(told=told)
    assert machine.energy(1.0) >= 7.0


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"totals": 1}', '{"lineage": 3}'])
def test_a_state_folder_that_is_lost_or_damaged(machine: Machine, content: str | None) -> None:
    machine.energy(7.0)
    told = machine.told
    file = machine.state / "totals.json"
    file.unlink()
    if content is not None:
        file.write_text(content)
    machine.reboot(told=told)
    assert machine.energy(0.0) >= 7.0


def test_what_earlier_runs_said_raises_nothing_that_is_known_better(machine: Machine) -> None:
    for value in (1.0, 1.1, 1.2, 1.3):
        machine.energy(value)
    machine.start(told=machine.told)
    assert machine.energy(1.3) == 1.3


@pytest.mark.parametrize(
    "told",
    [
        "x", {}, [1], [{}], [{"label": "power||cpu_energy_kilowatt_hours"}],
        [{"label": "power||cpu_energy_kilowatt_hours", "limit": "1"}],
        [{"label": "power||cpu_energy_kilowatt_hours", "limit": 1e300}],
        [{"label": "power||cpu_energy_kilowatt_hours", "limit": 1e7}],
        [{"label": "power||cpu_energy_kilowatt_hours", "limit": float("nan")}],
        [{"label": 7, "limit": 1}], [{"label": "starts||", "limit": True}],
    ],
)  # fmt: skip
def test_what_strangers_say_changes_nothing(machine: Machine, told: object) -> None:
    machine.start(told=told)
    assert machine.energy(0.5) == 0.5


def test_each_device_has_its_own_and_one_that_comes_back_goes_on(machine: Machine) -> None:
    def shown(**counted: float) -> dict[str, float | None]:
        meters = {
            name: MeterReading(energy_kilowatt_hours=value) for name, value in counted.items()
        }
        raised = machine.totals.raised("power", PowerReading(meters=meters), 1.0)
        return {name: each.energy_kilowatt_hours for name, each in raised.meters.items()}

    assert shown(a=1.0, b=5.0) == {"a": 1.0, "b": 5.0}
    assert shown(a=2.0) == {"a": 2.0}
    assert shown(a=2.5, b=0.0) == {"a": 2.5, "b": 5.0}
    assert shown(a=2.5, b=0.5) == {"a": 2.5, "b": 5.5}


def test_what_a_device_keeps_itself_writes_nothing(machine: Machine) -> None:
    def offer(seconds: int) -> None:
        reading = DiskReading(devices={"sda": DeviceReading(power_on_seconds=seconds)})
        machine.totals.raised("disk", reading, machine.now)

    offer(3600)
    before = (machine.state / "totals.json").stat().st_mtime_ns
    for hour in range(2, 50):
        offer(hour * 3600)
    assert (machine.state / "totals.json").stat().st_mtime_ns == before


def test_what_is_absent_stays_absent_and_the_rest_is_untouched(machine: Machine) -> None:
    reading = PowerReading(cpu_power_watts=5.0)
    assert machine.totals.raised("power", reading, 0.0) is reading


def test_without_folders_they_hold_as_long_as_the_daemon_lives() -> None:
    totals = Totals()
    shown = [
        totals.raised("memory", MemoryReading(oom_kills=value), 0.0).oom_kills
        for value in (4, 1, 2)
    ]
    totals.close()
    assert shown == [4, 4, 5]


def test_a_folder_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file")
    totals = Totals(str(tmp_path / "state"))
    for value in range(3):
        totals.raised("memory", MemoryReading(oom_kills=value), 0.0)
    assert caplog.text.count("is not kept") == 1
