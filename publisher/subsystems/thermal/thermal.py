"""Heat: how hot each place of the machine is, how fast each fan turns, what is held back for it.

Sources: sensor chips of hwmon (``publisher.sources.hwmon``), thermal zones, throttle counters,
``/sys/firmware/acpi/platform_profile`` (kernel documentation, ABI/testing/sysfs-platform_profile).
Sensors of graphics cards are the gpu topic's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from publisher.contract.metric import (
    Reading,
    celsius,
    counter,
    flag,
    instances,
    percent,
    reading,
    rpm,
    text,
)
from publisher.errors import AbsentError, SourceError
from publisher.sources import Sources, hwmon, zones
from publisher.sources.identity import hypervisor
from publisher.subsystems.base import Subsystem, told
from publisher.subsystems.selection import names_of
from publisher.subsystems.thermal import fans
from publisher.subsystems.thermal.bmc import BmcSensors
from publisher.subsystems.thermal.chips import Choice, choices
from publisher.subsystems.thermal.sensors import (
    Fan,
    FanReading,
    Temperature,
    TemperatureReading,
    fans_of,
)
from publisher.subsystems.thermal.throttling import Throttled, Throttling
from publisher.subsystems.thermal.turned import Turned

_S = TypeVar("_S", bound=Temperature | Fan)

# Of a processor's single cores (each look wakes the core), targets, faults and counters.
_SLOW_SECONDS = 10.0
# The processor is hot so far below its own limit, or from here on where it has none.
_HOT_BELOW_LIMIT, _HOT_CELSIUS = 5.0, 90.0
_PROFILE = "/sys/firmware/acpi/platform_profile"
_FIND_CHIP = "load the driver of the board's sensor chip (lm-sensors' sensors-detect finds it)"
_NO_CHIP = "virtual machines have none"


@reading
class ThermalReading(Reading):
    """Temperatures, fans and throttling."""

    cpu_temperature_celsius: float | None = celsius(
        "CPU temperature",
        "The processor package; the hottest one where there are several.",
        precision=1,
        deadband=3,
        headline=True,
        enabled=True,
    )
    fan_speed_rpm: int | None = rpm(
        "Fan",
        "The fastest of the fans that cool the machine and change their speed; pumps and a "
        "supply's own fan are none.",
        deadband=60,
        deadband_percent=5,
        headline=True,
        enabled=True,
        icon="mdi:fan",
    )
    fan_duty_percent: float | None = percent(
        "Fan duty",
        "How hard the fastest fan is driven, by pulse width.",
        deadband=15,
        icon="mdi:fan",
    )
    throttled: bool | None = flag(
        "Throttled",
        "The processor is held back for its heat or its supply.",
        icon="mdi:speedometer-slow",
    )
    throttle_count: int | None = counter(
        "Throttle events",
        "Times that a core or package was held back for its heat.",
        diagnostic=True,
    )
    platform_profile: str | None = text(
        "Platform profile",
        "What the firmware strives for: cool, quiet, balanced, performance.",
        diagnostic=True,
    )
    temperatures: dict[str, TemperatureReading] = instances(
        TemperatureReading, "Temperatures", "Every temperature sensor, by chip, place and label."
    )
    fans: dict[str, FanReading] = instances(
        FanReading, "Fans", "Every fan, by chip, place and label."
    )


@dataclass(slots=True)
class _Sensors:
    """A chip and what is on it."""

    chip: hwmon.Chip
    all: list[Temperature | Fan]


class Thermal(Subsystem):
    name = "thermal"
    reading = ThermalReading
    # Chips on slow buses and in firmware have been seen to hang.
    blocking = True

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._hwmon = hwmon.Hwmon(self.files)
        self._remedy = _NO_CHIP if hypervisor(self.files) else _FIND_CHIP
        if self.files.foreign:
            self._remedy = f"on {self.files.foreign} psutil reads none"
        self._found: list[hwmon.Chip] | None = None
        self._chips: list[_Sensors] = []
        self._zones: list[Temperature] = []
        self._turned = Turned(sources.state_dir)
        self._bmc = BmcSensors(sources, self._turned)
        self._of_bmc: list[Temperature | Fan] = []
        self._bmc_told: list[Temperature | Fan] = []
        self._choices: list[tuple[Choice, list[Temperature]]] = []
        self._chosen_anew = True
        self._processor: float | None = None
        self._loudest: fans.Turning | None = None
        self._said: tuple[Choice, int] | None = None
        self._hot = False
        self._throttling: Throttling | None = None
        self._slow_at = float("-inf")
        self._throttled: Throttled | None = None
        self._profile: str | None = None
        self._temperatures: dict[str, TemperatureReading] = {}
        self._fans: dict[str, FanReading] = {}

    def read(self) -> ThermalReading:
        now = self.sources.monotonic()
        slow = now >= self._slow_at
        if slow:
            # Samples come a little early or late.
            self._slow_at = now + _SLOW_SECONDS * 0.95
            self._look_at_the_processor()
        self._ask_bmc(now)
        self._take_up(self._hwmon.chips(now))
        if not self._refresh(now, slow=slow):
            self._take_up(self._hwmon.chips(now, again=True))
            self._refresh(now, slow=True)
        for zone in self._zones:
            self._note(zone.identity, self._refreshed(zone, slow=slow))
        self._collect()
        if not (self._temperatures or self._fans or self._throttled or self._profile):
            raise AbsentError("no sensor of temperature or fan", remedy=self._remedy)
        loudest = self._loudest
        return ThermalReading(
            cpu_temperature_celsius=self._processor,
            fan_speed_rpm=loudest.speed_rpm if loudest else None,
            fan_duty_percent=loudest.duty_percent if loudest else None,
            throttled=self._throttled.now if self._throttled else None,
            throttle_count=self._throttled.count if self._throttled else None,
            platform_profile=self._profile,
            temperatures=self._temperatures,
            fans=self._fans,
        )

    def _hottest(self) -> float | None:
        """The processor's temperature, from the best sensors that have ever told one."""
        for choice, sensors in self._choices:
            if not any(sensor.seen for sensor in sensors):
                continue
            told = [
                sensor.reading
                for sensor in sensors
                if sensor.reading.temperature_celsius is not None
            ]
            hottest = max(told, key=lambda each: each.temperature_celsius or 0.0, default=None)
            self._hot = hottest is not None and _is_hot(hottest)
            self._say(choice, [sensor for sensor in sensors if sensor.seen])
            return hottest.temperature_celsius if hottest else None
        self._hot = False
        silent = [sensor.identity for _, sensors in self._choices for sensor in sensors]
        why = (
            f"{silent[0]}, which measures the processor, tells no temperature"
            if silent
            else "no sensor that is known to measure the processor"
        )
        self._note("cpu_temperature", AbsentError(why, remedy=self._remedy))
        return None

    def _say(self, choice: Choice, sensors: list[Temperature]) -> None:
        """Keeps which sensors are the processor's, and why."""
        said = (choice, len(sensors))
        if self._said == said and self.health.get("thermal.cpu_temperature") is None:
            return
        self._said = said
        more = f" and {len(sensors) - 1} more" if len(sensors) > 1 else ""
        self.chosen["thermal.cpu_temperature"] = f"{sensors[0].identity}{more}: {choice.why}"
        self.health["thermal.cpu_temperature"] = None

    def close(self) -> None:
        self.sources.bmc.close()

    def _ask_bmc(self, now: float) -> None:
        there = self.files.live and self.sources.bmc.there(now)
        if not (there and self.part("bmc", lambda: self._bmc.look(now))):
            return
        if self._bmc_told is not self._bmc.all:
            self._bmc_told = self._bmc.all
            self._of_bmc = self._wanted(self._bmc.all)
            self._choose()
        for sensor in self._of_bmc:
            self._note(sensor.identity, self._refreshed(sensor, slow=True))

    def _take_up(self, chips: list[hwmon.Chip]) -> None:
        """Makes sensors of the chips and zones there are, if they are others than before."""
        if chips is self._found:
            return
        self._found = chips
        self._chips = [
            _Sensors(
                chip,
                self._wanted(
                    [
                        *(Temperature(temp, chip.name, chip.model) for temp in chip.of("temp")),
                        *fans_of(chip, self._turned),
                    ]
                ),
            )
            for chip in chips
            if not chip.graphics
        ]
        self._zones = self._wanted(
            [
                Temperature(zone, zone.kind)
                for zone in zones.find(self.files, [chip.name for chip in chips])
            ]
        )
        self._choose()

    def _choose(self) -> None:
        """Finds the processor among the sensors, and forgets those that are gone."""
        sensors = [sensor for known in self._chips for sensor in known.all]
        sensors += [*self._zones, *self._of_bmc]
        temperatures = [sensor for sensor in sensors if isinstance(sensor, Temperature)]
        self._chosen_anew = True
        picked = self.selection.chosen("cpu_sensor", {each.identity: each for each in temperatures})
        if picked:
            chosen = Choice(tuple(range(len(picked))), "the configuration says so")
            self._choices = [(chosen, list(picked.values()))]
        else:
            self._choices = [
                (choice, [temperatures[index] for index in choice.sensors])
                for choice in choices(temperatures)
            ]
        self._note(
            "fans",
            None
            if len(temperatures) < len(sensors)
            else AbsentError("no fan is readable", remedy=self._remedy),
        )
        # What was wrong with a sensor that has gone is of no concern any more.
        present = {sensor.identity for sensor in sensors}
        for name in self.health:
            if "/" in name and name.removeprefix(f"{self.name}.") not in present:
                self.health[name] = None

    def _wanted(self, sensors: Sequence[_S]) -> list[_S]:
        """Those that the user does not want to be left alone."""
        return [
            sensor
            for sensor in sensors
            if self.selection.wanted(
                "fans" if isinstance(sensor, Fan) else "sensors",
                *names_of(sensor.identity, sensor.reading),
            )
        ]

    def _refresh(self, now: float, *, slow: bool) -> bool:
        """Reads every chip whose time has come; false when one of them has gone."""
        clock = self.sources.monotonic
        for known in self._chips:
            chip = known.chip
            try:
                due = chip.due(now)
            except AbsentError:
                return False
            if due:
                self._note(chip.identity, None)
                began = clock()
                problems = 0
                for sensor in known.all:
                    problem = self._refreshed(sensor, slow=slow)
                    self._note(sensor.identity, problem)
                    problems += problem is not None
                chip.was_read(now, clock() - began)
                if problems == len(known.all) > 0 and not self.files.exists(f"{chip.path}/name"):
                    return False
            elif chip.stale(now):
                self._note(chip.identity, chip.rest)
                for sensor in known.all:
                    sensor.forget()
        return True

    def _refreshed(self, sensor: Temperature | Fan, *, slow: bool) -> SourceError | None:
        """Reads a sensor; what nobody foresaw costs that one alone."""
        try:
            return sensor.refresh(slow=slow, hot=self._hot)
        except Exception as error:  # noqa: BLE001
            sensor.forget()
            return told(error, self.files.newest)

    def _note(self, what: str, problem: SourceError | None) -> None:
        """Keeps the first reason for as long as it is the same kind of trouble."""
        name = f"{self.name}.{what}"
        before = self.health.get(name)
        if before is None if problem is None else type(before) is type(problem):
            return
        self.health[name] = problem

    def _look_at_the_processor(self) -> None:
        if self._throttling is None:
            self._throttling = Throttling(self.files)
        self._throttled = self.part("throttling", self._throttling.read)
        try:
            self._profile = self.files.text(_PROFILE)
        except SourceError:
            self._profile = None

    def _collect(self) -> None:
        """The readings of every sensor that has ever said something, the same when none changed."""
        temperatures: dict[str, TemperatureReading] = {}
        turning: dict[str, FanReading] = {}
        news = False
        of_chips = (sensor for known in self._chips for sensor in known.all)
        for sensor in (*of_chips, *self._of_bmc):
            if not sensor.seen:
                continue
            if isinstance(sensor, Fan):
                turning[sensor.identity] = sensor.reading
                news = news or (sensor.moves and sensor.identity not in self._turned.moving)
            else:
                temperatures[sensor.identity] = sensor.reading
        temperatures |= {zone.identity: zone.reading for zone in self._zones if zone.seen}
        if temperatures != self._temperatures or self._chosen_anew:
            self._chosen_anew = False
            self._temperatures = temperatures
            self._processor = self._hottest()
        if turning != self._fans or news:
            self._fans = turning
            self._remember_fans()
            chosen = self.selection.chosen("fan", turning)
            self._loudest = (
                fans.fastest(chosen.values())
                if chosen
                else fans.loudest(turning, self._turned.moving)
            )

    def _remember_fans(self) -> None:
        for sensor in (*(each for known in self._chips for each in known.all), *self._of_bmc):
            if isinstance(sensor, Fan) and sensor.turned:
                self._turned.add(sensor.identity, moves=sensor.moves)


def _is_hot(sensor: TemperatureReading) -> bool:
    limit = sensor.high_celsius or sensor.critical_celsius
    least = _HOT_CELSIUS if limit is None else limit - _HOT_BELOW_LIMIT
    return sensor.temperature_celsius is not None and sensor.temperature_celsius >= least
