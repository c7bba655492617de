"""Who used how much of a resource in the last seconds: the present, as a person means it.

A window counts until it has wholly passed, so that what is told as the greatest user is the one
that used the most, and not one that did so a while ago.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

RECENT_SECONDS: Final = 10.0
"""What lies longer back says nothing of who leads."""
_PRESENT_SECONDS: Final = 2.0
_MOST_KEPT: Final = 48  # users of a window, the greatest first


@dataclass(frozen=True, slots=True)
class _Past:
    began: float
    ended: float
    total: float
    used: Mapping[str, float]


@dataclass(slots=True)
class Recent:
    """Use by each group in the windows of the last seconds, in unit-seconds."""

    _windows: deque[_Past] = field(default_factory=deque)
    _sums: dict[str, float] = field(default_factory=dict)
    _total: float = 0.0

    def forget(self) -> None:
        """The resource is at rest."""
        self._windows.clear()
        self._sums.clear()
        self._total = 0.0

    def add(
        self, uses: Iterable[tuple[str, float]], total: float, *, start: float, now: float
    ) -> None:
        """Takes one window into account.

        Args:
            uses: each group's use of the resource, by its key.
            total: the use by all, known or not.
            start: monotonic begin of the window.
            now: its end.
        """
        seconds = now - start
        greatest = sorted(uses, key=_amount, reverse=True)[:_MOST_KEPT]
        past = _Past(start, now, total * seconds, {key: used * seconds for key, used in greatest})
        self._windows.append(past)
        while self._windows[0].ended <= now - RECENT_SECONDS and len(self._windows) > 1:
            self._windows.popleft()
        self._sum()

    def _sum(self) -> None:
        # Added up anew: differences would leave crumbs that never go.
        self._sums, self._total = {}, 0.0
        for past in self._windows:
            self._total += past.total
            for key, used in past.used.items():
                self._sums[key] = self._sums.get(key, 0.0) + used

    def used(self, key: str) -> float:
        """What a group used lately."""
        return self._sums.get(key, 0.0)

    def share(self, key: str) -> float:
        """A group's part of what was used lately, 0 to 1."""
        return min(self.used(key) / self._total, 1.0) if self._total > 0 else 0.0

    def present(self, key: str) -> float:
        """A group's part of what is used at this moment, 0 to 1."""
        used = total = 0.0
        for past in reversed(self._windows):
            if past.ended <= self._windows[-1].ended - _PRESENT_SECONDS:
                break
            used += past.used.get(key, 0.0)
            total += past.total
        return min(used / total, 1.0) if total > 0 else 0.0

    def greatest(self) -> str | None:
        """The key of the group that used the most lately."""
        return max(self._sums, key=self._sums.__getitem__, default=None)

    def others(self, but: Iterable[str], least: float) -> int:
        """How many further groups have at least this part."""
        left_out = set(but)
        return sum(
            used >= least * self._total > 0
            for key, used in self._sums.items()
            if key not in left_out
        )


def _amount(pair: tuple[str, float]) -> float:
    return pair[1]
