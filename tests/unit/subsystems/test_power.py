"""Energy counts over restarts, UPSes, and what a battery means for the machine."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from publisher.errors import SourceError
from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.sources.recording import Captured
from publisher.subsystems.power.meters import Meter, Meters
from publisher.subsystems.power.power import Power
from publisher.subsystems.power.supply import (
    SupplyReading,
    on_battery,
    ups_reading,
    ups_watts,
)

_RAPL = "sys/class/powercap/intel-rapl:0"
_BOOT = "proc/sys/kernel/random/boot_id"


class Machine:
    """One package that draws 36 W, and a clock that goes on over boots."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state"
        self.now = 1000.0
        self.raw = 5_000_000
        (root / _RAPL).mkdir(parents=True)
        (root / _RAPL / "name").write_text("package-0\n")
        (root / _RAPL / "max_energy_range_uj").write_text("262143328850\n")
        (root / _BOOT).parent.mkdir(parents=True)
        self.boot("first")

    def boot(self, identity: str) -> None:
        (self.root / _BOOT).write_text(f"{identity}\n")
        self.raw, self.now = 0, 10.0
        self.run(0)

    def run(self, seconds: float) -> None:
        self.now += seconds
        self.raw += int(seconds * 36e6)
        (self.root / _RAPL / "energy_uj").write_text(f"{self.raw}\n")

    def start(self) -> Power:
        return Power(
            Sources(
                files=KernelFiles(self.root),
                monotonic=lambda: self.now,
                state_dir=str(self.state),
                nut=None,
            )
        )

    def kilowatt_hours(self, power: Power) -> float:
        count = power.read().cpu_energy_kilowatt_hours
        assert count is not None
        return count


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _hour(machine: Machine, power: Power) -> None:
    for _ in range(60):
        machine.run(60)
        power.read()


def test_an_hour_at_36_watts_is_36_watt_hours(machine: Machine) -> None:
    power = machine.start()
    power.read()
    _hour(machine, power)

    assert machine.kilowatt_hours(power) == pytest.approx(0.036)


def test_the_count_goes_on_after_a_restart_and_makes_up_for_the_gap(machine: Machine) -> None:
    power = machine.start()
    power.read()
    _hour(machine, power)
    power.close()
    machine.run(100)

    assert machine.kilowatt_hours(machine.start()) == pytest.approx(0.036 + 100 * 36 / 3.6e6)


def test_a_gap_in_which_the_counter_may_have_come_round_is_not_guessed(machine: Machine) -> None:
    power = machine.start()
    power.read()
    _hour(machine, power)
    power.close()
    machine.run(4000)

    assert machine.kilowatt_hours(machine.start()) == pytest.approx(0.036)


def test_the_count_goes_on_after_a_boot(machine: Machine) -> None:
    power = machine.start()
    power.read()
    _hour(machine, power)
    power.close()
    machine.boot("second")
    machine.run(50)

    assert machine.kilowatt_hours(machine.start()) == pytest.approx(0.036)


def test_the_file_is_written_every_half_hour_and_no_more_often(machine: Machine) -> None:
    power = machine.start()
    power.read()
    machine.run(60)
    power.read()
    assert not machine.state.exists()
    _hour(machine, power)
    kept = json.loads((machine.state / "energy.json").read_text())["meters"]["rapl/package-0"]

    # A crash loses what came since.
    assert 0.016 < kept["kilowatt_hours"] < 0.037


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"boot_id": 1}', '{"boot_id": "x", "meters": {"a": {"kilowatt_hours": -1}}}',
     '{"boot_id": "x", "meters": {"a": {"kilowatt_hours": "Infinity", "raw_microjoules": 1}}}'],
)  # fmt: skip
def test_a_damaged_file_starts_at_0_and_is_said(machine: Machine, content: str) -> None:
    machine.state.mkdir()
    (machine.state / "energy.json").write_text(content)
    power = machine.start()

    assert machine.kilowatt_hours(power) == 0
    problem = power.health["power.energy_file"]
    assert problem
    assert "damaged" in problem.what


def test_an_unwritable_folder_is_said_with_its_remedy(machine: Machine) -> None:
    machine.state.write_text("a file in its place")
    power = machine.start()
    power.read()
    machine.run(60)
    power.read()
    power.close()
    machine.run(1)
    power.read()

    problem = power.health["power.energy_file"]
    assert problem
    assert "writable" in problem.remedy


def test_a_counter_that_comes_round_is_followed() -> None:
    meter = Meter()
    meter.count(999_000_000, 0.0, 1_000_000_000)
    meter.count(9_000_000, 1.0, 1_000_000_000)

    assert meter.watts == pytest.approx(10.0)


def test_a_sum_never_falls_and_counts_nothing_twice(tmp_path: Path) -> None:
    def meters() -> Meters:
        return Meters(KernelFiles(tmp_path), str(tmp_path / "state"))

    first = meters()
    first.of("a").kilowatt_hours, first.of("b").kilowatt_hours = 1.0, 2.0
    assert first.total("sum", ["a", "b"]) == 3.0
    first.of("a").kilowatt_hours = 1.5
    assert first.total("sum", ["a"]) == 3.5, "b is gone"
    first.of("b").kilowatt_hours = 2.25
    assert first.total("sum", ["a", "b"]) == 3.75, "and there again"
    assert first.total("sum", []) is None
    first.save(0.0, due=True)
    second = meters()
    second.of("a").kilowatt_hours += 0.25
    assert second.total("sum", ["a", "b"]) == 4.0, "counted while fanwhy was away"
    second.of("c").kilowatt_hours = 7.0
    assert second.total("other", ["c"]) == 7.0


def test_power_below_0_takes_nothing_back() -> None:
    meter = Meter()
    meter.integrate(100.0, 0.0)
    meter.integrate(-100.0, 36.0)
    assert meter.kilowatt_hours == 0


def test_a_counter_set_to_0_gives_no_watts_and_no_energy() -> None:
    meter = Meter()
    meter.count(200_000_000_000, 0.0, 262_143_328_850)
    meter.count(1_000, 1.0, 262_143_328_850)

    assert meter.watts is None
    assert meter.kilowatt_hours == 0


def test_power_is_not_taken_to_last_over_a_gap() -> None:
    meter = Meter()
    meter.integrate(100.0, 0.0)
    meter.integrate(100.0, 36.0)
    assert meter.kilowatt_hours == pytest.approx(0.001)
    meter.integrate(None, 40.0)
    meter.integrate(100.0, 76.0)
    meter.integrate(100.0, 5000.0)

    assert meter.kilowatt_hours == pytest.approx(0.001)


def test_counts_without_a_state_folder_stay_in_memory(tmp_path: Path) -> None:
    meters = Meters(KernelFiles(tmp_path), None)
    meters.of("a").kilowatt_hours = 1.0
    meters.save(0.0, due=True)

    assert list(tmp_path.iterdir()) == []


def test_a_ups_on_its_battery_means_that_the_machine_is() -> None:
    variables = {
        "ups.status": "OB DISCHRG LB", "battery.charge": "17", "battery.runtime": "240",
        "ups.load": "50", "ups.realpower.nominal": "500", "device.model": "Smart-UPS 750",
        "input.voltage": "nonsense",
    }  # fmt: skip
    watts = ups_watts(variables)
    reading = ups_reading("rack", variables, Meter(watts=watts))

    assert watts == 250
    assert (reading.online, reading.state, reading.low) == (False, "discharging", True)
    assert (reading.charge_percent, reading.remaining_seconds) == (17, 240)
    assert (reading.label, reading.voltage_volts) == ("Smart-UPS 750", None)
    assert on_battery([], {"nut/rack": reading}) is True


def _ups(status: str, **more: str) -> SupplyReading:
    return ups_reading("rack", {"ups.status": status, **more}, Meter())


@pytest.mark.parametrize(
    ("status", "bad"),
    [
        ("OL", []),
        ("OL CHRG", []),
        ("OB DISCHRG", ["on battery"]),
        ("OB DISCHRG LB", ["on battery", "low"]),
        ("FSD OB LB", ["on battery", "low"]),
        ("OL RB", ["replace"]),
        ("OL OVER", ["overloaded"]),
        ("OL BYPASS", ["bypassed"]),
        ("OFF", ["bypassed"]),
        ("OB DISCHRG CAL", []),  # it tries its battery out
        ("OL BOOST", []),
        ("OL TRIM", []),
        ("ECO OL", []),
    ],
)
def test_every_bad_state_of_a_ups(status: str, bad: list[str]) -> None:
    reading = _ups(status)

    words = {
        "on battery": reading.online is False,
        "low": reading.low,
        "replace": reading.replace_battery,
        "overloaded": reading.overloaded,
        "bypassed": reading.bypassed,
    }
    assert [word for word, told in words.items() if told] == bad
    assert reading.reachable is True


def test_a_ups_that_says_only_by_its_alarm_what_it_needs() -> None:
    assert _ups("ALARM OL", **{"ups.alarm": "Replace battery!"}).replace_battery is True


@pytest.mark.parametrize(
    ("status", "left", "low"),
    [
        ("ALARM OB DISCHRG", {"battery.charge": "9", "battery.charge.low": "10"}, True),
        ("OB DISCHRG", {"battery.runtime": "60", "battery.runtime.low": "300"}, True),
        ("OB DISCHRG", {"battery.charge": "80", "battery.charge.low": "10"}, False),
        ("OB DISCHRG", {"battery.charge": "80", "battery.charge.low": "0"}, False),
        ("OL CHRG", {"battery.charge": "9", "battery.charge.low": "10"}, False),
    ],
)
def test_a_battery_below_its_own_limit_is_low(status: str, left: dict[str, str], low: bool) -> None:
    assert _ups(status, **left).low is low


def test_a_ups_whose_driver_is_gone_does_not_answer() -> None:
    reading = ups_reading("rack", {}, Meter())

    assert (reading.reachable, reading.online, reading.low) == (False, None, None)
    assert on_battery([], {"nut/rack": reading}) is None


class Nut:
    """A NUT server that knows one UPS, until it is stopped."""

    def __init__(self) -> None:
        self.status = "OL"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                for line in connection.makefile():
                    command = line.strip()
                    if command == "LOGOUT":
                        break
                    rows = {
                        "LIST UPS": 'UPS rack "x"',
                        "LIST VAR rack": f'VAR rack ups.status "{self.status}"',
                    }
                    told = f"BEGIN {command}\n{rows[command]}\nEND {command}\n"
                    connection.sendall(told.encode())


def _supplies(power: Power, machine: Machine) -> dict[str, SupplyReading]:
    machine.now += 31
    return power.read().supplies


def test_a_ups_of_another_machine_is_missed_when_its_server_goes(machine: Machine) -> None:
    server = Nut()
    files = KernelFiles(machine.root)
    sources = Sources(files=files, monotonic=lambda: machine.now, nut=None)
    power = Power(sources, (f"rack@127.0.0.1:{server.port}",))

    before = _supplies(power, machine)["nut/rack-127.0.0.1"]
    server.status = "OB DISCHRG"
    outage = _supplies(power, machine)["nut/rack-127.0.0.1"]
    server.stop()
    after = _supplies(power, machine)["nut/rack-127.0.0.1"]

    assert (before.online, before.reachable) == (True, True)
    assert outage.online is False
    assert (after.online, after.reachable, after.label) == (None, False, "rack")
    assert "no server listens" in str(power.health["power.nut_127.0.0.1"])


def test_a_wish_for_a_new_battery_that_comes_and_goes_is_none(machine: Machine) -> None:
    server = Nut()
    address = ("127.0.0.1", server.port)
    files = KernelFiles(machine.root)
    power = Power(Sources(files=files, monotonic=lambda: machine.now, nut=address))
    wishes = []
    for status in ("OL", "OL RB", "OL RB", "OL", *["OL RB"] * 7, "OL"):
        server.status = status
        wishes.append(_supplies(power, machine)["nut/rack"].replace_battery)
    server.stop()

    assert wishes == [False] * 10 + [True, False]


def test_a_ups_that_never_answered_is_missed_when_it_was_named(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    files = KernelFiles(machine.root)
    sources = Sources(files=files, monotonic=lambda: machine.now, nut=None)
    power = Power(sources, ("not a ups", f"attic@127.0.0.1:{port}"))

    reading = _supplies(power, machine)["nut/attic-127.0.0.1"]

    assert (reading.label, reading.reachable) == ("attic", False)
    assert "names no UPS" in str(power.health["power.ups"])


def test_a_server_here_that_goes_is_missed_and_one_that_never_was_is_not(machine: Machine) -> None:
    server = Nut()
    files = KernelFiles(machine.root)
    address = ("127.0.0.1", server.port)
    power = Power(Sources(files=files, monotonic=lambda: machine.now, nut=address))
    assert _supplies(power, machine)["nut/rack"].reachable is True
    server.stop()

    assert _supplies(power, machine)["nut/rack"].reachable is False
    later = Power(Sources(files=files, monotonic=lambda: machine.now, nut=address))
    assert _supplies(later, machine) == {}


@pytest.mark.parametrize(
    ("status", "online", "state"),
    [("OL", True, "full"), ("OL CHRG", True, "charging"), ("", None, None), ("WAIT", None, None)],
)
def test_what_a_ups_says_of_itself(status: str, online: bool | None, state: str | None) -> None:
    reading = ups_reading("rack", {"ups.status": status, "battery.charge": "100"}, Meter())

    assert (reading.online, reading.state) == (online, state)
    assert reading.label == "rack"


def test_one_unreadable_meter_does_not_stop_the_others(machine: Machine) -> None:
    chip = machine.root / "sys/devices/platform/meter.1/hwmon/hwmon0"
    chip.mkdir(parents=True)
    (chip / "name").write_text("meter\n")
    (chip / "power1_input").write_text("broken\n")
    (chip / "power2_input").write_text("5000000\n")
    link = machine.root / "sys/class/hwmon/hwmon0"
    link.parent.mkdir(parents=True)
    link.symlink_to(Path("../../devices/platform/meter.1/hwmon/hwmon0"))
    power = machine.start()
    power.read()
    machine.run(2)
    reading = power.read()

    assert reading.meters["meter-virtual/power2"].power_watts == 5.0
    assert reading.cpu_power_watts == pytest.approx(36.0)
    assert isinstance(power.health["power.meter-virtual/power1"], SourceError)


def test_one_battery_that_does_not_answer_leaves_the_other(machine: Machine) -> None:
    for name, content in (("BAT0", "broken"), ("BAT1", "POWER_SUPPLY_CAPACITY=80")):
        place = machine.root / "sys/class/power_supply" / name
        place.mkdir(parents=True)
        (place / "type").write_text("Battery\n")
        (place / "uevent").write_text(f"{content}\n")
    uevent = machine.root / "sys/class/power_supply/BAT0/uevent"
    uevent.write_text("!EIO\n")
    power = Power(Sources(files=Captured(machine.root), monotonic=lambda: machine.now, nut=None))

    reading = power.read()
    assert reading.battery_percent == 80
    assert reading.supplies.keys() == {"supply/BAT1"}
    assert isinstance(power.health["power.supply/BAT0"], SourceError)

    uevent.write_text("POWER_SUPPLY_CAPACITY=60\n")
    machine.run(60)
    assert power.read().battery_percent == 70
    assert power.health["power.supply/BAT0"] is None


@pytest.mark.parametrize(
    "drain",
    [
        "POWER_SUPPLY_POWER_NOW=4294967295",  # what firmware says where it does not know
        "POWER_SUPPLY_POWER_NOW=4294967295000",
        "POWER_SUPPLY_POWER_NOW=65535000",
        "POWER_SUPPLY_CURRENT_NOW=65535000\nPOWER_SUPPLY_VOLTAGE_NOW=12000000",
    ],
)
def test_a_battery_that_does_not_know_its_drain_tells_none(machine: Machine, drain: str) -> None:
    place = machine.root / "sys/class/power_supply/BAT0"
    place.mkdir(parents=True)
    (place / "type").write_text("Battery\n")
    (place / "uevent").write_text(
        f"POWER_SUPPLY_STATUS=Discharging\nPOWER_SUPPLY_CAPACITY=50\n{drain}\n"
    )
    power = Power(Sources(files=Captured(machine.root), monotonic=lambda: machine.now, nut=None))

    reading = power.read()
    assert reading.system_power_watts is None
    assert reading.supplies["supply/BAT0"].power_watts is None
    assert reading.battery_percent == 50


@pytest.mark.parametrize("said", [-1, 127, 255, 65_535])
def test_a_battery_that_says_what_cannot_be_does_not_spoil_the_mean(
    machine: Machine, said: int
) -> None:
    for name, level in (("BAT0", said), ("BAT1", 80)):
        place = machine.root / "sys/class/power_supply" / name
        place.mkdir(parents=True)
        content = f"POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_CAPACITY={level}\n"
        (place / "uevent").write_text(content)
    reading = machine.start().read()
    assert reading.supplies["supply/BAT0"].charge_percent is None
    assert reading.battery_percent == 80


def test_one_counter_that_does_not_answer_leaves_the_others(machine: Machine) -> None:
    second = machine.root / "sys/class/powercap/intel-rapl:1"
    second.mkdir()
    (second / "name").write_text("package-1\n")
    (second / "energy_uj").write_text("!EIO\n")
    power = Power(Sources(files=Captured(machine.root), monotonic=lambda: machine.now, nut=None))
    power.read()
    machine.run(2)
    assert power.read().cpu_power_watts == pytest.approx(36.0)
    assert isinstance(power.health["power.rapl/package-1"], SourceError)
    assert power.health["power.rapl"] is None

    (second / "energy_uj").write_text("5\n")
    machine.run(400)  # looked for again
    power.read()
    assert power.health["power.rapl/package-1"] is None
