"""Slow drift: the same machine, as idle as ever, gets warmer from week to week.

Dust in the cooler, a dying fan, dry paste or simply summer: all raise the temperature at rest at
equal power. Each day gives one figure, the median of its rest; the last days are compared with
the coolest stretch that was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

_DAYS_COMPARED: Final = 3
_DAYS_OF_REFERENCE: Final = 4
_DAYS_KEPT: Final = 60
_FEWEST_SAMPLES: Final = 5
_EQUAL_POWER: Final = 0.15


@dataclass(slots=True)
class Drift:
    """The temperature at rest, day by day.

    Attributes:
        days: [day, degrees, watts or -1] of each finished day, the oldest first.
    """

    days: list[list[float]] = field(default_factory=list)
    _day: int | None = None
    _samples: list[tuple[float, float]] = field(default_factory=list)

    def observe(self, day: int, temperature: float, power: float | None) -> bool:
        """A moment of rest; whether a day has just been finished."""
        finished = self._day is not None and day != self._day and self._close()
        self._day = day
        self._samples.append((temperature, -1.0 if power is None else power))
        if len(self._samples) >= 400:
            self._samples = self._samples[::2]
        return finished

    def _close(self) -> bool:
        samples, self._samples = self._samples, []
        if len(samples) < _FEWEST_SAMPLES or self._day is None:
            return False
        degrees = median(temperature for temperature, _ in samples)
        watts = median(power for _, power in samples)
        self.days = [*self.days, [self._day, round(degrees, 2), round(watts, 2)]][-_DAYS_KEPT:]
        return True

    def risen(self) -> float | None:
        """Degrees by which the last days are above the reference, at equal power."""
        recent = self.days[-_DAYS_COMPARED:]
        earlier = self.days[:-_DAYS_COMPARED]
        if len(recent) < _DAYS_COMPARED or len(earlier) < _DAYS_OF_REFERENCE:
            return None
        power = median(day[2] for day in recent)
        alike = [day for day in earlier if _equal(day[2], power)]
        if len(alike) < _DAYS_OF_REFERENCE:
            return None
        # The last days must agree, or a single hot day would speak for three.
        return min(day[1] for day in recent) - _coolest(alike)

    def to_json(self) -> list[list[float]]:
        return self.days

    @classmethod
    def from_json(cls, kept: Any) -> Drift:
        """What ``to_json`` gave; raises ``ValueError`` or the like for other things."""
        return cls([[float(day), float(degrees), float(watts)] for day, degrees, watts in kept])


def _equal(watts: float, other: float) -> bool:
    if watts < 0 or other < 0:
        return watts < 0 and other < 0
    return abs(watts - other) <= _EQUAL_POWER * max(watts, other, 1.0)


def _coolest(days: Sequence[Sequence[float]]) -> float:
    """The lowest median of a few days in a row."""
    return min(
        median(day[1] for day in days[at : at + _DAYS_OF_REFERENCE])
        for at in range(len(days) - _DAYS_OF_REFERENCE + 1)
    )
