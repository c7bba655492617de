"""Measurements at equal distances, in the daemon's memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from publisher.contract.readings import EvidenceReading

_HIGHEST: Final = 2.0e11  # as a date in the year 8307


@dataclass(slots=True)
class Point:
    """One step: the highest temperature (°C) and fan speed, means of CPU (%) and power (W).

    Attributes:
        at: when it began, in seconds since the epoch.
        cpu_looks: looks that ``cpu`` is the mean of; likewise ``watts_looks``.
    """

    at: float
    celsius: float | None = None
    rpm: float | None = None
    cpu: float | None = None
    watts: float | None = None
    cpu_looks: int = 0
    watts_looks: int = 0


@dataclass(slots=True)
class Points:
    """Points in the order of time.

    Args:
        step: seconds that each one stands for.
    """

    step: float
    points: list[Point] = field(default_factory=list)

    @property
    def newest(self) -> Point | None:
        return self.points[-1] if self.points else None

    def add(self, wall: float, evidence: EvidenceReading) -> None:
        """Takes in what was measured at a moment, in seconds since the epoch."""
        values = (
            evidence.cpu_temperature_celsius,
            evidence.fan_speed_rpm,
            evidence.cpu_percent,
            evidence.power_watts,
        )
        if values == (None, None, None, None):
            return
        slot = wall - wall % self.step
        if not self.points or self.points[-1].at < slot:
            self.points.append(Point(slot))
        point = self.points[-1]
        celsius, rpm, cpu, watts = values
        point.celsius, point.rpm = _most(point.celsius, celsius), _most(point.rpm, rpm)
        if cpu is not None:
            point.cpu_looks += 1
            point.cpu = _mean(point.cpu, cpu, point.cpu_looks)
        if watts is not None:
            point.watts_looks += 1
            point.watts = _mean(point.watts, watts, point.watts_looks)

    def drop_before(self, wall: float) -> None:
        """Forgets what is older."""
        while self.points and self.points[0].at < wall:
            del self.points[0]

    def drop_after(self, wall: float) -> None:
        """Forgets what begins later."""
        while self.points and self.points[-1].at > wall:
            del self.points[-1]

    def dump(self) -> list[list[Any]]:
        """For a file."""
        return [
            [point.at, point.celsius, point.rpm, _short(point.cpu), _short(point.watts)]
            for point in self.points
        ]

    def load(self, kept: Any) -> None:
        """What ``dump`` gave.

        Raises:
            TypeError, ValueError: it is something else.
        """
        for at, celsius, rpm, cpu, watts in kept:
            point = Point(
                _number(at) or 0.0,
                _number(celsius),
                _number(rpm),
                _number(cpu),
                _number(watts),
                cpu_looks=int(cpu is not None),
                watts_looks=int(watts is not None),
            )
            self.points.append(point)


def _most(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return one if other is None else other
    return max(one, other)


def _mean(mean: float | None, value: float, looks: int) -> float:
    return value if mean is None else mean + (value - mean) / looks


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _number(value: Any) -> float | None:
    """A measurement as it was kept.

    Raises:
        TypeError: it is none.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _HIGHEST:
        raise TypeError(value)
    return value
