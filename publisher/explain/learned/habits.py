"""What this machine usually does, and when: learned from its own causes, kept for weeks.

A cause is usual when it came at about this hour on most of the last days on which the machine
was watched at this hour; from the fourth time on that is said.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

_NEAR_MINUTES: Final = 45
_DAYS_LOOKED_AT: Final = 7
_DAYS_KEPT: Final = 21
_MOST_LABELS: Final = 64
_USUAL_FROM: Final = 3
_USUAL_PART: Final = 0.6
_DAY: Final = 1440


@dataclass(frozen=True, slots=True)
class Moment:
    """A local day, counted from 1970, and the minute in it."""

    day: int
    minute: int

    @classmethod
    def of(cls, wall: float) -> Moment:
        local = time.localtime(wall)
        day = int((wall + local.tm_gmtoff) // 86400)
        return cls(day, local.tm_hour * 60 + local.tm_min)

    @property
    def night(self) -> bool:
        return self.minute >= 21 * 60 or self.minute < 6 * 60


@dataclass(frozen=True, slots=True)
class Habit:
    """How usual a cause is at this hour.

    Attributes:
        times: on how many of ``days`` watched days it came about now.
        surprise: nothing like it was seen, and the machine is known well enough to say so.
    """

    times: int
    days: int
    night: bool
    surprise: bool = False
    known: bool = False

    @property
    def usual(self) -> bool:
        return self.times >= _USUAL_FROM and self.times >= _USUAL_PART * self.days

    def words(self) -> str:
        """For the sentence; empty when there is nothing worth saying."""
        if self.usual:
            return (
                f"as on {self.times} of the last {self.days} {'nights' if self.night else 'days'}"
            )
        if self.surprise:
            return "first time at this hour" if self.known else "not seen before"
        return ""


@dataclass(slots=True)
class Habits:
    """When each cause came, and when the machine was watched.

    Attributes:
        came: label -> [day, minute] of each time, the oldest first.
        watched: day -> bits of the hours in which the machine was watched.
    """

    came: dict[str, list[list[int]]] = field(default_factory=dict)
    watched: dict[int, int] = field(default_factory=dict)

    def watch(self, wall: float) -> None:
        """The machine is being watched now."""
        moment = Moment.of(wall)
        hour = 1 << moment.minute // 60
        seen = self.watched.get(moment.day, 0)
        if seen & hour:
            return
        self.watched[moment.day] = seen | hour
        for day in [day for day in self.watched if day < moment.day - _DAYS_KEPT]:
            del self.watched[day]

    def note(self, label: str, wall: float) -> None:
        """A cause began."""
        moment = Moment.of(wall)
        times = self.came.pop(label, [])
        times = [entry for entry in times if entry[0] >= moment.day - _DAYS_KEPT]
        if not times or times[-1][0] != moment.day or moment.minute - times[-1][1] >= 30:
            times.append([moment.day, moment.minute])
        # Popped and put back: the label that has not come for longest goes first.
        self.came[label] = times[-60:]
        while len(self.came) > _MOST_LABELS:
            del self.came[next(iter(self.came))]

    def judge(self, label: str, wall: float) -> Habit:
        """How usual a cause is that begins now; to be asked before it is noted."""
        moment = Moment.of(wall)
        days = list(self._days_watched(moment))[:_DAYS_LOOKED_AT]
        times = sum(self._came_near(label, day, moment.minute) for day in days)
        past = self.came.get(label, ())
        long_watched = len(days) >= _DAYS_LOOKED_AT
        calm = not any(
            self._came_near(other, day, moment.minute) for other in self.came for day in days
        )
        return Habit(
            times=times,
            days=len(days),
            night=moment.night,
            surprise=long_watched and times == 0 and (calm or not past),
            known=bool(past),
        )

    def _days_watched(self, moment: Moment) -> Iterator[int]:
        """Earlier days on which the machine was watched at this hour, the latest first."""
        hour = 1 << moment.minute // 60
        for day in sorted(self.watched, reverse=True):
            if day < moment.day and self.watched[day] & hour:
                yield day

    def _came_near(self, label: str, day: int, minute: int) -> bool:
        at = day * _DAY + minute
        return any(
            abs(came_day * _DAY + came_minute - at) <= _NEAR_MINUTES
            for came_day, came_minute in self.came.get(label, ())
        )

    def to_json(self) -> dict[str, Any]:
        return {"came": self.came, "watched": {str(d): bits for d, bits in self.watched.items()}}

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Habits:
        """What ``to_json`` gave; raises ``ValueError`` or the like for other things."""
        came = {
            str(label): [[int(day), int(minute)] for day, minute in times]
            for label, times in kept["came"].items()
        }
        return cls(came, {int(day): int(bits) for day, bits in kept["watched"].items()})
