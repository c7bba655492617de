"""Which causes are worth an event where many come and go.

Where a new one begins every other second, two events for each would bury what a person looks for in
a logbook. So a few beginnings in a minute are told at once, and more of them only of those causes
that last; one that was over before is told neither to begin nor to end. The verdict names them all
the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from publisher.explain.causes import Cause

_SPAN_SECONDS: Final = 60.0
_AT_ONCE: Final = 6
_LASTING_SECONDS: Final = 10.0


@dataclass(slots=True)
class PassingCauses:
    """Sifts what began and ended."""

    _told_at: deque[float] = field(default_factory=deque)
    _held: dict[str, Cause] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether a cause has begun and may still be told."""
        return bool(self._held)

    def is_told(self, cause: Cause) -> bool:
        """Whether a cause that goes on was told to begin."""
        return cause.key not in self._held

    def ended(self, causes: Iterable[Cause]) -> list[Cause]:
        """Those whose end is to be told."""
        return [cause for cause in causes if self._held.pop(cause.key, None) is None]

    def began(self, causes: Iterable[Cause], now: float) -> list[Cause]:
        """Those whose beginning is to be told now, late ones first.

        Args:
            causes: which have just begun.
            now: monotonic seconds.
        """
        while self._told_at and self._told_at[0] <= now - _SPAN_SECONDS:
            self._told_at.popleft()
        told = [one for one in self._held.values() if now - one.since >= _LASTING_SECONDS]
        for cause in told:
            del self._held[cause.key]
        for cause in causes:
            if cause.suspicious or len(self._told_at) + len(told) < _AT_ONCE:
                told.append(cause)
            else:
                self._held[cause.key] = cause
        self._told_at.extend([now] * len(told))
        return told
