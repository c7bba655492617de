"""What a BMC tells becomes fans, temperatures and the whole machine's power."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from publisher.errors import SourceError
from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.sources.ipmi import Bmc, BmcSensor, parse
from publisher.subsystems.power.power import Power
from publisher.subsystems.power.whole import adds_up, rank
from publisher.subsystems.thermal.thermal import Thermal, ThermalReading

# A Dell R320 (ateodorescu/home-assistant-ipmi, issue 52), before its fan broke and after.
GOOD = """\
Fan3A,7320,RPM,ok
Fan3B,7080,RPM,ok
Inlet Temp,32,degrees C,ok
CPU1 Temp,46,degrees C,ok
P1 Therm Margin,-45,degrees C,ok
Pwr Consumption,84,Watts,ok
"""
BROKEN = GOOD.replace("Fan3B,7080,RPM,ok", "Fan3B,0,RPM,cr")


class Told(Bmc):
    """A BMC that says what it is told to."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self.at = 0.0
        self.answer = answer
        self.failure: SourceError | None = None

    def there(self, now: float) -> bool:
        return True

    def look(self, now: float) -> tuple[float, Mapping[str, BmcSensor]]:
        if self.failure:
            raise self.failure
        return self.at, parse(self.answer)

    def says(self, answer: str) -> None:
        self.at, self.answer = self.at + 60, answer


@pytest.fixture
def bmc() -> Told:
    return Told(GOOD)


@pytest.fixture
def sources(bmc: Told, tmp_path: Path) -> Sources:
    return Sources(files=KernelFiles(tmp_path), monotonic=lambda: bmc.at, bmc=bmc, nut=None)


def read(thermal: Thermal) -> ThermalReading:
    found = thermal.read()
    assert isinstance(found, ThermalReading)
    return found


def test_its_fans_and_temperatures_are_like_any(bmc: Told, sources: Sources) -> None:
    found = read(Thermal(sources))
    assert {name: each.temperature_celsius for name, each in found.temperatures.items()} == {
        "ipmi/inlet-temp": 32,
        "ipmi/cpu1-temp": 46,
    }
    assert (found.fan_speed_rpm, found.cpu_temperature_celsius) == (7320, 46)


def test_a_fan_that_broke_has_stopped(bmc: Told, sources: Sources) -> None:
    thermal = Thermal(sources)
    assert read(thermal).fans["ipmi/fan3b"].stopped is False
    bmc.says(BROKEN)
    fan = read(thermal).fans["ipmi/fan3b"]
    assert (fan.speed_rpm, fan.stopped) == (0, True)
    bmc.says(GOOD)
    assert read(thermal).fans["ipmi/fan3b"].stopped is False


def test_a_fan_that_tells_no_turns_tells_how_hard_it_is_driven(bmc: Told, sources: Sources) -> None:
    # An HP DL380 G7 (collectd/collectd, issue 819).
    bmc.says("Fan 1,43.51,percent,ok\nTemp 1,16,degrees C,ok\n")
    found = read(Thermal(sources))
    assert found.fans["ipmi/fan-1"].duty_percent == pytest.approx(43.5, abs=0.3)
    assert found.fan_speed_rpm is None


def test_a_sensor_that_came_later_joins(bmc: Told, sources: Sources) -> None:
    thermal = Thermal(sources)
    read(thermal)
    bmc.says(GOOD + "Exhaust Temp,38,degrees C,ok\n")
    assert read(thermal).temperatures["ipmi/exhaust-temp"].temperature_celsius == 38


def test_values_that_cannot_be_are_absent_there_too(bmc: Told, sources: Sources) -> None:
    bmc.says("CPU1 Temp,255,degrees C,ok\nFAN1,65535,RPM,ok\nFAN2,900,RPM,ok\n")
    found = read(Thermal(sources))
    assert found.cpu_temperature_celsius is None
    assert found.fan_speed_rpm == 900


def test_its_silence_is_said(bmc: Told, sources: Sources) -> None:
    bmc.says("FAN1,900,RPM,ok\n")
    thermal = Thermal(sources)
    read(thermal)
    bmc.failure = SourceError("the BMC gave no answer for 60 s")
    read(thermal)
    assert thermal.health["thermal.bmc"] is bmc.failure


def test_its_watts_are_the_whole_machines(bmc: Told, sources: Sources) -> None:
    power = Power(sources)
    power.read()
    bmc.says(GOOD)
    found = power.read()
    assert found.system_power_watts == 84
    assert found.system_energy_kilowatt_hours == pytest.approx(84 * 60 / 3.6e6)
    assert power.chosen["power.system"] == "measured by ipmi Pwr Consumption"


def test_two_supplies_are_added(bmc: Told, sources: Sources) -> None:
    bmc.says("Power Supply 1,35,Watts,ok\nPower Supply 2,155,Watts,ok\nCPU Power,60,Watts,ok\n")
    assert Power(sources).read().system_power_watts == 190


@pytest.mark.parametrize(
    ("chip", "label", "whole", "each"),
    [
        ("power_meter", "power1", True, False),
        ("dps200", "pin", True, True),
        ("crps", "pin", True, True),
        ("cffps2", "pin1", True, True),
        ("corsairpsu", "power total", True, False),
        ("corsairpsu", "power +12v", False, False),
        ("tps53679", "pin", False, False),
        ("macsmc_hwmon", "Total System Power", True, False),
        ("ibmpowernv", "System", True, False),
        ("ina3221", "VDD_IN", True, False),
        ("ina3221", "VDD_SOC", False, False),
        ("ipmi", "PS1 Input Power", True, True),
        ("ipmi", "System Level", True, False),
        ("ipmi", "CPU1 Power", False, False),
        ("apm_xgene", "IO power", False, False),
    ],
)
def test_which_meter_is_the_whole_machines(chip: str, label: str, whole: bool, each: bool) -> None:
    found = rank(chip, label)
    assert (found is not None) is whole
    assert found is None or adds_up(found) is each
