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
from publisher.explain.detect.resources import LoadKind, MonitoredResource

_LONGEST_SECONDS: Final = 5.0
"""What has gone on for longer without being told is no onset: each resource is on its own."""
_IN_TURN: Final = (LoadKind.CPU, LoadKind.IO)
"""A thread computes or waits for a disk, never both at once: these two add up to one."""


@dataclass(slots=True)
class Onset:
    """Since when the machine is strained, while nothing has been told of it."""

    _since: float | None = None
    _windows: int = 0

    def observe(self, resources: Iterable[MonitoredResource], *, start: float, now: float) -> None:
        """Takes one window into account; activates what the load is at by now.

        Args:
            resources: all of them, after they have seen the window themselves.
            start: monotonic begin of the window.
            now: its end.
        """
        above, in_turn = [], 0.0
        for resource in resources:
            if resource.hysteresis.active:
                self._since, self._windows = None, 0
                return
            if resource.part >= 1:
                above.append(resource)
            if resource.kind in _IN_TURN:
                in_turn += resource.part
        if not above and in_turn < 1:
            self._since, self._windows = None, 0
            return
        if self._since is None:
            self._since = start
        self._windows += 1
        lasted = now - self._since
        if self._windows < 2 or lasted > _LONGEST_SECONDS:
            return
        for resource in above:
            if lasted >= resource.hysteresis.enter_seconds:
                resource.activate(self._since)

    def wants_soon(self, now: float, enter_seconds: float) -> float | None:
        """Seconds after which one more window could settle what is pending."""
        if self._since is None or now - self._since > _LONGEST_SECONDS:
            return None
        return max(SOONEST, self._since + enter_seconds - now)
