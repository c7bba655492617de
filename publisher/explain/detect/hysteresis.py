"""Hysteresis in time: nothing is said of a blip, and nothing flickers.

A gate opens when a level stays at or above its threshold for a dwell time and in at least two
windows, since one window cannot tell a short blip from the onset of a load. It closes when the
level stays below a lower threshold for another dwell time.
"""

from __future__ import annotations

from dataclasses import dataclass

SOONEST = 0.3


@dataclass(slots=True)
class Gate:
    """One yes or no about the machine that does not flicker.

    Attributes:
        is_open: the answer.
        since: monotonic moment at which the condition began, once it is open or pending.
        closing_since: when it began to be gone, while the gate is still open.
    """

    enter_seconds: float
    leave_seconds: float
    is_open: bool = False
    since: float | None = None
    closing_since: float | None = None
    _windows: int = 0

    @property
    def pending(self) -> bool:
        return self.since is not None and not self.is_open

    def open(self, since: float) -> None:
        """Opens it at once: the condition holds since then, others know."""
        self.is_open, self.closing_since, self._windows = True, None, 0
        if self.since is None or since < self.since:
            self.since = since

    def update(
        self, *, above: bool, below: bool, start: float, now: float, hold: bool = False
    ) -> bool:
        """Takes one window into account; whether the gate has just opened or closed.

        Args:
            above: the level of the window reaches the upper threshold.
            below: it does not reach the lower one.
            start: monotonic begin of the window.
            now: its end.
            hold: it does not close yet, however long it has been below.
        """
        if self.is_open:
            return self._closing(below, start, now, hold=hold)
        return self._opening(above, start, now)

    def _opening(self, above: bool, start: float, now: float) -> bool:
        if not above:
            self.since, self._windows = None, 0
            return False
        if self.since is None:
            self.since = start
        self._windows += 1
        # One window is enough where no dwell is asked for.
        enough = self._windows >= 2 or self.enter_seconds == 0
        if enough and now - self.since >= self.enter_seconds:
            self.open(self.since)
            return True
        return False

    def _closing(self, below: bool, start: float, now: float, *, hold: bool) -> bool:
        if not below:
            self.closing_since = None
            return False
        if self.closing_since is None:
            self.closing_since = start
        if now - self.closing_since >= self.leave_seconds and not hold:
            self.is_open, self.since, self._windows = False, None, 0
            return True
        return False

    def wants_soon(self, now: float) -> float | None:
        """Seconds after which one more window could settle what is pending."""
        if self.pending and self.since is not None:
            return max(SOONEST, self.since + self.enter_seconds - now)
        if self.is_open and self.closing_since is not None:
            return max(SOONEST, self.closing_since + self.leave_seconds - now)
        return None
