"""The events of all hosts, as they were told: none twice, the oldest forgotten."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from publisher.contract import topics
from subscriber_cli.model.budget import JOURNAL_CHARACTERS, JOURNAL_ENTRIES
from subscriber_cli.model.decode import Received
from subscriber_cli.model.event import EventMessage


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a log.

    Attributes:
        prefix: of the host that it happened on.
        at: when it happened, in seconds since the epoch by the host's clock.
        word: a state, or a kind of event.
        severity: how much it matters; empty where nobody says.
    """

    prefix: str
    at: float
    word: str
    severity: str
    message: str


class Journal:
    """The newest events, in the order in which they came."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=JOURNAL_ENTRIES)
        self._ids: deque[str] = deque(maxlen=JOURNAL_ENTRIES)

    def apply(self, message: Received, now: float) -> None:
        """Keeps a message if it tells of an event that is not known yet."""
        if message.leaf != topics.EVENT or not isinstance(message.content, Mapping):
            return
        event = EventMessage.read(message.content)
        if not event.message or (event.id and event.id in self._ids):
            return
        if event.id:
            self._ids.append(event.id[:JOURNAL_CHARACTERS])
        made_at = message.made_at
        self._entries.append(
            Entry(
                prefix=message.prefix,
                at=now if made_at is None else made_at,
                word=(event.state if event.kind == "state_changed" else event.kind)[:20],
                severity=event.severity[:20],
                message=event.message[:JOURNAL_CHARACTERS],
            )
        )

    def of(self, prefix: str) -> Iterator[Entry]:
        """What happened on one host, the oldest first."""
        return (entry for entry in self._entries if entry.prefix == prefix)
