"""Fans that are heard, pumps that are not, and what stands still and should not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from publisher.sources import Sources
from publisher.sources.recording import Captured
from publisher.subsystems.thermal.fans import kind_of
from publisher.subsystems.thermal.sensors import FanReading
from publisher.subsystems.thermal.thermal import Thermal, ThermalReading

_FIXTURES = Path(__file__).parents[2] / "fixtures/thermal"
_CHIP = "sys/devices/platform/nct6775.656/hwmon/hwmon1"


@pytest.mark.parametrize(
    ("chip", "label", "kind"),
    [
        ("kraken2", "Pump", "pump"),
        ("z53", "Pump speed", "pump"),
        ("nct6798", "AIO_PUMP", "pump"),
        ("nct6798", "W_PUMP+", "pump"),
        ("nct6687", "Pump Fan", "pump"),
        ("d5next", "Pump speed", "pump"),
        ("d5next", "Fan speed", "fan"),
        ("it8792", "SYS5 fan/pump", "fan"),
        ("quadro", "Flow speed [dL/h]", None),
        ("leakshield", "Reservoir Volume [ml]", None),
        ("asusec", "Water_Flow", None),
        ("asusec", "Chipset", "small"),
        ("asusec", "VRM HS", "small"),
        ("asusec", "CPU_Opt", "fan"),
        ("corsairpsu", "psu fan", "power_supply"),
        ("dps200", "fan1", "power_supply"),
        ("ipmi", "PSU1 FAN", "power_supply"),
        ("ipmi", "PS2 Fan Tach 1", "power_supply"),
        ("ipmi", "Fan1A", "fan"),
        ("ipmi", "SYS_FAN3", "fan"),
        ("thinkpad", "fan1", "fan"),
    ],
)
def test_what_it_is_by_its_name(chip: str, label: str, kind: str | None) -> None:
    assert kind_of(chip, label) == kind


class Machine:
    def __init__(self, case: str, where: Path) -> None:
        self.root = shutil.copytree(_FIXTURES / case, where / "root", symlinks=True)
        self.state = where / "state"
        self.now = 1000.0
        self.begin()

    def begin(self) -> None:
        self.thermal = Thermal(
            Sources(
                files=Captured(self.root),
                monotonic=lambda: self.now,
                state_dir=os.fspath(self.state),
            )
        )

    def read(self, **files: object) -> ThermalReading:
        for name, content in files.items():
            (self.root / _CHIP / name).write_text(f"{content}\n")
        self.now += 10
        found = self.thermal.read()
        assert isinstance(found, ThermalReading)
        return found

    def fan(self, label: str, **files: object) -> FanReading:
        return self.read(**files).fans[f"nct6798-isa-0290/{label}"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine("fan_stops", tmp_path)


def test_a_driven_fan_that_turned_and_stands_still_has_stopped(machine: Machine) -> None:
    assert machine.fan("fan1").stopped is False
    assert machine.fan("fan1", fan1_input=0).stopped is True
    assert machine.fan("fan1", fan1_input=900).stopped is False


def test_what_never_turned_may_be_a_connector_without_a_fan(machine: Machine) -> None:
    machine.read()
    found = machine.read().fans
    assert found["nct6798-isa-0290/fan2"].stopped is None
    assert found["nct6798-isa-0290/fan2"].speed_rpm == 0


def test_a_fan_that_may_rest_has_not_stopped(machine: Machine) -> None:
    (machine.root / _CHIP / "fan1_alarm").write_text("1\n")
    machine.begin()
    machine.read()
    assert machine.fan("fan1", fan1_input=0, pwm1=0).stopped is False
    assert machine.fan("fan1", pwm1=50).stopped is False


def test_a_resting_fan_of_a_hot_processor_has_stopped(machine: Machine) -> None:
    machine.read()
    core = machine.root / "sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_input"
    core.write_text("99000\n")
    machine.read(fan1_input=0, pwm1=0)
    assert machine.fan("fan1").stopped is True


def test_a_fan_without_pulse_width_has_stopped_when_its_chip_raises_an_alarm(
    machine: Machine,
) -> None:
    (machine.root / _CHIP / "pwm1").unlink()
    (machine.root / _CHIP / "fan1_alarm").write_text("0\n")
    machine.begin()
    machine.read()
    assert machine.fan("fan1", fan1_input=0).stopped is False
    assert machine.fan("fan1", fan1_alarm=1).stopped is True


def test_a_pump_never_rests(machine: Machine) -> None:
    assert machine.fan("aio_pump").stopped is False
    assert machine.fan("aio_pump", fan4_input=0).stopped is True


def test_a_fan_that_its_driver_calls_faulty_is_not_believed(machine: Machine) -> None:
    (machine.root / _CHIP / "fan1_fault").write_text("0\n")
    machine.begin()
    machine.read()
    found = machine.fan("fan1", fan1_fault=1)
    assert (found.speed_rpm, found.fault, found.stopped) == (None, True, True)


def test_a_fan_that_failed_while_fanwhy_was_off_is_missed(machine: Machine) -> None:
    machine.read()
    machine.begin()
    assert machine.fan("fan1", fan1_input=0).stopped is True


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "3", '{"turned": 3}', '{"turned": [3], "moving": {}}']
)
def test_a_damaged_file_is_as_none(machine: Machine, content: str) -> None:
    machine.state.mkdir()
    (machine.state / "fans.json").write_text(content)
    machine.begin()
    assert machine.fan("fan1", fan1_input=0).stopped is None


def test_the_fan_of_a_water_cooler_is_heard_and_its_pump_is_not(tmp_path: Path) -> None:
    found = Machine("kraken_pump", tmp_path).read()
    assert found.fan_speed_rpm == 834
    assert max(fan.speed_rpm or 0 for fan in found.fans.values()) == 1992


def test_a_pump_alone_is_no_fan(tmp_path: Path) -> None:
    machine = Machine("kraken_pump", tmp_path)
    for name in ("fan1_input", "fan2_input"):
        (machine.root / _CHIP / name).unlink()
    kraken = next(machine.root.rglob("0003:1E71:170E.0002/hwmon/hwmon2"))
    (kraken / "fan1_input").unlink()
    (kraken / "fan1_label").unlink()
    machine.begin()
    assert machine.read().fan_speed_rpm is None


def test_it_is_said_which_sensor_is_the_processor(tmp_path: Path) -> None:
    machine = Machine("jetson_nano", tmp_path)
    assert machine.read().cpu_temperature_celsius == 37.5
    why = "zone/cpu-therm: the thermal zone of the processor's cores"
    assert machine.thermal.chosen["thermal.cpu_temperature"] == why
