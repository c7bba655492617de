"""What the virtual machine says while it runs its scenario."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mark:
    """A line of the scenario: what it did, and when."""

    moment: float
    words: list[str]


@dataclass(frozen=True)
class Sent:
    """A message that a subscriber in the machine got, and when; an empty one is ``None``."""

    moment: float
    topic: str
    payload: Any


@dataclass
class Log:
    """All that the scenario and the subscriber said."""

    marks: list[Mark] = field(default_factory=list)
    messages: list[Sent] = field(default_factory=list)
    daemon: list[str] = field(default_factory=list)
    capture: str = ""

    @classmethod
    def parse(cls, text: str) -> Log:
        log = cls()
        for line in text.splitlines():
            first, _, rest = line.partition(" ")
            if first == "@":
                moment, *words = rest.split(" ")
                log.marks.append(Mark(float(moment), words))
            elif first == "@log":
                log.daemon.append(rest)
            elif first == "@capture":
                log.capture += rest
            elif first[:1].isdigit():
                topic, _, payload = rest.partition(" ")
                log.messages.append(Sent(float(first), topic, _decoded(payload)))
        return log

    def mark(self, *words: str) -> Mark:
        """The first line of the scenario that begins with these words."""
        return next(mark for mark in self.marks if mark.words[: len(words)] == list(words))

    def between(self, topic: str, start: float, end: float = float("inf")) -> list[Sent]:
        """The messages of a topic in a span of time, empty ones left out."""
        return [
            sent
            for sent in self.messages
            if sent.topic == topic and start <= sent.moment <= end and sent.payload is not None
        ]


def _decoded(payload: str) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload or None
