"""The onset of a load that moves between resources: a scan reads, then computes, then reads.

Each resource has a dwell time of its own (``hysteresis``), and a load that is at
neither of two for long would be told late or not at all. So the dwell counts for the machine as
well: as long as it was at rest and is strained without a break by whatever it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from publisher.explain.detect.hysteresis import SOONEST
from publisher.explain.detect.resources import Watch

_LONGEST_SECONDS: Final = 5.0
"""What has gone on for longer without being told is no onset: each resource is on its own."""
_IN_TURN: Final = ("cpu", "io")
"""A thread computes or waits for a disk, never both at once: these two add up to one."""


@dataclass(slots=True)
class Onset:
    """Since when the machine is strained, while nothing has been told of it."""

    _since: float | None = None
    _windows: int = 0

    def observe(self, watches: Iterable[Watch], *, start: float, now: float) -> None:
        """Takes one window into account; opens the gates of what the load is at by now.

        Args:
            watches: all of them, after they have seen the window themselves.
            start: monotonic begin of the window.
            now: its end.
        """
        above, in_turn = [], 0.0
        for watch in watches:
            if watch.gate.is_open:
                self._since, self._windows = None, 0
                return
            if watch.part >= 1:
                above.append(watch)
            if watch.name in _IN_TURN:
                in_turn += watch.part
        if not above and in_turn < 1:
            self._since, self._windows = None, 0
            return
        if self._since is None:
            self._since = start
        self._windows += 1
        lasted = now - self._since
        if self._windows < 2 or lasted > _LONGEST_SECONDS:
            return
        for watch in above:
            if lasted >= watch.gate.enter_seconds:
                watch.open(self._since)

    def wants_soon(self, now: float, enter_seconds: float) -> float | None:
        """Seconds after which one more window could settle what is pending."""
        if self._since is None or now - self._since > _LONGEST_SECONDS:
            return None
        return max(SOONEST, self._since + enter_seconds - now)
