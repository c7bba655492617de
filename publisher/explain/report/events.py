"""What happened, until somebody takes it away."""

from __future__ import annotations

import os
from collections import deque
from typing import Any, Final

from publisher.contract.readings import EventReading

_MOST_EVENTS: Final = 256


class Transitions:
    """Numbers the events of one run, and keeps the latest until they are taken."""

    def __init__(self) -> None:
        self._run = os.urandom(5).hex()
        self._count = 0
        self._events: deque[EventReading] = deque(maxlen=_MOST_EVENTS)

    def note(self, event: str, message: str, **facts: Any) -> None:
        """Adds one; ``facts`` are further fields of ``EventReading``."""
        self._count += 1
        number = f"{self._run}-{self._count}"
        self._events.append(EventReading(id=number, event=event, message=message, **facts))

    def take(self) -> list[EventReading]:
        """All since the last call."""
        events = list(self._events)
        self._events.clear()
        return events
