"""Waits between attempts."""

from __future__ import annotations

import os
from collections.abc import Callable

_LONGEST_SECONDS = 3600.0


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
