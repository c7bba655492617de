"""Energy by culprit: the measured joules, shared out so that the rows add up to what was measured.

What the machine takes at rest is a row of its own, *idle*; so is what no work group can be named
for. The rest is shared by work, as Kepler and Scaphandre do it, with one difference: nothing is
ever shared out twice, and nothing is left over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from publisher.contract.readings import CATEGORIES, EnergyReading, KindEnergyReading

IDLE: Final = "idle"
OTHERS: Final = "other programs"
UNATTRIBUTED: Final = "unattributed"
_REST: Final = {
    IDLE: "At rest",
    UNATTRIBUTED: "Nobody named",
    "ai": "AI",
    "unknown": "Unknown programs",
}
_KINDS: Final = (*CATEGORIES, IDLE, UNATTRIBUTED)
_JOULES_PER_KILOWATT_HOUR: Final = 3.6e6
_DAYS: Final = 7
_MOST_LABELS: Final = 40
_MOST_SHOWN: Final = 8


@dataclass(slots=True)
class Energy:
    """Joules by label and day.

    Attributes:
        days: local day number -> label -> joules; the last seven days, and while the clock is
            wrong those that it takes for the future.
    """

    days: dict[int, dict[str, float]] = field(default_factory=dict)

    def add(
        self,
        joules: float,
        idle_joules: float,
        work: Iterable[tuple[str, float]],
        total_work: float,
        day: int,
    ) -> None:
        """Shares out the energy of one window.

        Args:
            joules: what was measured.
            idle_joules: the part that the machine takes at rest.
            work: label and work of each group.
            total_work: the work of all, named or not.
            day: local day number.
        """
        if joules <= 0:
            return
        today = self.days.get(day)
        if today is None:
            # One day has followed another: what still lies ahead comes from a clock that was wrong.
            # Not before, for it may be wrong now, as at the start of a machine without a battery.
            ahead = [each for each in self.days if each > day and day - 1 in self.days]
            for each in [*ahead, *(old for old in self.days if old <= day - _DAYS)]:
                del self.days[each]
            today = self.days[day] = {}
        for label, amount in shared_out(joules, idle_joules, work, total_work):
            known = label in today or len(today) < _MOST_LABELS
            _credit(today, label if known else OTHERS, amount)

    def readings(self, day: int) -> tuple[EnergyReading, ...]:
        """Who used the most this week; the lesser ones in one row."""
        week: dict[str, float] = {}
        for each, joules in self.days.items():
            if not day - _DAYS < each <= day:
                continue
            for label, amount in joules.items():
                week[label] = week.get(label, 0.0) + amount
        today = dict(self.days.get(day, {}))
        named = sorted(week.keys() - {IDLE, OTHERS, UNATTRIBUTED}, key=lambda name: -week[name])
        for label in named[_MOST_SHOWN:]:
            week[OTHERS] = week.get(OTHERS, 0.0) + week.pop(label)
            today[OTHERS] = today.get(OTHERS, 0.0) + today.pop(label, 0.0)
        order = [*named[:_MOST_SHOWN], OTHERS, UNATTRIBUTED, IDLE]
        return tuple(
            EnergyReading(label=label, today_joules=today.get(label, 0.0), week_joules=week[label])
            for label in order
            if label in week
        )

    def raise_to(self, other: Energy) -> None:
        """Takes over what another count of the same days has more."""
        for day, row in other.days.items():
            mine = self.days.setdefault(day, {})
            for label, joules in row.items():
                mine[label] = max(mine.get(label, 0.0), joules)

    def to_json(self) -> dict[str, Any]:
        return {
            str(day): {label: round(joules, 1) for label, joules in row.items()}
            for day, row in self.days.items()
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Energy:
        """What ``to_json`` gave; raises ``ValueError`` or the like for other things."""
        return cls(
            {
                int(day): {str(label): float(joules) for label, joules in row.items()}
                for day, row in kept.items()
            }
        )


@dataclass(slots=True)
class EnergyByKind:
    """Joules by kind of work: in all, and since midnight.

    Attributes:
        total: since they were first counted.
        day: local day number that ``today`` is about.
        today: on that day.
    """

    total: dict[str, float] = field(default_factory=dict)
    day: int = 0
    today: dict[str, float] = field(default_factory=dict)

    def add(
        self,
        joules: float,
        idle_joules: float,
        work: Iterable[tuple[str, float]],
        total_work: float,
        day: int,
    ) -> None:
        """Shares out the energy of one window, as ``Energy.add`` does."""
        if joules <= 0:
            return
        if day != self.day:
            self.day, self.today = day, {}
        for kind, amount in shared_out(joules, idle_joules, work, total_work):
            _credit(self.total, kind, amount)
            _credit(self.today, kind, amount)

    def readings(self, day: int) -> dict[str, KindEnergyReading]:
        """Each kind that has used any."""
        today = self.today if day == self.day else {}
        return {
            kind: KindEnergyReading(
                label=_REST.get(kind, kind.replace("_", " ").capitalize()),
                energy_kilowatt_hours=joules / _JOULES_PER_KILOWATT_HOUR,
                today_kilowatt_hours=today.get(kind, 0.0) / _JOULES_PER_KILOWATT_HOUR,
            )
            for kind, joules in sorted(self.total.items())
        }

    def to_json(self) -> dict[str, Any]:
        return {
            "total": {kind: round(joules, 1) for kind, joules in self.total.items()},
            "day": self.day,
            "today": {kind: round(joules, 1) for kind, joules in self.today.items()},
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> EnergyByKind:
        """What ``to_json`` gave; raises ``ValueError`` or the like for other things."""
        total, today = (
            {kind: float(kept[name].get(kind, 0.0)) for kind in _KINDS if kind in kept[name]}
            for name in ("total", "today")
        )
        return cls(total, int(kept["day"]), today)


def shared_out(
    joules: float, idle_joules: float, work: Iterable[tuple[str, float]], total_work: float
) -> Iterator[tuple[str, float]]:
    """The joules of a window by who used them; they add up to what was measured.

    Args:
        joules: what was measured.
        idle_joules: the part that the machine takes at rest.
        work: name and work of each.
        total_work: the work of all, named or not.
    """
    idle = min(idle_joules, joules)
    active = joules - idle
    shares = list(work)
    total = max(total_work, sum(part for _, part in shares))
    if total <= 0:
        idle, active = joules, 0.0
    yield IDLE, idle
    left = active
    for name, part in shares:
        share = active * part / total if total else 0.0
        left -= share
        yield name, share
    yield UNATTRIBUTED, max(left, 0.0)


def _credit(row: dict[str, float], label: str, joules: float) -> None:
    if joules > 0:
        row[label] = row.get(label, 0.0) + joules
