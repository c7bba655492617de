"""One temperature sensor, one fan: what it last said, and whether that is to be believed.

What is not: a value out of the range that its metric declares, one that stands for "nothing
connected" (``publisher.subsystems.thermal.chips``), and whatever a chip itself marks as faulty
(``temp*_fault``, ``fan*_fault``; kernel documentation, hwmon/sysfs-interface). An alarm is no such
mark: it says that something is too hot or too slow, which is just what is to be told.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Container
from functools import partial
from typing import TypeVar

from publisher.contract.metric import (
    Reading,
    celsius,
    choice,
    flag,
    metric_of,
    percent,
    reading,
    rpm,
    text,
)
from publisher.errors import AbsentError, SourceError
from publisher.sources import hwmon, zones
from publisher.subsystems.doubts import ImplausibleError, plausible
from publisher.subsystems.thermal import fans
from publisher.subsystems.thermal.chips import meaningless

_T = TypeVar("_T")

# A step as large as this within a sample: has the sensor come off?
_STEP_MILLI = 15_000
# Fans may well stand still while they are driven less than this.
_DRIVEN_PERCENT = 30.0
_ALARMS = ("alarm", "min_alarm")
# A Raspberry Pi 5 counts 0 turns at times while its fan turns (raspberrypi/linux, issue 7556).
_MISCOUNTS = ("pwmfan",)


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
    """One fan, or pump."""

    label: str | None = text("Label", "What its driver calls it.", triggers=False)
    chip: str | None = text("Chip", "The driver's name of the chip.", triggers=False)
    kind: str | None = choice(
        "Kind",
        "A fan that cools the machine, one inside a power supply, a small one on a chipset or the "
        "like, or the pump of a water cooler.",
        options=fans.KINDS,
        diagnostic=True,
    )
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
    stopped: bool | None = flag(
        "Stopped",
        "It has turned before and stands still now, although it is driven, its chip raises an "
        "alarm or the processor is hot; or it has failed.",
        device_class="problem",
    )


_CELSIUS = metric_of(TemperatureReading, "temperature_celsius")
_RPM = metric_of(FanReading, "speed_rpm")
# One miscounted pulse reads as 21,802 or 31,237 rpm of a fan that makes a thousand
# (openhardwaremonitor issue 1274, xcat-core issue 3726); one that truly races still does at the
# next look.
_LEAP = 4
_FAST_RPM = 10_000


class Temperature:
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
        self._read: Callable[[], int | None] = (
            source.temperature if isinstance(source, zones.Zone) else partial(source.value, "input")
        )
        self._marked = isinstance(source, hwmon.Channel) and "fault" in source.attributes
        self._raw: int | None = None
        self._problem: SourceError | None = None
        self._last: int | None = None
        self._faulty: bool | None = None

    def refresh(self, *, slow: bool, hot: bool) -> SourceError | None:
        """Reads it; gives what is wrong when it has no temperature now.

        Args:
            slow: what seldom changes, too.
            hot: of no concern here; a fan should turn then.
        """
        del hot
        if self.slow and not slow:
            return None
        try:
            raw = self._read()
        except SourceError as error:
            self._raw = self._last = None
            self._take(None)
            return _no_data(error)
        if raw == self._raw and not (slow and self._marked):
            return self._problem
        self._raw = raw
        value: float | None = None
        self._problem = None
        try:
            value = None if raw is None else self._judged(raw, slow=slow)
        except ImplausibleError as error:
            self._problem = error if self.seen else AbsentError(error.what)
        self._last = None if value is None else raw
        self._take(value)
        return self._problem

    def forget(self) -> None:
        self._raw = None
        if self.reading.temperature_celsius is not None:
            self.reading = TemperatureReading(label=self._name, chip=self.chip)

    def _judged(self, raw: int, *, slow: bool) -> float:
        """Degrees, if they are to be believed."""
        source, last = self.source, self._last
        degrees = plausible(_CELSIUS, raw / 1000)
        if doubt := meaningless(self.chip, raw, last):
            raise ImplausibleError(doubt)
        # The mark is a file of its own: read when it may have changed.
        stepped = last is not None and abs(raw - last) >= _STEP_MILLI
        unsure = slow or stepped or self._faulty is None
        if self._marked and unsure and isinstance(source, hwmon.Channel):
            self._faulty = bool(_maybe(bool, source, "fault"))
        if self._faulty:
            raise ImplausibleError("its chip says that this sensor is faulty")
        return degrees

    def _take(self, value: float | None) -> None:
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


class Fan:
    """One fan and what it last said."""

    slow = False

    def __init__(
        self,
        channel: hwmon.Channel,
        drive: hwmon.Channel | None,
        chip: str,
        kind: str,
        *,
        turned: bool,
    ) -> None:
        self.identity = channel.identity
        self.seen = False
        self.turned = turned
        """Whether it has ever turned: what has not may be a connector without a fan."""
        self.moves = False
        """Whether it has changed its speed."""
        self._pace = fans.Pace()
        self._plain = FanReading(label=channel.label, chip=chip, kind=kind)
        self.reading = self._plain
        self._channel = channel
        self._drive = drive
        self._target: int | None = None
        self._fault: bool | None = None
        self._alarm = False
        self._leapt = False
        self._least_duty: float | None = None

    def refresh(self, *, slow: bool, hot: bool) -> SourceError | None:
        """Reads it; gives what is wrong when it has no speed now.

        Args:
            slow: what seldom changes, too.
            hot: the processor is near its limit.
        """
        speed, problem = self._speed()
        if slow or not speed:
            self._fault = _maybe(bool, self._channel, "fault")
        if slow:
            self._target = _maybe(_speed, self._channel, "target")
        if self._fault:
            speed, problem = None, SourceError("the driver says that this fan has failed")
        duty = _maybe(_duty, self._drive, "") if self._drive else None
        if slow and self.turned and not speed:
            self._alarm = any(_maybe(bool, self._channel, name) for name in _ALARMS)
        stopped = self._stopped(speed, duty, hot=hot)
        now, then = (speed, self._target, duty, self._fault, stopped), self.reading
        before = (then.speed_rpm, then.target_rpm, then.duty_percent, then.fault, then.stopped)
        if now != before:
            self.seen = True
            self.reading = FanReading(
                label=then.label,
                chip=then.chip,
                kind=then.kind,
                speed_rpm=speed,
                target_rpm=self._target,
                duty_percent=duty,
                fault=self._fault,
                stopped=stopped,
            )
        return problem

    def forget(self) -> None:
        self.reading = self._plain

    def _speed(self) -> tuple[int | None, SourceError | None]:
        if self._channel.kind != "fan":
            return None, None
        try:
            speed = self._channel.value("input")
            if speed is None:
                return None, None
            last = self.reading.speed_rpm
            if speed == last:
                self._leapt = False
            else:
                speed = self._believed(_speed(speed), last)
        except ImplausibleError as error:
            return None, error if self.turned else AbsentError(error.what)
        except SourceError as error:
            return None, _no_data(error)
        return speed, None

    def _believed(self, speed: int, last: int | None) -> int:
        """What it said before, for as long as a leap has not been seen twice."""
        if not last or speed < max(last * _LEAP, _FAST_RPM):
            self._leapt = False
            return speed
        self._leapt = not self._leapt
        return last if self._leapt else speed

    def _stopped(self, speed: int | None, duty: float | None, *, hot: bool) -> bool | None:
        """Whether it should turn and does not; ``None`` for what was never seen to turn."""
        if speed:
            self.turned = True
            self.moves = self.moves or self._pace.moves(speed)
            if duty is not None:
                self._least_duty = min(duty, self._least_duty or duty)
            return False
        if not self.turned:
            return None
        if self._fault:
            return True
        if speed is None:
            return None
        if hot or self._plain.chip in _MISCOUNTS:
            return hot
        if self._plain.kind == fans.PUMP or self._target:
            return True
        if duty is None:
            return self._alarm
        # A chip raises its alarm of a fan that rests by design, too.
        return duty >= max(_DRIVEN_PERCENT, self._least_duty or 0.0)


def fans_of(chip: hwmon.Chip, turned: Container[str]) -> list[Fan]:
    """The fans of a chip: its tachometers, and its drives where it has no tachometer at all.

    Args:
        chip: where they are.
        turned: the identities of fans that have ever turned.
    """
    drives = {channel.number: channel for channel in chip.of("pwm")}
    # Fan and drive of the same number belong together; hwmon promises it nowhere, boards keep it.
    found = [(fan, drives.get(fan.number)) for fan in chip.of("fan")]
    if not found:
        found = [(drive, drive) for drive in drives.values()]
    return [
        Fan(channel, drive, chip.name, kind, turned=channel.identity in turned)
        for channel, drive in found
        if (kind := fans.kind_of(chip.name, channel.label))
    ]


def _limits(source: hwmon.Channel | zones.Zone) -> tuple[float | None, float | None]:
    if isinstance(source, zones.Zone):
        return _limit(source.trip("hot")), _limit(source.trip("critical"))
    return _limit(source.limit("max")), _limit(source.limit("crit", "emergency"))


def _limit(milli: int | None) -> float | None:
    """A limit in degrees; none where the chip holds a number that stands for "not set"."""
    if milli is None or milli <= 0 or _CELSIUS.doubt(milli / 1000):
        return None
    return milli / 1000


def _speed(raw: int) -> int:
    return int(plausible(_RPM, raw))


def _duty(raw: int) -> float:
    return min(max(raw, 0), 255) * 100 / 255


def _no_data(error: SourceError) -> SourceError:
    """The driver's word that a sensor is switched off or has not measured yet is no failure."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.ENODATA:
        return AbsentError("it has no measurement now", path=error.path)
    return error


def _maybe(convert: Callable[[int], _T], channel: hwmon.Channel, attribute: str) -> _T | None:
    """A side value of a channel; its absence is worth no word."""
    try:
        raw = channel.value(attribute)
        return None if raw is None else convert(raw)
    except SourceError:
        return None
