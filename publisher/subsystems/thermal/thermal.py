"""Heat: how hot each place of the machine is, how fast each fan turns, what is held back for it.

Sources: sensor chips of hwmon (``publisher.sources.hwmon``), thermal zones, throttle counters,
``/sys/firmware/acpi/platform_profile`` (kernel documentation, ABI/testing/sysfs-platform_profile).
Sensors of graphics cards are the gpu topic's.
"""

from __future__ import annotations

from collections.abc import Callable
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
from publisher.subsystems.base import Subsystem
from publisher.subsystems.thermal.chips import PACKAGE
from publisher.subsystems.thermal.throttling import Throttled, Throttling

_T = TypeVar("_T")

# Of a processor's single cores (each look wakes the core), targets, faults and counters.
_SLOW_SECONDS = 10.0
_HIGHEST_LIMIT = 126.0
_PROFILE = "/sys/firmware/acpi/platform_profile"
_FIND_CHIP = "load the driver of the board's sensor chip (lm-sensors' sensors-detect finds it)"
_NO_CHIP = "virtual machines have none"


@reading
class TemperatureReading(Reading):
    """One temperature sensor."""

    label: str | None = text("Label", "What its driver calls it.", triggers=False)
    chip: str | None = text("Chip", "The driver's name of the chip.", triggers=False)
    temperature_celsius: float | None = celsius(
        "Temperature", "What it measures.", precision=1, deadband=5
    )
    high_celsius: float | None = celsius("High", "Where its chip begins to call it too hot.")
    critical_celsius: float | None = celsius("Critical", "Where damage or a shutdown begins.")


@reading
class FanReading(Reading):
    """One fan."""

    label: str | None = text("Label", "What its driver calls it.", triggers=False)
    chip: str | None = text("Chip", "The driver's name of the chip.", triggers=False)
    speed_rpm: int | None = rpm(
        "Speed",
        "Tachometer speed; absent without a tachometer wire.",
        deadband=60,
        deadband_percent=5,
    )
    target_rpm: int | None = rpm("Target", "The speed that its controller aims at.")
    duty_percent: float | None = percent(
        "Duty", "How hard it is driven, by pulse width.", deadband=15
    )
    fault: bool | None = flag("Fault", "The driver says that this fan has failed.")


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
        "The fastest fan.",
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


class _Temperature:
    """One sensor and what it last said."""

    def __init__(self, source: hwmon.Channel | zones.Zone, chip: str, model: str = "") -> None:
        self.source = source
        self.chip = chip
        self.label = source.label if isinstance(source, hwmon.Channel) else source.kind
        # A disk's chip is called the same on every disk.
        self._name = self.label
        if model:
            self._name = model if self.label == "temp1" else f"{model} {self.label}"
        self.identity = source.identity
        # A look at one core of an idle processor wakes it: less often.
        self.slow = chip == "coretemp" and self.label.startswith("Core")
        self.seen = False
        self.reading = TemperatureReading(label=self._name, chip=chip)
        self._limits: tuple[float | None, float | None] | None = None

    def refresh(self, *, slow: bool) -> SourceError | None:
        """Reads it; gives what is wrong when it has no temperature now."""
        if self.slow and not slow:
            return None
        value: float | None = None
        problem: SourceError | None = None
        try:
            raw = self._raw()
            value = None if raw is None else hwmon.celsius(raw)
        except hwmon.ImplausibleError as error:
            problem = error if self.seen else AbsentError(error.what)
        except SourceError as error:
            problem = error
        if self._limits is None:
            self._limits = _limits(self.source)
        if value != self.reading.temperature_celsius:
            self.seen = True
            high, critical = self._limits
            self.reading = TemperatureReading(
                label=self._name,
                chip=self.chip,
                temperature_celsius=value,
                high_celsius=high,
                critical_celsius=critical,
            )
        return problem

    def forget(self) -> None:
        if self.reading.temperature_celsius is not None:
            self.reading = TemperatureReading(label=self._name, chip=self.chip)

    def _raw(self) -> int | None:
        source = self.source
        if isinstance(source, zones.Zone):
            return source.temperature()
        raw = source.value("input")
        if raw == 0 and self.label.startswith("PCH_"):
            # Super-I/O chips list an Intel chipset's sensors on boards with another one, too.
            raise AbsentError("nothing is connected", path=f"{source.base}_input")
        return raw


class _Fan:
    """One fan and what it last said."""

    slow = False

    def __init__(self, channel: hwmon.Channel, drive: hwmon.Channel | None, chip: str) -> None:
        self.identity = channel.identity
        self.seen = False
        self.reading = FanReading(label=channel.label, chip=chip)
        self._channel = channel
        self._drive = drive
        self._chip = chip
        self._target: int | None = None
        self._fault: bool | None = None
        self._turned = False

    def refresh(self, *, slow: bool) -> SourceError | None:
        """Reads it; gives what is wrong when it has no speed now.

        Args:
            slow: what seldom changes, too.
        """
        speed, problem = self._speed()
        if slow or not speed:
            self._fault = _maybe(bool, self._channel, "fault")
        if slow:
            self._target = _maybe(hwmon.rpm, self._channel, "target")
        if self._fault and not speed:
            speed, problem = None, SourceError("the driver says that this fan has failed")
        duty = _maybe(_duty, self._drive, "") if self._drive else None
        now = (speed, self._target, duty, self._fault)
        before = self.reading
        if now != (before.speed_rpm, before.target_rpm, before.duty_percent, before.fault):
            self.seen = True
            self.reading = FanReading(
                label=self._channel.label,
                chip=self._chip,
                speed_rpm=speed,
                target_rpm=self._target,
                duty_percent=duty,
                fault=self._fault,
            )
        return problem

    def forget(self) -> None:
        self.reading = FanReading(label=self._channel.label, chip=self._chip)

    def _speed(self) -> tuple[int | None, SourceError | None]:
        if self._channel.kind != "fan":
            return None, None
        try:
            speed = self._channel.value("input")
            if speed is None:
                return None, None
            hwmon.rpm(speed)
        except hwmon.ImplausibleError as error:
            return None, error if self._turned else AbsentError(error.what)
        except SourceError as error:
            return None, error
        self._turned = True
        return speed, None


@dataclass(slots=True)
class _Sensors:
    """A chip and what is on it."""

    chip: hwmon.Chip
    all: list[_Temperature | _Fan]


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
        self._zones: list[_Temperature] = []
        self._package: list[_Temperature] = []
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
        self._take_up(self._hwmon.chips(now))
        if not self._refresh(now, slow=slow):
            self._take_up(self._hwmon.chips(now, again=True))
            self._refresh(now, slow=True)
        for zone in self._zones:
            self._note(zone.identity, zone.refresh(slow=slow))
        self._collect()
        if not (self._temperatures or self._fans or self._throttled or self._profile):
            raise AbsentError("no sensor of temperature or fan", remedy=self._remedy)
        package = [
            sensor.reading.temperature_celsius
            for sensor in self._package
            if sensor.reading.temperature_celsius is not None
        ]
        fastest = max(
            self._fans.values(),
            key=lambda fan: (fan.speed_rpm or 0, fan.duty_percent or 0.0),
            default=None,
        )
        return ThermalReading(
            cpu_temperature_celsius=max(package, default=None),
            fan_speed_rpm=fastest.speed_rpm if fastest else None,
            fan_duty_percent=fastest.duty_percent if fastest else None,
            throttled=self._throttled.now if self._throttled else None,
            throttle_count=self._throttled.count if self._throttled else None,
            platform_profile=self._profile,
            temperatures=self._temperatures,
            fans=self._fans,
        )

    def _take_up(self, chips: list[hwmon.Chip]) -> None:
        """Makes sensors of the chips and zones there are, if they are others than before."""
        if chips is self._found:
            return
        self._found = chips
        self._chips = [
            _Sensors(
                chip,
                [
                    *(_Temperature(temp, chip.name, chip.model) for temp in chip.of("temp")),
                    *_fans(chip),
                ],
            )
            for chip in chips
            if not chip.graphics
        ]
        self._zones = [
            _Temperature(zone, zone.kind)
            for zone in zones.find(self.files, [chip.name for chip in chips])
        ]
        sensors = [sensor for known in self._chips for sensor in known.all] + self._zones
        temperatures = [sensor for sensor in sensors if isinstance(sensor, _Temperature)]
        self._package = next(
            (
                fit
                for rule in PACKAGE
                if (fit := [s for s in temperatures if rule.fits(s.chip, s.label)])
            ),
            [],
        )
        self._note(
            "cpu_temperature",
            None
            if self._package
            else AbsentError(
                "no sensor that is known to measure the processor", remedy=self._remedy
            ),
        )
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
                    problem = sensor.refresh(slow=slow)
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
        fans: dict[str, FanReading] = {}
        for known in self._chips:
            for sensor in known.all:
                if not sensor.seen:
                    continue
                if isinstance(sensor, _Fan):
                    fans[sensor.identity] = sensor.reading
                else:
                    temperatures[sensor.identity] = sensor.reading
        temperatures |= {zone.identity: zone.reading for zone in self._zones if zone.seen}
        if temperatures != self._temperatures:
            self._temperatures = temperatures
        if fans != self._fans:
            self._fans = fans


def _fans(chip: hwmon.Chip) -> list[_Fan]:
    """The fans of a chip: its tachometers, and its drives where it has no tachometer at all."""
    drives = {channel.number: channel for channel in chip.of("pwm")}
    tachometers = chip.of("fan")
    if not tachometers:
        return [_Fan(drive, drive, chip.name) for drive in drives.values()]
    # Fan and drive of the same number belong together; hwmon promises it nowhere, boards keep it.
    return [_Fan(fan, drives.get(fan.number), chip.name) for fan in tachometers]


def _limits(source: hwmon.Channel | zones.Zone) -> tuple[float | None, float | None]:
    if isinstance(source, zones.Zone):
        return _limit(source.trip("hot")), _limit(source.trip("critical"))
    return _limit(source.limit("max")), _limit(source.limit("crit", "emergency"))


def _limit(milli: int | None) -> float | None:
    """A limit in degrees; none where the chip holds a number that stands for "not set"."""
    if milli is None or not 0 < milli <= _HIGHEST_LIMIT * 1000:
        return None
    return milli / 1000


def _duty(raw: int) -> float:
    return min(max(raw, 0), 255) * 100 / 255


def _maybe(convert: Callable[[int], _T], channel: hwmon.Channel, attribute: str) -> _T | None:
    """A side value of a channel; its absence is worth no word."""
    try:
        raw = channel.value(attribute)
        return None if raw is None else convert(raw)
    except SourceError:
        return None
