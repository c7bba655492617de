"""When to connect again: the waits between attempts, and how they grow."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

_LONGEST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectTimes:
    """How long the session waits between connections, in seconds.

    A broker that went away a moment ago is found within ten seconds of its return; one that
    stays away, or says no, is asked once a minute. An attempt that finds nothing takes less
    processor time than a message (bench: 100 and 140 µs).

    Attributes:
        first: before the second attempt; doubled before each further one.
        away: the longest wait for a broker that cannot be reached,
        patient: until it was away for this long.
        longest: the longest wait of all.
        steady: a connection that lasted this long counts as good.
        old_version: until a broker that wanted MQTT 3.1.1 is offered 5 again.
        offer: until an event that the broker has refused is offered again; doubled each time,
            to ``offer_longest``.
    """

    first: float = 1.0
    away: float = 8.0
    patient: float = 300.0
    longest: float = 60.0
    steady: float = 30.0
    old_version: float = 3600.0
    offer: float = 10.0
    offer_longest: float = 900.0


def _random() -> float:
    """From 0 to 1; the random module would cost memory for this one number."""
    return os.urandom(1)[0] / 255


class Backoff:
    """Waits that double, each shortened at random by up to a half so that hosts spread out.

    Args:
        first: the first wait, in seconds.
        jitter: from 0 to 1, how much of that half is taken off.
    """

    def __init__(self, first: float, jitter: Callable[[], float] = _random) -> None:
        self._first = first
        self._jitter = jitter
        self._next = first

    def next(self, longest: float) -> float:
        """The next wait, in seconds."""
        wait = min(self._next, longest)
        self._next = min(self._next * 2, _LONGEST_SECONDS)
        return wait * (1 - self._jitter() / 2)

    def reset(self) -> None:
        """Begins anew after a success."""
        self._next = self._first
