"""Whether the clock was set while we ran: a board without one of its own learns the time late."""

from __future__ import annotations

import time

_STEP_SECONDS = 5.0  # less is a clock being disciplined
# Goes on while the machine sleeps, as the time of day does (man 2 clock_gettime).
_STEADY = getattr(time, "CLOCK_BOOTTIME", None)


class Clock:
    """Tells by how much the time of day jumped."""

    def __init__(self) -> None:
        self._epoch = _epoch()

    def stepped(self) -> float:
        """Seconds by which the clock was set since this was last asked; 0 when it was not."""
        step = _epoch() - self._epoch
        if abs(step) < _STEP_SECONDS:
            return 0.0
        self._epoch += step
        return step


def _epoch() -> float:
    steady = time.monotonic() if _STEADY is None else time.clock_gettime(_STEADY)
    return time.time() - steady
