"""Hysteresis in time: a blip says nothing, and nothing flickers.

A condition becomes active when a level stays at or above its threshold for a dwell time and in at
least two windows, since one window cannot tell a short blip from the onset of a load. It ends when
the level stays below a lower threshold for another dwell time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SOONEST: Final = 0.3
"""Seconds after which a further window is asked for at the earliest."""


@dataclass(slots=True)
class Hysteresis:
    """One condition of the machine, active or not, that does not flicker.

    Attributes:
        enter_seconds: dwell time above the upper threshold until it is active.
        leave_seconds: dwell time below the lower threshold until it is over.
        active: the answer.
        since: monotonic moment at which the condition began, once it is active or pending.
        ending_since: when it began to be gone, while it is still active.
    """

    enter_seconds: float
    leave_seconds: float
    active: bool = False
    since: float | None = None
    ending_since: float | None = None
    _windows: int = 0
    _dipped: bool = False

    @property
    def pending(self) -> bool:
        """Above the threshold, and not for long enough yet."""
        return self.since is not None and not self.active

    def activate(self, since: float) -> None:
        """Makes it active at once: that the condition holds since then is known otherwise."""
        self.active, self.ending_since = True, None
        self._windows, self._dipped = 0, False
        if self.since is None or since < self.since:
            self.since = since

    def update(
        self,
        *,
        above: bool,
        below: bool,
        start: float,
        now: float,
        nearly: bool = False,
        hold: bool = False,
    ) -> bool:
        """Takes one window into account; whether the condition has just become active or ended.

        Args:
            above: the level of the window reaches the upper threshold.
            below: it does not reach the lower one.
            start: monotonic begin of the window.
            now: its end.
            nearly: it is hardly below it: a load that warms up wavers there, and one such window
                does not end what is pending.
            hold: it does not end yet, however long it has been below.
        """
        if self.active:
            return self._leaving(below, start, now, hold=hold)
        return self._entering(above, start, now, nearly=nearly)

    def _entering(self, above: bool, start: float, now: float, *, nearly: bool) -> bool:
        if not above:
            wavers = nearly and self.pending and not self._dipped
            self._dipped = wavers
            if not wavers:
                self.since, self._windows = None, 0
            return False
        if self.since is None:
            self.since = start
        self._windows += 1
        # One window is enough where no dwell is asked for.
        enough = self._windows >= 2 or self.enter_seconds == 0
        if enough and now - self.since >= self.enter_seconds:
            self.activate(self.since)
            return True
        return False

    def _leaving(self, below: bool, start: float, now: float, *, hold: bool) -> bool:
        if not below:
            self.ending_since = None
            return False
        if self.ending_since is None:
            self.ending_since = start
        if now - self.ending_since >= self.leave_seconds and not hold:
            self.active, self.since, self._windows = False, None, 0
            return True
        return False

    def wants_soon(self, now: float) -> float | None:
        """Seconds after which one more window could settle what is pending."""
        if self.pending and self.since is not None:
            return max(SOONEST, self.since + self.enter_seconds - now)
        if self.active and self.ending_since is not None:
            return max(SOONEST, self.ending_since + self.leave_seconds - now)
        return None
