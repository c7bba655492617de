"""Change or interval: whether a new reading is worth a message now.

A change of state goes out at once. A number that moved by its deadband goes out at most once
per ``min_interval_seconds``, and what was held back is compared again at the next sample, with
the reading last sent, so that a slow drift is seen too. Silence ends at the heartbeat.
"""

from __future__ import annotations

from dataclasses import dataclass

from publisher.schema.metric import Reading
from publisher.schema.payload import Change, change


@dataclass(frozen=True, slots=True)
class Policy:
    """How often one topic may and must speak.

    Attributes:
        heartbeat_seconds: the longest silence; ``None`` speaks on change alone.
        min_interval_seconds: the shortest time between two messages about numbers.
    """

    heartbeat_seconds: float | None = 300.0
    min_interval_seconds: float = 1.0


class Channel:
    """The policy at work on one topic: remembers what was said last, and when."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._sent: Reading | None = None
        self._sent_at = float("-inf")

    def due(self, reading: Reading, now: float) -> bool:
        """Whether ``reading`` should be sent.

        Args:
            reading: the newest one.
            now: monotonic seconds.
        """
        if self._sent is None:
            return True
        silence = now - self._sent_at
        heartbeat = self.policy.heartbeat_seconds
        if heartbeat is not None and silence >= heartbeat:
            return True
        found = change(self._sent, reading)
        if found is Change.VALUE:
            return silence >= self.policy.min_interval_seconds
        return found is Change.STATE

    def sent(self, reading: Reading, now: float) -> None:
        """Notes that ``reading`` went out at ``now``."""
        self._sent = reading
        self._sent_at = now
