"""Change or interval: whether a new reading is worth a message now.

A change of state goes out at once. A number that moved by its deadband goes out at most once
per ``min_interval_seconds``, and what was held back is compared again at the next sample, with
the reading last sent, so that a slow drift is seen too. Silence ends at the heartbeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from publisher.config.setting import setting
from publisher.contract.metric import Reading
from publisher.contract.payload import Change, change
from publisher.contract.topics import Topic

EXPIRY_HEARTBEATS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishingSettings:
    """When a message goes out."""

    heartbeat_seconds: float = setting(
        300.0,
        "Longest silence of a topic; nothing goes out in between while nothing changes.",
        minimum=5,
        maximum=86400,
    )
    heartbeats: Mapping[str, float] = setting(
        dict,
        "Longest silence in seconds of single topics, by name.",
        example="{ cpu = 60, memory = 600 }",
        minimum=5,
        maximum=86400,
    )
    min_interval_seconds: float = setting(
        1.0,
        "Shortest time between two messages of a topic whose numbers move; "
        "changes of state go out at once.",
        minimum=0.1,
        maximum=3600,
    )

    def heartbeat_of(self, leaf: str) -> float:
        """The longest silence of a topic, in seconds."""
        return self.heartbeats.get(leaf, self.heartbeat_seconds)

    def expiry_seconds(self, leaf: str) -> int:
        """The age at which broker and Home Assistant forget a state: a few heartbeats, no more.

        A host that died together with its broker must also show by age.
        """
        return round(EXPIRY_HEARTBEATS * self.heartbeat_of(leaf))

    def policy(self, topic: Topic) -> Policy:
        """How often a topic may and must speak."""
        return Policy(
            heartbeat_seconds=self.heartbeat_of(topic.leaf) if topic.heartbeat else None,
            min_interval_seconds=max(self.min_interval_seconds, topic.min_interval_seconds),
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """How often one topic may and must speak.

    Attributes:
        heartbeat_seconds: the longest silence; ``None`` speaks on change alone.
        min_interval_seconds: the shortest time between two messages about numbers.
    """

    heartbeat_seconds: float | None = 300.0
    min_interval_seconds: float = 1.0


class TopicChannel:
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

    def again(self) -> None:
        """Makes the next reading due, whatever it says."""
        self._sent = None

    @property
    def newest(self) -> tuple[Reading, float] | None:
        """What was sent last, and when; ``None`` where that does not count."""
        return None if self._sent is None else (self._sent, self._sent_at)

    def sent(self, reading: Reading, now: float) -> None:
        """Notes that ``reading`` went out at ``now``."""
        self._sent = reading
        self._sent_at = now
